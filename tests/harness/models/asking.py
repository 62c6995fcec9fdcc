"""What the tests of API models share: a request, a model at a loopback server, and how to ask it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from harness.models.anthropic import AnthropicModel
from harness.models.client import ApiModel
from harness.models.limits import Limits
from harness.models.openai import OpenAIModel
from harness.models.retry import Patience
from judges.types import Message, Reply, Request, Sampling, Schema
from tests.loopback import Loopback

KEY = "sk-loopback-0123456789"
PROVIDERS = ("openai", "anthropic")
QUICK = Patience(first_wait_s=0.01)
SCHEMA = Schema(
    name="verdict",
    description="Which answer is better.",
    schema={
        "type": "object",
        "properties": {"winner": {"type": "string", "enum": ["A", "B", "tie"]}, "reasoning": {"type": "string"}},
        "required": ["winner", "reasoning"],
        "additionalProperties": False,
    },
)


def request(
    text: str = "Which is better?", *, schema: Schema | None = None, repeat: int = 0, **sampling: Any
) -> Request:
    """A question with a system prompt."""
    messages = (Message(role="system", content="You judge."), Message(role="user", content=text))
    return Request(messages=messages, sampling=Sampling(**sampling), schema=schema, repeat=repeat)


def model(provider: str, url: str, **rest: Any) -> ApiModel:
    """A model of a provider at a server's address, with short waits unless told otherwise."""
    given = {"limits": Limits(concurrency=100), "patience": QUICK, "api_key": KEY, "model": "loopback-1", **rest}
    if provider == "openai":
        return OpenAIModel(spec="openai/loopback-1", base_url=f"{url}/v1", **given)
    return AnthropicModel(spec="anthropic/loopback-1", base_url=url, **given)


def ask(asked: ApiModel, *requests: Request, **rest: Any) -> list[Reply]:
    """Ask one question after another, on an event loop of its own."""
    return asyncio.run(_in_turn(asked, requests, rest))


def ask_at_once(asked: ApiModel, requests: Sequence[Request]) -> list[Reply | BaseException]:
    """Ask all questions at once; an answer or what was raised, for each."""
    return asyncio.run(_together(asked, requests))


def answer(provider: str, server: Loopback, question: Request | None = None, **rest: Any) -> Reply:
    """One answer from a new model at a loopback server."""
    return ask(model(provider, server.url, **rest), question or request())[0]


async def _in_turn(asked: ApiModel, requests: Sequence[Request], rest: dict[str, Any]) -> list[Reply]:
    try:
        return [await asked.ask(one, **rest) for one in requests]
    finally:
        await asked.aclose()


async def _together(asked: ApiModel, requests: Sequence[Request]) -> list[Reply | BaseException]:
    try:
        return await asyncio.gather(*(asked.ask(one) for one in requests), return_exceptions=True)
    finally:
        await asked.aclose()
