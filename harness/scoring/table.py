"""Grades in a table: samples of prompts by turn, judge and asking, and the largest balanced core of it.

What is not there is NaN; nothing is filled in. The order of the lines changes nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.records import ScoreRecord
from harness.scoring.figures import Turns
from harness.variance import stacked

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class GradeTable:
    """Grades as (unit, turn, judge, asking), NaN where there is none; a unit is a prompt's sample, sorted by prompt."""

    units: tuple[tuple[str, int], ...]
    values: Array
    judges: tuple[str, ...]
    left_out: tuple[str, ...]
    usable: int

    @classmethod
    def of(cls, records: Iterable[ScoreRecord], judges: Sequence[str], turns: Turns) -> GradeTable | None:
        """The table of these judges' grades on the turns that most prompts have; None where there are none.

        Judges with fewer than half as many grades as the most diligent are left out.
        """
        patterns = Counter(tuple(own) for own in turns.values() if own)
        if not patterns:
            return None
        pattern = max(patterns, key=lambda own: (patterns[own], own))
        cells: _Cells = defaultdict(list)
        counts = Counter(dict.fromkeys(judges, 0))
        for record in records:
            if record.score is not None and record.judge in counts and record.turn in turns.get(record.id, ()):
                sample, asking = _which(record)
                cells[record.judge, record.id, sample, record.turn].append((asking, record.score))
                counts[record.judge] += 1
        kept = tuple(name for name in judges if counts[name] and 2 * counts[name] >= max(counts.values()))
        units = sorted({(prompt, sample) for _, prompt, sample, _ in cells if tuple(turns[prompt]) == pattern})
        if not units or not kept:
            return None
        return cls(
            units=tuple(units),
            values=_filled(cells, units, pattern, kept),
            judges=kept,
            left_out=tuple(name for name in judges if name not in kept),
            usable=sum(counts[name] for name in kept),
        )

    def less(self, other: GradeTable) -> GradeTable | None:
        """What the grades of another contestant's same units leave of these; None where nothing is shared."""
        places = {unit: place for place, unit in enumerate(other.units)}
        mine = [place for place, unit in enumerate(self.units) if unit in places]
        same = self.judges == other.judges and self.values.shape[1] == other.values.shape[1]
        if not mine or not same:
            return None
        units = tuple(self.units[place] for place in mine)
        askings = min(self.values.shape[3], other.values.shape[3])
        theirs = other.values[[places[unit] for unit in units]][..., :askings]
        values = self.values[mine][..., :askings] - theirs
        return GradeTable(
            units=units,
            values=values,
            judges=self.judges,
            left_out=self.left_out,
            usable=int(np.isfinite(values).sum()),
        )

    def core(self) -> Array | None:
        """The balanced table (prompts, samples, turns, judges, askings) that keeps most; None where there is none.

        As many askings as still keep half of the units that have one of everything.
        """
        whole: NDArray[np.bool_] = np.logical_not(np.isnan(self.values).any(axis=(1, 2)))
        enough = [count for count in range(whole.shape[1]) if 2 * whole[:, count].sum() >= whole[:, 0].sum()]
        units = np.flatnonzero(whole[:, enough[-1]])
        if not units.size:
            return None
        names = {name: place for place, name in enumerate(sorted({prompt for prompt, _ in self.units}))}
        prompts = np.asarray([names[self.units[unit][0]] for unit in units], dtype=np.int64)
        return stacked(self.values[units][..., : enough[-1] + 1], prompts)


# (judge, prompt, sample, turn) → (asking, grade).
_Cells = dict[tuple[str, str, int, int], list[tuple[int, float]]]


def _filled(cells: _Cells, units: Sequence[tuple[str, int]], turns: Sequence[int], judges: Sequence[str]) -> Array:
    """The grades of every cell in the order of their askings."""
    values = np.full((len(units), len(turns), len(judges), max(map(len, cells.values()))), np.nan)
    for place, (prompt, sample) in enumerate(units):
        for i, turn in enumerate(turns):
            for j, name in enumerate(judges):
                grades = [score for _, score in sorted(cells.get((name, prompt, sample, turn), ()))]
                values[place, i, j, : len(grades)] = grades
    return values


def _which(record: ScoreRecord) -> tuple[int, int]:
    """Which sample a line grades, and the how-manieth asking it is; repeats that do not say are other samples."""
    extra = record.model_extra or {}
    asking = int(extra.get("asking", 0) or 0)
    return int(extra.get("sample", 0 if asking else record.repeat) or 0), asking
