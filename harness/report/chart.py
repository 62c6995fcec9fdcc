"""The win-rate plot, as one small SVG a row: interval, mean, the line at 1/2 and the equivalence band.

Every length is a share of the width, so a strip fits a phone as it fits a desk, and its text stays text beside it.
No colour stands here: the page's style sheet decides, in both themes. No figure is drawn that does not exist.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from harness.figures import Result

PERCENT = ("0", "25", "50 %", "75", "100")
_FRAME = '<svg class="strip{more}" width="100%" height="{height}" aria-hidden="true" focusable="false">{inside}</svg>'


def strip(result: Result, equivalence: float) -> Markup:
    """One row of the plot. Without an interval the mean stands alone, hollow; without a verdict there is none."""
    estimate = result.estimate
    parts = [_band(equivalence), _line("half", 0.5, 0.5, "0", "100%")]
    return _svg([*parts, *_whisker(estimate.mean, estimate.ci)], "100%")


def share(value: float | None, ci: tuple[float, float] | None, against: float | None = None) -> Markup:
    """A share in [0, 1] with its interval, on a line of that length; a thin mark stands where `against` lies."""
    parts = [_line("half", against, against, "15%", "85%")] if against is not None else []
    return _svg([_line("floor", 0, 1, "50%", "50%"), *parts, *_whisker(value, ci)], "100%")


def _whisker(value: float | None, ci: tuple[float, float] | None) -> list[str]:
    """An interval with its ends and its figure; the figure is hollow where there is no interval."""
    parts = []
    if ci is not None:
        parts.append(_line("whisker", *ci, "50%", "50%"))
        parts += [_line("end", end, end, "38%", "62%") for end in ci]
    if value is not None:
        kind = "dot" if ci is not None else "dot hollow"
        parts.append(f'<circle class="{kind}" cx="{_share(value)}" cy="50%" r="5"/>')
    return parts


def axis(labels: Sequence[str] = PERCENT) -> Markup:
    """The scale above the rows: a share in percent, or written as in `labels`, which are five constants."""
    ticks = zip((0.0, 0.25, 0.5, 0.75, 1.0), labels, ("start", *["middle"] * 3, "end"), strict=True)
    parts = [f'<text x="{_share(at)}" y="70%" text-anchor="{anchor}">{label}</text>' for at, label, anchor in ticks]
    return _svg(parts, "20", " axis")


def _svg(parts: list[str], height: str, more: str = "") -> Markup:
    # Safe as it is: nothing but numbers and constants of this module ever enters a strip.
    return Markup(_FRAME.format(more=more, height=height, inside="".join(parts)))


def _band(equivalence: float) -> str:
    return f'<rect class="band" x="{_share(0.5 - equivalence)}" y="0" width="{_share(2 * equivalence)}" height="100%"/>'


def _line(kind: str, x1: float, x2: float, y1: str, y2: str) -> str:
    return f'<line class="{kind}" x1="{_share(x1)}" x2="{_share(x2)}" y1="{y1}" y2="{y2}"/>'


def _share(value: float) -> str:
    return f"{100 * min(1.0, max(0.0, value)):.6g}%"
