"""From an encoder's token states to one vector a text. Padding never counts; sums and softmax are taken in float32.

Shapes: states (batch, tokens, width), mask (batch, tokens) with 1 for tokens, pooled (batch, width). The marks that the
tokenizer puts around a text count as tokens. Imports torch: import this inside functions.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from harness.models.encoder.form import Pool

LAST = 4


def first(states: Tensor) -> Tensor:
    """The first token's state, as it stands."""
    return states[:, 0]


def last(states: Tensor, mask: Tensor) -> Tensor:
    """The last token's state of rows that are padded on the right, as it stands."""
    at = mask.long().sum(dim=1).clamp_min(1) - 1
    return states[torch.arange(len(states), device=states.device), at]


def mean(states: Tensor, mask: Tensor) -> Tensor:
    """The mean over tokens; a row without any is zero."""
    kept = mask.unsqueeze(-1).float()
    total = (states.float() * kept).sum(dim=1)
    return (total / kept.sum(dim=1).clamp_min(1.0)).to(states.dtype)


def last_layers_mean(layers: Sequence[Tensor], mask: Tensor) -> Tensor:
    """The mean over tokens of the mean of the last four layers (of all, where there are fewer)."""
    chosen = torch.stack([layer.float() for layer in layers[-LAST:]]).mean(dim=0)
    return mean(chosen, mask).to(layers[-1].dtype)


class Attention(nn.Module):
    """A weighted mean over tokens, the weights a softmax of one learned score a token."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.score = nn.Linear(width, 1)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        scores = self.score(states).squeeze(-1).float()
        # The dtype's own lowest number: minus infinity gives NaN for a row without tokens, −1e9 overflows in half.
        scores = scores.masked_fill(mask == 0, torch.finfo(scores.dtype).min)
        weights = scores.softmax(dim=-1).unsqueeze(-1)
        pooled: Tensor = (weights * states.float()).sum(dim=1)
        return pooled.to(states.dtype)


class Pooling(nn.Module):
    """One of the ways by name."""

    def __init__(self, kind: Pool, width: int) -> None:
        super().__init__()
        self.kind = kind
        self.attention = Attention(width) if kind == "attention" else None

    @property
    def needs_layers(self) -> bool:
        """Whether every layer's states are wanted, not the last one's alone."""
        return self.kind == "last4_mean"

    def forward(self, states: Tensor, mask: Tensor, layers: Sequence[Tensor] = ()) -> Tensor:
        """`layers` are the states after each layer, the embeddings left out."""
        if self.attention is not None:
            pooled: Tensor = self.attention(states, mask)
            return pooled
        if self.kind == "last4_mean":
            return last_layers_mean(layers, mask)
        if self.kind == "last":
            return last(states, mask)
        return mean(states, mask) if self.kind == "mean" else first(states)
