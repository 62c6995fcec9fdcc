"""report.html of a score run: one file that asks nothing of any network and runs nothing but its own script.

Look, policy and escaping are `harness.report.html`'s; what the script reads is in `pagedata`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from harness.report.html import environment, policy, source, writable
from harness.report.numerals import plural
from harness.scoring import charts, pagedata, rows, words
from harness.scoring.figures import Delta, Scored
from harness.scoring.report import ScoreReport
from harness.scoring.rows import Panel, Row
from harness.scoring.summary import TOGETHER
from harness.scoring.words import signed

_HERE = Path(__file__).parent
# So many panels of single judges stand open where they cannot be taken together; others go behind a click.
OPEN = 3
# So many categories stand open in a panel.
FEW = 16
# So many leaked prompts are linked; all of them stand in summary.json.
MOST_IDS = 12


def render(report: ScoreReport) -> str:
    """The report as one self-contained page."""
    return "".join(pieces(report))


def pieces(report: ScoreReport) -> Iterator[str]:
    """The page piece by piece."""
    found = report.summary
    style, script = f"{source('page.css')}\n{source('page.css', _HERE)}", source("page.js", _HERE)
    judges = rows.judge_rows(found)
    panels = rows.category_panels(report)
    page = environment(_HERE).get_template("page.html.j2").generate(
        report=report,
        summary=found,
        title=report.title[0],
        contestants=[line.partition(": ")[::2] for line in report.title[1:]],
        policy=policy(style, script),
        style=Markup(style),
        script=Markup(script),
        data=map(Markup, pagedata.embedded(report)),
        words=words,
        charts=charts,
        rows=rows,
        doubts=list(words.doubts(found)),
        judges=_tables(judges),
        panels=[_shown(panel) for panel in panels],
        turns=rows.turn_panels(report),
        bare=sorted({name for own in found.judges.values() for name in own.categories}),
        turn_names=_turn_names(found.judges),
        moved=[_moved(name, one) for name, one in found.deltas.items() if one.by_prompt],
        statuses=_statuses(report),
        sections=_sections(report),
        open=1 if panels and panels[0].label == TOGETHER else OPEN,
        few=FEW,
        most=MOST_IDS,
    )  # fmt: skip
    return writable(page)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Table:
    """Rows that share an axis."""

    rows: Sequence[Row]
    axis: charts.Axis | None
    pair: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shown:
    """A panel as the page has it."""

    label: str
    scale: str
    table: _Table
    radar: Markup | None
    why: str | None


def _table(shown: Sequence[Row], scale: tuple[float, float] | None) -> _Table:
    pair = any(row.baseline is not None for row in shown)
    return _Table(rows=shown, axis=charts.axis_of(scale, shown), pair=pair)


def _tables(judges: Sequence[Row]) -> list[_Table]:
    """The judges on one axis where they share a scale, else each on its own."""
    scales = {row.candidate.scale if row.candidate is not None else None for row in judges}
    if len(scales) == 1:
        return [_table(judges, scales.pop())]
    return [_table([row], row.candidate.scale if row.candidate is not None else None) for row in judges]


def _shown(panel: Panel) -> _Shown:
    return _Shown(
        label=panel.label,
        scale=rows.scale_words(panel.scale),
        table=_table(panel.rows, panel.scale),
        radar=charts.radar(panel),
        why=charts.why_no_radar(panel),
    )


def _turn_names(judges: Mapping[str, Scored]) -> list[str]:
    return sorted({turn for own in judges.values() for turn in own.turns}, key=int)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Moved:
    """The strip of one judge's changes with its words."""

    judge: str
    strip: charts.Changes
    top: str
    bottom: str
    counts: str
    mean: rows.Figure


def _moved(judge: str, one: Delta) -> _Moved:
    strip = charts.changes(one)
    total = plural(len(one.by_prompt), "prompt")
    return _Moved(
        judge=judge,
        strip=strip,
        top=signed(strip.reach),
        bottom=signed(-strip.reach),
        counts=f"{strip.dropped:,} dropped, {strip.same:,} the same, {strip.gained:,} gained, of {total}",
        mean=rows.change(one),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Status:
    judge: str
    role: str
    counts: Mapping[str, int]
    own: Scored


def _statuses(report: ScoreReport) -> list[_Status]:
    found = report.summary
    sides = [(name, "candidate", own) for name, own in found.judges.items()]
    sides += [(name, "baseline", own) for name, own in found.baseline.items()]
    order = list(found.judges)
    sides.sort(key=lambda side: order.index(side[0]))
    return [_Status(judge=name, role=role, counts=own.endings, own=own) for name, role, own in sides]


def _sections(report: ScoreReport) -> list[tuple[str, list[str]]]:
    """The further findings in words, those that there are."""
    found = report.summary
    every = {
        "Of the whole suite": words.whole(found),
        "Ends of the scale": words.scale_ends(found),
        "The judges’ own noise": words.noise(found),
        "Where the spread comes from": words.spread(found),
        "Answers alone and in batches": words.alone(found),
    }
    return [(title, said) for title, sentences in every.items() if (said := list(sentences))]
