"""Paired differences and McNemar against scipy, statsmodels, enumeration and simulation."""

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

from harness.stats.paired import clustered_difference, constant, mcnemar, mcnemar_of, mean_difference

UNIT = (-1.0, 1.0)
LATTICE = st.lists(st.sampled_from([-1.0, -0.75, -0.5, 0.0, 0.25, 0.5, 1.0]), min_size=2, max_size=40)


@given(LATTICE)
def test_the_interval_is_scipy_s(values):
    differences = np.array(values)
    found = mean_difference(differences, bounds=UNIT)
    if np.ptp(differences) == 0:
        assert found.method == "constant-bounded"
        return
    expected = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    assert found.method == "student"
    assert found.mean == pytest.approx(differences.mean(), abs=1e-12)
    assert found.ci == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert found.se == pytest.approx(stats.sem(differences), abs=1e-12)


@given(LATTICE)
def test_swapping_the_sides_mirrors_the_interval(values):
    one, other = (mean_difference(sign * np.array(values), bounds=UNIT) for sign in (1, -1))
    assert one.mean == -other.mean
    assert one.ci == pytest.approx((-other.ci[1], -other.ci[0]), abs=1e-12)


def test_what_cannot_be_estimated_has_a_reason():
    nothing, one = mean_difference(np.array([])), mean_difference(np.array([0.5]))
    assert (nothing.mean, nothing.ci, nothing.n) == (None, None, 0)
    assert "no prompt" in nothing.reason
    assert (one.mean, one.se, one.ci) == (0.5, None, None)
    assert "n = 1" in one.reason
    assert mean_difference(np.array([0.0, 1.0])).ci is not None


def test_equal_differences_are_no_certainty():
    found = mean_difference(np.zeros(100), bounds=UNIT)
    # The rule of three: with 0 of 100, up to 2.95 % could be different, by 1 at most.
    assert found.ci == pytest.approx((-0.0295, 0.0295), abs=1e-4)
    assert found.method == "constant-bounded"
    unknown = mean_difference(np.zeros(100))
    assert unknown.ci is None
    assert "no certainty" in unknown.reason


def test_the_bound_of_equal_differences_is_clopper_pearson_s():
    upper = stats.binomtest(0, 37, alternative="less").proportion_ci(0.95, "exact").high
    low, high = constant(0.5, 37, UNIT)
    assert (low, high) == pytest.approx((0.5 - 1.5 * upper, 0.5 + 0.5 * upper), abs=1e-12)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1.2])
def test_a_difference_outside_its_range_is_refused(bad):
    with pytest.raises(ValueError, match="difference"):
        mean_difference(np.array([0.0, bad]), bounds=UNIT)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_statsmodels_and_its_mid_p_takes_the_split_away(only_a, only_b):
    found = mcnemar(only_a, only_b)
    expected = statsmodels_mcnemar([[0, only_a], [only_b, 0]], exact=True).pvalue if only_a + only_b else 1.0
    assert found.p_value == pytest.approx(min(1.0, expected), abs=1e-9)
    if only_a + only_b:
        split = math.comb(only_a + only_b, only_a) / 2 ** (only_a + only_b)
        assert found.p_value_mid == pytest.approx(found.p_value - split, abs=1e-9)
    assert mcnemar(only_b, only_a).p_value_mid == found.p_value_mid


def test_mcnemar_counts_who_is_right_alone():
    found = mcnemar_of(np.array([1.0, 1, 0, 0, 1]), np.array([1.0, 0, 1, 1, 0]))
    assert (found.only_a, found.only_b) == (2, 2)
    assert mcnemar(0, 0).p_value == mcnemar(0, 0).p_value_mid == 1
    with pytest.raises(ValueError, match="0 and 1"):
        mcnemar_of(np.array([0.5]), np.array([1.0]))
    with pytest.raises(ValueError, match="below 0"):
        mcnemar(-1, 2)


def test_mcnemar_of_many_does_not_overflow():
    expected = stats.binomtest(4_900, 10_000).pvalue
    assert mcnemar(4_900, 5_100).p_value == pytest.approx(expected, abs=1e-9)


@given(st.integers(0, 1_000))
def test_clusters_are_statsmodels(seed):
    rng = np.random.default_rng(seed)
    clusters = rng.integers(0, 8, size=40)
    differences = rng.normal(size=8)[clusters] + rng.normal(size=40)
    found = clustered_difference(differences, [str(name) for name in clusters])
    fit = sm.OLS(differences, np.ones(40)).fit(cov_type="cluster", cov_kwds={"groups": clusters}, use_t=True)
    assert found.se == pytest.approx(fit.bse[0], abs=1e-9)
    assert found.p_value == pytest.approx(fit.pvalues[0], abs=1e-9)
    assert found.ci == pytest.approx(tuple(fit.conf_int()[0]), abs=1e-9)


def test_clusters_that_do_not_differ_give_no_interval_without_a_scale():
    names = ["a", "a", "b", "b"]
    assert clustered_difference(np.full(4, 0.5), names).ci is None
    low, high = clustered_difference(np.full(4, 0.5), names, bounds=UNIT).ci
    assert -1 <= low < 0.5 < high <= 1
    assert clustered_difference(np.array([0.0, 1.0]), ["a", "a"]).ci is None
