"""From a field to its standings: strengths, ranks with intervals, win rates, and what to doubt. Pure and seeded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import fsum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.figures import outcome_of
from harness.rank.field import Contestant, Field, Meeting
from harness.report.numerals import listed, plural
from harness.stats.intervals import SMALL
from harness.stats.ranking import Place, Ranking, ranking

RESAMPLES = 2000


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """Outcomes by prompt, and `points`, the sum of prompt scores; `missing` are prompts without a usable verdict."""

    wins: int
    losses: int
    ties: int
    missing: int
    points: float

    @property
    def n(self) -> int:
        return self.wins + self.losses + self.ties

    @property
    def rate(self) -> float | None:
        """The win rate as everywhere: the mean prompt score; None where there is none."""
        return self.points / self.n if self.n else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Standings:
    """What a ranking says. `tallies` are each contestant's against all others, `pairs` those of each meeting's `a`.

    `order` are the contestants from the strongest to the weakest, or as they came where there is no ranking.
    """

    field: Field
    ranking: Ranking
    tallies: tuple[Tally, ...]
    pairs: tuple[Tally, ...]
    order: tuple[int, ...]
    notes: tuple[str, ...]

    def place(self, contestant: int) -> Place | None:
        """Where a contestant stands; None where there is no ranking."""
        return self.ranking.places[contestant] if self.ranking.places else None

    def apart(self, a: int, b: int) -> bool | None:
        """Whether two contestants differ beyond chance, allowing for all pairs; None where nothing can be told."""
        return bool(self.ranking.apart[a, b]) if self.ranking.apart is not None else None

    def as_json(self) -> dict[str, Any]:
        """The object of --json."""
        found = self.ranking
        return {
            "kind": "ranking",
            "n_prompts": len(self.field.prompts),
            "complete": self.field.complete,
            "suite": self.field.suite,
            "judges": list(self.field.counting),
            "unusable": list(self.field.unusable),
            "contestants": [self._contestant(i, self.field.contestants[i]) for i in self.order],
            "ties_parameter": found.ties,
            "regularised": found.regularised,
            "reason": found.reason,
            "pairs": [self._pair(*both) for both in zip(self.field.meetings, self.pairs, strict=True)],
            "notes": list(self.notes),
        }

    def _contestant(self, i: int, who: Contestant) -> dict[str, Any]:
        place, tally = self.place(i), self.tallies[i]
        others = [j for j in self.order if j != i and self.apart(i, j) is False]
        return {
            "spec": who.spec,
            "name": who.name,
            "rank": place.rank if place else None,
            "rank_ci": list(place.rank_ci) if place and place.rank_ci else None,
            "strength": place.strength if place else None,
            "ci": list(place.ci) if place and place.ci else None,
            "win_rate": tally.rate,
            **_counts(tally),
            "best_probability": place.best if place else None,
            "not_told_from": [self.field.contestants[j].name for j in others],
        }

    def _pair(self, meeting: Meeting, tally: Tally) -> dict[str, Any]:
        names = [self.field.contestants[i].name for i in (meeting.a, meeting.b)]
        told = self.apart(meeting.a, meeting.b)
        counts = {"n": tally.n, "win_rate": tally.rate, **_counts(tally), "told_apart": told}
        return {"a": names[0], "b": names[1], **counts}


def _counts(tally: Tally) -> dict[str, int]:
    return {"wins": tally.wins, "losses": tally.losses, "ties": tally.ties, "missing": tally.missing}


def standings(field: Field, *, resamples: int = RESAMPLES) -> Standings:
    """The standings of a field. The same field gives the same figures: its suite's seed draws the resamples."""
    units = _units(field)
    outcomes = np.zeros((3, len(set(units.values())), len(field.meetings)))
    for place, meeting in enumerate(field.meetings):
        for prompt, score in meeting.scores.items():
            outcomes[_SLOT[outcome_of(score)], units[prompt], place] += 1
    found = ranking(
        len(field.contestants),
        [(meeting.a, meeting.b) for meeting in field.meetings],
        outcomes[0],
        outcomes[1],
        outcomes[2],
        np.random.default_rng(field.seed),
        resamples=resamples,
    )
    counts = outcomes.sum(axis=1).astype(np.int64)
    pairs = tuple(_tally(counts[:, place], meeting) for place, meeting in enumerate(field.meetings))
    strengths = [place.strength for place in found.places] or [0.0] * len(field.contestants)
    return Standings(
        field=field,
        ranking=found,
        tallies=_tallies(field, pairs),
        pairs=pairs,
        order=tuple(sorted(range(len(strengths)), key=lambda i: -strengths[i])),
        notes=(*field.notes, *_doubts(field, found, pairs, units)),
    )


_SLOT: Mapping[str, int] = {"win": 0, "loss": 1, "tie": 2}


def _units(field: Field) -> dict[str, int]:
    """What is resampled together: a prompt, or all prompts of a cluster."""
    named = {
        prompt: ("c", field.clusters[prompt]) if prompt in field.clusters else ("p", prompt) for prompt in field.prompts
    }
    places = {unit: place for place, unit in enumerate(sorted(set(named.values())))}
    return {prompt: places[unit] for prompt, unit in named.items()}


def _tally(counts: NDArray[np.int64], meeting: Meeting) -> Tally:
    wins, losses, ties = counts.tolist()
    missing, points = meeting.prompts - len(meeting.scores), fsum(meeting.scores.values())
    return Tally(wins=wins, losses=losses, ties=ties, missing=missing, points=points)


def _tallies(field: Field, pairs: Sequence[Tally]) -> tuple[Tally, ...]:
    each: list[list[Tally]] = [[] for _ in field.contestants]
    for meeting, pair in zip(field.meetings, pairs, strict=True):
        each[meeting.a].append(pair)
        each[meeting.b].append(replace(pair, wins=pair.losses, losses=pair.wins, points=pair.n - pair.points))
    return tuple(
        Tally(
            wins=sum(one.wins for one in own),
            losses=sum(one.losses for one in own),
            ties=sum(one.ties for one in own),
            missing=sum(one.missing for one in own),
            points=fsum(one.points for one in own),
        )
        for own in each
    )


def _doubts(field: Field, found: Ranking, pairs: Sequence[Tally], units: Mapping[str, int]) -> list[str]:
    """What the figures themselves give reason to doubt."""
    said = []
    if found.regularised:
        said.append(
            "somebody won or lost everything, so that strengths have no bound: every pair was given half a comparison "
            "more, spread evenly over its outcomes; read such strengths as 'at least'"
        )
    if 0 < found.n < SMALL:
        said.append(f"small n: {plural(len(units), 'prompt')}; a few other prompts could turn this order")
    if found.n < len(units):
        said.append(f"prompts come in clusters: {len(units)} prompts in {found.n} clusters, which were resampled whole")
    missing = sum(pair.missing for pair in pairs)
    if missing:
        asked = missing + sum(pair.n for pair in pairs)
        said.append(f"no usable verdict in {missing} of {asked} comparisons: they count for nobody")
    if field.unusable:
        said.append(f"failed the control pairs over all runs, and do not count: {listed(field.unusable)}")
    return [*said, *_never_met(field)]


def _never_met(field: Field) -> Iterator[str]:
    """Pairs without a comparison of their own, apart from those that no chain of comparisons joins either."""
    from scipy.sparse.csgraph import connected_components

    met = np.zeros((len(field.contestants), len(field.contestants)), dtype=bool)
    for meeting in field.meetings:
        met[meeting.a, meeting.b] = met[meeting.b, meeting.a] = bool(meeting.scores)
    group = connected_components(met, directed=False)[1] if len(met) else []
    for joined, how in ((True, "only by way of others"), (False, "not even by way of others")):
        never = [
            f"{field.contestants[i].name} and {field.contestants[j].name}"
            for i, j in combinations(range(len(met)), 2)
            if not met[i, j] and (group[i] == group[j]) == joined
        ]
        if never:
            yield f"never compared with each other, {how}: {listed(never, 3)}"
