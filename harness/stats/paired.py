"""Two sides on the same prompts: the mean difference with its interval, and McNemar's test on right and wrong.

The permutation test is in `signflip`, sizes of effects are in `effect`, and what other prompts allow in `unpaired`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from harness.stats.clusters import Clustered, clustered_mean
from harness.stats.intervals import TOLERANCE, sign_test, standard_error

Array = NDArray[np.float64]
Method = Literal["student", "constant-bounded", "welch", "newcombe"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """A difference of means, b − a, over `n` pairs (or n prompts of both sides together).

    What cannot be estimated is None, and `reason` says why. `method` says which interval `ci` is.
    """

    n: int
    mean: float | None
    se: float | None = None
    ci: tuple[float, float] | None = None
    method: Method | None = None
    reason: str | None = None


def mean_difference(
    differences: Array, *, bounds: tuple[float, float] | None = None, level: float = 0.95
) -> Difference:
    """The mean of paired differences (n,) with Student's interval on n − 1 degrees of freedom (Student 1908).

    `bounds` is the range of a difference, where it is known. Where all differences are equal, Student's interval is a
    point, and a variance of zero is not certainty: with known `bounds` the interval is then `constant`'s, else None.
    Raises ValueError on a difference that is not finite or out of bounds.
    """
    if not np.isfinite(differences).all():
        raise ValueError("a difference is not finite")
    n = int(differences.size)
    if n == 0:
        return Difference(n=0, mean=None, reason="no prompt was scored on both sides")
    low, high = bounds if bounds is not None else (-math.inf, math.inf)
    if differences.min() < low - TOLERANCE or differences.max() > high + TOLERANCE:
        raise ValueError(f"a difference lies outside [{low:g}, {high:g}]")
    mean = math.fsum(differences.tolist()) / n
    if n == 1:
        return Difference(n=1, mean=mean, reason="n = 1: one prompt gives no interval")
    if float(np.ptp(differences)) <= TOLERANCE:
        if bounds is None:
            reason = (
                "all differences are equal, and the scale of the scores is not known: a spread of 0 is no certainty"
            )
            return Difference(n=n, mean=mean, se=0.0, reason=reason)
        return Difference(n=n, mean=mean, se=0.0, ci=constant(mean, n, bounds, level), method="constant-bounded")
    se = standard_error(differences)
    half = float(stdtrit(n - 1, (1 + level) / 2)) * se
    return Difference(n=n, mean=mean, se=se, ci=(mean - half, mean + half), method="student")


def constant(value: float, n: int, bounds: tuple[float, float], level: float = 0.95) -> tuple[float, float]:
    """An interval for a mean of which all n observations were `value`, in a known range.

    Anything else turns up with a probability of at most q = 1 − (1 − level)^(1/n), Clopper and Pearson's one-sided
    bound at 0 of n (the "rule of three"), and lies at worst at an end of the range. Conservative.
    """
    q = -math.expm1(math.log1p(-level) / n)
    return value - q * (value - bounds[0]), value + q * (bounds[1] - value)


@dataclass(frozen=True, kw_only=True, slots=True)
class McNemar:
    """Prompts that are right on one side alone, and the two-sided p-values: exact, and mid-p."""

    only_a: int
    only_b: int
    p_value: float
    p_value_mid: float


def mcnemar(only_a: int, only_b: int) -> McNemar:
    """McNemar's exact test (the binomial at 1/2; McNemar 1947, 10.1007/BF02295996) and its mid-p variant.

    The mid p-value is the exact one less the probability of this very split (Fagerland, Lydersen & Laake 2013,
    10.1186/1471-2288-13-91). Where no prompt is right on one side alone both are 1. Raises ValueError below 0.
    """
    if only_a < 0 or only_b < 0:
        raise ValueError("counts cannot be below 0")
    n = only_a + only_b
    exact = sign_test(only_a, only_b)
    if not n:
        return McNemar(only_a=0, only_b=0, p_value=exact, p_value_mid=1.0)
    # In one order: swapping the sides must not change the last bit.
    fewer, more = sorted((only_a, only_b))
    log_split = math.lgamma(n + 1) - math.lgamma(fewer + 1) - math.lgamma(more + 1) - n * math.log(2)
    mid = max(0.0, exact - math.exp(log_split))
    return McNemar(only_a=only_a, only_b=only_b, p_value=exact, p_value_mid=mid)


def mcnemar_of(a: Array, b: Array) -> McNemar:
    """McNemar's test of paired 0/1 arrays (n,). Raises ValueError on anything else."""
    if a.shape != b.shape or not (np.isin(a, (0, 1)).all() and np.isin(b, (0, 1)).all()):
        raise ValueError("McNemar's test needs paired values of 0 and 1")
    return mcnemar(int(np.count_nonzero(a > b)), int(np.count_nonzero(b > a)))


def clustered_difference(
    differences: Array, clusters: Sequence[str], *, bounds: tuple[float, float] | None = None, level: float = 0.95
) -> Clustered:
    """The cluster-robust error (CR1, Student's t on G − 1) of a mean of paired differences, tested against 0.

    Where `bounds` are not known and the clusters do not differ, there is no interval.
    """
    low, high = bounds if bounds is not None else (-math.inf, math.inf)
    if bounds is None:
        names, places = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
        sums = np.bincount(places, weights=differences - differences.mean(), minlength=names.size)
        if names.size >= 2 and np.abs(sums).max() <= TOLERANCE:
            return Clustered(clusters=int(names.size), se=0.0, ci=None, p_value=None, design_effect=None)
    return clustered_mean(differences, clusters, against=0.0, bounds=(low, high), level=level)
