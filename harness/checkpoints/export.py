"""`harness checkpoints export`: a copy of a checkpoint for others, without what only its owner needs or may have.

Left out: resume state, the training index (it holds what users wrote), logs, evaluations, and paths of this machine.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness import checkpoint
from harness.checkpoint import Manifest
from harness.checkpoints.files import CONFIG_FILES, PLACE_KEYS, answering_files, damage
from harness.checkpoints.manifest import from_json
from harness.checkpoints.place import free, new_folder
from harness.checkpoints.sizes import in_words, total
from harness.errors import InputError

# An absolute path of any system, one from home, or one that climbs: alone, after a spec's kind, or within a text.
_START = r"(?:~|\.{1,2}|[A-Za-z]:)?[/\\]"
_WHOLE = re.compile(rf"(hf/|recipe/|file://|)({_START}.*)")
_PLUS = re.compile(rf"\+(?={_START})")
_WITHIN = re.compile(rf"(?:(?<![\w.:/\\~-])|(?<=hf/)|(?<=recipe/)|(?<=file://)){_START}[^\s\"',;+]+")


def verb(path: Path, *, out: Path) -> int:
    """Write a copy of a checkpoint for others. Exit code 0; raises InputError where it is not as it was written."""
    free(out)
    manifest = checkpoint.read(path)
    problems = [*checkpoint.verify(path), *damage(path)]
    if problems:
        raise InputError(problems)
    with new_folder(out) as building:
        for file in answering_files(path):
            _copy(file, building / file.name)
        made = shared(manifest)
        wrong = checkpoint.differing(out, checkpoint.compared(building, made))
        if wrong:
            raise InputError(wrong)
        checkpoint.write(building, made)
    print(f"{path} → {out}: {in_words(total(out))}, hashes as before")
    left = sorted(item.name for item in path.iterdir() if not (out / item.name).exists())
    if left:
        print(f"left out: {', '.join(left)}", file=sys.stderr)
    return 0


def shared(manifest: Manifest) -> Manifest:
    """A manifest without paths of this machine, and without what an exported folder does not hold."""
    value = without_paths(checkpoint.as_json(manifest))
    made = from_json(value)
    return replace(made, state={}, data=replace(made.data, index_sha256=None))


def without_paths(value: Any) -> Any:
    """A JSON value with every path of this machine in it cut to its last part; hub ids and file names stay."""
    if isinstance(value, str):
        if whole := _WHOLE.fullmatch(value):
            return whole[1] + "+".join(map(_last, _PLUS.split(whole[2])))
        return _WITHIN.sub(lambda found: _last(found[0]), value)
    if isinstance(value, Mapping):
        return {key: without_paths(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_paths(item) for item in value]
    return value


def _last(path: str) -> str:
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1]


def _copy(file: Path, to: Path) -> None:
    """Copy a file; of a config, the keys that say where its model lay lose their paths."""
    shutil.copyfile(file, to)
    if file.name not in (*CONFIG_FILES, "tokenizer_config.json"):
        return
    value = json.loads(file.read_text(encoding="utf-8"))
    places = {key: value[key] for key in PLACE_KEYS & value.keys()} if isinstance(value, dict) else {}
    if places and (cleaned := without_paths(places)) != places:
        to.write_text(json.dumps(value | cleaned, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
