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


def losses(checkpoint: Path | None, made: Manifest | None, step: int) -> Losses:
    """What is known of a checkpoint's losses at its step: of the history in its folder or its training's, else of its
    manifest.
    """
    if checkpoint is None:
        return Losses()
    places = [checkpoint, *([checkpoint.parent] if SAVED.fullmatch(checkpoint.name) else [])]
    found = next((at(rows, step) for place in places if (rows := read(place / HISTORY))), Losses())
    figures = made.metrics if made is not None else {}
    kept = found.training is not None
    return Losses(
        training=found.training if kept else _figure(figures, "loss"),
        validation=found.validation if found.validation is not None else _figure(figures, "validation_loss"),
        logged=found.logged if kept else step,
    )


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
