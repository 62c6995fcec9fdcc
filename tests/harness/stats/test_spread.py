"""The spread of reruns: by hand, against a permutation test, its size and its promise by simulation; flips; rates."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from harness.stats.intervals import wilson
from harness.stats.spread import clustered_rate, flips, spread


def table(*rows):
    return np.array(rows, dtype=float)


def test_two_runs_of_four_prompts_by_hand():
    # Means 3/4 and 1/2: SD 0.25/√2, range 1/4. One prompt differs: variances 1/2, 0, 0, 0, mean 1/8, over 4: 1/32.
    found = spread(table([1, 1, 1, 0], [0, 1, 1, 0]))
    assert found.sd == pytest.approx(0.25 / math.sqrt(2))
    assert (found.reach, found.expected_sd) == pytest.approx((0.25, math.sqrt(1 / 32)))
    assert found.ratio == pytest.approx(1.0)


def test_the_p_value_is_that_of_the_two_way_layout():
    rng = np.random.default_rng(0)
    scores = (rng.random((4, 30)) < 0.5).astype(float)
    k, n = scores.shape
    m = scores.mean()
    runs = n * ((scores.mean(axis=1) - m) ** 2).sum() / (k - 1)
    left = scores - scores.mean(axis=1, keepdims=True) - scores.mean(axis=0, keepdims=True) + m
    error = (left**2).sum() / ((k - 1) * (n - 1))
    assert spread(scores).p_value == pytest.approx(float(stats.f.sf(runs / error, k - 1, (k - 1) * (n - 1))), abs=1e-12)


def test_the_p_value_agrees_with_shuffling_runs_within_prompts():
    rng = np.random.default_rng(5)
    scores = np.clip(rng.normal(0.5, 0.2, (3, 40)) + np.array([[0.0], [0.03], [0.08]]), 0, 1)
    found = spread(scores)
    shuffled = np.stack([rng.permuted(scores, axis=0).mean(axis=1).std(ddof=1) for _ in range(4000)])
    assert found.p_value == pytest.approx(float((shuffled >= found.sd).mean()), abs=0.03)


def test_a_run_that_differs_as_a_whole_is_more_than_chance():
    rng = np.random.default_rng(1)
    same = (rng.random((1, 200)) < 0.6).astype(float)
    scores = np.concatenate([same, same, np.clip(same - (rng.random((1, 200)) < 0.15), 0, 1)])
    assert spread(scores).p_value < 0.001


@pytest.mark.parametrize("n", [13, 30, 100])
@pytest.mark.parametrize("runs", [2, 4])
def test_chance_alone_is_called_more_than_chance_in_one_of_twenty(n, runs):
    rng = np.random.default_rng(n + runs)
    rates = rng.random((2500, 1, n))
    found = [spread(one) for one in (rng.random((2500, runs, n)) < rates).astype(float)]
    assert np.mean([one.p_value is not None and one.p_value <= 0.05 for one in found]) <= 0.065


@pytest.mark.parametrize(("n", "wavering"), [(13, 1.0), (60, 1.0), (60, 0.1), (60, 0.02)])
def test_two_new_runs_lie_within_what_was_said(n, wavering):
    rng = np.random.default_rng(n)
    held = []
    for _ in range(1500):
        rates = np.where(rng.random(n) < wavering, rng.random(n), np.round(rng.random(n)))
        said = spread((rng.random((4, n)) < rates).astype(float)).within
        one, other = (rng.random((2, n)) < rates).mean(axis=1)
        held.append(abs(one - other) <= said + 1e-12)
    assert np.mean(held) >= 0.93


@pytest.mark.parametrize("score", [0.0, 0.5, 1.0])
def test_no_change_is_not_certainty(score):
    found = spread(np.full((4, 100), score))
    assert (found.sd, found.reach, found.expected_sd, found.ratio, found.p_value) == (0, 0, 0, None, None)
    # Nothing changed in 300 repetitions: at most 1 % do (1 − 0.05^(1/300)), so √(0.01 / 100) · 1.97.
    assert found.within == pytest.approx(0.0196, abs=1e-4)


def test_one_prompt_has_no_test_and_no_narrow_bound():
    found = spread(table([1], [0]))
    assert (found.p_value, found.within) == (None, 1.0)
    assert spread(table([1], [1])).within == 1.0


def test_one_run_or_no_prompt_has_no_spread():
    assert spread(table([1, 0, 1])) is None
    assert spread(np.empty((3, 0))) is None


@pytest.mark.parametrize("bad", [np.nan, 1.5, -0.2])
def test_a_score_that_is_none_is_refused(bad):
    with pytest.raises(ValueError, match="no gaps"):
        spread(table([1, bad], [1, 0]))


@given(
    arrays(np.float64, st.tuples(st.integers(2, 5), st.integers(1, 12)), elements=st.sampled_from([0, 0.25, 0.5, 1]))
)
def test_swapping_the_contestants_or_the_runs_changes_no_spread(scores):
    found = spread(scores)
    for other in (1 - scores, scores[::-1]):
        again = spread(other)
        assert again.sd == pytest.approx(found.sd, abs=1e-12)
        assert again.within == pytest.approx(found.within, abs=1e-12)
    assert found.reach <= found.within + 1e-12


def test_flips_are_named_most_flipping_first():
    scores = table([1, 0, 1, 0.5, 1], [1, 1, 0.5, 0.5, 1], [1, 0, 1, 0.5, 0], [1, 1, 1, 0.5, 1])
    found = flips(scores)
    # Pairs of runs that disagree: place 1 four of six, place 4 three (won and lost), place 2 three (won and tied).
    assert (found.places, found.decisive) == ((1, 4, 2), 2)


def test_the_same_outcome_everywhere_is_no_flip():
    assert flips(table([1, 0.6], [0.75, 1])).places == ()


def test_none_of_ten_is_not_never():
    found = clustered_rate(np.zeros(20, dtype=bool), np.repeat([f"p{n}" for n in range(10)], 2))
    assert (found.n, found.count, found.clusters, found.rate) == (20, 0, 10, 0.0)
    assert found.ci == pytest.approx((0.0, float(stats.binomtest(0, 10).proportion_ci(method="exact").high)))
    assert found.ci[1] > 0.25


def test_all_of_them_is_not_always():
    low, high = clustered_rate(np.ones(6, dtype=bool), np.array(list("aabbcc"))).ci
    assert low < 0.5
    assert high == 1


def test_independent_verdicts_have_about_wilsons_interval():
    rng = np.random.default_rng(0)
    hits = rng.random(400) < 0.3
    low, high = clustered_rate(hits, np.array([str(n) for n in range(400)])).ci
    assert (low, high) == pytest.approx(wilson(hits.mean(), 400), abs=0.01)


def test_verdicts_that_flip_together_have_a_wider_interval():
    hits = np.repeat(np.arange(20) < 6, 4)
    prompts = np.repeat([f"p{n}" for n in range(20)], 4)
    alone = clustered_rate(hits, np.array([str(n) for n in range(80)])).ci
    together = clustered_rate(hits, prompts).ci
    assert together[1] - together[0] > 1.5 * (alone[1] - alone[0])


def test_nothing_asked_has_no_rate():
    found = clustered_rate(np.empty(0, dtype=bool), np.empty(0, dtype=str))
    assert (found.n, found.rate, found.ci) == (0, None, None)


@pytest.mark.parametrize(("prompts", "asked", "rate"), [(10, 2, 0.1), (20, 4, 0.1), (50, 2, 0.05), (50, 4, 0.3)])
def test_the_interval_of_a_clustered_rate_holds_it(prompts, asked, rate):
    rng = np.random.default_rng(prompts)
    names = np.repeat(np.arange(prompts), asked).astype(str)
    held = 0
    for _ in range(1500):
        own = rng.beta(2 * rate, 2 * (1 - rate), size=(prompts, 1))
        low, high = clustered_rate((rng.random((prompts, asked)) < own).ravel(), names).ci
        held += low <= rate <= high
    assert held / 1500 >= 0.935
