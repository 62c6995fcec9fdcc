"""How far to trust figures over classes: intervals of a class's own figures, and of means over classes.

A class's precision, recall and F1 are shares of counted items, so that their intervals are exact. A mean over classes
has the delta method with two more items. The resampled interval was simulated beside it: where a class is rare or
nearly all is right it holds the true figure in as few as 29 % of cases, for what is not there cannot be drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from harness.stats.agreement import unit_places
from harness.stats.classes import Confusion
from harness.stats.clusters import clustered_mean, no_narrower
from harness.stats.intervals import clopper_pearson

Array = NDArray[np.float64]
Interval = tuple[float, float]
# So many items in all are added, spread evenly over the cells (Agresti & Coull 1998, 10.1080/00031305.1998.10480550).
ADDED = 2.0
# Below so many items of the rarest class no interval of a mean over classes is promised to hold.
FEW = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Shares:
    """Shares of a confusion: right (k,), gold labels (k,), predictions (k + 1,), the last of them none."""

    right: Array
    true: Array
    given: Array


@dataclass(frozen=True, kw_only=True, slots=True)
class Influence:
    """A figure's `value`, and what an item of gold label i predicted as j moves in it: a_i + b_j, + d_i where i = j."""

    value: float
    a: Array
    b: Array
    d: Array

    def of(self, counted: Confusion) -> Array:
        """The influence of every item (n,)."""
        return self.a[counted.gold] + self.b[counted.predicted] + np.where(counted.hits, self.d[counted.gold], 0.0)

    def square(self, columns: int) -> float:
        """The mean square of the influence over all cells (k, columns)."""
        a, b, d = self.a, self.b[:columns], self.d
        even = (a**2).mean() + (b**2).mean() + 2 * a.mean() * b.mean()
        return float(even + (d * (d + 2 * a + 2 * b[: a.size])).sum() / (a.size * columns))


Measure = Callable[[Shares], Influence]


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """A figure with its 95 % interval; `reason` says why one is None, `unsafe` why the interval may not hold."""

    value: float | None
    ci: Interval | None = None
    se: float | None = None
    reason: str | None = None
    unsafe: str | None = None


def macro(shares: Shares) -> Influence:
    """Macro F1: the mean over classes."""
    f1, total = _f1(shares)
    there = _there(total)
    return _of_f1(float(f1.sum()) / there, f1, _inverse(total) / there)


def weighted(shares: Shares) -> Influence:
    """F1 weighted by the share of each class, which is itself estimated."""
    f1, total = _f1(shares)
    value = float(f1 @ shares.true)
    found = _of_f1(value, f1, shares.true * _inverse(total))
    return Influence(value=value, a=found.a + f1 - value, b=found.b, d=found.d)


def micro(shares: Shares) -> Influence:
    """Micro F1, over all classes together."""
    both = 1 + float(shares.given[:-1].sum())
    value = 2 * float(shares.right.sum()) / both
    ones = np.ones_like(shares.true)
    return Influence(
        value=value, a=-value / both * ones, b=np.append(-value / both * ones, 0.0), d=np.full_like(ones, 2 / both)
    )


def balanced(shares: Shares) -> Influence:
    """Balanced accuracy: the mean recall of classes that have items."""
    there, inverse = _there(shares.true), _inverse(shares.true)
    recall, weight = shares.right * inverse, inverse / there
    value = float(recall.sum()) / there
    return Influence(value=value, a=-recall * weight, b=np.zeros_like(shares.given), d=weight)


def correlation(shares: Shares) -> Influence:
    """Matthews' correlation; a value of NaN where all labels, or all predictions, are one."""
    true, given = np.append(shares.true, 0.0), shares.given
    spread = 1 - float(true @ true), 1 - float(given @ given)
    if min(spread) <= 0:
        return Influence(value=math.nan, a=true[:-1], b=given, d=true[:-1])
    root = math.sqrt(spread[0] * spread[1])
    value = (float(shares.right.sum()) - float(true @ given)) / root
    a = -given / root + value * true / spread[0]
    b = -true / root + value * given / spread[1]
    ones = np.full_like(shares.right, 1 / root)
    centre = float(a @ true + b @ given + ones @ shares.right)
    return Influence(value=value, a=a[:-1] - centre, b=b, d=ones)


def f1_of(place: int) -> Measure:
    """The measure that is the F1 of the class at one place."""

    def measure(shares: Shares) -> Influence:
        f1, total = _f1(shares)
        one = np.zeros_like(f1)
        one[place] = _inverse(total)[place]
        return _of_f1(float(f1[place]), f1, one)

    return measure


def shares_of(counted: Confusion, added: float = 0.0) -> tuple[Shares, int, float]:
    """The shares with `added` items spread evenly over the cells; how many columns these have, and all items' weight.

    No prediction is a column only where one is missing.
    """
    k = counted.k
    columns = k + int((counted.predicted == k).any())
    total = counted.n + added
    given = np.bincount(counted.predicted, minlength=k + 1).astype(np.float64)
    given[:columns] += added / columns
    shares = Shares(
        right=np.asarray((counted.right + added / (k * columns)) / total),
        true=np.asarray((counted.true + added / k) / total),
        given=given / total,
    )
    return shares, columns, total


def estimate(counted: Confusion, measure: Measure, clusters: Sequence[str] | None = None) -> Estimate:
    """A figure over classes with its interval: the delta method with two more items, Student's quantiles, clustered.

    The interval holds the figure. Raises ValueError where there are clusters, but not one an item.
    """
    if not counted.n:
        return Estimate(value=None, reason="there are no predictions")
    value = measure(shares_of(counted)[0]).value
    if math.isnan(value):
        if (counted.predicted == counted.k).all():
            return Estimate(value=None, reason="nothing was predicted, so that nothing can correlate")
        which = "labels" if np.ptp(counted.gold) == 0 else "predictions"
        return Estimate(value=None, reason=f"all {which} are one, so that nothing can correlate with them")
    units = unit_places(np.asarray(clusters, dtype=str) if clusters is not None else None, counted.n)
    count = int(units.max()) + 1
    reason = _no_interval(counted, count)
    if reason is not None:
        return Estimate(value=value, reason=reason)
    weight = counted.n / count
    shares, columns, total = shares_of(counted, ADDED * weight)
    found = measure(shares)
    sums = np.bincount(units, weights=found.of(counted))
    square = float(sums @ sums) + ADDED * weight**2 * found.square(columns)
    se = math.sqrt(square * count / (count - 1)) / total
    half = float(stdtrit(count - 1, 0.975)) * se
    low = -1.0 if measure is correlation else 0.0
    ci = max(low, min(value, found.value - half)), min(1.0, max(value, found.value + half))
    return Estimate(value=value, ci=ci, se=se, unsafe=_unsafe(counted, measure, count))


def _no_interval(counted: Confusion, units: int) -> str | None:
    if counted.n == 1:
        return "n = 1: one item gives no interval"
    if units < 2:
        return "all items are in one cluster: no interval"
    if counted.k == 1:
        return "there is one label alone: that it is always right says nothing"
    return None


def _unsafe(counted: Confusion, measure: Measure, units: int) -> str | None:
    """Where the interval was simulated to hold the figure in fewer than 94 % of cases: where a class is rare."""
    if measure in (macro, balanced):
        held = counted.true + counted.given - counted.right
        rarest = int(held.argmin())
        return rarely(int(held[rarest]), counted.n, units, f"{counted.labels[rarest]!r} is the label or prediction of")
    if measure is correlation:
        frequent = max(int(counted.true.max()), int(counted.given.max()))
        return rarely(counted.n - frequent, counted.n, units, "the most frequent label or prediction leaves")
    return None


def rarely(count: int, n: int, units: int, what: str) -> str | None:
    """The sentence of an interval that rests on fewer than 20 units: `count` of n items, in so many units."""
    if count * units / n >= FEW:
        return None
    where = "" if units == n else f" in {units:,} clusters"
    return f"{what} only {count:,} of {n:,} items{where}, and {FEW} are needed"


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassIntervals:
    """The intervals of one class's figures; None where a figure has no denominator."""

    precision: Interval | None
    recall: Interval | None
    f1: Interval | None


def class_intervals(counted: Confusion, clusters: Sequence[str] | None = None) -> dict[str, ClassIntervals]:
    """Exact intervals (Clopper and Pearson's) of every class's precision, recall and F1.

    Of the items that are of a class or predicted as it, a share J is both, and F1 = 2J / (1 + J): an interval of that
    share is one of F1 (Lam, Gopal & Qian 2023, arXiv:2309.14621). With clusters each is widened to the clustered one.
    """
    right, true, given = (array.tolist() for array in (counted.right, counted.true, counted.given))
    found = {}
    for place, label in enumerate(counted.labels):
        hits = right[place]
        totals = given[place], true[place], true[place] + given[place] - hits
        ends = [clopper_pearson(hits, total) if total else None for total in totals]
        if clusters is not None:
            of, said = counted.gold == place, counted.predicted == place
            masks = (said, of, of | said)
            ends = [widened(own, counted.hits[mask], mask, clusters) for own, mask in zip(ends, masks, strict=True)]
        f1 = None if ends[2] is None else (_from_share(ends[2][0]), _from_share(ends[2][1]))
        found[label] = ClassIntervals(precision=ends[0], recall=ends[1], f1=f1)
    return found


def widened(
    ends: Interval | None, hits: NDArray[np.bool_], mask: NDArray[np.bool_], clusters: Sequence[str]
) -> Interval | None:
    """The interval of a share of the items of a mask (n,), no narrower than the clustered one.

    `hits` are of these items alone, `clusters` name every item's. One cluster alone tells nothing of others.
    """
    if ends is None:
        return None
    own = clustered_mean(hits.astype(np.float64), np.asarray(clusters, dtype=str)[mask].tolist()).ci
    return no_narrower(ends, own) or (0.0, 1.0)


def _from_share(share: float) -> float:
    return 2 * share / (1 + share)


def _f1(shares: Shares) -> tuple[Array, Array]:
    """F1 (k,), 0 where a class is neither label nor prediction, and its denominator."""
    total = shares.true + shares.given[:-1]
    return 2 * shares.right * _inverse(total), total


def _of_f1(value: float, f1: Array, weight: Array) -> Influence:
    """The influence of Σ c · F1, where `weight` holds c over each denominator."""
    return Influence(value=value, a=-f1 * weight, b=np.append(-f1 * weight, 0.0), d=2 * weight)


def _there(values: Array) -> int:
    return max(1, int(np.count_nonzero(values)))


def _inverse(values: Array) -> Array:
    return np.divide(1.0, values, out=np.zeros_like(values), where=values > 0)
