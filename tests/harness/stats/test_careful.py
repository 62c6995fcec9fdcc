"""One-sided tests of a mean that hold their rate: every p-value against a second path."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from harness.stats.careful import (
    FEW,
    SKEW,
    as_many,
    exceeds,
    gaffke,
    hall,
    lower_bound,
    mirrored,
    of_clusters,
    of_counts,
    of_values,
    sparse,
    student,
)
from harness.stats.clusters import clustered_mean

LEVELS = st.sampled_from([-1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0])
SAMPLES = st.lists(LEVELS, min_size=2, max_size=60).map(np.array)


def one(p):
    assert p.shape == (1,)
    return float(p[0])


@pytest.mark.parametrize("against", [-0.3, -0.03, 0.0, 0.2])
def test_student_is_scipys(against):
    values = np.random.default_rng(1).choice([-1.0, 0.0, 0.5], size=40)
    found = stats.ttest_1samp(values, against, alternative="greater")
    assert one(student(of_values(values), against)) == pytest.approx(found.pvalue, abs=1e-12)


def test_hall_is_the_cubic_of_students_statistic():
    values = np.random.default_rng(2).choice([-1.0, 0.0, 0.5], p=[0.1, 0.6, 0.3], size=40)
    t = stats.ttest_1samp(values, -0.1).statistic
    g = SKEW * stats.skew(values) / math.sqrt(40)
    cubic = ((1 + g * t / 3) ** 3 - 1) / g + g / 6
    assert one(hall(of_values(values), -0.1)) == pytest.approx(stats.t.sf(cubic, 39), abs=1e-12)


@pytest.mark.parametrize(
    ("n", "lost", "against"),
    [
        (2, 0, -0.5),
        (2, 1, -0.6),
        (5, 2, -0.3),
        (11, 1, -0.3),
        (12, 1, -0.3),
        (30, 0, -0.1),
        (57, 3, -0.1),
        (1000, 4, -0.01),
    ],
)
def test_gaffke_of_losses_alone_is_clopper_pearsons(n, lost, against):
    found = one(gaffke(np.array([-1.0, 0.0]), np.array([[lost, n - lost]], dtype=float), against, -1.0))
    assert found == pytest.approx(stats.binom.cdf(lost, n, -against), abs=1e-9)


@pytest.mark.parametrize(("lost", "won"), [(0, 1), (0, 6), (3, 4), (2, 11), (40, 60)])
def test_gaffke_against_no_difference_is_the_exact_sign_test(lost, won):
    found = one(gaffke(np.array([-1.0, 0.0, 1.0]), np.array([[lost, 20, won]], dtype=float), 0.0, -1.0))
    exact = stats.binomtest(won, won + lost, alternative="greater").pvalue
    assert found == pytest.approx(exact, abs=1e-9)


@pytest.mark.parametrize(("lost", "same", "won"), [(0, 20, 10), (1, 40, 16), (5, 90, 5), (9, 290, 1)])
@pytest.mark.parametrize("against", [-0.2, -0.05])
def test_gaffke_of_three_values_is_the_integral_over_dirichlet_weights(lost, same, won, against):
    n = lost + same + won

    def at(gained):
        # Given the weight of the gained, the lost ones' share of the rest is a beta variate.
        return stats.beta.pdf(gained, won, n + 1 - won) * stats.beta.sf(
            min(1.0, (gained - against) / (1 - gained)), lost + 1, same
        )

    wanted = integrate.quad(at, 0, 1, epsabs=1e-13, epsrel=1e-11, points=[won / n], limit=400)[0]
    found = one(gaffke(np.array([-1.0, 0.0, 1.0]), np.array([[lost, same, won]], dtype=float), against, -1.0))
    assert found == pytest.approx(wanted, abs=1e-9)


def test_gaffke_is_what_dirichlet_weights_give():
    values, counts = np.array([-0.5, -0.25, 0.0, 0.25, 1.0]), np.array([1.0, 2, 20, 3, 2])
    weights = np.random.default_rng(3).dirichlet(np.append(counts, 1), size=200_000)
    drawn = np.mean(weights @ np.append(values, -1.0) <= -0.05)
    assert one(gaffke(values, counts[None, :], -0.05, -1.0)) == pytest.approx(drawn, abs=4 * 0.5 / math.sqrt(200_000))


def test_values_that_a_sample_does_not_have_change_nothing():
    values = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    counts = np.array([[0, 2, 30, 0, 0], [1, 0, 20, 11, 0]], dtype=float)
    together = exceeds(of_counts(values, counts), -0.1, -1.0)
    apart = [exceeds(of_values(np.repeat(values, row.astype(int))), -0.1, -1.0)[0] for row in counts]
    assert together.tolist() == pytest.approx(apart, abs=1e-12)


@given(SAMPLES, st.sampled_from([0.01, 0.05, 0.2]))
def test_the_bound_is_where_the_p_value_is_alpha(values, alpha):
    samples = of_values(values)
    bound = lower_bound(samples, -1.0, alpha)
    assert -1 <= bound <= values.mean() + 1e-12
    if bound > -1 + 1e-9:
        assert one(exceeds(samples, bound, -1.0)) == pytest.approx(alpha, abs=1e-6)


@given(SAMPLES)
def test_it_is_never_surer_than_student(values):
    samples = of_values(values)
    assert one(exceeds(samples, -0.1, -1.0)) >= one(student(samples, -0.1)) - 1e-12


@given(SAMPLES)
def test_a_larger_margin_is_never_harder_to_keep(values):
    samples = of_values(values)
    p = [one(exceeds(samples, against, -1.0)) for against in (-0.9, -0.5, -0.3, -0.1, -0.03)]
    assert all(first <= second + 1e-9 for first, second in itertools.pairwise(p))


@given(SAMPLES)
def test_mirrored_samples_are_those_of_the_opposites(values):
    found, wanted = mirrored(of_values(values)), of_values(-values)
    for name in ("mean", "se", "skew", "below", "lost"):
        assert getattr(found, name).tolist() == pytest.approx(getattr(wanted, name).tolist(), abs=1e-12)


@pytest.mark.parametrize("value", [-1.0, -0.03, 0.0, 0.4])
def test_no_spread_is_no_certainty(value):
    samples = of_values(np.full(20, value))
    unseen = 1 - 0.05 ** (1 / 20)
    assert lower_bound(samples, -1.0) == pytest.approx(value - unseen * (value + 1), abs=1e-9)
    assert one(exceeds(samples, value, -1.0)) == pytest.approx(1.0)


def test_a_third_lost_is_not_rare_and_a_tenth_of_sixty_is():
    values = np.array([-1.0, 0.0, 1.0])
    samples = of_counts(values, np.array([[20, 20, 20], [6, 48, 6], [FEW, 40, 10]], dtype=float))
    assert sparse(samples, -1.0).tolist() == [False, True, False]


def test_small_losses_tell_little_of_great_ones():
    samples = of_values(np.repeat([-0.25, 0.0, 0.25], [20, 20, 20]))
    assert sparse(samples, -1.0).tolist() == [True]
    assert sparse(samples, -0.5).tolist() == [False]


def test_clusters_have_the_cluster_robust_error_and_student_on_one_less():
    rng = np.random.default_rng(5)
    values = rng.choice([-1.0, 0.0, 1.0], size=300)
    names = [str(place) for place in rng.integers(0, 60, size=300)]
    samples, _ = of_clusters(values, names, -1.0)
    robust = clustered_mean(values, names, against=0.0, bounds=(-1.0, 1.0))
    assert float(samples.mean[0]) == pytest.approx(values.mean(), abs=1e-12)
    assert float(samples.se[0]) == pytest.approx(robust.se, abs=1e-12)
    assert samples.n == robust.clusters
    two_sided = 2 * min(one(student(samples, 0.0)), 1 - one(student(samples, 0.0)))
    assert two_sided == pytest.approx(robust.p_value, abs=1e-12)


def test_clusters_of_one_are_no_clusters():
    values = np.random.default_rng(6).choice([-1.0, 0.0, 1.0], size=50, p=[0.1, 0.7, 0.2])
    samples, lowest = of_clusters(values, [str(place) for place in range(50)], -1.0)
    assert lowest == pytest.approx(-1.0)
    assert one(exceeds(samples, -0.1, lowest)) == pytest.approx(one(exceeds(of_values(values), -0.1, -1.0)), abs=1e-12)


@pytest.mark.chaos
def test_ten_thousand_scores_with_few_losses_take_seconds():
    values = np.abs(np.random.default_rng(7).normal(size=10_000)) / 10 - 0.0001
    samples = of_values(values)
    assert sparse(samples, -1.0).tolist() == [True]
    assert lower_bound(samples, -1.0) < float(samples.mean[0])


def test_many_small_losses_tell_nothing_of_great_ones():
    values = np.array([-1.0, 0.0, 1.0])
    samples = of_counts(values, np.array([[80, 40, 80], [81, 40, 80]], dtype=float))
    # 80 of 1 are more than six of 9, and their squares less than one of 9.
    assert sparse(samples, -9.0).tolist() == [True, False]
    assert samples.squared.tolist() == [80.0, 81.0]


@given(SAMPLES, st.integers(2, 500))
def test_as_many_values_like_these_have_the_same_shares(values, n):
    samples = of_values(values)
    found = as_many(samples, n)
    assert found.counts.sum() == pytest.approx(n)
    assert found.counts @ found.values / n == pytest.approx(samples.mean)
    assert found.se * math.sqrt(n - 1) == pytest.approx(samples.se * math.sqrt(values.size - 1))
    assert (found.below, found.squared) == (
        pytest.approx(samples.below * n / values.size),
        pytest.approx(samples.squared * n / values.size),
    )
