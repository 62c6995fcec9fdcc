"""S and delta against numpy and scipy, at n of 0, 1 and 2, whatever the order of the lines."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scoring.figures import delta, graded_turns, prompt_scores, scored, turn_scores
from tests.harness.scoring.figures_made import ONE_TO_TEN, by_hand, graded, row, student


def figures(rows, turns, categories=None, scale=ONE_TO_TEN):
    return scored(rows, turns, categories or dict.fromkeys(turns), scale)


def world(seed, prompts=40, turns=2, repeats=3, missing=0.1):
    """Lines with missing scores, and missing lines."""
    rng = np.random.default_rng(seed)
    rows = [
        row(f"p{p}", float(rng.integers(1, 11)) if rng.random() > missing else None, turn=t, repeat=r)
        for p in range(prompts)
        for t in range(1, turns + 1)
        for r in range(repeats)
        if rng.random() > missing
    ]
    # Of one prompt a turn has no score at all, of another not even a line.
    rows = [one for one in rows if (one.id, one.turn) != ("p1", 2)]
    rows = [
        one.model_copy(update={"score": None, "status": "truncated"}) if (one.id, one.turn) == ("p0", 1) else one
        for one in rows
    ]
    return rows, {f"p{p}": tuple(range(1, turns + 1)) for p in range(prompts)}


@pytest.mark.parametrize("seed", range(5))
def test_the_figures_are_those_of_numpy_and_scipy(seed):
    rows, turns = world(seed)
    categories = {name: f"c{place % 4}" for place, name in enumerate(turns)}
    found, scores = figures(rows, turns, categories)
    expected = by_hand(rows, turns)
    assert {"p0", "p1"} & expected.keys() == set()
    assert scores == pytest.approx(expected, abs=1e-12)
    assert (found.n, found.unscored) == (len(expected), len(turns) - len(expected))
    assert found.mean == pytest.approx(np.mean(list(expected.values())), abs=1e-12)
    se, ci = student(list(expected.values()), ONE_TO_TEN)
    assert found.se == pytest.approx(se, abs=1e-9)
    assert found.ci == pytest.approx(ci, abs=1e-9)
    by_category = {c: np.mean([s for p, s in expected.items() if categories[p] == c]) for c in ("c0", "c1", "c2", "c3")}
    assert found.categories == pytest.approx(by_category, abs=1e-12)
    for turn in (1, 2):
        cells = [[r.score for r in rows if (r.id, r.turn) == (p, turn) and r.score is not None] for p in turns]
        assert found.turns[str(turn)] == pytest.approx(np.mean([np.mean(c) for c in cells if c]), abs=1e-12)
    assert sum(found.statuses.values()) == len(rows)
    assert found.statuses["ok"] == sum(one.score is not None for one in rows)


@given(graded(), st.randoms())
def test_the_order_of_lines_changes_no_bit(made, order):
    rows, prompts, turns = made
    names = {f"p{p}": tuple(range(1, turns + 1)) for p in range(prompts)}
    shuffled = list(rows)
    order.shuffle(shuffled)
    assert figures(shuffled, names) == figures(rows, names)


@given(graded())
def test_every_prompt_is_scored_or_counted_and_stays_on_the_scale(made):
    rows, prompts, turns = made
    names = {f"p{p}": tuple(range(1, turns + 1)) for p in range(prompts)}
    found, scores = figures(rows, names)
    assert found.n + found.unscored == prompts
    assert (found.mean is None) == (found.n == 0)
    assert (found.ci is None) == (found.n < 2)
    if found.ci is not None:
        assert 1 <= found.ci[0] <= found.mean <= found.ci[1] <= 10
    assert scores.keys() == by_hand(rows, names).keys()


@given(graded())
def test_what_is_added_for_other_prompts_and_turns_changes_nothing(made):
    rows, prompts, turns = made
    names = {f"p{p}": tuple(range(1, turns + 1)) for p in range(prompts)}
    others = [row("elsewhere", 9.0), *(row(name, 1.0, turn=turns + 1) for name in names)]
    assert figures([*rows, *others], names) == figures(rows, names)


def test_nothing_is_no_mean_and_says_why():
    for rows in ([], [row("a", None)], [row("a", 5.0, turn=1)]):
        found, scores = figures(rows, {"a": (1, 2)})
        assert (found.n, found.unscored, found.mean, found.se, found.ci, scores) == (0, 1, None, None, None, {})
        assert (found.floor, found.ceiling) == (None, None)
        assert found.reason == "no prompt has a score of every turn"


def test_one_prompt_has_a_mean_and_no_interval():
    found, _ = figures([row("a", 7.0)], {"a": (1,)})
    assert (found.n, found.mean, found.se, found.ci) == (1, 7.0, None, None)
    assert "one prompt gives no interval" in found.reason


def test_two_prompts_have_student_s_interval():
    found, _ = figures([row("a", 5.0), row("b", 6.0)], {"a": (1,), "b": (1,)})
    assert found.mean == 5.5
    # t of one degree of freedom at 97.5 % is 12.706; the scale ends it.
    assert found.ci == (1.0, 10.0)
    assert found.se == pytest.approx(0.5)


def test_equal_grades_are_no_certainty():
    names = {f"p{p}": (1,) for p in range(20)}
    found, _ = figures([row(name, 1.0) for name in names], names)
    assert (found.mean, found.se, found.floor) == (1.0, 0.0, 1.0)
    assert found.ci[0] == 1.0
    # What was seen 20 times of 20 happens in at least 86 % of all: at worst the rest are tens.
    assert found.ci[1] == pytest.approx(1 + 9 * (1 - 0.05 ** (1 / 20)))
    unknown, _ = figures([row(name, 1.0) for name in names], names, scale=None)
    assert (unknown.ci, unknown.floor, unknown.ceiling) == (None, None, None)
    assert "the scale of the scores is not known" in unknown.reason


def test_floor_and_ceiling_are_shares_of_scored_prompts():
    names = {f"p{p}": (1, 2) for p in range(5)}
    grades = {"p0": (1, 1), "p1": (1, 2), "p2": (10, 10), "p3": (1, 1), "p4": (10, None)}
    rows = [row(p, None if g is None else float(g), turn=t) for p, gs in grades.items() for t, g in enumerate(gs, 1)]
    found, _ = figures(rows, names)
    assert (found.n, found.unscored, found.floor, found.ceiling) == (4, 1, 0.5, 0.25)


def test_a_rounding_error_does_not_lift_a_prompt_off_the_floor():
    rows = [row("a", 0.1, repeat=0), row("a", 0.1, repeat=1), row("a", 0.1, repeat=2), row("b", 0.3)]
    assert figures(rows, {"a": (1,), "b": (1,)}, scale=(0.1, 1.0))[0].floor == 0.5


def test_a_judge_of_last_turns_is_not_held_to_the_earlier_ones():
    counts = {"a": 2, "b": 2, "c": 3}
    rows = [row("a", 0.5, turn=2), row("c", 1.0, turn=3)]
    turns = graded_turns(rows, counts)
    # What it grades of one prompt with two turns it grades of the other: b is missed, not passed over.
    assert turns == {"a": (2,), "b": (2,), "c": (3,)}
    found, scores = figures(rows, turns, scale=(0.0, 1.0))
    assert (scores, found.unscored, found.turns) == ({"a": 0.5, "c": 1.0}, 1, {"2": 0.5, "3": 1.0})


def test_repeats_are_averaged_before_turns():
    rows = [row("a", 2.0), row("a", 4.0, repeat=1), row("a", 6.0, repeat=2), row("a", 10.0, turn=2)]
    assert turn_scores(rows) == {("a", 1): 4.0, ("a", 2): 10.0}
    assert prompt_scores(rows, {"a": (1, 2)}) == {"a": 7.0}


def test_a_repeat_without_a_score_is_left_out_of_its_turn():
    rows = [row("a", 2.0), row("a", None, repeat=1), row("a", 6.0, repeat=2)]
    assert prompt_scores(rows, {"a": (1,)}) == {"a": 4.0}


def scores_of(seed, n, effect=0.0):
    rng = np.random.default_rng(seed)
    base = rng.integers(1, 11, n)
    other = np.clip(base + rng.integers(-2, 3, n) + effect, 1, 10)
    names = [f"p{place:03d}" for place in range(n)]
    return dict(zip(names, map(float, other), strict=True)), dict(zip(names, map(float, base), strict=True))


@pytest.mark.parametrize("seed", range(4))
def test_the_difference_is_paired_by_prompt(seed):
    from scipy import stats

    candidate, baseline = scores_of(seed, 60, 0.3)
    for name in ("p003", "p020"):
        del candidate[name]
    del baseline["p041"]
    both = sorted(candidate.keys() & baseline.keys())
    found = delta(candidate, baseline, ONE_TO_TEN)
    differences = np.array([candidate[p] - baseline[p] for p in both])
    assert found.by_prompt == dict(zip(both, differences.tolist(), strict=True))
    assert (found.difference.n, found.difference.mean) == (57, pytest.approx(differences.mean(), abs=1e-12))
    interval = stats.ttest_rel([candidate[p] for p in both], [baseline[p] for p in both]).confidence_interval()
    assert found.difference.ci == pytest.approx((interval.low, interval.high), abs=1e-9)


@given(st.lists(st.tuples(st.integers(1, 10), st.integers(1, 10)), min_size=1, max_size=9))
def test_p_is_the_share_of_all_signs_that_are_as_far_from_nothing(pairs):
    candidate = {str(place): float(a) for place, (a, _) in enumerate(pairs)}
    baseline = {str(place): float(b) for place, (_, b) in enumerate(pairs)}
    differences = [a - b for a, b in pairs]
    sums = [
        abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
        for signs in product((-1, 1), repeat=len(pairs))
    ]
    expected = np.mean([total >= abs(sum(differences)) for total in sums])
    assert delta(candidate, baseline, ONE_TO_TEN).p_value == pytest.approx(expected, abs=1e-12)


@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.floats(1, 10)),
    st.dictionaries(st.sampled_from("abcdefgh"), st.floats(1, 10)),
)
def test_swapping_the_sides_turns_the_difference_around(a, b):
    here, there = delta(a, b, ONE_TO_TEN), delta(b, a, ONE_TO_TEN)
    assert here.p_value == there.p_value
    assert here.difference.n == there.difference.n == len(a.keys() & b.keys())
    if here.difference.mean is not None:
        assert here.difference.mean == pytest.approx(-there.difference.mean, abs=1e-9)
        assert (here.difference.ci is None) == (there.difference.ci is None) == (here.difference.n < 2)


def test_a_side_without_a_common_prompt_says_so():
    found = delta({"a": 2.0}, {"b": 3.0}, ONE_TO_TEN)
    assert (found.as_json(), found.by_prompt) == ({"difference": None, "ci": None, "p_value": None, "n": 0}, {})
    assert found.difference.reason == "no prompt was scored on both sides"


def test_one_pair_has_a_difference_and_no_interval():
    assert delta({"a": 2.0}, {"a": 3.0}, None).as_json() == {"difference": -1.0, "ci": None, "p_value": 1.0, "n": 1}


def test_answers_that_all_got_the_same_grades_are_not_sure_to_be_alike():
    same = {f"p{place}": 5.0 for place in range(10)}
    found = delta(same, same, ONE_TO_TEN)
    assert (found.difference.mean, found.p_value) == (0.0, 1.0)
    reach = 9 * (1 - math.exp(math.log(0.05) / 10))
    assert found.difference.ci == pytest.approx((-reach, reach))
    assert delta(same, same, None).difference.ci is None


def test_the_interval_covers_the_true_difference_as_often_as_it_says():
    rng = np.random.default_rng(7)
    covered = 0
    for _ in range(400):
        base = rng.integers(2, 8, 24).astype(float)
        moved = base + rng.choice([-1.0, 0.0, 1.0, 2.0], 24)
        names = [str(place) for place in range(24)]
        found = delta(dict(zip(names, moved, strict=True)), dict(zip(names, base, strict=True)), ONE_TO_TEN)
        covered += found.difference.ci[0] <= 0.5 <= found.difference.ci[1]
    assert 0.92 <= covered / 400 <= 0.98


@given(st.lists(st.tuples(st.integers(1, 10), st.integers(1, 10)), min_size=2, max_size=6))
def test_the_interval_of_a_difference_ends_where_differences_do_and_is_student_s_within(pairs):
    if len({a - b for a, b in pairs}) == 1:
        return
    ours, theirs = ({str(place): float(pair[side]) for place, pair in enumerate(pairs)} for side in (0, 1))
    found = delta(ours, theirs, ONE_TO_TEN).difference
    free = delta(ours, theirs, None).difference
    assert free.ci == pytest.approx(student([a - b for a, b in pairs])[1], abs=1e-9)
    assert found.ci == (max(-9.0, free.ci[0]), min(9.0, free.ci[1]))
    # What is known of the differences themselves is as it was.
    assert (found.mean, found.se, found.n) == (free.mean, free.se, free.n)


def test_two_prompts_that_moved_far_apart_reach_no_further_than_the_scale():
    found = delta({"a": 10.0, "b": 4.0}, {"a": 1.0, "b": 4.0}, ONE_TO_TEN)
    # Student's would be 4.5 ± 57.
    assert found.as_json()["ci"] == [-9.0, 9.0]
    assert delta({"a": 1.0, "b": 0.0}, {"a": 0.5, "b": 0.4}, (0.0, 1.0)).as_json()["ci"] == [-1.0, 1.0]
