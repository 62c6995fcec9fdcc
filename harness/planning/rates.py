"""Win rates of effects as text, rounded so that what is said of them stays true."""

from __future__ import annotations

import math


def rate(effect: float) -> str:
    """The win rate of an effect that was asked for, as it was given: "60 %"."""
    return f"{50 + 100 * effect:.6g} %"


def rate_above(effect: float) -> str:
    """The win rate of an effect, rounded up, so that "or more" stays true: "67 %"."""
    digits = _digits(effect)
    return f"{math.ceil((50 + 100 * effect) * 10**digits - 1e-6) / 10**digits:g} %"


def rate_below(effect: float) -> str:
    """The win rate of as large an effect to the other side, rounded down: "33 %"."""
    digits = _digits(effect)
    return f"{math.floor((50 - 100 * effect) * 10**digits + 1e-6) / 10**digits:g} %"


def _digits(effect: float) -> int:
    return 0 if effect >= 0.05 else 1 if effect >= 0.005 else 3
