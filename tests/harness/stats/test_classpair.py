"""Two models on the same items: the difference of F1 by hand, its coverage, the swap test by enumeration."""

import itertools
import math

import numpy as np
import pytest

from harness.stats.classerror import correlation
from harness.stats.classes import confusion, macro_f1, per_class
from harness.stats.classpair import difference, f1_difference, swap_test

GOLD = list("aabbbcab")
ONE = list("abbbacab")
TWO = ["a", "a", "b", "c", "b", "c", "b", None]


def plain(gold, predicted, label=None):
    counted = confusion(gold, predicted)
    return macro_f1(counted) if label is None else per_class(counted)[label].f1


def test_the_difference_is_that_of_the_two_figures():
    for label in (None, "a", "b", "c"):
        found = f1_difference(GOLD, ONE, TWO, label=label)
        a, b = plain(GOLD, ONE, label), plain(GOLD, TWO, label)
        assert (found.a, found.b, found.difference) == pytest.approx((a, b, b - a), abs=1e-9)
        assert found.ci[0] <= found.difference <= found.ci[1]


def test_swapping_the_sides_mirrors_it():
    one, two = f1_difference(GOLD, ONE, TWO), f1_difference(GOLD, TWO, ONE)
    assert two.difference == pytest.approx(-one.difference, abs=1e-12)
    assert two.ci == pytest.approx((-one.ci[1], -one.ci[0]), abs=1e-12)
    assert two.p_value == pytest.approx(one.p_value)


def drawn(n, prior, right_a, right_b, same, rng):
    """Gold and two predictions; with probability `same` an item that one gets right the other does too, as it can."""
    k = len(prior)
    gold = rng.choice(k, size=n, p=np.asarray(prior) / np.sum(prior))
    shared = rng.random(n)
    mine = np.where(rng.random(n) < same, shared, rng.random(n))
    columns = []
    for right, luck in ((right_a, shared), (right_b, mine)):
        wrong = (gold + rng.integers(1, k, size=n)) % k
        columns.append(np.where(luck < np.asarray(right)[gold], gold, wrong))
    return [[str(value) for value in column] for column in (gold, *columns)]


def truth(prior, right):
    """Each class's F1, errors going evenly to the others."""
    prior = np.asarray(prior) / np.sum(prior)
    hits = prior * right
    given = hits + ((prior - hits).sum() - (prior - hits)) / (len(prior) - 1)
    return 2 * hits / (prior + given)


@pytest.mark.parametrize(
    ("prior", "a", "b", "n"),
    [
        ([63, 21, 16], [0.9, 0.6, 0.7], [0.9, 0.7, 0.8], 200),
        ([1] * 5, [0.6] * 5, [0.74] * 5, 50),
        ([97, 3], [0.98, 0.5], [0.97, 0.8], 200),
        ([60, 37, 3], [0.95, 0.95, 0.5], [0.95, 0.95, 0.5], 300),
    ],
)
def test_intervals_hold_the_true_difference(prior, a, b, n):
    rng, times, inside, inside_one = np.random.default_rng(5), 300, 0, 0
    moved = truth(prior, np.asarray(b)) - truth(prior, np.asarray(a))
    rare = len(prior) - 1
    for _ in range(times):
        gold, one, two = drawn(n, prior, a, b, 0.6, rng)
        if str(rare) not in gold:
            times -= 1
            continue
        found = f1_difference(gold, one, two)
        inside += found.ci[0] <= moved.mean() <= found.ci[1]
        own = f1_difference(gold, one, two, label=str(rare))
        inside_one += own.ci[0] <= moved[rare] <= own.ci[1]
    least = 0.95 - 3 * math.sqrt(0.95 * 0.05 / times)
    assert inside / times > least and inside_one / times > least


def test_seeds_of_the_same_items_are_clusters():
    rng = np.random.default_rng(2)
    gold, one, two = drawn(120, [2, 1], [0.7, 0.6], [0.8, 0.7], 0.5, rng)
    clusters = [str(place) for place in range(120)] * 3
    alone = f1_difference(gold, one, two)
    found = f1_difference(gold * 3, one * 3, two * 3, clusters=clusters)
    assert found.ci == pytest.approx(alone.ci, abs=1e-9)


def test_another_figure_has_its_difference_too():
    found = difference(confusion(GOLD, ONE), confusion(GOLD, TWO), correlation)
    assert found.ci is not None and found.a > found.b
    flat = difference(confusion(GOLD, ONE), confusion(GOLD, ["a"] * 8), correlation)
    assert flat.difference is None and flat.b is None and flat.reason == "one side has no such figure"


def test_what_cannot_be_told_has_a_reason():
    assert f1_difference([], [], []).reason == "there are no predictions"
    one = f1_difference(["a"], ["a"], ["b"])
    assert one.difference == -1 and one.ci is None and one.reason.startswith("n = 1")
    assert f1_difference(["a"] * 4, ["a"] * 4, ["a"] * 4).reason == "there is one label alone: nothing can differ"
    with pytest.raises(ValueError, match="neither a gold label nor predicted"):
        f1_difference(GOLD, ONE, TWO, label="z")
    with pytest.raises(ValueError, match="every gold label"):
        f1_difference(GOLD, ONE, TWO[:-1])
    with pytest.raises(ValueError, match="of both models"):
        swap_test(GOLD, ONE, TWO[:-1], np.random.default_rng(0))


def test_a_class_that_one_model_never_names_counts_as_zero_there():
    found = f1_difference(list("aabb"), list("aabb"), list("aacb"), label="c")
    assert (found.a, found.b, found.difference) == (0, 0, 0)


def test_few_items_of_a_class_are_told():
    found = f1_difference(GOLD, ONE, TWO, label="c")
    assert "only 2 of 8 items" in found.unsafe


@pytest.mark.parametrize("label", [None, "b"])
def test_the_swap_test_is_the_enumeration_of_all_swaps(label):
    apart = [place for place in range(8) if ONE[place] != TWO[place]]
    seen = abs(plain(GOLD, TWO, label) - plain(GOLD, ONE, label))
    extreme = total = 0
    for swapped in itertools.product([False, True], repeat=len(apart)):
        a, b = list(ONE), list(TWO)
        for place in itertools.compress(apart, swapped):
            a[place], b[place] = b[place], a[place]
        total += 1
        extreme += abs(plain(GOLD, b, label) - plain(GOLD, a, label)) >= seen - 1e-12
    found = swap_test(GOLD, ONE, TWO, np.random.default_rng(3), label=label, resamples=20_000)
    assert found == pytest.approx(extreme / total, abs=0.015)


def test_models_that_never_differ_have_a_p_value_of_one():
    assert swap_test(GOLD, ONE, ONE, np.random.default_rng(0)) == 1
    assert swap_test([], [], [], np.random.default_rng(0)) == 1


def test_the_swap_test_raises_no_more_than_5_of_100_false_alarms():
    rng, times = np.random.default_rng(4), 300
    alarms = 0
    for _ in range(times):
        gold, one, two = drawn(120, [90, 7, 3], [0.95, 0.5, 0.4], [0.95, 0.5, 0.4], 0.3, rng)
        alarms += swap_test(gold, one, two, rng, resamples=199) <= 0.05
    assert alarms / times < 0.05 + 3 * math.sqrt(0.05 * 0.95 / times)
