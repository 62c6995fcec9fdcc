"""What is told of a run before its figures: items that stood in training data, goals they carry, how it was asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.classify.collect import Found, grave
from harness.classify.summary import summarize
from harness.classify.verb import _asked_by
from harness.classify.words import doubts
from harness.goal import Reading, goal_of, met
from harness.leakage.guard import Finding
from tests.harness.classify.test_figures import record


def found(records, leaked):
    exact, near = leaked[:2], leaked[2:]
    told = Finding(exact=exact, near=near, prompts=len(records), checked={}, seen={}, examples=9)
    return Found(
        run=Path(),
        manifest={"n_items": len(records), "labels": ["x", "y"]},
        planned=None,
        predictions=tuple(records),
        validation=(),
        timing={},
        leakage=told,
    )


def goal_on(records, target):
    own = summarize(records).estimate("accuracy")
    return met(goal_of(f"accuracy >= {target}", "classify"), [Reading(value=own.value, ci=own.ci, n=len(records))])


def test_leaked_items_are_named_by_how_they_stood_there():
    records = [record(place, "x", "x") for place in range(10)]
    (said,) = grave(found(records, tuple("0123")))
    assert said.startswith(
        "4 items of 10 stood in training data (2 word for word, 2 nearly): 0, 1, 2 and 3; without them"
    )
    assert list(grave(found(records, ()))) == []


def test_a_goal_that_leaked_items_carry_is_named():
    # Right on all 160 that leaked and on 24 of the other 40.
    records = [record(place, "xy"[place % 2], "xy"[place % 2]) for place in range(184)]
    records += [record(place, "x", "y") for place in range(184, 200)]
    leaked = found(records, tuple(str(place) for place in range(160)))
    reached = goal_on(records, 0.75)
    assert reached.outcome == "pass"
    _, said = grave(leaked, reached)
    assert said.startswith("the goal is reached by items that stood in training data; without them: Goal missed")
    assert "n = 40" in said
    # A goal that the others reach as well, and one that was not reached, need no such word.
    assert len(list(grave(leaked, goal_on(records, 0.4)))) == 1
    assert len(list(grave(leaked, goal_on(records, 0.99)))) == 1


def test_what_is_grave_is_the_first_doubt():
    own = summarize([record(place, "x", None) for place in range(4)])
    assert doubts(own)[0].startswith("4 items of 4 without a prediction")
    assert doubts(replace(own, grave=("they leaked",)))[:2] == ["they leaked", doubts(own)[0]]
    assert replace(own, grave=("they leaked",)).as_json()["notes"][0] == "they leaked"


@pytest.mark.parametrize(
    ("method", "chat", "said"),
    [
        ({}, False, "likelihood (summed over a label's tokens, as plain text)"),
        ({"normalise": "tokens"}, True, "likelihood (divided by a label's tokens, in the model's chat template)"),
        ({"normalise": "bytes"}, None, "likelihood (divided by the bytes of a label's word)"),
    ],
)
def test_how_likelihoods_are_divided_is_stated(method, chat, said):
    assert _asked_by({"mode": "likelihood", "chat": chat, "suite": {"method": method}}) == said
    assert _asked_by({"mode": "generation", "suite": {"method": method}}) == "generation"


def test_a_goal_of_leaked_items_alone_is_named():
    records = [record(place, "xy"[place % 2], "xy"[place % 2]) for place in range(50)]
    *_, said = grave(found(records, tuple(map(str, range(50)))), goal_on(records, 0.75))
    assert said == "the goal is reached by items that all stood in training data"


def test_figures_without_leaked_items_count_clusters():
    records = [record(place, "x", "xy"[place // 10 % 2], cluster=place // 10) for place in range(100)]
    (said,) = grave(found(records, ("0",)))
    (plain,) = grave(found([record(place, "x", "xy"[place // 10 % 2]) for place in range(100)], ("0",)))
    assert "without them right on 49 % of 99 (95 % 12–87)" in said
    assert "without them right on 49 % of 99 (95 % 40–59)" in plain
