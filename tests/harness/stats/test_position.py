"""The first-shown rate with its clustered interval, and which way inconsistent pairs lean."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.stats.clusters import clustered_mean
from harness.stats.intervals import wilson
from harness.stats.position import first_shown, lean
from tests import published
from tests.bench import agreement as bench

COUNTS = st.lists(st.integers(0, 2).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))), max_size=30)


def counts(pairs):
    first, decisive = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return first, decisive


def test_the_error_is_the_sandwich_over_prompts_and_two_more():
    rng = np.random.default_rng(1)
    first, decisive = (counts[0] for counts in bench.shown(rng, (1, 90, 2), "chance", 0.6, 0.5, 0.0))
    found = first_shown(first, decisive)
    assert found.rate == first.sum() / 180
    # Equal sizes make the ratio a mean of prompt shares.
    shares = np.append(first / 2, [0.0, 1.0])
    known = clustered_mean(shares, [str(place) for place in range(92)])
    assert found.ci is not None
    assert known.se is not None
    assert sum(found.ci) / 2 == pytest.approx(shares.mean(), abs=1e-12)
    from scipy.stats import t

    assert (found.ci[1] - found.ci[0]) / 2 == pytest.approx(t.ppf(0.975, 89) * known.se, abs=1e-12)


def test_the_error_with_ties_is_statsmodels():
    import statsmodels.api as sm
    from scipy.stats import t

    rng = np.random.default_rng(2)
    first, decisive = (counts[0] for counts in bench.shown(rng, (1, 80, 2), "chance", 0.6, 0.5, 0.3))
    told = decisive > 0
    size = decisive[told].mean()
    of, hits = np.append(decisive[told], [size, size]), np.append(first[told], [size, 0.0])
    # A ratio of sums is the weighted mean of shares, and its error that of a weighted regression on a constant.
    fitted = sm.WLS(hits / of, np.ones(of.size), weights=of).fit(
        cov_type="cluster", cov_kwds={"groups": np.arange(of.size), "df_correction": True}
    )
    found = first_shown(first, decisive)
    assert found.prompts == told.sum()
    half = t.ppf(0.975, told.sum() - 1) * fitted.bse[0]
    assert found.ci == pytest.approx((fitted.params[0] - half, fitted.params[0] + half), abs=1e-9)


def test_a_judge_that_always_names_the_first_is_not_certain():
    found = first_shown(np.full(66, 2), np.full(66, 2))
    assert (found.rate, found.first, found.decisive) == (1.0, 132, 132)
    assert found.ci is not None
    assert found.ci[0] == pytest.approx(wilson(1.0, 66)[0], abs=0.02)
    assert found.ci[1] == 1.0
    assert "shown second amount to only 0 of 66 prompts" in (found.unsafe or "")


def test_a_judge_that_follows_the_content_has_an_interval_too():
    found = first_shown(np.ones(100, dtype=int), np.full(100, 2))
    assert found.rate == 0.5
    assert found.ci is not None
    # What would be seen of 3 % of prompts that follow the place is none of 100 in one of twenty samples: 1/2 ± 0.015.
    assert 0.4 < found.ci[0] < 0.49
    assert found.ci[0] + found.ci[1] == pytest.approx(1)
    assert found.unsafe is None


def test_two_verdicts_of_a_prompt_that_say_the_same_count_as_one():
    once = first_shown(np.array([1] * 40 + [0] * 60), np.ones(100, dtype=int))
    twice = first_shown(np.array([2] * 40 + [0] * 60), np.full(100, 2))
    assert twice.ci == pytest.approx(once.ci, abs=1e-12)
    assert (once.decisive, twice.decisive) == (100, 200)


def test_clusters_count_as_their_copies_do():
    rng = np.random.default_rng(4)
    first, decisive = (counts[0] for counts in bench.shown(rng, (1, 50, 2), "chance", 0.6, 0.2, 0.2))
    once = first_shown(first, decisive)
    copies = first_shown(np.repeat(first, 3), np.repeat(decisive, 3), np.repeat(np.arange(50), 3))
    assert copies.ci == pytest.approx(once.ci, abs=1e-12)
    assert copies.prompts == 3 * once.prompts


def test_what_cannot_be_told_is_none_with_a_reason():
    for first, decisive in (([], []), ([0, 0], [0, 0])):
        found = first_shown(np.array(first, dtype=int), np.array(decisive, dtype=int))
        assert (found.rate, found.ci, found.prompts, found.unsafe) == (None, None, 0, None)
        assert found.reason == "no verdict names one side"
    one = first_shown(np.array([1, 0]), np.array([2, 0]))
    assert (one.rate, one.ci, one.unsafe) == (0.5, None, "one prompt alone gives no interval")
    together = first_shown(np.array([1, 0]), np.array([2, 1]), np.array(["a", "a"]))
    assert (together.ci, together.unsafe) == (None, "all prompts are in one cluster: no interval")


def test_impossible_counts_are_refused():
    for first, decisive in (([2], [1]), ([-1], [1])):
        with pytest.raises(ValueError, match="decisive verdicts on a prompt"):
            first_shown(np.array(first), np.array(decisive))
    with pytest.raises(ValueError, match="1 counts"):
        first_shown(np.array([1]), np.array([1, 1]))
    with pytest.raises(ValueError, match="need 1 clusters"):
        first_shown(np.array([1]), np.array([1]), np.array(["a", "b"]))
    with pytest.raises(ValueError, match="not negative"):
        lean(np.array([-1]), np.array([2]))


@given(COUNTS, st.randoms(use_true_random=False))
def test_no_order_of_prompts_and_no_prompt_without_a_verdict_changes_anything(pairs, random):
    found = first_shown(*counts(pairs))
    mixed = list(pairs)
    random.shuffle(mixed)
    for other in (mixed, [*pairs, (0, 0), (0, 0)]):
        again = first_shown(*counts(other))
        assert (again.rate, again.prompts, again.unsafe) == (found.rate, found.prompts, found.unsafe)
        assert again.ci == (None if found.ci is None else pytest.approx(found.ci, abs=1e-12))
    if found.ci is not None and found.rate is not None:
        assert 0 <= found.ci[0] <= found.rate <= found.ci[1] <= 1
        assert all(map(math.isfinite, found.ci))


@given(COUNTS)
def test_the_other_place_has_the_mirrored_interval(pairs):
    first, decisive = counts(pairs)
    found, other = first_shown(first, decisive), first_shown(decisive - first, decisive)
    assert (found.ci is None) == (other.ci is None)
    if found.ci is not None and other.ci is not None:
        assert other.ci == pytest.approx((1 - found.ci[1], 1 - found.ci[0]), abs=1e-12)


def test_the_interval_holds_what_it_promises():
    cells = list(bench.positions(seed=13, runs=200))
    assert [cell for cell in cells if not cell.kept] == []
    chance = [cell.covered for cell in cells if cell.promised and "chance" in cell.population]
    assert 0.935 <= np.mean(chance) <= 0.97
    assert min(cell.covered for cell in cells) >= 0.88


def test_a_lean_by_hand():
    from scipy.stats import binomtest

    found = lean(np.array([1] * 9 + [0] * 3), np.array([0] * 9 + [1] * 3))
    assert (found.n, found.share) == (12, 0.75)
    assert found.ci == pytest.approx(binomtest(9, 12).proportion_ci(method="wilson"), abs=1e-9)
    assert found.p_value == pytest.approx(binomtest(9, 12).pvalue, abs=1e-9)
    nobody = lean(np.zeros(2, dtype=int), np.zeros(2, dtype=int))
    assert (nobody.n, nobody.share, nobody.ci, nobody.p_value) == (0, None, None, 1.0)


@published.needs_data
@pytest.mark.parametrize("subset", ["Natural", "Neighbor"])
def test_the_places_of_llmbar(subset):
    decisions = published.lines(published.DATA / "llmbar" / subset / "decisions.jsonl")
    for cell, figure in published.reference("llmbar")[subset]["evaluators"].items():
        hits: dict[int, list[int]] = {}
        for row in decisions:
            if f"{row['evaluator']}/{row['strategy']}" == cell:
                named = hits.setdefault(row["index"], [])
                if row["winner"] is not None:
                    named.append(int(str(row["winner"]) == ("2" if row["swap"] else "1")))
        found = first_shown(*counts([(sum(named), len(named)) for named in hits.values()]))
        assert found.rate == pytest.approx(figure["first_position_preference_rate"], abs=1e-9)
        assert found.first == figure["first_preferred"]
        assert found.ci is not None


def test_repeats_of_a_prompt_are_one_vote():
    first, second = np.array([10] * 7 + [0] * 3), np.array([0] * 7 + [10] * 3)
    found = lean(first, second)
    assert (found.n, found.toward_first, found.share) == (100, 70, 0.7)
    assert found.p_value == pytest.approx(stats.binomtest(7, 10).pvalue)
    assert found.ci[0] < 0.45
    assert found.ci[1] > 0.9


def test_prompts_of_a_cluster_are_one_vote():
    first, second = np.array([1] * 6 + [0] * 2), np.array([0] * 6 + [1] * 2)
    clusters = np.array(["a"] * 6 + ["b", "c"])
    assert lean(first, second, clusters).p_value == 1.0
    assert lean(first, second).p_value == pytest.approx(stats.binomtest(6, 8).pvalue)
