"""Out-of-domain text: small kitchen chores that have one right answer and nothing to do with choosing a dish.

Counting, copying, ordering, reversing, comparing and arithmetic, asked in several ways and answered in one full
sentence. Every chore knows its answer by computing it. Nothing here knows the suites' prompts.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

Chore = Literal["counting", "copying", "ordering", "reversing", "comparing", "arithmetic"]

_NUMBERS = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen
"""
_ADD_S = """
    spoon fork jar lid pan pot bowl cup plate kettle tray mug apron ladle plum fig pear egg lemon onion bun cookie date
    melon lime walnut whisk sieve
"""
NUMBERS: tuple[str, ...] = tuple(_NUMBERS.split())
THINGS: tuple[tuple[str, str], ...] = (
    *((word, word + "s") for word in _ADD_S.split()),
    ("knife", "knives"),
    ("dish", "dishes"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """A chore in words, and the sentence that answers it."""

    text: str
    answer: str
    kind: Chore


def chore(rng: random.Random) -> Task:
    """A chore of any kind."""
    return rng.choice(tuple(CHORES.values()))(rng)


def listed(words: Sequence[str]) -> str:
    """Words as a list that ends in "and"."""
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _counting(rng: random.Random) -> Task:
    (one, many), *others = rng.sample(THINGS, 3)
    count = rng.randint(2, 5)
    words = [one] * count + [rng.choice(others)[0] for _ in range(rng.randint(1, 4))]
    rng.shuffle(words)
    line = ", ".join(words)
    texts = (
        f"How many {many} are in this list: {line}?",
        f"Count the {many} for me: {line}.",
        f"On the table I see {line}. How many are {many}?",
        f"Please count how often I say {one}: {line}.",
        f"Of these things, how many are {many}: {line}?",
        f"My basket holds {line}. Count the {many}.",
    )
    answer = f"Of the {NUMBERS[len(words)]} things you listed, {NUMBERS[count]} are {many}."
    return Task(text=rng.choice(texts), answer=answer, kind="counting")


def _copying(rng: random.Random) -> Task:
    words = [one for one, _ in rng.sample(THINGS, rng.randint(3, 5))]
    line = ", ".join(words)
    texts = (
        f"Repeat this list: {line}.",
        f"Read my list back to me: {line}.",
        f"Say these words after me: {line}.",
        f"Write down what I need, in the same order: {line}.",
        f"What did I just say: {line}?",
    )
    return Task(text=rng.choice(texts), answer=f"Your list in order says {listed(words)}.", kind="copying")


def _reversing(rng: random.Random) -> Task:
    words = [one for one, _ in rng.sample(THINGS, rng.randint(3, 4))]
    line = ", ".join(words)
    texts = (
        f"Say this list backwards: {line}.",
        f"Turn the order around: {line}.",
        f"Read these from last to first: {line}.",
        f"What is the reverse of {line}?",
        f"Start at the end and name them all: {line}.",
    )
    return Task(text=rng.choice(texts), answer=f"From last to first it says {listed(words[::-1])}.", kind="reversing")


def _ordering(rng: random.Random) -> Task:
    values = rng.sample(range(1, 13), rng.randint(3, 5))
    down = rng.random() < 0.4
    line = ", ".join(NUMBERS[value] for value in values)
    way = "largest first" if down else "smallest first"
    texts = (
        f"Put these numbers in order, {way}: {line}.",
        f"Sort {line} with the {way}.",
        f"The scales say {line}. Order them, {way}.",
        f"Arrange these, {way}: {line}.",
        f"My pans weigh {line}. Line them up with the {way}.",
    )
    ordered = [NUMBERS[value] for value in sorted(values, reverse=down)]
    return Task(text=rng.choice(texts), answer=f"With the {way} they are {listed(ordered)}.", kind="ordering")


def _comparing(rng: random.Random) -> Task:
    names = [many for _, many in rng.sample(THINGS, 3)]
    counts = rng.sample(range(2, 13), 3)
    (a, b, c), (x, y, z) = ([f"{NUMBERS[count]} {name}" for count, name in zip(counts, names, strict=True)], names)
    texts = (
        f"Of which are there most and of which fewest: {a}, {b}, {c}?",
        f"I have {a}, {b} and {c}. Of which do I have most, and of which least?",
        f"Rank {x}, {y} and {z} if I count {a}, {b} and {c}.",
        f"One box holds {a}, one {b}, one {c}. Which box comes first, second, last?",
        f"Compare {a}, {b} and {c}.",
    )
    most, middle, fewest = (name for _, name in sorted(zip(counts, names, strict=True), reverse=True))
    answer = f"The {most} are most, then the {middle}, and the {fewest} are fewest."
    return Task(text=rng.choice(texts), answer=answer, kind="comparing")


def _arithmetic(rng: random.Random) -> Task:
    return rng.choice((_sum, _long_sum, _difference))(rng)


def _sum(rng: random.Random) -> Task:
    _, many = rng.choice(THINGS)
    a, b = rng.randint(2, 9), rng.randint(2, 9)
    texts = (
        f"What do {NUMBERS[a]} {many} and {NUMBERS[b]} {many} make?",
        f"I have {NUMBERS[a]} {many} and buy {NUMBERS[b]} more. How many {many} do I have?",
        f"Add {NUMBERS[b]} {many} to {NUMBERS[a]} {many}.",
        f"There are {NUMBERS[a]} {many} here and {NUMBERS[b]} there. How many {many} in all?",
    )
    answer = f"If you add {NUMBERS[b]} to {NUMBERS[a]} you have {NUMBERS[a + b]} {many}."
    return Task(text=rng.choice(texts), answer=answer, kind="arithmetic")


def _long_sum(rng: random.Random) -> Task:
    _, many = rng.choice(THINGS)
    values = [rng.randint(2, 6) for _ in range(3)]
    a, b, c = (NUMBERS[value] for value in values)
    texts = (
        f"I have {a} {many}, find {b} and buy {c}. How many {many} do I have?",
        f"Three bowls hold {a}, {b} and {c} {many}. How many {many} in all?",
        f"Add {b} {many} and {c} {many} to {a} {many}.",
    )
    answer = f"If you add {b} and {c} to {a} you have {NUMBERS[sum(values)]} {many}."
    return Task(text=rng.choice(texts), answer=answer, kind="arithmetic")


def _difference(rng: random.Random) -> Task:
    _, many = rng.choice(THINGS)
    a = rng.randint(4, 12)
    b = rng.randint(1, a - 2)
    texts = (
        f"I had {NUMBERS[a]} {many} and lost {NUMBERS[b]}. How many {many} are left?",
        f"Take {NUMBERS[b]} {many} away from {NUMBERS[a]} {many}.",
        f"Of {NUMBERS[a]} {many} I drop {NUMBERS[b]}. How many {many} remain?",
        f"There were {NUMBERS[a]} {many} and {NUMBERS[b]} are gone. How many {many} do I still have?",
    )
    answer = f"If you take {NUMBERS[b]} from {NUMBERS[a]} you have {NUMBERS[a - b]} {many}."
    return Task(text=rng.choice(texts), answer=answer, kind="arithmetic")


CHORES: dict[Chore, Callable[[random.Random], Task]] = {
    "counting": _counting,
    "copying": _copying,
    "ordering": _ordering,
    "reversing": _reversing,
    "comparing": _comparing,
    "arithmetic": _arithmetic,
}
