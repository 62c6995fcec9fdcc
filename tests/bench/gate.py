"""What the regression gate promises, simulated: how often a true loss of the margin passes, and what no loss needs.

Pure: populations and draws in, rows for a table out; no clock and no file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.stats.careful import exceeds, of_clusters, of_counts, of_values, student
from harness.stats.noninferiority import ALPHA, POWER, prompts_needed

Floats = NDArray[np.float64]
SIZES = (30, 57, 100, 300, 1000)
MARGINS = (0.03, 0.05, 0.1)
DRAWS = 20_000
MOST = 0.055
FIVE = (0.0, 0.25, 0.5, 0.75, 1.0)
EVEN = (0.15, 0.2, 0.3, 0.2, 0.15)
HIGH = (0.02, 0.03, 0.1, 0.25, 0.6)


@dataclass(frozen=True, kw_only=True, slots=True)
class Population:
    """Differences new − old per prompt: `values` with their `shares`, and the lowest that there can be."""

    name: str
    values: Floats
    shares: Floats
    lowest: float

    @property
    def mean(self) -> float:
        return float(self.values @ self.shares)

    @property
    def sd(self) -> float:
        return float(np.sqrt(self.shares @ (self.values - self.mean) ** 2))


def populations(loss: float) -> Iterator[Population]:
    """Every population of the grid whose mean is −loss."""
    yield from _accuracy(loss)
    yield from _win_rates(loss)
    yield from _pairwise(loss)
    yield from _lopsided(loss)


def _accuracy(loss: float) -> Iterator[Population]:
    """Right and wrong on both sides; the prompts told apart grow from the lost ones alone to 40 %."""
    for apart in sorted({loss, 1.5 * loss, 0.06, 0.1, 0.2, 0.3, 0.4}):
        if apart >= loss and apart > 0:
            name = f"accuracy, {100 * apart:g} % told apart" + (", all lost" if apart == loss else "")
            yield _population(name, {-1: (apart + loss) / 2, 1: (apart - loss) / 2}, lowest=-1)


def _win_rates(loss: float) -> Iterator[Population]:
    """Scores against 1/2: wins and losses, with ties."""
    for ties in (0, 0.2, 0.5, 0.8):
        won = (1 - ties) / 2 - loss
        if won >= 0:
            yield _population(f"win rate, {100 * ties:g} % ties", {-0.5: 1 - ties - won, 0.5: won}, lowest=-0.5)
    if loss:
        yield _population("win rate, ties and losses alone", {-0.5: 2 * loss}, lowest=-0.5)
        yield _population("win rate, ties and narrow losses alone", {-0.25: 4 * loss}, lowest=-0.5)
    narrow = 2 * (loss + 0.25 * 0.3)
    yield _population("win rate, 30 % narrow wins", {-0.5: narrow, 0.25: 0.3}, lowest=-0.5)
    even = dict(zip(FIVE, _lowered(EVEN, loss), strict=True))
    yield _population("win rate, five scores", {score - 0.5: share for score, share in even.items()}, lowest=-0.5)


def _pairwise(loss: float) -> Iterator[Population]:
    """Two runs with scores of 0, 1/4 … 1 against a common baseline; a share of the prompts may score alike in both."""
    for name, old, alike in (("even", EVEN, 0.0), ("high", HIGH, 0.0), ("high", HIGH, 0.4), ("high", HIGH, 0.7)):
        if loss / (1 - alike) <= old[4]:
            shares: dict[float, float] = {}
            for score, share in zip(FIVE, _lowered(old, loss / (1 - alike)), strict=True):
                for other, weight in zip(FIVE, old, strict=True):
                    shares[score - other] = shares.get(score - other, 0.0) + (1 - alike) * share * weight
            shares[0.0] += alike
            said = f", {100 * alike:g} % alike" if alike else ""
            yield _population(f"pairwise scores, {name}{said}", shares, lowest=-1)


def _lopsided(loss: float) -> Iterator[Population]:
    """Small gains and losses everywhere, great losses rarely: what a small sample may not have seen."""
    for step, share in ((0.25, 0.1), (0.25, 0.2), (0.25, 0.4), (0.5, 0.1), (0.5, 0.2)):
        name = f"pairwise scores, ±{step:g} on {100 * share:g} % each, 1 lost rarely"
        yield _population(name, {-1: loss, -step: share, step: share}, lowest=-1)
    yield _population("pairwise scores, 40 % gain 0.25, 1 lost rarely", {-1: loss + 0.1, 0.25: 0.4}, lowest=-1)
    if loss:
        few = {-1: loss + 0.05, -0.25: 0.2, 0.25: 0.4}
        yield _population("pairwise scores, 40 % gain, 20 % lose 0.25, 1 lost rarely", few, lowest=-1)


def _lowered(shares: tuple[float, ...], loss: float) -> Floats:
    """Shares of five scores with a mean that is lower by `loss`: the best become the worst."""
    return np.array(shares) + np.array([loss, 0, 0, 0, -loss])


def _population(name: str, shares: dict[float, float], *, lowest: float) -> Population:
    """The rest of the prompts has no difference."""
    whole = {0.0: 0.0, **shares}
    whole[0.0] += 1 - sum(whole.values())
    values = np.array(sorted(whole), dtype=np.float64)
    found = np.array([whole[value] for value in values.tolist()])
    return Population(name=name, values=values, shares=np.maximum(found, 0.0), lowest=lowest)


def pass_rate(
    population: Population, n: int, margin: float, rng: np.random.Generator, draws: int = DRAWS
) -> tuple[float, float]:
    """How often n prompts of the population pass: at the gate, and by Student's bound alone."""
    drawn = rng.multinomial(n, population.shares / population.shares.sum(), size=draws)
    distinct, times = np.unique(drawn, axis=0, return_counts=True)
    samples = of_counts(population.values, distinct.astype(np.float64))
    gate = exceeds(samples, -margin, population.lowest) < ALPHA
    alone = student(samples, -margin) < ALPHA
    return float(gate @ times / draws), float(alone @ times / draws)


def sizes(
    rng: np.random.Generator,
    *,
    draws: int = DRAWS,
    prompts: tuple[int, ...] = SIZES,
    margins: tuple[float, ...] = MARGINS,
) -> list[dict[str, Any]]:
    """One row a cell: how often a true loss equal to the margin passes."""
    rows = []
    for margin in margins:
        for population in populations(margin):
            for n in prompts:
                gate, alone = pass_rate(population, n, margin, rng, draws)
                cell = {"population": population.name, "margin": margin, "n": n, "draws": draws}
                rows.append({**cell, "passes": gate, "student_alone": alone})
    return rows


def clustered_sizes(
    rng: np.random.Generator, *, draws: int = 4000, margin: float = 0.05, size: int = 4
) -> list[dict[str, Any]]:
    """The same with clusters of `size` prompts, all alike or independent; 10 % gain, 10 % and the margin lose."""
    rows = []
    for alike in (True, False):
        for groups in (30, 100, 300):
            names = [str(place // size) for place in range(groups * size)]
            passed = 0
            for _ in range(draws):
                drawn = rng.random((groups, 1 if alike else size))
                values = np.where(drawn < 0.1 + margin, -1.0, np.where(drawn > 0.9, 1.0, 0.0))
                samples, lowest = of_clusters(np.broadcast_to(values, (groups, size)).ravel(), names, -1.0)
                passed += int(exceeds(samples, -margin, lowest)[0] < ALPHA)
            cell = {"clusters": groups, "size": size, "alike": alike, "margin": margin, "draws": draws}
            rows.append({**cell, "passes": passed / draws})
    return rows


def powers(
    rng: np.random.Generator, *, draws: int = DRAWS, margins: tuple[float, ...] = MARGINS
) -> list[dict[str, Any]]:
    """One row a population without any loss: the prompts of the formula, how often they pass, and how many would."""
    rows = []
    for margin in margins:
        for population in _lossless():
            formula = prompts_needed(population.sd, margin)
            passes = pass_rate(population, formula, margin, rng, draws)[0]
            found = _found(population, margin, rng, draws, formula)
            cell = {"population": population.name, "sd": population.sd, "margin": margin, "formula": formula}
            rows.append({**cell, "passes": passes, "simulated": found})
    return rows


def _lossless() -> Iterator[Population]:
    yield from (one for one in _accuracy(0.0) if one.sd > 0)
    yield from (one for one in _win_rates(0.0) if abs(one.mean) < 1e-12)
    yield from _pairwise(0.0)


def _found(population: Population, margin: float, rng: np.random.Generator, draws: int, start: int) -> int:
    """The prompts from which on 80 % pass, to within 3 %, as far as the draws tell."""
    low, high = 2, start
    while pass_rate(population, high, margin, rng, draws)[0] < POWER:
        low, high = high, int(high * 1.3) + 1
    low = max(low, int(high / 1.6))
    while high - low > max(1, 0.03 * high):
        middle = (low + high) // 2
        low, high = (low, middle) if pass_rate(population, middle, margin, rng, draws)[0] >= POWER else (middle, high)
    return high


def regular(rng: np.random.Generator, population: Population, n: int, draws: int = 400) -> Floats:
    """How much further than Student's the gate's lower bound lies, in half widths, for draws (draws,)."""
    from scipy.special import stdtrit

    from harness.stats.careful import lower_bound

    found = []
    for _ in range(draws):
        samples = of_values(rng.choice(population.values, p=population.shares / population.shares.sum(), size=n))
        half = float(samples.se[0] * stdtrit(n - 1, 1 - ALPHA))
        if half > 0:
            found.append((float(samples.mean[0]) - half - lower_bound(samples, population.lowest)) / half)
    return np.array(found)
