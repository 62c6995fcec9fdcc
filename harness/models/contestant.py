"""Contestants: what answers the prompts of a suite, one text per turn, with its own earlier answers as history.

A contestant is handed all its questions at once, so that a local model can batch them, and hands back each answer
as it arrives.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from harness.errors import CallFailed, TooLong
from harness.pool import together
from harness.toolong import size_of
from judges.types import Message, Model, Prompt, Request, Sampling

Finish = Literal["stop", "length", "error"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """One generation that is wanted: a prompt, which sample of it, and how to sample."""

    prompt: Prompt
    sample: int
    sampling: Sampling


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A contestant's response; `details` goes into the record as it is.

    Where it failed (`finish` is "error"), `texts` is None, or what was answered before a turn that ended it for good.
    """

    texts: tuple[str, ...] | None
    finish: Finish = "stop"
    latency_s: float | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


Done = Callable[[Question, Answer], None]


class Contestant(Protocol):
    """Something that answers the prompts of a suite."""

    async def answer(self, questions: Sequence[Question], done: Done) -> None:
        """Answer every question, calling `done` for each as it arrives. Raises RunStopped where none can succeed."""
        ...


def conversation(prompt: Prompt, answers: Sequence[str]) -> tuple[Message, ...]:
    """The messages of the next turn: the system prompt, the turns so far, and the contestant's own earlier answers."""
    messages = [Message(role="system", content=prompt.system)] if prompt.system else []
    for turn, answer in zip(prompt.turns, answers, strict=False):
        messages += [Message(role="user", content=turn), Message(role="assistant", content=answer)]
    return (*messages, Message(role="user", content=prompt.turns[len(answers)]))


def request_of(question: Question, answers: Sequence[str], nonce: str = "") -> Request:
    """The request of a question's next turn; the sample tells repeated generations apart, the nonce reruns."""
    messages = conversation(question.prompt, answers)
    return Request(messages=messages, sampling=question.sampling, repeat=question.sample, nonce=nonce)


def at_turn(question: Question, answers: Sequence[str], what: str) -> str:
    """What became of a question's next turn; of its only one, no number is said."""
    return f"turn {len(answers) + 1}: {what}" if len(question.prompt.turns) > 1 else what


def too_long(question: Question, answers: Sequence[str], error: TooLong, *, cut: bool) -> Answer:
    """The answer to a question whose next turn does not fit the model: what was answered before it is kept.

    `cut` where one of those answers was itself cut off at max_tokens.
    """
    return ended(question, answers, str(error), {"too_long": {"turn": len(answers) + 1, **size_of(error)}}, cut=cut)


def ended(question: Question, answers: Sequence[str], why: str, mark: Mapping[str, Any], *, cut: bool) -> Answer:
    """The answer to a question that ends with its next turn for good."""
    details = {"error": at_turn(question, answers, why), **mark, **({"cut_off": True} if cut else {})}
    return Answer(texts=tuple(answers) or None, finish="error", details=details)


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelContestant:
    """An API model as a contestant: many conversations at once, at most `concurrency` of them.

    `nonce` makes it really answer again.
    """

    model: Model
    concurrency: int
    nonce: str = ""

    async def answer(self, questions: Sequence[Question], done: Done) -> None:
        queue = iter(questions)
        await together(self._work(queue, done) for _ in range(min(self.concurrency, len(questions))))

    async def _work(self, queue: Iterator[Question], done: Done) -> None:
        for question in queue:
            done(question, await self._converse(question))

    async def _converse(self, question: Question) -> Answer:
        texts: list[str] = []
        finish: Finish = "stop"
        started = time.perf_counter()
        applied: Mapping[str, Any] = {}
        cached = True
        for _ in question.prompt.turns:
            try:
                reply = await self.model.ask(
                    request_of(question, texts, self.nonce), usable=lambda reply: reply.finish != "refused"
                )
            except TooLong as error:
                return too_long(question, texts, error, cut=finish == "length")
            except CallFailed as error:
                return Answer(texts=None, finish="error", details={"error": str(error)})
            if reply.finish == "refused":
                return ended(question, texts, "the model refused", {"refused": True}, cut=finish == "length")
            texts.append(reply.text)
            finish = "length" if reply.finish == "length" else finish
            applied, cached = reply.applied, cached and reply.cached
        latency = None if cached else round(time.perf_counter() - started, 4)
        return Answer(texts=tuple(texts), finish=finish, latency_s=latency, details={"applied": dict(applied)})
