"""The win-rate plot, as one small SVG a row: interval, mean, the line at 1/2 and the equivalence band.

Every length is a share of the width, so a strip fits a phone as it fits a desk, and its text stays text beside it.
No colour stands here: the page's style sheet decides, in both themes. No figure is drawn that does not exist.
"""

from __future__ import annotations

from markupsafe import Markup

from harness.figures import Result

_TICKS = (
    (0.0, "0", "start"),
    (0.25, "25", "middle"),
    (0.5, "50 %", "middle"),
    (0.75, "75", "middle"),
    (1.0, "100", "end"),
)
_FRAME = '<svg class="strip{more}" width="100%" height="{height}" aria-hidden="true" focusable="false">{inside}</svg>'


def strip(result: Result, equivalence: float) -> Markup:
    """One row of the plot. Without an interval the mean stands alone, hollow; without a verdict there is none."""
    estimate = result.estimate
    parts = [_band(equivalence), _line("half", 0.5, 0.5, "0", "100%")]
    if estimate.ci is not None:
        low, high = estimate.ci
        parts.append(_line("whisker", low, high, "50%", "50%"))
        parts += [_line("end", end, end, "38%", "62%") for end in (low, high)]
    if estimate.mean is not None:
        kind = "dot" if estimate.ci is not None else "dot hollow"
        parts.append(f'<circle class="{kind}" cx="{_share(estimate.mean)}" cy="50%" r="5"/>')
    return _svg(parts, "100%")


def axis() -> Markup:
    """The scale above the rows: the candidate's score in percent."""
    parts = [f'<text x="{_share(at)}" y="70%" text-anchor="{anchor}">{label}</text>' for at, label, anchor in _TICKS]
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
