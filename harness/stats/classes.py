"""How well labels were predicted: accuracy, macro F1 and Matthews' correlation, from gold labels and predictions.

A prediction of None is no label: it is wrong, it is nobody's false alarm, and it has no class of its own in the mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True)
class Confusion:
    """Counts (k, k + 1): gold label by predicted label, the last column for no prediction. `labels` is sorted."""

    labels: tuple[str, ...]
    counts: NDArray[np.int64]

    @property
    def n(self) -> int:
        return int(self.counts.sum())


def confusion(gold: Sequence[str], predicted: Sequence[str | None]) -> Confusion:
    """The confusion counts over every label in gold or predictions. Raises ValueError where the lengths differ."""
    if len(gold) != len(predicted):
        raise ValueError(f"every gold label needs a prediction, found {len(gold)} and {len(predicted)}")
    labels = tuple(sorted({*gold, *(label for label in predicted if label is not None)}))
    place = {label: index for index, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels) + 1), dtype=np.int64)
    for true, found in zip(gold, predicted, strict=True):
        counts[place[true], len(labels) if found is None else place[found]] += 1
    return Confusion(labels=labels, counts=counts)


def accuracy(counted: Confusion) -> float | None:
    """The share of right predictions; None where there are none."""
    return int(np.trace(counted.counts)) / counted.n if counted.n else None


def macro_f1(counted: Confusion) -> float | None:
    """The mean of the F1 of every label in gold or predictions; None where there are none."""
    if not counted.n:
        return None
    right = np.diag(counted.counts)
    given, true = counted.counts[:, :-1].sum(axis=0), counted.counts.sum(axis=1)
    return float((2 * right / (given + true)).mean())


def mcc(counted: Confusion) -> float | None:
    """Matthews' correlation over any number of classes (R_K; Gorodkin 2004, 10.1016/j.compbiolchem.2004.09.006).

    No prediction is a class that is never true. None where all labels, or all predictions, are one: no correlation.
    """
    n = counted.n
    right = int(np.trace(counted.counts))
    given = counted.counts.sum(axis=0).tolist()
    true = [*counted.counts.sum(axis=1).tolist(), 0]
    covariance = right * n - sum(g * t for g, t in zip(given, true, strict=True))
    spread = (n * n - sum(g * g for g in given)) * (n * n - sum(t * t for t in true))
    return covariance / math.sqrt(spread) if spread else None
