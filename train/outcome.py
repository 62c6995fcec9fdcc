"""What a training run says of itself when its weights are saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Trained:
    """Steps done and planned, examples used and passes over them, the losses logged by step, the device it ran on."""

    steps: int
    planned: int
    examples: int
    epochs: float
    history: tuple[Mapping[str, float], ...]
    device: str
