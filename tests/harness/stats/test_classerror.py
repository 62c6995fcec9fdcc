"""Intervals of figures over classes: their influence by brute force, what they promise by simulation."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.stats.classerror import (
    Influence,
    Shares,
    balanced,
    class_intervals,
    correlation,
    estimate,
    f1_of,
    macro,
    micro,
    shares_of,
    weighted,
)
from harness.stats.classes import balanced_accuracy, confusion, macro_f1, mcc, micro_f1, per_class, weighted_f1

PLAIN = {macro: macro_f1, micro: micro_f1, weighted: weighted_f1, balanced: balanced_accuracy, correlation: mcc}
LABELS = st.sampled_from("abc")
PAIRS = st.lists(st.tuples(LABELS, st.one_of(LABELS, st.none())), min_size=2, max_size=30)


def sides(pairs):
    gold, predicted = zip(*pairs, strict=True)
    return confusion(gold, predicted)


@given(PAIRS)
def test_values_are_those_of_the_counts(pairs):
    counted = sides(pairs)
    for measure, plain in PLAIN.items():
        found, known = measure(shares_of(counted)[0]).value, plain(counted)
        assert math.isnan(found) if known is None else found == pytest.approx(known, abs=1e-9)


@given(PAIRS, st.integers(0, 29))
def test_the_influence_is_the_derivative_by_one_item_s_weight(pairs, place):
    """Against copies of the items: 1e6 of each, and one more of a single one."""
    counted, many = sides(pairs), 1_000_000
    place %= len(pairs)
    for measure in (*PLAIN, f1_of(0)):
        shares, _, _ = shares_of(counted)
        found = measure(shares)
        assume(not math.isnan(found.value))
        total = many * counted.n + 1
        more = {name: getattr(shares, name) * many * counted.n for name in ("right", "true", "given")}
        more["right"][counted.gold[place]] += counted.hits[place]
        more["true"][counted.gold[place]] += 1
        more["given"][counted.predicted[place]] += 1
        moved = measure(type(shares)(**{name: values / total for name, values in more.items()})).value
        assert (moved - found.value) * total == pytest.approx(found.of(counted)[place], abs=1e-4)
        assert found.of(counted).sum() == pytest.approx(0, abs=1e-9)


def test_the_mean_square_over_cells_is_that_of_all_pairs():
    rng = np.random.default_rng(0)
    found = Influence(value=0.0, a=rng.normal(size=3), b=rng.normal(size=4), d=rng.normal(size=3))
    for columns in (3, 4):
        cells = [
            (found.a[i] + found.b[j] + (found.d[i] if i == j else 0)) ** 2 for i in range(3) for j in range(columns)
        ]
        assert found.square(columns) == pytest.approx(np.mean(cells), abs=1e-12)


def chances(prior, right):
    """A confusion's probabilities (k, k): errors go to the other labels as often as these occur."""
    prior = np.asarray(prior, float) / np.sum(prior)
    right = np.broadcast_to(right, prior.shape)
    others = np.broadcast_to(prior, (prior.size, prior.size)) * (1 - np.eye(prior.size))
    others = others / others.sum(axis=1, keepdims=True) * (1 - right)[:, None]
    return prior[:, None] * (others + np.diag(right))


def drawn(cells, n, rng):
    names = [str(place) for place in range(cells.shape[0])]
    places = rng.choice(cells.size, size=n, p=cells.ravel())
    rows, columns = np.unravel_index(places, cells.shape)
    return confusion([names[i] for i in rows], [names[j] for j in columns])


def truth(measure, cells):
    counts = np.rint(cells * 10**7).astype(int)
    given = np.append(counts.sum(axis=0), 0)
    values = {"right": np.diag(counts), "true": counts.sum(axis=1), "given": given}
    return measure(Shares(**{name: value / counts.sum() for name, value in values.items()})).value


SETTINGS = {
    "balanced, small": (chances([1, 1], 0.8), 30),
    "sentiment": (chances([63, 21, 16], [0.9, 0.6, 0.7]), 150),
    "five options": (chances([1] * 5, 0.74), 60),
    "nearly perfect": (chances([1, 1, 1], 0.98), 60),
    "a class that is hardly found": (chances([6, 3, 1], [0.95, 0.1, 0.05]), 200),
    "chance": (chances([1] * 4, 0.25), 100),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_intervals_hold_the_true_figure_in_95_of_100(name):
    cells, n = SETTINGS[name]
    rng, times = np.random.default_rng(7), 250
    inside = dict.fromkeys(PLAIN, 0)
    for _ in range(times):
        counted = drawn(cells, n, rng)
        for measure in PLAIN:
            found = estimate(counted, measure)
            inside[measure] += found.ci is not None and found.ci[0] <= truth(measure, cells) <= found.ci[1]
    for measure, count in inside.items():
        # Three standard errors of a share of 250 below 95 %.
        assert count / times > 0.95 - 3 * math.sqrt(0.95 * 0.05 / times), (measure.__name__, count)


def test_a_rare_class_has_a_wide_interval_that_says_so():
    cells, n = chances([97, 3], [0.98, 0.5]), 200
    rng, times = np.random.default_rng(8), 400
    inside = told = 0
    for _ in range(times):
        found = estimate(drawn(cells, n, rng), macro)
        inside += found.ci[0] <= truth(macro, cells) <= found.ci[1]
        told += found.unsafe is not None
    assert inside / times > 0.87
    assert told / times > 0.9


def test_a_class_s_own_intervals_hold_at_least_95_of_100():
    cells, n = chances([90, 7, 3], [0.95, 0.5, 0.3]), 120
    truths = {"f1": 2 * cells[2, 2] / (cells[2].sum() + cells[:, 2].sum())}
    truths |= {"precision": cells[2, 2] / cells[:, 2].sum(), "recall": cells[2, 2] / cells[2].sum()}
    rng, inside, counted_in = np.random.default_rng(9), dict.fromkeys(truths, 0), dict.fromkeys(truths, 0)
    for _ in range(600):
        found = class_intervals(drawn(cells, n, rng)).get("2")
        for name, true in truths.items():
            ends = getattr(found, name) if found is not None else None
            counted_in[name] += ends is not None
            inside[name] += ends is not None and ends[0] <= true <= ends[1]
    for name, count in inside.items():
        assert count / counted_in[name] > 0.93, name


def test_clusters_that_repeat_items_widen_the_interval_to_that_of_the_items():
    counted = drawn(chances([2, 1, 1], 0.7), 80, np.random.default_rng(1))
    gold, predicted = ([counted.labels[i] for i in column] for column in (counted.gold, counted.predicted))
    thrice = confusion(gold * 3, predicted * 3)
    clusters = [str(place) for place in range(80)] * 3
    alone = estimate(counted, macro)
    found, naive = estimate(thrice, macro, clusters), estimate(thrice, macro)
    assert found.ci == pytest.approx(alone.ci, abs=1e-9)
    assert naive.ci[1] - naive.ci[0] < 0.7 * (alone.ci[1] - alone.ci[0])
    own, rough = class_intervals(counted)["0"].f1, class_intervals(thrice, clusters)["0"].f1
    assert rough[1] - rough[0] > 0.8 * (own[1] - own[0])


def test_what_has_no_interval_says_why():
    assert estimate(confusion([], []), macro).reason == "there are no predictions"
    one = estimate(confusion(["a"], ["b"]), macro)
    assert (one.value, one.ci, one.reason) == (0, None, "n = 1: one item gives no interval")
    sure = estimate(confusion(["a"] * 9, ["a"] * 9), macro)
    assert (sure.value, sure.ci) == (1, None) and "one label alone" in sure.reason
    collapsed = estimate(confusion(["a", "b"], ["a", "a"]), correlation)
    assert collapsed.value is None and "all predictions are one" in collapsed.reason
    grouped = estimate(confusion(["a", "b"], ["a", "a"]), macro, ["c", "c"])
    assert grouped.ci is None and "one cluster" in grouped.reason
    with pytest.raises(ValueError, match="need 2 clusters"):
        estimate(confusion(["a", "b"], ["a", "a"]), macro, ["c"])


def test_all_right_is_no_certainty():
    found = estimate(confusion(["a", "b"] * 10, ["a", "b"] * 10), macro)
    assert found.value == 1 and found.ci[0] < 0.95 and found.ci[1] == 1
    ends = class_intervals(confusion(["a", "b"] * 10, ["a", "b"] * 10))["a"]
    assert ends.f1[0] < 0.85 and ends.f1[1] == 1


@given(PAIRS)
def test_intervals_hold_the_figures(pairs):
    counted = sides(pairs)
    for measure in PLAIN:
        found = estimate(counted, measure)
        if found.ci is not None:
            assert found.ci[0] <= found.value + 1e-12 and found.value - 1e-12 <= found.ci[1]
    own = per_class(counted)
    for label, ends in class_intervals(counted).items():
        for name in ("precision", "recall", "f1"):
            if getattr(ends, name) is not None:
                low, high = getattr(ends, name)
                assert low - 1e-9 <= getattr(own[label], name) <= high + 1e-9
