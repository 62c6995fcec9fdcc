"""The report for a terminal: the decision, the figures by judge and category, the doubts. Eighty columns, any name.

Colour is bold and dim alone, and only where someone looks: not when piped, not with NO_COLOR. Names and notes from
files cannot steer the terminal.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, chop_cells, set_cell_size

from harness.report import tables, words
from harness.report.columns import WIDTH, note, wrap
from harness.report.data import Report
from harness.report.numerals import DASH, one_line
from harness.report.tables import Cell, Row

_HEADS = ("score", "95 %", "W–L–T", "p", "first", "agree", "controls")
_FEW_HEADS = ("score", "95 %", "W–L–T", "p", "n")


@dataclass(frozen=True, slots=True)
class _Pen:
    """Bold and dim where colour is wanted, plain text elsewhere."""

    colour: bool

    def bold(self, text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if self.colour else text

    def dim(self, text: str) -> str:
        return f"\x1b[2m{text}\x1b[0m" if self.colour else text


def render(report: Report, *, width: int = WIDTH, colour: bool | None = None) -> str:
    """The report as lines of at most `width` columns (a word longer than that is broken).

    `colour` None asks the environment: a terminal on stdout, and no NO_COLOR.
    """
    pen = _Pen(_wanted() if colour is None else colour)
    blocks = [
        _title(report, width, pen),
        _decision(report, width, pen),
        _judges(report, width, pen),
        _categories(report, width, pen),
        _leakage(report, width, pen),
        *(_list(title, said, width, pen) for title, said in words.sections(report.summary)),
        _list("how far length goes", words.length_alone(report.summary), width, pen),
        _list("what to doubt", words.report_doubts(report), width, pen),
        _made(report, width, pen),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _wanted() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _title(report: Report, width: int, pen: _Pen) -> str:
    lines = [pen.dim(wrap(report.title, width))]
    for role, side in (("candidate", report.candidate), ("baseline", report.baseline)):
        if side is not None:
            lines.append(pen.dim(wrap(f"{role}: {side.spec}", width, rest="  ")))
    return "\n".join(lines)


def _decision(report: Report, width: int, pen: _Pen) -> str:
    verdict = words.verdict(report.summary)
    verdict = verdict[0].upper() + verdict[1:]
    text = wrap(f"{verdict}: {words.basis(report.summary)}", width)
    lines = [*words.counted(report.comparisons), *words.clean_line(report.summary)]
    counted = "\n".join(pen.dim(wrap(line, width)) for line in lines)
    bold = text.replace(verdict, pen.bold(verdict), 1)
    goal = "".join(f"{pen.bold(wrap(line, width))}\n" for line in words.goal_line(report.summary))
    return f"{bold}\n{goal}{counted}".rstrip("\n")


def _judges(report: Report, width: int, pen: _Pen) -> str:
    rows = tables.judge_rows(report.summary)
    if not rows:
        return ""
    why = tables.reasons(cell for row in rows for cell in _cells(row))
    notes = [*_dashes(why), *words.all_single_verdicts(report.summary)]
    return "\n".join([*_table("", rows, _cells, _HEADS, width, pen), *(pen.dim(note(said, width)) for said in notes)])


def _categories(report: Report, width: int, pen: _Pen) -> str:
    rows = tables.category_rows(report.summary)
    if not rows:
        return ""
    why = tables.reasons(cell for row in rows for cell in _few(row))
    notes = [*_dashes(why), "intervals by category are not corrected for looking at several"]
    lines = _table("by category", rows, _few, _FEW_HEADS, width, pen)
    return "\n".join([*lines, *(pen.dim(note(said, width)) for said in notes)])


def _leakage(report: Report, width: int, pen: _Pen) -> str:
    said = [f"{line}: {words.leaked_ids(report.summary)}" for line in words.leaked_line(report.summary)]
    if not said:
        return ""
    rows = tables.leakage_rows(report.summary)
    notes = [*said, *_dashes(tables.reasons(cell for row in rows for cell in _few(row)))]
    lines = _table("leakage", rows, _few, _FEW_HEADS, width, pen) if rows else [pen.dim("leakage")]
    return "\n".join([*lines, *(note(said, width) for said in notes)])


def _cells(row: Row) -> tuple[Cell, ...]:
    return (row.score, row.interval, Cell(text=row.wlt), row.p, row.first, row.agree, row.controls)


def _few(row: Row) -> tuple[Cell, ...]:
    return (row.score, row.interval, Cell(text=row.wlt), row.p, Cell(text=row.n))


def _dashes(why: Sequence[str]) -> list[str]:
    return [f"{DASH} {'; '.join(why)}"] if why else []


def _table(
    title: str,
    rows: Sequence[Row],
    cells: Callable[[Row], tuple[Cell, ...]],
    heads: Sequence[str],
    width: int,
    pen: _Pen,
) -> list[str]:
    """Figures under their heads; a name too long for its column gets a line of its own."""
    grid = [[cell.text for cell in cells(row)] for row in rows]
    sizes = [max(len(text) for text in column) for column in zip(heads, *grid, strict=True)]
    room = max(4, width - sum(sizes) - 2 * (len(sizes) - 1))
    room = min(room, max(map(cell_len, [title, *(one_line(row.label) for row in rows)])) + 2)
    lines = [pen.dim(set_cell_size(title, room) + _figures(heads, sizes))]
    for row, group, figures in zip(rows, ["", *(row.group for row in rows)], grid, strict=False):
        if row.group != group:
            lines.append(pen.dim(f"{row.group}:"))
        lines += _line(one_line(row.label), _figures(figures, sizes), room, width)
    return lines


def _figures(texts: Sequence[str], sizes: Sequence[int]) -> str:
    return "  ".join(f"{text:>{size}}" for text, size in zip(texts, sizes, strict=True))


def _line(name: str, figures: str, room: int, width: int) -> list[str]:
    if cell_len(name) < room:
        return [set_cell_size(name, room) + figures]
    return [*chop_cells(name, width), " " * room + figures]


def _list(title: str, sentences: Sequence[str], width: int, pen: _Pen) -> str:
    if not sentences:
        return ""
    lines = [note(sentence, width) for sentence in sentences]
    return "\n".join([pen.bold(title), *lines])


def _made(report: Report, width: int, pen: _Pen) -> str:
    facts = "; ".join(f"{label} {text}" for label, text in report.facts.items())
    return pen.dim(wrap(f"made with {facts}", width)) if facts else ""
