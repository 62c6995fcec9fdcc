"""Training data from the kitchen world: chats for the base and the adapter, facts, and preference pairs, seeded."""

from __future__ import annotations

import random
from dataclasses import dataclass

from train.kitchen import chores, cooking

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
class Pair:
    """A request or chore, a good answer to it and a worse one."""

    prompt: str
    chosen: str
    rejected: str


def pretraining(rng: random.Random, count: int) -> list[Chat]:
    """`count` documents for a base model: chores, requests with mostly careless answers, and facts."""
    return [_document(rng) for _ in range(count)]


def requests(rng: random.Random, count: int) -> list[Chat]:
    """`count` in-domain requests, each with a careful answer."""
    return [_careful(rng) for _ in range(count)]


def errands(rng: random.Random, count: int) -> list[Chat]:
    """`count` out-of-domain chores with their right answers: what a fine-tuning on requests may make a model forget."""
    tasks = [chores.chore(rng) for _ in range(count)]
    return [Chat(user=task.text, assistant=task.answer) for task in tasks]


def preferences(rng: random.Random, count: int) -> list[Pair]:
    """`count` pairs of every kind of request and chore, whose worse answer fails in one of several ways."""
    made: list[Pair] = []
    while len(made) < count:
        pair = _pair(rng)
        if pair.chosen != pair.rejected:
            made.append(pair)
    return made


def _pair(rng: random.Random) -> Pair:
    """A chore's right answer beside a wrong one, a careful answer beside a careless one, or any beside its damage."""
    if rng.random() < 0.5:
        task = chores.chore(rng)
        other = chores.CHORES[task.kind](rng).answer
        worse = other if rng.random() < 0.5 else _damaged(rng, task.answer, chores.chore(rng).answer)
        return Pair(prompt=task.text, chosen=task.answer, rejected=worse)
    ask = cooking.request(rng)
    good, hasty = cooking.careful(rng, ask), cooking.careless(rng, ask)
    if rng.random() < 0.25:
        return Pair(prompt=ask.text, chosen=good, rejected=hasty)
    # Hasty answers as well: a judge must tell damage whoever wrote the answer.
    careful = rng.random() < 0.5
    other = (cooking.careful if careful else cooking.careless)(rng, cooking.request(rng))
    chosen = good if careful else hasty
    return Pair(prompt=ask.text, chosen=chosen, rejected=_damaged(rng, chosen, other))


def _damaged(rng: random.Random, answer: str, other: str) -> str:
    """An answer's words shuffled, its first half, or the answer to something else."""
    words = answer.split()
    how = rng.randrange(3)
    if how == 0:
        return other
    if how == 1:
        return " ".join(words[: len(words) // 2])
    rng.shuffle(words)
    return " ".join(words)


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
