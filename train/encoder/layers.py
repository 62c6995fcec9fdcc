"""Learning rates by depth: the encoder's layers slower towards the embeddings, the heads faster.

With n layers, the last has the recipe's rate, each one below `decay` times that of the one above it, and the embeddings
decayⁿ of it. Pooling and heads have `head` times the rate. What belongs to no layer (a final norm, say) has the last
layer's rate. Biases and norms are not decayed by weight.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from harness.models.encoder.network import ENCODER

_LAYER = re.compile(r"(?:^|\.)(?:layers?|h|blocks?)\.(\d+)\.")
# GPT-2 calls its embeddings wte and wpe, and its norms ln_1, ln_2 and ln_f.
_EMBEDDING = re.compile(r"(?:^|\.)(?:\w*embed\w*|wte|wpe|shared)\.")
_NO_DECAY = re.compile(r"(^|\.)bias$|norm|(^|\.)ln_", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """The factor from a layer to the one below it, and of the heads."""

    decay: float = 1.0
    head: float = 1.0

    @property
    def plain(self) -> bool:
        """Whether everything has the same rate."""
        return self.decay == 1.0 and self.head == 1.0


def factor(name: str, layers: int, rates: Rates) -> float:
    """What the rate of a weight is multiplied with, by its name in an `EncoderClassifier`."""
    if not name.startswith(ENCODER):
        return rates.head
    inner = name.removeprefix(ENCODER)
    found = _LAYER.search(inner)
    if found is not None:
        return math.pow(rates.decay, layers - 1 - int(found[1]))
    return math.pow(rates.decay, layers) if _EMBEDDING.search(inner) else 1.0


def groups(
    named: Iterable[tuple[str, Any]], layers: int, rates: Rates, learning_rate: float, weight_decay: float
) -> list[dict[str, Any]]:
    """Parameter groups for an optimizer, each with its rate and weight decay, every trainable weight in one of them."""
    found: dict[tuple[float, float], list[Any]] = {}
    for name, weight in named:
        if weight.requires_grad:
            decays = 0.0 if _NO_DECAY.search(name) else weight_decay
            found.setdefault((factor(name, layers, rates), decays), []).append(weight)
    return [
        {"params": weights, "lr": learning_rate * scale, "weight_decay": decays}
        for (scale, decays), weights in found.items()
    ]


def depth(names: Iterable[str]) -> int:
    """How many layers an encoder has, by the names of its weights."""
    places = [int(found[1]) for name in names if (found := _LAYER.search(name.removeprefix(ENCODER)))]
    return max(places, default=-1) + 1
