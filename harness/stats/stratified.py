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


@dataclass(frozen=True, kw_only=True, slots=True)
class WholeSet:
    """The estimated mean of all `total` items from `n` drawn ones; se and ci are None where `reason` says why."""

    n: int
    total: int
    mean: float | None
    se: float | None = None
    ci: tuple[float, float] | None = None
    reason: str | None = None


def of_whole(drawn: Mapping[str, Sequence[float]], sizes: Mapping[str, int], *, level: float = 0.95) -> WholeSet:
    """The mean of a set from values drawn by stratum; `sizes` holds every stratum's size.

    Strata with one value borrow the spread of the others (pooled). Raises ValueError where more is drawn than there is.
    """
    total, n = sum(sizes.values()), sum(map(len, drawn.values()))
    if any(len(values) > sizes.get(name, 0) for name, values in drawn.items()):
        raise ValueError("more was drawn from a stratum than it holds")
    if not n:
        return WholeSet(n=0, total=total, mean=None, reason="nothing was drawn")
    empty = [name for name, size in sizes.items() if size and not drawn.get(name)]
    if empty:
        return WholeSet(
            n=n,
            total=total,
            mean=None,
            reason=f"nothing was drawn of {len(empty)} categories: the whole cannot be told",
        )
    means = {name: math.fsum(values) / len(values) for name, values in drawn.items() if values}
    mean = math.fsum(sizes[name] / total * means[name] for name in sorted(means))
    freedom = n - len(means)
    if freedom < 1:
        return WholeSet(n=n, total=total, mean=mean, reason="one value a category gives no interval")
    squares = {name: float(np.sum((np.asarray(drawn[name]) - means[name]) ** 2)) for name in means}
    pooled = math.fsum(squares.values()) / freedom
    if not pooled and n < total:
        return WholeSet(n=n, total=total, mean=mean, reason="all values are equal: a spread of 0 is no certainty")
    parts = []
    for name in sorted(means):
        size, count = sizes[name], len(drawn[name])
        spread = squares[name] / (count - 1) if count > 1 else pooled
        parts.append((size / total) ** 2 * (1 - count / size) * spread / count)
    se = math.sqrt(math.fsum(parts))
    half = float(stdtrit(freedom, (1 + level) / 2)) * se
    return WholeSet(n=n, total=total, mean=mean, se=se, ci=(mean - half, mean + half))
