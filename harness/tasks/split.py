"""Which items are held out: stratified, seeded, and with equal texts together. Pure: strata and groups in, arrays out.

Items come as two sequences: the stratum of each (a label, or a combination of labels) and its group (the key of its
text, say). A group is never split up. What is drawn depends on the groups and the generator alone, not on the order of
the rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Stratum = tuple[str, ...]
POOL: Stratum = ("\x00 rare",)


@dataclass(frozen=True, slots=True)
class _Group:
    """Items that go together, and the stratum that most of them have."""

    stratum: Stratum
    members: tuple[int, ...]


def folds(strata: Sequence[Stratum], groups: Sequence[str], k: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The fold (0 to k − 1) of each item.

    Where every group is one item, a stratum's counts in two folds differ by at most one, and so do the folds' sizes.
    Strata with fewer groups than folds are dealt out as one. Raises ValueError where k < 2, or where there are fewer
    groups than folds.
    """
    made = _groups(strata, groups)
    if k < 2:
        raise ValueError(f"there must be at least 2 folds, found {k}")
    if len(made) < k:
        raise ValueError(f"{k} folds need at least {k} different texts, found {len(made)}")
    found = np.full(len(strata), -1, dtype=np.int64)
    total = np.zeros(k)
    for rows in _drawn(made, k, rng).values():
        here = np.zeros(k)
        # The largest first, so that single items even out what large groups leave.
        for group in sorted(rows, key=lambda each: -len(each.members)):
            ties = rng.permutation(k)
            fold = ties[np.lexsort((total[ties], here[ties]))[0]]
            found[list(group.members)] = fold
            here[fold] += len(group.members)
            total[fold] += len(group.members)
    return found


def holdout(
    strata: Sequence[Stratum],
    groups: Sequence[str],
    count: int,
    rng: np.random.Generator,
    keep: Sequence[bool] | None = None,
) -> NDArray[np.bool_]:
    """Which items are held out: `count` of them, of each stratum its share to within one (largest remainders).

    Strata that would give less than one are drawn from as one, evenly. What `keep` marks, and what goes with it, is
    never held out. Fewer than `count` come out only where groups are too large to fit, or kept. Raises ValueError where
    `count` is not between 0 and the number of items.
    """
    n = len(strata)
    if not 0 <= count <= n:
        raise ValueError(f"between 0 and {n} items can be held out, found {count}")
    taken = np.zeros(n, dtype=bool)
    if not count:
        return taken
    fixed = np.zeros(n, dtype=bool) if keep is None else np.asarray(keep, dtype=bool)
    drawn = _drawn(_groups(strata, groups), n / count, rng)
    room = _quotas({name: sum(len(group.members) for group in rows) for name, rows in drawn.items()}, count, rng)
    for name, rows in drawn.items():
        free = [group for group in rows if not fixed[list(group.members)].any()]
        left = room[name]
        for group in _spread(free, left, rng) if name == POOL else free:
            if len(group.members) <= left:
                taken[list(group.members)] = True
                left -= len(group.members)
    return taken


def rare(strata: Sequence[Stratum], groups: Sequence[str], least: float) -> dict[Stratum, int]:
    """The strata with fewer groups than `least`, which are drawn from as one, and how many items each has."""
    made = _groups(strata, groups)
    small = _small(made, least)
    return {name: sum(len(g.members) for g in made if g.stratum == name) for name in sorted(small)}


def _groups(strata: Sequence[Stratum], groups: Sequence[str]) -> list[_Group]:
    """The groups by key. Raises ValueError where the lengths differ."""
    members: dict[str, list[int]] = {}
    for place, (_, key) in enumerate(zip(strata, groups, strict=True)):
        members.setdefault(key, []).append(place)
    made = []
    for key in sorted(members):
        made.append(_Group(_most([strata[place] for place in members[key]]), tuple(members[key])))
    return made


def _most(strata: Sequence[Stratum]) -> Stratum:
    """The most frequent; of equals the first by name."""
    if len(strata) == 1:
        return strata[0]
    counts = Counter(strata)
    return min(counts, key=lambda name: (-counts[name], name))


def _small(made: Sequence[_Group], least: float) -> set[Stratum]:
    sizes = Counter(group.stratum for group in made)
    small = {name for name, size in sizes.items() if size < least}
    # One alone is a stratum like any other.
    return small if len(small) > 1 else set()


def _drawn(made: Sequence[_Group], least: float, rng: np.random.Generator) -> dict[Stratum, list[_Group]]:
    """The groups of every stratum in random order; rare strata, one after the other, as POOL: neighbours are alike."""
    small = _small(made, least)
    by: dict[Stratum, list[_Group]] = {}
    for group in made:
        by.setdefault(group.stratum, []).append(group)
    drawn: dict[Stratum, list[_Group]] = {}
    for name in sorted(by):
        rows = [by[name][place] for place in rng.permutation(len(by[name]))]
        drawn.setdefault(POOL if name in small else name, []).extend(rows)
    return drawn


def _quotas(sizes: Mapping[Stratum, int], count: int, rng: np.random.Generator) -> dict[Stratum, int]:
    """`count` shared out by size: the whole parts, then the largest remainders (Hamilton's method), ties at random."""
    names = list(sizes)
    exact = np.array([sizes[name] for name in names]) * count / sum(sizes.values())
    whole = np.floor(exact + 1e-9).astype(int)
    order = np.lexsort((rng.random(len(names)), -np.round(exact - whole, 9)))
    whole[order[: count - whole.sum()]] += 1
    return dict(zip(names, whole.tolist(), strict=True))


def _spread(rows: Sequence[_Group], count: int, rng: np.random.Generator) -> list[_Group]:
    """`rows` with `count` evenly spaced ones first, from a random start (systematic sampling)."""
    n = len(rows)
    if not 0 < count < n:
        return list(rows)
    first = np.floor((np.arange(count) + rng.random()) * n / count).astype(int).tolist()
    chosen = {*first}
    rest = [int(place) for place in rng.permutation(n) if place not in chosen]
    return [rows[place] for place in (*first, *rest)]
