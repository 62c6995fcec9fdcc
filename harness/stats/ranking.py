"""Three or more players from comparisons in pairs: strengths after Bradley & Terry with ties after Davidson, and ranks.

Player i beats j with odds π_i : π_j, and a tie weighs ν √(π_i π_j) beside them (Davidson 1970,
10.1080/01621459.1970.10481082); a strength is log π, their mean 0. The prompt is the unit: all pairs of a prompt are
resampled together. Where the likelihood has no maximum (a player won everything), every pair that met is given half a
comparison more, spread evenly over its outcomes, and the result says so. It refuses players that never met, even by
way of others, and ties alone are no strength.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Pairs = Sequence[tuple[int, int]]

# What a pair that met is given where the likelihood has no maximum, and in every bootstrap sample.
PSEUDO = 0.5
EQUAL = 1e-9
BLOCK = 2_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Davidson:
    """Strengths (k,) and ν (0 where nobody tied); None with a `reason`. `regularised`: with half a comparison more."""

    strengths: Floats | None
    ties: float | None
    regularised: bool = False
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """One player: its strength with an interval, its rank (1 is best; equals share one) and how sure that is.

    `rank_ci` counts who is better and worse beyond chance, over all pairs at once; `best` is the share of bootstrap
    samples in which it is the strongest (equals share). The last three are None from fewer than two prompts.
    """

    strength: float
    rank: int
    ci: tuple[float, float] | None
    rank_ci: tuple[int, int] | None
    best: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranking:
    """Places in the players' order, over n prompts on which anyone met; empty with a `reason` where none can be given.

    `apart[i, j]`: i and j differ beyond chance, allowing for all pairs looked at; None where there are no intervals.
    """

    n: int
    places: tuple[Place, ...]
    ties: float | None
    apart: Bools | None
    regularised: bool = False
    reason: str | None = None


def davidson(players: int, pairs: Pairs, wins: Floats, losses: Floats, ties: Floats) -> Davidson:
    """Maximum likelihood strengths from counts (pairs,), fractions allowed: wins and losses of each pair's first.

    Raises ValueError on fewer than two players, a pair that is none, arrays of other sizes, negative or NaN counts.
    """
    _check(players, pairs, wins[None, :], losses[None, :], ties[None, :])
    met = wins + losses + ties > 0
    if _groups(players, pairs, met) > 1:
        return Davidson(strengths=None, ties=None, reason="some never met, even by way of others")
    if not (wins + losses).any():
        return Davidson(strengths=None, ties=None, reason="every comparison is a tie, which tells no strengths apart")
    with_ties = bool(ties.any())
    lacking = not _has_maximum(players, pairs, wins, losses, ties)
    counts = np.stack([wins, losses, ties]) + (_more(met, with_ties) if lacking else 0.0)
    strengths, log_ties = _fit(players, pairs, *counts[:, None, :], with_ties=with_ties)
    return Davidson(strengths=strengths[0], ties=float(np.exp(log_ties[0])) if with_ties else 0.0, regularised=lacking)


def ranking(
    players: int,
    pairs: Pairs,
    wins: Floats,
    losses: Floats,
    ties: Floats,
    rng: np.random.Generator,
    *,
    resamples: int = 2000,
    level: float = 0.95,
) -> Ranking:
    """The ranking of `players` from outcomes by prompt (n, pairs): 1 where it happened, fractions where repeated.

    A row of a pair is 0 in all three where the two did not meet on that prompt. Bootstrap over prompts; every sample is
    fitted with half a comparison more in every pair, so that each has finite strengths. A strength's interval is the
    expanded percentile one (Hesterberg 2015, 10.1080/00031305.2015.1089789). Players are apart where their difference
    exceeds the `level` quantile of the largest studentised one (max-T; Westfall & Young 1993), and a rank's interval
    counts those above and below (Mogstad et al. 2024, 10.1093/restud/rdad006). Raises ValueError as `davidson`.
    """
    _check(players, pairs, wins, losses, ties)
    there = (wins + losses + ties).sum(axis=1) > 0
    outcomes = np.stack([wins[there], losses[there], ties[there]])
    n = int(there.sum())
    whole = davidson(players, pairs, *outcomes.sum(axis=1))
    if whole.strengths is None:
        reason = whole.reason if n else "there is no comparison"
        return Ranking(n=n, places=(), ties=None, apart=None, reason=reason)
    strengths = whole.strengths
    ranks = _ranks(strengths)
    if n < 2:
        alone = tuple(
            Place(strength=float(s), rank=int(r), ci=None, rank_ci=None, best=None)
            for s, r in zip(strengths, ranks, strict=True)
        )
        return Ranking(n=n, places=alone, ties=whole.ties, apart=None, regularised=whole.regularised)
    drawn = _resampled(players, pairs, outcomes, rng, resamples, with_ties=whole.ties != 0)
    apart = _apart(strengths, drawn, n, level)
    better = apart & (strengths[None, :] > strengths[:, None])
    worse = apart & (strengths[None, :] < strengths[:, None])
    tail = float(ndtr(-np.sqrt(n / (n - 1)) * stdtrit(n - 1, (1 + level) / 2)))
    ends = np.quantile(drawn, [tail, 1 - tail], axis=0)
    best = _best(drawn)
    places = tuple(
        Place(
            strength=float(strengths[i]),
            rank=int(ranks[i]),
            ci=(float(ends[0, i]), float(ends[1, i])),
            rank_ci=(1 + int(better[i].sum()), players - int(worse[i].sum())),
            best=float(best[i]),
        )
        for i in range(players)
    )
    return Ranking(n=n, places=places, ties=whole.ties, apart=apart, regularised=whole.regularised)


def _check(players: int, pairs: Pairs, wins: Floats, losses: Floats, ties: Floats) -> None:
    if players < 2:
        raise ValueError(f"a ranking needs two players, found {players}")
    if any(not (0 <= i < players and 0 <= j < players and i != j) for i, j in pairs):
        raise ValueError(f"a pair names a player that is none of {players}, or one twice")
    if any(counts.ndim != 2 or counts.shape != (wins.shape[0], len(pairs)) for counts in (wins, losses, ties)):
        raise ValueError("wins, losses and ties need a column for every pair")
    if any(not ((counts >= 0) & np.isfinite(counts)).all() for counts in (wins, losses, ties)):
        raise ValueError("a count is negative or not finite")


def _groups(players: int, pairs: Pairs, met: Bools) -> int:
    """Into how many groups that never met the players fall."""
    group = list(range(players))
    for (i, j), together in zip(pairs, met, strict=True):
        if together:
            group = [group[i] if name == group[j] else name for name in group]
    return len(set(group))


def _has_maximum(players: int, pairs: Pairs, wins: Floats, losses: Floats, ties: Floats) -> bool:
    """Whether the likelihood has a maximum at finite values.

    No direction may keep every outcome that was seen at least as likely. With ν held, that is a strongly connected
    graph of who beat or tied whom (Ford 1957, 10.1080/00029890.1957.11989117). With ν growing by 1, it is strengths of
    which every winner is at least 2 above its loser and tied ones at most 2 apart: there are none where a round of
    defeats and ties holds more defeats than ties, which is a negative cycle of these bounds.
    """
    from scipy.sparse.csgraph import NegativeCycleError, connected_components, floyd_warshall

    bounds = np.full((players, players), np.inf)
    for place, (i, j) in enumerate(pairs):
        for winner, loser, won in ((i, j, wins[place]), (j, i, losses[place])):
            reach = -2.0 if won else 2.0 if ties[place] else np.inf
            bounds[winner, loser] = min(bounds[winner, loser], reach)
    if connected_components(np.isfinite(bounds), connection="strong", return_labels=False) > 1:
        return False
    if not ties.any():
        return True
    try:
        floyd_warshall(bounds)
    except NegativeCycleError:
        return True
    return False


def _more(met: Bools, with_ties: bool) -> Floats:
    """Half a comparison for every pair that met, spread evenly over its outcomes: (3, pairs)."""
    shares = np.array([1.0, 1.0, 1.0]) / 3 if with_ties else np.array([0.5, 0.5, 0.0])
    return PSEUDO * shares[:, None] * met[None, :]


def _fit(
    players: int, pairs: Pairs, wins: Floats, losses: Floats, ties: Floats, *, with_ties: bool
) -> tuple[Floats, Floats]:
    """Newton's method on counts (fits, pairs), all fits at once: strengths (fits, players) and log ν (fits,)."""
    fits = wins.shape[0]
    incidence = np.zeros((len(pairs), players))
    for place, (i, j) in enumerate(pairs):
        incidence[place, i], incidence[place, j] = 1.0, -1.0
    theta, log_ties = np.zeros((fits, players)), np.full(fits, 0.0 if with_ties else -np.inf)
    total = wins + losses + ties
    for _ in range(200):
        win, loss, tie = _chances(theta @ incidence.T, log_ties)
        lead = win - loss
        gradient = np.empty((fits, players + 1))
        gradient[:, :players] = ((wins - losses) / 2 - total * lead / 2) @ incidence
        gradient[:, players] = (ties - total * tie).sum(axis=1)
        curved = np.empty((fits, players + 1, players + 1))
        across = total * (win + loss - lead**2) / 4
        # The constant on strengths holds their mean at 0.
        curved[:, :players, :players] = np.einsum("fp,pi,pj->fij", across, incidence, incidence) + 1.0
        mixed = -(total * tie * lead / 2) @ incidence
        curved[:, :players, players], curved[:, players, :players] = mixed, mixed
        curved[:, players, players] = (total * tie * (1 - tie)).sum(axis=1) + (0.0 if with_ties else 1.0)
        step = np.linalg.solve(curved, gradient[:, :, None])[:, :, 0]
        furthest = np.abs(step).max(axis=1)
        # A long step can overshoot where the curve is flat; the likelihood is concave, so shorter ones arrive.
        step *= np.minimum(1.0, 2.0 / np.maximum(furthest, 1e-300))[:, None]
        theta = theta + step[:, :players]
        log_ties = log_ties + step[:, players] if with_ties else log_ties
        if furthest.max() < 1e-11:
            break
    return theta - theta.mean(axis=1, keepdims=True), log_ties


def _chances(difference: Floats, log_ties: Floats) -> tuple[Floats, Floats, Floats]:
    """The chances of a win, a loss and a tie at differences of strength (fits, pairs)."""
    tied = np.broadcast_to(log_ties[:, None], difference.shape)
    largest = np.maximum(np.abs(difference) / 2, tied)
    win, loss, tie = np.exp(difference / 2 - largest), np.exp(-difference / 2 - largest), np.exp(tied - largest)
    total = win + loss + tie
    return win / total, loss / total, tie / total


def _resampled(
    players: int, pairs: Pairs, outcomes: Floats, rng: np.random.Generator, resamples: int, *, with_ties: bool
) -> Floats:
    """Strengths (resamples, players) of bootstrap samples of the prompts; `outcomes` is (3, n, pairs)."""
    n = outcomes.shape[1]
    more = _more(outcomes.sum(axis=(0, 1)) > 0, with_ties)
    size = max(1, BLOCK // n)
    found = []
    for first in range(0, resamples, size):
        count = min(size, resamples - first)
        places = rng.integers(0, n, (count, n)) + n * np.arange(count)[:, None]
        weights = np.bincount(places.ravel(), minlength=count * n).reshape(count, n).astype(np.float64)
        found.append(_fit(players, pairs, *(weights @ outcomes + more[:, None, :]), with_ties=with_ties)[0])
    return np.concatenate(found)


def _apart(strengths: Floats, drawn: Floats, n: int, level: float) -> Bools:
    """Which differences exceed what the largest of all does by chance (max-T), as a symmetric matrix.

    The bound is a quantile of bootstrap samples with a known error; Student's at the same tail allows for its estimate.
    """
    spread = drawn[:, :, None] - drawn[:, None, :]
    drawn_errors = spread.std(axis=0, ddof=1)
    # A bootstrap sample varies with the divisor n.
    errors = drawn_errors * np.sqrt(n / (n - 1))
    off = np.abs(spread - spread.mean(axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        largest = np.where(errors > EQUAL, off / drawn_errors, 0.0).max(axis=(1, 2))
        seen = np.abs(strengths[:, None] - strengths[None, :]) / errors
    bound = -float(stdtrit(n - 1, ndtr(-np.quantile(largest, level))))
    apart: Bools = (errors > EQUAL) & (seen > bound)
    return apart


def _ranks(strengths: Floats) -> NDArray[np.int64]:
    ranks: NDArray[np.int64] = 1 + (strengths[None, :] > strengths[:, None] + EQUAL).sum(axis=1)
    return ranks


def _best(drawn: Floats) -> Floats:
    first = drawn >= drawn.max(axis=1, keepdims=True) - EQUAL
    shares: Floats = (first / first.sum(axis=1, keepdims=True)).mean(axis=0)
    return shares
