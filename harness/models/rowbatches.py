"""Which rows of tokens are read in one forward pass: by families or by length alone, whichever reads less.

What the rows of a family share is read once, in a pass of its own before theirs. That spares tokens, and costs a pass
and the padding that company of uneven length brings; both plans are made and the shorter one is taken. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.models.prefixes import Family, families

Member = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one batch may hold: `rows` of them, and with padding `tokens`, or `hard` where a family would be parted.

    A row that is longer than `short` stands alone: its positions depend on the longest row of its batch. `each` is what
    a forward pass costs beside its tokens, in tokens: layer by layer there is as much to call for few as for many.
    """

    rows: int
    tokens: int
    hard: int
    each: int
    short: int | None = None

    def allow(self, rows: int, longest: int, tokens: int) -> bool:
        """Whether so many rows may stand in one batch."""
        if self.short is not None and longest > self.short:
            return rows == 1
        return rows <= self.rows and rows * longest <= tokens


def planned(
    rows: Sequence[list[int]], tails: Sequence[int], known: int, limits: Limits, *, sharing: bool
) -> list[list[Member]]:
    """The rows in batches of (row, family, tokens shared in the family); rows of one family stand together.

    `known` tokens, which all rows begin with, have been read before; a row's tail is what may not be shared. Longest
    rows first.
    """
    single = [
        Family(shared=known, members=(index,)) for index in sorted(range(len(rows)), key=lambda at: -len(rows[at]))
    ]
    by_length = list(_batches(rows, single, limits))
    if not sharing:
        return by_length
    by_family = list(_batches(rows, families(rows, known, tails), limits))
    return min(
        by_length, by_family, key=lambda plan: sum(cost(rows, tails, batch, known, limits.each) for batch in plan)
    )


def _batches(rows: Sequence[list[int]], found: Sequence[Family], limits: Limits) -> Iterator[list[Member]]:
    batch: list[Member] = []
    longest = 0
    for number, family in enumerate(found):
        most = max(longest, *(len(rows[index]) for index in family.members))
        if batch and not limits.allow(len(batch) + len(family.members), most, limits.tokens):
            yield batch
            batch, longest = [], 0
        for index in family.members:
            if batch and not limits.allow(len(batch) + 1, max(longest, len(rows[index])), limits.hard):
                yield batch
                batch, longest = [], 0
            batch.append((index, number, family.shared))
            longest = max(longest, len(rows[index]))
    if batch:
        yield batch


@dataclass(frozen=True, kw_only=True, slots=True)
class Passes:
    """How a batch is read: what families share (a segment for each), then every row's rest after its `parent`.

    Without segments every row is read whole, after what is known.
    """

    segments: list[list[int]]
    parents: list[int]
    rests: list[list[int]]


def passes(
    rows: Sequence[list[int]], tails: Sequence[int] | Mapping[int, int], batch: Sequence[Member], known: int
) -> Passes:
    """The passes in which a batch is read."""
    members = [rows[index] for index, _, _ in batch]
    numbers = list(dict.fromkeys(number for _, number, _ in batch))
    place = {number: at for at, number in enumerate(numbers)}
    parents = [place[number] for _, number, _ in batch]
    firsts = [parents.index(parent) for parent in range(len(numbers))]
    shared = [batch[first][2] for first in firsts]
    if len(numbers) == len(batch) or max(shared) == known:
        return Passes(segments=[], parents=[0] * len(batch), rests=[row[known:] for row in members])
    for parent, first in enumerate(firsts):
        # A row on its own may be cut anywhere: where the others are, the least is padded.
        if parents.count(parent) == 1:
            shared[parent] = max(known, min(max(shared), len(members[first]) - tails[batch[first][0]]))
    return Passes(
        segments=[members[first][known:to] for first, to in zip(firsts, shared, strict=True)],
        parents=parents,
        rests=[row[shared[parent] :] for row, parent in zip(members, parents, strict=True)],
    )


def cost(rows: Sequence[list[int]], tails: Sequence[int], batch: Sequence[Member], known: int, each: int) -> int:
    """The tokens that reading a batch takes, padding among them, and `each` for every pass."""
    found = passes(rows, tails, batch, known)
    return sum(each + len(part) * max(map(len, part)) for part in (found.segments, found.rests) if part)
