"""In-domain text: what people ask a cook for, and what careful and careless cooks answer.

A request comes in one of five kinds: specific, commonsense, negated, analogical, temporal. A careful answer names the
dish, what goes into it, how it is cooked and how it is finished, and keeps to what was asked. A careless one is what
forums are full of: short, and often deaf to half of the request. Nothing here knows the suites' prompts.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from train.kitchen import occasions, pantry
from train.kitchen.pantry import Dish, Main, article

Kind = Literal["specific", "commonsense", "negated", "analogical", "temporal"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """A request with what a good answer to it holds and leaves out."""

    text: str
    kind: Kind
    main: Main
    dish: Dish
    wanted: str = ""
    banned: tuple[str, ...] = ()
    said: str = ""


def request(rng: random.Random) -> Ask:
    """A request of any kind."""
    return rng.choice(tuple(KINDS.values()))(rng)


def careful(rng: random.Random, ask: Ask) -> str:
    """An answer that keeps to the request: dish, companions, method and finish in one sentence."""
    side = ask.wanted or _pick(rng, ask.main.sides, ask.banned)
    herb = _pick(rng, ask.main.herbs, ask.banned)
    finish = _pick(rng, pantry.finishes(ask.main, ask.dish), ask.banned)
    opening = f"For {ask.said}, make" if ask.said else "Make"
    dish = article(f"{ask.main.one} {ask.dish.name}")
    return f"{opening} {dish} with {side} and {herb}, {rng.choice(ask.dish.methods)}, and finish it with {finish}."


def careless(rng: random.Random, ask: Ask) -> str:
    """An answer of a hurried stranger: the dish is mostly right, the rest only by luck."""
    main = ask.main if rng.random() < 0.6 else rng.choice(pantry.mains_for(ask.dish))
    finishes = pantry.finishes(main, ask.dish)
    slips = tuple(word for word in ask.banned if word in finishes)
    finish = rng.choice(slips) if slips and rng.random() < 0.5 else rng.choice(finishes)
    side = rng.choice(main.sides)
    return rng.choice(
        (
            f"You could have {article(main.one)} {ask.dish.name} with {side} and {finish}.",
            f"Maybe {article(ask.dish.name)} with {main.many}, {side} and some {finish}.",
            f"I always like {article(ask.dish.name)} with {main.many} and {finish}.",
            f"Just have {article(main.one)} {ask.dish.name}, {rng.choice(ask.dish.methods)}, with {finish}.",
        )
    )


def fact(rng: random.Random) -> str:
    """One plain sentence of kitchen knowledge."""
    return rng.choice(_FACTS)(rng)


def _pick(rng: random.Random, table: Sequence[str], banned: Sequence[str]) -> str:
    return rng.choice([word for word in table if word not in banned])


def _specific(rng: random.Random) -> Ask:
    dish = rng.choice(pantry.DISHES)
    main = rng.choice(pantry.mains_for(dish))
    side = rng.choice(main.sides)
    a, name, many = article(dish.name), dish.name, main.many
    plain = (
        f"I want {a} made of {many}.",
        f"Please give me a recipe for {article(main.one)} {name}.",
        f"How do I cook {many} in {a}?",
        f"Could you suggest {a} with {many}?",
        f"What can I do with {many} if I want {a}?",
        f"{a.capitalize()} with {many}, please.",
    )
    paired = (
        f"I want {a} with {many} and {side}.",
        f"Is there {a} that uses {many} as well as {side}?",
        f"We have {many} and {side}. Which {name} can we make?",
        f"Give me {article(main.one)} {name} with some {side} in it.",
    )
    if rng.random() < 0.5:
        return Ask(text=rng.choice(plain), kind="specific", main=main, dish=dish)
    return Ask(text=rng.choice(paired), kind="specific", main=main, dish=dish, wanted=side)


def _negated(rng: random.Random) -> Ask:
    dish = rng.choice(pantry.DISHES)
    main = rng.choice(pantry.mains_for(dish))
    banned = rng.choice(pantry.avoidable(main, dish))
    a, name, many = article(dish.name), dish.name, main.many
    texts = (
        f"I want {a} with {many} but no {banned}.",
        f"Please suggest {article(main.one)} {name} without {banned}.",
        f"{a.capitalize()} with {many}, and leave out the {banned}.",
        f"I hate {banned}. What {name} can I make with {many}?",
        f"Can you give me {article(main.one)} {name} that has no {banned} in it?",
        f"We are out of {banned}, but we want {article(main.one)} {name}.",
    )
    return Ask(text=rng.choice(texts), kind="negated", main=main, dish=dish, banned=(banned,))


def _analogical(rng: random.Random) -> Ask:
    dish = rng.choice(pantry.DISHES)
    main, other = rng.sample(pantry.mains_for(dish), 2)
    name, old = dish.name, f"{other.one} {dish.name}"
    texts = (
        f"I want something like {article(old)}, but with {main.many}.",
        f"Do you know {article(name)} that is like {article(old)} but uses {main.many}?",
        f"I love {old}. Can I do the same with {main.many}?",
        f"What would {article(old)} be if it were made of {main.many}?",
        f"Give me the twin of {article(old)}, with {main.many} in place of {other.many}.",
    )
    return Ask(text=rng.choice(texts), kind="analogical", main=main, dish=dish, banned=(other.one, other.many))


_ASKED = (
    "I need something {}.",
    "What can I cook {}?",
    "Please suggest a dish {}.",
    "Do you know something {}?",
    "Find me a recipe {}.",
    "What should I make {}?",
)


def _commonsense(rng: random.Random) -> Ask:
    guest = rng.choice(occasions.GUESTS)
    main, dish = rng.choice(occasions.suited(guest))
    text = rng.choice(_ASKED).format(rng.choice(guest.phrases))
    if rng.random() < 0.5:
        text = f"{text} I have {main.many}."
    return Ask(text=text, kind="commonsense", main=main, dish=dish, banned=guest.banned)


def _temporal(rng: random.Random) -> Ask:
    moment = rng.choice(occasions.MOMENTS)
    main, dish = rng.choice(occasions.suited(moment))
    text = rng.choice(_ASKED).format(rng.choice(moment.phrases))
    if rng.random() < 0.5:
        text = f"{text} I have {main.many}."
    return Ask(text=text, kind="temporal", main=main, dish=dish, said=moment.said)


KINDS: dict[Kind, Callable[[random.Random], Ask]] = {
    "specific": _specific,
    "commonsense": _commonsense,
    "negated": _negated,
    "analogical": _analogical,
    "temporal": _temporal,
}


def _how(rng: random.Random) -> str:
    dish = rng.choice(pantry.DISHES)
    return f"{article(dish.name).capitalize()} is {rng.choice(dish.methods)}."


def _pairing(rng: random.Random) -> str:
    main = rng.choice(pantry.MAINS)
    return f"With {main.many} we like {rng.choice(main.sides)} and {rng.choice(main.herbs)}."


def _suits(rng: random.Random) -> str:
    occasion = rng.choice((*occasions.GUESTS, *occasions.MOMENTS))
    main, dish = rng.choice(occasions.suited(occasion))
    return f"{article(main.one).capitalize()} {dish.name} is something {rng.choice(occasion.phrases)}."


_FACTS: tuple[Callable[[random.Random], str], ...] = (_how, _pairing, _suits)
