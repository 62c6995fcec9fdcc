"""Intervals and tests for prompt scores: arrays in, values out. The prompt is the unit everywhere."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats as scipy_stats
from statsmodels.stats.proportion import proportion_confint

Method = Literal["wilson", "student", "wilson-at-constant"]
TOLERANCE = 1e-9


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
    low, high = proportion_confint(mean * n, n, alpha=1 - level, method="wilson")
    return max(0.0, float(low)), min(1.0, float(high))


def student(scores: NDArray[np.float64], level: float = 0.95) -> tuple[float, float]:
    """Student's interval of a mean, clipped to [0, 1]; needs n ≥ 2 scores."""
    half = scipy_stats.t.ppf((1 + level) / 2, scores.size - 1) * standard_error(scores)
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
    mean = float(scores.mean())
    if n == 1:
        return Mean(n=1, mean=mean, se=None, ci=None, method=None)
    se = standard_error(scores)
    if bool(np.isin(scores, (0.0, 1.0)).all()):
        return Mean(n=n, mean=mean, se=se, ci=wilson(mean, n, level), method="wilson")
    if float(np.ptp(scores)) <= TOLERANCE:
        return Mean(n=n, mean=mean, se=se, ci=wilson(mean, n, level), method="wilson-at-constant")
    return Mean(n=n, mean=mean, se=se, ci=student(scores, level), method="student")


def sign_test(wins: int, losses: int) -> float:
    """The exact two-sided sign test of wins against losses; 1 where there is neither (Dixon & Mood 1946)."""
    if wins + losses == 0:
        return 1.0
    return float(scipy_stats.binomtest(wins, wins + losses, 0.5).pvalue)


def visible_difference(sd: float, n: int, power: float = 0.8, alpha: float = 0.05) -> float:
    """The smallest difference from 1/2 that n ≥ 2 prompts show with this power: (t(1−α/2) + t(power)) · sd / √n.

    The usual two-sided approximation (Cohen 1988, ch. 2), with Student's quantiles.
    """
    quantiles = scipy_stats.t.ppf(1 - alpha / 2, n - 1) + scipy_stats.t.ppf(power, n - 1)
    return float(quantiles) * sd / math.sqrt(n)
