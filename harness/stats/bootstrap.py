"""Resampled means, and the intervals read from them: a cross-check on formulas, never the only word.

Prompts are drawn with replacement. Where scores take few values, what is drawn is how often each value occurs: the same
distribution, at the price of the values instead of the prompts.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from harness.stats.intervals import TOLERANCE

Array = NDArray[np.float64]
RESAMPLES = 10_000
# Drawing the count of a value costs about as much as drawing this many prompts.
_COST = 30
# Draws at a time: few enough to stay in a processor's cache.
_CHUNK = 50_000


def resampled_means(values: Array, rng: np.random.Generator, resamples: int = RESAMPLES) -> Array:
    """Means (resamples,) of samples of n, drawn with replacement from `values` (n,), n ≥ 1.

    Raises ValueError where there are no values, or one is not finite.
    """
    if not values.size or not np.isfinite(values).all():
        raise ValueError("resampling needs at least one value, all finite")
    # Sorted: which values there are decides, not the order they come in.
    distinct, counts = np.unique(values, return_counts=True)
    if distinct.size * _COST <= values.size:
        drawn = rng.multinomial(values.size, counts / values.size, size=resamples)
        return np.asarray(drawn @ distinct / values.size)
    ordered = np.sort(values)
    means = np.empty(resamples)
    rows = max(1, _CHUNK // values.size)
    for start in range(0, resamples, rows):
        stop = min(resamples, start + rows)
        places = rng.integers(0, values.size, size=(stop - start, values.size))
        means[start:stop] = ordered.take(places).mean(axis=1)
    return means


def bca_interval(values: Array, means: Array, level: float = 0.95) -> tuple[float, float] | None:
    """The bias-corrected and accelerated interval of the mean of `values` (n,) from its resampled `means`.

    Efron 1987, 10.2307/2289144; the acceleration by the jackknife, which for a mean is a sixth of the third moment
    over the second to 3/2. None where fewer than two values, or where all are equal.
    """
    if values.size < 2 or float(np.ptp(values)) <= TOLERANCE:
        return None
    mean = math.fsum(values.tolist()) / values.size
    # Half of the ties count: on a lattice many resampled means are the mean itself.
    share = (np.count_nonzero(means < mean) + np.count_nonzero(means <= mean)) / (2 * means.size)
    if not 0 < share < 1:
        return None
    bias = float(ndtri(share))
    centred = values - mean
    acceleration = float((centred**3).sum()) / (6 * float((centred**2).sum()) ** 1.5)
    tails = [bias + float(ndtri(tail)) for tail in ((1 - level) / 2, (1 + level) / 2)]
    places = [float(ndtr(bias + z / (1 - acceleration * z))) for z in tails]
    low, high = np.quantile(means, places)
    return float(low), float(high)
