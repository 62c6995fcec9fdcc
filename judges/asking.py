"""Asking a language model for something, and once more where its reply holds nothing: judges and graders share it.

A reply without what was wanted is asked for once more with a reminder, a cut-off one once more with more room; a
refusal is not. Only a usable reply may be kept, and under the first question: a cache then answers it at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, TypeVar

from judges.template import without_thinking
from judges.types import Json, Message, Model, Reply, Request, Status

MORE_ROOM = 4


class _Told(Protocol):
    @property
    def status(self) -> Status: ...


Told = TypeVar("Told", bound=_Told)


async def ask(model: Model, first: Request, *, read: Callable[[Reply, int], Told], reminder: str) -> Told:
    """What a model says to a request, in at most two questions. Raises what `Model.ask` raises.

    `read(reply, attempts)` reads the reply to the first or second asking; its `status` decides whether there is a
    second one.
    """

    async def attempt(request: Request) -> Reply:
        return await model.ask(request, usable=lambda reply: read(reply, 1).status == "ok", stored_as=first)

    told = read(await attempt(first), 1)
    if told.status == "truncated":
        room = replace(first.sampling, max_tokens=first.sampling.max_tokens * MORE_ROOM)
        return read(await attempt(replace(first, sampling=room)), 2)
    if told.status == "invalid_parse":
        *before, last = first.messages
        reminded = Message(role=last.role, content=f"{last.content}\n{reminder}")
        return read(await attempt(replace(first, messages=(*before, reminded))), 2)
    return told


def answer_in(reply: Reply) -> tuple[str, Status | None]:
    """A reply's text without its thinking, and the name of what came instead of an answer; None where one came."""
    text, open_thought = without_thinking(reply.text)
    if reply.finish == "refused":
        return text, "refused"
    return text, "truncated" if reply.finish == "length" or open_thought else None


def how_asked(reply: Reply, attempts: int) -> dict[str, Json]:
    """How a reply was really asked for, as records keep it."""
    asked: dict[str, Json] = {**reply.applied, "attempts": attempts}
    return asked | ({"model": reply.model} if reply.model else {})
