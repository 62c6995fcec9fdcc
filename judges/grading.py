"""Graders that ask a language model: one answer at a time, on 1-10, within its conversation.

Single-answer grading as MT-Bench does it (Zheng et al. 2023, 2306.05685, section 3.1), in this project's own words.
`LanguageGrader` has the rating written, and asks once more where a reply holds none; what still names none is
`invalid_parse`, `truncated` or `refused`, never a guess. `TokenGrader` writes nothing where it need not: it looks once
at how the model's probability falls on the ten digits, and the grade is their mean, moved to 1-10 (a
probability-weighted score: G-Eval, Liu et al. 2023, 2303.16634, section 2). How much of all probability the digits
hold is kept beside it: where that is little, the model would have said something else.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from functools import partial

from judges import parse
from judges.asking import answer_in, ask, how_asked
from judges.template import Template
from judges.types import Choice, Chooser, Exhibit, Grade, Model, Reply, Request, Sampling, Schema
from judges.verdict_token import LOOK, MODE, described, lacking

SCALE = (1.0, 10.0)
# Nearly every tokenizer has each of these as one token, and none of them begins another; "10" is neither.
DIGITS = tuple("0123456789")
REMINDER = 'End your reply with the JSON object; its "rating" must be a whole number from 1 to 10.'
PLAIN_REMINDER = "End your reply with [[N]], where N is your rating from 1 to 10."
RATING = Schema(
    name="rating",
    description="The answer's grade: two sentences of reasoning and the rating.",
    schema={
        "type": "object",
        "properties": {
            "reasoning": {"type": "string"},
            "rating": {"type": "integer", "enum": list(range(1, 11))},
        },
        "required": ["reasoning", "rating"],
        "additionalProperties": False,
    },
)


@dataclass(frozen=True, kw_only=True, slots=True)
class LanguageGrader:
    """A model that is asked to rate an answer from 1 to 10. `nonce` makes it really answer again."""

    name: str
    model: Model
    template: Template
    sampling: Sampling = field(default_factory=lambda: Sampling(temperature=0.0, max_tokens=1024))
    nonce: str = ""

    @property
    def scale(self) -> tuple[float, float]:
        return SCALE

    async def grade(self, shown: Exhibit, *, rng: random.Random, repeat: int = 0) -> Grade:
        """Grade the last answer; at most two questions. Raises what `Model.ask` raises."""
        first = Request(
            messages=self.template.grading(shown),
            sampling=self.sampling,
            schema=RATING if self.template.wants_rating else None,
            template=self.template.sha256,
            repeat=repeat,
            nonce=self.nonce,
        )
        return await ask(self.model, first, read=read, reminder=REMINDER if first.schema else PLAIN_REMINDER)


def read(reply: Reply, attempts: int = 1) -> Grade:
    """What a reply says: a rating, or the name of what it is instead."""
    text, instead = answer_in(reply)
    whole = partial(Grade, reply=reply.text, asked=how_asked(reply, attempts), mode="generation")
    if instead is not None:
        return whole(score=None, status=instead)
    rating = parse.rating(text)
    return whole(score=rating, status="invalid_parse" if rating is None else "ok")


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenGrader:
    """A model whose grade is read from the probabilities of ten digits. `nonce` makes it really answer again."""

    name: str
    chooser: Chooser
    template: Template
    nonce: str = ""

    @property
    def scale(self) -> tuple[float, float]:
        return SCALE

    async def grade(self, shown: Exhibit, *, rng: random.Random, repeat: int = 0) -> Grade:
        """Grade the last answer. Raises what `Chooser.choose` raises."""
        request = Request(
            messages=self.template.grading(shown),
            sampling=LOOK,
            template=self.template.sha256,
            repeat=repeat,
            nonce=self.nonce,
        )
        return grade_of(await self.chooser.choose(request, menu=DIGITS, lead=self.template.lead))


def grade_of(choice: Choice) -> Grade:
    """The grade of a choice between the ten digits; without probabilities, the name of what it is instead."""
    likely = {digit: choice.probabilities[digit] for digit in DIGITS} if choice.probabilities else {}
    asked = described(choice) | ({"probabilities": likely} if likely else {})
    whole = partial(Grade, reply=choice.reply, asked=asked, mode=MODE)
    if not likely:
        return whole(score=None, status=lacking(choice))
    # Sums of rounded shares may leave the scale by a rounding error.
    digit = math.fsum(int(digit) * share for digit, share in likely.items()) / math.fsum(likely.values())
    return whole(score=SCALE[0] + min(digit, 9.0), status="ok")
