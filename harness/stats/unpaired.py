"""Two sides on different prompts: weaker than pairs, for the prompts' own differences stand in the way."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from harness.stats.intervals import TOLERANCE, wilson
from harness.stats.paired import Difference

Array = NDArray[np.float64]


def welch(a: Array, b: Array, level: float = 0.95) -> tuple[Difference, float | None]:
    """Mean of b less mean of a, with Welch's interval and two-sided p-value (Welch 1947, 10.2307/2332510).

    Both are None, with the reason, where a side has fewer than two scores or neither side varies. Raises ValueError on
    a score that is not finite.
    """
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("a score is not finite")
    n = int(a.size + b.size)
    if not a.size or not b.size:
        return Difference(n=n, mean=None, reason="one side has no score"), None
    mean = math.fsum(b.tolist()) / b.size - math.fsum(a.tolist()) / a.size
    if a.size < 2 or b.size < 2:
        return Difference(n=n, mean=mean, reason="one side has a single score: no interval"), None
    if float(np.ptp(a)) <= TOLERANCE and float(np.ptp(b)) <= TOLERANCE:
        reason = "all scores of a side are equal on both sides: a spread of 0 is no certainty"
        return Difference(n=n, mean=mean, se=0.0, reason=reason), None
    parts = float(a.var(ddof=1)) / a.size, float(b.var(ddof=1)) / b.size
    se = math.sqrt(sum(parts))
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (a.size - 1) + parts[1] ** 2 / (b.size - 1))
    half = float(stdtrit(freedom, (1 + level) / 2)) * se
    p_value = 2 * float(stdtr(freedom, -abs(mean) / se))
    return Difference(n=n, mean=mean, se=se, ci=(mean - half, mean + half), method="welch"), p_value


def newcombe(right_a: int, n_a: int, right_b: int, n_b: int, level: float = 0.95) -> tuple[float, float]:
    """The interval of the difference b − a of two independent rates, from Wilson's of each.

    Newcombe 1998, method 10, 10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I. Needs n ≥ 1 on both.
    """
    p_a, p_b = right_a / n_a, right_b / n_b
    (low_a, high_a), (low_b, high_b) = wilson(p_a, n_a, level), wilson(p_b, n_b, level)
    difference = p_b - p_a
    return (
        difference - math.hypot(p_b - low_b, high_a - p_a),
        difference + math.hypot(high_b - p_b, p_a - low_a),
    )


def rates(a: Array, b: Array, level: float = 0.95) -> tuple[Difference, float | None]:
    """The difference b − a of two independent 0/1 arrays: Newcombe's interval and Fisher's exact p-value (1935).

    Raises ValueError on anything but 0 and 1.
    """
    if not (np.isin(a, (0, 1)).all() and np.isin(b, (0, 1)).all()):
        raise ValueError("rates are made of 0 and 1")
    n_a, n_b = int(a.size), int(b.size)
    if not n_a or not n_b:
        return Difference(n=n_a + n_b, mean=None, reason="one side has no score"), None
    from scipy.stats import fisher_exact

    right_a, right_b = int(a.sum()), int(b.sum())
    found = Difference(
        n=n_a + n_b,
        mean=right_b / n_b - right_a / n_a,
        se=math.sqrt(sum(p * (1 - p) / n for p, n in ((right_a / n_a, n_a), (right_b / n_b, n_b)))),
        ci=newcombe(right_a, n_a, right_b, n_b, level),
        method="newcombe",
    )
    table = [[right_a, n_a - right_a], [right_b, n_b - right_b]]
    return found, min(1.0, float(fisher_exact(table).pvalue))
