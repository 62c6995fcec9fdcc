"""How far the same question asked again lands from itself: win rates of reruns, prompts that flip, judges that waver.

Arrays in, values out. No spread that was seen is not taken for no spread: what so few repetitions could have missed is
always in the figure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, fdtrc, stdtrit

from harness.stats.clusters import clustered_mean
from harness.stats.intervals import TOLERANCE

Scores = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """How far the win rates of runs of the same prompts lie apart. All in win rates: 0.02 is two points.

    `sd` and `reach` are over the runs; `expected_sd` is what chance alone gives a run's win rate, from how much each
    prompt's score differs between the runs; `ratio` is sd over it, None where no score differs. `p_value` is that of
    runs differing by more than chance, None with one prompt or no difference. `within` bounds the difference of two
    runs.
    """

    runs: int
    prompts: int
    sd: float
    reach: float
    expected_sd: float
    ratio: float | None
    p_value: float | None
    within: float


def spread(scores: Scores) -> Spread | None:
    """The spread of the runs' means; None with fewer than two runs or without a prompt.

    `scores` has the shape (runs, prompts), in [0, 1]. With s² the variance of a prompt's score over the runs,
    `expected_sd` is sqrt(mean(s²) / prompts). The p-value is the F test of runs in the two-way layout runs × prompts
    (Fisher 1925, ch. 7): the chi-square test of (runs − 1) · ratio² in its small-sample form, for the chance spread is
    estimated too. `within` is the largest of three: the 95 % half-width of the difference of two runs by the measured
    noise (Student's quantile · √2 · expected_sd), what as many repetitions without any change could have missed
    (Clopper–Pearson's one-sided bound on the share of scores that change, each by 1), and the range that was seen.
    Raises ValueError where a score is missing or outside [0, 1].
    """
    if scores.ndim != 2 or not ((scores >= 0) & (scores <= 1)).all():
        raise ValueError("scores of runs are a table (runs, prompts) with values in [0, 1] and no gaps")
    runs, n = scores.shape
    if runs < 2 or n < 1:
        return None
    means = scores.mean(axis=1)
    sd, seen = float(means.std(ddof=1)), float(np.ptp(means))
    expected = math.sqrt(float(scores.var(axis=0, ddof=1).mean()) / n)
    noisy = expected > TOLERANCE
    ratio = sd / expected if noisy else None
    return Spread(
        runs=runs,
        prompts=n,
        sd=sd if noisy else 0.0,
        reach=seen if noisy else 0.0,
        expected_sd=expected if noisy else 0.0,
        ratio=ratio,
        p_value=_extra(ratio, runs, n) if ratio is not None and n > 1 else None,
        within=min(1.0, max(_half_width(expected, runs, n), _missed(runs, n), seen)),
    )


def _extra(ratio: float, runs: int, n: int) -> float:
    """P(F ≥ f): ratio² / n is the share of the runs in all variation within prompts."""
    share = min(1.0, ratio**2 / n)
    if share >= 1 - TOLERANCE:
        return 0.0
    return float(fdtrc(runs - 1, (runs - 1) * (n - 1), (n - 1) * share / (1 - share)))


def _half_width(expected: float, runs: int, n: int) -> float:
    return float(stdtrit(n * (runs - 1), 0.975)) * math.sqrt(2) * expected


def _missed(runs: int, n: int) -> float:
    """The half-width that is left where nothing changed in n · (runs − 1) repetitions."""
    changing = 1 - 0.05 ** (1 / (n * (runs - 1)))
    return float(stdtrit(n * (runs - 1), 0.975)) * math.sqrt(changing / n)


@dataclass(frozen=True, kw_only=True, slots=True)
class Flips:
    """Prompts whose outcome is not the same in every run, most flipping first (places in the table's columns).

    `decisive` of them are won in one run and lost in another.
    """

    places: tuple[int, ...]
    decisive: int


def flips(scores: Scores) -> Flips:
    """Which prompts change their outcome between runs. `scores` as in `spread`.

    A win is a score above 1/2, a loss below, a tie at 1/2 (within 1e-9). Sorted by how many pairs of runs disagree,
    then by how many of these name different winners, then by place.
    """
    outcomes = np.where(np.abs(scores - 0.5) <= TOLERANCE, 0, np.sign(scores - 0.5)).astype(int)
    counts = np.stack([(outcomes == value).sum(axis=0) for value in (-1, 0, 1)])
    runs = outcomes.shape[0]
    disagree = (runs**2 - (counts**2).sum(axis=0)) // 2
    winners = counts[0] * counts[2]
    order = np.lexsort((np.arange(disagree.size), -winners, -disagree))
    return Flips(places=tuple(int(place) for place in order if disagree[place]), decisive=int((winners > 0).sum()))


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """A share of n things in `clusters` clusters, with its 95 % interval; rate and interval are None where n = 0."""

    n: int
    count: int
    clusters: int
    rate: float | None
    ci: tuple[float, float] | None


def clustered_rate(hits: NDArray[np.bool_], clusters: NDArray[np.str_], level: float = 0.95) -> Rate:
    """The share of True in `hits` (n,), each in the cluster (prompt) of the same place, with an honest interval.

    Clopper–Pearson's at the effective number of independent things (Korn & Graubard 1998, Survey Methodology 24(2)),
    n / design effect, and where clusters do not differ the number of clusters: none of ten is not never.
    """
    n, count = int(hits.size), int(hits.sum())
    names = np.unique(clusters)
    if n == 0:
        return Rate(n=0, count=0, clusters=0, rate=None, ci=None)
    rate = count / n
    found = clustered_mean(hits.astype(np.float64), list(clusters), level=level)
    effective = float(names.size)
    if found.se is not None and found.se > TOLERANCE and 0 < rate < 1:
        degrees = (stdtrit(n - 1, 0.975) / stdtrit(names.size - 1, 0.975)) ** 2
        effective = min(float(n), rate * (1 - rate) / found.se**2 * float(degrees))
    hit, tail = rate * effective, (1 - level) / 2
    low = float(betaincinv(hit, effective - hit + 1, tail)) if count else 0.0
    high = float(betaincinv(hit + 1, effective - hit, 1 - tail)) if count < n else 1.0
    return Rate(n=n, count=count, clusters=int(names.size), rate=rate, ci=(low, high))
