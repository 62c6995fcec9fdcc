"""Token-weighted means: the same as statsmodels' weighted regression, and intervals that cover."""

import itertools
import math

import numpy as np
import pytest
from scipy.special import stdtrit

from harness.perplexity.ratio import permuted, ratio, ratio_difference


def sample(seed=0, n=30, clusters=12):
    rng = np.random.default_rng(seed)
    weights = rng.integers(5, 200, n).astype(float)
    sums = weights * rng.gamma(20, 0.1, n)
    other = sums + weights * rng.normal(0.02, 0.1, n)
    return sums, other, weights, [f"c{place % clusters}" for place in range(n)]


def regression(values, weights, groups, design):
    import statsmodels.api as sm

    places = np.unique(groups, return_inverse=True)[1]
    fitted = sm.WLS(values, design, weights=weights).fit(
        cov_type="cluster", cov_kwds={"groups": places, "use_correction": False}, use_t=True
    )
    return fitted, places.max() + 1


def test_a_ratio_is_a_weighted_regression_on_a_constant_with_clustered_errors():
    sums, _, weights, clusters = sample()
    found = ratio(sums, weights, clusters)
    fitted, count = regression(sums / weights, weights, clusters, np.ones((sums.size, 1)))
    se = math.sqrt(fitted.cov_params()[0, 0] * count / (count - 1))
    half = stdtrit(count - 1, 0.975) * se
    assert (found.n, found.clusters) == (30, 12)
    assert found.value == pytest.approx(fitted.params[0], abs=1e-12)
    assert found.se == pytest.approx(se, abs=1e-12)
    assert found.ci == pytest.approx((fitted.params[0] - half, fitted.params[0] + half), abs=1e-9)


@pytest.mark.parametrize("same", [True, False])
def test_a_difference_is_the_contrast_of_a_stacked_regression(same):
    sums, other, weights, clusters = sample(1)
    others = weights if same else np.random.default_rng(2).integers(5, 200, weights.size).astype(float)
    found = ratio_difference((sums, weights), (other, others), clusters)
    side = np.repeat([1.0, 0.0], sums.size)
    values = np.concatenate([sums / weights, other / others])
    design = np.column_stack([np.ones_like(side), side])
    fitted, count = regression(values, np.concatenate([weights, others]), clusters * 2, design)
    assert found.value == pytest.approx(fitted.params[1], abs=1e-12)
    assert found.se == pytest.approx(math.sqrt(fitted.cov_params()[1, 1] * count / (count - 1)), abs=1e-12)


def test_with_weights_of_one_it_is_student_s_mean():
    from scipy import stats

    values = np.asarray([2.0, 3.5, 1.0, 4.25])
    found = ratio(values, np.ones(4), list("abcd"))
    assert found.ci == pytest.approx(stats.t.interval(0.95, 3, values.mean(), stats.sem(values)), abs=1e-12)


def test_the_permutation_test_is_every_swap_of_documents():
    a, b = np.asarray([10.0, 22, 31, 40, 55]), np.asarray([12.0, 21, 34, 47, 56])
    weights = np.asarray([5.0, 9, 12, 20, 21])
    observed = abs((a - b).sum()) / weights.sum()
    signs = itertools.product((1, -1), repeat=5)
    extreme = [abs((np.asarray(sign) * (a - b)).sum()) / weights.sum() >= observed - 1e-12 for sign in signs]
    found = permuted((a, weights), (b, weights), list("abcde"), np.random.default_rng(0))
    assert found == pytest.approx(np.mean(extreme), abs=1e-12)


def test_documents_of_a_cluster_swap_together():
    a, b, ones = np.asarray([1.0, 2, 3, 4]), np.asarray([2.0, 4, 3, 4]), np.ones(4)
    assert permuted((a, ones), (b, ones), list("aabb"), np.random.default_rng(0)) == 1.0


def test_swapping_the_sides_mirrors_everything():
    sums, other, weights, clusters = sample(3)
    one = ratio_difference((sums, weights), (other, weights), clusters)
    two = ratio_difference((other, weights), (sums, weights), clusters)
    assert one.value == -two.value
    assert one.ci == pytest.approx((-two.ci[1], -two.ci[0]), abs=1e-12)


@pytest.mark.parametrize(
    ("sums", "weights", "clusters", "reason"),
    [
        ([], [], [], "nothing to count"),
        ([3.0], [2.0], ["a"], "n = 1"),
        ([3.0, 4.0], [2.0, 2.0], ["a", "a"], "share one cluster"),
        ([3.0, 6.0], [1.0, 2.0], ["a", "b"], "no certainty"),
    ],
)
def test_what_cannot_be_estimated_is_said(sums, weights, clusters, reason):
    found = ratio(np.asarray(sums), np.asarray(weights), clusters)
    assert found.ci is None
    assert reason in found.reason
    assert found.value == (pytest.approx(sum(sums) / sum(weights)) if sums else None)


@pytest.mark.parametrize(
    ("sums", "weights", "clusters"),
    [([math.nan, 1], [1, 1], ["a", "b"]), ([1, 1], [1, -1], ["a", "b"]), ([1, 1], [1, 1], ["a"])],
)
def test_broken_input_is_refused(sums, weights, clusters):
    with pytest.raises(ValueError, match=r"."):
        ratio(np.asarray(sums, dtype=float), np.asarray(weights, dtype=float), clusters)


def draws(rng, trials, n):
    """Documents whose length and loss hang together: long ones are easier. Arrays (trials, n)."""
    long = rng.normal(0, 0.7, (trials, n))
    weights = np.exp(5 + long)
    losses = 2.5 - 0.2 * long + rng.normal(0, 0.4, (trials, n))
    return weights * losses, weights


def test_intervals_cover_what_they_promise():
    rng = np.random.default_rng(0)
    sums, weights = draws(rng, 400_000, 1)
    truth = sums.sum() / weights.sum()
    sums, weights = draws(rng, 1500, 40)
    ids = [str(place) for place in range(40)]
    covered = [low <= truth <= high for s, w in zip(sums, weights, strict=True) for low, high in [ratio(s, w, ids).ci]]
    assert 0.925 <= np.mean(covered) <= 0.965


def test_the_test_raises_few_false_alarms():
    rng = np.random.default_rng(1)
    ids = [str(place) for place in range(12)]
    alarms = []
    for _ in range(400):
        weights = np.exp(rng.normal(4, 1, 12))
        a, b = weights * rng.gamma(10, 0.2, 12), weights * rng.gamma(10, 0.2, 12)
        alarms.append(permuted((a, weights), (b, weights), ids, rng) <= 0.05)
    assert np.mean(alarms) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)
