"""How a reward model's rewards became grades: its map, whether that stayed the same, and whether it tells them apart.

The map is fixed in the suite and stands in every line (`asked`) beside the raw reward. A grade near an end of the
scale says little of its reward: where many lie there, other rewards would hardly show. Never refits a map.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import InputError, Problem
from harness.models.spec import Spec
from harness.records import ScoreRecord
from harness.report.numerals import one_line, percent, plural
from judges.reward import CENTER, SCALE, SPREAD, formula

Map = tuple[float, float]
# A grade so near an end of the scale is told as at the end; a map with more than so many of them as saturated.
NEAR = 0.1
SATURATED = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class Mapped:
    """One reward judge's grades: its map, and of `grades` how many lie within 0.1 of the scale's ends.

    `rewards` are the lowest, the middle and the highest raw reward.
    """

    center: float
    spread: float
    grades: int
    at_low: int
    at_high: int
    rewards: tuple[float, float, float]

    @property
    def saturated(self) -> bool:
        """Whether more than a fifth of the grades lie at the ends."""
        return self.at_low + self.at_high > SATURATED * self.grades

    def as_json(self) -> dict[str, Any]:
        """What stands under `reward_maps` in summary.json."""
        low, middle, high = self.rewards
        return {
            "center": self.center,
            "spread": self.spread,
            "grades": self.grades,
            "at_ends": (self.at_low + self.at_high) / self.grades,
            "rewards": {"lowest": low, "median": middle, "highest": high},
        }


def map_of(record: ScoreRecord) -> Map | None:
    """The map that a line's grade was made by; None where it is no reward's."""
    asked = (record.model_extra or {}).get("asked")
    if not isinstance(asked, Mapping) or not {"center", "spread"} <= asked.keys():
        return None
    center, spread = asked["center"], asked["spread"]
    return (float(center), float(spread)) if _is_number(center) and _is_number(spread) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def mapped(records: Iterable[ScoreRecord]) -> dict[str, Mapped]:
    """Every reward judge's map with what it made of the rewards; judges whose lines have several maps are left out."""
    lines: dict[str, list[ScoreRecord]] = {}
    for record in records:
        raw = (record.model_extra or {}).get("raw")
        if record.score is not None and _is_number(raw) and map_of(record) is not None:
            lines.setdefault(record.judge, []).append(record)
    made = {judge: {map_of(record) for record in own} for judge, own in lines.items()}
    return {judge: _mapped(own, map_of(own[0])) for judge, own in lines.items() if len(made[judge]) == 1}


def _mapped(lines: Sequence[ScoreRecord], map_: Map | None) -> Mapped:
    assert map_ is not None
    raws = np.asarray([(line.model_extra or {})["raw"] for line in lines], dtype=np.float64)
    scores = np.asarray([line.score for line in lines], dtype=np.float64)
    return Mapped(
        center=map_[0],
        spread=map_[1],
        grades=len(lines),
        at_low=int((scores <= SCALE[0] + NEAR).sum()),
        at_high=int((scores >= SCALE[1] - NEAR).sum()),
        rewards=(float(raws.min()), float(np.median(raws)), float(raws.max())),
    )


def doubts(found: Mapping[str, Mapped]) -> Iterable[str]:
    """What is to be said of maps by which many grades lie at the ends of the scale."""
    for name, own in found.items():
        if own.saturated:
            ends = own.at_low + own.at_high
            share, (low, middle, high) = percent(ends / own.grades, own.grades), own.rewards
            yield (
                f"{one_line(name)}: {ends:,} of {plural(own.grades, 'grade')} ({share}) lie within {NEAR:g} of the "
                f"scale's ends, where rewards that differ are graded alike: the map {formula(own.center, own.spread)} "
                f"does not fit rewards from {low:.3g} to {high:.3g} (median {middle:.3g}); give this judge a center "
                "and a spread of its own in the suite, for all its runs"
            )


def refuse_others(run: Path, judges: Sequence[Spec], records: Iterable[tuple[str, ScoreRecord]]) -> None:
    """Raise InputError where lines of a journal were made by another map than the run's: their grades do not compare.

    `records` come with the names of their journals.
    """
    wanted = {spec.text: (spec.asking.center or CENTER, spec.asking.spread or SPREAD) for spec in judges}
    others: dict[tuple[str, str, Map], int] = {}
    for name, record in records:
        own = map_of(record)
        if own is not None and record.judge in wanted and own != wanted[record.judge]:
            others[name, record.judge, own] = others.get((name, record.judge, own), 0) + 1
    if others:
        raise InputError([_other(run / name, judge, own, wanted[judge], n) for (name, judge, own), n in others.items()])


def _other(path: Path, judge: str, own: Map, wanted: Map, count: int) -> Problem:
    what = (
        f"{plural(count, 'grade')} by {one_line(judge)} {'is' if count == 1 else 'are'} of another map, "
        f"{formula(*own)}, than the run's, {formula(*wanted)}: they do not compare; start a new run"
    )
    return Problem(path=str(path), what=what)


def mixed(records: Iterable[ScoreRecord]) -> Iterable[str]:
    """What is to be said of judges whose lines were made by several maps."""
    for judge, maps in _maps(records).items():
        if len(maps) > 1:
            said = " and ".join(formula(*own) for own in sorted(maps))
            yield f"{one_line(judge)}: its grades were made by several maps ({said}), so that they do not compare"


def told(records: Iterable[ScoreRecord]) -> dict[str, str]:
    """Every reward judge's map as a text, all of them where its lines have several: what another side must share."""
    return {judge: " and ".join(formula(*own) for own in sorted(maps)) for judge, maps in _maps(records).items()}


def _maps(records: Iterable[ScoreRecord]) -> dict[str, set[Map]]:
    found: dict[str, set[Map]] = {}
    for record in records:
        own = map_of(record)
        if own is not None:
            found.setdefault(record.judge, set()).add(own)
    return dict(sorted(found.items()))
