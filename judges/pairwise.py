"""The LLM judge: shows two answers blind, asks for five criteria, a winner and two sentences, reads the reply.

A reply without a verdict is asked once more; a cut-off one once more with more room. What still names no winner
is `invalid_parse`, `truncated` or `refused`, never a guess.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from judges import parse
from judges.template import Template, without_thinking
from judges.types import Message, Model, Presentation, Reply, Request, Ruling, Sampling, Schema

CRITERIA = ("relevance", "correctness", "depth", "clarity", "engagement")
REMINDER = 'End your reply with the JSON object; its "winner" must be "A", "B" or "tie".'
MORE_ROOM = 4


def _slot_schema() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: {"type": "integer", "enum": [1, 2, 3, 4, 5]} for name in CRITERIA},
        "required": list(CRITERIA),
        "additionalProperties": False,
    }


VERDICT = Schema(
    name="verdict",
    description="The comparison's result: two sentences of reasoning, five scores for each answer, and the winner.",
    schema={
        "type": "object",
        "properties": {
            "reasoning": {"type": "string"},
            "scores": {
                "type": "object",
                "properties": {"A": _slot_schema(), "B": _slot_schema()},
                "required": ["A", "B"],
                "additionalProperties": False,
            },
            "winner": {"type": "string", "enum": ["A", "B", "tie"]},
        },
        "required": ["reasoning", "scores", "winner"],
        "additionalProperties": False,
    },
)


@dataclass(frozen=True, kw_only=True, slots=True)
class PairwiseJudge:
    """A model that is asked which of two answers is better. `nonce` makes it really answer again."""

    name: str
    model: Model
    template: Template
    sampling: Sampling = field(default_factory=lambda: Sampling(temperature=0.0, max_tokens=1024))
    nonce: str = ""

    async def judge(self, shown: Presentation, *, rng: random.Random, repeat: int = 0) -> Ruling:
        """Rule on a presentation; at most two questions. Raises what `Model.ask` raises."""
        first = Request(
            messages=self.template.messages(shown),
            sampling=self.sampling,
            schema=VERDICT,
            template=self.template.sha256,
            repeat=repeat,
            nonce=self.nonce,
        )
        attempt = partial(self.model.ask, usable=lambda reply: read(reply).status == "ok", stored_as=first)
        ruling = read(await attempt(first))
        if ruling.status == "truncated":
            room = replace(self.sampling, max_tokens=self.sampling.max_tokens * MORE_ROOM)
            ruling = read(await attempt(replace(first, sampling=room)), attempts=2)
        elif ruling.status == "invalid_parse":
            *before, last = first.messages
            reminded = Message(role=last.role, content=f"{last.content}\n{REMINDER}")
            ruling = read(await attempt(replace(first, messages=(*before, reminded))), attempts=2)
        return ruling


def read(reply: Reply, *, attempts: int = 1) -> Ruling:
    """What a reply says: a verdict, or the name of what it is instead."""
    text, open_thought = without_thinking(reply.text)
    asked: dict[str, Any] = {**reply.applied, "attempts": attempts}
    if reply.model:
        asked["model"] = reply.model
    if reply.finish == "refused":
        return Ruling(verdict=None, status="refused", reply=reply.text, asked=asked)
    if reply.finish == "length" or open_thought:
        return Ruling(verdict=None, status="truncated", reply=reply.text, asked=asked)
    verdict = parse.verdict(text)
    if verdict is None:
        return Ruling(verdict=None, status="invalid_parse", reply=reply.text, asked=asked)
    return Ruling(verdict=verdict, status="ok", scores=parse.scores(text, CRITERIA), reply=reply.text, asked=asked)
