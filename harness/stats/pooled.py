"""The mean of several groups' means, each group counting alike whatever its size: tasks of a matrix, say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from harness.stats.intervals import TOLERANCE
from harness.stats.paired import constant

Array = NDArray[np.float64]
LEVEL = 0.95


@dataclass(frozen=True, kw_only=True, slots=True)
class Pooled:
    """The mean over groups of their means, of `n` values in all; what cannot be estimated is None, `reason` says why.

    `freedom` are Welch's and Satterthwaite's degrees of freedom of `se`.
    """

    n: int
    groups: int
    mean: float | None
    se: float | None = None
    freedom: float | None = None
    ci: tuple[float, float] | None = None
    reason: str | None = None

    def p_value(self, null: float = 0.0) -> float | None:
        """Student's two-sided test of the mean against `null`; None where there is no standard error."""
        if self.mean is None or self.se is None or self.freedom is None:
            return None
        return float(2 * stdtr(self.freedom, -abs(self.mean - null) / self.se))


def mean_over_groups(groups: Sequence[Array], bounds: tuple[float, float], level: float = LEVEL) -> Pooled:
    """The mean of the groups' means with Student's interval (Satterthwaite 1946, 10.2307/3002019).

    With one group this is Student's own. A group all of whose values are equal has no spread, and that is no certainty:
    it gets the standard error whose interval is as wide as `paired.constant`'s. Raises ValueError on a value that is
    not finite or out of `bounds`.
    """
    low, high = bounds
    n = sum(int(group.size) for group in groups)
    for group in groups:
        if not np.isfinite(group).all() or (
            group.size and (group.min() < low - TOLERANCE or group.max() > high + TOLERANCE)
        ):
            raise ValueError(f"a value is not finite, or lies outside [{low:g}, {high:g}]")
    if not groups or any(group.size == 0 for group in groups):
        return Pooled(n=n, groups=len(groups), mean=None, reason="a group holds nothing")
    mean = math.fsum(float(group.mean()) for group in groups) / len(groups)
    if any(group.size == 1 for group in groups):
        return Pooled(n=n, groups=len(groups), mean=mean, reason="n = 1: one item of a group gives no interval")
    squares = [_square(group, bounds, level) / len(groups) ** 2 for group in groups]
    total = math.fsum(squares)
    freedom = total**2 / math.fsum(square**2 / (group.size - 1) for square, group in zip(squares, groups, strict=True))
    se = math.sqrt(total)
    half = float(stdtrit(freedom, (1 + level) / 2)) * se
    return Pooled(
        n=n,
        groups=len(groups),
        mean=mean,
        se=se,
        freedom=freedom,
        ci=(max(low, mean - half), min(high, mean + half)),
    )


def _square(group: Array, bounds: tuple[float, float], level: float) -> float:
    """The squared standard error of a group's mean."""
    if float(np.ptp(group)) > TOLERANCE:
        return float(group.var(ddof=1)) / group.size
    low, high = constant(float(group[0]), int(group.size), bounds, level)
    t = float(stdtrit(group.size - 1, (1 + level) / 2))
    return ((high - low) / 2 / t) ** 2
