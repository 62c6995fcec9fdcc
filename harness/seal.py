"""What a run was when it ended: its journals' lengths and SHA-256, and what it asked, kept so that edits show.

A seal tells a slip from what was run; it is no signature, for whoever can write the manifest can write the seal.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

JOURNALS = (
    "responses.jsonl", "judgments.jsonl", "controls.jsonl", "scores.jsonl", "scores_baseline.jsonl",
    "losses.jsonl", "losses_baseline.jsonl", "predictions.jsonl", "validation.jsonl", "batching.jsonl",
)  # fmt: skip
PREDICTED = ("predictions.jsonl", "validation.jsonl")
State = Literal["whole", "longer", "changed", "unknown"]
MANIFEST = "manifest.json"
# What of a manifest says what was asked, and of whom. Clock, versions, commit, tokens and warnings are not among it.
ASKED = (
    "candidate", "baseline", "judges", "repeats", "prompts_in_suite", "stop_early", "nonce", "seeds",
    "judge_names", "asked_judges", "recorded_judgments", "fingerprints", "check_batching",
)  # fmt: skip
# Enough of a SHA-256 that no two texts of a run share it, and little enough for one a prompt.
_DIGITS = 16


def seal(run: Path, manifest: Mapping[str, Any] | None = None) -> dict[str, dict[str, Any]]:
    """Length and SHA-256 of every journal that a run's folder holds, and with its manifest what was asked (`asked`)."""
    seals = {name: _of(run / name) for name in JOURNALS if (run / name).exists()}
    return seals if manifest is None else {**seals, MANIFEST: {"asked": asked(manifest)}}


def _of(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def asked(manifest: Mapping[str, Any]) -> dict[str, str]:
    """What a manifest says was asked, by part: the beginning of each part's SHA-256.

    The parts are every key of the suite, every prompt by its id, the prompts' order, and the keys of `ASKED`. Folders
    are left out: a run that is moved is the same run. Never raises; what is no manifest has other parts.
    """
    parts = {name: _unplaced(manifest[name]) for name in ASKED if name in manifest}
    suite = manifest.get("suite")
    if isinstance(suite, Mapping):
        parts |= {f"suite.{key}": value for key, value in suite.items() if key not in ("folder", "prompts")}
        prompts = suite.get("prompts")
        each = [value for value in prompts if isinstance(value, Mapping)] if isinstance(prompts, list | tuple) else []
        parts["suite.prompts, their order"] = [str(prompt.get("id")) for prompt in each]
        parts |= {f"suite.prompts {prompt.get('id')}": prompt for prompt in each}
    return {name: _digest(value) for name, value in parts.items()}


def _unplaced(value: Any) -> Any:
    """Specs without the folder they were written in."""
    if isinstance(value, list | tuple):
        return [_unplaced(one) for one in value]
    return {key: one for key, one in value.items() if key != "folder"} if isinstance(value, Mapping) else value


def _digest(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    # As the manifest itself is written: a lone surrogate does not come back from disk.
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:_DIGITS]


def seals_of(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """The seals of a manifest; empty where it has none."""
    seals = manifest.get("seals")
    return seals if isinstance(seals, Mapping) else {}


def changed(manifest: Mapping[str, Any]) -> list[str] | None:
    """The parts of what was asked that are not as they were sealed; None where they were not sealed."""
    kept = seals_of(manifest).get(MANIFEST)
    was = kept.get("asked") if isinstance(kept, Mapping) else None
    if not isinstance(was, Mapping):
        return None
    now = asked(manifest)
    return [name for name in {**was, **now} if was.get(name) != now.get(name)]


def state(run: Path, name: str, seals: Mapping[str, Any]) -> State:
    """What a journal is against its seal: `longer` where lines were only added, `unknown` where nothing was sealed."""
    if not seals:
        return "unknown"
    begun = sealed_bytes(seals, name)
    data = (run / name).read_bytes() if (run / name).is_file() else b""
    kept = seals.get(name)
    sha256 = kept.get("sha256") if isinstance(kept, Mapping) else hashlib.sha256(b"").hexdigest()
    if hashlib.sha256(data[:begun]).hexdigest() != sha256:
        return "changed"
    return "longer" if len(data) > begun else "whole"


def sealed_bytes(seals: Mapping[str, Any], name: str) -> int:
    """How long a journal was when it was sealed; 0 where it was not there, or its seal does not say."""
    kept = seals.get(name)
    length = kept.get("bytes", 0) if isinstance(kept, Mapping) else 0
    return length if isinstance(length, int) and length > 0 else 0
