"""Practice requests are different from each other, carry their checks, and are near no prompt that is held out."""

import random
from pathlib import Path

from harness.leakage import TrainingIndex, normal
from harness.leakage.nearest import nearest
from judges.checks import mentions
from tests.published import lines
from train import practice
from train.data import held_out

SUITES = Path(practice.__file__).parents[1] / "suites"


def test_no_request_is_practised_twice():
    asks = practice.asked(random.Random(1), 50)
    assert len({ask.text for ask in asks}) == 50
    assert practice.asked(random.Random(1), 50) == asks


def test_checks_ask_for_what_the_request_names():
    for row in practice.prompts_of(practice.asked(random.Random(2), 200)):
        assert [check["kind"] for check in row["checks"]][-2:] == ["form", "length"]
        named = [check for check in row["checks"] if check.get("name", "").startswith("is a ")]
        assert all(mentions(check["any"][0], row["prompt"]) for check in named)


def test_the_bundled_ones_are_what_this_makes_and_near_nothing_that_is_held_out():
    made = practice.bundled(SUITES)
    assert made == list(lines(SUITES / "data" / "practice.jsonl"))
    assert len(made) == practice.COUNT
    known = TrainingIndex.build(held_out(SUITES / "data", practice.HELD_OUT))
    assert set(nearest(known, [normal(row["prompt"]) for row in made])) == {None}
