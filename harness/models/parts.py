"""How rows that are sorted by length fall into batches with the least padding for the fewest batches. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def parts(lengths: Sequence[int], *, most: int, tokens: int, each: int) -> list[int]:
    """How many rows every batch takes, in order, so that tokens with padding, and `each` more a batch, are fewest.

    `lengths` fall. A batch has at most `most` rows and `tokens` tokens with padding; one row always fits. Exact: the
    best way to part the first n rows ends in some batch after the best way to part those before it (Bellman 1957).
    """
    longest = np.asarray(lengths, dtype=np.int64)
    best, taken = np.zeros(len(lengths) + 1, dtype=np.int64), [0]
    for end in range(1, len(lengths) + 1):
        first = max(0, end - most)
        rows = np.arange(end - first, 0, -1)
        padded = rows * longest[first:end]
        costs = np.where((padded <= tokens) | (rows == 1), best[first:end] + padded + each, np.iinfo(np.int64).max)
        # Of equal ones the first is the largest batch.
        at = int(np.argmin(costs))
        best[end] = costs[at]
        taken.append(int(rows[at]))
    found, end = [], len(lengths)
    while end:
        found.append(taken[end])
        end -= taken[end]
    return found[::-1]
