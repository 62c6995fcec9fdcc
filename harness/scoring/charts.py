"""The pictures of a score report as SVG: bars of means, a radar of categories, every prompt's change in order.

The candidate is solid and round, the baseline dashed and hollow: no colour has to be told from another. No colour
stands here either, the page's style sheet decides. No figure is drawn that does not exist, and every one that is drawn
stands as text beside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape
from rich.cells import cell_len, chop_cells

from harness.report.numerals import one_line
from harness.scoring.figures import Delta, Scale, Scored
from harness.scoring.rows import Panel, Row
from harness.scoring.words import number

# A radar of fewer spokes is a line, of more a tangle: bars say it then.
FEWEST, MOST = 3, 16
# More prompts than columns of a strip can hold are drawn by evenly spaced ranks.
COLUMNS = 400
_RADIUS, _WIDTH, _HEIGHT = 118.0, 470.0, 304.0
_LABEL = 16
_STRIP = '<svg class="strip{more}" width="100%" height="{height}" aria-hidden="true" focusable="false">{inside}</svg>'


@dataclass(frozen=True, kw_only=True, slots=True)
class Axis:
    """From where to where figures are drawn; `known` where that is the judge's scale, else it spans what was seen."""

    low: float
    high: float
    known: bool

    def share(self, value: float) -> float:
        """Where a value lies, in [0, 1]."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    def ticks(self) -> list[float]:
        """Marks that print short: thirds, quarters, fifths or halves of the axis, else its ends."""
        width = self.high - self.low
        for parts in (3, 4, 5, 2) if self.known else ():
            if abs(20 * width / parts - round(20 * width / parts)) < 1e-9:
                return [self.low + width * place / parts for place in range(parts + 1)]
        return [self.low, self.high]


def axis_of(scale: Scale | None, rows: Iterable[Row]) -> Axis | None:
    """The axis of these rows: the scale's ends, else the outermost means and intervals; None where there are none."""
    if scale is not None and scale[1] > scale[0]:
        return Axis(low=scale[0], high=scale[1], known=True)
    seen = [value for row in rows for side in (row.candidate, row.baseline) for value in _values(side)]
    if not seen:
        return None
    low, high = min(seen), max(seen)
    room = 0.05 * (high - low) or 0.5
    return Axis(low=low - room, high=high + room, known=False)


def _values(side: Scored | None) -> list[float]:
    return [] if side is None or side.mean is None else [side.mean, *(side.ci or ())]


def bars(row: Row, axis: Axis, *, pair: bool) -> Markup:
    """Both means of a row with their intervals, candidate above baseline; `pair` keeps room for a baseline.

    A bar begins at the scale's minimum; on a scale that is not known there is no such place, and dots stand alone.
    """
    parts = [_line("grid", tick, tick, "0", "100%", axis) for tick in axis.ticks()]
    sides = [("ours", row.candidate, 30), ("theirs", row.baseline, 70)] if pair else [("ours", row.candidate, 50)]
    for kind, side, middle in sides:
        if side is not None and side.mean is not None:
            parts += _bar(kind, side.mean, side.ci, middle, axis)
    return Markup(_STRIP.format(more="", height="100%", inside="".join(parts)))


def _bar(kind: str, mean: float, ci: Scale | None, middle: int, axis: Axis) -> list[str]:
    at, parts = _percent(mean, axis), []
    if axis.known:
        parts.append(f'<rect class="bar {kind}" x="0" y="{middle - 13}%" width="{at}" height="26%"/>')
    if ci is not None:
        low, high = ci
        parts.append(_line("whisker", low, high, f"{middle}%", f"{middle}%", axis))
        parts += [_line("end", end, end, f"{middle - 9}%", f"{middle + 9}%", axis) for end in (low, high)]
    if not axis.known:
        parts.append(f'<circle class="mark {kind}" cx="{at}" cy="{middle}%" r="4.5"/>')
    return parts


def scale_marks(axis: Axis) -> Markup:
    """The axis above the rows of bars."""
    parts = []
    ticks = axis.ticks()
    for place, tick in enumerate(ticks):
        anchor = "start" if place == 0 else "end" if place == len(ticks) - 1 else "middle"
        parts.append(f'<text x="{_percent(tick, axis)}" y="70%" text-anchor="{anchor}">{_tick(tick, axis)}</text>')
    return Markup(_STRIP.format(more=" axis", height="20", inside="".join(parts)))


def _tick(value: float, axis: Axis) -> str:
    return f"{value:.6g}".replace("-", "−") if axis.known else number(value)


def _line(kind: str, x1: float, x2: float, y1: str, y2: str, axis: Axis) -> str:
    return f'<line class="{kind}" x1="{_percent(x1, axis)}" x2="{_percent(x2, axis)}" y1="{y1}" y2="{y2}"/>'


def _percent(value: float, axis: Axis) -> str:
    return f"{100 * axis.share(value):.6g}%"


def why_no_radar(panel: Panel) -> str | None:
    """Why a panel's categories stand as bars alone; None where a radar can be drawn."""
    count = len(panel.rows)
    if count < FEWEST:
        return f"a radar needs {FEWEST} categories"
    return f"{count} categories are too many spokes to read" if count > MOST else None


def radar(panel: Panel) -> Markup | None:
    """The means of a panel's categories on spokes, with their intervals; None where `why_no_radar` says why.

    The middle is the axis' lower end. A category without a mean leaves a gap in its line.
    """
    axis = axis_of(panel.scale, panel.rows)
    if axis is None or why_no_radar(panel) is not None:
        return None
    count = len(panel.rows)
    parts = [_ring(axis.share(tick) * _RADIUS) for tick in axis.ticks() if tick > axis.low]
    for place, row in enumerate(panel.rows):
        x, y = _point(place, count, _RADIUS)
        parts.append(f'<line class="grid" x1="0" y1="0" x2="{x:.2f}" y2="{y:.2f}"/>')
        parts.append(_spoke_name(row.label, place, count))
    parts += [_side("theirs", [row.baseline for row in panel.rows], axis)]
    parts += [_side("ours", [row.candidate for row in panel.rows], axis)]
    parts += [_ring_name(tick, axis, count) for tick in axis.ticks()]
    box = f"{-_WIDTH / 2:g} {-_HEIGHT / 2:g} {_WIDTH:g} {_HEIGHT:g}"
    return Markup(
        f'<svg class="radar" viewBox="{box}" width="100%" aria-hidden="true" focusable="false">{"".join(parts)}</svg>'
    )


def _ring(radius: float) -> str:
    return f'<circle class="grid ring" cx="0" cy="0" r="{radius:.2f}"/>'


def _ring_name(tick: float, axis: Axis, count: int) -> str:
    # Between two spokes, where no line and no mark lies on it.
    x, y = _point(0, count, axis.share(tick) * _RADIUS, 0.0, turned=0.5)
    return f'<text class="tick" x="{x:.2f}" y="{y + 4:.2f}" text-anchor="middle">{_tick(tick, axis)}</text>'


def _point(place: int, count: int, radius: float, aside: float = 0.0, *, turned: float = 0.0) -> tuple[float, float]:
    """A place on a spoke, `aside` units beside it, or `turned` spokes on."""
    angle = 2 * math.pi * (place + turned) / count - math.pi / 2
    along, across = (math.cos(angle), math.sin(angle)), (-math.sin(angle), math.cos(angle))
    return radius * along[0] + aside * across[0], radius * along[1] + aside * across[1]


def _spoke_name(label: str, place: int, count: int) -> str:
    x, y = _point(place, count, _RADIUS + 14)
    anchor = "start" if x > 8 else "end" if x < -8 else "middle"
    low = 4 + 5 * y / (_RADIUS + 14)
    # The name is the one text from a file in a picture.
    return f'<text class="name" x="{x:.2f}" y="{y + low:.2f}" text-anchor="{anchor}">{escape(short(label))}</text>'


def short(label: str, room: int = _LABEL) -> str:
    """A name on one line of at most `room` columns."""
    line = one_line(label)
    return line if cell_len(line) <= room else f"{chop_cells(line, room - 1)[0].rstrip()}…"


def _side(kind: str, sides: Sequence[Scored | None], axis: Axis) -> str:
    """One contestant's line around the radar, its marks and its intervals."""
    count = len(sides)
    means = [None if side is None else side.mean for side in sides]
    places = [None if mean is None else _point(i, count, axis.share(mean) * _RADIUS) for i, mean in enumerate(means)]
    parts = [_outline(kind, places)]
    for i, side in enumerate(sides):
        if side is not None and side.ci is not None:
            ends = [_point(i, count, axis.share(end) * _RADIUS, 2.5 if kind == "ours" else -2.5) for end in side.ci]
            (x1, y1), (x2, y2) = ends
            parts.append(f'<line class="reach {kind}" x1="{x1:.2f}" y1="{y1:.2f}" x2="{x2:.2f}" y2="{y2:.2f}"/>')
    parts += [_mark(kind, *place) for place in places if place is not None]
    return "".join(parts)


def _mark(kind: str, x: float, y: float) -> str:
    if kind == "ours":
        return f'<circle class="mark ours" cx="{x:.2f}" cy="{y:.2f}" r="3.5"/>'
    return f'<rect class="mark theirs" x="{x - 3.5:.2f}" y="{y - 3.5:.2f}" width="7" height="7"/>'


def _outline(kind: str, places: Sequence[tuple[float, float] | None]) -> str:
    known = [place for place in places if place is not None]
    if len(known) == len(places):
        points = " ".join(f"{x:.2f},{y:.2f}" for x, y in known)
        return f'<polygon class="shape {kind}" points="{points}"/>'
    steps = []
    for start, end in zip(places, [*places[1:], places[0]], strict=True):
        if start is not None and end is not None:
            steps.append(f"M{start[0]:.2f} {start[1]:.2f}L{end[0]:.2f} {end[1]:.2f}")
    return f'<path class="shape open {kind}" d="{"".join(steps)}"/>' if steps else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """Every prompt's change by one judge: the picture, its reach up and down, and how many went which way."""

    picture: Markup | None
    reach: float
    gained: int
    same: int
    dropped: int
    thinned: bool


def changes(moved: Delta, tolerance: float = 1e-9) -> Changes:
    """All differences in order, from the biggest drop to the biggest gain, with the mean's interval as a band.

    The picture is as high as the biggest difference either way; there is none where nothing moved.
    """
    values = sorted(moved.by_prompt.values())
    reach = max(map(abs, values), default=0.0)
    return Changes(
        picture=_columns(values, reach, moved.difference.ci, tolerance) if reach > tolerance else None,
        reach=reach,
        gained=sum(v > tolerance for v in values),
        same=sum(abs(v) <= tolerance for v in values),
        dropped=sum(v < -tolerance for v in values),
        thinned=len(values) > COLUMNS,
    )


def _columns(values: Sequence[float], reach: float, ci: Scale | None, tolerance: float) -> Markup:
    drawn = values
    if len(values) > COLUMNS:
        drawn = [values[round(i * (len(values) - 1) / (COLUMNS - 1))] for i in range(COLUMNS)]
    step = 1000 / len(drawn)
    gap = min(0.2 * step, 2.0) if len(drawn) <= 150 else 0.0
    parts = []
    if ci is not None:
        low, high = (max(-reach, min(reach, end)) for end in ci)
        top = 100 - 100 * high / reach
        parts.append(f'<rect class="band" x="0" y="{top:.4g}" width="1000" height="{100 * (high - low) / reach:.4g}"/>')
    for kind, sign in (("theirs", -1), ("ours", 1)):
        columns = [
            f"M{i * step + gap / 2:.6g} 100v{-100 * v / reach:.4g}h{step - gap:.6g}V100z"
            for i, v in enumerate(drawn)
            if v * sign > tolerance
        ]
        if columns:
            parts.append(f'<path class="column {kind}" d="{"".join(columns)}"/>')
    parts.append('<line class="zero" x1="0" x2="1000" y1="100" y2="100"/>')
    return Markup(
        '<svg class="changes" viewBox="0 0 1000 200" preserveAspectRatio="none" aria-hidden="true" '
        f'focusable="false">{"".join(parts)}</svg>'
    )


def legend(pair: bool, kind: str = "bars") -> Markup:
    """Which marks are whose, in a picture and in words."""
    said = _swatch("ours", kind) + " candidate, solid"
    return Markup(f"{said}; {_swatch('theirs', kind)} baseline, dashed and hollow." if pair else f"{said}.")


def _swatch(side: str, kind: str) -> str:
    if kind == "bars":
        inside = f'<rect class="bar {side}" x="1" y="1" width="26" height="10"/>'
    else:
        inside = f'<line class="shape {side}" x1="0" x2="28" y1="6" y2="6"/>{_mark(side, 14, 6)}'
    return f'<svg class="swatch" viewBox="0 0 28 12" aria-hidden="true" focusable="false">{inside}</svg>'
