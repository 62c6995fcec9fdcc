"""What will be asked: pure and seeded. Prompts × repeats × orders, the control pairs, and the subset of --limit.

Refuses nothing and opens nothing: a plan is a value that depends on its arguments alone.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.outcome import ORDERS, Order
from judges.controls import DAMAGES, Texts, cut, shuffled, swapped
from judges.types import Prompt


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One presentation to be judged: a prompt, a repeat (sample k of both sides) and an order."""

    prompt: Prompt
    repeat: int
    order: Order

    @property
    def key(self) -> tuple[str, Order, int]:
        return (self.prompt.id, self.order, self.repeat)


@dataclass(frozen=True, kw_only=True, slots=True)
class ControlPair:
    """A response beside a visibly damaged copy of itself. `role` says whose response it was."""

    prompt: Prompt
    role: str
    damage: str
    whole: Texts
    damaged: Texts


def seeded(seed: int, *purpose: object) -> random.Random:
    """A generator of its own for every purpose, so that adding one draw never moves another."""
    return random.Random("|".join([str(seed), *map(str, purpose)]))


def limited(prompts: Sequence[Prompt], limit: int | None, seed: int) -> tuple[Prompt, ...]:
    """A seeded draw of `limit` prompts, stratified by category (largest remainders), in the suite's order."""
    if limit is None or limit >= len(prompts):
        return tuple(prompts)
    rng = seeded(seed, "limit")
    strata: dict[str | None, list[Prompt]] = defaultdict(list)
    for prompt in prompts:
        strata[prompt.category].append(prompt)
    shares = _apportion({name: len(members) for name, members in strata.items()}, limit, rng)
    drawn = {prompt.id for name, members in strata.items() for prompt in rng.sample(members, shares[name])}
    return tuple(prompt for prompt in prompts if prompt.id in drawn)


def _apportion(sizes: Mapping[str | None, int], limit: int, rng: random.Random) -> dict[str | None, int]:
    total = sum(sizes.values())
    exact = {name: limit * size / total for name, size in sizes.items()}
    shares = {name: int(value) for name, value in exact.items()}
    names = list(sizes)
    rng.shuffle(names)
    names.sort(key=lambda name: exact[name] - shares[name], reverse=True)
    for name in names[: limit - sum(shares.values())]:
        shares[name] += 1
    return shares


def presentations(prompts: Sequence[Prompt], repeats: Mapping[str, int], orders: str, seed: int) -> tuple[Cell, ...]:
    """Every presentation: both orders of every prompt and repeat, or one balanced random order a prompt."""
    chosen: dict[str, tuple[Order, ...]] = {prompt.id: ORDERS for prompt in prompts}
    if orders == "random":
        rng = seeded(seed, "orders")
        first = rng.randrange(2)
        mixed = [prompt.id for prompt in prompts]
        rng.shuffle(mixed)
        chosen = {prompt: (ORDERS[(first + place) % 2],) for place, prompt in enumerate(mixed)}
    return tuple(
        Cell(prompt=prompt, repeat=repeat, order=order)
        for prompt in prompts
        for repeat in range(repeats[prompt.id])
        for order in chosen[prompt.id]
    )


def control_count(n_prompts: int) -> int:
    """How many control pairs: one in twenty prompts, at least 4 and at most 20."""
    return max(4, min(20, -(-n_prompts // 20)))


def control_pairs(
    prompts: Sequence[Prompt], responses: Mapping[tuple[str, str], Texts], seed: int
) -> tuple[ControlPair, ...]:
    """The run's control pairs, from the first sample of each (prompt id, role); drawn without looking at any verdict.

    Damages take turns, prompts are not used twice before all are used once. Fewer pairs than `control_count` come
    back only where the responses allow no more (one-word answers, a single prompt).
    """
    rng = seeded(seed, "controls")
    wanted = control_count(len(prompts))
    mixed = rng.sample(list(prompts), len(prompts))
    roles = ("candidate", "baseline")
    tickets = [(prompt, roles[(place + turn) % 2]) for turn in range(2) for place, prompt in enumerate(mixed)]
    pairs: list[ControlPair] = []
    for turn in range(len(DAMAGES)):
        for place, (prompt, role) in enumerate(tickets):
            if len(pairs) == wanted:
                return tuple(pairs)
            damage = DAMAGES[(place + turn) % len(DAMAGES)]
            # A generator of its own for each: what is missing elsewhere must not change this one.
            own = seeded(seed, "damage", prompt.id, role, damage)
            damaged = damaged_copy(damage, prompt, role, prompts, responses, own)
            whole = responses.get((prompt.id, role))
            if whole is not None and damaged is not None:
                pairs.append(ControlPair(prompt=prompt, role=role, damage=damage, whole=whole, damaged=damaged))
    return tuple(pairs)


def damaged_copy(
    damage: str,
    prompt: Prompt,
    role: str,
    prompts: Sequence[Prompt],
    responses: Mapping[tuple[str, str], Texts],
    rng: random.Random,
) -> Texts | None:
    """A visibly worse copy of a response; None where there is none, or where this damage would not show.

    Beside an empty response another prompt's answer is no worse.
    """
    whole = responses.get((prompt.id, role))
    if whole is None or not any(text.strip() for text in whole):
        return None
    if damage == "shuffled":
        return shuffled(whole, rng)
    if damage == "cut":
        return cut(whole)
    others = [(other.id, role) for other in prompts if other.id != prompt.id and (other.id, role) in responses]
    return swapped(whole, responses[rng.choice(others)]) if others else None
