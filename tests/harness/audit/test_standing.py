"""A judge's standing from its judgments: every figure worked by hand, and by a second path."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.audit.standing import standing, standings
from harness.figures import first_position_rate, judge_result, longer_wins
from harness.records import JudgmentRecord
from harness.stats.intervals import wilson

ORDERS = ("candidate_first", "baseline_first")


def record(prompt, order, winner, *, repeat=0, status="ok", judge="gpt", **more):
    return JudgmentRecord(id=prompt, judge=judge, order=order, winner=winner, status=status, repeat=repeat, **more)


def both(prompt, one, two, **more):
    return [record(prompt, order, winner, **more) for order, winner in zip(ORDERS, (one, two), strict=True)]


ROWS = [
    *both("a", "candidate", "candidate", candidate_length=9, baseline_length=5),  # consistent; the longer won twice
    *both("b", "candidate", "baseline", candidate_length=5, baseline_length=9),  # first shown both times
    *both("c", "baseline", "candidate"),  # second shown both times
    *both("d", "candidate", "baseline"),  # first shown both times
    *both("e", "tie", "tie"),
    *both("f", "tie", "candidate"),  # no pair of winners: second shown once
]


def test_the_figures_by_hand():
    found = standing(ROWS, {})
    # Decisive: a 2 (1 first), b 2 (2), c 2 (0), d 2 (2), f 1 (0).
    assert (found.first.first, found.first.decisive, found.first.prompts) == (5, 9, 5)
    assert found.first.rate == pytest.approx(5 / 9)
    assert (found.agree.count, found.agree.n) == (2, 6)
    assert found.agree.ci == pytest.approx(wilson(1 / 3, 6), abs=1e-12)
    assert (found.lean.n, found.lean.toward_first, found.lean.toward_second) == (3, 2, 1)
    # a: both named the longer; b: the candidate (shorter) once, the baseline (longer) once.
    assert (found.longer.count, found.longer.n) == (3, 4)
    assert found.longer.ci[0] < 0.75 < found.longer.ci[1]
    assert (found.answered, found.unread) == (12, {"invalid_parse": 0, "truncated": 0, "refused": 0})


def test_what_was_not_a_verdict_is_counted_by_name():
    rows = [
        record("a", ORDERS[0], "candidate"),
        record("a", ORDERS[1], None, status="truncated"),
        record("b", ORDERS[0], None, status="invalid_parse"),
        record("c", ORDERS[0], None, status="refused"),
        record("d", ORDERS[0], None, status="provider_error"),
        record("e", ORDERS[0], None, status="skipped"),
    ]
    found = standing(rows, {})
    assert (found.answered, found.unread) == (4, {"invalid_parse": 1, "truncated": 1, "refused": 1})
    assert found.agree.rate is None


def test_no_judgment_has_no_figure():
    found = standing([], {})
    assert (found.first.rate, found.agree.rate, found.longer.rate, found.lean.n, found.mass) == (
        None,
        None,
        None,
        0,
        None,
    )
    json.dumps(found.as_json(), allow_nan=False)


def test_without_an_order_there_is_no_place_to_lean_to():
    found = standing([JudgmentRecord(id="a", judge="gpt", winner="candidate")], {})
    assert (found.first.decisive, found.agree.n) == (0, 0)


def test_the_mass_on_the_letters_is_averaged_where_it_is_known():
    rows = [
        record(p, ORDERS[0], "candidate", asked={"mass": mass}) for p, mass in (("a", 0.02), ("b", 0.04), ("c", None))
    ]
    found = standing(rows, {}).mass
    assert (found.n, found.mean, found.least) == (2, pytest.approx(0.03), 0.02)
    assert standing(rows, {}).as_json()["letter_mass"]["n"] == 2


def test_prompts_of_one_cluster_say_less():
    rows = [row for k in range(12) for row in both(f"p{k}", "candidate", "baseline" if k < 6 else "candidate")]
    alone = standing(rows, {})
    clustered = standing(rows, {f"p{k}": "one" if k < 6 else "two" for k in range(12)})
    assert clustered.agree.rate == alone.agree.rate == 0.5
    assert clustered.agree.ci[1] - clustered.agree.ci[0] > alone.agree.ci[1] - alone.agree.ci[0]
    assert clustered.first.rate == alone.first.rate


def test_repeats_of_a_prompt_are_no_further_prompts():
    rows = [row for k in range(10) for r in range(5) for row in both(f"p{k}", *_alike(k), repeat=r)]
    once = [row for row in rows if row.repeat == 0]
    assert standing(rows, {}).agree.n == 50
    five, one = standing(rows, {}).agree.ci, standing(once, {}).agree.ci
    # Five times the same of ten prompts is about as sure as once of ten, not as fifty.
    assert five[1] - five[0] > 0.8 * (one[1] - one[0])


def _alike(k):
    return ("candidate", "baseline") if k % 2 else ("baseline", "baseline")


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.sampled_from(["candidate", "baseline", "tie", None]), st.booleans()),
        max_size=24,
    )
)
def test_the_counts_are_those_of_the_runs_own_figures(drawn):
    rows = {}
    for prompt, winner, first in drawn:
        row = record(
            f"p{prompt}",
            ORDERS[not first],
            winner,
            status="ok" if winner else "invalid_parse",
            candidate_length=prompt,
            baseline_length=2,
        )
        rows[row.key()] = row
    rows = list(rows.values())
    found = standing(rows, {})
    result, _ = judge_result(rows, sorted({row.id for row in rows}))
    assert found.first.rate == first_position_rate(rows)
    assert found.agree.rate == result.consistency
    assert found.lean.n == result.inconsistent
    assert (found.longer.count, found.longer.n) == longer_wins(rows)
    assert standing(rows[::-1], {}).as_json() == found.as_json()


def test_a_standing_for_every_judge():
    rows = {"one": ROWS, "two": []}
    found = standings(rows, {})
    assert list(found) == ["one", "two"]
    assert found["one"].as_json()["consistency"]["count"] == 2


def test_swapping_the_contestants_changes_nothing_about_place():
    rng = np.random.default_rng(0)
    winners = rng.choice(["candidate", "baseline", "tie"], (30, 2))
    rows = [row for k, pair in enumerate(winners) for row in both(f"p{k}", *map(str, pair))]
    other = {"candidate": "baseline", "baseline": "candidate", "tie": "tie"}
    turned = [row.model_copy(update={"winner": other[row.winner], "order": _turned(row.order)}) for row in rows]
    assert standing(rows, {}).as_json() == standing(turned, {}).as_json()


def _turned(order):
    return ORDERS[1] if order == ORDERS[0] else ORDERS[0]


def test_identical_responses_say_nothing_of_a_judge():
    identical = [row for place in range(9) for row in both(f"i{place}", "tie", "tie", identical=True)]
    here, there = standing([*ROWS, *identical], {}), standing(ROWS, {})
    assert here == there


def test_repeats_do_not_make_a_lean_surer():
    rows = [row for repeat in range(10) for name in "ab" for row in both(name, "candidate", "baseline", repeat=repeat)]
    found = standing(rows, {}).lean
    assert (found.n, found.toward_first) == (20, 20)
    assert found.p_value == 0.5
