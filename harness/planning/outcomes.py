"""What runs end as: the chances of a decision by the contract's rules in their order, `equivalent` before `better`.

`harness.stats.power` counts prompts that show a difference. A run may show one and still end as `equivalent`, where the
whole interval lies within the suite's equivalence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, gammaln, ndtr, ndtri, stdtrit, xlogy

Reals = NDArray[np.float64]
Counts = NDArray[np.int64]

# Beyond it the steps of the counts are lost in the normal distribution, and a grid of them takes long.
ENUMERATED = 6_000
# Counts farther out than this, in standard deviations and then in counts, are less likely than 1e-11.
_SIGMAS, _MORE = 7, 30


@dataclass(frozen=True, kw_only=True, slots=True)
class Chances:
    """Probabilities of a run's decision. `shown`: the interval excludes 1/2 upwards and the sign test agrees.

    `better` is `shown` less what ends as `equivalent` before that is looked at.
    """

    better: float
    equivalent: float
    shown: float


def chances(
    n: int, effect: float, *, equivalence: float, sd: float | None = None, alpha: float = 0.05, design: float = 1.0
) -> Chances:
    """The chances of n prompts with a true win rate of 1/2 + effect and the spread `sd` about 1/2.

    Prompts are wins, ties and losses: 4 sd² of them decisive (all without `sd`, never fewer than the effect takes).
    Enumerated over the trinomial distribution for n ≤ 6,000 independent prompts, else normal. `design` multiplies the
    variance of the win rate (clusters), not the interval, which takes prompts as independent as a run's decision does.
    Raises ValueError where n < 0, effect or equivalence is not in (0, 1/2) or `design` is below 1.
    """
    if n < 0 or not 0 < effect < 0.5 or not 0 < equivalence < 0.5 or design < 1:
        asked = f"effect {effect:g}, equivalence {equivalence:g} and design {design:g}"
        raise ValueError(f"{n} prompts have no chances at {asked}")
    if n < 2:
        return Chances(better=0.0, equivalent=0.0, shown=0.0)
    decisive = 1.0 if sd is None else min(1.0, max(4 * sd**2, 2 * effect))
    if n > ENUMERATED or design > 1:
        return _normal(n, effect, decisive, equivalence, alpha, design)
    wins, decided = _counts(n, decisive / 2 + effect), _counts(n, decisive)[:, None]
    losses = decided - wins
    possible = losses >= 0
    weight = np.where(possible, _probability(n, wins, np.maximum(losses, 0), decisive, effect), 0.0)
    low, high = _interval(wins, np.maximum(losses, 0), n, alpha)
    equivalent = (low >= 0.5 - equivalence) & (high <= 0.5 + equivalence)
    fewer = np.minimum(wins, losses)
    sign = 2 * np.asarray(bdtr(np.maximum(fewer, 0), np.maximum(decided, 1), 0.5))
    shown = (low > 0.5) & (sign <= alpha)
    better, within, above = (
        min(1.0, float(weight[kind].sum() / weight.sum())) for kind in (shown & ~equivalent, equivalent, shown)
    )
    return Chances(better=better, equivalent=within, shown=above)


def _counts(n: int, share: float) -> Counts:
    """The counts that n prompts can have of a kind with this share, the impossibly rare left out."""
    reach = _SIGMAS * math.sqrt(n * share * (1 - share)) + _MORE if share < 1 else 0.0
    return np.arange(max(0, math.floor(n * share - reach)), min(n, math.ceil(n * share + reach)) + 1, dtype=np.int64)


def _probability(n: int, wins: Counts, losses: Counts, decisive: float, effect: float) -> Reals:
    """The trinomial probability of these wins and losses; 0 where they are more than n."""
    ties = np.maximum(n - wins - losses, 0)
    found = gammaln(n + 1) - gammaln(wins + 1) - gammaln(losses + 1) - gammaln(ties + 1)
    for count, share in ((wins, decisive / 2 + effect), (losses, decisive / 2 - effect), (ties, 1 - decisive)):
        found = found + xlogy(count, max(0.0, share))
    return np.where(wins + losses <= n, np.exp(found), 0.0)


def _interval(wins: Counts, losses: Counts, n: int, alpha: float) -> tuple[Reals, Reals]:
    """The interval of a run's win rate: Wilson's without ties or with nothing but ties, else Student's."""
    off = (wins - losses) / (2 * n)
    varied = np.maximum((wins + losses) / (4 * n) - off**2, 0.0)
    z2 = float(ndtri(alpha / 2)) ** 2
    wilson = np.sqrt(z2 * ((0.25 - off**2) + z2 / (4 * n)) / n) / (1 + z2 / n)
    student = float(stdtrit(n - 1, 1 - alpha / 2)) * np.sqrt(varied / (n - 1))
    without = np.isin(wins + losses, (0, n))
    centre, half = 0.5 + np.where(without, off / (1 + z2 / n), off), np.where(without, wilson, student)
    return centre - half, centre + half


def _normal(n: int, effect: float, decisive: float, equivalence: float, alpha: float, design: float) -> Chances:
    z, varied = -float(ndtri(alpha / 2)), decisive / 4 - effect**2
    half, error = z * math.sqrt(varied / n), math.sqrt(design * varied / n)
    # The sign test knows no effect, so its spread is that about 1/2; half a count is its correction.
    least = z * math.sqrt(decisive / 4 / n) + 1 / (2 * n)
    inside = equivalence - half
    within = float(ndtr((inside - effect) / error) - ndtr((-inside - effect) / error)) if inside > 0 else 0.0
    shown, better = (float(ndtr((effect - bar) / error)) for bar in (least, max(least, inside)))
    return Chances(better=better, equivalent=within, shown=shown)
