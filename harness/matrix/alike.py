"""Whether the cells of a matrix compare: the same items of a task, the same weights of a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.errors import InputError
from harness.folder import MANIFEST, read_manifest
from harness.matrix.run import FOLDERS, RUN, standings_of
from harness.matrix.suite import TRAINED, Cell, MatrixSuite
from harness.tasks.load import load as load_task

Manifests = Mapping[Cell, Mapping[str, Any]]


def manifests(run: Path, suite: MatrixSuite) -> dict[Cell, Mapping[str, Any]]:
    """The manifests of all cells that are done. Raises InputError where one is not whole."""
    standings = standings_of(run, suite.cells())
    return {cell: _manifest(run, cell) for cell, own in standings.items() if own.state == "done"}


def check_items(run: Path, suite: MatrixSuite, cell: Cell) -> None:
    """Raise InputError where a cell would be asked other items than those of its task that are done already."""
    others = {_items(own): other for other, own in manifests(run, suite).items() if other.task == cell.task}
    if not others:
        return
    if (run / FOLDERS / cell.name / RUN / MANIFEST).exists():
        mine = _items(_manifest(run, cell))
    else:
        own = suite.keys.tasks[cell.task]
        mine = load_task(own.task, own.split, suite.folder, where=f"tasks.{cell.task}").sha256
    if {mine} != others.keys():
        other = next(found for sha256, found in others.items() if sha256 != mine)
        raise InputError(
            f"the items of {cell.task!r} have changed since {other} was run; put the files back, or start a new matrix"
        )


def differences(found: Manifests) -> Iterator[str]:
    """What is not the same in cells that are held against each other, a sentence each."""
    for task in dict.fromkeys(cell.task for cell in found):
        if len({_items(own) for cell, own in found.items() if cell.task == task}) > 1:
            yield f"the cells of {task!r} were asked different items: their figures do not compare"
    for model in dict.fromkeys(cell.model for cell in found):
        # What was trained differs by its training.
        asked = [own for cell, own in found.items() if cell.model == model and cell.mode not in TRAINED]
        if len({(own.get("fingerprints") or {}).get("candidate") for own in asked}) > 1:
            yield f"the cells of {model!r} were asked of different weights: they changed while the matrix was run"


def _manifest(run: Path, cell: Cell) -> Mapping[str, Any]:
    return read_manifest(run / FOLDERS / cell.name / RUN)


def _items(manifest: Mapping[str, Any]) -> str:
    return str((manifest.get("task") or {}).get("sha256"))
