"""R-Drop (Liang et al. 2021, 2106.14448): two dropout passes of a batch must agree.

The loss is the mean of both passes' losses, plus α times half of KL(first ‖ second) + KL(second ‖ first), averaged over
the labelled rows (each with its class weight). A batch goes through the encoder once, doubled, which costs twice a step
and no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class RDrop:
    """α, and over how many passes over the data it grows from 0 in a line."""

    alpha: float
    warmup_epochs: float = 0.0

    def strength(self, epoch: float) -> float:
        """α after so many passes over the data."""
        if self.warmup_epochs <= 0:
            return self.alpha
        return self.alpha * min(1.0, max(0.0, epoch) / self.warmup_epochs)


def doubled(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A batch twice, one after the other."""
    return {name: torch.cat([values, values]) for name, values in inputs.items()}


def symmetric_kl(first: Tensor, second: Tensor) -> Tensor:
    """½ (KL(first ‖ second) + KL(second ‖ first)) of every row (rows,), from logits (rows, labels), in nats."""
    p, q = first.float().log_softmax(dim=-1), second.float().log_softmax(dim=-1)
    return 0.5 * ((p.exp() - q.exp()) * (p - q)).sum(dim=-1)
