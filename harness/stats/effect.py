"""How large a difference is, on scales that do not depend on n."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from harness.stats.intervals import TOLERANCE


def cohens_h(rate_a: float, rate_b: float) -> float:
    """The effect size h of two rates in [0, 1], b against a: 2·asin√b − 2·asin√a (Cohen 1988, ch. 6).

    Raises ValueError on a rate outside [0, 1].
    """
    if not (0 <= rate_a <= 1 and 0 <= rate_b <= 1):
        raise ValueError(f"a rate lies in [0, 1], found {rate_a:g} and {rate_b:g}")
    return 2 * math.asin(math.sqrt(rate_b)) - 2 * math.asin(math.sqrt(rate_a))


def cohens_dz(differences: NDArray[np.float64]) -> float | None:
    """Cohen's d of paired differences (d_z: their mean over their standard deviation; Cohen 1988, ch. 2).

    None where fewer than two, or where all are equal: there is no spread to measure by.
    """
    if differences.size < 2 or float(np.ptp(differences)) <= TOLERANCE:
        return None
    return math.fsum(differences.tolist()) / differences.size / float(differences.std(ddof=1))


def cohens_d(a: NDArray[np.float64], b: NDArray[np.float64]) -> float | None:
    """Cohen's d of two independent samples, b against a: difference of means over the pooled standard deviation.

    None where a side has fewer than two scores, or neither varies.
    """
    if a.size < 2 or b.size < 2 or max(float(np.ptp(a)), float(np.ptp(b))) <= TOLERANCE:
        return None
    pooled = ((a.size - 1) * float(a.var(ddof=1)) + (b.size - 1) * float(b.var(ddof=1))) / (a.size + b.size - 2)
    return (math.fsum(b.tolist()) / b.size - math.fsum(a.tolist()) / a.size) / math.sqrt(pooled)
