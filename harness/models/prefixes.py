"""Which rows of tokens begin alike, so that what they share is computed once. Pure: lists of whole numbers in and out.

A row is never shared to its end: its last token is looked at, or as many of its last ones as its tail says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """Rows (by index) whose first `shared` tokens are the same."""

    shared: int
    members: tuple[int, ...]


def alike(a: Sequence[int], b: Sequence[int]) -> int:
    """How many tokens two rows have in common from the first one on."""
    return next((place for place, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def root(rows: Sequence[Sequence[int]], tails: Sequence[int] | None = None) -> int:
    """How many tokens all rows begin with, no row's tail among them (by default its last token)."""
    shortest = min(len(row) - tail for row, tail in zip(rows, tails or [1] * len(rows), strict=True))
    return min(shortest, *(alike(rows[0], row) for row in rows))


def families(rows: Sequence[list[int]], known: int = 0, tails: Sequence[int] | None = None) -> list[Family]:
    """The rows in families, so that the most tokens beyond the first `known` are shared; the longest rows come first.

    No row's tail (by default its last token) is shared. Greedy: in the order of their tokens rows that begin alike are
    neighbours, and one joins the family before it where that shares no less than keeping it out.
    """
    found: list[Family] = []
    ends = [len(row) - tail for row, tail in zip(rows, tails or [1] * len(rows), strict=True)]
    for index in sorted(range(len(rows)), key=lambda index: rows[index]):
        family = found[-1] if found else None
        if family is not None:
            shared = min(family.shared, alike(rows[family.members[0]], rows[index]), ends[index])
            saved = (family.shared - known) * (len(family.members) - 1)
            if shared > known and (shared - known) * len(family.members) >= saved:
                found[-1] = Family(shared=shared, members=(*family.members, index))
                continue
        found.append(Family(shared=max(ends[index], known), members=(index,)))
    whole = [family if len(family.members) > 1 else Family(shared=known, members=family.members) for family in found]
    return sorted(whole, key=lambda family: -max(len(rows[index]) for index in family.members))
