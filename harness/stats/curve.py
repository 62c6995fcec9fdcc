"""Scores of one training's steps on the same prompts: each step, the best with what looking at all costs, and gains.

The best of many looks better than it is, and some other step always looks worse than the best. All differences of two
steps are tested at once against the largest studentised one (max-T with step-down; Romano & Wolf 2005,
10.1198/016214504000000539); a step is told from the best where that pair is. How large it grows by chance is drawn by a
wild bootstrap over prompts (every prompt's deviations keep or change their sign together; Davidson & Flachaire 2008,
10.1016/j.jeconom.2008.08.003): drawing prompts with replacement called equal steps different in 7–9 % of trials at 20
and 30 prompts, this in 4–6 %. The best's own interval holds for all steps at once, whichever was picked. Prompts that
share a cluster keep or change their sign together too, and errors are those of clusters (see `by_cluster`). It refuses
missing scores.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from harness.stats.intervals import TOLERANCE, wilson

Floats = NDArray[np.float64]
Interval = tuple[float, float]
BLOCK = 2_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One step's mean; `se` and `ci` (Student's, for this step alone) are None where they cannot be told.

    `ci_all` holds for all steps at once with its level: it is the one to show of a step that was picked.
    """

    mean: float
    se: float | None
    ci: Interval | None
    ci_all: Interval | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Gain:
    """What a later step has over an earlier one, prompt by prompt; places in the curve.

    `p_value` is the paired t-test's for this pair alone, `p_adjusted` allows for all pairs; `ci` holds for all pairs
    at once. A difference that is the same on all n prompts has the sign test's 2^(1 − n), times the number of pairs.
    """

    earlier: int
    later: int
    difference: float
    ci: Interval | None
    p_value: float
    p_adjusted: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """Steps in order, the place of the best (the first of equals), and the gains of every pair.

    `best` is None where there is no prompt; `gains` is empty where there are fewer than two, with a `reason`.
    `clusters` is how many the prompts make, as many as there are prompts where none share one.
    """

    n: int
    clusters: int
    steps: tuple[Step, ...]
    best: int | None
    gains: tuple[Gain, ...]
    alpha: float
    reason: str | None = None

    def alike(self, step: int) -> tuple[int, ...]:
        """The other steps that cannot be told from this one; all of them where nothing can be told."""
        pairs = [{gain.earlier, gain.later} for gain in self.gains if gain.p_adjusted <= self.alpha]
        return tuple(other for other in range(len(self.steps)) if other != step and {step, other} not in pairs)

    @property
    def like_best(self) -> tuple[int, ...]:
        """The other steps that cannot be told from the best."""
        return self.alike(self.best) if self.best is not None else ()

    @property
    def best_ci(self) -> Interval | None:
        """The interval of the best step's score, corrected for having picked it."""
        return self.steps[self.best].ci_all if self.best is not None else None


def curve(
    scores: Floats,
    rng: np.random.Generator,
    *,
    clusters: Sequence[str] | None = None,
    bounds: Interval | None = None,
    resamples: int = 2000,
    alpha: float = 0.05,
) -> Curve:
    """The curve of `scores` (steps, prompts), every step on the same prompts in the same order.

    `clusters` names the cluster of every prompt (each its own where it is not given). `bounds` is the range of a score,
    where it has one: intervals keep to it, and a step on which all scores are equal has Wilson's (no spread is no
    certainty), without it none. Raises ValueError where the array is not of that shape, has no step, holds a score that
    is not finite or lies outside `bounds`, or a prompt has no cluster.
    """
    _check(scores, clusters, bounds)
    k, n = scores.shape
    if n == 0:
        return Curve(n=0, clusters=0, steps=(), best=None, gains=(), alpha=alpha, reason="there is no prompt")
    means = np.array([math.fsum(row) / n for row in scores.tolist()])
    best = int(np.flatnonzero(means >= means.max() - TOLERANCE)[0])
    units = scores if clusters is None else by_cluster(scores, clusters)
    count = units.shape[1]
    if count == 1:
        steps = tuple(Step(mean=float(mean), se=None, ci=None, ci_all=None) for mean in means)
        reason = "one prompt gives no interval" if n == 1 else "all prompts share one cluster, which gives no interval"
        return Curve(n=n, clusters=1, steps=steps, best=best, gains=(), alpha=alpha, reason=reason)
    moves = _moves(units, rng, resamples)
    return Curve(
        n=n,
        clusters=count,
        steps=_steps(units, means, moves, bounds, alpha),
        best=best,
        gains=_gains(units, means, moves, bounds, alpha) if k > 1 else (),
        alpha=alpha,
    )


def by_cluster(scores: Floats, clusters: Sequence[str]) -> Floats:
    """One value a cluster (steps, clusters) with the mean of `scores`, whose plain error is the cluster-robust one.

    A step's mean and G / n times what a cluster's prompts lie above it together; the error of G such values is the
    sandwich estimator's with G / (G − 1) (Liang & Zeger 1986, 10.1093/biomet/73.1.13). Where each prompt is its own
    cluster, they are the scores.
    """
    names, places = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    means = scores.mean(axis=1, keepdims=True)
    member = places[:, None] == np.arange(names.size)
    found: Floats = means + (scores - means) @ member * (names.size / scores.shape[1])
    return found


def _check(scores: Floats, clusters: Sequence[str] | None, bounds: Interval | None) -> None:
    if scores.ndim != 2 or scores.shape[0] == 0:
        raise ValueError(f"scores need the shape (steps, prompts) with one step at least, found {scores.shape}")
    if not np.isfinite(scores).all():
        raise ValueError("a score is missing or not finite; every step needs a score of every prompt")
    if clusters is not None and len(clusters) != scores.shape[1]:
        raise ValueError(f"{len(clusters)} clusters for {scores.shape[1]} prompts; every prompt needs its own")
    if bounds is not None and scores.size and (scores.min() < bounds[0] or scores.max() > bounds[1]):
        raise ValueError(f"a score lies outside {bounds}")


def _moves(scores: Floats, rng: np.random.Generator, resamples: int) -> Floats:
    """Means (resamples, steps) of the centred scores with every prompt's sign drawn anew, the same for all steps."""
    n = scores.shape[1]
    centred = (scores - scores.mean(axis=1, keepdims=True)).T
    size = max(1, BLOCK // n)
    signs = (2.0 * rng.integers(0, 2, (min(size, resamples - at), n)) - 1 for at in range(0, resamples, size))
    return np.concatenate([drawn @ centred / n for drawn in signs])


def _studentised(moves: Floats, errors: Floats, n: int) -> Floats:
    """|t| of each resample, whose own error follows from its mean: turning signs leaves the squares as they are."""
    whole = errors**2 * (n - 1)
    with np.errstate(divide="ignore"):
        found: Floats = np.abs(moves) * np.sqrt((n - 1) / np.maximum(whole - moves**2, 0.0))
    return found


def _steps(scores: Floats, means: Floats, moves: Floats, bounds: Interval | None, alpha: float) -> tuple[Step, ...]:
    n = scores.shape[1]
    errors = scores.std(axis=1, ddof=1) / math.sqrt(n)
    varies = errors > TOLERANCE
    largest = _studentised(moves[:, varies], errors[varies], n).max(axis=1, initial=0.0)
    alone, together = float(stdtrit(n - 1, 1 - alpha / 2)), _quantile(largest, alpha)
    steps = []
    ends: list[Interval | None]
    for mean, error, spread in zip(means.tolist(), errors.tolist(), varies.tolist(), strict=True):
        ends = [_around(mean, times * error, bounds) for times in (alone, together)]
        if not spread:
            ends = [_constant(mean, n, bounds, level) for level in (1 - alpha, 1 - alpha / len(means))]
        steps.append(Step(mean=mean, se=error if spread else 0.0, ci=ends[0], ci_all=ends[1]))
    return tuple(steps)


def _gains(scores: Floats, means: Floats, moves: Floats, bounds: Interval | None, alpha: float) -> tuple[Gain, ...]:
    """Every pair of steps: single tests, and step-down p-values that allow for all of them."""
    k, n = scores.shape
    earlier, later = np.triu_indices(k, 1)
    differences = means[later] - means[earlier]
    covered = np.cov(scores)
    spread = np.diag(covered)[later] + np.diag(covered)[earlier] - 2 * covered[later, earlier]
    errors = np.sqrt(np.maximum(spread, 0) / n)
    varies = errors > TOLERANCE
    errors = np.where(varies, errors, 1.0)
    seen = np.where(varies, np.abs(differences) / errors, 0.0)
    drawn = np.where(varies, _studentised(moves[:, later] - moves[:, earlier], errors, n), 0.0)
    single = 2 * stdtr(n - 1, -seen)
    together = _quantile(drawn.max(axis=1), alpha)
    adjusted = np.maximum(_stepped_down(seen, drawn), single)
    # The same on every prompt: nothing to studentise. Each prompt is a coin that fell on one side.
    fixed = ~varies & (np.abs(differences) > TOLERANCE)
    single[fixed], adjusted[fixed] = 2.0 ** (1 - n), min(1.0, len(seen) * 2.0 ** (1 - n))
    limits = (bounds[0] - bounds[1], bounds[1] - bounds[0]) if bounds is not None else None
    return tuple(
        Gain(
            earlier=int(earlier[p]),
            later=int(later[p]),
            difference=float(differences[p]),
            ci=_around(float(differences[p]), together * float(errors[p]), limits) if varies[p] else None,
            p_value=float(single[p]),
            p_adjusted=float(adjusted[p]),
        )
        for p in range(len(seen))
    )


def _stepped_down(seen: Floats, drawn: Floats) -> Floats:
    """Adjusted p-values (pairs,): each pair against the largest of those that are no larger than it (Romano & Wolf).

    Overwrites `drawn` (resamples, pairs).
    """
    order = np.argsort(seen)
    successive = np.maximum.accumulate(drawn[:, order], axis=1, out=drawn)
    found = ((successive >= seen[order] - TOLERANCE).sum(axis=0) + 1) / (len(drawn) + 1)
    adjusted: Floats = np.empty_like(found)
    adjusted[order] = np.maximum.accumulate(found[::-1])[::-1]
    return adjusted


def _quantile(largest: Floats, alpha: float) -> float:
    # No interpolation: from few prompts the largest may be infinite.
    return float(np.quantile(largest, 1 - alpha, method="higher"))


def _around(mean: float, half: float, bounds: Interval | None) -> Interval | None:
    """The interval within the scores' range; None where it has no end on either side."""
    if bounds is None:
        return (mean - half, mean + half) if math.isfinite(half) else None
    return max(bounds[0], mean - half), min(bounds[1], mean + half)


def _constant(mean: float, n: int, bounds: Interval | None, level: float) -> Interval | None:
    """Wilson's interval, on the scores' range, of a step on which all scores are equal."""
    if bounds is None:
        return None
    low, width = bounds[0], bounds[1] - bounds[0]
    ends = wilson((mean - low) / width, n, level)
    return low + width * ends[0], low + width * ends[1]
