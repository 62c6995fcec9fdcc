"""The mean of several groups' means, each group counting alike whatever its size: tasks of a matrix, say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from harness.stats.intervals import TOLERANCE

Array = NDArray[np.float64]
Interval = tuple[float, float]
LEVEL = 0.95
# Halvings of the logarithm of a p-value: more than a double can tell apart.
_HALVINGS, _LEAST = 80, 1e-300


@dataclass(frozen=True, kw_only=True, slots=True)
class Flat:
    """A group all of whose `units` have one mean: how far `below` and `above` it its true one may lie, at the most."""

    units: int
    below: float
    above: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Pooled:
    """The mean over groups of their means, of `n` values in all; what cannot be estimated is None, `reason` says why.

    `units` are the independent ones: values, or clusters of them. `freedom` are Welch's and Satterthwaite's degrees of
    freedom of `se`, which is that of the groups that have a spread; `flat` are the others.
    """

    n: int
    units: int
    groups: int
    mean: float | None
    se: float | None = None
    freedom: float | None = None
    flat: tuple[Flat, ...] = ()
    ci: Interval | None = None
    reason: str | None = None

    def p_value(self, null: float = 0.0) -> float | None:
        """The two-sided test of the mean against `null`: one less the level at which the interval ends there.

        Student's where every group has a spread; the exact sign test's where one group alone has none and all its
        values lie at an end of what is possible. None where there is no interval.
        """
        if self.mean is None or self.ci is None:
            return None
        away = self.mean - null
        if away == 0:
            return 1.0
        if not self.flat and self.se is not None and self.freedom is not None:
            return float(2 * stdtr(self.freedom, -abs(away) / self.se))
        # Bisection by hand: the interval is monotone in its level, and its ends are no smooth function.
        low, high = math.log(_LEAST), 0.0
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            if self._reach(math.exp(middle))[0 if away > 0 else 1] > abs(away):
                low = middle
            else:
                high = middle
        return math.exp(high)

    def _reach(self, alpha: float) -> Interval:
        """How far below and above the mean an interval of level 1 − alpha reaches."""
        half = -float(stdtrit(self.freedom, alpha / 2)) * self.se if self.se and self.freedom else 0.0
        seldom = [-math.expm1(math.log(alpha / 2) / each.units) for each in self.flat]
        below, above = (
            math.fsum(q * getattr(each, side) for q, each in zip(seldom, self.flat, strict=True)) / self.groups
            for side in ("below", "above")
        )
        return half + below, half + above


def mean_over_groups(
    groups: Sequence[Array],
    bounds: Interval,
    level: float = LEVEL,
    *,
    clusters: Sequence[Sequence[str] | None] | None = None,
) -> Pooled:
    """The mean of the groups' means with Student's interval (Satterthwaite 1946, 10.2307/3002019).

    With one group this is Student's own. `clusters` name the cluster of every value of a group, None where each stands
    alone; a group's error is then the cluster-robust one (as `clusters.clustered_mean`). A group whose units are all
    equal has no spread, and that is no certainty: of n units anything else turns up with a probability of at most
    q = 1 − (α/2)^(1/n) (Clopper and Pearson at 0 of n) and lies at worst at an end of `bounds`, which widens the
    interval by as much. Raises ValueError on a value that is not finite or out of `bounds`.
    """
    low, high = bounds
    n = sum(int(group.size) for group in groups)
    for group in groups:
        if not np.isfinite(group).all() or (
            group.size and (group.min() < low - TOLERANCE or group.max() > high + TOLERANCE)
        ):
            raise ValueError(f"a value is not finite, or lies outside [{low:g}, {high:g}]")
    k = len(groups)
    if not groups or any(group.size == 0 for group in groups):
        return Pooled(n=n, units=0, groups=k, mean=None, reason="a group holds nothing")
    mean = math.fsum(float(group.mean()) for group in groups) / k
    places = [_places(group, own) for group, own in zip(groups, clusters or [None] * k, strict=True)]
    counts = [int(each.max()) + 1 for each in places]
    if any(count == 1 for count in counts):
        alone = "n = 1: one item of a group gives no interval"
        reason = alone if any(group.size == 1 for group in groups) else "all items of a group are of one cluster"
        return Pooled(n=n, units=sum(counts), groups=k, mean=mean, reason=reason)
    squares = [_square(group, own, count) for group, own, count in zip(groups, places, counts, strict=True)]
    spread = [(square / k**2, count) for square, count in zip(squares, counts, strict=True) if square]
    total = math.fsum(square for square, _ in spread)
    found = Pooled(
        n=n,
        units=sum(counts),
        groups=k,
        mean=mean,
        se=math.sqrt(total) if spread else None,
        freedom=total**2 / math.fsum(square**2 / (count - 1) for square, count in spread) if spread else None,
        flat=tuple(
            Flat(units=count, below=float(group.mean()) - low, above=high - float(group.mean()))
            for group, square, count in zip(groups, squares, counts, strict=True)
            if not square
        ),
    )
    below, above = found._reach(1 - level)
    return replace(found, ci=(max(low, mean - below), min(high, mean + above)))


def _places(group: Array, clusters: Sequence[str] | None) -> NDArray[np.intp]:
    """The unit of every value, counted from 0."""
    if clusters is None:
        return np.arange(group.size)
    if len(clusters) != group.size:
        raise ValueError("every value needs its cluster")
    return np.unique(np.asarray(clusters, dtype=str), return_inverse=True)[1]


def _square(group: Array, places: NDArray[np.intp], count: int) -> float:
    """The squared standard error of a group's mean; 0 where its units do not differ."""
    sums = np.bincount(places, weights=group - group.mean(), minlength=count)
    if float(np.abs(sums).max()) <= TOLERANCE:
        return 0.0
    return float(sums @ sums) * count / (count - 1) / group.size**2
