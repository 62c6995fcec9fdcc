"""What the benchmark of rare classes counts: F1 over seeds and items, each seed's own, and what is called a help."""

import random

import pytest

from harness.records import PredictionRecord
from tests.bench import rare
from tests.bench.measure import signed

ITEMS = 300


def seed(number, hit):
    """Predictions of one seed: one item in six is positive, found with this probability; false alarms at 5 %."""
    rng = random.Random(number)
    found = []
    for place in range(ITEMS):
        gold = "positive" if place % 6 == 0 else "negative"
        chance = rng.random()
        said = gold if chance < (hit if gold == "positive" else 0.95) else "neutral"
        said = "positive" if gold == "negative" and chance > 0.97 else said
        likely = {label: 0.9 if label == said else 0.05 for label in ("negative", "neutral", "positive")}
        found.append(PredictionRecord(id=str(place), label=gold, prediction=said, probabilities=likely))
    return found


def told(hits):
    return {"sentiment": [seed(place, hit) for place, hit in enumerate(hits)]}


def test_f1_is_that_of_scikit_learn_over_all_seeds_and_by_seed():
    metrics = pytest.importorskip("sklearn.metrics")
    none, other = told([0.3, 0.4, 0.5]), told([0.8, 0.7, 0.9])
    held = rare.beside("sentiment", "more", none, other)

    def f1(seeds):
        records = [record for each in seeds for record in each]
        gold, said = [record.label for record in records], [record.prediction for record in records]
        return metrics.f1_score(gold, said, labels=["positive"], average=None)[0]

    sides = none["sentiment"], other["sentiment"]
    assert held.rare.a == pytest.approx(f1(sides[0]), abs=1e-12)
    assert held.rare.b == pytest.approx(f1(sides[1]), abs=1e-12)
    apart = [f1([b]) - f1([a]) for a, b in zip(*sides, strict=True)]
    assert held.by_seed == pytest.approx(apart, abs=1e-12)
    assert held.all_up and held.rare.p_value < 0.001
    assert not rare.beside("sentiment", "one down", none, told([0.8, 0.1, 0.9])).all_up


def test_an_item_asked_by_every_seed_alike_is_no_more_than_one_item():
    once, twice = told([0.4]), told([0.4])
    twice["sentiment"] = twice["sentiment"] * 4
    better, more = told([0.7]), {"sentiment": told([0.7])["sentiment"] * 4}
    alone, repeated = (rare.beside("sentiment", "x", a, b).rare for a, b in ((once, better), (twice, more)))
    assert repeated.difference == pytest.approx(alone.difference, abs=1e-12)
    assert repeated.se == pytest.approx(alone.se, rel=0.02)


def test_sides_of_other_items_are_refused():
    other = {"sentiment": [list(reversed(each)) for each in told([0.5])["sentiment"]]}
    with pytest.raises(ValueError, match="same items in the same order"):
        rare.beside("sentiment", "x", told([0.5]), other)


@pytest.mark.parametrize(
    ("value", "text"), [(0.0421, "+0.042"), (-0.0421, "−0.042"), (-0.0001, "+0.000"), (0.0, "+0.000")]
)
def test_differences_have_their_sign(value, text):
    assert signed(value) == text
