"""Krippendorff's alpha against his own examples, all pairs one by one, and the rate its interval promises."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from harness.stats.alpha import alpha_with_interval, krippendorff_alpha
from tests import published
from tests.bench import agreement as bench

OUTCOME = {"candidate": 0, "baseline": 1, "tie": 2, None: -1}


def codes_of(*rows):
    """Codes from digits, 1 the first category, and dots for what is missing."""
    return np.array([[-1 if digit == "." else int(digit) - 1 for digit in row] for row in rows], dtype=np.int8)


def by_all_pairs(codes, categories):
    """Alpha as defined: the coincidences of every ordered pair of verdicts on a prompt, over those to be expected."""
    coincidences = np.zeros((categories, categories))
    for prompt in codes.T:
        told = [code for code in prompt if code >= 0]
        for one, other in itertools.permutations(range(len(told)), 2):
            coincidences[told[one], told[other]] += 1 / (len(told) - 1)
    totals = coincidences.sum(axis=1)
    n = totals.sum()
    expected = sum(totals[i] * totals[j] for i in range(categories) for j in range(categories) if i != j) / (n - 1)
    return 1 - (n - np.trace(coincidences)) / expected


def drawn(codes, categories=3, seed=0, **more):
    return alpha_with_interval(codes, categories, rng=np.random.default_rng(seed), **more)


def test_krippendorffs_examples():
    # Krippendorff 2011: two observers and two values (B), four observers, five values and missing data (C, 0.743).
    assert krippendorff_alpha(codes_of("1211111121", "2221121111"), 2) == pytest.approx(0.095, abs=5e-4)
    four = codes_of("123321412...", "1233224125.3", ".3332342251.", "12332441251.")
    assert krippendorff_alpha(four, 5) == pytest.approx(0.743, abs=5e-4)
    assert drawn(four, 5).n == 11


@pytest.mark.parametrize(("judges", "missing"), [(2, 0.0), (3, 0.2), (5, 0.4)])
def test_alpha_is_that_of_all_pairs(judges, missing):
    rng = np.random.default_rng(judges)
    codes = bench.verdicts(rng, (1, judges, 40), (0.5, 0.3, 0.2), 0.4, missing)[0]
    assert krippendorff_alpha(codes, 3) == pytest.approx(by_all_pairs(codes, 3), abs=1e-9)


def test_the_bootstrap_is_the_resampling_of_prompts():
    """The same prompts drawn one by one, with those that are added, give the same interval but for chance."""
    codes = bench.verdicts(np.random.default_rng(8), (1, 3, 80), (0.6, 0.4), 0.5, 0.1)[0]
    codes = codes[:, (codes >= 0).sum(axis=0) >= 2]
    size = (codes >= 0).sum() / codes.shape[1]
    rng = np.random.default_rng(9)
    values = []
    for _ in range(4000):
        places = rng.choice(codes.shape[1] + 2, size=codes.shape[1])
        real = codes[:, places[places < codes.shape[1]]]
        pairs = rng.integers(0, 2, (2, int((places >= codes.shape[1]).sum())))
        tallies = np.stack([(real == 0).sum(axis=0), (real == 1).sum(axis=0)], axis=1).astype(float)
        more = np.stack([(pairs == 0).sum(axis=0), (pairs == 1).sum(axis=0)], axis=1) * size / 2
        verdicts = tallies.sum(axis=1)
        differing = ((verdicts**2 - (tallies**2).sum(axis=1)) / (verdicts - 1)).sum()
        differing += size * (pairs[0] != pairs[1]).sum()
        totals = tallies.sum(axis=0) + more.sum(axis=0)
        values.append(1 - (totals.sum() - 1) * differing / (totals.sum() ** 2 - (totals**2).sum()))
    ends = np.quantile(values, [0.025, 0.975])
    assert drawn(codes, 2, resamples=8000).ci == pytest.approx(ends, abs=0.012)
    # Prompts in clusters of one, too many patterns to count: the other way of drawing.
    spread = drawn(codes, 2, resamples=8000, clusters=np.arange(codes.shape[1]))
    assert spread.ci == pytest.approx(ends, abs=0.012)


def test_copies_in_a_cluster_say_nothing_new():
    codes = bench.verdicts(np.random.default_rng(3), (1, 3, 100), (0.6, 0.4), 0.5, 0.1)[0]
    once = drawn(codes, 2, resamples=8000)
    copies = drawn(np.repeat(codes, 4, axis=1), 2, resamples=8000, clusters=np.repeat(np.arange(100), 4))
    unclustered = drawn(np.repeat(codes, 4, axis=1), 2, resamples=8000)
    assert once.ci is not None
    assert copies.ci == pytest.approx(once.ci, abs=0.015)
    assert np.ptp(unclustered.ci) < 0.6 * np.ptp(once.ci)


def test_what_cannot_be_told_is_none_with_a_reason():
    cases = {
        "no prompt has two verdicts": codes_of("1.2", ".3."),
        "one prompt with two verdicts says nothing of chance (n = 1)": codes_of("12", "1."),
        "all verdicts on 3 prompts are the same, so agreement by chance is certain": codes_of("3331", "333."),
    }
    for reason, codes in cases.items():
        found = drawn(codes)
        assert (found.value, found.ci, found.unsafe, found.reason) == (None, None, None, reason)
        assert krippendorff_alpha(codes, 3) is None
    together = drawn(codes_of("1212", "1221"), clusters=np.zeros(4))
    assert together.value is not None
    assert (together.ci, together.unsafe) == (None, "all prompts are in one cluster: no interval")


def test_bad_codes_are_refused():
    with pytest.raises(ValueError, match="a code is"):
        krippendorff_alpha(codes_of("14", "11"), 3)
    with pytest.raises(ValueError, match="need 2 clusters"):
        drawn(codes_of("12", "11"), clusters=np.zeros(3))


def test_full_agreement_is_no_certainty():
    found = drawn(np.tile(np.arange(100, dtype=np.int8) % 2, (3, 1)), 2)
    assert found.value == 1
    assert found.ci is not None
    assert 0.85 < found.ci[0] < 0.98
    assert found.ci[1] == 1
    assert found.unsafe is None


def test_rare_verdicts_are_said():
    codes = np.zeros((2, 100), dtype=np.int8)
    codes[:, :10] = 1
    assert drawn(codes).unsafe == (
        "on average a judge said anything but the most frequent verdict on only 10 of 100 prompts: "
        "the interval needs 20 to be relied on"
    )


CODES = arrays(np.int8, st.tuples(st.integers(1, 4), st.integers(0, 15)), elements=st.integers(-1, 2))


@settings(deadline=None)
@given(CODES, st.randoms(use_true_random=False), st.permutations(range(3)))
def test_no_order_of_prompts_or_judges_and_no_name_of_a_category_changes_alpha(codes, random, names):
    value = krippendorff_alpha(codes, 3)
    prompts, judges = list(range(codes.shape[1])), list(range(codes.shape[0]))
    random.shuffle(prompts)
    random.shuffle(judges)
    renamed = np.where(codes < 0, -1, np.array(names)[codes]).astype(np.int8)
    absent = np.full((codes.shape[0], 3), -1, dtype=np.int8)
    idle = np.full((2, codes.shape[1]), -1, dtype=np.int8)
    others = (codes[:, prompts], codes[judges], renamed, np.hstack([codes, absent]), np.vstack([codes, idle]))
    for other in others:
        assert krippendorff_alpha(other, 3) == (None if value is None else pytest.approx(value, abs=1e-12))
    plain = drawn(codes, resamples=50)
    for other in (others[0], others[1], *others[3:]):
        assert drawn(other, resamples=50) == plain
    if plain.ci is not None and plain.value is not None:
        assert plain.ci[0] <= plain.value <= plain.ci[1]


def test_a_seed_gives_one_interval():
    codes = bench.verdicts(np.random.default_rng(2), (1, 3, 60), (0.6, 0.3, 0.1), 0.3, 0.1)[0]
    assert drawn(codes, seed=5) == drawn(codes, seed=5)
    assert drawn(codes, seed=5) != drawn(codes, seed=6)


def test_five_judges_on_twenty_thousand_prompts_take_no_time():
    codes = bench.verdicts(np.random.default_rng(1), (1, 5, 20_000), (0.5, 0.4, 0.1), 0.4, 0.1)[0]
    for clusters in (None, np.arange(20_000) // 2):
        begun = time.process_time()
        found = drawn(codes, clusters=clusters)
        assert time.process_time() - begun < 3
        assert found.value == pytest.approx(0.4, abs=0.02)


def test_the_interval_holds_what_it_promises():
    cells = list(bench.alphas(12, 80, 400, panels=((2, 0.0), (5, 0.3)), likenesses=(0.0, 0.3)))
    assert [cell for cell in cells if not cell.kept] == []
    covered = [cell.covered for cell in cells if cell.promised]
    assert len(covered) >= 5
    assert 0.92 <= np.mean(covered) <= 0.985
    assert np.mean([cell.covered for cell in cells if cell.extreme]) >= 0.92


@published.needs_data
def test_the_alpha_of_the_brie_judges():
    known = published.reference("brie_0_5b")["comprehensive_0_5b"]["agreement_all_rows_57"]["alpha"]
    judges = [judge for judge in published.BRIE_JUDGES if judge != "gemini-2.0-flash-exp"]
    codes = np.array([[OUTCOME[record["winner"]] for record in published.brie_by_row(judge)] for judge in judges])
    found = drawn(codes.astype(np.int8))
    assert found.n == known["items_with_2plus"]
    assert found.value == pytest.approx(known["alpha_nominal"], abs=1e-9)


@published.needs_data
@pytest.mark.parametrize("subset", ["Natural", "Neighbor"])
def test_the_alphas_of_llmbar(subset):
    decisions = published.lines(published.DATA / "llmbar" / subset / "decisions.jsonl")
    rows = [row for row in decisions if row["strategy"] == "Vanilla" and row["swap"] is False]
    prompts = sorted({row["index"] for row in rows})
    said = {(row["evaluator"], row["index"]): row["winner"] for row in rows}
    gold = {row["index"]: row["label"] for row in rows}
    judges = [[said[name, prompt] for prompt in prompts] for name in ("GPT-4", "ChatGPT")]
    judges.append([gold[prompt] for prompt in prompts])
    codes = np.array([[-1 if said is None else int(said) - 1 for said in row] for row in judges], dtype=np.int8)
    reference = published.reference("llmbar")[subset]
    for count, key in ((2, "alpha_vanilla_evaluators"), (3, "alpha_vanilla_evaluators_plus_gold")):
        assert krippendorff_alpha(codes[:count], 2) == pytest.approx(reference[key]["alpha_nominal"], abs=1e-9)
