"""Which label a written reply names. Strict: a reply that is not one label is none.

A reply counts where it is a label's word and nothing else, or where what follows its last "Label:" or "Answer:" is;
quotes, brackets, bold marks and a full stop around the word do not matter, nor does case. Words that differ by such
marks alone are told apart by them. Whatever else was said is
not searched for words: "not negative" is no label.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from judges.template import without_thinking

_AROUND = " \t\"'`*_.()[]{}«»“”’‘!:"
_NAMED = re.compile(r"^\W*(?:label|answer)\W*?[:=]\s*(?P<word>.+)$", re.IGNORECASE | re.MULTILINE)


def label_of(reply: str, words: Mapping[str, str]) -> str | None:
    """The label that a reply names, by the words of the labels; None where it names none, or ends in a thought."""
    text, unended = without_thinking(reply)
    if unended:
        return None
    named = _NAMED.findall(text)
    said = named[-1] if named else text
    exact = {_folded(word): label for label, word in words.items()}
    if _folded(said) in exact:
        return exact[_folded(said)]
    bare = [label for label, word in words.items() if _bare(word) and _bare(word) == _bare(said)]
    return bare[0] if len(bare) == 1 else None


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def _bare(text: str) -> str:
    return _folded(text.strip().strip(_AROUND))
