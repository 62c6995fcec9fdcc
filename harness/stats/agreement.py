"""How far two judges agree on the same prompts: counts, Cohen's kappa and Gwet's AC1, each with its interval.

Verdicts are codes: −1 is missing, 0 … k − 1 are categories. The prompt, or its cluster, is the unit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

Array = NDArray[np.float64]
Places = NDArray[np.intp]
Codes = NDArray[np.int8]
Interval = tuple[float, float]
# Ten in each of its two cells: below that beside a judge's most frequent verdict, no interval is promised to hold.
FEW = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class PairAgreement:
    """Two judges, a and b, on the `n` prompts that both scored.

    `table` counts (category of a, category of b); `shares_a` and `shares_b` are how often each says what (empty where
    n = 0). `reason` says why `kappa` and `ac1` are None, `unsafe` why the interval of kappa should not be trusted.
    """

    n: int
    agreement: float | None
    kappa: float | None
    kappa_ci: Interval | None
    ac1: float | None
    ac1_ci: Interval | None
    table: tuple[tuple[int, ...], ...]
    shares_a: tuple[float, ...]
    shares_b: tuple[float, ...]
    unsafe: str | None
    reason: str | None


def pair_agreement(a: Codes, b: Codes, categories: int, clusters: NDArray[Any] | None = None) -> PairAgreement:
    """Agreement of two rows of codes (prompts,), in the `clusters` (prompts,) of the same places.

    A prompt that either did not score is dropped; a category that neither used does not count. One cluster alone gives
    no interval. Raises ValueError where lengths differ or a code is no category.
    """
    if a.shape != b.shape:
        raise ValueError(f"judges with {a.size} and {b.size} codes have not seen the same prompts")
    codes = checked(np.stack([a, b]), categories)
    both = (codes >= 0).all(axis=0)
    left, right = codes[:, both].astype(np.intp)
    table = np.bincount(left * categories + right, minlength=categories**2).reshape(categories, categories)
    groups = renumbered(unit_places(clusters, a.size)[both])
    found = _chance_corrected(table, left, right, groups)
    n = int(left.size)
    shares_a, shares_b = (tuple(float(count / n) for count in table.sum(axis=axis)) if n else () for axis in (1, 0))
    return PairAgreement(
        n=n,
        agreement=float(np.trace(table) / n) if n else None,
        kappa=found[0][0],
        kappa_ci=found[0][1],
        ac1=found[1][0],
        ac1_ci=found[1][1],
        table=tuple(tuple(int(count) for count in row) for row in table),
        shares_a=shares_a,
        shares_b=shares_b,
        unsafe=None if found[0][0] is None else _unsafe(table, groups),
        reason=_reason(table),
    )


def _chance_corrected(
    table: NDArray[np.int64], left: Places, right: Places, groups: Places
) -> tuple[tuple[float | None, Interval | None], ...]:
    """(value, interval) of kappa and of AC1, over the categories that occur."""
    if _reason(table):
        return (None, None), (None, None)
    used = np.flatnonzero(table.sum(axis=0) + table.sum(axis=1))
    counts = table[np.ix_(used, used)].astype(np.float64)
    place = np.searchsorted(used, np.arange(table.shape[0]))
    rows = place[left], place[right]
    return tuple((measure(counts / counts.sum())[0], _interval(measure, counts, rows, groups)) for measure in MEASURES)


def cohen(cells: Array) -> tuple[float, Array]:
    """Cohen's kappa of a table of shares (k, k), and the influence of one prompt in each of its cells.

    Cohen 1960, 10.1177/001316446002000104. The mean square of the influence over n is the large-sample variance of
    Fleiss, Cohen & Everitt 1969, 10.1037/h0028106.
    """
    rows, columns = cells.sum(axis=1), cells.sum(axis=0)
    return _corrected(cells, float(rows @ columns), columns[:, None] + rows[None, :])


def gwet(cells: Array) -> tuple[float, Array]:
    """Gwet's AC1 of a table of shares (k, k), and the influence of each cell (2008, 10.1348/000711006X126600).

    Agreement by chance is Σ π(1 − π) / (k − 1) over the k ≥ 2 categories of the table, π being their mean shares. Only
    categories that either judge used belong in it: a third that nobody used would halve agreement by chance and raise
    AC1.
    """
    means = (cells.sum(axis=1) + cells.sum(axis=0)) / 2
    most = means.size - 1
    return _corrected(cells, float(means @ (1 - means)) / most, (1 - means[:, None] - means[None, :]) / most)


MEASURES = (cohen, gwet)


def _corrected(cells: Array, chance: float, slope: Array) -> tuple[float, Array]:
    """(observed − chance) / (1 − chance) with its influence; `slope` is the derivative of `chance` by each cell."""
    value = (float(np.trace(cells)) - chance) / (1 - chance)
    raw = (np.eye(cells.shape[0]) - (1 - value) * slope) / (1 - chance)
    return value, raw - float((cells * raw).sum())


def _interval(measure: Any, counts: Array, rows: tuple[Places, Places], groups: Places) -> Interval | None:
    """The delta method with two more prompts, spread evenly over the k² cells; Student's quantiles; clustered.

    What Agresti & Coull (1998, 10.1080/00031305.1998.10480550) do for a rate: without them the intervals of rare
    verdicts miss, and a variance of zero looks like certainty. Of those simulated it is the simplest that holds
    (`tests/bench/agreement.py`). An added prompt weighs as much as a mean cluster. The interval holds the figure.
    """
    units, n = int(groups.max()) + 1, float(counts.sum())
    if units < 2:
        return None
    weight, added = n / units, 2 / counts.size
    more = counts + added * weight
    centre, influence = measure(more / more.sum())
    sums = np.bincount(groups, weights=influence[rows])
    square = float(sums @ sums) + added * weight**2 * float((influence**2).sum())
    half = float(stdtrit(units - 1, 0.975)) * math.sqrt(square * units / (units - 1)) / float(more.sum())
    value = measure(counts / n)[0]
    return max(-1.0, min(value, centre - half)), min(1.0, max(value, centre + half))


def _reason(table: NDArray[np.int64]) -> str | None:
    n = int(table.sum())
    if n == 0:
        return "no prompt was scored by both judges"
    if n == 1:
        return "one prompt scored by both judges says nothing of chance (n = 1)"
    if np.count_nonzero(table.sum(axis=0) + table.sum(axis=1)) == 1:
        return f"both judges gave the same verdict on all {n:,} prompts, so agreement by chance is certain"
    return None


def _unsafe(table: NDArray[np.int64], groups: Places) -> str | None:
    n, units = int(table.sum()), int(groups.max()) + 1
    if units < 2:
        return "all prompts are in one cluster: no interval"
    rest = n - max(int(table.sum(axis=axis).max()) for axis in (0, 1))
    return too_few(rest, n, units, "one judge said anything but its most frequent verdict on only")


def too_few(rest: float, n: int, units: int, what: str, least: int = FEW) -> str | None:
    """The sentence of an interval that stands on fewer than `least` units: `rest` of n prompts in so many units."""
    if rest * units / n >= least:
        return None
    where = "" if units == n else f" in {units:,} cluster{'' if units == 1 else 's'}"
    of = f"{n:,} prompt{'' if n == 1 else 's'}"
    return f"{what} {in_count(rest)} of {of}{where}: the interval needs {least} to be relied on"


def in_count(count: float) -> str:
    """A count that may be a mean: "12", "9.5"."""
    return f"{count:,.1f}".removesuffix(".0")


def fleiss_kappa(codes: Codes, categories: int) -> float | None:
    """Fleiss' kappa of codes (judges, prompts) (1971, 10.1037/h0031619): None where some verdict is missing.

    Prompts without any verdict are left out. None too for fewer than two judges or prompts, and where one category
    alone occurs. Raises ValueError where a code is no category.
    """
    codes = checked(codes, categories)
    codes = codes[:, (codes >= 0).any(axis=0)]
    judges, n = codes.shape
    if judges < 2 or n < 2 or (codes < 0).any():
        return None
    counts = np.stack([(codes == category).sum(axis=0) for category in range(categories)])
    shares = counts.sum(axis=1) / (judges * n)
    if np.count_nonzero(shares) < 2:
        return None
    chance = float(shares @ shares)
    observed = (float((counts**2).sum()) / n - judges) / (judges * (judges - 1))
    return float((observed - chance) / (1 - chance))


def checked(codes: NDArray[Any], categories: int) -> NDArray[Any]:
    """Codes (judges, prompts) as they are. Raises ValueError where one is not −1 … categories − 1."""
    if codes.ndim != 2:
        raise ValueError("codes are one row a judge and one column a prompt")
    if not np.issubdtype(codes.dtype, np.integer) or (codes.size and (codes.min() < -1 or codes.max() >= categories)):
        raise ValueError(f"a code is −1 where a verdict is missing, or a category from 0 to {categories - 1}")
    return codes


def unit_places(clusters: NDArray[Any] | None, n: int) -> Places:
    """The place of every prompt's unit: its own, or its cluster's. Raises ValueError where a prompt has none."""
    if clusters is None:
        return np.arange(n)
    if clusters.shape != (n,):
        raise ValueError(f"{n} prompts need {n} clusters")
    return renumbered(clusters)


def renumbered(places: NDArray[Any]) -> Places:
    """The same groups as 0 … G − 1, without gaps."""
    return np.unique(places, return_inverse=True)[1].astype(np.intp)
