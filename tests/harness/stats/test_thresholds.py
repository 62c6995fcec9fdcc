"""Offsets for rare classes: against trying every offset, and that nothing gets worse on what they were fitted on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.stats.thresholds import fit_offset, fit_offsets, predicted

sklearn = pytest.importorskip("sklearn.metrics")


def made(n, rng, k=3, prior=(0.8, 0.15, 0.05)):
    labels = rng.choice(k, size=n, p=prior)
    scores = rng.normal(size=(n, k)) + np.log(prior)
    scores[np.arange(n), labels] += 1.2
    return scores, labels


def reached(scores, labels, place, aim, offset):
    moved = scores.copy()
    moved[:, place] += offset
    said = moved.argmax(axis=1)
    if aim == "f1":
        return f1(labels, said, place)
    return np.mean([f1(labels, said, each) for each in {*labels.tolist(), *said.tolist()}])


def f1(labels, said, place):
    below = np.count_nonzero(labels == place) + np.count_nonzero(said == place)
    return 2 * np.count_nonzero((labels == place) & (said == place)) / below if below else 0.0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["f1", "macro_f1"]))
def test_no_other_offset_does_better_on_validation(seed, aim):
    scores, labels = made(40, np.random.default_rng(seed), prior=(0.5, 0.3, 0.2))
    found = fit_offset(scores, labels, 2, aim=aim)
    if found.reason is not None:
        assert found.value == 0
        return
    needed = np.sort(np.delete(scores, 2, axis=1).max(axis=1) - scores[:, 2])
    tried = [*(needed[1:] + needed[:-1]) / 2, needed[0] - 1, needed[-1] + 1, 0.0]
    best = max(reached(scores, labels, 2, aim, offset) for offset in tried)
    assert found.after == pytest.approx(best, abs=1e-9)
    assert reached(scores, labels, 2, aim, found.value) == pytest.approx(best, abs=1e-9)
    assert found.before == pytest.approx(reached(scores, labels, 2, aim, 0.0), abs=1e-9)


def test_an_offset_that_gains_nothing_is_none():
    scores = np.log(np.eye(3)[[0, 1, 2] * 6] * 0.9 + 0.05)
    found = fit_offset(scores, np.array([0, 1, 2] * 6), 2)
    assert (found.value, found.before, found.after) == (0, 1, 1)


def test_few_items_of_a_class_fit_nothing():
    scores, labels = made(60, np.random.default_rng(0))
    labels = np.where(labels == 2, 0, labels)
    labels[:4] = 2
    found = fit_offset(scores, labels, 2)
    assert (found.value, found.after, found.items) == (0, None, 4)
    assert "no offset from fewer than 5" in found.reason


def test_a_rare_class_gains_on_other_items_too():
    rng, gains = np.random.default_rng(1), []
    for _ in range(20):
        validation, test = made(1500, rng), made(1500, rng)
        found = fit_offset(*validation, 2)
        gains.append(reached(*test, 2, "f1", found.value) - reached(*test, 2, "f1", 0.0))
        # What it gains where it was fitted flatters.
        assert found.after >= found.before
    assert np.mean(gains) > 0.03


@pytest.mark.parametrize("aim", ["f1", "macro_f1"])
def test_several_classes_are_fitted_one_after_the_other(aim):
    scores, labels = made(400, np.random.default_rng(2))
    found = fit_offsets(scores, labels, [1, 2], aim=aim)
    assert [own.place for own in found] == [1, 2]
    before = sklearn.f1_score(labels, predicted(scores), average="macro")
    after = sklearn.f1_score(labels, predicted(scores, found), average="macro")
    if aim == "macro_f1":
        assert after >= before
    last = scores.copy()
    last[:, 2] += found[1].value
    assert found[0].after == pytest.approx(reached(last, labels, 1, aim, found[0].value), abs=1e-9)


def test_impossible_labels_stay_impossible():
    scores = np.array([[0.0, -np.inf]] * 5 + [[-1.0, -2.0]] * 5)
    found = fit_offset(scores, np.array([1] * 10), 1)
    assert found.after == pytest.approx(2 * 5 / (5 + 10))
    assert predicted(scores, [found]).tolist() == [0] * 5 + [1] * 5
    certain = fit_offset(np.array([[-np.inf, 0.0]] * 6), np.array([1] * 6), 1)
    assert (certain.value, certain.after) == (0, 1)


@pytest.mark.parametrize(
    ("scores", "labels", "place"),
    [
        (np.zeros((3, 2)), np.zeros(2, dtype=int), 0),
        (np.zeros((3, 2)), np.zeros(3, dtype=int), 2),
        (np.zeros((3, 1)), np.zeros(3, dtype=int), 0),
        (np.full((3, 2), np.nan), np.zeros(3, dtype=int), 0),
        (np.zeros((3, 2)), np.full(3, 5), 0),
    ],
)
def test_what_is_no_score_is_refused(scores, labels, place):
    with pytest.raises(ValueError):
        fit_offset(scores, labels, place)
