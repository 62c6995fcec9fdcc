"""A gate's result for a terminal: the outcome first, the categories, what to know. Eighty columns, any name."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len, chop_cells, set_cell_size

from harness.gate import words
from harness.gate.result import GateResult
from harness.report.numerals import DASH, one_line, p_value

WIDTH = 80
HEADS = ("outcome", "NEW − OLD", "95 %", "lower", "margin", "Holm p", "n")


def render(result: GateResult, *, width: int = WIDTH) -> str:
    """The result as lines of at most `width` columns."""
    measured = result.measured
    sides = [f"NEW: {measured.new}"]
    sides.append(f"OLD: {measured.old}" if measured.old is not None else "OLD: the baseline of that run (a tie is 0)")
    blocks = [
        _wrap(words.headline(result), width),
        "\n".join(_wrap(side, width, rest="     ") for side in sides),
        _categories(result, width),
        _list("what to know", words.notes(result), width),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def rows(result: GateResult) -> list[tuple[str, tuple[str, ...]]]:
    """Every category by name, with its cells under `HEADS`."""
    return [
        (
            name,
            (
                one.outcome,
                words.difference(result, one.found.difference) if one.found.difference is not None else DASH,
                words.interval(result, one.found),
                words.lower(result, one.found),
                words.margin(result, one.found),
                p_value(one.p_adjusted).removeprefix("= ") if one.p_adjusted is not None else DASH,
                f"{one.found.n:,}",
            ),
        )
        for name, one in result.categories.items()
    ]


def caption(result: GateResult) -> str:
    """What the categories' table shows, and whether it decides."""
    heeded = "part of this gate" if result.gate_categories else "no part of this gate (--categories makes them one)"
    unit = " in points of a hundred" if words.in_points(result) else ""
    return (
        f"differences{unit}, with the one-sided 95 % lower bound; categories are {heeded}, and one fails where a loss "
        "is real after Holm over all of them and may exceed its margin"
    )


def _categories(result: GateResult, width: int) -> str:
    listed = rows(result)
    if not listed:
        return ""
    lines = _table("by category", HEADS, listed, width)
    return "\n".join([*lines, _wrap(caption(result), width, first="  ", rest="    ")])


def _table(title: str, heads: Sequence[str], listed: Sequence[tuple[str, Sequence[str]]], width: int) -> list[str]:
    """Cells under their heads; a name too long for its column has a line of its own."""
    sizes = [max(map(cell_len, column)) for column in zip(heads, *(cells for _, cells in listed), strict=True)]
    names = [one_line(name) for name, _ in listed]
    room = max(4, width - sum(sizes) - 2 * len(sizes))
    room = min(room, max(cell_len(text) for text in (title, *names)))
    lines = [_row(title, heads, room, sizes)]
    for name, (_, cells) in zip(names, listed, strict=True):
        if cell_len(name) > room:
            lines += chop_cells(name, width)
        lines.append(_row("" if cell_len(name) > room else name, cells, room, sizes))
    return lines


def _row(name: str, cells: Sequence[str], room: int, sizes: Sequence[int]) -> str:
    padded = [" " * (size - cell_len(cell)) + cell for cell, size in zip(cells, sizes, strict=True)]
    return "  ".join([set_cell_size(name, room), *padded]).rstrip()


def _list(title: str, sentences: Sequence[str], width: int) -> str:
    if not sentences:
        return ""
    return "\n".join([title, *(_wrap(sentence, width, first="  ", rest="    ") for sentence in sentences)])


def _wrap(text: str, width: int, *, first: str = "", rest: str = "") -> str:
    """Wrapped prose, measured in columns; a figure stays with its percent sign, a word longer than a line is broken."""
    lines, line = [], first
    for word in one_line(text).replace(" %", "\N{NO-BREAK SPACE}%").split(" "):
        for piece in chop_cells(word, width - len(rest)):
            if line.strip() and cell_len(line) + 1 + cell_len(piece) > width:
                lines.append(line)
                line = rest
            line += f" {piece}" if line.strip() else piece
    return "\n".join([*lines, line]).replace("\N{NO-BREAK SPACE}", " ")
