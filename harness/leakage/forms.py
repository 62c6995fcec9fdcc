"""The form in which texts are compared: what a typist or an editor changes without changing the meaning is gone.

Unicode compatibility forms, case, punctuation, quotes, invisible characters and the amount of white space do not
count. What carries meaning stays: letters with their marks, digits, emoji, a point between digits (3.5), and the signs
of sums and names (3 - 4, x*y, $5, C++), so that sums are not taken for one another.
"""

from __future__ import annotations

import re
from itertools import groupby
from unicodedata import category, normalize

APOSTROPHES = frozenset("'’‘ʼ′")
SIGNS = frozenset("*/%#^")
POINTS = frozenset(".,:")

# A control character: no text holds it once the table has been applied.
_MARK = "\x01"
_LOOSE_POINT = re.compile(r"[.,:](?:(?!\d)|(?<!\d.))")


class _Table(dict[int, str]):
    """What becomes of a character, worked out when it is first seen."""

    def __missing__(self, code: int) -> str:
        self[code] = _become(chr(code))
        return self[code]


def _become(char: str) -> str:
    kind = category(char)
    if char in APOSTROPHES or kind == "Cf" or "\ufe00" <= char <= "\ufe0f":
        return ""
    if kind[0] in "LMN" or char in POINTS:
        return char
    if kind == "So":
        return f" {char} "
    if kind == "Pd" or char == "−":
        return f" {_MARK}- "
    if kind in ("Sm", "Sc") or char in SIGNS:
        return f" {_MARK}{char} "
    return " "


_TABLE = _Table()


def normal(text: str) -> str:
    """The normal form of a text; empty only where the text is blank.

    A text of nothing but punctuation keeps it, so that "?!" and "…" stay apart.
    """
    folded = text.casefold() if text.isascii() else normalize("NFKC", normalize("NFKC", text).casefold())
    told = _LOOSE_POINT.sub(" ", folded.translate(_TABLE))
    words = _weigh_signs(told.split()) if _MARK in told else told.split()
    return " ".join(words) or " ".join(folded.encode("utf-8", "replace").decode("utf-8").split())


def _weigh_signs(words: list[str]) -> list[str]:
    """Keep a run of signs that belongs to a sum or a name; drop it elsewhere (dashes, bullets, markup)."""
    runs = [(signs, list(run)) for signs, run in groupby(words, key=lambda word: word[0] == _MARK)]
    kept: list[str] = []
    for place, (signs, run) in enumerate(runs):
        if not signs:
            kept += run
            continue
        sign = "".join(mark[1:] for mark in run)
        before = runs[place - 1][1][-1] if place else ""
        after = runs[place + 1][1][0] if place + 1 < len(runs) else ""
        if _counts(before, sign, after):
            kept.append(sign)
    return kept


def _counts(before: str, sign: str, after: str) -> bool:
    if before[-1:].isdigit() or after[:1].isdigit():
        return True
    # A letter alone may be a word ("a dish - a stew"), so it takes two of them, or a name such as C++ or C#.
    return len(before) == 1 and (len(after) == 1 or set(sign) <= {"+", "#"})
