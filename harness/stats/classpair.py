"""Two models' labels for the same items: the difference of macro F1, of one class's F1 or of another figure.

Accuracy has its own paired figures (`paired`: McNemar's test, Student's interval).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from harness.stats.agreement import unit_places
from harness.stats.classerror import ADDED, Influence, Measure, Shares, f1_of, macro, rarely, shares_of
from harness.stats.classes import Confusion, confusion

Array = NDArray[np.float64]
RESAMPLES = 9_999
# Swapped items by resamples held at a time.
_CHUNK = 2_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassDifference:
    """A figure of two models on the same `n` items, b − a; `reason` says why something is None, `unsafe` as elsewhere.

    `p_value` is of the interval's own t-test; `swap_test` needs no such approximation.
    """

    n: int
    a: float | None
    b: float | None
    difference: float | None
    ci: tuple[float, float] | None = None
    se: float | None = None
    p_value: float | None = None
    reason: str | None = None
    unsafe: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The difference as reports write it; what the two sides are called is theirs to say."""
        return {
            "difference": self.difference,
            "ci": list(self.ci) if self.ci else None,
            "p_value": self.p_value,
            "reason": self.reason,
            "unsafe": self.unsafe,
        }


def f1_difference(
    gold: Sequence[str],
    a: Sequence[str | None],
    b: Sequence[str | None],
    *,
    label: str | None = None,
    clusters: Sequence[str] | None = None,
) -> ClassDifference:
    """The difference of macro F1, each over the labels in gold or its own predictions; of one `label`'s F1 where given.

    Delta method with two more items spread evenly, as in `classerror`; simulated, it holds where a paired bootstrap
    falls to 85 %. Items that are one item asked again (another seed) share a cluster. Raises ValueError where lengths
    differ, or where `label` is neither a gold label nor predicted by either.
    """
    one, two = confusion(gold, a), confusion(gold, b)
    if label is not None and label not in {*one.labels, *two.labels}:
        raise ValueError(f"the label {label!r} is neither a gold label nor predicted")
    measures = [_measure(side, label) for side in (one, two)]
    return difference(one, two, measures[0], measures[1], clusters=clusters, label=label)


def _measure(counted: Confusion, label: str | None) -> Measure:
    if label is None:
        return macro
    return f1_of(counted.labels.index(label)) if label in counted.labels else _nothing


def _nothing(shares: Shares) -> Influence:
    """The F1 of a class that a model never predicts and no item has."""
    nothing = np.zeros_like(shares.right)
    return Influence(value=0.0, a=nothing, b=np.zeros_like(shares.given), d=nothing)


def difference(
    a: Confusion,
    b: Confusion,
    measure: Measure,
    other: Measure | None = None,
    *,
    clusters: Sequence[str] | None = None,
    label: str | None = None,
) -> ClassDifference:
    """The difference of a `measure` between two models on the same items (b's measure may be an `other`)."""
    n = a.n
    if not n:
        return ClassDifference(n=0, a=None, b=None, difference=None, reason="there are no predictions")
    sides = ((a, measure), (b, other or measure))
    values = [own(shares_of(side)[0]).value for side, own in sides]
    if any(math.isnan(value) for value in values):
        shown = [None if math.isnan(value) else value for value in values]
        reason = "one side has no such figure"
        return ClassDifference(n=n, a=shown[0], b=shown[1], difference=None, reason=reason)
    units = unit_places(np.asarray(clusters, dtype=str) if clusters is not None else None, n)
    count, moved = int(units.max()) + 1, values[1] - values[0]
    if count < 2:
        reason = "n = 1: one item gives no interval" if n == 1 else "all items are in one cluster: no interval"
        return ClassDifference(n=n, a=values[0], b=values[1], difference=moved, reason=reason)
    centre, se = _error(sides, units, count)
    if se <= 0:
        reason = "there is one label alone: nothing can differ"
        return ClassDifference(n=n, a=values[0], b=values[1], difference=moved, reason=reason)
    half = float(stdtrit(count - 1, 0.975)) * se
    return ClassDifference(
        n=n,
        a=values[0],
        b=values[1],
        difference=moved,
        ci=(max(-2.0, min(moved, centre - half)), min(2.0, max(moved, centre + half))),
        se=se,
        # Of the difference that the interval is around, or the two could contradict each other.
        p_value=2 * float(stdtr(count - 1, -abs(centre) / se)),
        unsafe=_unsafe(a, b, label, count),
    )


def _error(sides: Sequence[tuple[Confusion, Measure]], units: NDArray[np.intp], count: int) -> tuple[float, float]:
    """The difference with two more items, and its standard error over `count` units."""
    n = sides[0][0].n
    weight = n / count
    found, squares, total = [], 0.0, float(n)
    for side, measure in sides:
        shares, columns, total = shares_of(side, ADDED * weight)
        own = measure(shares)
        found.append((own.value, own.of(side)))
        # The added items' predictions are taken to be independent, which is the widest they can be.
        squares += own.square(columns)
    sums = np.bincount(units, weights=found[1][1] - found[0][1])
    square = float(sums @ sums) + ADDED * weight**2 * squares
    return found[1][0] - found[0][0], math.sqrt(square * count / (count - 1)) / total


def _unsafe(a: Confusion, b: Confusion, label: str | None, units: int) -> str | None:
    """The rarest class of either side, or the one class, by the items that it is the label or a prediction of."""
    held: dict[str, int] = {}
    for side in (a, b):
        for name, count in zip(side.labels, (side.true + side.given - side.right).tolist(), strict=True):
            held[name] = max(held.get(name, 0), count)
    rarest = label if label is not None else min(held, key=lambda name: (held[name], name))
    return rarely(held[rarest], a.n, units, f"{rarest!r} is the label or prediction of")


def swap_test(
    gold: Sequence[str],
    a: Sequence[str | None],
    b: Sequence[str | None],
    rng: np.random.Generator,
    *,
    label: str | None = None,
    resamples: int = RESAMPLES,
) -> float:
    """The two-sided p-value of a difference of macro F1 (of `label`'s F1) by swapping the two predictions of items.

    Approximate randomization (Noreen 1989; Yeh 2000, 10.3115/992730.992783), the added one counted. 1 where the two
    never differ. Raises ValueError where lengths differ.
    """
    if not len(gold) == len(a) == len(b):
        raise ValueError("every gold label needs a prediction of both models")
    names = sorted({*gold, *(label for side in (a, b) for label in side if label is not None)})
    place: dict[str | None, int] = {name: index for index, name in enumerate(names)} | {None: len(names)}
    table = np.array([[place[t], place[x], place[y]] for t, x, y in zip(gold, a, b, strict=True)], dtype=np.intp)
    apart = table[table[:, 1] != table[:, 2]] if table.size else table
    if not apart.size:
        return 1.0
    k = len(names)
    kinds, counts = np.unique(apart, axis=0, return_counts=True)
    true = np.bincount(table[:, 0], minlength=k)
    base = [_marginals(table[:, 0], table[:, side], k) for side in (1, 2)]
    gains = _gains(kinds, k)
    only = None if label is None else place[label]
    seen = abs(_f1_of(*base[1], true, only) - _f1_of(*base[0], true, only))[0]
    extreme = 0
    for size in _sizes(resamples, kinds.shape[0] + 4 * k):
        swapped = rng.binomial(counts, 0.5, size=(size, counts.size)).astype(np.float64)
        right, given = swapped @ gains[0], swapped @ gains[1]
        one = _f1_of(base[0][0] + right, base[0][1] + given, true, only)
        two = _f1_of(base[1][0] - right, base[1][1] - given, true, only)
        extreme += int(np.count_nonzero(np.abs(two - one) >= seen - 1e-12))
    return (1 + extreme) / (1 + resamples)


def _marginals(gold: NDArray[np.intp], said: NDArray[np.intp], k: int) -> tuple[Array, Array]:
    """Right predictions and all predictions of every label, (1, k) each."""
    right = np.bincount(gold[gold == said], minlength=k).astype(np.float64)
    return right[None, :], np.bincount(said, minlength=k + 1)[None, :k].astype(np.float64)


def _gains(kinds: NDArray[np.intp], k: int) -> tuple[Array, Array]:
    """What a's right predictions and predictions (kinds, k) gain where one item of each kind is swapped."""
    rows = np.arange(kinds.shape[0])
    given = np.zeros((kinds.shape[0], k + 1))
    given[rows, kinds[:, 2]] += 1
    given[rows, kinds[:, 1]] -= 1
    right = np.zeros_like(given)
    right[rows, kinds[:, 0]] = given[rows, kinds[:, 0]]
    return right[:, :k], given[:, :k]


def _f1_of(right: Array, given: Array, true: NDArray[np.int64], only: int | None) -> Array:
    """Macro F1, or one class's, of every row of counts."""
    total = true + given
    f1 = np.divide(2 * right, total, out=np.zeros_like(total), where=total > 0)
    if only is not None:
        return np.asarray(f1[:, only])
    return np.asarray(f1.sum(axis=1) / np.count_nonzero(total, axis=1))


def _sizes(resamples: int, width: int) -> Iterator[int]:
    most = max(1, _CHUNK // width)
    for start in range(0, resamples, most):
        yield min(most, resamples - start)
