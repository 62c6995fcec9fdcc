"""Is it not worse by more than a margin? The arithmetic of a regression gate, on differences new − old per prompt.

The bounds are `careful`'s: they hold their rate where losses are rare. A pass and p < 0.05 are the same thing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from harness.stats.careful import Samples, as_many, exceeds, lower_bound, mirrored, of_clusters, of_values, sparse
from harness.stats.intervals import TOLERANCE
from harness.stats.paired import clustered_difference, mean_difference

Outcome = Literal["pass", "fail", "inconclusive"]
Method = Literal["student", "cluster-robust", "constant-bounded"]
NeededFor = Literal["power", "certainty", "no-difference"]
ALPHA = 0.05
POWER = 0.8
_Z = float(ndtri(1 - ALPHA))


@dataclass(frozen=True, kw_only=True, slots=True)
class NonInferiority:
    """A mean difference held against −margin.

    `ci` is the two-sided 95 % interval (Student's; cluster-robust; where all differences are equal, bounded), `lower`
    and `upper` are one-sided 95 % bounds, `p_value` is of "the loss is at least the margin", `p_loss` of "nothing is
    lost", both one-sided. `n_needed` is the number of prompts that would decide: with 80 % power where nothing is lost,
    for certain, or if further prompts are like these (`needed_for`). `rare` says that few were lost, so that the lower
    bound counts with losses that were not seen, `rare_gains` the same of gains and the upper bound. What cannot be
    estimated is None; `reason` says why, and `needed_reason` why there is no `n_needed`.
    """

    n: int
    difference: float | None
    margin: float
    outcome: Outcome
    sd: float | None = None
    se: float | None = None
    ci: tuple[float, float] | None = None
    method: Method | None = None
    lower: float | None = None
    upper: float | None = None
    p_value: float | None = None
    p_loss: float | None = None
    n_needed: int | None = None
    needed_for: NeededFor | None = None
    clusters: int | None = None
    rare: bool = False
    rare_gains: bool = False
    reason: str | None = None
    needed_reason: str | None = None


def noninferiority(
    differences: NDArray[np.float64],
    *,
    margin: float,
    scale: tuple[float, float] | None = None,
    clusters: Sequence[str] | None = None,
) -> NonInferiority:
    """Whether the mean of `differences` (n,), new − old per prompt, lies above −margin.

    pass: the lower bound exceeds −margin; fail: the upper bound is below 0 and the lower does not exceed −margin; else
    inconclusive. `scale` is the lowest and the highest difference that can be; None takes the widest that was seen, to
    either side. `clusters` names the cluster of every prompt. Raises ValueError on a difference that is not finite or
    off the scale, and on a margin that is not above 0.
    """
    low, high = _checked(differences, margin, scale, clusters)
    n = int(differences.size)
    mean = math.fsum(differences.tolist()) / n if n else None
    why_not = _without_bounds(n, high - low, clusters)
    if why_not is not None or mean is None:
        return NonInferiority(
            n=n, difference=mean, margin=margin, outcome="inconclusive", reason=why_not, needed_reason=why_not
        )
    samples, lowest = _samples(differences, clusters, low)
    opposite, highest = _opposite(samples, differences, clusters, -high)
    # exceeds() decides and the bound is where it says 0.05; they differ by rounding at most.
    p_value = float(exceeds(samples, -margin, lowest)[0])
    p_loss = float(exceeds(opposite, 0.0, highest)[0])
    outcome: Outcome = "pass" if p_value < ALPHA else "fail" if p_loss < ALPHA else "inconclusive"
    ci, method = _interval(differences, clusters, (low, high))
    found = NonInferiority(
        n=n,
        difference=mean,
        margin=margin,
        outcome=outcome,
        sd=float(samples.se[0]) * math.sqrt(n),
        se=float(samples.se[0]),
        ci=ci,
        method=method,
        lower=lower_bound(samples, lowest, ALPHA),
        upper=-lower_bound(opposite, highest, ALPHA),
        p_value=p_value,
        p_loss=p_loss,
        clusters=len(set(clusters)) if clusters is not None else None,
        rare=bool(sparse(samples, lowest)[0]),
        rare_gains=bool(sparse(opposite, highest)[0]),
    )
    return _needed(found, samples, low, lowest)


def prompts_needed(sd: float, margin: float) -> int:
    """Prompts that pass with 80 % power where nothing is lost: ((z(0.95) + z(0.80)) · sd / margin)², rounded up.

    Chow, Shao & Wang 2008, Sample Size Calculations in Clinical Research, ch. 3. Raises ValueError unless sd and margin
    are above 0.
    """
    return _ceil(((_Z + float(ndtri(POWER))) * _positive(sd) / _positive(margin)) ** 2)


def prompts_decisive(sd: float, margin: float) -> int:
    """Prompts from which on no outcome is inconclusive: the bounds are less than a margin apart, (2 z sd / margin)²."""
    return _ceil((2 * _Z * _positive(sd) / _positive(margin)) ** 2)


def _positive(value: float) -> float:
    if not (math.isfinite(value) and value > 0):
        raise ValueError("a standard deviation and a margin lie above 0")
    return value


def _ceil(value: float) -> int:
    # Rounding errors must not add a prompt.
    return math.ceil(value - 1e-9)


def _checked(
    differences: NDArray[np.float64],
    margin: float,
    scale: tuple[float, float] | None,
    clusters: Sequence[str] | None,
) -> tuple[float, float]:
    if not (math.isfinite(margin) and margin > 0):
        raise ValueError("a margin lies above 0")
    if not np.isfinite(differences).all():
        raise ValueError("a difference is not finite")
    if clusters is not None and len(clusters) != differences.size:
        raise ValueError("every difference needs its cluster")
    if scale is None:
        widest = float(np.abs(differences).max()) if differences.size else 0.0
        return -widest, widest
    low, high = scale
    if differences.size and (differences.min() < low - TOLERANCE or differences.max() > high + TOLERANCE):
        raise ValueError(f"a difference lies outside [{low:g}, {high:g}]")
    return low, high


def _without_bounds(n: int, width: float, clusters: Sequence[str] | None) -> str | None:
    """Why nothing can be bounded; None where it can."""
    if n < 2:
        return "n = 1: one prompt gives no interval" if n else "no prompt has a score on both sides"
    if clusters is not None and len(set(clusters)) < 2:
        return "all prompts are in one cluster, which gives no interval"
    if width <= TOLERANCE:
        return "every score is the same and the scale is not known, so that there is no telling what could be lost"
    return None


def _samples(differences: NDArray[np.float64], clusters: Sequence[str] | None, lowest: float) -> tuple[Samples, float]:
    if clusters is None:
        return of_values(differences), lowest
    return of_clusters(differences, clusters, lowest)


def _opposite(
    samples: Samples, differences: NDArray[np.float64], clusters: Sequence[str] | None, lowest: float
) -> tuple[Samples, float]:
    if clusters is None:
        return mirrored(samples), lowest
    return of_clusters(-differences, clusters, lowest)


def _interval(
    differences: NDArray[np.float64], clusters: Sequence[str] | None, scale: tuple[float, float]
) -> tuple[tuple[float, float] | None, Method]:
    if clusters is not None:
        return clustered_difference(differences, clusters, bounds=scale).ci, "cluster-robust"
    found = mean_difference(differences, bounds=scale)
    return found.ci, "constant-bounded" if found.method == "constant-bounded" else "student"


def _needed(found: NonInferiority, samples: Samples, low: float, lowest: float) -> NonInferiority:
    """`found` with the prompts that would decide, or with the reason why no number can be given."""
    sd, lower, upper = found.sd, found.lower, found.upper
    assert sd is not None and lower is not None and upper is not None
    if sd <= TOLERANCE:
        return _needed_if_equal(found, low)
    needed = _prompts_to_pass(samples, prompts_needed(sd, found.margin), found, lowest)
    if found.outcome != "inconclusive" or needed > found.n:
        return replace(found, n_needed=needed, needed_for="power")
    # Where bounds are wider than the spread alone makes them (rare losses, skewness), their own width counts.
    as_wide = _ceil(found.n * ((upper - lower) / found.margin) ** 2)
    needed = max(prompts_decisive(sd, found.margin), as_wide, found.n + 1)
    return replace(found, n_needed=needed, needed_for="certainty")


def _prompts_to_pass(samples: Samples, textbook: int, found: NonInferiority, lowest: float) -> int:
    """The prompts that pass with 80 % power where nothing is lost, if further ones are like these.

    The textbook's number, unless that many would still be too few to tell what more there is to lose: then the first
    number, to within 1 %, of which a sample like this one with the mean that 80 % of samples exceed passes.
    """
    each = found.n / samples.n

    def passes(count: int) -> bool:
        many = as_many(samples, count)
        unlucky = float(ndtri(POWER)) * float(many.se[0])
        against = float(samples.mean[0]) + unlucky - found.margin
        return unlucky < found.margin and float(exceeds(many, against, lowest)[0]) < ALPHA

    least = max(2, _ceil(textbook / each))
    if not sparse(as_many(samples, least), lowest)[0]:
        return textbook
    most = least
    while not passes(most):
        most *= 2
    while most - least > most // 100:
        middle = (least + most) // 2
        least, most = (least, middle) if passes(middle) else (middle + 1, most)
    return max(textbook, _ceil(most * each))


def _needed_if_equal(found: NonInferiority, lowest: float) -> NonInferiority:
    """Where all differences are equal, nothing is known but that others are rare: more prompts like these decide."""
    mean = found.difference or 0.0
    if found.clusters is not None or mean + found.margin <= TOLERANCE:
        return replace(found, needed_reason="all differences are equal, so that their spread cannot be estimated")
    share = (mean + found.margin) / (mean - lowest)
    needed = max(2, _ceil(math.log(ALPHA) / math.log1p(-share))) if share < 1 else 2
    return replace(found, n_needed=needed, needed_for="no-difference")
