"""Two small made tasks for encoders: what a dish is of, and reviews of a meal with two labels each.

`python -m train.plates dishes` and `… reviews` print the bundled ones (suites/data/dishes.jsonl, reviews.jsonl). A
dish's label is its main's; a review's `verdict` and `about` are those its sentences were made for. `mixed` verdicts and
reviews about the price are rare. In one row of twelve a careless hand wrote another label, so that nobody is always
right.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from train.kitchen.pantry import DISHES, MAINS

SEED, COUNT = 51, 600
CARELESS = 1 / 12
OPENINGS = ("a warm", "our", "a simple", "the cook's", "a quick", "grandmother's", "a spicy", "Sunday's", "a cold")
PRAISE: Mapping[str, tuple[str, ...]] = {
    "food": ("the {main} was tender", "we loved the {dish}", "such a fresh {dish}", "the {main} had a lovely taste"),
    "service": (
        "the waiter was kind",
        "they seated us at once",
        "our table was lovely",
        "the staff smiled all evening",
    ),
    "price": ("it was cheap", "we paid little", "the bill was a happy surprise", "good value"),
}
COMPLAINT: Mapping[str, tuple[str, ...]] = {
    "food": ("the {main} was burnt", "nobody liked the {dish}", "such a bland {dish}", "the {main} had a sour taste"),
    "service": ("the waiter was rude", "they let us wait an hour", "our table was dirty", "the staff forgot us twice"),
    "price": ("it was dear", "we paid too much", "the bill was a nasty surprise", "bad value"),
}
ENDS = ("on Monday", "last night", "for my birthday", "with the children", "after the market", "in the rain", "again")


def dish(rng: random.Random) -> dict[str, Any]:
    """A dish in a few words, and what it is of: vegetable, meat, fish or fruit."""
    main = rng.choice(MAINS)
    form = rng.choice([each for each in DISHES if main.one in each.mains or main.many in each.mains] or list(DISHES))
    side, herb = rng.choice(main.sides), rng.choice(main.herbs)
    named = rng.choice((f"{main.one} {form.name} with {side}", f"{form.name} with {main.many} and {side}"))
    text = f"{rng.choice(OPENINGS)} {named}{rng.choice(('', f' and {herb}'))}"
    return {"text": text, "of": _written(main.group, ("fish", "fruit", "meat", "vegetable"), rng)}


def review(rng: random.Random) -> dict[str, Any]:
    """A review of a meal: its verdict (praise, complaint, rarely mixed) and what it is about."""
    verdict = rng.choices(("praise", "complaint", "mixed"), weights=(6, 5, 1))[0]
    about = rng.choices(tuple(PRAISE), weights=(6, 4, 1))[0]
    good, bad = rng.choice(PRAISE[about]), rng.choice(COMPLAINT[about])
    said = {"praise": good, "complaint": bad, "mixed": " but ".join(rng.sample((good, bad), 2))}[verdict]
    words = {"main": rng.choice(MAINS).one, "dish": rng.choice(DISHES).name}
    text = f"{rng.choice(ENDS)} {said}" if rng.random() < 0.5 else f"{said} {rng.choice(ENDS)}"
    return {
        "text": text.format(**words),
        "verdict": _written(verdict, ("complaint", "mixed", "praise"), rng),
        "about": _written(about, tuple(PRAISE), rng),
    }


def _written(label: str, labels: Sequence[str], rng: random.Random) -> str:
    """The label as it was written down."""
    others = [each for each in labels if each != label]
    return rng.choice(others) if rng.random() < CARELESS else label


def rows(make: Callable[[random.Random], dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """The bundled rows of a task: each text once."""
    rng = random.Random(f"{name} {SEED}")
    found: dict[str, dict[str, Any]] = {}
    while len(found) < COUNT:
        row = make(rng)
        found.setdefault(row["text"], row)
    return [{"id": f"{name}-{place:03}", **row} for place, row in enumerate(found.values(), 1)]


MADE: Mapping[str, Callable[[random.Random], dict[str, Any]]] = {"dishes": dish, "reviews": review}

if __name__ == "__main__":
    for line in rows(MADE[sys.argv[1]], sys.argv[1]):
        print(json.dumps(line))
