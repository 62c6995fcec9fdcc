"""Which examples of which source are trained on, and in which order: pure and seeded.

A sample keeps the shares of a field's values where it is to be stratified. A mix keeps its ratios, and so does each
stage of a curriculum. What was asked for and cannot be had (a source that is too small) is left short, never made up
for silently: planned and actual counts stand side by side, and whoever trains compares them.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from train.examples import Example


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """All examples of one source; its ratio in a mix; whether they may be seen again where there are too few."""

    name: str
    rows: Sequence[Example]
    ratio: float | None = None
    repeat: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """From a fraction of the training on, the ratio of each source."""

    start: float
    ratios: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """Examples in their order, and how many of each source were planned."""

    rows: tuple[Example, ...]
    planned: Mapping[str, int]


def split(total: int, shares: Mapping[str, float]) -> dict[str, int]:
    """`total` in whole parts as near to the shares as can be (largest remainders; of equals the first)."""
    whole = sum(shares.values())
    exact = {name: total * share / whole for name, share in shares.items()} if whole else dict.fromkeys(shares, 0.0)
    parts = {name: int(value + 1e-9) for name, value in exact.items()}
    by_rest = sorted(exact, key=lambda name: parts[name] - exact[name])
    for name in by_rest[: total - sum(parts.values())] if whole else ():
        parts[name] += 1
    return parts


def sample(rows: Sequence[Example], count: int, rng: random.Random, *, stratified: bool = False) -> list[Example]:
    """`count` of the rows (all where there are fewer), in their own order; stratified: each stratum keeps its share."""
    if count >= len(rows):
        return list(rows)
    if not stratified:
        return [rows[place] for place in sorted(rng.sample(range(len(rows)), count))]
    strata: dict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        strata[row.stratum].append(place)
    parts = split(count, {name: len(places) for name, places in strata.items()})
    places = [place for name, held in strata.items() for place in rng.sample(held, parts[name])]
    return [rows[place] for place in sorted(places)]


def mixed(sources: Sequence[Source], sample_ratio: float, rng: random.Random, *, stratified: bool = False) -> Drawn:
    """A sample of the sources together, in their ratios where they have some, else each by its size."""
    planned = _wanted(sources, sample_ratio)
    rows: list[Example] = []
    for source in sources:
        rows += _drawn(source, planned[source.name], rng, stratified)
    return Drawn(rows=tuple(rows), planned=planned)


def laid_out(
    sources: Sequence[Source],
    stages: Sequence[Stage],
    sample_ratio: float,
    epochs: float,
    rng: random.Random,
    *,
    stratified: bool = False,
) -> Drawn:
    """A curriculum: all examples of all epochs in their order, each stage shuffled, with its own ratios.

    Each source is first sampled by `sample_ratio`; a round through it ends before its next one begins. A source
    gives each of its examples at most `epochs` times, unless it may repeat.
    """
    pools = {}
    for source in sources:
        held = sample(source.rows, round(sample_ratio * len(source.rows)), rng, stratified=stratified)
        pools[source.name] = _Pool(held, None if source.repeat else round(epochs * len(held)), rng)
    total = round(epochs * sum(len(pool.rows) for pool in pools.values()))
    ends = [stage.start for stage in stages[1:]] + [1.0]
    planned = dict.fromkeys(pools, 0)
    rows: list[Example] = []
    for stage, end in zip(stages, ends, strict=True):
        parts = split(round(end * total) - round(stage.start * total), stage.ratios)
        here = []
        for name, count in parts.items():
            planned[name] += count
            here += pools[name].take(count)
        rng.shuffle(here)
        rows += here
    return Drawn(rows=tuple(rows), planned=planned)


class _Pool:
    """Examples of one source, given out in rounds of a drawn order, as many as there may be."""

    def __init__(self, rows: Sequence[Example], most: int | None, rng: random.Random) -> None:
        self.rows, self._left, self._rng = rows, most, rng
        self._round: list[Example] = []

    def take(self, count: int) -> list[Example]:
        if self._left is not None:
            count = min(count, self._left)
            self._left -= count
        taken: list[Example] = []
        while len(taken) < count and self.rows:
            if not self._round:
                self._round = self._rng.sample(list(self.rows), len(self.rows))
            need = count - len(taken)
            taken += self._round[:need]
            self._round = self._round[need:]
        return taken


def _wanted(sources: Sequence[Source], sample_ratio: float) -> dict[str, int]:
    if all(source.ratio is None for source in sources):
        return {source.name: round(sample_ratio * len(source.rows)) for source in sources}
    total = round(sample_ratio * sum(len(source.rows) for source in sources))
    return split(total, {source.name: source.ratio or 0.0 for source in sources})


def _drawn(source: Source, count: int, rng: random.Random, stratified: bool) -> list[Example]:
    rows = sample(source.rows, count, rng, stratified=stratified)
    while source.repeat and source.rows and len(rows) < count:
        rows += sample(source.rows, count - len(rows), rng, stratified=stratified)
    return rows
