"""Sampling that does not depend on the batch: every row draws from its own seeded generator.

With Gumbel noise added to the scaled log-probabilities, the arg max is a sample from them (Gumbel 1954; Maddison et
al. 2014, 1411.0030). So a prompt's sample is the same alone, in a batch, or after `resume`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any


def row_seed(*parts: object) -> int:
    """A 63-bit seed for one generation, from what identifies it."""
    digest = hashlib.sha256("|".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


class RowSampler:
    """A transformers logits processor: temperature, nucleus, then each row's own noise. Use it with greedy decoding."""

    def __init__(self, seeds: Sequence[int], temperature: float, top_p: float | None, device: str) -> None:
        import torch

        self._temperature = temperature
        self._top_p = top_p
        self._generators = [torch.Generator(device=device).manual_seed(seed) for seed in seeds]

    def keep(self, places: Sequence[int]) -> None:
        """Go on with these rows alone."""
        self._generators = [self._generators[place] for place in places]

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        import torch

        scaled = scores.float() / self._temperature
        if self._top_p is not None and self._top_p < 1:
            scaled = self._nucleus(scaled)
        noise = torch.empty_like(scaled)
        for row, generator in zip(noise, self._generators, strict=True):
            row.exponential_(generator=generator)
        return scaled - noise.clamp_min(1e-30).log()

    def _nucleus(self, scaled: Any) -> Any:
        import torch

        ordered, places = scaled.sort(dim=-1, descending=True)
        mass = ordered.softmax(dim=-1).cumsum(dim=-1)
        beyond = (mass - ordered.softmax(dim=-1)) >= self._top_p
        drop = torch.zeros_like(beyond).scatter(-1, places, beyond)
        return scaled.masked_fill(drop, float("-inf"))
