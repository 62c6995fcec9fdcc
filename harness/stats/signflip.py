"""The paired permutation test: under no difference, every prompt's difference is as likely with the other sign.

Exact where the differences are whole multiples of one step, as win rates, ratings and right or wrong are; else by
random signs. Wilcoxon's signed-rank test is the same test on ranks. Nothing here depends on the order of prompts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, ndtr

from harness.stats.intervals import TOLERANCE

Array = NDArray[np.float64]
Whole = NDArray[np.int64]
RESAMPLES = 9_999
# The most additions an exact distribution may take: well under a second.
WORK = 300_000_000
# Ranks are many sizes, and their sum is normal long before this is reached.
WORK_ON_RANKS = 20_000_000
# The finest lattice that is looked for; 5,040 is a multiple of 1 … 10.
_DENOMINATOR = 5_040
_CHUNK = 1_000_000
FEWEST_RANKS = 6
FEWEST_SIZES = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class SignFlip:
    """The two-sided p-value of the mean difference; `resamples` is None where it is exact."""

    p_value: float
    method: Literal["exact", "monte-carlo"]
    resamples: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Wilcoxon:
    """The signed-rank test over `n` differences that are not zero.

    `p_value` is None where the test does not fit, and `reason` says why.
    """

    n: int
    p_value: float | None
    method: Literal["exact", "asymptotic"] | None = None
    reason: str | None = None


def sign_flip(
    differences: Array, rng: np.random.Generator, *, resamples: int = RESAMPLES, work: int = WORK
) -> SignFlip:
    """The sign-flip permutation test of a mean of zero, on paired differences (n,).

    Exact (Fisher 1935; the distribution of the signed sum by convolution, after Pagano & Tritchler 1983,
    10.1080/01621459.1983.10477990) where the differences are multiples of a common step and that takes at most `work`
    additions. Else by `resamples` random signs, counting the observed ones among them (Phipson & Smyth 2010,
    10.2202/1544-6115.1585). For differences of −1, 0 and 1 it is exact McNemar. Its rate is exact where differences are
    symmetric under the null, as for sides that are alike; of a mean of zero with skewed differences it is approximate.
    Raises ValueError on NaN or infinity.
    """
    if not np.isfinite(differences).all():
        raise ValueError("a difference is not finite")
    moved = differences[np.abs(differences) > TOLERANCE]
    total = abs(math.fsum(moved.tolist()))
    if total <= TOLERANCE:
        return SignFlip(p_value=1.0, method="exact")
    steps = _steps(moved)
    if steps is not None and _affordable(steps, work):
        return SignFlip(p_value=_exact(steps), method="exact")
    p_value = _random(np.sort(np.abs(moved)), total, rng, resamples)
    return SignFlip(p_value=p_value, method="monte-carlo", resamples=resamples)


def _steps(differences: Array) -> Whole | None:
    """The differences as whole multiples of their greatest common step; None where there is no such step."""
    common = 1
    for size in np.unique(np.abs(differences)).tolist():
        common = math.lcm(common, Fraction(size).limit_denominator(_DENOMINATOR).denominator)
        if common > _DENOMINATOR:
            return None
    steps = np.rint(differences * common)
    if (np.abs(differences - steps / common) > TOLERANCE).any() or (steps == 0).any():
        return None
    whole: Whole = steps.astype(np.int64)
    return np.asarray(whole // np.gcd.reduce(whole))


def _affordable(steps: Whole, work: int) -> bool:
    """Whether the exact distribution takes at most `work` additions; that of a single size is written down at once."""
    sizes = np.abs(steps)
    return int(sizes.sum()) * 2 * steps.size <= work or int(np.ptp(sizes)) == 0


def _exact(steps: Whole) -> float:
    """P(|S| ≥ observed), where S sums the sizes of `steps` (none 0) with signs that are all alike likely."""
    values, counts = np.unique(np.abs(steps), return_counts=True)
    # What is drawn is how much of the whole comes out positive: S is twice that, less the whole.
    chances = np.ones(1)
    for value, count in zip(values.tolist(), counts.tolist(), strict=True):
        grown = np.zeros(chances.size + value * count)
        for place, chance in enumerate(_heads(count).tolist()):
            if chance > 0:
                grown[place * value : place * value + chances.size] += chance * chances
        chances = grown
    sums = np.abs(2 * np.arange(chances.size) - int(np.abs(steps).sum()))
    return min(1.0, math.fsum(chances[sums >= abs(int(steps.sum()))].tolist()))


def _heads(n: int) -> Array:
    """The probabilities of 0 … n heads of n fair coins."""
    heads = np.arange(n + 1)
    return np.asarray(np.exp(gammaln(n + 1) - gammaln(heads + 1) - gammaln(n - heads + 1) - n * math.log(2)))


def _random(sizes: Array, total: float, rng: np.random.Generator, resamples: int) -> float:
    """The share of random signs, the observed ones among them, whose sum is as far from 0 as `total`."""
    # Eight signs are one random byte: their sums are looked up.
    eights = np.pad(sizes, (0, -sizes.size % 8)).reshape(-1, 8)
    kept = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
    sums_of = eights @ kept.T
    groups = np.arange(eights.shape[0])
    whole, reached = float(sizes.sum()), 0
    rows = max(1, _CHUNK // groups.size)
    for start in range(0, resamples, rows):
        drawn = rng.integers(0, 256, size=(min(rows, resamples - start), groups.size))
        sums = np.abs(2 * sums_of[groups, drawn].sum(axis=1) - whole)
        reached += int(np.count_nonzero(sums >= total - TOLERANCE))
    return (reached + 1) / (resamples + 1)


def wilcoxon(differences: Array, *, work: int = WORK_ON_RANKS) -> Wilcoxon:
    """Wilcoxon's signed-rank test on paired differences (n,), zeros left out (Wilcoxon 1945, 10.2307/3001968).

    Exact, ties at their mean rank, while that takes at most `work` additions (some 200 differences); by the normal
    approximation with ties above. It does not fit where fewer than six differences are not zero (no p below 0.05
    exists), or where they take fewer than five sizes: ranks then say no more than the differences themselves.
    """
    if not np.isfinite(differences).all():
        raise ValueError("a difference is not finite")
    moved = differences[np.abs(differences) > TOLERANCE]
    n = int(moved.size)
    if n < FEWEST_RANKS:
        reason = f"only {n} differences are not zero; the signed-rank test needs {FEWEST_RANKS}"
        return Wilcoxon(n=n, p_value=None, reason=reason)
    ranks = _twice_ranks(np.abs(moved))
    sizes = int(np.unique(ranks).size)
    if sizes < FEWEST_SIZES:
        reason = f"the differences that are not zero take only {sizes} sizes; ranks say no more than they do"
        return Wilcoxon(n=n, p_value=None, reason=reason)
    signed = np.where(moved > 0, ranks, -ranks)
    if _affordable(signed, work):
        return Wilcoxon(n=n, p_value=_exact(signed), method="exact")
    z = abs(int(signed.sum())) / math.sqrt(math.fsum((ranks.astype(np.float64) ** 2).tolist()))
    return Wilcoxon(n=n, p_value=2 * float(ndtr(-z)), method="asymptotic")


def _twice_ranks(sizes: Array) -> Whole:
    """Twice the rank of every size, ties (within 1e-9 of their neighbour) at their mean rank: whole numbers."""
    order = np.argsort(sizes, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(sizes[order]) > TOLERANCE])
    ends = np.r_[starts[1:], sizes.size]
    ranks = np.empty(sizes.size, dtype=np.int64)
    # Ranks start + 1 … end have the mean (start + 1 + end) / 2.
    ranks[order] = np.repeat(starts + 1 + ends, ends - starts)
    return ranks
