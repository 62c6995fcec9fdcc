"""A win rate as it would be if both responses were equally long: arrays in, values out.

After length-controlled AlpacaEval (Dubois et al. 2024, 2404.04475), without its terms for the difficulty of
instructions, which need many models: a logistic model of a prompt's score on an intercept and on tanh(d / sd(d)), d the
length of the candidate's response minus the baseline's. The controlled rate is the model's at d = 0. It says what
length explains in these data, not that length was the reason. It refuses to estimate where length separates the
scores, where lengths do not differ, where one side is always the longer (equal length would be a guess beyond what was
seen), and from fewer than 20 prompts (below that its intervals were seen to hold as little as 87 %).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, stdtrit

from harness.stats.intervals import TOLERANCE

Floats = NDArray[np.float64]
Interval = tuple[float, float]

FEWEST = 20
# Refits of resamples alone carry this much of a ridge penalty on both coefficients, so that a separated resample has
# a finite estimate. The estimate itself carries none.
PENALTY = 0.01
# Cells of one block of refits.
BLOCK = 1_000_000
# Beyond so many prompts the sandwich error is the bootstrap's to the second digit, and takes no refits.
MANY = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class LengthControlled:
    """The raw and the controlled win rate over n prompts, in [0, 1]; `reason` says why there is no controlled one.

    `slope` is on the log-odds scale, above 0 where the longer response scores more: by it the log-odds rise from
    equal length to a candidate that is longer by two or more standard deviations. `se` is of `rate`: the bootstrap's,
    over very many prompts the sandwich's.
    """

    n: int
    raw: float | None
    rate: float | None = None
    se: float | None = None
    ci: Interval | None = None
    slope: float | None = None
    slope_ci: Interval | None = None
    reason: str | None = None


def length_controlled(
    scores: Floats,
    length_differences: Floats,
    rng: np.random.Generator,
    *,
    resamples: int = 1000,
    level: float = 0.95,
) -> LengthControlled:
    """The controlled rate of prompt scores (n,) in [0, 1], given candidate minus baseline lengths (n,).

    A prompt with several response pairs has the mean of their differences. `se` is the standard deviation of the rates
    of `resamples` bootstrap samples of the prompts, each fitted anew (its tanh terms as they are); over more than
    10,000 prompts the sandwich's error by the delta method. The intervals are Student's with n − 2 degrees of freedom
    around the coefficients, with the sandwich error times √(n / (n − 2)): over bootstrap percentiles, expanded
    percentiles and bootstrap-t they held the true value most evenly from 20 prompts on. Raises ValueError where the
    arrays' sizes differ, a difference is not finite, a score lies outside [0, 1] or fewer than two resamples are asked
    for.
    """
    _check(scores, length_differences)
    if resamples < 2:
        raise ValueError(f"a standard deviation needs two resamples, found {resamples}")
    n = int(scores.size)
    raw = float(scores.mean()) if n else None
    reason = _cannot(scores, length_differences)
    if reason is not None:
        return LengthControlled(n=n, raw=raw, reason=reason)
    terms = np.tanh(length_differences / length_differences.std(ddof=1))
    whole = _fit(scores[None, :], terms[None, :], penalty=0.0, start=(0.0, 0.0), tolerance=1e-12)
    if whole is None:
        return LengthControlled(n=n, raw=raw, reason="length separates the scores nearly, so that no fit settles")
    intercept, slope = (float(found[0]) for found in whole)
    errors = _errors(scores, terms, intercept, slope)
    half = float(stdtrit(n - 2, (1 + level) / 2)) * math.sqrt(n / (n - 2))
    rate = float(expit(intercept))
    return LengthControlled(
        n=n,
        raw=raw,
        rate=rate,
        se=errors[0] * rate * (1 - rate)
        if n > MANY
        else _bootstrap_error(scores, terms, rng, (intercept, slope), resamples),
        ci=(float(expit(intercept - half * errors[0])), float(expit(intercept + half * errors[0]))),
        slope=slope,
        slope_ci=(slope - half * errors[1], slope + half * errors[1]),
    )


def _check(scores: Floats, differences: Floats) -> None:
    if scores.ndim != 1 or scores.shape != differences.shape:
        raise ValueError("every score needs its length difference")
    if not np.isfinite(differences).all():
        raise ValueError("a length difference is not finite")
    if scores.size and not ((scores >= 0) & (scores <= 1)).all():
        raise ValueError("a prompt score lies outside [0, 1]")


def _cannot(scores: Floats, differences: Floats) -> str | None:
    """Why there is no controlled rate, as a sentence; None where there is one."""
    if scores.size < FEWEST:
        return f"{scores.size} prompts are too few to tell length from quality; {FEWEST} are the fewest"
    if float(np.ptp(differences)) <= TOLERANCE:
        return "all length differences are equal, so that length cannot be told from quality"
    if differences.min() > 0 or differences.max() < 0:
        side = "longer" if differences.min() > 0 else "shorter"
        return f"the candidate's response is the {side} one on every prompt, so that equal length was never seen"
    if bool((scores >= 1 - TOLERANCE).all()) or bool((scores <= TOLERANCE).all()):
        return "one side won every prompt, so that no model of the scores has a finite estimate"
    if float(np.ptp(scores)) <= TOLERANCE:
        return "all scores are equal, so that length explains nothing and no spread gives no certainty"
    if _separated(scores, differences) or _separated(1 - scores, differences):
        return "length alone separates wins from losses, so that the model has no finite estimate"
    return None


def _separated(scores: Floats, differences: Floats) -> bool:
    """Whether every score below 1 stands at differences no larger than every score above 0 does.

    Exactly then, or with the scores turned round, the likelihood has no maximum (Albert & Anderson 1984,
    10.1093/biomet/71.1.1).
    """
    return bool(differences[scores < 1 - TOLERANCE].max() <= differences[scores > TOLERANCE].min())


def _bootstrap_error(scores: Floats, terms: Floats, rng: np.random.Generator, start: Interval, resamples: int) -> float:
    """The standard deviation of the controlled rate over resamples of the prompts, block by block."""
    n = scores.size
    size = max(1, BLOCK // n)
    rates = []
    for first in range(0, resamples, size):
        drawn = rng.integers(0, n, (min(size, resamples - first), n))
        refit = _fit(scores[drawn], terms[drawn], penalty=PENALTY, start=start, tolerance=1e-6)
        if refit is not None:
            rates.append(expit(refit[0]))
    return float(np.concatenate(rates).std(ddof=1))


def _fit(
    scores: Floats, terms: Floats, *, penalty: float, start: Interval, tolerance: float
) -> tuple[Floats, Floats] | None:
    """Logistic fits of scores (fits, n) on an intercept and terms (fits, n), by Newton's method, all at once.

    Intercepts (fits,) and slopes (fits,); None where they do not settle.
    """
    a, b = np.full(scores.shape[0], start[0]), np.full(scores.shape[0], start[1])
    for _ in range(100):
        residuals, (h00, h01, h11) = _slopes(scores, terms, a, b, penalty)
        toward_a = residuals.sum(axis=1) - penalty * a
        toward_b = np.einsum("ij,ij->i", residuals, terms) - penalty * b
        determinant = h00 * h11 - h01**2
        if not (determinant > 0).all():
            return None
        by_a = (h11 * toward_a - h01 * toward_b) / determinant
        by_b = (h00 * toward_b - h01 * toward_a) / determinant
        furthest = np.maximum(np.abs(by_a), np.abs(by_b))
        # A long step can overshoot where the curve is flat; the likelihood is concave, so shorter ones arrive.
        short = np.minimum(1.0, 2.0 / np.maximum(furthest, 1e-300))
        a, b = a + short * by_a, b + short * by_b
        if furthest.max() <= tolerance:
            return a, b
    return None


def _slopes(
    scores: Floats, terms: Floats, a: Floats, b: Floats, penalty: float
) -> tuple[Floats, tuple[Floats, Floats, Floats]]:
    """Residuals, and the three different entries of the information matrix."""
    rates = expit(a[:, None] + b[:, None] * terms)
    weights = rates * (1 - rates)
    weighted = weights * terms
    h00, h01 = weights.sum(axis=1) + penalty, weighted.sum(axis=1)
    return scores - rates, (h00, h01, np.einsum("ij,ij->i", weighted, terms) + penalty)


def _errors(scores: Floats, terms: Floats, intercept: float, slope: float) -> tuple[float, float]:
    """The sandwich errors of both coefficients (Huber 1967): a score between 0 and 1 varies less than a coin."""
    rows, at = (scores[None, :], terms[None, :]), (np.array([intercept]), np.array([slope]))
    residuals, (h00, h01, h11) = _slopes(*rows, *at, 0.0)
    determinant = h00 * h11 - h01**2
    on_intercept = (h11 - h01 * terms) * residuals[0] / determinant
    on_slope = (h00 * terms - h01) * residuals[0] / determinant
    return math.sqrt(float(on_intercept @ on_intercept)), math.sqrt(float(on_slope @ on_slope))
