"""Curves of checkpoints: single figures against scipy, and by simulation what looking at all steps promises."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from harness.stats.clusters import clustered_mean
from harness.stats.curve import Curve, curve
from harness.stats.intervals import wilson

Floats = NDArray[np.float64]


def drawn(rng: np.random.Generator, shifts: Floats, n: int, shared: float = 0.5, kind: str = "normal") -> Floats:
    """Scores (steps, n) of steps that share a part of what a prompt is like."""
    own = rng.normal(size=(len(shifts), n))
    scores = math.sqrt(shared) * rng.normal(size=n) + math.sqrt(1 - shared) * own + shifts[:, None]
    if kind == "halves":
        return np.select([scores > 0.4, scores > -0.4], [1.0, 0.5], 0.0)
    return (scores > 0).astype(np.float64) if kind == "wins" else scores


def test_single_figures_are_scipys() -> None:
    scores = drawn(np.random.default_rng(1), np.linspace(0, 0.6, 5), 40)
    found = curve(scores, np.random.default_rng(0))
    for row, step in zip(scores, found.steps, strict=True):
        assert step.mean == pytest.approx(row.mean(), abs=1e-12)
        assert step.se == pytest.approx(stats.sem(row), abs=1e-12)
        assert step.ci == pytest.approx(stats.t.interval(0.95, 39, row.mean(), stats.sem(row)), abs=1e-9)
    assert len(found.gains) == 10
    for gain in found.gains:
        test = stats.ttest_rel(scores[gain.later], scores[gain.earlier])
        assert gain.difference == pytest.approx((scores[gain.later] - scores[gain.earlier]).mean(), abs=1e-12)
        assert gain.p_value == pytest.approx(test.pvalue, abs=1e-9)
        assert gain.p_adjusted >= gain.p_value


def test_adjusted_p_values_are_romano_and_wolfs() -> None:
    scores = drawn(np.random.default_rng(2), np.array([0, 0, 0.5, 0.9]), 25)
    found = curve(scores, np.random.default_rng(7), resamples=400)
    by_pair = {(gain.earlier, gain.later): gain for gain in found.gains}
    # The definition, by hand: the same signs, every pair's t of every resample, and stepping down.
    signs = 2.0 * np.random.default_rng(7).integers(0, 2, (400, 25)) - 1
    seen, resampled = {}, {}
    for i, j in by_pair:
        difference = scores[j] - scores[i]
        seen[i, j] = abs(stats.ttest_1samp(difference, 0).statistic)
        turned = signs * (difference - difference.mean())
        resampled[i, j] = np.abs(turned.mean(axis=1) / (turned.std(axis=1, ddof=1) / 5))
    least = 0.0
    for place, pair in enumerate(sorted(seen, key=lambda p: -seen[p])):
        rest = sorted(seen, key=lambda p: -seen[p])[place:]
        largest = np.max([resampled[other] for other in rest], axis=0)
        least = max(least, (np.sum(largest >= seen[pair] - 1e-9) + 1) / 401)
        assert by_pair[pair].p_adjusted == pytest.approx(max(least, by_pair[pair].p_value), abs=1e-9)


@pytest.mark.parametrize(
    ("kind", "n", "shared"),
    [("normal", 30, 0.2), ("normal", 100, 0.8), ("halves", 20, 0.2), ("halves", 60, 0.8), ("wins", 60, 0.2)],
)
def test_of_ten_equal_steps_none_differs_from_the_best(kind: str, n: int, shared: float) -> None:
    rng, runs = np.random.default_rng(3), 500
    differs = told = held = naive = 0
    truth = 0.0 if kind == "normal" else 0.5
    for _ in range(runs):
        found = curve(drawn(rng, np.zeros(10), n, shared, kind), rng, resamples=300)
        assert found.best is not None and found.best_ci is not None
        differs += len(found.like_best) < 9
        told += any(gain.p_adjusted <= 0.05 for gain in found.gains)
        held += found.best_ci[0] <= truth <= found.best_ci[1]
        alone = found.steps[found.best].ci
        naive += alone is not None and alone[0] <= truth <= alone[1]
    assert differs / runs <= 0.07 and told / runs <= 0.075
    assert held / runs >= 0.94
    # Without the correction the best's interval is wrong far more often than it says.
    assert naive / runs < 0.93


@pytest.mark.parametrize(("k", "n", "kind"), [(3, 16, "normal"), (3, 80, "halves"), (8, 32, "normal")])
def test_of_equal_steps_the_best_is_not_called_better_than_the_first_or_the_last(k: int, n: int, kind: str) -> None:
    rng, runs = np.random.default_rng(21), 800
    claimed = 0
    for _ in range(runs):
        found = curve(drawn(rng, np.zeros(k), n, 0.5, kind), rng, resamples=300)
        claimed += not {0, k - 1} <= {found.best, *found.like_best}
    assert claimed / runs <= 0.05


def test_errors_of_clusters_are_those_of_the_sandwich() -> None:
    scores = drawn(np.random.default_rng(12), np.array([0.0, 0.4, 0.5]), 40)
    names = [f"c{place % 7 if place < 30 else place}" for place in range(40)]
    found = curve(scores, np.random.default_rng(0), clusters=names)
    assert (found.n, found.clusters) == (40, 17)
    far = (-1e9, 1e9)
    for row, step in zip(scores, found.steps, strict=True):
        known = clustered_mean(row, names, bounds=far)
        assert (step.mean, step.se) == (pytest.approx(row.mean()), pytest.approx(known.se, abs=1e-12))
        assert step.ci == pytest.approx(known.ci, abs=1e-9)
    for gain in found.gains:
        known = clustered_mean(scores[gain.later] - scores[gain.earlier], names, against=0.0, bounds=far)
        assert gain.p_value == pytest.approx(known.p_value, abs=1e-9)


def test_prompts_that_are_their_own_clusters_are_as_without() -> None:
    scores = drawn(np.random.default_rng(13), np.linspace(0, 0.5, 4), 30)
    one = curve(scores, np.random.default_rng(1))
    other = curve(scores, np.random.default_rng(1), clusters=[f"{place:02d}" for place in range(30)])
    assert other.best == one.best and other.like_best == one.like_best
    for a, b in zip(one.gains, other.gains, strict=True):
        assert (b.difference, b.p_adjusted) == (pytest.approx(a.difference), pytest.approx(a.p_adjusted))


def test_of_equal_steps_none_differs_where_prompts_share_clusters() -> None:
    rng, runs, names = np.random.default_rng(14), 400, np.repeat(np.arange(24), 4)
    told = naive = 0
    for _ in range(runs):
        # What a step does to a paraphrase it does to all of them.
        scores = rng.normal(size=(4, 24))[:, names] + 0.5 * rng.normal(size=(4, 96))
        found = curve(scores, rng, clusters=[str(name) for name in names], resamples=300)
        told += any(gain.p_adjusted <= 0.05 for gain in found.gains)
        naive += any(gain.p_adjusted <= 0.05 for gain in curve(scores, rng, resamples=300).gains)
    assert told / runs <= 0.075 and naive / runs > 0.2


def test_one_cluster_gives_no_interval() -> None:
    found = curve(np.random.default_rng(1).random((3, 5)), np.random.default_rng(0), clusters=["a"] * 5)
    assert (found.n, found.clusters, found.gains, found.best_ci) == (5, 1, (), None)
    assert found.reason == "all prompts share one cluster, which gives no interval"
    with pytest.raises(ValueError, match="2 clusters for 5 prompts"):
        curve(np.random.default_rng(1).random((3, 5)), np.random.default_rng(0), clusters=["a", "b"])


def test_the_true_best_is_kept_and_clear_losers_are_told() -> None:
    rng, runs = np.random.default_rng(4), 200
    shifts = np.array([-1.5, -0.2, 0.0, 0.0, -0.1])
    kept = told = held = 0
    for _ in range(runs):
        found = curve(drawn(rng, shifts, 80), rng, resamples=300)
        assert found.best is not None and found.best_ci is not None
        kept += {2, 3} <= {found.best, *found.like_best}
        told += 0 not in found.like_best
        held += found.best_ci[0] <= shifts[found.best] <= found.best_ci[1]
    assert kept / runs >= 0.95 and told == runs and held / runs >= 0.94


def test_gains_intervals_hold_for_all_pairs_at_once() -> None:
    rng, runs = np.random.default_rng(5), 300
    shifts = np.array([0, 0.1, 0.3, 0.3, 0.8])
    held = 0
    for _ in range(runs):
        found = curve(drawn(rng, shifts, 40), rng, resamples=300)
        held += all(g.ci is not None and g.ci[0] <= shifts[g.later] - shifts[g.earlier] <= g.ci[1] for g in found.gains)
    assert 0.92 <= held / runs <= 0.99


def test_a_step_is_alike_to_what_cannot_be_told_from_it() -> None:
    scores = drawn(np.random.default_rng(6), np.array([0, 0.02, 3, 3.02]), 60)
    found = curve(scores, np.random.default_rng(0))
    assert found.alike(0) == (1,) and found.alike(3) == (2,)
    assert {found.best, *found.like_best} == {2, 3}


@given(st.permutations(range(4)), st.integers(0, 99))
def test_the_order_of_steps_decides_nothing_but_their_places(order: list[int], seed: int) -> None:
    scores = drawn(np.random.default_rng(seed), np.array([0, 0.3, 0.6, 0.9]), 20)
    one = curve(scores, np.random.default_rng(1), resamples=100)
    other = curve(scores[order], np.random.default_rng(1), resamples=100)
    assert one.best is not None and other.best is not None and order[other.best] == one.best
    assert sorted(order[step] for step in other.like_best) == list(one.like_best)


@given(st.floats(0.1, 50), st.floats(-20, 20))
def test_the_scale_of_scores_does_not_matter(scale: float, shift: float) -> None:
    scores = drawn(np.random.default_rng(8), np.array([0, 0.5, 1.0]), 25)
    one = curve(scores, np.random.default_rng(1), resamples=100)
    other = curve(scale * scores + shift, np.random.default_rng(1), resamples=100)
    for a, b in zip(one.gains, other.gains, strict=True):
        assert b.p_adjusted == pytest.approx(a.p_adjusted, abs=1e-6)
        assert b.difference == pytest.approx(scale * a.difference, rel=1e-6)


def test_no_prompt_one_prompt_and_two() -> None:
    nothing = curve(np.empty((3, 0)), np.random.default_rng(0))
    assert (nothing.n, nothing.best, nothing.reason) == (0, None, "there is no prompt")
    assert nothing.like_best == () and nothing.best_ci is None
    one = curve(np.array([[0.1], [0.9], [0.4]]), np.random.default_rng(0))
    assert one.best == 1 and one.gains == () and one.like_best == (0, 2) and one.best_ci is None
    assert [step.ci for step in one.steps] == [None] * 3 and one.reason == "one prompt gives no interval"
    two = curve(np.array([[0.1, 0.2], [0.9, 0.5]]), np.random.default_rng(0))
    assert two.like_best == (0,) and two.best_ci is None
    assert curve(np.array([[0.1, 0.2], [0.9, 0.5]]), np.random.default_rng(0), bounds=(0, 1)).best_ci == (0, 1)
    assert finite(two) and finite(one)


def finite(found: Curve) -> bool:
    """Whether every figure is a number or None."""
    values = [x for s in found.steps for x in (s.mean, s.se, *(s.ci or ()), *(s.ci_all or ())) if x is not None]
    values += [x for g in found.gains for x in (g.difference, g.p_value, g.p_adjusted, *(g.ci or ()))]
    return all(map(math.isfinite, values))


def test_one_step_is_the_best_of_one() -> None:
    found = curve(np.random.default_rng(1).random((1, 30)), np.random.default_rng(0), bounds=(0, 1))
    assert found.best == 0 and found.like_best == () and found.gains == () and found.best_ci is not None


def test_no_spread_is_no_certainty() -> None:
    scores = np.array([[0.5] * 20, [1.0] * 20, [0.5] * 20])
    found = curve(scores, np.random.default_rng(0), bounds=(0, 1))
    assert found.best == 1 and found.steps[0].ci == pytest.approx(wilson(0.5, 20))
    assert found.best_ci is not None and found.best_ci[0] < wilson(1.0, 20)[0]
    # Better on every one of 20 prompts: the sign test knows that; equal ones are alike.
    assert found.like_best == () and found.alike(0) == (2,)
    assert {g.p_value for g in found.gains if 1 in (g.earlier, g.later)} == {2.0**-19}
    few = curve(scores[:, :4], np.random.default_rng(0), bounds=(0, 1))
    assert few.like_best == (0, 2) and finite(few)
    assert curve(scores, np.random.default_rng(0)).steps[0].ci is None


def test_equal_steps_share_the_best_which_is_the_first() -> None:
    scores = np.tile(np.random.default_rng(2).random(15), (4, 1))
    found = curve(scores, np.random.default_rng(0))
    assert found.best == 0 and found.like_best == (1, 2, 3) and all(gain.p_adjusted == 1 for gain in found.gains)


@pytest.mark.parametrize(
    ("scores", "bounds"),
    [
        (np.empty((0, 5)), None),
        (np.array([0.1, 0.2]), None),
        (np.array([[0.1, math.nan]]), None),
        (np.array([[0.1, math.inf]]), None),
        (np.array([[0.1, 1.2]]), (0.0, 1.0)),
    ],
)
def test_what_is_no_curve_is_refused(scores: Floats, bounds: tuple[float, float] | None) -> None:
    with pytest.raises(ValueError, match=r"shape|finite|outside"):
        curve(scores, np.random.default_rng(0), bounds=bounds)


def test_forty_steps_on_a_thousand_prompts_take_a_second() -> None:
    scores = drawn(np.random.default_rng(9), np.linspace(0, 0.3, 40), 1000)
    began = time.perf_counter()
    found = curve(scores, np.random.default_rng(0))
    assert time.perf_counter() - began < 5 and len(found.gains) == 780
