"""One-sided p-values and bounds of a mean that hold their rate where Student's do not: skewed data, rare losses.

Student's bound is the one that everybody recomputes. Alone it fails where losses are rare: differences of −1 and 0 with
a true mean of −0.1 "exceed −0.1" at n = 30 in 18 % of samples, and where nothing was lost its variance is zero and
everything exceeds. So three tests have to agree, the least sure one decides: Student's; Hall's, which takes the
skewness out; and, where few were lost, Gaffke's, which counts one more observation, at the lowest possible value, for
what was not seen. On regular data the first two are the same to within a few per cent and the third is silent.

Samples come as counts of distinct values, many at once: the simulations that show the rate run the code that decides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from harness.stats.intervals import TOLERANCE

Array = NDArray[np.float64]
# Fewer lost than FEW, or less than LITTLE in units of the greatest loss that can be: the variance does not tell how
# much more there is to lose. Both, SQUARED and SKEW are as low as the simulated rates allow (tests/bench/gate.py).
FEW = 10
LITTLE = 6.0
# The same of squares: many small losses, as of grades, are much lost and tell nothing of great ones. Where losses are
# 1/6 of the greatest or more, LITTLE asks for as much already.
SQUARED = 1.0
# The skewness of a sample is smaller than its population's, most of all where the long tail was missed.
SKEW = 1.5
_NODES = 100
# Student's statistic where nothing varies.
_FAR = 1e9
# Elements that one step of the inversion may hold at once.
_ROOM = 2_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Samples:
    """r samples of n ≥ 2 values: the distinct `values` (k,), their `counts` (r, k), and what the tests need (r,).

    `below` counts values below 0, `lost` is the sum of what they lack, `squared` that of its squares. Clustered values
    set the three themselves.
    """

    values: Array
    counts: Array
    n: int
    mean: Array
    se: Array
    skew: Array
    below: Array
    lost: Array
    squared: Array


def of_counts(
    values: Array,
    counts: Array,
    *,
    below: Array | None = None,
    lost: Array | None = None,
    squared: Array | None = None,
) -> Samples:
    """Samples of the same size from counts (r, k) of distinct values (k,)."""
    n = int(counts[0].sum())
    mean = counts @ values / n
    centred = values - mean[:, None]
    second = (counts * centred**2).sum(axis=1)
    spread = second > n * TOLERANCE**2
    sd = np.sqrt(np.where(spread, second / n, 1.0))
    third = (counts * centred**3).sum(axis=1) / n
    negative = values < -TOLERANCE
    return Samples(
        values=values,
        counts=counts,
        n=n,
        mean=mean,
        se=np.where(spread, sd / math.sqrt(n - 1), 0.0),
        skew=np.where(spread, third / sd**3, 0.0),
        below=counts[:, negative].sum(axis=1) if below is None else below,
        lost=-counts[:, negative] @ values[negative] if lost is None else lost,
        squared=counts[:, negative] @ values[negative] ** 2 if squared is None else squared,
    )


def of_values(values: Array) -> Samples:
    """One sample from its values (n,)."""
    distinct, counts = np.unique(values, return_counts=True)
    return of_counts(distinct, counts[None, :].astype(np.float64))


def of_clusters(values: Array, clusters: Sequence[str], lowest: float) -> tuple[Samples, float]:
    """Values (n,) in clusters as one value a cluster, and the lowest that a cluster's can be.

    The values are the linearised ones, mean + G/n · (sum of a cluster's deviations from the mean): Student's test of
    them is the cluster-robust one on G − 1 degrees of freedom (Liang & Zeger 1986, 10.1093/biomet/73.1.13). A cluster
    that was not seen is taken to be as large as the largest one.
    """
    _, places = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    sizes = np.bincount(places)
    share = sizes.size / values.size
    mean = math.fsum(values.tolist()) / values.size
    sums = np.bincount(places, weights=values)
    distinct, counts = np.unique(mean + share * (sums - sizes * mean), return_counts=True)
    lost = share * np.maximum(-sums, 0.0)
    samples = of_counts(
        distinct,
        counts[None, :].astype(np.float64),
        below=np.array([np.count_nonzero(sums < -TOLERANCE)], dtype=np.float64),
        lost=np.array([lost.sum()]),
        squared=np.array([(lost**2).sum()]),
    )
    return samples, mean + share * float(sizes.max()) * (lowest - mean)


def mirrored(samples: Samples) -> Samples:
    """The samples of the values' opposites; not for clustered ones, which are made anew from theirs."""
    return of_counts(-samples.values[::-1], samples.counts[:, ::-1])


def as_many(samples: Samples, n: int) -> Samples:
    """What n ≥ 2 values like these are expected to be: the same shares, a smaller error."""
    times = n / samples.n
    return replace(
        samples,
        n=n,
        counts=samples.counts * times,
        se=samples.se * math.sqrt((samples.n - 1) / (n - 1)),
        below=samples.below * times,
        lost=samples.lost * times,
        squared=samples.squared * times,
    )


def exceeds(samples: Samples, against: float, lowest: float) -> Array:
    """P-values (r,) of "the true mean is at most `against`" where a value can be as low as `lowest`.

    The largest of Student's, Hall's and, where few or little was lost, Gaffke's.
    """
    p = np.maximum(student(samples, against), hall(samples, against))
    rare = sparse(samples, lowest)
    if rare.any():
        p[rare] = np.maximum(p[rare], gaffke(samples.values, samples.counts[rare], against, lowest))
    return p


def sparse(samples: Samples, lowest: float) -> NDArray[np.bool_]:
    """Which samples lost too few, or too little, or vary too little, for that to tell what more there is to lose."""
    little = (samples.lost < -LITTLE * lowest) | (samples.squared < SQUARED * lowest**2)
    found: NDArray[np.bool_] = (samples.below < FEW) | little | (samples.se == 0)
    return found


def student(samples: Samples, against: float) -> Array:
    """Student's one-sided p-values (1908, 10.2307/2331554); where nothing varies 0 or 1, for Gaffke's to correct."""
    return _read(samples, _t(samples, against))


def hall(samples: Samples, against: float) -> Array:
    """P-values of Student's statistic after Hall's cubic transformation, which removes its skewness.

    Hall 1992, 10.1111/j.2517-6161.1992.tb01872.x; the idea is Johnson's (1978, 10.2307/2286597). Read from Student's
    distribution, and with the skewness taken `SKEW` times: both more careful than the original.
    """
    g = SKEW * samples.skew / math.sqrt(samples.n)
    t = _t(samples, against)
    return _read(samples, t + g * t**2 / 3 + g**2 * t**3 / 27 + g / 6)


def _t(samples: Samples, against: float) -> Array:
    """Student's statistic; without a spread far to the side on which the mean lies."""
    above = samples.mean - against
    spread = samples.se > 0
    t: Array = np.where(spread, above / np.where(spread, samples.se, 1.0), np.where(above > 0, _FAR, -_FAR))
    return t


def _read(samples: Samples, t: Array) -> Array:
    p: Array = stdtr(samples.n - 1, -t)
    return p


def gaffke(values: Array, counts: Array, against: float, lowest: float) -> Array:
    """P-values of Gaffke's bound for the mean of values that are at least `lowest`, for counts (r, k).

    The chance that weights drawn from a flat Dirichlet distribution, over the values and one more at `lowest`, give a
    mean of at most `against` (Gaffke 2005, "Three test statistics for a nonparametric one-sided hypothesis on the mean
    of a nonnegative variable"; Learned-Miller & Thomas 2019, arXiv 1905.06208). For values of 0 and `lowest` alone it
    is Clopper and Pearson's; against 0, for values of −1, 0 and 1, the exact sign test. Computed without drawing: the
    sum of m_j exponentials times (value − against) is at most 0 with a chance that one contour integral gives.
    """
    a = np.append(values, lowest) - against
    m = np.column_stack([counts, np.ones(len(counts))])
    step = max(1, _ROOM // (a.size * _NODES))
    return np.concatenate([_at_most_zero(a, m[start : start + step]) for start in range(0, len(m), step)])


def _at_most_zero(a: Array, m: Array) -> Array:
    """P(Σ a_j Γ(m_j) ≤ 0) for shapes m (r, k): the inversion integral along the line through the saddlepoint.

    1/(2πi) ∫ exp K(s)/(−s) ds with K(s) = −Σ m_j log(1 − s a_j), left of the pole at 0; right of it 1 less than that.
    """
    # Values that a sample does not have weigh nothing, wherever they lie.
    a = np.where(m > 0, a, 0.0)
    highest, lowest = a.max(axis=1), a.min(axis=1)
    # No weight can make the sum positive, or none negative.
    chance = np.where(highest <= 0, 1.0, 0.0)
    both = (highest > 0) & (lowest < 0)
    if not both.any():
        return chance
    a, m, left, right = a[both], m[both], 1 / lowest[both], 1 / highest[both]
    s = _saddle(a, m, left, right)
    scale = 1 / np.sqrt((m * a**2 / (1 - s[:, None] * a) ** 2).sum(axis=1))
    # The integrand has a pole at 0: the line keeps a distance from it, on the side where it is.
    away = np.where(s > 0, np.minimum(scale, right / 2), -np.minimum(scale, -left / 2))
    s = np.where(np.abs(s) < np.abs(away), away, s)
    # It falls with the power of what weighs something: a few such values need a longer way.
    reach = np.where((m * (a != 0)).sum(axis=1) < 12, 14.0, 5.0)
    u = reach[:, None] * (np.arange(_NODES) + 0.5) / _NODES
    line = s[:, None] + 1j * scale[:, None] * np.sinh(u)
    k = np.zeros(line.shape, dtype=np.complex128)
    for place in range(a.shape[1]):
        k -= m[:, place, None] * np.log(1 - line * a[:, place, None])
    integral = ((np.exp(k) / line).real * np.cosh(u)).sum(axis=1) * scale * reach / (_NODES * math.pi)
    chance[both] = np.clip(np.where(s < 0, -integral, 1 - integral), 0.0, 1.0)
    return chance


def _saddle(a: Array, m: Array, left: Array, right: Array) -> Array:
    """Where K'(s) = Σ m_j a_j / (1 − s a_j) is 0: it rises from −∞ at `left` to ∞ at `right`. All are by row."""
    for _ in range(60):
        middle = (left + right) / 2
        low = (m * a / (1 - middle[:, None] * a)).sum(axis=1) < 0
        left, right = np.where(low, middle, left), np.where(low, right, middle)
    return (left + right) / 2


def lower_bound(samples: Samples, lowest: float, alpha: float = 0.05) -> float:
    """The value that the true mean exceeds with confidence 1 − alpha, for one sample: where `exceeds` is alpha."""
    mean, se = float(samples.mean[0]), float(samples.se[0])
    q = float(stdtrit(samples.n - 1, 1 - alpha))
    bounds = [mean - se * q, mean - se * _hall_quantile(q, SKEW * float(samples.skew[0]) / math.sqrt(samples.n))]
    if sparse(samples, lowest)[0]:
        bounds.append(_gaffke_bound(samples, lowest, alpha))
    return max(lowest, min(bounds))


def _hall_quantile(q: float, g: float) -> float:
    """The t at which Hall's transformation is q."""
    if abs(g) < 1e-7:
        return q
    return 3 / g * (math.cbrt(1 + g * (q - g / 6)) - 1)


def _gaffke_bound(samples: Samples, lowest: float, alpha: float) -> float:
    from scipy.optimize import brentq

    mean = float(samples.mean[0])
    if mean - lowest <= TOLERANCE:
        return lowest

    def excess(against: float) -> float:
        return float(gaffke(samples.values, samples.counts[:1], against, lowest)[0]) - alpha

    # At the mean itself the chance is about 1/2 or more, for one more value stands at `lowest`.
    return float(brentq(excess, lowest, mean, xtol=1e-13))
