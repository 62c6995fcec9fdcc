"""Which rows of tokens are read in one forward pass: by families or by length alone, whichever reads less.

What the rows of a family share is read once, in a pass of its own before theirs. That spares tokens, and costs a pass
and the padding that company of uneven length brings: plans of both kinds are made, and the shortest is taken. Pure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.models.prefixes import Family, families

Member = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one batch may hold: `rows` of them, `tokens` read in one pass, and `held` with what was read before.

    All with padding; a family is parted only where it holds more by itself. A row that is longer than `short` stands
    alone: its positions depend on the longest row of its batch. `each` is what a forward pass costs beside its tokens,
    in tokens: layer by layer there is as much to call for few as for many.
    """

    rows: int
    tokens: int
    held: int
    each: int
    short: int | None = None

    def allow(self, rows: int, longest: int, read: int) -> bool:
        """Whether so many rows may stand in one batch that reads so many tokens in a pass."""
        if self.short is not None and longest > self.short:
            return rows == 1
        return rows <= self.rows and rows * longest <= self.held and read <= self.tokens


def planned(
    rows: Sequence[list[int]], tails: Sequence[int], known: int, limits: Limits, *, sharing: bool
) -> list[list[Member]]:
    """The rows in batches of (row, family, tokens shared in the family); rows of one family stand together.

    `known` tokens, which all rows begin with, have been read before; a row's tail is what may not be shared. Families
    come by their longest rows or by what is left of them, the longest first.
    """
    single = [
        Family(shared=known, members=(index,)) for index in sorted(range(len(rows)), key=lambda at: -len(rows[at]))
    ]
    plans = [list(_batches(rows, single, limits, known))]
    if sharing:
        found = families(rows, known, tails)
        rests = {family: max(len(rows[index]) for index in family.members) - family.shared for family in found}
        for order in (found, sorted(found, key=lambda family: -rests[family])):
            plans.append(list(_batches(rows, order, limits, known)))
    return min(plans, key=lambda plan: sum(cost(rows, tails, batch, known, limits.each) for batch in plan))


@dataclass(slots=True)
class _Batch:
    """A batch under way: how many families, how long the longest row, the most shared, the most a row has beyond it."""

    known: int
    members: list[Member] = field(default_factory=list)
    families: int = 0
    longest: int = 0
    shared: int = 0
    rest: int = 0

    def taken(self, number: int, family: Family, lengths: Sequence[int]) -> _Batch:
        """With (some of) a family's members, whose lengths are given."""
        members = [(index, number, family.shared) for index in family.members]
        return _Batch(
            known=self.known,
            members=self.members + members,
            families=self.families + 1,
            longest=max(self.longest, *lengths),
            shared=max(self.shared, family.shared - self.known),
            rest=max(self.rest, max(lengths) - family.shared),
        )

    def within(self, limits: Limits) -> bool:
        """Whether it keeps the limits; what stands alone does."""
        read = max(self.families * self.shared, len(self.members) * self.rest)
        return len(self.members) == 1 or limits.allow(len(self.members), self.longest, read)


def _batches(rows: Sequence[list[int]], found: Sequence[Family], limits: Limits, known: int) -> Iterator[list[Member]]:
    batch = _Batch(known=known)
    waiting = deque(enumerate(found))
    while waiting:
        number, family = waiting.popleft()
        larger = batch.taken(number, family, [len(rows[index]) for index in family.members])
        if larger.within(limits):
            batch = larger
        elif batch.members:
            yield batch.members
            batch = _Batch(known=known)
            waiting.appendleft((number, family))
        else:
            middle = len(family.members) // 2
            halves = (family.members[:middle], family.members[middle:])
            waiting.extendleft((number, replace(family, members=half)) for half in reversed(halves))
    if batch.members:
        yield batch.members


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
