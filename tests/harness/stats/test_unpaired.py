"""Comparisons without pairs against scipy and statsmodels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep

from harness.stats.unpaired import newcombe, rates, welch


@given(st.integers(0, 1_000), st.integers(2, 40), st.integers(2, 40))
def test_welch_is_scipy_s(seed, n_a, n_b):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(0, 1, size=n_a), rng.normal(0.5, 3, size=n_b)
    found, p = welch(a, b)
    expected = stats.ttest_ind(b, a, equal_var=False)
    assert found.ci == pytest.approx(tuple(expected.confidence_interval(0.95)), abs=1e-9)
    assert p == pytest.approx(expected.pvalue, abs=1e-9)
    mirrored, same = welch(b, a)
    assert mirrored.ci == pytest.approx((-found.ci[1], -found.ci[0]), abs=1e-12)
    assert same == pytest.approx(p, abs=1e-12)


@given(st.integers(1, 60), st.integers(1, 60), st.data())
def test_newcombe_is_statsmodels(n_a, n_b, data):
    a, b = data.draw(st.integers(0, n_a)), data.draw(st.integers(0, n_b))
    expected = confint_proportions_2indep(b, n_b, a, n_a, method="newcomb", compare="diff")
    assert newcombe(a, n_a, b, n_b) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("n", "lowest"), [(30, 0.925), (57, 0.93)])
def test_newcombe_covers(n, lowest):
    inside = np.array([[newcombe(a, n, b, n) for b in range(n + 1)] for a in range(n + 1)])
    for rate_a in np.arange(0.3, 0.81, 0.1):
        for rate_b in np.arange(0.3, 0.81, 0.1):
            difference = rate_b - rate_a
            holds = (inside[..., 0] <= difference + 1e-12) & (difference - 1e-12 <= inside[..., 1])
            chances = [stats.binom.pmf(np.arange(n + 1), n, rate) for rate in (rate_a, rate_b)]
            assert chances[0] @ holds @ chances[1] >= lowest


def test_rates_have_fisher_s_p():
    found, p = rates(np.repeat([1.0, 0.0], [29, 21]), np.repeat([1.0, 0.0], [37, 13]))
    assert found.mean == pytest.approx(0.16)
    assert found.method == "newcombe"
    assert p == pytest.approx(stats.fisher_exact([[29, 21], [37, 13]]).pvalue, abs=1e-12)
    with pytest.raises(ValueError, match="0 and 1"):
        rates(np.array([0.5]), np.array([1.0]))


def test_what_cannot_be_estimated_has_a_reason():
    one, two = np.array([0.5]), np.array([0.5, 1.0])
    for a, b, reason in ((one, two, "single"), (two[:0], two, "no score"), (np.ones(3), np.zeros(3), "no certainty")):
        found, p = welch(a, b)
        assert (found.ci, p) == (None, None)
        assert reason in found.reason
    assert rates(np.array([]), np.ones(3))[0].mean is None
    with pytest.raises(ValueError, match="finite"):
        welch(two, np.array([0.1, float("nan")]))
