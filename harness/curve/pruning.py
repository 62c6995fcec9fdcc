"""The command line of `harness checkpoints prune` that keeps chosen steps of a training and removes the others."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from harness.checkpoints.shelf import training
from harness.curve.stages import SAVED


def pruning(chosen: Sequence[Path]) -> str | None:
    """The command that keeps these checkpoints of one training; None where they are of none, or nothing would go.

    A training's end is kept by prune in any case; where it is chosen itself, its step is named.
    """
    folders = {path.parent if SAVED.fullmatch(path.name) else path for path in chosen}
    if len(folders) != 1 or not (folder := folders.pop()).is_dir():
        return None
    here = training(folder)
    known = {saved.path.resolve(): saved for saved in here.saved}
    if not {path.resolve() for path in chosen} <= known.keys():
        return None
    steps = sorted({known[path.resolve()].stands_at for path in chosen})
    if all(saved.step in steps or saved.path.is_symlink() for saved in here.steps):
        return None
    return f"harness checkpoints prune {shlex.quote(str(folder))} --keep step:{','.join(map(str, steps))}"
