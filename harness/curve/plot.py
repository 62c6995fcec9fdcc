"""A curve in characters: a mark for each value over its step, and the bar of its interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

ROWS = 9


@dataclass(frozen=True, kw_only=True, slots=True)
class Dot:
    """A value at a step, with its interval where it has one."""

    step: int
    value: float
    ci: tuple[float, float] | None = None


def plot(
    series: Mapping[str, Sequence[Dot]], number: Callable[[float], str], *, width: int = 80, rows: int = ROWS
) -> list[str]:
    """The lines of a plot, its axis of steps last; `series` has the mark of each. Nothing where no step differs."""
    dots = [dot for own in series.values() for dot in own]
    steps = sorted({dot.step for dot in dots})
    if len(steps) < 2:
        return []
    values = [end for dot in dots for end in (dot.value, *(dot.ci or ()))]
    low, high = min(values), max(values)
    labels = [number(high - (high - low) * row / (rows - 1)) for row in range(rows)]
    margin = max(map(len, labels))
    room = width - margin - 4
    grid = [[" "] * room for _ in range(rows)]

    def row_of(value: float) -> int:
        return round((high - value) / (high - low) * (rows - 1)) if high > low else rows // 2

    at = {step: round((step - steps[0]) / (steps[-1] - steps[0]) * (room - 3)) + 1 for step in steps}
    for dot in dots:
        if dot.ci is not None:
            for row in range(row_of(dot.ci[1]), row_of(dot.ci[0]) + 1):
                grid[row][at[dot.step]] = "│"
    for mark, own in series.items():
        for dot in own:
            grid[row_of(dot.value)][at[dot.step]] = mark
    if high == low:
        labels = [number(high) if row == rows // 2 else "" for row in range(rows)]
    lines = [f"{label:>{margin}} ┤{''.join(line)}".rstrip() for label, line in zip(labels, grid, strict=True)]
    return [*lines, " " * margin + " └" + "─" * room, _names(at, margin + 2, width)]


def _names(at: Mapping[int, int], margin: int, width: int) -> str:
    """The steps under their columns, first and last always, and of the others those that have room."""
    line = [" "] * width
    first, *between, last = at
    for step in (first, last, *between):
        name = str(step)
        begin = min(max(margin + at[step] - len(name) // 2, 0), width - len(name))
        around = line[max(0, begin - 1) : begin + len(name) + 1]
        if not "".join(around).strip():
            line[begin : begin + len(name)] = name
    return "".join(line).rstrip()
