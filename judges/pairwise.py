"""The LLM judge: shows two answers blind, asks for five criteria, a winner and two sentences, reads the reply.

A reply without a verdict is asked once more; a cut-off one once more with more room. What still names no winner
is `invalid_parse`, `truncated` or `refused`, never a guess.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from judges import parse
from judges.asking import answer_in, ask, how_asked
from judges.template import Template
from judges.types import Criterion, Model, Presentation, Reply, Request, Ruling, Sampling, Schema

CRITERIA = tuple(Criterion(name=name) for name in ("relevance", "correctness", "depth", "clarity", "engagement"))
REMINDER = 'End your reply with the JSON object; its "winner" must be "A", "B" or "tie".'
PLAIN = "[[A]], [[B]] or [[C]]"


def schema_of(criteria: Sequence[Criterion]) -> Schema:
    """The structured answer that is wanted: reasoning, a score on every criterion for each answer, the winner."""
    count = {5: "five"}.get(len(criteria), str(len(criteria)))
    slot = {
        "type": "object",
        "properties": {
            each.name: {"type": "integer", "enum": list(range(each.low, each.high + 1))} for each in criteria
        },
        "required": [each.name for each in criteria],
        "additionalProperties": False,
    }
    return Schema(
        name="verdict",
        description=f"The comparison's result: two sentences of reasoning, {count} scores for each answer, "
        "and the winner.",
        schema={
            "type": "object",
            "properties": {
                "reasoning": {"type": "string"},
                "scores": {
                    "type": "object",
                    "properties": {"A": slot, "B": slot},
                    "required": ["A", "B"],
                    "additionalProperties": False,
                },
                "winner": {"type": "string", "enum": ["A", "B", "tie"]},
            },
            "required": ["reasoning", "scores", "winner"],
            "additionalProperties": False,
        },
    )


VERDICT = schema_of(CRITERIA)


@dataclass(frozen=True, kw_only=True, slots=True)
class PairwiseJudge:
    """A model that is asked which of two answers is better. `nonce` makes it really answer again.

    `criteria` are the suite's own, named in the template; without any, the template's five are wanted.
    """

    name: str
    model: Model
    template: Template
    sampling: Sampling = field(default_factory=lambda: Sampling(temperature=0.0, max_tokens=1024))
    criteria: tuple[Criterion, ...] = ()
    nonce: str = ""

    async def judge(self, shown: Presentation, *, rng: random.Random, repeat: int = 0) -> Ruling:
        """Rule on a presentation; at most two questions. Raises what `Model.ask` raises."""
        criteria = self.criteria or CRITERIA
        first = Request(
            messages=self.template.messages(shown, self.criteria),
            sampling=self.sampling,
            schema=schema_of(criteria) if self.criteria else VERDICT if self.template.wants_json else None,
            template=self.template.sha256,
            repeat=repeat,
            nonce=self.nonce,
        )
        return await ask(
            self.model,
            first,
            read=lambda reply, attempts: read(reply, attempts=attempts, criteria=criteria),
            reminder=REMINDER if first.schema is not None else f"End your reply with {PLAIN}.",
        )


def read(reply: Reply, *, attempts: int = 1, criteria: Sequence[Criterion] = CRITERIA) -> Ruling:
    """What a reply says: a verdict, or the name of what it is instead."""
    text, lacking = answer_in(reply)
    whole = partial(Ruling, reply=reply.text, asked=how_asked(reply, attempts), mode="generation")
    if lacking is not None:
        return whole(verdict=None, status=lacking)
    verdict = parse.verdict(text)
    if verdict is None:
        return whole(verdict=None, status="invalid_parse")
    return whole(verdict=verdict, status="ok", scores=parse.scores(text, criteria))
