"""Means of prompt scores that come in clusters: paraphrases of one question, turns of one talk, parts of one document.

Prompts of a cluster say less than as many independent ones. Nothing here changes a mean; it says how far to trust it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from harness.stats.intervals import TOLERANCE, wilson

Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Clustered:
    """The error of a mean over `clusters` clusters; all but the count are None where there are fewer than two.

    `p_value` is of a true mean of `against`; `design_effect` the variance against that of independent prompts. Both are
    None where the clusters do not differ.
    """

    clusters: int
    se: float | None
    ci: tuple[float, float] | None
    p_value: float | None
    design_effect: float | None


def clustered_mean(
    scores: NDArray[np.float64],
    clusters: Sequence[str],
    *,
    against: float = 0.5,
    bounds: tuple[float, float] = (0.0, 1.0),
    level: float = 0.95,
) -> Clustered:
    """Cluster-robust error of the mean of `scores` (n,), each in the cluster of the same place.

    The sandwich estimator with the G / (G − 1) correction and Student's quantiles of G − 1 degrees of freedom
    (Liang & Zeger 1986, 10.1093/biomet/73.1.13; Cameron & Miller 2015, 10.3368/jhr.50.2.317). Where the clusters do
    not differ at all the interval is Wilson's over the clusters, for no spread is not certainty. Raises ValueError
    where the lengths differ or a score is not finite.
    """
    if scores.size != len(clusters) or not np.isfinite(scores).all():
        raise ValueError("every score needs its cluster, and has to be finite")
    names, places = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    count, n = int(names.size), int(scores.size)
    if count < 2:
        return Clustered(clusters=count, se=None, ci=None, p_value=None, design_effect=None)
    mean = math.fsum(scores.tolist()) / n
    sums = np.bincount(places, weights=scores - mean, minlength=count)
    se = math.sqrt(float(sums @ sums) * count / (count - 1)) / n
    if se <= TOLERANCE:
        low, high = bounds
        ends = wilson((mean - low) / (high - low), count, level)
        ci = (low + ends[0] * (high - low), low + ends[1] * (high - low))
        return Clustered(clusters=count, se=0.0, ci=ci, p_value=None, design_effect=None)
    half = float(stdtrit(count - 1, (1 + level) / 2)) * se
    plain = float(scores.var(ddof=1)) / n
    return Clustered(
        clusters=count,
        se=se,
        ci=(max(bounds[0], mean - half), min(bounds[1], mean + half)),
        p_value=2 * float(stdtr(count - 1, -abs(mean - against) / se)),
        design_effect=se**2 / plain,
    )


def no_narrower(plain: Interval | None, rough: Interval | None) -> Interval | None:
    """The outer ends of an interval and of the one that counts clusters; None where either is not there."""
    if plain is None or rough is None:
        return None
    return min(plain[0], rough[0]), max(plain[1], rough[1])
