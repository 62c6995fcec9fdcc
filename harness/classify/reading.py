"""Which label a written reply names. Strict: a reply that is not one label is none.

A reply counts where it is a label's word and nothing else, or where what follows its last "Label:" or "Answer:" is;
quotes, brackets, bold marks and a full stop around the word do not matter, nor does case. Whatever else was said is
not searched for words: "not negative" is no label.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from judges.template import without_thinking

_AROUND = " \t\"'`*_.()[]{}«»“”’‘!:"
_NAMED = re.compile(r"^\W*(?:label|answer)\W*[:=]\s*(?P<word>.+)$", re.IGNORECASE | re.MULTILINE)


def label_of(reply: str, words: Mapping[str, str]) -> str | None:
    """The label that a reply names, by the words of the labels; None where it names none, or ends in a thought."""
    text, unended = without_thinking(reply)
    if unended:
        return None
    found = {_bare(word): label for label, word in words.items()}
    named = _NAMED.findall(text)
    return found.get(_bare(named[-1] if named else text))


def _bare(text: str) -> str:
    return " ".join(text.strip().strip(_AROUND).split()).casefold()
