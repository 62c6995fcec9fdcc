"""The saved steps of a training in its folder: checkpoint-N, whole where it has a manifest.

Weights come first, then the files that only a resumed training reads, then the manifest with the hashes of them all. A
step whose saving was torn has no manifest and is removed before training goes on.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness import checkpoint
from harness.errors import InputError, Problem
from harness.leakage import FILE

STATE = ("optimizer.pt", "scheduler.pt", "rng_state.pth", "scaler.pt", "trainer_state.json")
HISTORY = "history.json"


def step_of(folder: Path) -> int:
    """The step that a saved folder is of."""
    return int(folder.name.rpartition("-")[2])


def steps(place: Path) -> list[Path]:
    """The saved steps of a training that are whole, in their order."""
    found = [path for path in place.glob("checkpoint-*") if path.name.rpartition("-")[2].isdigit()]
    return sorted((path for path in found if (path / checkpoint.MANIFEST).is_file()), key=step_of)


def state_of(folder: Path) -> Mapping[str, str]:
    """SHA-256 of the resume state in a step's folder."""
    found = {}
    for name in STATE:
        if (folder / name).is_file():
            with (folder / name).open("rb") as file:
                found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def settle(folder: Path) -> None:
    """Have every file on disk, and readable like any other, before a manifest says that they are whole."""
    folder.chmod(0o755)
    for file in folder.iterdir():
        if file.is_file():
            file.chmod(0o644)
            with file.open("rb") as stream:
                os.fsync(stream.fileno())


def link_index(place: Path, folder: Path) -> None:
    """Put the training's index beside a step's weights, without its bytes twice where the disk can do that."""
    beside = folder / FILE
    beside.unlink(missing_ok=True)
    try:
        os.link(place / FILE, beside)
    except OSError:
        shutil.copyfile(place / FILE, beside)


def resumable(place: Path, recipe: Mapping[str, object], data_sha256: str) -> Path | None:
    """The last whole step of a training, checked against its recipe, its data and its hashes; None where there is none.

    Raises InputError where it is of another recipe or other data, or where its files are not those that were saved.
    """
    clear_torn(place)
    kept = steps(place)
    if not kept:
        return None
    last = kept[-1]
    manifest = checkpoint.read(last)
    problems = [
        Problem(path=str(last), what=f"is of another recipe: {name} was {was!r} there and is {now!r} here; {_WAY_OUT}")
        for name, was, now in differences(manifest.recipe, recipe)
    ]
    if manifest.data.sha256 != data_sha256:
        problems.append(Problem(path=str(last), what=f"was trained on other data than the recipe's; {_WAY_OUT}"))
    problems += checkpoint.verify(last)
    if not manifest.state:
        problems.append(Problem(path=str(last), what="holds no state to go on from; delete this step's folder"))
    problems += [
        Problem(path=str(last / name), what="is not the file that was saved; delete this step's folder")
        for name in sorted({*manifest.state, *state_of(last)})
        if state_of(last).get(name) != manifest.state.get(name)
    ]
    if problems:
        raise InputError(problems)
    return last


_WAY_OUT = "put that back, or delete the folder"
_SILENT = ("log", "save.keep", "save.every")


def differences(
    was: Mapping[str, object], now: Mapping[str, object], under: str = ""
) -> list[tuple[str, object, object]]:
    """The keys in which two resolved recipes differ, with both values; those that change no weight are passed over."""
    found: list[tuple[str, object, object]] = []
    for name in dict.fromkeys((*was, *now)):
        key = f"{under}{name}"
        a, b = was.get(name), now.get(name)
        if a == b or key in _SILENT:
            continue
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found += differences(a, b, f"{key}.")
        else:
            found.append((key, a, b))
    return found


def clear_torn(place: Path) -> None:
    """Remove saved steps that are not whole."""
    whole = steps(place)
    for path in place.glob("checkpoint-*"):
        if path not in whole:
            shutil.rmtree(path, ignore_errors=True)


def prune(place: Path, keep: int, best: int | None) -> None:
    """Keep the newest steps and the best one; a step's manifest goes first, so that no half of it looks whole."""
    for folder in steps(place)[:-keep]:
        if step_of(folder) != best:
            (folder / checkpoint.MANIFEST).unlink()
            shutil.rmtree(folder, ignore_errors=True)


def forget_state(folders: Sequence[Path]) -> None:
    """Remove what only a resumed training reads, and say so in the manifests: the training has ended."""
    from dataclasses import replace

    for folder in folders:
        manifest = checkpoint.read(folder)
        checkpoint.write(folder, replace(manifest, state={}))
        for name in STATE:
            with contextlib.suppress(FileNotFoundError):
                (folder / name).unlink()
