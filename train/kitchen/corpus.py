"""Training data from the kitchen world: chats for both recipes and facts for the base, seeded.

Requests that are held out (the suites' prompts) are left out whatever the seed draws; how many were dropped for it is
counted. It refuses to go on where the world is too small for as many examples as were asked for.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass

from train.kitchen import chores, cooking
from train.normal import normal

CARE = 0.2
"""The share of careful answers among what the base reads."""
CHORE_SHARE = 0.6
FACT_SHARE = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class Chat:
    """One exchange; `user` is None for plain text, which has only `assistant`."""

    user: str | None
    assistant: str


def pretraining(rng: random.Random, count: int, held_out: Collection[str] = ()) -> list[Chat]:
    """`count` documents for a base model: chores, requests with mostly careless answers, and facts.

    `held_out` holds prompts in their normal form (`train.normal.normal`).
    """
    return [_document(rng, held_out) for _ in range(count)]


def requests(rng: random.Random, count: int, held_out: Collection[str] = ()) -> list[Chat]:
    """`count` in-domain requests, each with a careful answer; `held_out` as above."""
    asks = (_allowed(rng, held_out) for _ in range(count))
    return [Chat(user=ask.text, assistant=cooking.careful(rng, ask)) for ask in asks]


def _document(rng: random.Random, held_out: Collection[str]) -> Chat:
    draw = rng.random()
    if draw < FACT_SHARE:
        return Chat(user=None, assistant=cooking.fact(rng))
    if draw < FACT_SHARE + CHORE_SHARE:
        task = chores.chore(rng)
        while normal(task.text) in held_out:
            task = chores.chore(rng)
        return Chat(user=task.text, assistant=task.answer)
    ask = _allowed(rng, held_out)
    answer = cooking.careful if rng.random() < CARE else cooking.careless
    return Chat(user=ask.text, assistant=answer(rng, ask))


def _allowed(rng: random.Random, held_out: Collection[str]) -> cooking.Ask:
    ask = cooking.request(rng)
    while normal(ask.text) in held_out:
        ask = cooking.request(rng)
    return ask
