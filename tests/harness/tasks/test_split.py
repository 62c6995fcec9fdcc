"""Folds and holdouts: laws that hold for any labels and groups."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.tasks.split import folds, holdout, rare

LABELS = st.lists(st.sampled_from("abbccccc").map(lambda label: (label,)), min_size=10, max_size=80)
SEEDS = st.integers(0, 2**32)
FEW = settings(max_examples=40, deadline=None)


def alone(strata):
    """Every item a group of its own."""
    return [f"t{place}" for place in range(len(strata))]


def rng(seed=0):
    return np.random.default_rng(seed)


@FEW
@given(strata=LABELS, k=st.integers(2, 8), seed=SEEDS)
def test_folds_are_a_partition_of_equal_sizes(strata, k, seed):
    found = folds(strata, alone(strata), k, rng(seed))
    sizes = np.bincount(found, minlength=k)
    assert len(sizes) == k
    assert sizes.sum() == len(strata)
    assert np.ptp(sizes) <= 1


@FEW
@given(strata=LABELS, k=st.integers(2, 8), seed=SEEDS)
def test_every_fold_has_its_share_of_each_label(strata, k, seed):
    found = folds(strata, alone(strata), k, rng(seed))
    small = rare(strata, alone(strata), k)
    for stratum in set(strata) - set(small):
        here = [fold for fold, label in zip(found, strata, strict=True) if label == stratum]
        assert np.ptp(np.bincount(here, minlength=k)) <= 1


@FEW
@given(strata=LABELS, seed=SEEDS, data=st.data(), k=st.integers(2, 5))
def test_equal_texts_are_never_split_up(strata, seed, data, k):
    groups = data.draw(st.lists(st.sampled_from("pqrstuvw"), min_size=len(strata), max_size=len(strata)))
    groups[:k] = list("pqrstuvw")[:k]
    for found in (folds(strata, groups, k, rng(seed)), holdout(strata, groups, len(strata) // 3, rng(seed))):
        where = dict(zip(groups, found.tolist(), strict=True))
        assert all(where[group] == fold for group, fold in zip(groups, found, strict=True))


@FEW
@given(strata=LABELS, seed=SEEDS, order=SEEDS)
def test_the_order_of_the_rows_does_not_matter(strata, seed, order):
    groups = alone(strata)
    shuffle = rng(order).permutation(len(strata))
    mixed = [strata[place] for place in shuffle], [groups[place] for place in shuffle]
    assert (folds(strata, groups, 4, rng(seed))[shuffle] == folds(*mixed, 4, rng(seed))).all()
    assert (holdout(strata, groups, 5, rng(seed))[shuffle] == holdout(*mixed, 5, rng(seed))).all()


@FEW
@given(strata=LABELS, seed=SEEDS, data=st.data())
def test_a_holdout_has_the_size_asked_for_and_each_label_its_share(strata, seed, data):
    count = data.draw(st.integers(0, len(strata)))
    taken = holdout(strata, alone(strata), count, rng(seed))
    assert taken.sum() == count
    small = rare(strata, alone(strata), len(strata) / count) if count else {}
    for stratum, size in Counter(strata).items():
        here = sum(held for held, label in zip(taken, strata, strict=True) if label == stratum)
        if stratum not in small:
            assert abs(here - size * count / len(strata)) < 1


@FEW
@given(strata=LABELS, seed=SEEDS)
def test_what_is_kept_is_never_held_out(strata, seed):
    keep = [place % 3 == 0 for place in range(len(strata))]
    taken = holdout(strata, alone(strata), len(strata) // 2, rng(seed), keep)
    assert not (taken & np.array(keep)).any()


def test_one_seed_one_split_another_seed_another():
    strata = [("a",), ("b",)] * 50
    assert (folds(strata, alone(strata), 5, rng(1)) == folds(strata, alone(strata), 5, rng(1))).all()
    assert (folds(strata, alone(strata), 5, rng(1)) != folds(strata, alone(strata), 5, rng(2))).any()
    assert (holdout(strata, alone(strata), 20, rng(1)) != holdout(strata, alone(strata), 20, rng(2))).any()


@pytest.mark.parametrize("k", [2, 3, 5, 7])
def test_a_labels_counts_are_those_of_scikit_learn(k):
    sklearn = pytest.importorskip("sklearn.model_selection")
    labels = rng(3).choice(list("aaaaabbbc"), size=203)
    ours = folds([(label,) for label in labels], alone(labels), k, rng())
    theirs = np.empty(len(labels), dtype=int)
    splitter = sklearn.StratifiedKFold(k, shuffle=True, random_state=0)
    for fold, (_, test) in enumerate(splitter.split(labels, labels)):
        theirs[test] = fold
    for label in "abc":
        counts = [sorted(np.bincount(found[labels == label], minlength=k)) for found in (ours, theirs)]
        assert counts[0] == counts[1]


def test_every_item_is_held_out_as_often_as_any_other():
    """2,000 draws of 3 of 10, with rare strata: each item is expected in 600; 4.5 standard errors are 92."""
    strata = [("a",)] * 5 + [("b",)] * 2 + [("c",), ("d",), ("e",)]
    generator = rng(5)
    times = sum(holdout(strata, alone(strata), 3, generator).astype(int) for _ in range(2000))
    assert times.sum() == 6000
    assert abs(times - 600).max() < 92


def test_rare_combinations_are_spread_like_one_and_neighbours_apart():
    strata = [("x", "common")] * 40 + [("x", name) for name in "pqrs"] + [("y", "t")] * 4
    assert rare(strata, alone(strata), 5) == {
        **{("x", name): 1 for name in "pqrs"},
        ("y", "t"): 4,
    }
    found = folds(strata, alone(strata), 4, rng())
    assert sorted(found[-4:]) == [0, 1, 2, 3]
    assert sorted(found[40:44]) == [0, 1, 2, 3]


def test_a_text_with_several_labels_counts_as_the_most_frequent():
    assert rare([("a",), ("b",), ("b",), ("a",)], ["s", "s", "s", "t"], 1) == {}
    assert rare([("a",), ("b",), ("b",), ("a",)], ["s", "s", "s", "t"], 2) == {("a",): 1, ("b",): 3}


def test_large_groups_are_evened_out_by_small_ones():
    strata = [("a",)] * 30
    groups = ["big"] * 10 + [f"t{place}" for place in range(20)]
    assert np.bincount(folds(strata, groups, 3, rng())).tolist() == [10, 10, 10]


def test_a_group_that_does_not_fit_is_left_where_it_is():
    strata = [("a",)] * 10
    assert holdout(strata, ["big"] * 10, 3, rng()).sum() == 0
    assert holdout(strata, ["big"] * 5 + list("pqrst"), 3, rng())[:5].sum() == 0


@pytest.mark.parametrize(("k", "words"), [(1, "at least 2 folds"), (4, "need at least 4 different texts, found 3")])
def test_folds_that_cannot_be_had(k, words):
    with pytest.raises(ValueError, match=words):
        folds([("a",)] * 4, ["s", "s", "t", "u"], k, rng())


def test_holdouts_that_cannot_be_had():
    with pytest.raises(ValueError, match="between 0 and 2"):
        holdout([("a",)] * 2, ["s", "t"], 3, rng())
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        holdout([("a",)] * 2, ["s"], 1, rng())
