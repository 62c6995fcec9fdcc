"""The losses that training wrote beside its checkpoints (history.json): read, never written.

A loss that is not there is None: nothing is made up between two rows.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.checkpoint import Manifest
from harness.curve.stages import SAVED

HISTORY = "history.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Losses:
    """Training and validation loss of a step. `logged` is the step that the training loss is of: the last that was
    logged up to it.
    """

    training: float | None = None
    validation: float | None = None
    logged: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Trail:
    """Training and validation losses by step, as many as are known."""

    training: tuple[tuple[int, float], ...] = ()
    validation: tuple[tuple[int, float], ...] = ()


def trail(checkpoints: Sequence[Path | None], known: Mapping[int, Losses]) -> Trail:
    """What was logged of a training from its first to its last known step, else what is known at the saved steps.

    `checkpoints` are those of the steps in `known`, in their order; of several trainings no history is read.
    """
    first, last = min(known), max(known)
    end = checkpoints[-1]
    rows = next((rows for place in _places(end) if (rows := read(place / HISTORY))), []) if end is not None else []
    saved = [place for place in checkpoints if place is not None and SAVED.fullmatch(place.name)]
    if len({place.parent for place in saved}) > 1 or (len(saved) < len(known) - 1):
        rows = []
    inside = [row for row in rows if first <= row["step"] <= last]

    def series(name: str, own: Mapping[int, float | None]) -> tuple[tuple[int, float], ...]:
        by_step = {int(row["step"]): value for row in inside if (value := _figure(row, name)) is not None}
        by_step |= {step: value for step, value in own.items() if value is not None and step not in by_step}
        return tuple(sorted(by_step.items()))

    return Trail(
        # A training loss that was logged elsewhere is not one of its step.
        training=series("loss", {s: own.training for s, own in known.items() if own.logged in (None, s)}),
        validation=series("validation_loss", {s: own.validation for s, own in known.items()}),
    )


def losses(checkpoint: Path | None, made: Manifest | None, step: int) -> Losses:
    """What is known of a checkpoint's losses at its step: of the history in its folder or its training's, else of its
    manifest.
    """
    if checkpoint is None:
        return Losses()
    found = next((at(rows, step) for place in _places(checkpoint) if (rows := read(place / HISTORY))), Losses())
    figures = made.metrics if made is not None else {}
    kept = found.training is not None
    return Losses(
        training=found.training if kept else _figure(figures, "loss"),
        validation=found.validation if found.validation is not None else _figure(figures, "validation_loss"),
        logged=found.logged if kept else step,
    )


def _places(checkpoint: Path) -> list[Path]:
    """Where a checkpoint's history may lie: in its folder, or its training's."""
    return [checkpoint, *([checkpoint.parent] if SAVED.fullmatch(checkpoint.name) else [])]


def at(rows: Sequence[Mapping[str, Any]], step: int) -> Losses:
    """The validation loss that was measured at a step, and the training loss that was last logged up to it."""
    up_to = [row for row in rows if _figure(row, "step") is not None and row["step"] <= step]
    trained = next((row for row in reversed(up_to) if _figure(row, "loss") is not None), None)
    here = [_figure(row, "validation_loss") for row in up_to if row["step"] == step]
    return Losses(
        training=_figure(trained, "loss") if trained is not None else None,
        validation=next((value for value in reversed(here) if value is not None), None),
        logged=int(trained["step"]) if trained is not None else None,
    )


def read(file: Path) -> list[Mapping[str, Any]]:
    """The rows of a history, by step; empty where there is none, or it is none."""
    try:
        rows = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return []
    known = [row for row in rows if isinstance(row, dict) and _figure(row, "step") is not None] if _is(rows) else []
    return sorted(known, key=lambda row: float(row["step"]))


def _is(rows: Any) -> bool:
    return isinstance(rows, list)


def _figure(row: Mapping[str, Any], name: str) -> float | None:
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
