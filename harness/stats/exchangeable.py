"""Whether one thing of a group stands out from the others of it, over many groups: arrays in, values out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def as_few(single: NDArray[np.bool_], hits: NDArray[np.int64], sizes: NDArray[np.int64]) -> float:
    """The one-sided p-value of so few hits among singled-out members, one of each of n groups.

    `single` (n,) says whether the singled-out member is a hit, `hits` (n,) how many of the group's `sizes` members
    are, it among them. Where members are exchangeable, the singled-out one is a hit with probability hits / size
    whatever the groups' own rates, and the sum over groups is Poisson-binomial: the exact conditional test of several
    2 × 2 tables, each with a row of size 1 (Cox & Snell 1989, Analysis of Binary Data, ch. 2). 1 without a group.
    Raises ValueError where a count does not fit its group.
    """
    others = hits - single
    if not (single.shape == hits.shape == sizes.shape) or (others < 0).any() or (others > sizes - 1).any():
        raise ValueError("every group needs its size, and hits that fit into it")
    chances = np.ones(1)
    for rate in hits / sizes:
        chances = np.convolve(chances, [1 - rate, rate])
    return float(min(1.0, chances[: int(single.sum()) + 1].sum()))
