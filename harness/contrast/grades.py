"""Grades and differences of grades as a reader should meet them: numbers on their scale, never percentages."""

from __future__ import annotations

from harness.contrast.measured import Side
from harness.report.numerals import DASH

Scale = tuple[float, float]
_MOST = 6
_ZERO = 1e-9


def grade(value: float, scale: Scale | None) -> str:
    """A grade, or the size of a difference: "7.65"; to three digits where the scale is not known ("5.00", "0.0043").

    What is not 0 is not printed as 0.
    """
    if scale is None:
        return f"{value:#.3g}".rstrip(".").replace("-", "−")
    digits = 2
    while digits < _MOST and abs(value) > _ZERO and not float(f"{value:.{digits}f}"):
        digits += 1
    return f"{value:.{digits}f}".replace("-", "−")


def moved(value: float | None, scale: Scale | None) -> str:
    """A difference of grades with its sign: "+0.34", "−0.21", "0.00"."""
    if value is None:
        return DASH
    text = grade(abs(value), scale)
    sign = "" if not float(text) else "+" if value > 0 else "−"
    return f"{sign}{text}"


def ends_of(scale: Scale) -> str:
    """ "1–10"."""
    return f"{scale[0]:g}–{scale[1]:g}".replace("-", "−")


def on_scale(scale: Scale | None) -> str:
    """ " on 1–10", or nothing where the scale is not known."""
    return f" on {ends_of(scale)}" if scale is not None else ""


def by_whom(side: Side) -> str | None:
    """Whose grades a side's are, where several judges' were averaged."""
    count = len(side.facts.counting)
    return f"the mean of {count} judges" if side.kind == "scores" and count > 1 else None
