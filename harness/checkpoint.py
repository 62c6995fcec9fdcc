"""The manifest that training leaves in a checkpoint's folder, and what it proves: whole files, and the right base.

The manifest is written after the weights, so its presence means that they are whole; a training that stopped early says
so in it (`steps_done` below `steps_planned`). A manifest.json of some other tool is none of ours. Imports no torch.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from harness.checkpoints.files import (
    ADAPTER_WEIGHTS,
    ENSEMBLE,
    chat_template_sha256,
    config_sha256,
    file_sha256,
    fingerprint,
    is_adapter,
    pair_fingerprint,
    tokenizer_sha256,
    weights_sha256,
)
from harness.checkpoints.manifest import Base, Data, File, Kind, Manifest, as_json, from_json
from harness.errors import InputError, Problem

__all__ = [
    "ADAPTER_WEIGHTS",
    "INDEX",
    "MANIFEST",
    "Base",
    "Data",
    "File",
    "Kind",
    "Manifest",
    "as_json",
    "chat_template_sha256",
    "compared",
    "config_sha256",
    "differing",
    "find",
    "fingerprint",
    "on_its_base",
    "pair_fingerprint",
    "read",
    "state_name",
    "tokenizer_sha256",
    "verify",
    "weights_sha256",
    "write",
]

MANIFEST = "manifest.json"
INDEX = "training_index.npz"
"""harness.leakage.FILE, which imports this module."""

# What no other tool's manifest.json holds.
_OWN_KEYS = frozenset({"steps_done", "steps_planned", "adapter_sha256", "tokenizer_sha256", "chat_template_sha256"})


def write(path: Path, manifest: Manifest) -> None:
    """Write a checkpoint's manifest, atomically; call it last, when the weights are on disk."""
    building = path / f".{MANIFEST}.{os.getpid()}"
    with building.open("w", encoding="utf-8") as file:
        file.write(json.dumps(as_json(manifest), indent=2, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())
    building.replace(path / MANIFEST)


def read(path: Path) -> Manifest:
    """The manifest of a checkpoint folder. Raises InputError where there is none or it is broken."""
    file = path / MANIFEST
    try:
        value = json.loads(file.read_bytes())
        return from_json(value)
    except (FileNotFoundError, NotADirectoryError):
        what = "holds no checkpoint manifest: its training did not finish writing, or it comes from elsewhere"
        if (path / ENSEMBLE).is_file():
            what = "is an ensemble of several trainings, each with a manifest of its own; name one of its folders"
        if not path.is_dir():
            what = "there is no such checkpoint folder; check the path"
        elif saved := sorted(path.glob(f"checkpoint-*/{MANIFEST}"), key=lambda file: file.stat().st_mtime):
            what = (
                f"is a training that has not ended; name a saved step ({saved[-1].parent.name}), or go on with --resume"
            )
        raise InputError([Problem(path=str(path), what=what)]) from None
    except (OSError, ValueError, TypeError) as error:
        what = f"is not the manifest of a checkpoint ({error}); delete the folder and train again"
        raise InputError([Problem(path=str(file), what=what)]) from None


def find(path: Path) -> Manifest | None:
    """The manifest of a checkpoint folder, or None where it has none, or another tool's (a folder from elsewhere).

    Raises InputError where it is ours and broken.
    """
    return read(path) if _is_ours(path / MANIFEST) else None


def verify(path: Path, *, state: bool = False) -> list[Problem]:
    """Every hash of the manifest that the files no longer match; empty where the checkpoint is as it was written.

    With `state`, the files that only a resumed training reads are compared too. Raises InputError where there is no
    readable manifest.
    """
    manifest = read(path)
    try:
        hashes = compared(path, manifest, state=state)
    except InputError as error:
        return [item for item in error.problems if isinstance(item, Problem)]
    return differing(path, hashes)


def differing(path: Path, hashes: Mapping[str, tuple[str | None, str | None]]) -> list[Problem]:
    """A problem for every pair of hashes that differ, from what `compared` found of a folder."""
    return [
        Problem(path=str(path), what=f"the {name} {_difference(then, now)}")
        for name, (then, now) in hashes.items()
        if then != now
    ]


def compared(path: Path, manifest: Manifest, *, state: bool = False) -> dict[str, tuple[str | None, str | None]]:
    """What the manifest says of a folder's files and what they are: name to both hashes, where there is anything.

    Raises InputError where the folder has no weights.
    """
    weights = weights_sha256(path)
    found = {
        "weights": (manifest.sha256, weights),
        "adapter": (manifest.adapter_sha256, weights if is_adapter(path) else None),
        "tokenizer": (manifest.tokenizer_sha256, tokenizer_sha256(path)),
        "chat template": (manifest.chat_template_sha256, chat_template_sha256(path)),
    }
    if is_adapter(path):
        if manifest.adapter_sha256 == manifest.sha256:
            # One file, one finding.
            del found["adapter"]
        # An adapter is used with its base's tokenizer, which the base's own fingerprint vouches for.
        found = {name: both for name, both in found.items() if name not in _OF_BASE or both[1] is not None}
    if manifest.config_sha256:
        found["config"] = (manifest.config_sha256, config_sha256(path))
    if manifest.data.index_sha256:
        found[f"training index {INDEX}"] = (manifest.data.index_sha256, _hash_of(path / INDEX))
    if state:
        found |= {state_name(name): (then, _hash_of(path / name)) for name, then in manifest.state.items()}
    return {name: both for name, both in found.items() if both != (None, None)}


_OF_BASE = ("tokenizer", "chat template")


def state_name(file: str) -> str:
    """What a file of the resume state is called among the compared hashes."""
    return f"resume state {file}"


def on_its_base(base: Path, adapter: Path, base_sha256: str | None = None) -> Problem | None:
    """What is wrong where an adapter's manifest says that it was trained on another base than this one.

    None where it was trained on this one, or where no manifest of ours says on which. `base_sha256` spares hashing a
    base whose fingerprint is known. Raises InputError where the manifest is broken or the base has no weights.
    """
    made = find(adapter)
    if made is None or made.base is None:
        return None
    given = base_sha256 or fingerprint(base)
    if given == made.base.sha256:
        return None
    what = (
        f"this adapter was trained on {made.base.spec} (SHA-256 {made.base.sha256[:12]}), not on {base} "
        f"(SHA-256 {given[:12]}); give the base it was trained on, or train an adapter on this one"
    )
    return Problem(path=str(adapter), what=what)


def _is_ours(file: Path) -> bool:
    """Whether a manifest.json is one of ours, as far as that can be told of a torn one."""
    try:
        text = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return False
    except OSError as error:
        raise InputError([Problem(path=str(file), what=f"cannot be read: {error.strerror}")]) from None
    try:
        value = json.loads(text)
    except ValueError:
        # A crash leaves nothing, zeros or the beginning; other tools' files hold something else.
        return not text.strip(b"\0 \t\r\n") or any(f'"{key}"'.encode() in text for key in _OWN_KEYS)
    return isinstance(value, dict) and not _OWN_KEYS.isdisjoint(value)


def _hash_of(file: Path) -> str | None:
    return file_sha256(file) if file.is_file() else None


def _difference(then: str | None, now: str | None) -> str:
    if now is None:
        return f"is gone since training: the manifest says SHA-256 {then}"
    return f"changed since training: SHA-256 {now}, the manifest says {then or 'that there was none'}"
