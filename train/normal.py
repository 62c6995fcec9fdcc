"""The normal form in which prompts are compared: lower case, words only, one space between them."""

from __future__ import annotations

import re

_WORD = re.compile(r"\w+(?:['’-]\w+)*")


def normal(text: str) -> str:
    """The words of a text in lower case, joined by single spaces; punctuation does not count."""
    return " ".join(_WORD.findall(text.casefold()))
