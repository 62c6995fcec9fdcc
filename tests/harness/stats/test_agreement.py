"""Kappa, AC1 and Fleiss' kappa against scikit-learn, statsmodels, published examples and the rates they promise."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from harness.stats.agreement import cohen, fleiss_kappa, gwet, pair_agreement
from tests import published
from tests.bench import agreement as bench

NAMES = ("win", "loss", "tie")
OUTCOME = {"candidate": 0, "baseline": 1, "tie": 2, None: -1}


def rows_of(table):
    """Two judges whose table of counts this is."""
    table = np.asarray(table)
    pairs = np.repeat(np.arange(table.size), table.ravel())
    return (pairs // table.shape[0]).astype(np.int8), (pairs % table.shape[0]).astype(np.int8)


def codes_of(shape, seed, low=-1, categories=3):
    return np.random.default_rng(seed).integers(low, categories, shape).astype(np.int8)


def figures(pair):
    return (pair.agreement, pair.kappa, *(pair.kappa_ci or ()), pair.ac1, *(pair.ac1_ci or ()))


def gwet_by_hand(table):
    """AC1 and its variance by the sums of Gwet 2008, equations 12 and 14, without the finite-population factor."""
    n, q = table.sum(), len(table)
    p = table / n
    pi = [(p[k].sum() + p[:, k].sum()) / 2 for k in range(q)]
    agreed, chance = sum(p[k][k] for k in range(q)), sum(x * (1 - x) for x in pi) / (q - 1)
    ac1 = (agreed - chance) / (1 - chance)
    one = sum(p[k][k] * (1 - pi[k]) for k in range(q)) / (q - 1) - agreed * chance
    square = sum(p[k][m] * (1 - (pi[k] + pi[m]) / 2) ** 2 for k, m in itertools.product(range(q), repeat=2))
    two = square / (q - 1) ** 2 - chance**2
    spread = agreed * (1 - agreed) - 4 * (1 - ac1) * one + 4 * (1 - ac1) ** 2 * two
    return ac1, spread / (n * (1 - chance) ** 2)


@pytest.mark.parametrize("seed", range(5))
def test_kappa_is_scikit_learns(seed):
    metrics = pytest.importorskip("sklearn.metrics")
    a, b = codes_of((2, 60), seed)
    both = (a >= 0) & (b >= 0)
    found = pair_agreement(a, b, 3)
    assert found.n == both.sum()
    assert found.kappa == pytest.approx(metrics.cohen_kappa_score(a[both], b[both]), abs=1e-9)
    assert found.table == tuple(map(tuple, metrics.confusion_matrix(a[both], b[both], labels=[0, 1, 2])))


@pytest.mark.parametrize("table", [[[20, 5], [10, 15]], [[40, 6, 2], [3, 22, 4], [1, 5, 9]], [[0, 4], [3, 0]]])
def test_the_influence_gives_the_published_variances(table):
    from statsmodels.stats.inter_rater import cohens_kappa

    table = np.array(table)
    cells, n = table / table.sum(), table.sum()
    kappa, influence = cohen(cells)
    known = cohens_kappa(table)
    assert kappa == pytest.approx(known.kappa, abs=1e-9)
    assert (cells * influence**2).sum() / n == pytest.approx(known.var_kappa, abs=1e-9)
    ac1, influence = gwet(cells)
    assert (ac1, (cells * influence**2).sum() / n) == pytest.approx(gwet_by_hand(table), abs=1e-9)


def test_ac1_by_hand():
    # 118, 5, 2, 0 of 125: π = 0.972, chance 2 · 0.972 · 0.028 = 0.054432, against kappa's 0.945280.
    found = pair_agreement(*rows_of([[118, 5], [2, 0]]), 2)
    assert found.ac1 == pytest.approx((0.944 - 0.054432) / (1 - 0.054432), abs=1e-12)
    assert found.kappa == pytest.approx((0.944 - 0.94528) / (1 - 0.94528), abs=1e-9)


def test_a_category_that_nobody_used_changes_nothing():
    a, b = codes_of((2, 40), 1, categories=2)
    two, three = pair_agreement(a, b, 2), pair_agreement(a, b, 3)
    assert figures(two) == pytest.approx(figures(three), abs=1e-12)
    assert three.shares_a == (*two.shares_a, 0.0)


def test_fleiss_kappa_of_fleiss_and_of_statsmodels():
    from statsmodels.stats import inter_rater

    # Fleiss 1971, table 1: psychiatric diagnoses of 30 patients by 6 raters; he prints 0.430.
    rows = """444444 222555 233335 555555 222444 113333 333355 113334 114444 555555 144444 124444 222333 144444 224445
    333335 111455 111112 224444 133555 555555 244444 224555 114444 144445 222224 111155 224444 133333 555555"""
    patients = np.array([[int(code) - 1 for code in row] for row in rows.split()], dtype=np.int8)
    assert fleiss_kappa(patients.T, 5) == pytest.approx(0.430, abs=5e-4)
    codes = codes_of((4, 50), 3, low=0)
    table, _ = inter_rater.aggregate_raters(codes.T)
    assert fleiss_kappa(codes, 3) == pytest.approx(inter_rater.fleiss_kappa(table), abs=1e-9)


def test_fleiss_kappa_needs_every_verdict():
    codes = codes_of((3, 20), 4, low=0)
    holed = codes.copy()
    holed[1, 5] = -1
    assert fleiss_kappa(holed, 3) is None
    assert fleiss_kappa(codes[:1], 3) is None
    assert fleiss_kappa(codes[:, :1], 3) is None
    assert fleiss_kappa(np.zeros((3, 9), dtype=np.int8), 3) is None
    nobody = np.concatenate([codes, np.full((3, 2), -1, dtype=np.int8)], axis=1)
    assert fleiss_kappa(nobody, 3) == fleiss_kappa(codes, 3)


def test_what_cannot_be_told_is_none_with_a_reason():
    nothing = pair_agreement(np.array([0, -1], dtype=np.int8), np.array([-1, 1], dtype=np.int8), 3)
    assert (nothing.n, nothing.agreement, nothing.kappa, nothing.ac1, nothing.unsafe) == (0, None, None, None, None)
    assert nothing.reason == "no prompt was scored by both judges"
    one = pair_agreement(np.zeros(1, dtype=np.int8), np.zeros(1, dtype=np.int8), 3)
    assert (one.agreement, one.kappa) == (1.0, None)
    assert "n = 1" in (one.reason or "")
    ties = pair_agreement(np.full(9, 2, dtype=np.int8), np.full(9, 2, dtype=np.int8), 3)
    assert (ties.agreement, ties.kappa, ties.kappa_ci, ties.ac1) == (1.0, None, None, None)
    assert "the same verdict on all 9 prompts" in (ties.reason or "")
    together = pair_agreement(*rows_of([[4, 1], [1, 4]]), 2, np.zeros(10))
    assert together.kappa == pytest.approx(0.6)
    assert together.kappa_ci is None
    assert together.unsafe == "all prompts are in one cluster: no interval"


def test_bad_codes_are_refused():
    good = np.zeros(4, dtype=np.int8)
    for bad in (np.full(4, 3, dtype=np.int8), np.full(4, -2, dtype=np.int8), np.full(4, np.nan)):
        with pytest.raises(ValueError, match="a code is"):
            pair_agreement(good, bad, 3)
    with pytest.raises(ValueError, match="4 and 3 codes"):
        pair_agreement(good, good[:3], 3)
    with pytest.raises(ValueError, match="need 4 clusters"):
        pair_agreement(good, good, 3, np.zeros(3))
    with pytest.raises(ValueError, match="one row a judge"):
        fleiss_kappa(good, 3)


def test_a_variance_of_zero_is_no_certainty():
    perfect = pair_agreement(*rows_of([[50, 0], [0, 50]]), 2)
    assert perfect.kappa == 1
    assert perfect.kappa_ci is not None
    assert 0.9 < perfect.kappa_ci[0] < 0.97
    assert perfect.kappa_ci[1] == 1
    constant = pair_agreement(*rows_of([[60, 40], [0, 0]]), 2)
    assert constant.kappa == 0
    assert constant.kappa_ci is not None
    assert constant.kappa_ci[0] < -0.01
    assert constant.kappa_ci[1] > 0.01
    assert constant.unsafe is not None


def test_copies_in_a_cluster_say_nothing_new():
    a, b = codes_of((2, 60), 5, low=0)
    once = pair_agreement(a, b, 3)
    copies = pair_agreement(np.repeat(a, 4), np.repeat(b, 4), 3, np.repeat(np.arange(60), 4))
    assert figures(copies) == pytest.approx(figures(once), abs=1e-9)
    assert copies.n == 240
    assert figures(pair_agreement(a, b, 3, np.arange(60))) == figures(once)


def test_few_verdicts_beside_the_most_frequent_are_said():
    rare = pair_agreement(*rows_of([[80, 5], [5, 10]]), 2)
    assert rare.unsafe == (
        "one judge said anything but its most frequent verdict on only 15 of 100 prompts: "
        "the interval needs 20 to be relied on"
    )
    assert pair_agreement(*rows_of([[60, 10], [10, 20]]), 2).unsafe is None
    clustered = pair_agreement(*rows_of([[60, 10], [10, 20]]), 2, np.arange(100) // 10)
    assert "30 of 100 prompts in 10 clusters" in (clustered.unsafe or "")


CODES = arrays(np.int8, st.tuples(st.just(2), st.integers(0, 25)), elements=st.integers(-1, 2))


@given(CODES, st.randoms(use_true_random=False), st.permutations(range(3)))
def test_no_order_of_prompts_or_judges_and_no_name_of_a_category_changes_anything(codes, random, names):
    found = pair_agreement(codes[0], codes[1], 3)
    places = list(range(codes.shape[1]))
    random.shuffle(places)
    renamed = np.where(codes < 0, -1, np.array(names)[codes]).astype(np.int8)
    for other in (codes[:, places], codes[::-1], renamed):
        assert figures(pair_agreement(other[0], other[1], 3)) == pytest.approx(figures(found), abs=1e-12)
    longer = np.concatenate([codes, [[-1, 2, -1], [-1, -1, 0]]], axis=1).astype(np.int8)
    assert figures(pair_agreement(longer[0], longer[1], 3)) == figures(found)


@given(CODES)
def test_every_interval_holds_its_figure_and_is_finite(codes):
    found = pair_agreement(codes[0], codes[1], 3)
    for value, ci in ((found.kappa, found.kappa_ci), (found.ac1, found.ac1_ci)):
        assert (value is None) == (ci is None) == (found.reason is not None)
        if value is not None and ci is not None:
            assert -1 <= ci[0] <= value <= ci[1] <= 1
            assert all(map(math.isfinite, ci))


@pytest.mark.chaos
def test_the_intervals_hold_what_they_promise():
    cells = list(bench.kappas(seed=11, runs=60))
    assert [cell for cell in cells if not cell.kept] == []
    for name in ("kappa", "AC1"):
        covered = [cell.covered for cell in cells if cell.what == name and cell.promised]
        assert len(covered) >= 10
        assert 0.935 <= np.mean(covered) <= 0.975
    assert np.mean([cell.covered for cell in cells if cell.extreme]) >= 0.92


@published.needs_data
def test_the_kappas_of_the_brie_judges():
    known = published.reference("brie_0_5b")["comprehensive_0_5b"]["agreement_all_rows_57"]["pairwise"]
    for names, figure in known.items():
        a, b = (
            np.array([OUTCOME[record["winner"]] for record in published.brie_by_row(judge)], dtype=np.int8)
            for judge in names.split(" | ")
        )
        found = pair_agreement(a, b, 3)
        assert (found.n, found.agreement) == (figure["n"], pytest.approx(figure["raw_agreement"], abs=1e-9))
        assert found.kappa == pytest.approx(figure["cohen_kappa"], abs=1e-9)


@published.needs_data
@pytest.mark.parametrize("subset", ["Natural", "Neighbor"])
def test_the_kappas_of_llmbar(subset):
    seen = 0
    decisions = published.lines(published.DATA / "llmbar" / subset / "decisions.jsonl")
    for cell, figure in published.reference("llmbar")[subset]["evaluators"].items():
        evaluator, strategy = cell.split("/")
        rows = [row for row in decisions if (row["evaluator"], row["strategy"]) == (evaluator, strategy)]
        said = {swap: {r["index"]: r for r in rows if r["swap"] is swap} for swap in (False, True)}
        prompts = sorted(said[False])
        codes = {
            swap: np.array([_code(said[swap][prompt]["winner"]) for prompt in prompts], dtype=np.int8) for swap in said
        }
        gold = np.array([_code(said[False][prompt]["label"]) for prompt in prompts], dtype=np.int8)
        pairs = ((codes[False], gold), (codes[True], gold), (codes[False], codes[True]))
        keys = ("kappa_vs_gold_swap_false", "kappa_vs_gold_swap_true", "kappa_between_orders")
        for (a, b), key in zip(pairs, keys, strict=True):
            assert pair_agreement(a, b, 2).kappa == pytest.approx(figure[key], abs=1e-9)
            seen += 1
    assert seen >= 24


def _code(winner):
    return -1 if winner is None else int(winner) - 1
