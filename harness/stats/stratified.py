"""The mean of a whole set from a stratified draw of it, without replacement: what was not drawn is all that is unknown.

Cochran 1977, Sampling Techniques, ch. 5: every stratum's mean counts by its size, and its variance by the share that
was not drawn. This speaks of these very items alone, not of others like them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from harness.stats.intervals import TOLERANCE


@dataclass(frozen=True, kw_only=True, slots=True)
class WholeSet:
    """The estimated mean of all `total` items from `n` drawn ones; se and ci are None where `reason` says why."""

    n: int
    total: int
    mean: float | None
    se: float | None = None
    ci: tuple[float, float] | None = None
    reason: str | None = None


def of_whole(
    drawn: Mapping[str, Sequence[float]],
    sizes: Mapping[str, int],
    *,
    bounds: tuple[float, float] | None = None,
    level: float = 0.95,
) -> WholeSet:
    """The mean of a set from values drawn by category; `sizes` holds every category's size.

    Student's interval on n less the number of categories degrees of freedom: in simulations it holds the mean of values
    that lie evenly around theirs 95 times in 100, of skewed ones 92 times where two of ten were drawn a category.
    A category with one value borrows the spread of the others (pooled). `bounds` clips the interval to the range of a
    value. Raises ValueError where more is drawn than there is, or a value is not finite.
    """
    total, n = sum(sizes.values()), sum(map(len, drawn.values()))
    if any(len(values) > sizes.get(name, 0) for name, values in drawn.items()):
        raise ValueError("more was drawn from a category than it holds")
    if not all(math.isfinite(value) for values in drawn.values() for value in values):
        raise ValueError("a value is not finite")
    lacking = _lacking(drawn, sizes, n)
    if lacking is not None:
        return WholeSet(n=n, total=total, mean=None, reason=lacking)
    means = {name: math.fsum(values) / len(values) for name, values in drawn.items() if values}
    mean = math.fsum(sizes[name] / total * means[name] for name in means)
    if n == total:
        return WholeSet(n=n, total=total, mean=mean, se=0.0, ci=(mean, mean))
    freedom = n - len(means)
    if freedom < 1:
        return WholeSet(n=n, total=total, mean=mean, reason="one value a category gives no interval")
    squares = {name: float(np.sum((np.asarray(drawn[name]) - means[name]) ** 2)) for name in means}
    pooled = math.fsum(squares.values()) / freedom
    # A mean of equal values may miss them by the last bit, which is no spread.
    if all(float(np.ptp(drawn[name])) <= TOLERANCE for name in means):
        what = "all values of a category are equal" if len(means) > 1 else "all values are equal"
        return WholeSet(n=n, total=total, mean=mean, reason=f"{what}: a spread of 0 is no certainty")
    parts = []
    for name in means:
        size, count = sizes[name], len(drawn[name])
        spread = squares[name] / (count - 1) if count > 1 else pooled
        parts.append((size / total) ** 2 * (1 - count / size) * spread / count)
    se = math.sqrt(math.fsum(parts))
    half = float(stdtrit(freedom, (1 + level) / 2)) * se
    low, high = bounds if bounds is not None else (-math.inf, math.inf)
    return WholeSet(n=n, total=total, mean=mean, se=se, ci=(max(low, mean - half), min(high, mean + half)))


def _lacking(drawn: Mapping[str, Sequence[float]], sizes: Mapping[str, int], n: int) -> str | None:
    """Why the whole cannot be told from a draw; None where it can."""
    if not n:
        return "nothing was drawn"
    empty = sum(size > 0 and not drawn.get(name) for name, size in sizes.items())
    if empty:
        return f"nothing was drawn of {empty} {'category' if empty == 1 else 'categories'}"
    return None
