"""A comparison of two sides for a terminal: the finding, the figures, slices and judges, notes and doubts."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from rich.cells import cell_len, chop_cells, set_cell_size

from harness.contrast import words
from harness.contrast.results import Contrast, Level, Part
from harness.contrast.sides import Side
from harness.report.numerals import DASH, one_line, p_value, span

WIDTH = 80
_Rows = Sequence[tuple[str, Sequence[str]]]


def render(found: Sequence[Contrast], *, width: int = WIDTH) -> str:
    """One comparison, or a family of them with one side, as lines of at most `width` columns."""
    if len(found) == 1:
        return _one(found[0], width)
    each = [f"— {place} of {len(found)} —\n\n{_one(one, width)}" for place, one in enumerate(found, 1)]
    first = f"{len(found)} comparisons with A, declared together; p-values after Holm decide"
    return "\n".join([_wrap(first, width), "", *each])


def _one(found: Contrast, width: int) -> str:
    blocks = [
        "\n".join(_name(name, side, width) for name, side in (("A", found.pair.side_a), ("B", found.pair.side_b))),
        _wrap(words.headline(found), width),
        _levels(found, width),
        _parts("by slice", found, found.slices, "adjusted after Benjamini and Hochberg over the slices", width),
        _parts("by judge", found, found.judges, "adjusted after Holm over the judges", width),
        _list("what else was measured", words.details(found), width),
        _list("what to know", found.pair.notes, width),
        _list("what to doubt", words.doubts(found), width),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _name(name: str, side: Side, width: int) -> str:
    candidate = side.facts.candidate
    who = f" ({candidate.spec})" if candidate is not None else ""
    return _wrap(f"{name}: {side.path}{who}", width, rest="   ")


def _levels(found: Contrast, width: int) -> str:
    rows = [(name, _level(found, level)) for name, level in (("A", found.a), ("B", found.b))]
    heads = ["accuracy", "95 %", "macro F1", "MCC", "n"] if found.pair.kind == "predictions" else ["mean", "95 %", "n"]
    return "\n".join(_table("", heads, rows, width))


def _level(found: Contrast, level: Level) -> list[str]:
    if level.ci is None:
        ends = DASH
    elif found.pair.scale is not None:
        ends = span(*level.ci, level.n)
    else:
        ends = " to ".join(map(words.number, level.ci))
    more = [f"{value:.3f}" if value is not None else DASH for value in (level.macro_f1, level.mcc)]
    own = more if found.pair.kind == "predictions" else []
    return [words.level(found, level.mean, level.n), ends, *own, f"{level.n:,}"]


def _parts(title: str, found: Contrast, parts: Mapping[str, Part], note: str, width: int) -> str:
    if not parts:
        return ""
    rows = [
        (
            name,
            [
                words.level(found, part.a, part.n),
                words.level(found, part.b, part.n),
                words.signed(found, part.difference.mean),
                words.interval(found, part.difference.ci),
                _p(part.p_value),
                _p(part.p_adjusted),
                f"{part.n:,}",
            ],
        )
        for name, part in parts.items()
    ]
    lines = _table(title, ["A", "B", "B − A", "95 %", "p", "adjusted", "n"], rows, width)
    return "\n".join([*lines, _wrap(note, width, first="  ", rest="    ")])


def _p(p: float | None) -> str:
    return DASH if p is None else p_value(p).removeprefix("= ")


def _table(title: str, heads: Sequence[str], rows: _Rows, width: int) -> list[str]:
    """Figures under their heads; a name too long for its column has a line of its own."""
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
    # Padded by columns, not characters: a name may be written in wide ones.
    padded = [" " * (size - cell_len(cell)) + cell for cell, size in zip(cells, sizes, strict=True)]
    return "  ".join([set_cell_size(name, room), *padded]).rstrip()


def _list(title: str, sentences: Sequence[str], width: int) -> str:
    if not sentences:
        return ""
    return "\n".join([title, *(_wrap(sentence, width, first="  ", rest="    ") for sentence in sentences)])


def _wrap(text: str, width: int, *, first: str = "", rest: str = "") -> str:
    # A figure stays with its percent sign.
    joined = one_line(text).replace(" %", "\N{NO-BREAK SPACE}%")
    lines = textwrap.wrap(joined, width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)
    return "\n".join(lines).replace("\N{NO-BREAK SPACE}", " ")
