"""The contract's decision rule, in its order, and who counts."""

import itertools

import numpy as np
import pytest

from harness.decision import ControlCount, clustered_decision, control_counts, counting, decide
from harness.figures import Result, judge_result
from harness.outcome import winner_of
from harness.stats.intervals import mean_score, sign_test
from tests.harness.report.sample import record

IDS = [f"p{place}" for place in range(3000)]


def result(wins, losses, ties=0, consistency=1.0):
    scores = np.array([1.0] * wins + [0.0] * losses + [0.5] * ties)
    return Result(
        estimate=mean_score(scores),
        wins=wins,
        losses=losses,
        ties=ties,
        unscored=0,
        one_order=0,
        inconsistent=0,
        p_value=sign_test(wins, losses),
        consistency=consistency,
    )


def decision(found, complete=True, equivalence=0.05):
    return decide(found, complete=complete, equivalence=equivalence)[0]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (result(40, 10), "better"),
        (result(10, 40), "worse"),
        (result(30, 25), "inconclusive"),
        (result(10, 3), "inconclusive"),
        (result(1, 0), "inconclusive"),
        (result(0, 0), "inconclusive"),
        (result(0, 0, ties=5), "inconclusive"),
        (result(0, 0, ties=2000), "equivalent"),
        (result(800, 790, ties=400), "equivalent"),
        (None, "inconclusive"),
    ],
)
def test_the_rule(found, expected):
    assert decision(found) == expected


def test_what_comes_first_wins():
    sure = result(40, 10)
    assert decision(sure, complete=False) == "inconclusive"
    assert decision(result(40, 10, consistency=0.49)) == "inconclusive"
    assert decision(result(40, 10, consistency=0.5)) == "better"
    assert decision(result(40, 10, consistency=None)) == "better"
    # Inside the margin and away from 1/2 at once: the margin was asked for first.
    assert decision(result(10_300, 9_700), equivalence=0.05) == "equivalent"


def test_the_interval_alone_is_not_enough():
    few = result(6, 0, ties=30)
    assert few.estimate.ci[0] > 0.5
    assert decision(few) == "better"
    fewer = result(5, 0, ties=30)
    assert fewer.estimate.ci[0] > 0.5
    assert fewer.p_value > 0.05
    assert decision(fewer) == "inconclusive"


@pytest.mark.parametrize(
    ("right", "wrong", "undecided", "usable"),
    [
        (8, 0, 0, True),
        (6, 2, 0, True),
        (5, 3, 0, False),
        (4, 0, 4, True),
        (3, 0, 5, False),
        (3, 1, 4, True),
        (0, 0, 8, False),
        (0, 0, 0, True),
    ],
)
def test_when_a_judge_is_unusable(right, wrong, undecided, usable):
    count = ControlCount(n=right + wrong + undecided, right=right, wrong=wrong)
    assert count.usable is usable
    assert count.undecided == undecided


def test_control_verdicts_are_counted():
    assert control_counts({"j": [True, False, None, True]})["j"] == ControlCount(n=4, right=2, wrong=1)


def test_who_counts():
    assert counting(["openai/x", "control/first", "human/ann"], []) == ("openai/x",)
    assert counting(["human/ann", "control/first"], []) == ("human/ann",)
    assert counting(["openai/x", "rubric"], ["rubric"]) == ("openai/x",)
    assert counting(["openai/x", "human/ann"], ["openai/x"]) == ()
    assert counting(["control/longest"], []) == ()


def test_a_judge_that_always_names_the_first_is_never_equivalent():
    for n, complete in itertools.product((2, 50, 5000), (True, False)):
        assert decision(result(0, 0, ties=n, consistency=0.0), complete=complete) == "inconclusive"


def judgments_of(verdicts, orders):
    return [
        record(f"p{place}", winner_of(verdict, order), order=order)
        for place, (verdict, order) in enumerate(zip(verdicts, orders, strict=True))
    ]


def decided(rows, equivalence=0.05):
    found = judge_result(rows, list(dict.fromkeys(row.id for row in rows)))[0]
    return decide(found, complete=True, equivalence=equivalence, judges=[found])[0]


def test_a_judge_that_always_says_a_is_never_equivalent():
    orders = ["candidate_first", "baseline_first"] * 1500
    always = judgments_of(["A"] * 3000, orders)
    assert decided(always) == "inconclusive"
    # With ties for identical responses, which it was never asked about, its orders seem to agree.
    same = [row.model_copy(update={"winner": "tie", "verdict": "tie", "identical": True}) for row in always]
    both = [row.model_copy(update={"id": f"b{place // 2}"}) for place, row in enumerate([*always[:200], *same])]
    assert judge_result(both, [row.id for row in both])[0].consistency > 0.5
    assert decided(both) == "inconclusive"


def test_a_judge_led_by_position_in_single_orders_is_not_equivalent():
    orders = ["candidate_first", "baseline_first"] * 3000
    leaning = judgments_of(["A", "A", "A", "A", "B", "A", "A", "A", "A", "B"] * 600, orders)
    assert decided(leaning) == "inconclusive"
    fair = judgments_of(["A", "B", "B", "A"] * 1500, orders)
    assert decided(fair) == "equivalent"


def test_where_half_of_the_judges_are_led_by_position_nothing_is_equivalent():
    first = judge_result(judgments_of(["A"] * 3000, ["candidate_first", "baseline_first"] * 1500), IDS)[0]
    fair, panel = result(1500, 1500), result(1500, 1500, consistency=None)

    def decided_by(*judges):
        return decide(panel, complete=True, equivalence=0.05, judges=judges)[0]

    assert decided_by(first, first) == decided_by(first, fair) == decided_by(first, first, fair) == "inconclusive"
    assert decided_by(first, fair, fair) == "equivalent"
    assert decided_by(result(1500, 1500, consistency=0.4), fair) == "inconclusive"


def test_a_single_decisive_verdict_is_no_lean():
    orders = ["candidate_first", "baseline_first"] * 200
    assert decided(judgments_of(["A"] + ["tie"] * 399, orders)) == "equivalent"


def test_one_pair_does_not_hide_a_judge_that_follows_the_slot():
    orders = ["candidate_first", "baseline_first"] * 800
    rows = judgments_of(["A"] * 1600, orders)
    rows += [record("both", "tie", order=order) for order in ("candidate_first", "baseline_first")]
    assert decided(rows) == "inconclusive"


def test_a_mean_against_the_sign_test_says_so():
    rows = [record(f"p{n}", None, status="ok", preference=1.0 if n < 160 else 0.4) for n in range(400)]
    found = judge_result(rows, [row.id for row in rows])[0]
    said, reason = decide(found, complete=True, equivalence=0.05)
    assert said == "better"
    assert "for the other side" in reason


def clustered(wins, losses, size):
    rows = [record(f"p{place}", "candidate" if place < wins else "baseline") for place in range(wins + losses)]
    clusters = {row.id: f"c{place // size}" for place, row in enumerate(rows)}
    return judge_result(rows, [row.id for row in rows], clusters)[0]


def test_clusters_can_take_a_decision_away():
    found = clustered(30, 12, 6)
    assert decide(found, complete=True, equivalence=0.05)[0] == "better"
    assert clustered_decision("better", found, equivalence=0.05)[0] == "inconclusive"
    many = clustered(120, 20, 2)
    assert clustered_decision("better", many, equivalence=0.05)[0] == "better"
    alone = clustered(30, 12, 1)
    assert clustered_decision("better", alone, equivalence=0.05) is None


def test_one_cluster_decides_nothing():
    assert clustered_decision("better", clustered(30, 2, 100), equivalence=0.05)[0] == "inconclusive"
