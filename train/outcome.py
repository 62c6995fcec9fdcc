"""What a training run says of itself when its weights are saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Trained:
    """Steps done and planned, passes over the data, the logged losses by step, and the device it ran on."""

    steps: int
    planned: int
    epochs: float
    history: tuple[Mapping[str, float], ...]
    device: str
