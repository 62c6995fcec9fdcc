"""Every interval and test against a second path: a formula worked by hand, scipy, or enumeration."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from harness.stats.intervals import clopper_pearson, mean_score, sign_test, student, visible_difference, wilson
from tests.bench.coverage import coverages

Z = 1.959963984540054
UNIT = st.floats(0, 1, allow_nan=False)


def wilson_by_hand(p, n):
    centre = (p + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
    return centre - half, centre + half


@given(st.integers(1, 500), UNIT)
def test_wilson_is_statsmodels(n, p):
    assert wilson(p, n) == pytest.approx(proportion_confint(p * n, n, method="wilson"), abs=1e-9)
    assert wilson(p, n) == pytest.approx(wilson_by_hand(p, n), abs=1e-9)


@given(st.integers(1, 400), UNIT)
def test_the_exact_interval_is_statsmodels(n, share):
    wins = round(share * n)
    assert clopper_pearson(wins, n) == pytest.approx(proportion_confint(wins, n, method="beta"), abs=1e-9)


@pytest.mark.parametrize(
    ("wins", "n", "low", "high"), [(10, 13, 0.497, 0.918), (6, 15, 0.198, 0.643), (28, 57, 0.366, 0.617)]
)
def test_wilson_of_the_logs(wins, n, low, high):
    found = mean_score(np.array([1.0] * wins + [0.0] * (n - wins)))
    assert found.method == "wilson"
    assert found.ci == pytest.approx((low, high), abs=5e-4)


def test_student_is_scipy_s():
    scores = np.array([0.0, 0.5, 1.0, 1.0, 0.75, 0.25, 0.5])
    expected = stats.t.interval(0.95, len(scores) - 1, scores.mean(), stats.sem(scores))
    assert student(scores) == pytest.approx(expected, abs=1e-12)
    assert mean_score(scores).se == pytest.approx(stats.sem(scores), abs=1e-12)


def test_student_is_clipped():
    found = mean_score(np.array([1.0, 1.0, 1.0, 0.5]))
    assert found.method == "student"
    assert found.ci is not None
    assert found.ci[1] == 1.0


@pytest.mark.parametrize("score", [0.0, 0.3, 0.5, 1.0])
def test_equal_scores_are_no_certainty(score):
    found = mean_score(np.full(12, score))
    assert found.se == pytest.approx(0, abs=1e-12)
    assert found.ci == pytest.approx(wilson_by_hand(score, 12), abs=1e-9)
    assert found.method == ("wilson" if score in (0, 1) else "wilson-at-constant")


def test_few_scores_give_no_interval():
    assert mean_score(np.array([])).mean is None
    one = mean_score(np.array([1.0]))
    assert (one.mean, one.se, one.ci, one.n) == (1.0, None, None, 1)
    assert mean_score(np.array([1.0, 0.0])).ci is not None


@pytest.mark.parametrize("bad", [float("nan"), -0.1, 1.1])
def test_a_score_outside_its_range_is_refused(bad):
    with pytest.raises(ValueError, match="outside"):
        mean_score(np.array([0.5, bad]))


def two_sided_by_enumeration(wins, losses):
    n = wins + losses
    return min(1.0, sum(math.comb(n, k) for k in range(n + 1) if math.comb(n, k) <= math.comb(n, wins)) / 2**n)


@given(st.integers(0, 60), st.integers(0, 60))
def test_the_sign_test_by_enumeration(wins, losses):
    assert sign_test(wins, losses) == pytest.approx(two_sided_by_enumeration(wins, losses), abs=1e-9)
    assert sign_test(wins, losses) == sign_test(losses, wins)
    if wins + losses:
        assert sign_test(wins, losses) == pytest.approx(stats.binomtest(wins, wins + losses).pvalue, abs=1e-9)


def test_the_sign_test_of_log_003():
    assert sign_test(10, 3) == pytest.approx(0.0923, abs=1e-4)
    assert sign_test(0, 0) == 1.0


def test_the_visible_difference_is_seen_with_its_power():
    rng = np.random.default_rng(5)
    n, sd = 60, 0.4
    shift = visible_difference(sd, n)
    drawn = rng.normal(0.5 + shift, sd, (4000, n))
    t = (drawn.mean(1) - 0.5) / (drawn.std(1, ddof=1) / math.sqrt(n))
    seen = (np.abs(t) > stats.t.ppf(0.975, n - 1)).mean()
    assert seen == pytest.approx(0.8, abs=0.025)
    assert visible_difference(sd, 4 * n) == pytest.approx(shift / 2, rel=0.02)


def test_the_interval_covers_what_it_says():
    rng = np.random.default_rng(11)
    for n in (30, 57, 100):
        scores = rng.choice([0.0, 0.5, 1.0], size=(4000, n), p=[0.3, 0.2, 0.5])
        covered = [low <= 0.6 <= high for low, high in (mean_score(row).ci for row in scores)]
        assert 0.925 <= np.mean(covered) <= 0.975


@pytest.mark.parametrize("n", [13, 30, 57, 100])
@pytest.mark.parametrize("tie", [0.0, 0.2])
def test_the_interval_covers_in_every_cell(n, tie):
    """By enumeration; the whole table stands in BENCHMARKS.md."""
    cells, average = coverages(n, tie)
    assert min(cells) >= (0.905 if n < 30 else 0.925)
    assert n < 30 or 0.94 <= average <= 0.97
