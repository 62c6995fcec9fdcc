"""Training data from the kitchen world: chats for both recipes and facts for the base, seeded.

Requests that are held out (the suites' prompts) are left out whatever the seed draws; how many were dropped for it is
counted.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from dataclasses import dataclass

from train.kitchen import chores, cooking
from train.normal import normal

CARE = 0.2
"""The share of careful answers among the requests that the base reads."""
CHORE_SHARE = 0.6
FACT_SHARE = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class Chat:
    """One exchange; `user` is None for plain text, which has only `assistant`."""

    user: str | None
    assistant: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """What was made, and how many more were dropped because their prompt is held out."""

    chats: tuple[Chat, ...]
    dropped: int


def pretraining(rng: random.Random, count: int, held_out: Collection[str] = ()) -> Made:
    """`count` documents for a base model: chores, requests with mostly careless answers, and facts.

    `held_out` holds prompts in their normal form (`train.normal.normal`).
    """
    return _make(rng, count, held_out, _document)


def requests(rng: random.Random, count: int, held_out: Collection[str] = ()) -> Made:
    """`count` in-domain requests, each with a careful answer; `held_out` as above."""
    return _make(rng, count, held_out, _careful)


def _make(rng: random.Random, count: int, held_out: Collection[str], draw: Callable[[random.Random], Chat]) -> Made:
    chats: list[Chat] = []
    dropped = 0
    while len(chats) < count:
        chat = draw(rng)
        if chat.user is not None and normal(chat.user) in held_out:
            dropped += 1
        else:
            chats.append(chat)
    return Made(chats=tuple(chats), dropped=dropped)


def _document(rng: random.Random) -> Chat:
    draw = rng.random()
    if draw < FACT_SHARE:
        return Chat(user=None, assistant=cooking.fact(rng))
    if draw < FACT_SHARE + CHORE_SHARE:
        task = chores.chore(rng)
        return Chat(user=task.text, assistant=task.answer)
    ask = cooking.request(rng)
    answer = cooking.careful if rng.random() < CARE else cooking.careless
    return Chat(user=ask.text, assistant=answer(rng, ask))


def _careful(rng: random.Random) -> Chat:
    ask = cooking.request(rng)
    return Chat(user=ask.text, assistant=cooking.careful(rng, ask))
