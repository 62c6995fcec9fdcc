"""From grades to where their differences come from, and what more of would help: values in, sentences out.

Judges that share a scale and grade the same turns stand in one table, others each in their own. Takes the largest
balanced core of the grades and says what it left out. Where that is small it says that nothing can be told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from harness.records import ScoreRecord
from harness.report.numerals import in_percent, listed, one_line, plural
from harness.scoring.figures import Scale, Turns
from harness.scoring.table import GradeTable
from harness.stats.grades import GradeAdvice, GradeSplit, advice, split
from harness.stats.variance import Part
from harness.variance import FEWEST, SEED

What = Literal["grade", "change"]
NAMES = {
    "prompt": "the prompt",
    "turn": "turns within prompts",
    "sample": "the sample",
    "answer": "single answers of a sample",
    "judge": "the judge",
    "judge_turn": "judge and turn together",
    "judge_prompt": "judge and prompt together",
    "judge_answer": "judge and answer together",
    "noise": "the judges' own noise",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class GradeVariance:
    """The parts of a single grade's variance (or of a single change's, candidate minus baseline) over a balanced core.

    `used` grades are in it and `dropped` ones are not; `left_out` are judges with too few. `split` is None where the
    core is too small to speak for all grades, `advice` also where prompts do not differ.
    """

    of: What
    judges: tuple[str, ...]
    split: GradeSplit | None
    advice: GradeAdvice | None
    used: int
    dropped: int
    left_out: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """One object of `variance` in summary.json: parts with their shares and the advice; or why not."""
        known: dict[str, Any] = {
            "of": self.of,
            "judges": list(self.judges),
            "left_out": list(self.left_out),
            "grades": self.used,
            "dropped": self.dropped,
        }
        if self.split is None:
            return known | {"parts": None, "reason": self._too_small()}
        design = self.split.design
        return known | {
            "prompts": design.prompts,
            "samples": design.samples,
            "turns": design.turns,
            "askings": design.askings,
            "total": _plain(self.split.total),
            "parts": {name: _part_json(part) for name, part in self.split.parts.items()},
            "advice": _advice_json(self.advice) if self.advice else None,
        }

    def sentences(self, *, brief: bool = False) -> list[str]:
        """What a reader should know of it; `brief`: where the differences come from alone."""
        if self.split is None:
            return [self._too_small()]
        if not self.split.total:
            return [f"{self._whose().capitalize()} do not differ at all ({self._size(self.split)})."]
        said = [self._shares(self.split)]
        if brief:
            return said
        if self.advice is not None:
            said += [self._doubled(self.advice), *self._spread(self.advice)]
        return [*said, *self._other_judges(self.split), *self._open(self.split), *self._left_out()]

    def _whose(self) -> str:
        by = listed([one_line(name) for name in self.judges], 3)
        return f"single {'grades' if self.of == 'grade' else 'changes (candidate minus baseline)'} by {by}"

    def _too_small(self) -> str:
        of = f"{self.used:,} of {plural(self.used + self.dropped, self.of)}"
        return (
            f"Where the differences between {self._whose()} come from cannot be told: {of} can be set in a table with "
            f"as many samples, turns and askings for every prompt, and it takes {FEWEST} prompts and half of them all."
        )

    def _size(self, found: GradeSplit) -> str:
        design = found.design
        counts = {"sample": design.samples, "turn": design.turns, "judge": design.judges, "asking": design.askings}
        parts = [plural(design.prompts, "prompt"), *(plural(n, name) for name, n in counts.items() if n > 1)]
        return " × ".join(parts)

    def _shares(self, found: GradeSplit) -> str:
        interval = ", about 95 % in brackets" if any(part.ci for part in found.parts.values()) else ""
        parts = ", ".join(f"{_name(name, self.judges)} {_share(part)}" for name, part in found.parts.items())
        return f"Why {self._whose()} differ ({self._size(found)}; shares of the variance{interval}): {parts}."

    def _doubled(self, found: GradeAdvice) -> str:
        what = "mean" if self.of == "grade" else "mean change"
        of = " (of the mean of these judges)" if len(self.judges) > 1 else ""
        known = {name: se for name, se in found.doubled.items() if se is not None}
        said = ", with ".join(f"twice as many {name} {_size_of(se)}" for name, se in known.items())
        unknown = [name for name in found.doubled if name not in known]
        more = f"; what more {' or '.join(unknown)} would do cannot be told from one" if unknown else ""
        best = f": more {found.best} help most" if len(known) > 1 else ""
        return (
            f"By these parts the standard error of the {what}{of} over {plural(found.prompts, 'prompt')} is "
            f"{_size_of(found.se)}; with {said}{best}{more}."
        )

    def _spread(self, found: GradeAdvice) -> Iterable[str]:
        """Whether gradings are better spent on new prompts than on the same ones again."""
        for name, se in found.spread.items():
            on = f"{found.spread_prompts[name]:,} prompts"
            once = "each answer graded once" if name == "askings" else "with one sample each"
            if se < 0.98 * found.se:
                yield (
                    f"As many gradings on {on}, {once}, would bring it from {_size_of(found.se)} to {_size_of(se)}: "
                    f"add prompts, not {name}."
                )
            else:
                yield f"As many gradings on {on}, {once}, would leave it as it is: {name} tell as much as prompts here."

    def _other_judges(self, found: GradeSplit) -> list[str]:
        part = found.parts.get("judge")
        if part is None or not part.variance:
            return []
        return [
            f"From judge to judge the {'mean' if self.of == 'grade' else 'mean change'} differs by about "
            f"{_size_of(part.variance**0.5)} (SD, from {len(self.judges)} judges); no number of prompts takes that "
            "away."
        ]

    def _open(self, found: GradeSplit) -> list[str]:
        design, said = found.design, []
        if design.judges == 1:
            said.append("There is one judge, so that nothing is known of what another would say.")
        if design.samples == 1:
            said.append("There is one sample a prompt, so that what other answers would get is within the other parts.")
        if design.askings == 1:
            said.append(
                "Every answer was graded once, so that the judges' own noise is within the other parts "
                "(`judge_repeats: 3` would tell it)."
            )
        below = [_name(name, self.judges) for name, part in found.parts.items() if (part.raw or 0.0) < 0]
        return [*said, *([f"Estimated below zero by chance, and taken as 0: {listed(below)}."] if below else [])]

    def _left_out(self) -> list[str]:
        said = []
        if self.left_out:
            said.append(f"Left out here for too few grades: {listed([one_line(name) for name in self.left_out])}.")
        if self.dropped:
            said.append(
                "Left out here, so that every prompt has as many samples, turns and askings: "
                f"{self.dropped:,} of {plural(self.used + self.dropped, self.of)}."
            )
        return said


def variances(
    candidate: Sequence[ScoreRecord],
    baseline: Sequence[ScoreRecord],
    turns: Mapping[str, Turns],
    scales: Mapping[str, Scale | None],
) -> tuple[GradeVariance, ...]:
    """Where the candidate's grades differ and, with a baseline, its changes; a pair for every set of like judges.

    `turns` holds the turns of every prompt by judge. Judges whose grades allow no split (one grade a prompt) have none.
    The order of the lines changes nothing.
    """
    found = []
    for judges in _alike(turns, scales):
        own = turns[judges[0]]
        ours = GradeTable.of(candidate, judges, own)
        found.append(_variance("grade", ours))
        if baseline and ours is not None:
            theirs = GradeTable.of(baseline, ours.judges, own)
            found.append(_variance("change", ours.less(theirs) if theirs is not None else None))
    return tuple(one for one in found if one is not None)


def sentences(found: Sequence[GradeVariance]) -> list[str]:
    """All that is to be said; where changes are split too, they are what the advice is of."""
    changed = {own.judges for own in found if own.of == "change" and own.split is not None}
    silent = {own.judges for own in found if own.of == "grade" and own.split is None}
    told = [own for own in found if own.of == "grade" or own.judges not in silent]
    return [said for own in told for said in own.sentences(brief=own.of == "grade" and own.judges in changed)]


def _alike(turns: Mapping[str, Turns], scales: Mapping[str, Scale | None]) -> list[tuple[str, ...]]:
    """Judges whose grades can be set side by side: of one known scale, on the same turns."""
    groups: list[list[str]] = []
    for name, own in turns.items():
        scale = scales.get(name)
        like = [g for g in groups if scale is not None and scales.get(g[0]) == scale and turns[g[0]] == own]
        if like:
            like[0].append(name)
        else:
            groups.append([name])
    return [tuple(group) for group in groups]


def _variance(of: What, table: GradeTable | None) -> GradeVariance | None:
    """The split of a table's core; None where it has one grade a prompt, or none."""
    core = table.core() if table is not None else None
    if table is None or core is None or core[0].size < 2:
        return None
    prompts = len({prompt for prompt, _ in table.units})
    enough = core.shape[0] >= FEWEST and 2 * core.shape[0] >= prompts
    found = split(core, rng=np.random.default_rng(SEED)) if enough else None
    return GradeVariance(
        of=of,
        judges=table.judges,
        split=found,
        advice=advice(found) if found is not None else None,
        used=int(core.size),
        dropped=table.usable - int(core.size),
        left_out=table.left_out,
    )


def _name(part: str, judges: Sequence[str]) -> str:
    return "the judge's own noise" if part == "noise" and len(judges) == 1 else NAMES[part]


def _share(part: Part) -> str:
    if part.share is None:
        return "0 %"
    text = f"{in_percent(part.share, 0)} %"
    return f"{text} ({in_percent(part.ci[0], 0)}–{in_percent(part.ci[1], 0)})" if part.ci else text


def _size_of(value: float) -> str:
    """A standard error on the judge's scale: two significant digits."""
    return f"{value:.2f}" if value >= 0.095 else f"{value:.2g}"


def _plain(value: float) -> float:
    """Nine significant digits: what a sum's last bits say depends on the machine."""
    return float(f"{value:.9g}")


def _part_json(part: Part) -> dict[str, Any]:
    known: dict[str, Any] = {
        "variance": _plain(part.variance or 0.0),
        "share": None if part.share is None else _plain(part.share),
        "ci": [_plain(end) for end in part.ci] if part.ci else None,
    }
    return known | ({"negative": _plain(part.raw)} if part.raw is not None and part.raw < 0 else {})


def _advice_json(found: GradeAdvice) -> dict[str, Any]:
    return {
        "se": _plain(found.se),
        "doubled": {name: None if se is None else _plain(se) for name, se in found.doubled.items()},
        "as_many_gradings": {
            name: {"prompts": found.spread_prompts[name], "se": _plain(se)} for name, se in found.spread.items()
        },
        "best": found.best,
    }
