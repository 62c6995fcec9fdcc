"""Intervals and tests for prompt scores: arrays in, values out. The prompt is the unit everywhere.

Built on scipy.special alone: scipy.stats and statsmodels take longer to import than most runs take to be counted. The
tests hold every value against both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, betaincinv, ndtri, stdtrit

Method = Literal["wilson", "student", "wilson-at-constant"]
TOLERANCE = 1e-9
# Below this many prompts a result is called small, and exact intervals stand beside Wilson's.
SMALL = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class Mean:
    """The mean of n prompt scores in [0, 1]; `se` and `ci` are None where n < 2 (one prompt gives no interval).

    `method` says which interval it is: "wilson" (every score is 0 or 1), "student", or "wilson-at-constant" (all
    scores are equal: a variance of zero is not certainty, so Wilson's interval at that mean stands in).
    """

    n: int
    mean: float | None
    se: float | None
    ci: tuple[float, float] | None
    method: Method | None


def wilson(mean: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a rate in [0, 1] over n ≥ 1 trials (Wilson 1927, 10.2307/2276774)."""
    z2 = float(ndtri((1 + level) / 2)) ** 2
    centre = (mean + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * (mean * (1 - mean) + z2 / (4 * n)) / n) / (1 + z2 / n)
    # At the ends the exact value is the end itself; rounding must not print a hair less.
    low = 0.0 if mean <= 0 else max(0.0, centre - half)
    return low, 1.0 if mean >= 1 else min(1.0, centre + half)


def clopper_pearson(successes: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """The exact interval of a rate from `successes` of n ≥ 1 trials (Clopper & Pearson 1934, 10.2307/2331986)."""
    tail = (1 - level) / 2
    low = float(betaincinv(successes, n - successes + 1, tail)) if successes else 0.0
    high = float(betaincinv(successes + 1, n - successes, 1 - tail)) if successes < n else 1.0
    return low, high


def student(scores: NDArray[np.float64], level: float = 0.95) -> tuple[float, float]:
    """Student's interval of a mean, clipped to [0, 1]; needs n ≥ 2 scores."""
    half = stdtrit(scores.size - 1, (1 + level) / 2) * standard_error(scores)
    mean = float(scores.mean())
    return max(0.0, mean - float(half)), min(1.0, mean + float(half))


def standard_error(scores: NDArray[np.float64]) -> float:
    """The sample standard deviation (n − 1) over √n; needs n ≥ 2."""
    return float(scores.std(ddof=1)) / math.sqrt(scores.size)


def mean_score(scores: NDArray[np.float64], level: float = 0.95) -> Mean:
    """The mean of prompt scores in [0, 1] with its interval, chosen as `Mean.method` says.

    Raises ValueError on a score outside [0, 1] or NaN.
    """
    if scores.size and not ((scores >= 0) & (scores <= 1)).all():
        raise ValueError("a prompt score lies outside [0, 1]")
    n = int(scores.size)
    if n == 0:
        return Mean(n=0, mean=None, se=None, ci=None, method=None)
    # The exact sum: a mean of 1/2 must not come out as a hair below it.
    mean = math.fsum(scores.tolist()) / n
    if n == 1:
        return Mean(n=1, mean=mean, se=None, ci=None, method=None)
    equal = float(np.ptp(scores)) <= TOLERANCE
    se = 0.0 if equal else standard_error(scores)
    if bool(np.isin(scores, (0.0, 1.0)).all()):
        return Mean(n=n, mean=mean, se=se, ci=wilson(mean, n, level), method="wilson")
    if equal:
        return Mean(n=n, mean=mean, se=se, ci=wilson(mean, n, level), method="wilson-at-constant")
    return Mean(n=n, mean=mean, se=se, ci=student(scores, level), method="student")


def sign_test(wins: int, losses: int) -> float:
    """The exact two-sided sign test of wins against losses; 1 where there is neither (Dixon & Mood 1946)."""
    if abs(wins - losses) <= 1:
        return 1.0
    # At 1/2 the distribution is symmetric: the two-sided p-value is twice the smaller tail.
    return min(1.0, 2 * float(bdtr(min(wins, losses), wins + losses, 0.5)))


def visible_difference(sd: float, n: int, power: float = 0.8, alpha: float = 0.05) -> float:
    """The smallest difference from 1/2 that n ≥ 2 prompts show with this power: (t(1−α/2) + t(power)) · sd / √n.

    The usual two-sided approximation (Cohen 1988, ch. 2), with Student's quantiles.
    """
    quantiles = stdtrit(n - 1, 1 - alpha / 2) + stdtrit(n - 1, power)
    return float(quantiles) * sd / math.sqrt(n)
