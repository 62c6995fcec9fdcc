"""Krippendorff's alpha of any number of judges, some of whose verdicts may be missing.

Nominal: verdicts are equal or not. Alpha sums up, prompt by prompt, how many pairs of verdicts differ, and what was
said; few such patterns occur, so a resample draws how often each does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.stats.agreement import Codes, checked, renumbered, too_few, unit_places

Array = NDArray[np.float64]
# Drawing the count of a pattern costs about as much as drawing this many units.
_COST = 30
# Draws at a time: few enough to stay in a processor's cache.
_CHUNK = 50_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Alpha:
    """Alpha over the `n` prompts with two or more verdicts.

    `reason` says why `value` is None, `unsafe` why `ci` should not be trusted or is None.
    """

    value: float | None
    ci: tuple[float, float] | None
    n: int
    reason: str | None
    unsafe: str | None


def krippendorff_alpha(codes: Codes, categories: int) -> float | None:
    """Nominal alpha of codes (judges, prompts), −1 where a verdict is missing.

    Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", D. None below two prompts with two verdicts, and
    where one category alone occurs. Raises ValueError where a code is no category.
    """
    tallies, _ = _tallies(checked(codes, categories), categories)
    if _reason(tallies):
        return None
    return float(_alpha(_parts(tallies).sum(axis=0)))


def alpha_with_interval(
    codes: Codes,
    categories: int,
    *,
    rng: np.random.Generator,
    resamples: int = 2000,
    clusters: NDArray[Any] | None = None,
) -> Alpha:
    """Alpha with a bootstrap interval over prompts, or over their `clusters` (prompts,).

    The percentile interval, drawn from the prompts and two more that hold every pair of categories alike: without
    them, rare verdicts that the sample lacks could never be drawn, and where all agree there would be no interval at
    all. An added prompt weighs as much as a mean unit. The interval holds the figure itself. Raises ValueError where a
    code is no category, or `clusters` are not one a prompt.
    """
    tallies, told = _tallies(checked(codes, categories), categories)
    groups = renumbered(unit_places(clusters, codes.shape[1])[told])
    n = int(tallies.shape[0])
    reason = _reason(tallies)
    if reason:
        return Alpha(value=None, ci=None, n=n, reason=reason, unsafe=None)
    parts = _parts(tallies)
    value = float(_alpha(parts.sum(axis=0)))
    units = int(groups.max()) + 1
    if units < 2:
        return Alpha(value=value, ci=None, n=n, reason=None, unsafe="all prompts are in one cluster: no interval")
    sums = np.stack([np.bincount(groups, weights=column).astype(np.float64) for column in parts.T], axis=1)
    drawn = _alpha(_resampled(sums, rng, resamples))
    low, high = np.quantile(drawn[np.isfinite(drawn)], [0.025, 0.975])
    ci = (min(value, float(low)), max(value, float(high)))
    return Alpha(value=value, ci=ci, n=n, reason=None, unsafe=_unsafe(tallies, units))


def _tallies(codes: Codes, categories: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """How many judges said what (prompts, used categories) of prompts with two or more verdicts, and which those are.

    The most frequent category comes first: its name must not decide what is drawn.
    """
    every = np.stack([(codes == category).sum(axis=0) for category in range(categories)], axis=1)
    told = every.sum(axis=1) >= 2
    tallies = every[told]
    totals = tallies.sum(axis=0)
    order = np.argsort(-totals, kind="stable")
    return tallies[:, order[: np.count_nonzero(totals)]], told


def _reason(tallies: NDArray[np.int64]) -> str | None:
    n, used = tallies.shape
    if n == 0:
        return "no prompt has two verdicts"
    if n == 1:
        return "one prompt with two verdicts says nothing of chance (n = 1)"
    if used == 1:
        return f"all verdicts on {n:,} prompts are the same, so agreement by chance is certain"
    return None


def _unsafe(tallies: NDArray[np.int64], units: int) -> str | None:
    n = int(tallies.shape[0])
    totals = tallies.sum(axis=0)
    rest = round(n * (1 - float(totals[0] / totals.sum())), 1)
    return too_few(rest, n, units, "on average a judge said anything but the most frequent verdict on only")


def _parts(tallies: NDArray[np.int64]) -> Array:
    """What alpha sums up over prompts (prompts, 1 + categories): pairs that differ, and verdicts by category."""
    verdicts = tallies.sum(axis=1)
    differing = (verdicts**2 - (tallies**2).sum(axis=1)) / (verdicts - 1)
    return np.column_stack([differing, tallies]).astype(np.float64)


def _alpha(sums: Array) -> Array:
    """Alpha from sums of parts (…, 1 + categories); not finite where one category alone occurs."""
    totals = sums[..., 1:]
    verdicts = totals.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Array = 1 - (verdicts - 1) * sums[..., 0] / (verdicts**2 - (totals**2).sum(axis=-1))
    return found


def _resampled(sums: Array, rng: np.random.Generator, resamples: int) -> Array:
    """Sums (resamples, 1 + k) of as many units as there are, drawn from `sums` (units, 1 + k) and two added ones."""
    units, k = sums.shape[0], sums.shape[1] - 1
    added = _every_pair(k) * (sums[:, 1:].sum() / units)
    distinct, counts = np.unique(sums, axis=0, return_counts=True)
    # Every pair is 2 / k² of a unit; counted in k²-ths, draws stay integers.
    if distinct.shape[0] * _COST <= units:
        weights = np.append(counts * k**2, np.full(k**2, 2))
        drawn: Array = rng.multinomial(units, weights / weights.sum(), size=resamples) @ np.vstack([distinct, added])
        return drawn
    pool = np.vstack([np.repeat(distinct, counts, axis=0), added])
    rows = max(1, _CHUNK // units)
    found = np.empty((resamples, 1 + k))
    for start in range(0, resamples, rows):
        stop = min(resamples, start + rows)
        places = rng.integers(0, (units + 2) * k**2, size=(stop - start, units))
        places = np.where(places < units * k**2, places // k**2, units + (places - units * k**2) // 2)
        for column in range(1 + k):
            found[start:stop, column] = pool[:, column].take(places).sum(axis=1)
    return found


def _every_pair(k: int) -> Array:
    """The parts of one prompt for every pair of categories (k², 1 + k), as shares of its verdicts."""
    first, second = (place.ravel() for place in np.indices((k, k)))
    tallies = (np.eye(k)[first] + np.eye(k)[second]) / 2
    return np.column_stack([first != second, tallies]).astype(np.float64)
