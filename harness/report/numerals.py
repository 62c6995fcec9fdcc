"""Numbers as a reader should meet them: no false precision, and no rounding that moves a figure across 1/2.

It refuses to print what is missing: callers say why a figure is not there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

DASH = "—"
# C0 and C1 controls, bidirectional overrides and lone surrogates: nothing a figure, a name or a file needs.
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
# A reader takes these for exact: a rate that is not there must not round onto them.
_LANDMARKS = (0.0, 0.5, 1.0)


def in_percent(rate: float, n: int) -> str:
    """A rate in [0, 1] in percent, without the sign: whole below n = 1000, else one decimal.

    A rate beside 0, 1/2 or 1 gets as many decimals (at most four) as show that it is not there.
    """
    digits = 0 if n < 1000 else 1
    for landmark in _LANDMARKS:
        if abs(rate - landmark) > 1e-9:
            while digits < 4 and round(100 * rate, digits) == 100 * landmark:
                digits += 1
    text = f"{100 * rate:.{digits}f}"
    return text.removesuffix(".0")


def percent(rate: float, n: int) -> str:
    """A rate in [0, 1] as "66 %", by the rules of `in_percent`."""
    return f"{in_percent(rate, n)} %"


def decimals(value: float, digits: int, landmarks: Sequence[float] = (-1.0, 0.0, 1.0)) -> str:
    """A figure to so many decimals, at most three more where it would print as a landmark that it is not."""
    most, value = digits + 3, value + 0.0
    for landmark in landmarks:
        while digits < most and value != landmark and round(value, digits) == landmark:
            digits += 1
    return f"{value:.{digits}f}".replace("-", "−")


def brief(value: float) -> str:
    """A size to three significant digits, from a hundred on whole: "12.5", "1,750"."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def span(low: float, high: float, n: int) -> str:
    """Two rates as "54–76" (percent), or one figure where they print alike."""
    ends = in_percent(low, n), in_percent(high, n)
    return ends[0] if ends[0] == ends[1] else "–".join(ends)


def p_value(p: float) -> str:
    """A p-value to two significant digits: "= 0.01", "< 0.001", "> 0.99", "= 1"."""
    if p < 0.001:
        return "< 0.001"
    if p >= 1:
        return "= 1"
    if p > 0.99:
        return "> 0.99"
    digits = 2 if p >= 0.1 else 3 if p >= 0.01 else 4
    # On which side of 0.05 it lies is the one thing that must not be rounded away.
    while digits < 6 and round(p, digits) == 0.05 and abs(p - 0.05) > 1e-9:
        digits += 1
    return f"= {round(p, digits):.{digits}f}".rstrip("0")


def points(difference: float) -> str:
    """A difference of rates in percentage points, unsigned: "12", below one "0.6"."""
    size = 100 * abs(difference)
    return f"{size:.0f}" if size >= 0.95 or size == 0 else f"{size:.1g}"


def margin(half_width: float) -> str:
    """The half-width of an equivalence band in points, as exactly as it was given."""
    return f"{100 * half_width:.6g}"


def storage(count: int) -> str:
    """Bytes as "2.7 GiB" or "512 MiB"."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{max(1, round(count / 2**20))} MiB"


def plural(count: int, noun: str, many: str | None = None) -> str:
    """ "1 prompt", "64 prompts", "1,200 prompts"."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


def listed(names: Sequence[str], most: int = 6) -> str:
    """ "a, b and c"; after `most` names "… and 4 more"."""
    shown, left = list(names[:most]), len(names) - most
    if left > 0:
        return f"{', '.join(shown)} and {left} more"
    return " and ".join([*([", ".join(shown[:-1])] if len(shown) > 1 else []), *shown[-1:]])


def clean(text: str) -> str:
    """Text that cannot steer a terminal, turn its neighbours around or fail to encode; newlines and tabs stay."""
    return _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", text)


def one_line(text: str, room: int | None = None) -> str:
    """`clean` text on one line, cut to `room` characters with an ellipsis."""
    line = " ".join(clean(text).split())
    return line if room is None or len(line) <= room else line[: room - 1].rstrip() + "…"
