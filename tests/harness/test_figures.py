"""The contract's R from judgments: worked examples, laws, and a second way of counting."""

import random
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.figures import judge_result, panel_result
from harness.records import JudgmentRecord

ORDERS = ("candidate_first", "baseline_first")
MIRROR = {"candidate": "baseline", "baseline": "candidate", "tie": "tie", None: None}


def judgment(prompt, winner, order="candidate_first", repeat=0, **more):
    status = more.pop("status", "ok" if winner else "invalid_parse")
    record = {"id": prompt, "judge": "j", "order": order, "winner": winner, "repeat": repeat, "status": status}
    return JudgmentRecord.model_validate(record | more)


def both(prompt, first, second, repeat=0):
    return [judgment(prompt, first, ORDERS[0], repeat), judgment(prompt, second, ORDERS[1], repeat)]


def result(rows, prompts=None):
    return judge_result(rows, prompts or sorted({row.id for row in rows}))[0]


def test_a_worked_example():
    rows = [
        *both("won", "candidate", "candidate"),
        *both("lost", "baseline", "baseline"),
        *both("split", "candidate", "baseline"),
        *both("both tie", "tie", "tie"),
        *both("half", "candidate", "tie"),
        judgment("one order", "candidate"),
        *both("unread", None, None),
    ]
    found = result(rows, [*sorted({row.id for row in rows}), "never judged"]).as_json()
    assert {name: found[name] for name in ("n", "wins", "losses", "ties", "unscored")} == {
        "n": 6,
        "wins": 3,
        "losses": 1,
        "ties": 2,
        "unscored": 2,
    }
    assert found["win_rate"] == pytest.approx((1 + 0 + 0.5 + 0.5 + 0.75 + 1) / 6)
    assert (found["one_order"], found["inconsistent"]) == (1, 1)
    # won, lost and both tie agree; split and half do not; "one order" has no second order.
    assert found["consistency"] == pytest.approx(3 / 5)
    # Decisive: won 2, lost 2, split 2, half 1, one order 1; first shown: 1 + 1 + 2 + 1 + 1.
    assert found["first_position_rate"] == pytest.approx(6 / 8)
    assert found["p_value"] == pytest.approx(0.625)


def test_repeats_are_averaged_within_the_prompt():
    rows = [
        *both("p", "candidate", "candidate", 0),
        *both("p", "baseline", "baseline", 1),
        judgment("p", "candidate", repeat=2),
    ]
    found, scores = judge_result(rows, ["p"])
    assert scores["p"].score == pytest.approx(2 / 3)
    assert found.consistency == 1.0
    assert found.one_order == 0


def test_a_preference_counts_instead_of_its_winner():
    rows = [judgment("p", "candidate", ORDERS[0], preference=0.7), judgment("p", "baseline", ORDERS[1], preference=0.4)]
    found, scores = judge_result(rows, ["p"])
    assert scores["p"].score == pytest.approx(0.55)
    assert (found.wins, found.inconsistent) == (1, 1)


def test_nothing_usable_is_said_and_never_a_number():
    found = result(both("p", None, None)).as_json()
    assert (found["n"], found["unscored"], found["win_rate"], found["se"], found["ci"]) == (0, 1, None, None, None)
    assert (found["p_value"], found["first_position_rate"], found["consistency"]) == (1.0, None, None)


def test_an_unknown_order_says_nothing_of_position():
    found = result([judgment("p", "candidate", None), judgment("q", "baseline", None)])
    assert (found.first_position_rate, found.consistency, found.one_order) == (None, None, 0)


WINNERS = st.sampled_from(["candidate", "baseline", "tie", None])
ROWS = st.dictionaries(
    st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(ORDERS), st.integers(0, 2)), WINNERS, min_size=1, max_size=40
).map(lambda cells: [judgment(p, w, o, r) for (p, o, r), w in cells.items()])


@given(ROWS)
def test_swapping_the_contestants_mirrors_every_figure(rows):
    flip = dict(zip(ORDERS, reversed(ORDERS), strict=True))
    here = result(rows)
    there = result([judgment(r.id, MIRROR[r.winner], flip[r.order], r.repeat) for r in rows])
    assert (there.wins, there.losses, there.ties, there.unscored) == (here.losses, here.wins, here.ties, here.unscored)
    assert (there.consistency, there.inconsistent, there.first_position_rate) == (
        here.consistency,
        here.inconsistent,
        here.first_position_rate,
    )
    if here.estimate.ci is not None:
        low, high = here.estimate.ci
        assert there.estimate.ci == pytest.approx((1 - high, 1 - low), abs=1e-9)


@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_lines_changes_nothing(rows, rng):
    mixed = rows[:]
    rng.shuffle(mixed)
    prompts = sorted({row.id for row in rows})
    assert result(mixed, prompts).as_json() == result(rows, prompts).as_json()


@given(ROWS)
@settings(max_examples=200)
def test_a_second_way_of_counting_agrees(rows):
    value = {"candidate": 1.0, "tie": 0.5, "baseline": 0.0}
    cells = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row.winner:
            cells[row.id][row.repeat].append(value[row.winner])
    scores = np.array([np.mean([np.mean(orders) for orders in repeats.values()]) for repeats in cells.values()])
    found = result(rows)
    assert found.estimate.n == len(scores)
    if len(scores):
        assert found.estimate.mean == pytest.approx(scores.mean())
        assert (found.wins, found.losses) == ((scores > 0.5 + 1e-9).sum(), (scores < 0.5 - 1e-9).sum())
    if len(scores) > 1:
        assert found.estimate.se == pytest.approx(scores.std(ddof=1) / len(scores) ** 0.5)


@given(st.dictionaries(st.sampled_from("abcd"), WINNERS, min_size=1))
def test_an_order_blind_judge_is_always_consistent(winners):
    rows = [row for prompt, winner in winners.items() for row in both(prompt, winner, winner)]
    found = result(rows)
    assert found.consistency in (1.0, None)
    assert found.inconsistent == 0


def test_a_judge_that_always_names_the_first_ties_everywhere():
    rows = [row for prompt in "abcdef" for row in both(prompt, "candidate", "baseline")]
    found = result(rows)
    assert (found.first_position_rate, found.consistency, found.inconsistent, found.ties) == (1.0, 0.0, 6, 6)


def test_the_panel_is_the_majority_prompt_by_prompt():
    judges = [
        judge_result([*both("a", "candidate", "candidate"), *both("b", "candidate", "candidate")], ["a", "b", "c"])[1],
        judge_result([*both("a", "candidate", "candidate"), *both("b", "baseline", "baseline")], ["a", "b", "c"])[1],
    ]
    found = panel_result(judges, ["a", "b", "c"])
    assert (found.wins, found.losses, found.ties, found.unscored, found.split) == (1, 0, 1, 1, 1)
    assert (found.first_position_rate, found.consistency) == (None, None)


def test_the_panel_survives_any_order_of_judges():
    rng = random.Random(3)
    names = [f"p{place}" for place in range(20)]
    judges = []
    for _ in range(5):
        winners = {name: rng.choice(["candidate", "baseline", "tie"]) for name in names}
        rows = [row for name, winner in winners.items() for row in both(name, winner, winner)]
        judges.append(judge_result(rows, names)[1])
    mixed = judges[:]
    rng.shuffle(mixed)
    assert panel_result(mixed, names).as_json() == panel_result(judges, names).as_json()
