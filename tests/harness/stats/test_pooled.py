"""The mean of groups' means: Student's with one group, Welch's with two, and what it promises in simulations."""

import numpy as np
import pytest
from scipy import stats

from harness.stats.pooled import mean_over_groups

BOUNDS = (-1.0, 1.0)


def drawn(rng, n, probabilities=(0.2, 0.5, 0.3)):
    return rng.choice([-1.0, 0.0, 1.0], size=n, p=probabilities)


def test_one_group_is_student_s():
    values = drawn(np.random.default_rng(1), 80)
    found = mean_over_groups([values], BOUNDS)
    low, high = stats.t.interval(0.95, 79, loc=values.mean(), scale=stats.sem(values))
    assert found.ci == pytest.approx((low, high))
    assert found.p_value() == pytest.approx(stats.ttest_1samp(values, 0).pvalue)
    assert found.p_value(-0.02) == pytest.approx(stats.ttest_1samp(values, -0.02).pvalue)


def test_two_groups_are_welch_s():
    rng = np.random.default_rng(2)
    a, b = drawn(rng, 30), drawn(rng, 200)
    found = mean_over_groups([a, -b], BOUNDS)
    welch = stats.ttest_ind(a, b, equal_var=False)
    # Half the difference of two means is the mean of one and of the other's opposite.
    assert found.mean == pytest.approx((a.mean() - b.mean()) / 2)
    assert found.p_value() == pytest.approx(welch.pvalue)
    assert found.freedom == pytest.approx(welch.df)


def test_groups_count_alike_whatever_their_size():
    found = mean_over_groups([np.array([1.0, 0.0]), np.array([0.0, 0.0, 0.0, 1.0])], BOUNDS)
    assert found.mean == pytest.approx((0.5 + 0.25) / 2)


def test_equal_values_are_no_certainty():
    found = mean_over_groups([np.zeros(20)], BOUNDS)
    assert found.ci is not None
    assert found.ci[0] < -0.05 < 0.05 < found.ci[1]


def test_what_cannot_be_told_says_why():
    assert mean_over_groups([], BOUNDS).reason == "a group holds nothing"
    alone = mean_over_groups([np.array([1.0]), drawn(np.random.default_rng(3), 9)], BOUNDS)
    assert (alone.ci, alone.p_value()) == (None, None)
    assert "one item" in alone.reason


@pytest.mark.parametrize("value", [np.nan, 1.5, -np.inf])
def test_values_that_cannot_be_are_refused(value):
    with pytest.raises(ValueError, match="outside"):
        mean_over_groups([np.array([0.0, value])], BOUNDS)


def test_the_interval_holds_the_mean_of_the_population():
    rng = np.random.default_rng(4)
    shapes = [(60, (0.1, 0.8, 0.1)), (40, (0.3, 0.5, 0.2)), (200, (0.05, 0.9, 0.05))]
    truth = np.mean([p[2] - p[0] for _, p in shapes])
    held = 0
    for _ in range(1500):
        found = mean_over_groups([drawn(rng, n, p) for n, p in shapes], BOUNDS)
        held += found.ci[0] <= truth <= found.ci[1]
    assert held / 1500 >= 0.935
