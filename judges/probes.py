"""Copies of a response that ask a judge one thing: padded ones, which say nothing more at greater length.

Pure and seeded. The damaged copies of an audit are those of control pairs (`judges.controls`), the attacks on them
stand in `judges.attacks`. Refuses a response without a word: there is nothing to say again.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from judges.controls import Texts

_OPENERS = (
    "Thank you for this question; I am glad to answer it.",
    "That is a good question, and here is my answer to it.",
    "Certainly! Here is a response to what was asked.",
    "Of course. Let me answer this as well as I can.",
)
_CLOSERS = (
    "I hope that this is helpful. Please do not hesitate to ask if anything else comes up.",
    "I hope this answers the question. Feel free to ask again at any time.",
    "Please let me know whether there is anything further that I can do.",
    "Thank you again for asking, and have a pleasant day.",
)
_AGAIN = ("In other words: ", "That is to say: ", "Put differently, but meaning the same: ", "To say it once more: ")
_RECAPS = ("To sum up:", "In short:", "The main points once more:", "A short summary:")
_REPEATS = ("To repeat the whole answer:", "Once more, in full:", "For completeness, the same again:")
_END = re.compile(r"(?<=[.!?])\s+|\n+")


def sentences(text: str) -> list[str]:
    """The sentences of a text, roughly: parted at full stops, question marks, exclamation marks and line breaks."""
    return [part.strip() for part in _END.split(text) if part.strip()]


def _restated(text: str, rng: random.Random) -> str:
    """Every sentence said once more, in the same words."""
    return " ".join(f"{sentence} {rng.choice(_AGAIN)}{sentence}" for sentence in sentences(text))


def _filled(text: str, rng: random.Random) -> str:
    """Polite words before and after it."""
    return f"{rng.choice(_OPENERS)}\n\n{text}\n\n{rng.choice(_CLOSERS)}"


def _recapped(text: str, rng: random.Random) -> str:
    """Its own sentences once more, as a list."""
    points = "\n".join(f"- {sentence}" for sentence in sentences(text))
    return f"{text}\n\n{rng.choice(_RECAPS)}\n{points}"


def _repeated(text: str, rng: random.Random) -> str:
    """The whole of it twice."""
    return f"{text}\n\n{rng.choice(_REPEATS)}\n\n{text}"


PADDINGS: dict[str, Callable[[str, random.Random], str]] = {
    "restated": _restated,
    "filler": _filled,
    "recap": _recapped,
    "repeated": _repeated,
}


def padded(texts: Texts, kind: str, rng: random.Random) -> Texts | None:
    """A response that says the same at greater length, in every turn that says anything.

    `kind` is one of PADDINGS. None where no turn has a word. Raises KeyError for another kind.
    """
    pad = PADDINGS[kind]
    longer = tuple(pad(text, rng) if text.strip() else text for text in texts)
    return longer if longer != texts else None
