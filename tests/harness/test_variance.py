"""From judgments to where their differences come from: the balanced core, what is left out, and plain sentences."""

import json
import random
import time

import numpy as np
import pytest

from harness.outcome import ORDERS
from harness.records import JudgmentRecord
from harness.variance import split

WINNERS = ("baseline", "tie", "candidate")


def judged(prompts, repeats, judges=("gpt",), orders=ORDERS, seed=0, **more):
    rng = np.random.default_rng(seed)
    liking = rng.normal(0, 1, prompts)
    return [
        JudgmentRecord(
            id=f"p{prompt:05d}",
            judge=judge,
            order=order,
            repeat=repeat,
            winner=WINNERS[int(np.clip(np.rint(liking[prompt] + rng.normal(0, 0.7)), -1, 1)) + 1],
            **more,
        )
        for prompt in range(prompts)
        for repeat in range(repeats)
        for judge in judges
        for order in orders
    ]


def said(found):
    return " ".join(found.sentences())


def test_repeats_are_worth_fewer_prompts_than_they_are_calls():
    found = split(judged(60, 5), ["gpt"])
    worth = round(found.advice.worth)
    assert 60 < worth < 300
    assert f"5 repeats on 60 prompts are worth {worth} prompts (95 % " in said(found)
    assert "as many calls on 300 prompts with one repeat would bring the standard error" in said(found)
    assert "add prompts, not repeats" in said(found)
    assert "There is one judge, so that nothing is known of what another would say." in said(found)


def test_lines_in_any_order_say_the_same():
    rows = judged(40, 3, judges=("a", "b"))
    once = split(rows, ["a", "b"])
    random.Random(1).shuffle(rows)
    assert split(rows, ["a", "b"]).as_json() == once.as_json()
    assert split(rows, ["a", "b"]).sentences() == once.sentences()


def test_only_judges_that_count_and_usable_verdicts_stand_in_it():
    rows = judged(20, 2, judges=("a", "control/first"))
    refused = rows[0].model_copy(update={"winner": None, "status": "refused"})
    found = split([refused, *rows[1:]], ["a"])
    assert found.judges == ("a",)
    assert (found.used, found.dropped) == (19 * 2 * 2, 3)


def test_what_is_unbalanced_is_left_out_and_counted():
    rows = [row for row in judged(30, 3) if not (row.id == "p00004" and row.repeat == 1 and row.order == ORDERS[0])]
    found = split(rows, ["gpt"])
    assert (found.split.design.prompts, found.split.design.repeats) == (29, 3)
    assert (found.used, found.dropped) == (29 * 6, 5)
    assert "Left out here, so that every prompt has as many repeats, judges and orders: 5 of 179 usable" in said(found)


def test_prompts_with_their_own_number_of_repeats_meet_at_the_number_that_keeps_most():
    few, many = judged(40, 2, seed=1), judged(50, 5, seed=2)
    found = split([*few, *(row for row in many if row.id >= "p00040")], ["gpt"])
    assert (found.split.design.prompts, found.split.design.repeats) == (50, 2)
    assert found.dropped == 10 * 3 * 2


def test_one_order_a_prompt_is_split_without_an_order_part():
    rows = [row for row in judged(30, 3) if (int(row.id[1:]) % 2 == 0) == (row.order == ORDERS[0])]
    found = split(rows, ["gpt"])
    assert (found.split.design.orders, found.used, found.dropped) == (1, 90, 0)
    assert found.split.parts["order"].variance is None
    assert "stands here in one order" in said(found)


def test_judges_that_saw_other_orders_stand_together():
    rows = [
        row
        for row in judged(30, 1, judges=("a", "b"))
        if (int(row.id[1:]) % 2 == 0) == ((row.order == ORDERS[0]) == (row.judge == "a"))
    ]
    found = split(rows, ["a", "b"])
    assert (found.split.design.prompts, found.split.design.orders, found.used) == (30, 1, 60)


def test_a_table_of_few_prompts_is_no_split():
    found = split(judged(9, 2), ["gpt"])
    assert found.split is None
    assert found.as_json()["parts"] is None
    assert "cannot be told: 36 of 36 usable verdicts" in said(found)


def test_a_judge_with_few_verdicts_does_not_shrink_the_others():
    rows = [row for row in judged(40, 2, judges=("a", "b", "c")) if row.judge != "c" or row.id < "p00005"]
    found = split(rows, ["a", "b", "c"])
    assert (found.judges, found.left_out) == (("a", "b"), ("c",))
    assert found.split.design.prompts == 40
    assert "Left out here for too few verdicts: c." in said(found)


def test_preferences_count_instead_of_outcomes():
    rows = [row.model_copy(update={"preference": 0.5}) for row in judged(12, 2)]
    assert split(rows, ["gpt"]).split.total == 0


def test_two_judges_are_told_with_what_sets_them_apart():
    rows = [*judged(50, 1, judges=("a",), seed=1), *judged(50, 1, judges=("b",), seed=1)]
    rows = [
        row.model_copy(update={"winner": "candidate"}) if row.judge == "b" and row.id < "p00030" else row
        for row in rows
    ]
    found = split(rows, ["a", "b"])
    assert "From judge to judge the whole win rate differs by about" in said(found)
    assert "There is one repeat, so that the generation's part is within the prompt's." in said(found)


@pytest.mark.parametrize(
    ("rows", "judges"),
    [([], ["gpt"]), (judged(1, 5), ["gpt"]), (judged(9, 1, orders=ORDERS[:1]), ["gpt"]), (judged(9, 2), ["other"]),
     (judged(9, 2), [])],
)  # fmt: skip
def test_nothing_to_split_is_no_split(rows, judges):
    assert split(rows, judges) is None


def test_verdicts_that_never_differ_are_said_to_be_equal():
    rows = [row.model_copy(update={"winner": "tie"}) for row in judged(12, 2)]
    found = split(rows, ["gpt"])
    assert found.sentences() == [
        "Single verdicts do not differ at all (12 prompts × 2 repeats × 2 orders); nothing can be said of where "
        "differences come from."
    ]
    assert found.as_json()["advice"] is None


def test_its_json_holds_no_nan():
    for rows in (judged(40, 2, judges=("a", "b")), judged(3, 2), judged(12, 1)):
        found = split(rows, sorted({row.judge for row in rows}))
        value = found.as_json()
        assert json.loads(json.dumps(value, allow_nan=False)) == value


def test_a_repeat_number_out_of_all_proportion_costs_no_memory():
    rows = judged(12, 2)
    rows += [row.model_copy(update={"repeat": 10**9}) for row in rows if row.repeat == 1]
    assert split(rows, ["gpt"]).split.design.repeats == 3


def test_ten_thousand_judgments_are_split_at_once():
    rows = judged(1_000, 5)
    begun = time.process_time()
    assert split(rows, ["gpt"]).used == 10_000
    assert time.process_time() - begun < 1
