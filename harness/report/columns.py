"""Text in columns for a terminal: wrapped prose, tables, titled lists. Eighty columns, and any name.

Measured in columns, not characters: a name may be written in wide ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len, chop_cells, set_cell_size

from harness.report.numerals import one_line

WIDTH = 80
_NBSP = "\N{NO-BREAK SPACE}"
Rows = Sequence[tuple[str, Sequence[str]]]


def wrap(text: str, width: int = WIDTH, *, first: str = "", rest: str = "") -> str:
    """Wrapped prose; a figure stays with its percent sign, a word longer than a line is broken."""
    lines, line, begun = [], first, False
    for word in one_line(text).replace(" %", f"{_NBSP}%").split(" "):
        for piece in chop_cells(word, width - max(len(first), len(rest))):
            if begun and cell_len(line) + 1 + cell_len(piece) > width:
                lines.append(line)
                line, begun = rest, False
            line += f" {piece}" if begun else piece
            begun = True
    return "\n".join([*lines, line]).replace(_NBSP, " ")


def note(text: str, width: int = WIDTH) -> str:
    """Wrapped prose, set in by two columns, and by four from its second line on."""
    return wrap(text, width, first="  ", rest="    ")


def listing(title: str, sentences: Iterable[str], width: int = WIDTH) -> str:
    """A titled list of notes; nothing where there is nothing to list."""
    said = [note(sentence, width) for sentence in sentences]
    return "\n".join([title, *said]) if said else ""


def table(title: str, heads: Sequence[str], rows: Rows, width: int = WIDTH) -> list[str]:
    """Cells under their heads; a name too long for its column has a line of its own."""
    sizes = [max(map(cell_len, column)) for column in zip(heads, *(cells for _, cells in rows), strict=True)]
    names = [one_line(name) for name, _ in rows]
    room = max(4, width - sum(sizes) - 2 * len(sizes))
    room = min(room, max(cell_len(text) for text in (title, *names)))
    lines = [_row(title, heads, room, sizes)]
    for name, (_, cells) in zip(names, rows, strict=True):
        if cell_len(name) > room:
            lines += chop_cells(name, width)
        lines.append(_row("" if cell_len(name) > room else name, cells, room, sizes))
    return lines


def _row(name: str, cells: Sequence[str], room: int, sizes: Sequence[int]) -> str:
    padded = [" " * (size - cell_len(cell)) + cell for cell, size in zip(cells, sizes, strict=True)]
    return "  ".join([set_cell_size(name, room), *padded]).rstrip()
