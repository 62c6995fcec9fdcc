"""Token-weighted means over documents: a ratio of two sums, with the error that documents (or clusters) give it.

The document is the unit, for the tokens of one text are alike. By the delta method the estimate's error is that of the
mean of y_i − R · w_i over documents (Cochran 1977, Sampling Techniques, 6.3–6.4), summed within clusters, with the
G / (G − 1) correction and Student's quantiles of G − 1 degrees of freedom (Liang & Zeger 1986, 10.1093/biomet/73.1.13).
With weights of 1 it is the plain mean. Arrays in, values out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from harness.stats.intervals import TOLERANCE
from harness.stats.signflip import sign_flip

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ratio:
    """Σy / Σw over n documents in `clusters` clusters, or a difference of two such; None where `reason` says why."""

    n: int
    clusters: int
    value: float | None
    se: float | None = None
    ci: tuple[float, float] | None = None
    reason: str | None = None


def ratio(sums: Array, weights: Array, clusters: Sequence[str], *, level: float = 0.95) -> Ratio:
    """Σ`sums` / Σ`weights` over documents (n,), each in the cluster of the same place.

    Raises ValueError on unequal lengths, on what is not finite, and on a weight below 0.
    """
    _check(clusters, sums, weights)
    total = math.fsum(weights.tolist())
    if not total:
        return Ratio(n=int(sums.size), clusters=0, value=None, reason="there is nothing to count")
    value = math.fsum(sums.tolist()) / total
    return _estimated(value, (sums - value * weights) / total, clusters, level)


def ratio_difference(
    a: tuple[Array, Array], b: tuple[Array, Array], clusters: Sequence[str], *, level: float = 0.95
) -> Ratio:
    """The ratio of `a` (sums, weights) minus that of `b`, on the same documents. Raises ValueError as `ratio`."""
    _check(clusters, *a, *b)
    totals = [math.fsum(weights.tolist()) for _, weights in (a, b)]
    if not all(totals):
        return Ratio(n=len(clusters), clusters=0, value=None, reason="there is nothing to count on both sides")
    values = [math.fsum(side[0].tolist()) / total for side, total in zip((a, b), totals, strict=True)]
    parts = [
        (sums - value * weights) / total for (sums, weights), value, total in zip((a, b), values, totals, strict=True)
    ]
    return _estimated(values[0] - values[1], parts[0] - parts[1], clusters, level)


def permuted(
    a: tuple[Array, Array], b: tuple[Array, Array], clusters: Sequence[str], rng: np.random.Generator
) -> float | None:
    """The paired permutation test of equal ratios: every cluster's two sides may as well be swapped.

    The statistic is the sum over documents of a's sum less b's, brought to a's weights: with equal weights, as two
    models with one tokenizer have, that is the difference of the ratios. None where nothing is paired.
    """
    _check(clusters, *a, *b)
    totals = [math.fsum(weights.tolist()) for _, weights in (a, b)]
    if not all(totals):
        return None
    scale = totals[0] / totals[1]
    return sign_flip(_by_cluster(a[0] - scale * b[0], clusters), rng).p_value


def _check(clusters: Sequence[str], *arrays: Array) -> None:
    if any(values.shape != (len(clusters),) for values in arrays):
        raise ValueError("every document needs its sum, its weight and its cluster")
    if any(not np.isfinite(values).all() for values in arrays):
        raise ValueError("a loss is not finite")
    if any((weights < 0).any() for weights in arrays[1::2]):
        raise ValueError("a weight is below 0")


def _by_cluster(values: Array, clusters: Sequence[str]) -> Array:
    names, places = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    return np.bincount(places, weights=values, minlength=names.size).astype(np.float64)


def _estimated(value: float, influence: Array, clusters: Sequence[str], level: float) -> Ratio:
    sums = _by_cluster(influence, clusters)
    count, n = int(sums.size), len(clusters)
    if count < 2:
        what = "n = 1: one document gives no interval" if n == 1 else "all documents share one cluster: no interval"
        return Ratio(n=n, clusters=count, value=value, reason=what)
    se = math.sqrt(float(sums @ sums) * count / (count - 1))
    if se <= TOLERANCE:
        reason = "all documents are alike: a spread of 0 is no certainty"
        return Ratio(n=n, clusters=count, value=value, se=0.0, reason=reason)
    half = float(stdtrit(count - 1, (1 + level) / 2)) * se
    return Ratio(n=n, clusters=count, value=value, se=se, ci=(value - half, value + half))
