"""How well labels were predicted: counts by class, accuracy, F1 in its averages, Matthews' correlation.

A prediction of None is no label: it is wrong, it is nobody's false alarm, and it has no class of its own in a mean.
What has no denominator counts as 0, as scikit-learn does with zero_division=0; `ClassFigures` shows where it was done.
Their intervals are in `classerror`, two models on the same items in `classpair`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Places = NDArray[np.intp]


@dataclass(frozen=True, kw_only=True, slots=True)
class Confusion:
    """Which label was predicted for which: places in the sorted `labels` (k), one an item; k is no prediction."""

    labels: tuple[str, ...]
    gold: Places
    predicted: Places

    @property
    def n(self) -> int:
        return int(self.gold.size)

    @property
    def k(self) -> int:
        return len(self.labels)

    @property
    def counts(self) -> Counts:
        """Items (k, k + 1): gold label by predicted label, the last column for no prediction."""
        cells = np.bincount(self.gold * (self.k + 1) + self.predicted, minlength=self.k * (self.k + 1))
        return cells.reshape(self.k, self.k + 1).astype(np.int64)

    @property
    def hits(self) -> NDArray[np.bool_]:
        """Whether each item (n,) is right."""
        return np.asarray(self.gold == self.predicted)

    @property
    def right(self) -> Counts:
        """Right predictions of every label (k,)."""
        return np.bincount(self.gold[self.hits], minlength=self.k)

    @property
    def true(self) -> Counts:
        """Items of every label (k,): its support."""
        return np.bincount(self.gold, minlength=self.k)

    @property
    def given(self) -> Counts:
        """How often every label was predicted (k,)."""
        return np.bincount(self.predicted, minlength=self.k + 1)[: self.k]


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassFigures:
    """One label: `support` items of it, predicted `predicted` times, `right` of them rightly.

    Precision is 0 by convention where it was never predicted, recall where it has no item.
    """

    precision: float
    recall: float
    f1: float
    support: int
    predicted: int
    right: int


def confusion(gold: Sequence[str], predicted: Sequence[str | None]) -> Confusion:
    """The confusion over every label in gold or predictions. Raises ValueError where the lengths differ."""
    if len(gold) != len(predicted):
        raise ValueError(f"every gold label needs a prediction, found {len(gold)} and {len(predicted)}")
    labels = tuple(sorted({*gold, *(label for label in predicted if label is not None)}))
    place: dict[str | None, int] = {label: index for index, label in enumerate(labels)}
    place[None] = len(labels)
    return Confusion(
        labels=labels,
        gold=np.array([place[label] for label in gold], dtype=np.intp),
        predicted=np.array([place[label] for label in predicted], dtype=np.intp),
    )


def per_class(counted: Confusion) -> dict[str, ClassFigures]:
    """The figures of every label in gold or predictions."""
    rows = zip(counted.labels, *(a.tolist() for a in (counted.right, counted.true, counted.given)), strict=True)
    return {
        label: ClassFigures(
            precision=right / given if given else 0.0,
            recall=right / true if true else 0.0,
            f1=2 * right / (true + given),
            support=true,
            predicted=given,
            right=right,
        )
        for label, right, true, given in rows
    }


def accuracy(counted: Confusion) -> float | None:
    """The share of right predictions; None where there are none."""
    return int(counted.hits.sum()) / counted.n if counted.n else None


def macro_f1(counted: Confusion) -> float | None:
    """The mean of the F1 of every label in gold or predictions; None where there are none."""
    return float(_f1(counted).mean()) if counted.n else None


def weighted_f1(counted: Confusion) -> float | None:
    """The mean of the F1 of every label, weighted by its items; None where there are none."""
    return float(_f1(counted) @ counted.true) / counted.n if counted.n else None


def micro_f1(counted: Confusion) -> float | None:
    """F1 over all labels together: the accuracy, but where predictions are missing; None where there are no items."""
    return 2 * int(counted.hits.sum()) / (counted.n + int(counted.given.sum())) if counted.n else None


def balanced_accuracy(counted: Confusion) -> float | None:
    """The mean recall of the labels that have items (macro recall); None where there are none."""
    true = counted.true
    return float((counted.right[true > 0] / true[true > 0]).mean()) if counted.n else None


def majority(counted: Confusion) -> tuple[str, float] | None:
    """The most frequent gold label (the first by name of several) with its share: what always saying it would score."""
    if not counted.n:
        return None
    place = int(counted.true.argmax())
    return counted.labels[place], int(counted.true[place]) / counted.n


def mcc(counted: Confusion) -> float | None:
    """Matthews' correlation over any number of classes (R_K; Gorodkin 2004, 10.1016/j.compbiolchem.2004.09.006).

    No prediction is a class that is never true. None where all labels, or all predictions, are one: no correlation.
    """
    n, right = counted.n, int(counted.hits.sum())
    given = np.bincount(counted.predicted, minlength=counted.k + 1).tolist()
    true = [*counted.true.tolist(), 0]
    covariance = right * n - sum(g * t for g, t in zip(given, true, strict=True))
    spread = (n * n - sum(g * g for g in given)) * (n * n - sum(t * t for t in true))
    return covariance / math.sqrt(spread) if spread else None


def _f1(counted: Confusion) -> NDArray[np.float64]:
    return np.asarray(2 * counted.right / (counted.true + counted.given))
