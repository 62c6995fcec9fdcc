"""report.md of a score run: the finding, figures as GitHub tables, what moved, what to doubt, which grades are missing.

No answer is printed, and no text from a prompt, a model or a file can become markup, a link or a table cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.records import ScoreRecord
from harness.report.markdown import escape, items, section, table
from harness.report.numerals import DASH, plural
from harness.scoring import rows, words
from harness.scoring.report import ScoreReport
from harness.scoring.rows import Figure, Panel, Row
from harness.scoring.summary import ScoreSummary

# So many missing grades are named one by one; all of them stand in report.html.
MOST = 20
_HIDDEN = "report.html has every prompt with both answers."


def render(report: ScoreReport) -> str:
    """The report as GitHub Markdown."""
    found = report.summary
    sections = [
        _head(report),
        section("By judge", _judges(found)),
        section("What to doubt", items(words.doubts(found))),
        section("By category", _categories(report)),
        section("By turn", _turns(report)),
        section("What moved most", items(words.movers(found))),
        section("Of the whole suite", items(words.whole(found))),
        section("Ends of the scale", items(words.scale_ends(found))),
        section("The judges' own noise", items(words.noise(found))),
        section("Where the spread comes from", items(words.spread(found))),
        section("Answers alone and in batches", items(words.alone(found))),
        section("Missing grades", _missing(report)),
        section("How it was made", items(f"{label}: {text}" for label, text in report.facts.items() if text)),
    ]
    return "\n\n".join(part for part in sections if part) + "\n"


def _head(report: ScoreReport) -> str:
    contestants = ", ".join(escape(line) for line in report.title[1:])
    said = [f"- {escape(sentence)}" for sentence in words.headline(report.summary)]
    said += [f"- **{escape(sentence)}**" for sentence in words.goal(report.summary)]
    more = [escape(_HIDDEN)] if report.items else []
    lines = [f"# {escape(report.title[0])}", contestants, "\n".join(said), *more]
    return "\n\n".join(line for line in lines if line)


def _judges(found: ScoreSummary) -> str:
    judges = rows.judge_rows(found)
    if not judges:
        return ""
    scales = {row.label: rows.scale_words(row.candidate.scale) for row in judges if row.candidate is not None}
    notes = [f"Scales: {'; '.join(f'{name}: {scale}' for name, scale in scales.items())}.", _reading(found)]
    return "\n\n".join([_figures("judge", judges), *map(escape, notes)])


def _reading(found: ScoreSummary) -> str:
    said = "In brackets: 95 % intervals over prompts."
    if found.deltas:
        said += " Change: candidate minus baseline on the same prompts; p: permutation test of it."
    return said


def _figures(first: str, lines: Sequence[Row]) -> str:
    """Both contestants and the change, each with its interval and n; the baseline's columns where there is one."""
    pair = any(row.baseline is not None or row.change is not None for row in lines)
    heads = [first, "candidate", *(["baseline", "change", "p"] if pair else [])]
    return table(heads, [_line(row, pair=pair) for row in lines])


def _line(row: Row, *, pair: bool) -> list[str]:
    cells = [escape(row.label), _cell(rows.figure(row.candidate))]
    if pair:
        cells += [_cell(rows.figure(row.baseline)), _cell(rows.change(row.change)), escape(rows.p_cell(row.change))]
    return cells


def _cell(figure: Figure) -> str:
    return escape(f"{figure.text} ({figure.interval}; {figure.n})")


def _categories(report: ScoreReport) -> str:
    panels = rows.category_panels(report)
    if panels:
        note = "Intervals are not corrected for looking at several categories."
        return "\n\n".join([*(_panel("category", panel) for panel in panels), note])
    held = {name: own.categories for name, own in report.summary.judges.items()}
    return _means("category", sorted({part for means in held.values() for part in means}), report)


def _turns(report: ScoreReport) -> str:
    panels = rows.turn_panels(report)
    if panels:
        return "\n\n".join(_panel("turn", panel) for panel in panels)
    held = {turn for own in report.summary.judges.values() for turn in own.turns}
    return _means("turn", sorted(held, key=int), report) if len(held) > 1 else ""


def _panel(first: str, panel: Panel) -> str:
    title = f"{panel.label}, {rows.scale_words(panel.scale)}"
    return f"**{escape(title)}**\n\n{_figures(first, panel.rows)}"


def _means(first: str, parts: Sequence[str], report: ScoreReport) -> str:
    """Means by judge where no single grade is at hand to give them an interval."""
    if not parts:
        return ""
    found = report.summary
    held = [own.turns if first == "turn" else own.categories for own in found.judges.values()]
    lines = [
        [escape(part), *(words.number(means[part]) if part in means else DASH for means in held)] for part in parts
    ]
    note = f"Means over those of {plural(found.n_prompts, 'prompt')} that have such a grade; no interval is known here."
    return "\n\n".join([table([first, *map(escape, found.judges)], lines), note])


def _missing(report: ScoreReport) -> str:
    """Which gradings ended without a grade, and how every judge's ended."""
    found = report.summary
    sides = [("candidate", found.judges), ("baseline", found.baseline)]
    counted = [(name, role, own.endings) for role, judges in sides for name, own in judges.items()]
    lost = list(_lost(report))
    if not lost and all(set(statuses) <= {"ok"} for _, _, statuses in counted):
        return ""
    names = sorted({"ok", *(status for _, _, statuses in counted for status in statuses)})
    lines = [
        [escape(name), role, *(f"{statuses.get(status, 0):,}" for status in names)] for name, role, statuses in counted
    ]
    parts = [table(["judge", "of", *map(escape, names)], lines)]
    if lost:
        parts.append(table(["prompt", "of", "judge", "turn", "why"], lost[:MOST], align="---"))
    if len(lost) > MOST:
        parts.append(f"… and {len(lost) - MOST:,} more; all of them stand in report.html.")
    return "\n\n".join(parts)


def _lost(report: ScoreReport) -> Iterable[list[str]]:
    for item in report.items:
        name = escape(item.id if item.sample == 0 else f"{item.id} (sample {item.sample + 1})", 40)
        for role, answer in item.answers.items():
            for grade in answer.grades:
                if grade.score is None:
                    yield [name, role, escape(grade.judge, 60), str(grade.turn), _why(grade)]
            for judge, turn in rows.absent(report.summary, item, role):
                yield [name, role, escape(judge, 60), str(turn), "not on record"]


def _why(grade: ScoreRecord) -> str:
    error = (grade.model_extra or {}).get("error")
    said = rows.ending(grade) or grade.status.replace("_", " ")
    return escape(f"{said}: {error}" if isinstance(error, str) else said, 100)
