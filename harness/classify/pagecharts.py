"""The pictures of a classification's page: its confusion matrix as shades, its reliability as SVG.

No colour stands here, the page's style sheet decides. Every figure that is drawn stands as text beside it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from markupsafe import Markup

from harness.classify.calibrated import Believed, Calibrated
from harness.classify.summary import ClassifySummary
from harness.report.numerals import in_percent, percent

# A matrix of more labels than this is not drawn, of more than `OPEN` stands behind a click.
MOST, OPEN = 40, 12
SHADES = 10
_SIDE, _LEFT, _FOOT = 300.0, 44.0, 40.0
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """Items of one label that were predicted as another, or not at all (`prediction` None)."""

    label: str
    prediction: str | None
    n: int
    kind: str
    told: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Matrix:
    """Labels in rows, predictions in columns; `none` where some item has no prediction."""

    predictions: tuple[str, ...]
    none: bool
    rows: tuple[tuple[str, int, tuple[Cell, ...]], ...]


def matrix(found: ClassifySummary) -> Matrix | None:
    """The confusion matrix; None without items, and where it has too many labels to be read."""
    counted = found.figures.counted
    if not counted.n or counted.k > MOST:
        return None
    counts, names = counted.counts, counted.labels
    none = bool(counts[:, -1].any())
    columns: list[str | None] = [*names, *([None] if none else [])]
    rows = []
    for name, row in zip(names, counts.tolist(), strict=True):
        support = sum(row)
        cells = tuple(_cell(name, column, n, support) for column, n in zip(columns, row, strict=False))
        rows.append((name, support, cells))
    return Matrix(predictions=names, none=none, rows=tuple(rows))


def _cell(label: str, prediction: str | None, n: int, support: int) -> Cell:
    share = n / support if support else 0.0
    level = math.ceil(share * SHADES - 1e-9)
    way = "right" if label == prediction else "wrong"
    said = f"{n:,} of {support:,} ({percent(share, support)})" if support else "no item has this label"
    return Cell(label=label, prediction=prediction, n=n, kind=f"{way} s{level}" if n else "", told=said)


def reliability(own: Calibrated) -> Markup:
    """Accuracy against confidence by bin, before (hollow) and after (full) temperature scaling, with intervals."""
    most = max(each.n for side in (own.before, own.after) if side is not None for each in side.table)
    parts = [_frame(), _line("ideal", 0, 0, 1, 1), *_points(own.before, "before", most)]
    if own.after is not None:
        parts += _points(own.after, "after", most)
    width, height = _LEFT + _SIDE + 12, _SIDE + _FOOT + 8
    told = "share right against confidence, in bins; the table beside it has the figures"
    # Safe as it is: nothing but numbers and constants of this module ever enters the picture.
    return Markup(
        f'<svg class="reliability" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{told}">'
        f"{''.join(parts)}</svg>"
    )


def _frame() -> str:
    parts = []
    for tick in _TICKS:
        x, y = _at(tick, tick)
        parts.append(_line("grid", tick, 0, tick, 1) + _line("grid", 0, tick, 1, tick))
        label = in_percent(tick, 100)
        parts.append(f'<text x="{x:.5g}" y="{_SIDE + 24:g}" text-anchor="middle">{label}</text>')
        parts.append(f'<text x="{_LEFT - 6:g}" y="{y + 4:.5g}" text-anchor="end">{label}</text>')
    middle = _LEFT + _SIDE / 2
    parts.append(f'<text x="{middle:g}" y="{_SIDE + 42:g}" text-anchor="middle">confidence, %</text>')
    turned = f"translate(11 {8 + _SIDE / 2:g}) rotate(-90)"
    parts.append(f'<text transform="{turned}" text-anchor="middle">right, %</text>')
    return "".join(parts)


def _points(own: Believed, kind: str, most: int) -> list[str]:
    parts = []
    for each in own.table:
        if each.confidence is None or each.accuracy is None:
            continue
        if each.ci is not None:
            parts.append(_line(f"reach {kind}", each.confidence, each.ci[0], each.confidence, each.ci[1]))
        x, y = _at(each.confidence, each.accuracy)
        radius = 2.5 + 4 * math.sqrt(each.n / most)
        parts.append(f'<circle class="mark {kind}" cx="{x:.5g}" cy="{y:.5g}" r="{radius:.3g}"/>')
    return parts


def _at(x: float, y: float) -> tuple[float, float]:
    return _LEFT + _SIDE * x, 8 + _SIDE * (1 - y)


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    (a, b), (c, d) = _at(x1, y1), _at(x2, y2)
    return f'<line class="{kind}" x1="{a:.5g}" y1="{b:.5g}" x2="{c:.5g}" y2="{d:.5g}"/>'
