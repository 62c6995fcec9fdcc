"""Practice requests for the loop of judging and training: prompts with checks, none of them near a held-out one.

`python -m train.practice` prints the bundled ones (suites/data/practice.jsonl).
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from harness.leakage import TrainingIndex
from judges.types import Message
from train.data import held_out, without
from train.examples import Example
from train.kitchen import cooking
from train.kitchen.cooking import Ask

SEED = 33
COUNT = 240
HELD_OUT = ("in_domain.jsonl", "out_of_domain.jsonl")


def asked(rng: random.Random, count: int) -> list[Ask]:
    """`count` different requests."""
    made: dict[str, Ask] = {}
    while len(made) < count:
        ask = cooking.request(rng)
        made.setdefault(ask.text, ask)
    return list(made.values())


def prompts_of(asks: Iterable[Ask]) -> list[dict[str, Any]]:
    """Requests as prompts with the checks that a good answer passes."""
    return [
        {"id": f"practice-{place:03}", "category": ask.kind, "prompt": ask.text, "checks": list(_checks(ask))}
        for place, ask in enumerate(asks, 1)
    ]


def _checks(ask: Ask) -> Iterator[dict[str, Any]]:
    if ask.main.one in ask.text or ask.main.many in ask.text:
        yield {"kind": "mention", "any": [ask.main.one], "name": f"uses {ask.main.one}"}
    if ask.dish.name in ask.text:
        yield {"kind": "mention", "any": [ask.dish.name], "name": f"is a {ask.dish.name}"}
    if ask.wanted:
        yield {"kind": "mention", "any": [ask.wanted], "name": f"uses {ask.wanted}"}
    if ask.banned:
        yield {"kind": "avoid", "words": list(dict.fromkeys(ask.banned)), "name": f"leaves out {ask.banned[0]}"}
    if ask.said:
        yield {"kind": "mention", "any": [ask.said], "name": f"is for {ask.said}"}
    yield {"kind": "form", "named": "sentence"}
    yield {"kind": "length", "min": 8, "max": 30}


def bundled(suites: Path) -> list[dict[str, Any]]:
    """The practice prompts that go with the suites in this folder."""
    known = TrainingIndex.build(held_out(suites / "data", HELD_OUT))
    asks = asked(random.Random(SEED), 2 * COUNT)
    rows = {Example(prompt=(Message(role="user", content=ask.text),), answer="-"): ask for ask in asks}
    return prompts_of([rows[row] for row in without(list(rows), known)][:COUNT])


if __name__ == "__main__":
    for line in bundled(Path(__file__).parents[1] / "suites"):
        print(json.dumps(line))
