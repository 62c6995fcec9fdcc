"""Cluster-robust errors against statsmodels, a formula worked by hand, and the rate they promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.clusters import clustered_mean


def by_statsmodels(scores, clusters):
    import statsmodels.api as sm

    fitted = sm.OLS(scores, np.ones(len(scores))).fit(
        cov_type="cluster", cov_kwds={"groups": np.unique(clusters, return_inverse=True)[1], "df_correction": True},
        use_t=True,
    )  # fmt: skip
    return float(fitted.bse[0]), tuple(float(end) for end in fitted.conf_int()[0])


def test_the_error_is_statsmodels_sandwich():
    rng = np.random.default_rng(3)
    clusters = [f"c{place // 4}" for place in range(60)]
    scores = np.clip(0.5 + np.repeat(rng.normal(0, 0.1, 15), 4) + rng.normal(0, 0.1, 60), 0, 1)
    found = clustered_mean(scores, clusters)
    se, ci = by_statsmodels(scores, clusters)
    assert found.se == pytest.approx(se, abs=1e-9)
    assert found.ci == pytest.approx(ci, abs=1e-9)


def test_the_error_by_hand():
    # Two clusters: residual sums 0.25 + 0.25 and their opposite; CR1 doubles the meat: sqrt(2 · (0.25 + 0.25)) / 4.
    found = clustered_mean(np.array([1.0, 1.0, 0.5, 0.5]), ["a", "a", "b", "b"])
    assert found.se == pytest.approx(np.sqrt(2 * (0.5**2 + 0.5**2)) / 4)
    assert found.ci == (0.0, 1.0)
    assert found.clusters == 2


def test_clusters_of_one_are_independent_prompts():
    scores = np.array([0.0, 1.0, 0.5, 1.0, 0.75])
    found = clustered_mean(scores, list("abcde"))
    assert found.se == pytest.approx(scores.std(ddof=1) / np.sqrt(5))
    assert found.design_effect == pytest.approx(1)


def test_copies_in_a_cluster_say_nothing_new():
    one = np.array([0.0, 1.0, 1.0, 1.0, 0.0, 1.0])
    found = clustered_mean(np.repeat(one, 5), [str(place) for place in range(6) for _ in range(5)])
    assert found.se == pytest.approx(one.std(ddof=1) / np.sqrt(6))
    assert found.design_effect == pytest.approx(29 / 5, rel=1e-9)


def test_one_cluster_gives_no_interval():
    found = clustered_mean(np.array([0.0, 1.0]), ["a", "a"])
    assert (found.se, found.ci, found.p_value) == (None, None, None)


def test_clusters_that_do_not_differ_are_no_certainty():
    found = clustered_mean(np.array([1.0, 0.0, 1.0, 0.0]), ["a", "a", "b", "b"])
    assert found.ci is not None
    assert found.ci[0] < 0.2 < 0.8 < found.ci[1]
    assert found.p_value is None


@pytest.mark.parametrize("scores", [[0.5], [0.5, float("nan")]])
def test_what_does_not_fit_is_refused(scores):
    with pytest.raises(ValueError, match="cluster"):
        clustered_mean(np.array(scores), ["a", "b"])


@given(st.lists(st.tuples(st.floats(0, 1), st.sampled_from("abcd")), min_size=2, max_size=30), st.randoms())
def test_the_order_of_prompts_changes_nothing(rows, random):
    mixed = random.sample(rows, len(rows))
    here, there = (clustered_mean(np.array([s for s, _ in r]), [c for _, c in r]) for r in (rows, mixed))
    assert here.se == pytest.approx(there.se, abs=1e-12)


def test_the_interval_covers_where_the_plain_one_does_not():
    """1,500 draws of 30 clusters of 5 prompts that agree: the plain interval would hold the truth far too seldom."""
    rng = np.random.default_rng(11)
    names = [str(place) for place in range(30) for _ in range(5)]
    held = plain = 0
    for _ in range(1500):
        chance = np.repeat(rng.beta(1, 1, 30), 5)
        scores = (rng.random(150) < chance).astype(float)
        low, high = clustered_mean(scores, names).ci
        held += low <= 0.5 <= high
        half = 1.976 * scores.std(ddof=1) / np.sqrt(150)
        plain += abs(scores.mean() - 0.5) <= half
    assert held / 1500 > 0.93
    assert plain / 1500 < 0.85
