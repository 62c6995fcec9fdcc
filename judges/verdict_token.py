"""The verdict-token judge: one look at how a model's probability falls on A, B and C where its verdict would stand.

The probability that A is better counts a tie by half; it is the judgment's `preference`. How much of all probability
the three letters hold is kept beside it: where that is little, the model would have said something else. A local model
writes nothing. An API has to write a few tokens: where they hold no verdict the ruling is `invalid_parse`, `truncated`
or `refused`, never a guess.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from judges.template import Template
from judges.types import Choice, Chooser, Json, Mode, Presentation, Request, Ruling, Sampling, Status, Verdict

MENU = ("A", "B", "C")
MODE: Mode = "verdict-token"
_VERDICTS: dict[str, Verdict] = {"A": "A", "B": "B", "C": "tie"}
# One token is looked at, and nothing is drawn.
LOOK = Sampling(temperature=0.0, max_tokens=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class VerdictTokenJudge:
    """A model whose verdict is read from the probabilities of its letters. `nonce` makes it really answer again."""

    name: str
    chooser: Chooser
    template: Template
    nonce: str = ""

    async def judge(self, shown: Presentation, *, rng: random.Random, repeat: int = 0) -> Ruling:
        """Rule on a presentation. Raises what `Chooser.choose` raises."""
        request = Request(
            messages=self.template.messages(shown),
            sampling=LOOK,
            template=self.template.sha256,
            repeat=repeat,
            nonce=self.nonce,
        )
        return ruling_of(await self.chooser.choose(request, menu=MENU, lead=self.template.lead))


def ruling_of(choice: Choice) -> Ruling:
    """What a choice between A, B and C rules; without probabilities, the name of what it is instead."""
    likely = choice.probabilities
    if not likely:
        return Ruling(verdict=None, status=lacking(choice), reply=choice.reply, asked=described(choice), mode=MODE)
    return Ruling(
        verdict=_verdict(likely["A"], likely["B"], likely["C"]),
        status="ok",
        scores={"A": likely["A"], "B": likely["B"], "tie": likely["C"]},
        reply=choice.reply,
        probability_a=likely["A"] + likely["C"] / 2,
        asked=described(choice),
        mode=MODE,
    )


def described(choice: Choice) -> dict[str, Json]:
    """How a choice was really asked for, as records keep it."""
    return {**choice.applied, "mass": choice.mass} | ({"model": choice.model} if choice.model else {})


def lacking(choice: Choice) -> Status:
    """The name of what came instead of a choice."""
    if choice.finish == "refused":
        return "refused"
    return "truncated" if choice.finish == "length" else "invalid_parse"


def _verdict(a: float, b: float, tie: float) -> Verdict:
    """The likeliest of the three; a tie where that is one, or where A and B are equally likely."""
    if a == b or tie > max(a, b):
        return "tie"
    return "A" if a > b else "B"
