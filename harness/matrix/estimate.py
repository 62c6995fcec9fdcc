"""What a matrix may take, before it is run: time and memory a cell, from sizes, texts and this machine's speed.

A forward pass takes 2 operations a parameter and token, training 6 (Kaplan et al. 2020, arXiv:2001.08361); the speed is
that of a matrix product measured here, of which real models reach a share. Weights are counted in float32, trained ones
four times (weights, gradients, Adam's two moments). Right to a factor of about three; a cell whose size is not known
before its model is there has none.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.checkpoints.files import tensors
from harness.matrix.suite import Cell, MatrixSuite
from harness.matrix.watch import duration
from harness.report.columns import WIDTH, wrap
from harness.tasks.load import load as load_task
from harness.tasks.values import Item, Task

SHARE = 0.3
BYTES = 4
CHARACTERS_A_TOKEN = 4
MARKS = 24
EPOCHS = 3.0


def rows(suite: MatrixSuite) -> list[dict[str, Any]]:
    """A mapping a cell: model, task, mode, items, parameters, seconds and bytes (None where the size is not known)."""
    speed = measured_speed()
    tasks = {
        name: load_task(own.task, own.split, suite.folder, where=f"tasks.{name}")
        for name, own in suite.keys.tasks.items()
    }
    return [_row(suite, cell, tasks[cell.task], speed) for cell in suite.cells()]


def _row(suite: MatrixSuite, cell: Cell, task: Task, speed: float) -> dict[str, Any]:
    settings = suite.settings(cell)
    items = min(len(task.test), settings.limit or len(task.test))
    size = parameters_of(suite, cell)
    shots = int(settings.method.get("shots", 0))
    asked = _tokens(task.test) * (1 + shots) * items
    trained = 0.0
    if cell.mode in ("fine-tune", "lora"):
        epochs = float(settings.recipe.get("training", {}).get("epochs", EPOCHS))
        trained = _tokens(task.train) * len(task.train) * epochs
    seconds = None if size is None else size * (2 * asked + 6 * trained) / (speed * SHARE)
    held = None if size is None else int(size * BYTES * (4 if cell.mode == "fine-tune" else 1.2))
    named = {"model": cell.model, "task": cell.task, "mode": cell.mode}
    return {**named, "items": items, "parameters": size, "seconds": seconds, "bytes": held}


def _tokens(items: Sequence[Item]) -> float:
    """Tokens of an item on average, from its characters."""
    characters = sum(sum(map(len, (*item.texts, *item.options))) for item in items)
    return MARKS + characters / CHARACTERS_A_TOKEN / max(1, len(items))


def parameters_of(suite: MatrixSuite, cell: Cell) -> int | None:
    """A model's size: as the suite says, or as its weights lie here; None where neither is known."""
    own = suite.keys.models[cell.model]
    if own.parameters is not None:
        return int(own.parameters)
    kind, _, rest = own.spec.partition("/")
    folder = suite.folder / rest
    return counted(folder) if kind == "hf" and folder.is_dir() else None


def counted(folder: Path) -> int | None:
    """The parameters in a folder's safetensors, from their headers; None where there are none."""
    shapes = [value["shape"] for file in sorted(folder.glob("*.safetensors")) for value in tensors(file).values()]
    return int(sum(np.prod(shape) for shape in shapes)) or None


def measured_speed(seconds: float = 0.2) -> float:
    """Operations a second of a float32 matrix product on this machine's processor."""
    side = 512
    a = np.ones((side, side), dtype=np.float32)
    a @ a
    began, products = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        a @ a
        products += 1
    return products * 2 * side**3 / (time.perf_counter() - began)


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{max(1, round(count / 2**20))} MiB"


def told(suite: MatrixSuite, cells: Sequence[Mapping[str, Any]], width: int = WIDTH) -> str:
    """The cells for a terminal, with the sum."""
    lines = [f"{suite.name}: {len(cells)} cells", ""]
    names = [f"{row['model']} · {row['task']} · {row['mode']}" for row in cells]
    room = max(map(len, names))
    for name, row in zip(names, cells, strict=True):
        took = "time not known" if row["seconds"] is None else f"about {duration(row['seconds'])}"
        held = "" if row["bytes"] is None else f", {_size(row['bytes'])} for the weights"
        lines.append(f"  {name:<{room}}  {row['items']:>6,} items  {took}{held}")
    known = [row["seconds"] for row in cells if row["seconds"] is not None]
    lacking = len(cells) - len(known)
    more = f"; {lacking} cells whose model is not here and whose 'parameters' are not given" if lacking else ""
    said = (
        f"In all about {duration(sum(known))}{more}. Estimates for this machine's processor from sizes and texts, "
        "right to a factor of about three; downloads are not counted."
    )
    return "\n".join([*lines, "", wrap(said, width)]) + "\n"
