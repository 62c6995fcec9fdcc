"""What a matrix may take, before it is run: time and memory a cell, from sizes, texts and this machine's speed.

A forward pass takes 2 operations a parameter and token, training 6 (Kaplan et al. 2020, arXiv:2001.08361); the speed is
that of a matrix product measured here, of which real models reach a share. A cell, a step of training and an item cost
something whatever the size, which is most of what small models take. Weights are counted in float32, trained ones
four times (weights, gradients, Adam's two moments). Right to a factor of about three; a cell whose size is not known
before its model is there has none, nor has one whose items are on the hub and not on this machine: a dry run downloads
nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.checkpoints.files import tensors
from harness.errors import InputError
from harness.matrix.suite import HEADED, TRAINED, Cell, MatrixSuite
from harness.matrix.watch import duration
from harness.matrix.written import encoder_recipe
from harness.report.columns import WIDTH, table, wrap
from harness.report.numerals import DASH, listed, plural, storage
from harness.tasks.load import load as load_task
from harness.tasks.values import Item, Task

SHARE = 0.3
# Seconds that opening a model, a step of training and an item take beside their arithmetic, on two cores.
CELL, STEP, ITEM = 2.0, 0.1, 0.01
BATCH = 8
BYTES = 4
CHARACTERS_A_TOKEN = 4
MARKS = 24
EPOCHS = 3.0
HEADS = ("items", "size", "weights", "time")


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """The tasks that could be looked at, and why others could not: their items are not on this machine."""

    tasks: Mapping[str, Task]
    unseen: Mapping[str, str]


def looked_at(suite: MatrixSuite) -> Look:
    """Every task whose items are here. Raises InputError with the problems of files that are."""
    tasks, unseen = {}, {}
    for name in dict.fromkeys(cell.task for cell in suite.cells()):
        own = suite.keys.tasks[name]
        try:
            tasks[name] = load_task(own.task, own.split, suite.folder, where=f"tasks.{name}", near=True)
        except InputError as error:
            if any(own.task.paths()):
                raise
            unseen[name] = str(error)
    return Look(tasks=tasks, unseen=unseen)


def rows(suite: MatrixSuite, look: Look) -> list[dict[str, Any]]:
    """A mapping a cell: model, task, mode, items, limit, parameters, seconds and bytes, None where it is not known."""
    speed = measured_speed()
    return [_row(suite, cell, look.tasks.get(cell.task), speed) for cell in suite.cells()]


def _row(suite: MatrixSuite, cell: Cell, task: Task | None, speed: float) -> dict[str, Any]:
    settings = suite.settings(cell)
    size = parameters_of(suite, cell)
    held = None if size is None else int(size * BYTES * (4 if cell.mode == "fine-tune" else 1.2))
    named = {"model": cell.model, "task": cell.task, "mode": cell.mode, "limit": settings.limit}
    if task is None:
        return {**named, "items": None, "parameters": size, "seconds": None, "bytes": held}
    items = min(len(task.test), settings.limit or len(task.test))
    shots = int(settings.method.get("shots", 0))
    # By likelihood the examples are a prefix of all questions, which is computed once.
    again = items if settings.method.get("mode") == "generation" else 1
    asked = _tokens(task.test) * (items + shots * again)
    recipe = _recipe(suite, cell, settings.recipe) if cell.mode in TRAINED else {}
    examples = _trained_on(recipe, task) if cell.mode in TRAINED else 0.0
    fixed = CELL + STEP * examples / _batch(recipe) + ITEM * items
    arithmetic = (2 * asked + 6 * _tokens(task.train) * examples) / (speed * SHARE)
    seconds = None if size is None else fixed + size * arithmetic
    return {**named, "items": items, "parameters": size, "seconds": seconds, "bytes": held}


def _recipe(suite: MatrixSuite, cell: Cell, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The recipe that a cell trains, as far as it can be read."""
    if cell.mode not in HEADED:
        return given
    try:
        return encoder_recipe(suite, cell)
    except (InputError, OSError):
        return given


def _batch(recipe: Mapping[str, Any]) -> float:
    """How many examples a step of training sees."""
    training = recipe.get("training") or {}
    return float(training.get("batch_size") or BATCH) * float(training.get("accumulation") or 1)


def _trained_on(recipe: Mapping[str, Any], task: Task) -> float:
    """How many examples training sees: its steps' where they are given, else those of its epochs."""
    training, data = recipe.get("training") or {}, recipe.get("data") or {}
    if training.get("steps"):
        return float(training["steps"]) * _batch(recipe)
    return len(task.train) * float(training.get("epochs") or EPOCHS) * float(data.get("sample_ratio") or 1.0)


def _tokens(items: Sequence[Item]) -> float:
    """Tokens of an item on average, from its characters."""
    characters = sum(sum(map(len, (*item.texts, *item.options))) for item in items)
    return MARKS + characters / CHARACTERS_A_TOKEN / max(1, len(items))


def parameters_of(suite: MatrixSuite, cell: Cell) -> int | None:
    """A model's size: as the suite says, or as its (base's) weights lie here; None where neither is known."""
    own = suite.keys.models[cell.model]
    if own.parameters is not None:
        return int(own.parameters)
    kind, _, rest = own.spec.partition("/")
    folder = suite.folder / rest.partition("+")[0]
    return counted(folder) if kind == "hf" and folder.is_dir() else None


def counted(folder: Path) -> int | None:
    """The parameters in a folder's safetensors, from their headers; None where there are none, or one is torn."""
    try:
        shapes = [value["shape"] for file in sorted(folder.glob("*.safetensors")) for value in tensors(file).values()]
    except (OSError, ValueError):
        # A run says what is wrong with them, and where.
        return None
    return int(sum(np.prod(shape) for shape in shapes)) or None


def measured_speed(products: int = 2000) -> float:
    """Operations a second of float32 matrix products on all of this machine's cores, by the fastest of many on one.

    They are so small that the library computes each on one core: on a busy machine two would wait for each other.
    """
    side = 60
    a = np.ones((side, side), dtype=np.float32)
    fastest = np.inf
    for _ in range(products):
        began = time.perf_counter()
        a @ a
        fastest = min(fastest, time.perf_counter() - began)
    return 2 * side**3 / max(fastest, 1e-9) * (os.cpu_count() or 1)


def _parameters(count: int) -> str:
    for unit, size in (("B", 10**9), ("M", 10**6), ("k", 10**3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count}"


def told(suite: MatrixSuite, cells: Sequence[Mapping[str, Any]], unseen: Mapping[str, str], width: int = WIDTH) -> str:
    """The cells for a terminal, task by task, with the sum and what could not be looked at."""
    variant = f", variant {suite.variant}" if suite.variant is not None else ""
    blocks = [wrap(f"{suite.name}{variant}: {plural(len(cells), 'cell')}", width)]
    for task in dict.fromkeys(row["task"] for row in cells):
        own = [(f"{row['model']} {row['mode']}", _cells(row)) for row in cells if row["task"] == task]
        blocks.append("\n".join(table(task, HEADS, own, width)))
    return "\n\n".join([*blocks, *(wrap(line, width) for line in _said(suite, cells, unseen))]) + "\n"


def _cells(row: Mapping[str, Any]) -> list[str]:
    items, size, seconds, held = (row[name] for name in ("items", "parameters", "seconds", "bytes"))
    most = f"≤ {row['limit']:,}" if row["limit"] else DASH
    return [
        f"{items:,}" if items is not None else most,
        _parameters(size) if size is not None else DASH,
        storage(held) if held is not None else DASH,
        f"~{duration(seconds)}" if seconds is not None else DASH,
    ]


def _said(suite: MatrixSuite, cells: Sequence[Mapping[str, Any]], unseen: Mapping[str, str]) -> Iterator[str]:
    """What the estimates come to, what they leave out, and why some are not there."""
    known = [row["seconds"] for row in cells if row["seconds"] is not None]
    if known:
        of = "In all" if len(known) == len(cells) else f"Those {plural(len(known), 'cell')} whose time is known: in all"
        yield (
            f"{of} about {duration(sum(known))} on this machine's processor (an accelerator is faster), from sizes and "
            "texts, right to a factor of about three; downloads are not counted."
        )
    if unseen:
        reasons = "; ".join(dict.fromkeys(unseen.values()))
        yield (
            f"The data of {listed(list(unseen))} could not be looked at ({reasons}), so that items and times are not "
            "known; the run itself downloads them."
        )
    bare = list(dict.fromkeys(row["model"] for row in cells if row["parameters"] is None))
    if bare:
        yield f"The size of {listed(bare)} is not known before the model is here; give it as 'parameters'."
    made = [
        name for name, own in suite.keys.models.items() if own.family == "language" and own.spec.startswith("recipe/")
    ]
    if made:
        yield f"Building {listed(made)} by its recipe, where it is not built yet, is not counted."
    yield "`harness validate` checks templates and recipes of all cells beforehand."
