"""report.md: the same figures and doubts as GitHub tables, and the contested comparisons in brief.

No response is printed in full, and no text from a prompt, a model or a file can become markup, a link or a table cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from harness.report import tables, words
from harness.report.contest import Ruled, all_contested, judges_that_matter
from harness.report.data import Comparison, Report
from harness.report.numerals import DASH, one_line, plural
from harness.report.phrases import controls_of
from harness.report.tables import Cell, Row

MOST = 20
# Emphasis, code, links, HTML, entities, table cells, math; then what links by itself: a scheme and a bare domain.
_MARKUP = re.compile(r"[\\`*\[\]|~$]|<(?=\S)|&(?=[#\w])|_(?![^\W_])|(?<![^\W_])_|:(?=\S)|(?<=[wW]{3})\.")
_AT_START = re.compile(r"^(\d*)([#.)+=-])(?=[\s#.)+=-]|$)|^()(>)")
_HEADS = (
    "",
    "n",
    "score",
    "95 %",
    "won–lost–tied",
    "p",
    "split by order",
    "first shown won",
    "orders agree",
    "controls",
)
_FEW = ("", "n", "score", "95 %", "won–lost–tied", "p")


def escape(text: str, room: int | None = None) -> str:
    """Text as itself on one line of Markdown: nothing in it is markup, HTML, a link or a cell's end."""
    return _AT_START.sub(_escaped, _MARKUP.sub(r"\\\g<0>", one_line(text, room)))


def _escaped(found: re.Match[str]) -> str:
    return f"{found[1] or ''}\\{found[2] or found[4]}"


def render(report: Report) -> str:
    """The report as GitHub Markdown."""
    sections = [
        _head(report),
        _judges(report),
        _leakage(report),
        section("What to doubt", items(words.report_doubts(report))),
        _categories(report),
        *(section(title.capitalize(), items(said)) for title, said in words.sections(report.summary)),
        section("How far length goes", items(words.length_alone(report.summary))),
        _controls(report),
        _unscored(report),
        _contested(report),
        _made(report),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def section(title: str, body: str) -> str:
    """A heading with what stands under it; nothing where there is nothing."""
    return f"## {title}\n\n{body}" if body else ""


def items(sentences: Iterable[str]) -> str:
    """Sentences as a list, escaped."""
    return "\n".join(f"- {escape(sentence)}" for sentence in sentences)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, align: str = "---:") -> str:
    """A GitHub table. Cells must be escaped already."""
    rule = ["---", *[align] * (len(heads) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, rule, *rows))


def _head(report: Report) -> str:
    verdict = words.verdict(report.summary)
    lines = [f"# {escape(report.title)}", f"**{escape(verdict[0].upper() + verdict[1:])}**: "]
    lines[-1] += escape(words.basis(report.summary))
    lines += [f"**{escape(line)}**" for line in words.goal_line(report.summary)]
    sides = [
        f"{role} {escape(side.spec)}"
        for role, side in (("candidate", report.candidate), ("baseline", report.baseline))
        if side
    ]
    if sides:
        lines.append(", ".join(sides))
    lines += map(escape, [*words.counted(report.comparisons), *words.clean_line(report.summary)])
    return "\n\n".join(lines)


def _judges(report: Report) -> str:
    rows = tables.judge_rows(report.summary)
    if not rows:
        return ""
    lines = [[_label(row), row.n, *(cell.text for cell in _cells(row))] for row in rows]
    notes = _notes(cell for row in rows for cell in _cells(row)) + words.all_single_verdicts(report.summary)
    body = [table(("judge", *_HEADS[1:]), [[*line[:1], *map(escape, line[1:])] for line in lines])]
    return section("By judge", "\n\n".join([*body, *map(escape, notes)]))


def _label(row: Row) -> str:
    return escape(row.label) + (f" ({row.group})" if row.group else "")


def _cells(row: Row) -> tuple[Cell, ...]:
    return (row.score, row.interval, Cell(text=row.wlt), row.p, row.split, row.first, row.agree, row.controls)


def _notes(cells: Iterable[Cell]) -> list[str]:
    why = tables.reasons(cells)
    return [f"{DASH} {'; '.join(why)}."] if why else []


def _leakage(report: Report) -> str:
    """Which prompts leaked, and the figures with and without them."""
    said = [escape(f"{line}: {words.leaked_ids(report.summary)}") for line in words.leaked_line(report.summary)]
    rows = tables.leakage_rows(report.summary)
    return section("Leakage", "\n\n".join([*said, *(_few("prompts", rows) if rows else [])]))


def _categories(report: Report) -> str:
    rows = tables.category_rows(report.summary)
    if not rows:
        return ""
    note = "Intervals are not corrected for looking at several categories."
    return section("By category", "\n\n".join([*_few("category", rows), escape(note)]))


def _few(first: str, rows: Sequence[Row]) -> list[str]:
    """The few figures of these rows as a table, and a note on its dashes."""
    cells = [(row.score, row.interval, Cell(text=row.wlt), row.p) for row in rows]
    lines = [[escape(r.label), r.n, *(escape(c.text) for c in line)] for r, line in zip(rows, cells, strict=True)]
    notes = _notes(cell for line in cells for cell in line)
    return [table((first, *_FEW[1:]), lines), *map(escape, notes)]


def _controls(report: Report) -> str:
    counted = {name: count for name, count in report.summary.controls.items() if count is not None}
    lines = [f"{name}: {controls_of(count)} verdicts on damaged copies" for name, count in counted.items()]
    return section("Control pairs", items(lines))


def _unscored(report: Report) -> str:
    statuses = {name: counts for name, counts in report.summary.statuses.items() if set(counts) - {"ok"}}
    named = sorted({status for counts in statuses.values() for status in counts})
    rows = [[escape(name), *(f"{counts.get(s, 0):,}" for s in named)] for name, counts in statuses.items()]
    return section("Verdicts by status", table(("judge", *map(escape, named)), rows)) if rows else ""


def _contested(report: Report) -> str:
    names = judges_that_matter(report.summary)
    found = all_contested(report.comparisons, names)
    if not found:
        return ""
    rows = [_contest(item, ruled, names) for item, ruled in found[:MOST]]
    of = f"{len(found):,} of {plural(len(report.comparisons), 'comparison')}"
    intro = (
        f"On {of}, judges name different winners, or one judge does so in its two orders. Outcomes are the candidate's."
    )
    more = f"\n\n… and {len(found) - MOST:,} more; all of them stand in report.html." if len(found) > MOST else ""
    listing = table(("id", "prompt", *map(escape, names)), rows, align="---")
    return section("Contested comparisons", f"{intro}\n\n{listing}{more}")


def _contest(item: Comparison, ruled: Mapping[str, Ruled], names: Sequence[str]) -> list[str]:
    name = item.id if item.repeat == 0 else f"{item.id} (repeat {item.repeat})"
    prompt = escape(" / ".join(item.turns), 60) if item.turns else DASH
    return [escape(name, 40), prompt, *(_outcome(ruled.get(judge)) for judge in names)]


def _outcome(ruled: Ruled | None) -> str:
    if ruled is None:
        return "not judged"
    return f"{ruled.outcome}, split by order" if ruled.inconsistent else ruled.outcome


def _made(report: Report) -> str:
    return section("How it was made", items(f"{label}: {text}" for label, text in report.facts.items()))
