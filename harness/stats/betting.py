"""An interval for the mean of scores in [0, 1] that holds at every look: one may stop when it has decided.

The betting confidence sequence of Waudby-Smith & Ramdas (2024, 10.1093/jrsssb/qkad009; 2010.09686), in the form for
independent draws from a population: no tightening for a finite list of prompts, which would call 151 of 300 a win. A
gambler who bets on "the mean is above m" with a share f of the capital multiplies it by 1 − f + f·x/m with every score
x. Where the mean is m or less, no way of betting is expected to gain, so by Ville's inequality the capital ever reaches
2/α with probability α/2 at most. The capital is spread over fixed shares f (their "grid Kelly", a discrete universal
portfolio after Cover 1991): it needs no estimate of the variance, and does not depend on the order of the scores. The
same is done downwards, with 1 − x and 1 − m.

The capital falls in m, so that what is excluded is everything below one point. Points are a grid's, rounded outward.
It refuses scores outside [0, 1]; that they are independent draws in random order is the caller's to see to.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Said = Literal["better", "worse", "equivalent"]

# Candidate means: 1/2000 apart, so that 1/2 and every equivalence margin of whole per mille are among them.
STEPS = 2000
# Shares bet: as much capital on small ones (which find small differences among many prompts) as on large ones.
SHARES = np.geomspace(0.02, 0.98, 24)


class Decided(NamedTuple):
    """What a sequence says where it first says anything: the interval there, and after how many scores (`at`).

    Where it says nothing, `said` and `at` are None and the interval is the last one.
    """

    said: Said | None
    low: float
    high: float
    at: int | None


class Watch:
    """A confidence sequence that is fed one score at a time. `low` and `high` only ever come closer."""

    def __init__(self, alpha: float = 0.05) -> None:
        self._enough = _enough(alpha)
        self._means = np.arange(1, STEPS) / STEPS
        self._above = np.ones((SHARES.size, STEPS - 1))
        self._below = np.ones((SHARES.size, STEPS - 1))
        self.low, self.high = 0.0, 1.0

    def look(self, score: float) -> tuple[float, float]:
        """Bet on one more score in [0, 1]; the interval after it. Raises ValueError on any other score."""
        if not 0 <= score <= 1:
            raise ValueError(f"a score lies outside [0, 1]: {score}")
        self._above *= _factor(score, self._means)
        self._below *= _factor(1 - score, 1 - self._means)
        low = np.flatnonzero(self._above.mean(axis=0) >= self._enough)
        high = np.flatnonzero(self._below.mean(axis=0) >= self._enough)
        start = int(low[-1]) + 1 if low.size else 0
        end = int(high[0]) if high.size else self._means.size
        # Where every mean is excluded (which happens with probability α at most) the last interval stays.
        if start <= end:
            self._keep(start, end)
        return self.low, self.high

    def _keep(self, start: int, end: int) -> None:
        """Go on with the means that are not excluded; the nearest excluded ones are the ends."""
        if start > 0:
            self.low = float(self._means[start - 1])
        if end < self._means.size:
            self.high = float(self._means[end])
        if start > 0 or end < self._means.size:
            self._means = self._means[start:end]
            self._above, self._below = self._above[:, start:end].copy(), self._below[:, start:end].copy()


def confidence_sequence(scores: Floats, alpha: float = 0.05) -> tuple[Floats, Floats]:
    """The interval of the mean after each of n scores in [0, 1], in the order of looking: (n,) lows, (n,) highs.

    With probability 1 − α at least, all n intervals hold the population's mean. Lows never fall, highs never rise.
    Raises ValueError on NaN, on a score outside [0, 1] and on an α outside (0, 1).
    """
    watch = Watch(alpha)
    _checked(scores)
    looks = np.array([watch.look(float(score)) for score in scores], dtype=np.float64).reshape(-1, 2)
    return looks[:, 0], looks[:, 1]


def decide(scores: Floats, equivalence: float, alpha: float = 0.05) -> Decided:
    """What the sequence says of a mean against 1/2, where it says it first.

    "equivalent" where the interval lies inside 1/2 ± `equivalence`, "better" or "worse" where it excludes 1/2. Looking
    stops there: what came first stays. Raises ValueError as `confidence_sequence`.
    """
    _checked(scores)
    watch = Watch(alpha)
    for at, score in enumerate(scores.tolist(), 1):
        low, high = watch.look(score)
        said = said_of(low, high, equivalence)
        if said is not None:
            return Decided(said, low, high, at)
    return Decided(None, watch.low, watch.high, None)


def said_of(low: float, high: float, equivalence: float) -> Said | None:
    """What one interval of the mean says: inside 1/2 ± `equivalence`, above 1/2, below it, or nothing."""
    if 0.5 - equivalence <= low and high <= 0.5 + equivalence:
        return "equivalent"
    if low > 0.5:
        return "better"
    return "worse" if high < 0.5 else None


def capital(scores: Floats, mean: float) -> Floats:
    """The capital after each score of a gambler who began with 1 and bets that the mean is above `mean` in (0, 1).

    `scores` is (…, n): many sequences at once. With `1 - scores` and `1 - mean` the bet is on a mean below it. Where
    it ever reaches 2/α, the mean m is excluded from below.
    """
    _checked(scores)
    if not 0 < mean < 1:
        raise ValueError(f"the mean that is bet against lies outside (0, 1): {mean}")
    total = np.zeros(scores.shape)
    gains = scores / mean - 1
    for share in SHARES.tolist():
        factors = share * gains
        factors += 1
        total += np.cumprod(factors, axis=-1, out=factors)
    return total / SHARES.size


def _factor(score: float, means: Floats) -> Floats:
    return 1 + SHARES[:, None] * (score / means - 1)


def _enough(alpha: float) -> float:
    if not 0 < alpha < 1:
        raise ValueError(f"alpha lies outside (0, 1): {alpha}")
    return 2 / alpha


def _checked(scores: Floats) -> None:
    if scores.size and not ((scores >= 0) & (scores <= 1)).all():
        raise ValueError("a score lies outside [0, 1]")
