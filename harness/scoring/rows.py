"""The rows of every written score report: both contestants and the change, by judge, category and turn.

Nothing is worked out here: `summarize` and `scored` are asked again for a part of the records, so that the baseline's
means, one judge's categories and every turn stand beside their n and interval too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.records import ScoreRecord
from harness.report.numerals import DASH
from harness.report.numerals import p_value as p_words
from harness.scoring.figures import Delta, Scale, Scored, delta, scored
from harness.scoring.report import Item, ScoreReport
from harness.scoring.summary import TOGETHER, ScoreSummary, Setting, summarize
from harness.scoring.words import number, signed
from harness.toolong import too_long, unanswered


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line of figures; a side that was not graded is None."""

    label: str
    candidate: Scored | None
    baseline: Scored | None = None
    change: Delta | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """Rows of one judge, or of all judges together, on one scale (None where it is not known)."""

    label: str
    scale: Scale | None
    rows: tuple[Row, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """A figure as it is printed: never without its n, and with its interval or why there is none."""

    text: str
    interval: str
    n: str


def judge_rows(found: ScoreSummary) -> list[Row]:
    """A row a judge."""
    return [
        Row(label=name, candidate=own, baseline=found.baseline.get(name), change=found.deltas.get(name))
        for name, own in found.judges.items()
    ]


def category_panels(report: ScoreReport) -> list[Panel]:
    """Every category by all judges together where they share a scale, then by each judge of several."""
    found = report.summary
    ours, theirs = records_of(report, "candidate"), records_of(report, "baseline")
    panels = []
    if found.categories:
        label = TOGETHER if len(found.judges) > 1 else next(iter(found.judges))
        beside = _categories(theirs, found.setting, list(found.judges))
        panels.append(_panel(label, found.categories, beside, found.category_deltas))
    if len(found.judges) > 1 or not panels:
        for name in found.judges:
            setting = _of_one(found.setting, name)
            own = summarize(ours[name], theirs[name], setting, judges=[name], complete=found.complete)
            beside = _categories({name: theirs[name]}, setting, [name])
            panels.append(_panel(name, own.categories, beside, own.category_deltas))
    return [panel for panel in panels if any(row.candidate and row.candidate.n for row in panel.rows)]


def _panel(label: str, ours: Mapping[str, Scored], theirs: Mapping[str, Scored], deltas: Mapping[str, Delta]) -> Panel:
    rows = [
        Row(label=name, candidate=own, baseline=theirs.get(name), change=deltas.get(name)) for name, own in ours.items()
    ]
    return Panel(label=label, scale=next((own.scale for own in ours.values()), None), rows=tuple(rows))


def _categories(
    records: Mapping[str, Sequence[ScoreRecord]], setting: Setting, judges: Sequence[str]
) -> Mapping[str, Scored]:
    """One contestant's categories alone."""
    rows = [record for name in judges for record in records.get(name, ())]
    return summarize(rows, (), setting, judges=judges, complete=True).categories if rows else {}


def _of_one(setting: Setting, judge: str) -> Setting:
    """The setting as if this judge were the only one; nothing is told of prompts that were not asked."""
    return replace(
        setting,
        turns={judge: setting.turns.get(judge, {})},
        scales={judge: setting.scales.get(judge)},
        full={"": len(setting.categories)},
    )


def turn_panels(report: ScoreReport) -> list[Panel]:
    """Every turn by each judge that grades several; without n and interval where no single grade is at hand."""
    setting = report.summary.setting
    ours, theirs = records_of(report, "candidate"), records_of(report, "baseline")
    panels = []
    for name, own in report.summary.judges.items():
        if len(own.turns) < 2 or not ours[name]:
            continue
        scale = setting.scales.get(name)
        wanted = setting.turns.get(name, {})
        rows = tuple(_turn(int(turn), ours[name], theirs[name], wanted, scale) for turn in sorted(own.turns, key=int))
        panels.append(Panel(label=name, scale=scale, rows=rows))
    return panels


def _turn(
    turn: int,
    ours: Sequence[ScoreRecord],
    theirs: Sequence[ScoreRecord],
    wanted: Mapping[str, Sequence[int]],
    scale: Scale | None,
) -> Row:
    held = {prompt: (turn,) for prompt, turns in wanted.items() if turn in turns}
    own, scores = scored(ours, held, {}, scale)
    if not theirs:
        return Row(label=f"turn {turn}", candidate=own)
    beside, others = scored(theirs, held, {}, scale)
    return Row(label=f"turn {turn}", candidate=own, baseline=beside, change=delta(scores, others, scale))


def records_of(report: ScoreReport, role: str) -> dict[str, list[ScoreRecord]]:
    """Every grade of a contestant by judge, of the answers that the report holds."""
    found: dict[str, list[ScoreRecord]] = {name: [] for name in report.summary.judges}
    for item in report.items:
        if role in item.answers:
            for grade in item.answers[role].grades:
                found.setdefault(grade.judge, []).append(grade)
    return found


def absent(found: ScoreSummary, item: Item, role: str) -> list[tuple[str, int]]:
    """The gradings of a contestant's answers, by judge and turn, that were planned and are not on record."""
    held = {(grade.judge, grade.turn) for grade in item.answers[role].grades}
    planned = [(name, turn) for name, turns in found.setting.turns.items() for turn in turns.get(item.id, ())]
    return [one for one in planned if one not in held]


def ending(grade: ScoreRecord) -> str | None:
    """How a grading ended that no context had room for; None for every other one, whose status says it."""
    if unanswered(grade):
        return "no answer"
    return "too long" if too_long(grade) is not None else None


def figure(own: Scored | None) -> Figure:
    """A mean grade with its interval and n."""
    if own is None:
        return Figure(text=DASH, interval="not graded", n="n = 0")
    n = f"n = {own.n:,}" if not own.unscored else f"n = {own.n:,} of {own.n + own.unscored:,}"
    if own.mean is None:
        return Figure(text=DASH, interval=own.reason or "no score", n=n)
    return Figure(text=number(own.mean), interval=_interval(own.ci, own.reason), n=n)


def change(moved: Delta | None) -> Figure:
    """A paired change with its interval and n."""
    if moved is None:
        return Figure(text=DASH, interval="nothing beside it", n="n = 0")
    found = moved.difference
    if found.mean is None:
        return Figure(text=DASH, interval=found.reason or "no change known", n=f"n = {found.n:,}")
    return Figure(text=signed(found.mean), interval=_interval(found.ci, found.reason, sign=True), n=f"n = {found.n:,}")


def p_cell(moved: Delta | None) -> str:
    """The permutation test's p, without a leading sign of equality."""
    return DASH if moved is None or moved.p_value is None else p_words(moved.p_value).removeprefix("= ")


def _interval(ci: tuple[float, float] | None, reason: str | None, *, sign: bool = False) -> str:
    if ci is None:
        # The n that stands beside it is the reason.
        return "no interval" if not reason or reason.startswith("n = 1") else f"no interval: {reason}"
    shown = signed if sign else number
    return f"{shown(ci[0])} to {shown(ci[1])}" if sign or ci[0] < 0 else f"{shown(ci[0])}–{shown(ci[1])}"


def scale_words(scale: Scale | None) -> str:
    """ "scale 1 to 10", or that it is not known."""
    return "scale not known" if scale is None else f"scale {scale[0]:g} to {scale[1]:g}".replace("-", "−")
