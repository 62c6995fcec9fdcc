"""Finds checkpoints: the trainings in a folder, each with its finished weights and its saved steps.

A folder without a manifest of ours is no checkpoint; a broken manifest is a problem of its folder and hides no other.
Nothing here writes: whether a training runs is asked of the kernel's lock, which is let go of at once.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness import checkpoint
from harness.checkpoint import Manifest
from harness.errors import InputError, Problem

_STEP = re.compile(r"checkpoint-(\d+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Saved:
    """A checkpoint on disk: its folder and manifest; `step` is None where it is a training's end."""

    path: Path
    manifest: Manifest
    step: int | None = None

    @property
    def stands_at(self) -> int:
        """The step that its weights are of."""
        put_back = self.manifest.weights_step
        return self.step if self.step is not None else self.manifest.steps_done if put_back is None else put_back


@dataclass(frozen=True, kw_only=True, slots=True)
class Training:
    """A training's folder: its end (None while it has none), its saved steps in order, and what cannot be read.

    `torn` are step folders without a manifest: a save that was interrupted, or one that is under way.
    """

    path: Path
    end: Saved | None
    steps: tuple[Saved, ...] = ()
    torn: tuple[Path, ...] = ()
    problems: tuple[Problem, ...] = ()
    running: bool = False

    @property
    def saved(self) -> tuple[Saved, ...]:
        """Every whole checkpoint of it, the end first."""
        return (*([self.end] if self.end else []), *self.steps)

    @property
    def is_any(self) -> bool:
        """Whether this is a training's folder at all."""
        return bool(self.saved or self.torn or self.problems or self.running)


def trainings(folder: Path) -> tuple[Training, ...]:
    """The trainings in a folder, by name; or the one that the folder itself is.

    Raises InputError where there is no such folder.
    """
    if not folder.is_dir():
        raise InputError([Problem(path=str(folder), what="there is no such folder of checkpoints; check the path")])
    own = training(folder)
    if own.end is not None or any(problem.path == str(folder / checkpoint.MANIFEST) for problem in own.problems):
        return (own,)
    places = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    found = tuple(one for one in map(training, places) if one.is_any)
    # A shelf may hold a folder that is named like a saved step; a training holds nothing else.
    alone = all(_STEP.fullmatch(one.path.name) for one in found)
    return (own,) if alone and (own.steps or own.problems) else found


def training(folder: Path) -> Training:
    """What lies in one training's folder."""
    problems: list[Problem] = []
    end = _saved(folder, None, problems)
    steps, torn = [], []
    for step, path in sorted(_step_folders(folder)):
        before = len(problems)
        found = _saved(path, step, problems)
        if found is not None:
            steps.append(found)
        elif len(problems) == before:
            torn.append(path)
    return Training(
        path=folder,
        end=end,
        steps=tuple(steps),
        torn=tuple(torn),
        problems=tuple(problems),
        running=is_running(folder),
    )


def whole_models(folders: Iterator[Path] | list[Path]) -> Iterator[Saved]:
    """The checkpoints in these folders that can be a base: everything that is no adapter, each once."""
    seen = set()
    for folder in folders:
        for found in (saved for one in trainings(folder) for saved in one.saved) if folder.is_dir() else ():
            if found.manifest.adapter_sha256 is None and (place := found.path.resolve()) not in seen:
                seen.add(place)
                yield found


def lock_of(folder: Path) -> Path:
    """The file whose kernel lock a training holds while it writes a folder."""
    place = folder.resolve()
    return place.parent / f".{place.name}.lock"


def is_running(folder: Path) -> bool:
    """Whether a process is training in a folder now."""
    try:
        descriptor = os.open(lock_of(folder), os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


@contextlib.contextmanager
def held(folder: Path) -> Iterator[bool]:
    """Keep every training out of a folder meanwhile; yields False, and keeps nobody out, where one is in it.

    Raises InputError where the lock cannot be taken for another reason.
    """
    try:
        descriptor = os.open(lock_of(folder), os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        what = f"cannot be locked: {error.strerror}; removing needs a folder that can be written"
        raise InputError([Problem(path=str(folder), what=what)]) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)


def _step_folders(folder: Path) -> Iterator[tuple[int, Path]]:
    # Somebody else's folder beside ours may be closed to us; it is none of our trainings then.
    with contextlib.suppress(PermissionError):
        for path in folder.iterdir():
            named = _STEP.fullmatch(path.name)
            if named and path.is_dir():
                yield int(named[1]), path


def _saved(path: Path, step: int | None, problems: list[Problem]) -> Saved | None:
    try:
        manifest = checkpoint.find(path)
    except InputError as error:
        problems += [item for item in error.problems if isinstance(item, Problem)]
        return None
    return Saved(path=path, manifest=manifest, step=step) if manifest is not None else None
