"""Known answers and known biases: damaged copies for control pairs, and judges whose bias is their definition.

A control pair shows a judge a response beside a visibly damaged copy of itself. A judge that does not prefer the
whole one is not measuring quality. A known-bias judge (control/…) is what a real judge is compared with.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from judges.types import Presentation, Ruling, Slot, Verdict

BIASES = ("longest", "shortest", "first", "second", "random", "tie")
DAMAGES = ("shuffled", "cut", "swapped")

Texts = tuple[str, ...]


def shuffled(texts: Texts, rng: random.Random) -> Texts | None:
    """Every turn's words in random order; None where that cannot be seen (fewer than three different words)."""
    return _changed(texts, tuple(_shuffle_words(text, rng) for text in texts))


def _shuffle_words(text: str, rng: random.Random) -> str:
    words = text.split()
    if len(set(words)) < 3:
        return text
    mixed = words[:]
    for _ in range(20):
        rng.shuffle(mixed)
        if mixed != words:
            break
    return " ".join(mixed)


def cut(texts: Texts) -> Texts | None:
    """Every turn without its second half, counted in words; None where nothing would go."""
    return _changed(texts, tuple(" ".join(words[: (len(words) + 1) // 2]) for words in map(str.split, texts)))


def swapped(texts: Texts, other: Texts) -> Texts | None:
    """Another prompt's answer; None where it is the same text or has another number of turns."""
    return _changed(texts, other) if len(texts) == len(other) and any(text.strip() for text in other) else None


def _changed(whole: Texts, damaged: Texts) -> Texts | None:
    same = [" ".join(text.split()) for text in whole] == [" ".join(text.split()) for text in damaged]
    return None if same else damaged


@dataclass(frozen=True, kw_only=True, slots=True)
class ControlJudge:
    """A judge with a known bias: the longer, the shorter, the first or second shown, a coin, or always a tie.

    Length is counted in characters over all turns.
    """

    bias: str

    @property
    def name(self) -> str:
        return f"control/{self.bias}"

    async def judge(self, shown: Presentation, *, rng: random.Random, repeat: int = 0) -> Ruling:
        return Ruling(verdict=self._verdict(shown, rng), status="ok")

    def _verdict(self, shown: Presentation, rng: random.Random) -> Verdict:
        a, b = sum(map(len, shown.a)), sum(map(len, shown.b))
        longer: Slot | None = None if a == b else ("A" if a > b else "B")
        match self.bias:
            case "first":
                return "A"
            case "second":
                return "B"
            case "random":
                return "A" if rng.random() < 0.5 else "B"
            case "longest":
                return longer or "tie"
            case "shortest":
                return {"A": "B", "B": "A", None: "tie"}[longer]  # type: ignore[return-value]
            case _:
                return "tie"
