"""Temperature, Brier score, log loss and calibration error: by scikit-learn, scipy, brute force and simulation."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from harness.stats.calibration import brier, fit_temperature, log_loss, tempered
from harness.stats.reliability import calibration_error, edges_of, reliability

sklearn = pytest.importorskip("sklearn.metrics")
from sklearn.calibration import calibration_curve  # noqa: E402


def made(n, k, rng, sharpness=1.0):
    """Logits of a calibrated model of `sharpness` 1; of another, those of one that is too sure or not sure enough."""
    logits = rng.normal(size=(n, k)) * 1.5
    labels = np.array([rng.choice(k, p=row) for row in softmax(logits, axis=1)])
    return logits * sharpness, labels


def loss(logits, labels, temperature):
    return -log_softmax(logits / temperature, axis=1)[np.arange(labels.size), labels].mean()


@pytest.mark.parametrize("sharpness", [0.2, 1.0, 3.0])
def test_the_temperature_minimises_the_log_loss(sharpness):
    logits, labels = made(400, 4, np.random.default_rng(0), sharpness)
    found = fit_temperature(logits, labels)
    known = minimize_scalar(lambda log_t: loss(logits, labels, math.exp(log_t)), bounds=(-5, 5), method="bounded")
    assert math.log(found.value) == pytest.approx(known.x, abs=1e-4)
    assert found.after == pytest.approx(loss(logits, labels, found.value), abs=1e-12)
    assert found.after <= known.fun + 1e-12 and found.after <= found.before
    for other in (0.99, 1.01):
        assert found.after < loss(logits, labels, found.value * other)


def test_a_temperature_undoes_sharpening():
    logits, labels = made(4000, 5, np.random.default_rng(1))
    plain, sharp = fit_temperature(logits, labels), fit_temperature(logits * 2.5, labels)
    assert sharp.value == pytest.approx(2.5 * plain.value, abs=1e-6)
    assert plain.value == pytest.approx(1, abs=0.1)
    assert sharp.after == pytest.approx(plain.after, abs=1e-9)


def test_log_probabilities_serve_as_logits():
    logits, labels = made(300, 3, np.random.default_rng(2))
    assert fit_temperature(log_softmax(logits, axis=1), labels).value == pytest.approx(
        fit_temperature(logits, labels).value, abs=1e-9
    )


def test_where_no_temperature_is_best_a_reason_stands():
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(40, 3))
    right, wrong = logits.argmax(axis=1), logits.argmin(axis=1)
    assert "all 40 validation predictions are right" in fit_temperature(logits, right).reason
    assert "say nothing of the labels" in fit_temperature(logits, wrong).reason
    assert "one class" in fit_temperature(logits[:, :1], np.zeros(40, dtype=int)).reason
    assert "no validation items" in fit_temperature(np.empty((0, 3)), np.empty(0, dtype=int)).reason
    impossible = logits.copy()
    impossible[0, right[0]] = -np.inf
    assert "1 of 40 validation labels have a probability of 0" in fit_temperature(impossible, right).reason
    for found in (fit_temperature(logits, right), fit_temperature(logits, wrong)):
        assert found.value is None and found.after is None and found.before is not None


def test_one_wrong_item_is_enough_for_a_temperature():
    logits, _ = made(50, 3, np.random.default_rng(4))
    labels = logits.argmax(axis=1)
    labels[0] = np.argsort(logits[0])[-2]
    assert 0 < fit_temperature(logits, labels).value < 1


def test_a_label_that_is_impossible_stays_so():
    logits = np.array([[0.0, 1.0, -np.inf], [3.0, 1.0, -np.inf], [1.0, 0.5, 0.0]])
    found = fit_temperature(logits, np.array([0, 0, 1]))
    assert found.value is not None
    assert tempered(logits, found.value)[0, 2] == 0


@pytest.mark.parametrize(
    ("logits", "labels"),
    [
        (np.zeros((2, 2)), np.array([0])),
        (np.zeros(2), np.array([0, 1])),
        (np.zeros((2, 2)), np.array([0, 2])),
        (np.array([[np.nan, 0.0]]), np.array([0])),
        (np.array([[np.inf, 0.0]]), np.array([0])),
        (np.array([[-np.inf, -np.inf]]), np.array([0])),
    ],
)
def test_what_is_no_logit_is_refused(logits, labels):
    with pytest.raises(ValueError):
        fit_temperature(logits, labels)


def test_a_temperature_is_above_zero():
    for wrong in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="above 0"):
            tempered(np.zeros((1, 2)), wrong)


def test_brier_and_log_loss_are_scikit_learn_s():
    rng = np.random.default_rng(5)
    for k in (2, 5):
        probabilities = rng.dirichlet(np.ones(k), size=200)
        labels = rng.integers(0, k, size=200)
        expected = sklearn.log_loss(labels, probabilities, labels=range(k))
        assert log_loss(probabilities, labels).mean() == pytest.approx(expected, abs=1e-9)
        truth = np.eye(k)[labels]
        assert brier(probabilities, labels) == pytest.approx(((probabilities - truth) ** 2).sum(axis=1), abs=1e-9)
    binary = rng.random(200)
    known = sklearn.brier_score_loss(labels > 2, binary)
    both = brier(np.stack([1 - binary, binary], axis=1), (labels > 2).astype(int))
    assert both.mean() / 2 == pytest.approx(known, abs=1e-9)


def test_a_label_without_a_column_has_a_probability_of_zero():
    probabilities = np.array([[0.3, 0.7]])
    assert brier(probabilities, np.array([-1]))[0] == pytest.approx(0.09 + 0.49 + 1)
    assert log_loss(probabilities, np.array([-1]))[0] == math.inf
    with pytest.raises(ValueError, match="lies in"):
        brier(np.array([[1.2, -0.2]]), np.array([0]))


CASES = st.lists(st.tuples(st.integers(0, 20).map(lambda v: v / 20), st.booleans()), min_size=1, max_size=80)


def by_hand(confidence, right, edges):
    """The calibration error bin by bin, with loops."""
    total = 0.0
    for place, (low, high) in enumerate(itertools.pairwise(edges)):
        last = place == len(edges) - 2
        held = [
            (c, r) for c, r in zip(confidence, right, strict=True) if (c > low or place == 0) and (c <= high or last)
        ]
        if held:
            gap = np.mean([r for _, r in held]) - np.mean([c for c, _ in held])
            total += len(held) / len(confidence) * abs(gap)
    return total


@settings(deadline=None)
@given(CASES)
def test_the_calibration_error_is_the_sum_over_bins(cases):
    confidence, right = (np.array(column) for column in zip(*cases, strict=True))
    found = calibration_error(confidence, right, np.random.default_rng(0), resamples=199)
    edges = edges_of(confidence)
    assert found.value == pytest.approx(by_hand(confidence, right, edges), abs=1e-9)
    rows = reliability(confidence, right)
    assert sum(row.n for row in rows) == len(cases)
    assert sum(row.n * abs(row.accuracy - row.confidence) for row in rows if row.n) / len(cases) == pytest.approx(
        found.value, abs=1e-9
    )


@pytest.mark.parametrize(("width", "strategy"), [("equal-width", "uniform"), ("equal-mass", "quantile")])
def test_the_reliability_table_is_scikit_learn_s(width, strategy):
    rng = np.random.default_rng(6)
    confidence = np.round(rng.beta(5, 2, size=500), 2)
    right = rng.random(500) < confidence
    rows = [row for row in reliability(confidence, right, bins=10, width=width) if row.n]
    shares, means = calibration_curve(right, confidence, n_bins=10, strategy=strategy)
    assert [row.accuracy for row in rows] == pytest.approx(shares.tolist(), abs=1e-9)
    assert [row.confidence for row in rows] == pytest.approx(means.tolist(), abs=1e-9)


def world(n, shift, rng):
    """Confidences, and outcomes that are right less often by `shift`."""
    confidence = np.clip(rng.beta(6, 2, size=n), 0.3, 1.0)
    return confidence, rng.random(n) < np.clip(confidence - shift, 0, 1)


@pytest.mark.parametrize(("shift", "n"), [(0.0, 60), (0.0, 400), (0.05, 200), (0.15, 200)])
def test_the_interval_holds_the_true_error(shift, n):
    rng, times, inside, alarms, plain = np.random.default_rng(7), 200, 0, 0, 0
    for _ in range(times):
        found = calibration_error(*world(n, shift, rng), rng, resamples=300)
        inside += found.ci[0] - 1e-12 <= shift <= found.ci[1]
        alarms += found.p_value <= 0.05
        plain += found.value
    assert inside / times > 0.93
    if shift == 0:
        assert alarms / times < 0.05 + 3 * math.sqrt(0.05 * 0.95 / times)
        assert plain / times > 0.02


def test_what_chance_alone_shows_is_told():
    rng = np.random.default_rng(8)
    values = [calibration_error(*world(100, 0.0, rng), rng, resamples=300) for _ in range(60)]
    mean, expected = np.mean([v.value for v in values]), np.mean([v.by_chance for v in values])
    assert mean == pytest.approx(expected, rel=0.1)


def test_too_little_has_no_interval_and_says_so():
    rng = np.random.default_rng(9)
    few = calibration_error(np.full(10, 0.8), np.arange(10) < 8, rng)
    assert few.ci is None and "fewer than 30" in few.reason and few.value == pytest.approx(0, abs=1e-12)
    sure = calibration_error(np.full(50, 0.9), np.full(50, True), rng)
    assert sure.ci is None and "all 50 predictions are right" in sure.reason
    assert calibration_error(np.empty(0), np.empty(0, dtype=bool), rng).reason == "no item has probabilities"


def test_the_order_of_items_changes_nothing():
    confidence, right = world(120, 0.1, np.random.default_rng(10))
    order = np.random.default_rng(11).permutation(120)
    found = [
        calibration_error(c, r, np.random.default_rng(0), resamples=200)
        for c, r in ((confidence, right), (confidence[order], right[order]))
    ]
    assert found[0] == found[1]


def test_what_is_no_confidence_is_refused():
    with pytest.raises(ValueError, match="lies in"):
        reliability(np.array([1.2]), np.array([True]))
    with pytest.raises(ValueError, match="lies in"):
        reliability(np.array([np.nan]), np.array([True]))
    with pytest.raises(ValueError, match="right or wrong"):
        reliability(np.array([0.5]), np.array([True, False]))


def test_a_sum_s_last_bit_tells_no_confidences_apart():
    written = np.array([0.6, 0.6 / (0.6 + 0.3 + 0.1)])
    assert written[0] < written[1]
    confidence, right = np.tile(written, 20), np.tile([True, False], 20)
    (held,) = (own for own in reliability(confidence, right) if own.n)
    assert (held.n, held.accuracy) == (40, 0.5)
    for width in ("equal-width", "equal-mass"):
        assert calibration_error(confidence, right, np.random.default_rng(0), width=width).value == pytest.approx(0.1)
