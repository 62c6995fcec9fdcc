"""For each of some texts, the most similar training text, where it is similar enough.

Signatures of all pairs are compared first, which takes the same time whatever the texts: banding would be faster on
unlike texts and slower by far on training data made from templates. The likeliest pairs are then decided by
their n-grams themselves, so no hash decides that two texts are near.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.leakage import grams
from harness.leakage.index import TrainingIndex

NEAR = 0.5
"""Jaccard similarity of character 4-grams from which on two texts count as near."""
LIKELIEST = 128
"""The most pairs of one text that are verified, the likeliest first."""

# Five standard errors below what a pair at NEAR shows: it is missed three times in ten million.
_EQUAL_AT_LEAST = int(grams.PERMUTATIONS * NEAR - 5 * (grams.PERMUTATIONS * NEAR * (1 - NEAR)) ** 0.5)
# One byte a pair: a block of rows stays in the processor's second-level cache.
_PAIRS = 1 << 18


@dataclass(frozen=True, kw_only=True, slots=True)
class Nearest:
    """A row of an index and how similar its text is, by all their n-grams."""

    row: int
    similarity: float


def nearest(index: TrainingIndex, forms: Sequence[str]) -> list[Nearest | None]:
    """For each normal form the most similar row, of equals the first; None where none reaches NEAR."""
    asked, rows = likely(index.signature, grams.signatures(forms, index.permutations))
    starts = np.searchsorted(asked, np.arange(len(forms) + 1))
    return [
        _verified(index, form, rows[starts[place] : starts[place + 1]].tolist()) for place, form in enumerate(forms)
    ]


def _verified(index: TrainingIndex, form: str, rows: Sequence[int]) -> Nearest | None:
    mine = grams.grams(form)
    found = [
        Nearest(row=row, similarity=grams.jaccard(mine, grams.grams(index.normal_form(row)))) for row in sorted(rows)
    ]
    best = max(found, key=lambda pair: pair.similarity, default=None)
    return best if best is not None and best.similarity >= NEAR else None


def likely(held: grams.Signatures, asked: grams.Signatures) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs whose signatures agree about as often as those of near texts: rows of `asked`, rows of `held`.

    Sorted by the asked row, the likeliest first, of equals the earlier; the LIKELIEST of each asked row.
    """
    best = np.empty((3, 0), dtype=np.intp)
    waiting = [best]
    for block in _agreeing(held, asked):
        waiting.append(block)
        # Data made from templates agree everywhere; what is waiting must not outgrow the memory.
        if sum(part.shape[1] for part in waiting) > 4 * _PAIRS:
            waiting = [_likeliest(np.concatenate(waiting, axis=1))]
    best = _likeliest(np.concatenate(waiting, axis=1))
    return best[0], best[1]


def _agreeing(held: grams.Signatures, asked: grams.Signatures) -> Iterator[NDArray[np.intp]]:
    """Asked row, held row and number of equal bytes of the pairs that agree often enough, block after block."""
    columns = np.ascontiguousarray(asked.T)
    step = max(1, _PAIRS // max(1, len(asked)))
    for start in range(0, len(held), step):
        block = np.ascontiguousarray(held[start : start + step].T)
        count = np.zeros((len(asked), block.shape[1]), dtype=np.uint8)
        equal = np.empty(count.shape, dtype=bool)
        for column, row in zip(columns, block, strict=True):
            np.equal(column[:, None], row[None, :], out=equal)
            np.add(count, equal.view(np.uint8), out=count)
        places, rows = np.nonzero(count >= _EQUAL_AT_LEAST)
        yield np.stack([places, rows + start, count[places, rows]])


def _likeliest(pairs: NDArray[np.intp]) -> NDArray[np.intp]:
    ordered = pairs[:, np.lexsort((pairs[1], -pairs[2], pairs[0]))]
    rank = np.arange(ordered.shape[1]) - np.searchsorted(ordered[0], ordered[0])
    return ordered[:, rank < LIKELIEST]
