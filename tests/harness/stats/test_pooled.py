"""The mean of groups' means: Student's with one group, Welch's with two, and what it promises in simulations."""

import numpy as np
import pytest
from scipy import stats

from harness.stats.paired import clustered_difference
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


@pytest.mark.parametrize("n", [2, 5, 9])
def test_values_all_at_one_end_have_the_exact_sign_test(n):
    for value in (1.0, -1.0):
        found = mean_over_groups([np.full(n, value)], BOUNDS)
        assert found.p_value() == pytest.approx(stats.binomtest(n, n, 0.5).pvalue)
        assert (found.ci[0] < 0 < found.ci[1]) == (found.p_value() > 0.05)


@pytest.mark.parametrize(
    "groups", [[np.zeros(60)], [np.zeros(30), np.ones(12)], [np.ones(9), np.array([1.0, 0, 1, 0, 0])]]
)
def test_a_p_value_is_where_the_interval_ends(groups):
    found = mean_over_groups(groups, BOUNDS)
    for end in found.ci:
        if -1 < end < 1:
            assert found.p_value(end) == pytest.approx(0.05, rel=1e-6)
    assert found.p_value(found.mean) == pytest.approx(1)
    nulls = np.linspace(-0.99, 0.99, 31)
    p_values = np.array([found.p_value(null) for null in nulls])
    assert ((p_values > 0.05) == ((found.ci[0] < nulls) & (nulls < found.ci[1]))).all()


def clustered(rng, clusters, size, spread=0.8):
    """Differences of which those of a cluster are mostly one, and their clusters."""
    shared = np.repeat(rng.choice([-1.0, 0.0, 1.0], size=clusters, p=(0.25, 0.5, 0.25)), size)
    own = rng.choice([-1.0, 0.0, 1.0], size=clusters * size, p=(0.25, 0.5, 0.25))
    return np.where(rng.random(clusters * size) < spread, shared, own), [
        str(place // size) for place in range(own.size)
    ]


def test_clusters_are_the_units_of_a_group():
    values, names = clustered(np.random.default_rng(5), 30, 4)
    found = mean_over_groups([values], BOUNDS, clusters=[names])
    alike = clustered_difference(values, names, bounds=BOUNDS)
    assert (found.n, found.units) == (120, 30)
    assert found.ci == pytest.approx(alike.ci)
    assert found.p_value() == pytest.approx(alike.p_value)
    # Clusters of one are no clusters.
    alone = mean_over_groups([values], BOUNDS, clusters=[[str(place) for place in range(120)]])
    assert alone.ci == pytest.approx(mean_over_groups([values], BOUNDS).ci)


def test_a_test_that_counts_clusters_holds_its_size():
    rng = np.random.default_rng(6)
    drawn_twice = [[clustered(rng, 40, 4), clustered(rng, 25, 6)] for _ in range(800)]
    careful = [mean_over_groups([v for v, _ in each], BOUNDS, clusters=[c for _, c in each]) for each in drawn_twice]
    plain = [mean_over_groups([v for v, _ in each], BOUNDS) for each in drawn_twice]
    assert np.mean([each.p_value() <= 0.05 for each in careful]) <= 0.07
    assert np.mean([each.p_value() <= 0.05 for each in plain]) >= 0.2


def test_rare_differences_are_not_made_too_much_of():
    # Of 30 items a task one in sixty differs, to either side: most groups have no spread at all.
    rng = np.random.default_rng(7)
    found = [
        mean_over_groups([drawn(rng, 30, (1 / 120, 59 / 60, 1 / 120)) for _ in range(2)], BOUNDS) for _ in range(600)
    ]
    assert np.mean([each.p_value() <= 0.05 for each in found]) <= 0.05


def test_what_cannot_be_told_says_why():
    assert mean_over_groups([], BOUNDS).reason == "a group holds nothing"
    alone = mean_over_groups([np.array([1.0]), drawn(np.random.default_rng(3), 9)], BOUNDS)
    assert (alone.ci, alone.p_value()) == (None, None)
    assert "one item" in alone.reason
    together = mean_over_groups([np.array([1.0, 0.0, 1.0])], BOUNDS, clusters=[["a", "a", "a"]])
    assert (together.ci, together.p_value()) == (None, None)
    assert "one cluster" in together.reason


@pytest.mark.parametrize("value", [np.nan, 1.5, -np.inf])
def test_values_that_cannot_be_are_refused(value):
    with pytest.raises(ValueError, match="outside"):
        mean_over_groups([np.array([0.0, value])], BOUNDS)


def test_every_value_needs_its_cluster():
    with pytest.raises(ValueError, match="cluster"):
        mean_over_groups([np.array([0.0, 1.0])], BOUNDS, clusters=[["a"]])


def test_the_interval_holds_the_mean_of_the_population():
    rng = np.random.default_rng(4)
    shapes = [(60, (0.1, 0.8, 0.1)), (40, (0.3, 0.5, 0.2)), (200, (0.05, 0.9, 0.05))]
    truth = np.mean([p[2] - p[0] for _, p in shapes])
    held = 0
    for _ in range(1500):
        found = mean_over_groups([drawn(rng, n, p) for n, p in shapes], BOUNDS)
        held += found.ci[0] <= truth <= found.ci[1]
    assert held / 1500 >= 0.935
