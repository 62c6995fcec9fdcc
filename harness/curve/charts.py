"""The pictures of a curve as SVG: scores by step with their intervals, and the losses below on the same axis of steps.

Every length across is a share of the width, so that a picture fits a phone as it fits a desk and its text stays text.
Marks differ in shape, not in colour alone; the page's style sheet has the colours. No figure is drawn that does not
exist, and every one that is drawn stands in a table beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from harness.curve.losses import Trail
from harness.curve.measured import Judged, Point
from harness.scoring.words import number

SCORES, LOSSES = 260, 170
# Steps lie between these shares of the width: numbers stand on the left of them, half a name on the right.
_LEFT, _RIGHT = 0.11, 0.96
# Names of steps are at least this far apart; more than so many logged losses are thinned.
_APART = 0.09
MOST = 400
_TOP, _BOTTOM = 14.0, 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Axis:
    """Steps across and values up, of a picture that is `height` high."""

    steps: tuple[int, int]
    values: tuple[float, float]
    height: float

    def x(self, step: int) -> str:
        """Where a step lies across."""
        first, last = self.steps
        share = (step - first) / (last - first) if last > first else 0.5
        return f"{100 * (_LEFT + share * (_RIGHT - _LEFT)):.4g}%"

    def y(self, value: float) -> str:
        """Where a value lies down."""
        low, high = self.values
        share = (high - value) / (high - low)
        return f"{_TOP + share * (self.height - _TOP - _BOTTOM):.2f}"

    def ticks(self) -> list[float]:
        """Three to six round values on the axis."""
        low, high = self.values
        width = 10.0 ** math.floor(math.log10((high - low) / 2))
        step = next(width * times for times in (1, 2, 5, 10) if (high - low) / (width * times) <= 5)
        first = math.ceil(low / step - 1e-9)
        return [round(place * step, 10) for place in range(first, math.floor(high / step + 1e-9) + 1)]


def scores(found: Judged) -> Markup | None:
    """Means by step: thin the interval that holds for all steps at once, thick the one of a step alone.

    None where no step has a score.
    """
    points = [point for point in found.points if point.score is not None]
    axis = _axis(
        found, [v for p in points if p.score for v in (p.score.mean, *(p.score.ci_all or p.score.ci or ()))], SCORES
    )
    if axis is None:
        return None
    parts = [*_frame(axis, number), _line("chosen", axis, _best(found), 0, SCORES)]
    for a, b in pairwise(points):
        if a.score is not None and b.score is not None:
            parts.append(_segment("path", axis, (a.step, a.score.mean), (b.step, b.score.mean)))
    parts += [part for point in points for part in _dot(found, point, axis)]
    return _svg(parts, SCORES)


def losses(found: Judged, trail: Trail) -> Markup | None:
    """Training and validation loss over the same steps; None where neither is known."""
    values = [value for _, value in (*trail.training, *trail.validation)]
    axis = _axis(found, values, LOSSES)
    if axis is None:
        return None
    parts = [*_frame(axis, lambda value: f"{value:.6g}"), _line("chosen", axis, _best(found), 0, LOSSES)]
    for kind, rows in (("training", trail.training), ("validation", trail.validation)):
        drawn = _thinned(rows)
        parts += [_segment(f"loss {kind}", axis, a, b) for a, b in pairwise(drawn)]
        if kind == "validation" or len(drawn) == 1:
            parts += [f'<circle class="mark {kind}" cx="{axis.x(s)}" cy="{axis.y(v)}" r="3.5"/>' for s, v in drawn]
    return _svg(parts, LOSSES)


def names(found: Judged) -> Markup:
    """The steps under their places: first, last and best always, and of the others those that have room."""
    steps = [point.step for point in found.points]
    axis = Axis(steps=(steps[0], steps[-1]), values=(0.0, 1.0), height=20.0)
    wanted = [steps[0], steps[-1], *([best] if (best := _best(found)) is not None else []), *steps]
    shown: list[int] = []
    for step in wanted:
        if all(abs(_share(axis, step) - _share(axis, other)) >= _APART for other in shown):
            shown.append(step)
    texts = [
        f'<text{_chosen(found, step)} x="{axis.x(step)}" y="15" text-anchor="middle">{step}</text>' for step in shown
    ]
    return _svg(texts, 20)


def legend(kind: str) -> Markup:
    """A mark as it is drawn, for the words beside it."""
    inside = {
        "best": '<circle class="mark best" cx="7" cy="7" r="5"/>',
        "alike": '<circle class="mark alike" cx="7" cy="7" r="4.5"/>',
        "told": '<rect class="mark told" x="3" y="3" width="8" height="8"/>',
        "training": '<line class="loss training" x1="0" x2="14" y1="7" y2="7"/>',
        "validation": '<line class="loss validation" x1="0" x2="14" y1="7" y2="7"/>'
        '<circle class="mark validation" cx="7" cy="7" r="3.5"/>',
    }[kind]
    return Markup(f'<svg class="swatch" width="14" height="14" aria-hidden="true" focusable="false">{inside}</svg>')


def standing(found: Judged, point: Point) -> str:
    """What a step is to the highest: best, alike or told."""
    if found.best is None or point.step == found.best.step:
        return "best"
    return "alike" if point.step in found.like_best else "told"


def _axis(found: Judged, values: Iterable[float], height: float) -> Axis | None:
    seen = list(values)
    if not seen or not found.points:
        return None
    low, high = min(seen), max(seen)
    room = 0.04 * (high - low) or max(abs(high) * 0.05, 0.05)
    return Axis(
        steps=(found.points[0].step, found.points[-1].step), values=(low - room, high + room), height=float(height)
    )


def _frame(axis: Axis, say: Callable[[float], str]) -> list[str]:
    """Lines across at round values, each with its number."""
    parts = []
    for tick in axis.ticks():
        at = axis.y(tick)
        parts.append(f'<line class="grid" x1="0" x2="100%" y1="{at}" y2="{at}"/>')
        parts.append(f'<text x="0" y="{float(at) - 3:.2f}">{say(tick)}</text>')
    return parts


def _dot(found: Judged, point: Point, axis: Axis) -> list[str]:
    assert point.score is not None
    kind, at, own = standing(found, point), axis.x(point.step), point.score
    parts = []
    for name, ci in (("reach", own.ci_all), ("alone", own.ci)):
        if ci is not None:
            parts.append(f'<line class="{name}" x1="{at}" x2="{at}" y1="{axis.y(ci[0])}" y2="{axis.y(ci[1])}"/>')
    y = axis.y(own.mean)
    if kind == "told":
        # A rectangle's corner cannot be "the middle less 4": it is moved there.
        return [*parts, f'<rect class="mark told" x="{at}" y="{y}" width="8" height="8" transform="translate(-4 -4)"/>']
    return [*parts, f'<circle class="mark {kind}" cx="{at}" cy="{y}" r="{6 if kind == "best" else 5}"/>']


def _segment(kind: str, axis: Axis, a: tuple[int, float], b: tuple[int, float]) -> str:
    ends = f'x1="{axis.x(a[0])}" y1="{axis.y(a[1])}" x2="{axis.x(b[0])}" y2="{axis.y(b[1])}"'
    return f'<line class="{kind}" {ends}/>'


def _line(kind: str, axis: Axis, step: int | None, top: float, bottom: float) -> str:
    if step is None:
        return ""
    return f'<line class="{kind}" x1="{axis.x(step)}" x2="{axis.x(step)}" y1="{top:g}" y2="{bottom:g}"/>'


def _thinned(rows: Sequence[tuple[int, float]]) -> Sequence[tuple[int, float]]:
    if len(rows) <= MOST:
        return rows
    return [rows[round(place * (len(rows) - 1) / (MOST - 1))] for place in range(MOST)]


def _best(found: Judged) -> int | None:
    return found.best.step if found.best is not None else None


def _chosen(found: Judged, step: int) -> str:
    return ' class="best"' if step == _best(found) else ""


def _share(axis: Axis, step: int) -> float:
    return float(axis.x(step).rstrip("%")) / 100


def _svg(parts: Sequence[str], height: float) -> Markup:
    # Safe as it is: nothing but numbers and constants of this module enters a picture.
    inside = "".join(parts)
    return Markup(
        f'<svg class="curve" width="100%" height="{height:g}" aria-hidden="true" focusable="false">{inside}</svg>'
    )
