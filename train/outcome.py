"""What a training run says of itself when its weights are saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Row = Mapping[str, float]
"""A line of history.json: the step, and what was measured at it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """Where and how precisely a model is trained."""

    device: str
    precision: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Used:
    """What of the planned examples the trainer got: by source, and how many were cut or left without an answer;
    and how many examples the validation figures are over.
    """

    actual: Mapping[str, int]
    truncated: int
    dropped: int
    validation: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Passes:
    """How often the data are planned to be seen, and how many of the trainer's own epochs one pass is."""

    planned: float
    an_epoch: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Stand:
    """Where a training stands: steps and passes over the data done and planned, and the figures there.

    `weights_step` is the step that the weights are of, where that is another one; `ended` why it stopped early.
    """

    steps: int
    planned: int
    epochs: float
    epochs_planned: float
    metrics: Mapping[str, float]
    weights_step: int | None = None
    ended: str | None = None
