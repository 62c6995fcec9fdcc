"""Oversampling: how often each example is drawn, and the seeded draw of a pass over the data.

An example's weight is the product over heads of its label's: with inverse frequency, how many times rarer the label is
than the most frequent one, times its multiplier, at most `cap`. A pass draws as many examples as there are, with
replacement, in proportion to the weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True)
class Oversampling:
    """Heads whose rare labels are drawn more often by frequency, multipliers by head and label, and the highest weight
    of an example.
    """

    inverse_frequency: tuple[str, ...] = ()
    multipliers: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    cap: float | None = None


def weights(labels: Mapping[str, Sequence[str]], how: Oversampling) -> NDArray[np.float64]:
    """The weight of every example (examples,), from its label under every head.

    Raises ValueError where a head is unknown, or a multiplier's label has no example.
    """
    count = len(next(iter(labels.values())))
    found = np.ones(count)
    for head in (*how.inverse_frequency, *how.multipliers):
        if head not in labels:
            raise ValueError(f"there is no head {head!r}; the heads are {', '.join(labels)}")
    for head, given in labels.items():
        names, places, counts = np.unique(np.asarray(given), return_inverse=True, return_counts=True)
        by_label = counts.max() / counts if head in how.inverse_frequency else np.ones(len(names))
        known = names.tolist()
        for label, factor in how.multipliers.get(head, {}).items():
            if label not in known:
                raise ValueError(f"the head {head!r} has no training example labelled {label!r}")
            by_label[known.index(label)] *= factor
        found *= by_label[places]
    return found if how.cap is None else np.minimum(found, how.cap)


class Drawn:
    """The order of a pass: places drawn with replacement, by weight, from the seed and the pass alone."""

    def __init__(self, weights: NDArray[np.float64], seed: int) -> None:
        self._shares, self._seed, self._epoch = weights / weights.sum(), seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Begin this pass over the data, counted from 0."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._shares)

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng((self._seed, self._epoch))
        return iter(rng.choice(len(self._shares), size=len(self._shares), p=self._shares).tolist())
