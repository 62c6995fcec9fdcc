"""The permutation test and Wilcoxon's against brute force, McNemar, scipy and their own promises."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.stats.paired import mcnemar_of
from harness.stats.signflip import sign_flip, wilcoxon

LATTICES = st.sampled_from([[0.0, 0.5, 1.0], [i / 3 for i in range(4)], [i / 20 for i in range(21)], [1.0, 2.5, 9.0]])


def rng():
    return np.random.default_rng(5)


def brute(differences):
    total = abs(differences.sum())
    signs = np.array(list(itertools.product([-1, 1], repeat=len(differences))))
    return float(np.mean(np.abs(signs @ differences) >= total - 1e-9))


@given(st.data())
@settings(max_examples=60)
def test_on_a_lattice_it_is_brute_force(data):
    steps = data.draw(LATTICES)
    n = data.draw(st.integers(1, 10))
    sides = np.array(data.draw(st.lists(st.tuples(*[st.sampled_from(steps)] * 2), min_size=n, max_size=n)))
    differences = sides[:, 1] - sides[:, 0]
    found = sign_flip(differences, rng())
    assert found.method == "exact"
    assert found.p_value == pytest.approx(brute(differences), abs=1e-9)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_on_right_and_wrong_it_is_exact_mcnemar(pairs):
    a, b = np.array(pairs, dtype=float).T
    assert sign_flip(b - a, rng()).p_value == pytest.approx(mcnemar_of(a, b).p_value, abs=1e-9)


def test_ten_thousand_prompts_are_still_exact():
    differences = np.repeat([-1.0, 0.0, 1.0], [2_400, 5_000, 2_600])
    found = sign_flip(differences, rng())
    assert found.method == "exact"
    assert found.p_value == pytest.approx(stats.binomtest(2_400, 5_000).pvalue, abs=1e-9)
    halves = np.repeat([-1.0, -0.5, 0.0, 0.5, 1.0], [1_000, 2_000, 4_000, 2_000, 1_000])
    assert sign_flip(halves, rng()).p_value == 1
    halves[:50] = 1.0
    # The normal approximation: a flipped half moves the sum by 1, and half of that is its continuity correction.
    z = (abs(halves.sum()) - 0.5) / np.sqrt((halves**2).sum())
    assert sign_flip(halves, rng()).p_value == pytest.approx(2 * stats.norm.sf(z), rel=5e-3)


def test_off_a_lattice_random_signs_come_close_to_brute_force_and_are_never_0():
    differences = np.random.default_rng(1).normal(0.4, 1, size=12)
    found = sign_flip(differences, rng(), resamples=99_999)
    assert (found.method, found.resamples) == ("monte-carlo", 99_999)
    expected = brute(differences)
    assert found.p_value == pytest.approx(expected, abs=4 * np.sqrt(expected / 99_999))
    far = sign_flip(np.random.default_rng(1).normal(9, 1, size=50), rng(), resamples=99)
    assert far.p_value == 1 / 100


def test_it_is_scipy_s_permutation_test():
    differences = np.random.default_rng(3).normal(0.3, 1, size=11)
    expected = stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert sign_flip(differences, rng(), resamples=99_999).p_value == pytest.approx(expected.pvalue, abs=5e-3)


def test_a_lattice_that_costs_too_much_is_sampled():
    differences = np.array([0.0, 0.5, 1.0, -0.5, 1.0, 0.5, 0.5, 1.0])
    sampled = sign_flip(differences, rng(), work=1, resamples=50_000)
    assert sampled.method == "monte-carlo"
    assert sampled.p_value == pytest.approx(sign_flip(differences, rng()).p_value, abs=0.01)


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=30), st.randoms())
@settings(max_examples=50)
def test_neither_order_nor_sides_matter(values, random):
    shuffled = list(values)
    random.shuffle(shuffled)
    found = [
        sign_flip(np.array(list_) * sign, rng(), resamples=199) for list_ in (values, shuffled) for sign in (1.0, -1.0)
    ]
    assert len({one.p_value for one in found}) == 1
    assert 0 < found[0].p_value <= 1


@pytest.mark.parametrize("values", [[], [0.0], [0.0] * 50, [0.25, -0.25]])
def test_without_a_difference_p_is_1(values):
    assert sign_flip(np.array(values), rng()).p_value == 1


@pytest.mark.parametrize("test", [lambda d: sign_flip(d, rng()), wilcoxon])
def test_what_is_not_finite_is_refused(test):
    with pytest.raises(ValueError, match="finite"):
        test(np.array([0.1, float("nan")]))


@given(st.integers(0, 500), st.integers(6, 40))
def test_wilcoxon_without_ties_is_scipy_s_exact_one(seed, n):
    differences = np.random.default_rng(seed).normal(0.3, 1, size=n)
    found = wilcoxon(differences)
    assert (found.method, found.n) == ("exact", n)
    assert found.p_value == pytest.approx(stats.wilcoxon(differences, method="exact").pvalue, abs=1e-9)


def test_wilcoxon_with_ties_is_brute_force_over_mean_ranks():
    differences = np.array([0.1, 0.1, -0.2, 0.3, 0.3, 0.3, -0.4, 0.5, 0.0, 0.6])
    moved = differences[differences != 0]
    ranks = stats.rankdata(np.abs(moved)) * np.sign(moved)
    assert wilcoxon(differences).p_value == pytest.approx(brute(ranks), abs=1e-9)


def test_wilcoxon_of_many_is_scipy_s_normal_approximation():
    differences = np.round(np.random.default_rng(2).normal(0.05, 1, size=900), 1)
    found = wilcoxon(differences)
    expected = stats.wilcoxon(differences, method="asymptotic", zero_method="wilcox")
    assert found.method == "asymptotic"
    assert found.p_value == pytest.approx(expected.pvalue, abs=1e-9)


def test_wilcoxon_says_where_it_does_not_fit():
    few = wilcoxon(np.array([0.1, 0.2, -0.3, 0.4, 0.5, 0.0, 0.0]))
    assert (few.p_value, few.n) == (None, 5)
    assert "only 5 differences" in few.reason
    ties = wilcoxon(np.array([0.5, 1.0, -0.5, -1.0] * 10))
    assert ties.p_value is None
    assert "only 2 sizes" in ties.reason
