"""A gate's result for a terminal: the outcome first, the categories, what to know. Eighty columns, any name."""

from __future__ import annotations

from harness.contrast.grades import on_scale
from harness.gate import words
from harness.gate.result import GateResult
from harness.report.columns import WIDTH, listing, note, table, wrap
from harness.report.numerals import DASH, p_value

HEADS = ("outcome", "NEW − OLD", "95 %", "lower", "margin", "Holm p", "n")


def render(result: GateResult, *, width: int = WIDTH) -> str:
    """The result as lines of at most `width` columns."""
    measured = result.measured
    sides = [f"NEW: {measured.new}"]
    tie = " (a tie is 0)" if words.in_points(result) else ""
    sides.append(f"OLD: {measured.old}" if measured.old is not None else f"OLD: the baseline of that run{tie}")
    blocks = [
        wrap(words.headline(result), width),
        "\n".join(wrap(side, width, rest="     ") for side in sides),
        _categories(result, width),
        listing("what to know", words.notes(result), width),
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
    unit = " in points of a hundred" if words.in_points(result) else on_scale(result.measured.ends)
    return (
        f"differences{unit}, with the one-sided 95 % lower bound; categories are {heeded}, and one fails where a loss "
        "is real after Holm over all of them and may exceed its margin"
    )


def _categories(result: GateResult, width: int) -> str:
    listed = rows(result)
    if not listed:
        return ""
    lines = table("by category", HEADS, listed, width)
    return "\n".join([*lines, note(caption(result), width)])
