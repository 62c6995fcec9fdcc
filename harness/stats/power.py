"""How many prompts a question takes, and what a number of prompts can show: values in, values out.

A win rate is planned by the rule that decides it (the interval excludes 1/2 and the exact sign test agrees), not by a
textbook's test: with that rule the textbook's numbers reach 77 % where they promise 80 %. Power counts decisions in
the true direction alone. Refuses (ValueError) what has no answer: effects and powers outside their ranges.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, bdtrc, bdtrik, betaincinv, chdtri, ndtri

from harness.stats.intervals import visible_difference

# From here on a step of the saw-toothed power is smaller than the fourth digit of n, and enumerating would take long.
ENUMERATED = 200_000
# The largest standard deviation that scores in [0, 1] can have in a population (Popoviciu 1935).
LARGEST_SD = 0.5
# No suite shows less; below it the numbers of prompts leave what a float can count.
SMALLEST = 1e-6
_BISECTIONS = 80

Counts = NDArray[np.int64]


def wins_needed(n: Counts, alpha: float = 0.05) -> Counts:
    """The fewest wins of n ≥ 1 decisive prompts (wins and losses alone) that decide; n + 1 where none do.

    Both of the contract's conditions hold: Wilson's interval at 1 − alpha excludes 1/2, and the exact two-sided sign
    test has p ≤ alpha.
    """
    # bdtrik inverts in the reals; the step around it is looked at itself.
    losses = np.floor(bdtrik(alpha / 2, n.astype(float), 0.5)) + 1
    for _ in range(3):
        losses = np.where(_tail(losses, n) > alpha / 2, losses - 1, losses)
    by_sign = n - losses
    z = -float(ndtri(alpha / 2))
    # Wilson's interval inverts the score test (Wilson 1927): it excludes 1/2 where |wins − n/2| > z √n / 2.
    by_interval = np.floor(n / 2 + z * np.sqrt(n) / 2) + 1
    wins: Counts = np.minimum(np.maximum(by_sign, by_interval), n + 1).astype(np.int64)
    return wins


def _tail(losses: NDArray[np.float64], n: Counts) -> NDArray[np.float64]:
    return np.where(losses < 0, 0.0, np.asarray(bdtr(np.maximum(losses, 0), n, 0.5)))


def power_of(n: Counts, effect: float, alpha: float = 0.05) -> NDArray[np.float64]:
    """The probability that n decisive prompts decide for a true win rate of 1/2 + effect, exactly."""
    wins = wins_needed(n, alpha)
    return np.where(wins > n, 0.0, np.asarray(bdtrc(np.minimum(wins, n) - 1, n, 0.5 + effect)))


def prompts_needed(effect: float, *, power: float = 0.8, alpha: float = 0.05, sd: float | None = None) -> int:
    """The prompts that decide for a win rate of 1/2 + effect with this power.

    Without `sd` every prompt is taken as decisive, the conservative case: the smallest n from which on the exact power
    stays at or above the one wanted (it is saw-toothed, so that a first n could be luck; Chernick & Liu 2002,
    10.1198/000313002317572835). With the scores' standard deviation `sd` (about 1/2, where it is a pilot's): Student's
    n, and 1/effect more for the exact sign test that has to agree (the continuity correction of Fleiss, Levin & Paik
    2003, ch. 2), but never more than without it, for ties only help. An `sd` below `least_sd(effect)` is raised to it.
    """
    _check(effect=effect, power=power, alpha=alpha, most=0.5)
    worst = _decisive_needed(effect, power, alpha)
    if sd is None:
        return worst
    raised = max(_spread(sd), least_sd(effect))
    return min(worst, mean_needed(effect, raised, power=power, alpha=alpha) + math.ceil(1 / effect))


def least_sd(effect: float) -> float:
    """The smallest spread about 1/2 that prompts with a win rate of 1/2 + effect can have: √(effect / 2).

    Each of a share d of decisive prompts lies 1/2 from 1/2, so sd² = d / 4; and a mean of 1/2 + effect takes
    d ≥ 2 effect, reached where every decisive prompt is won. Scores between a tie and a win can spread less; for them
    it is the careful side.
    """
    return math.sqrt(effect / 2)


def _decisive_needed(effect: float, power: float, alpha: float) -> int:
    z, p = -float(ndtri(alpha / 2)), 0.5 + effect
    about = ((z / 2 + float(ndtri(power)) * math.sqrt(p * (1 - p))) / effect) ** 2
    if about > ENUMERATED:
        return math.ceil(about + 1 / effect)
    n = np.arange(1, int(1.5 * about + 20 / effect) + 50)
    short = np.flatnonzero(power_of(n, effect, alpha) < power)
    return int(n[short[-1]]) + 1


def visible_effect(n: int, *, power: float = 0.8, alpha: float = 0.05, sd: float | None = None) -> float | None:
    """The smallest effect (a win rate's distance from 1/2) that n prompts show with this power; None where none is.

    The inverse of `prompts_needed` at this very n, exact without `sd`: P(wins ≥ k) = I_p(k, n − k + 1).
    """
    _check(effect=None, power=power, alpha=alpha)
    if n < 0:
        raise ValueError(f"a number of prompts is not negative, found {n}")
    wins = int(wins_needed(np.asarray([n]), alpha)[0]) if n else 1
    worst = None if wins > n else float(betaincinv(wins, n - wins + 1, power)) - 0.5
    shown = [worst, None if sd is None else _visible_by_sd(n, power, alpha, _spread(sd))]
    return min((effect for effect in shown if effect is not None), default=None)


def _visible_by_sd(n: int, power: float, alpha: float, sd: float) -> float | None:
    def shown(effect: float) -> bool:
        left = n - math.ceil(1 / effect)
        return left >= 2 and visible_difference(max(sd, least_sd(effect)), left, power, alpha) <= effect

    return _smallest(shown, 0.5)


def _smallest(holds: Callable[[float], bool], most: float) -> float | None:
    """The smallest value in (0, most) from which on `holds` is true; None where it is not even true at `most`."""
    low, high = 0.0, most
    if not holds(most):
        return None
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if middle > 0 and holds(middle) else (middle, high)
    return high


def mean_needed(effect: float, sd: float, *, power: float = 0.8, alpha: float = 0.05) -> int:
    """The prompts that show a mean of `effect` with a two-sided Student test, scores varying by `sd`.

    n = ((t(1 − α/2) + t(power)) sd / effect)², n in its own quantiles (Cohen 1988, ch. 2). For two runs on the same
    prompts `sd` is that of the prompts' differences and `effect` the mean difference.
    """
    _check(effect=effect, power=power, alpha=alpha)
    _spread(sd)
    low, high = 2, 4
    while visible_difference(sd, high, power, alpha) > effect:
        low, high = high, 2 * high
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if visible_difference(sd, middle, power, alpha) <= effect else (middle + 1, high)
    return low


def upper_sd(sd: float, n: int, level: float = 0.8, most: float = LARGEST_SD) -> float:
    """The upper confidence bound of a standard deviation measured on n ≥ 2 prompts, never above `most`.

    sd √((n − 1) / χ²(1 − level; n − 1)): with it a planned n has the power wanted in about `level` of all pilots, with
    the measured sd in about half (Browne 1995, 10.1002/sim.4780141709).
    """
    if n < 2 or not 0 < level < 1:
        raise ValueError(f"a bound needs at least 2 prompts and a level between 0 and 1, found {n} and {level:g}")
    return min(most, _spread(sd) * math.sqrt((n - 1) / float(chdtri(n - 1, level))))


def _check(*, effect: float | None, power: float, alpha: float, most: float = math.inf) -> None:
    if effect is not None and not SMALLEST <= effect < most:
        room = f"at least {SMALLEST:f}" if most == math.inf else f"between {SMALLEST:f} and {most:g}"
        raise ValueError(f"an effect is {room}, found {effect:g}")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha lies between 0 and 1, found {alpha:g}")
    if not alpha < power < 1:
        raise ValueError(f"power lies between alpha ({alpha:g}) and 1, found {power:g}")


def _spread(sd: float) -> float:
    if not (math.isfinite(sd) and sd >= 0):
        raise ValueError(f"a standard deviation is a number that is not negative, found {sd:g}")
    return sd
