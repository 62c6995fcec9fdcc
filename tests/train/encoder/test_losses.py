"""Losses against torch's own, scikit-learn's, and values worked by hand."""

import math

import pytest

pytest.importorskip("torch")

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional

from train.encoder.losses import HeadLoss, Weighing, class_weights, counted, per_row, together

LOGITS = torch.tensor([[2.0, 0.0, -1.0], [0.5, 0.5, 0.5], [-3.0, 1.0, 2.0], [0.0, 4.0, 0.0]])
LABELS = torch.tensor([0, 2, 1, 1])
WEIGHTS = (0.5, 1.0, 4.0)


def by_hand(row, label):
    """−log p of a label, by the definition."""
    return math.log(sum(math.exp(value) for value in row)) - row[label]


def test_cross_entropy_by_hand():
    expected = [by_hand(row, label) for row, label in zip(LOGITS.tolist(), LABELS.tolist(), strict=True)]
    assert per_row(LOGITS, LABELS, HeadLoss()).tolist() == pytest.approx(expected, rel=1e-5)
    assert expected[1] == pytest.approx(math.log(3))


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_without_focus_it_is_torchs_own(smoothing, weights):
    how = HeadLoss(smoothing=smoothing, class_weights=weights)
    given = None if weights is None else torch.tensor(weights)
    expected = functional.cross_entropy(LOGITS, LABELS, weight=given, label_smoothing=smoothing)
    assert counted(LOGITS, LABELS, how).mean().item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 3.5])
def test_focal_loss_by_hand(gamma):
    expected = []
    for row, label in zip(LOGITS.tolist(), LABELS.tolist(), strict=True):
        p = math.exp(-by_hand(row, label))
        expected.append(-((1 - p) ** gamma) * math.log(p))
    assert per_row(LOGITS, LABELS, HeadLoss(gamma=gamma)).tolist() == pytest.approx(expected, rel=1e-5)


def test_focal_loss_of_two_thirds_is_a_ninth_of_cross_entropy():
    logits = torch.tensor([[math.log(2.0), 0.0]])
    found = per_row(logits, torch.tensor([0]), HeadLoss(gamma=2.0))
    assert found.item() == pytest.approx(math.log(1.5) / 9, rel=1e-6)


def test_weights_smoothing_and_focus_together_by_hand():
    row, label, e = LOGITS[2].tolist(), 1, 0.1
    logs = [-by_hand(row, place) for place in range(3)]
    spread = sum(weight * value for weight, value in zip(WEIGHTS, logs, strict=True))
    smoothed = -(1 - e) * WEIGHTS[label] * logs[label] - e / 3 * spread
    expected = (1 - math.exp(logs[label])) ** 2 * smoothed
    how = HeadLoss(gamma=2.0, smoothing=e, class_weights=WEIGHTS)
    assert per_row(LOGITS, LABELS, how)[2].item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("how", [HeadLoss(), HeadLoss(gamma=2.0, smoothing=0.1, class_weights=WEIGHTS)])
def test_a_missing_label_is_as_if_its_row_were_not_there(how):
    missing = torch.tensor([0, -100, 1, -100])
    kept = torch.tensor([0, 2])
    found, alone = counted(LOGITS, missing, how), counted(LOGITS[kept], LABELS[kept], how)
    assert found.mean().item() == pytest.approx(alone.mean().item(), rel=1e-6)
    grad = LOGITS.clone().requires_grad_()
    counted(grad, missing, how).mean().backward()
    assert grad.grad[[1, 3]].abs().sum() == 0


def test_a_batch_without_any_label_costs_nothing():
    grad = LOGITS.clone().requires_grad_()
    loss = counted(grad, torch.full((4,), -100), HeadLoss(gamma=2.0, class_weights=WEIGHTS)).mean()
    loss.backward()
    assert loss.item() == 0.0
    assert grad.grad.abs().sum() == 0


@pytest.mark.parametrize("how", [HeadLoss(), HeadLoss(gamma=2.0, smoothing=0.1, class_weights=WEIGHTS)])
def test_parts_of_a_batch_over_the_whole_weight_add_up_to_the_whole(how):
    whole = counted(LOGITS, LABELS, how)
    parts = [counted(LOGITS[at], LABELS[at], how).mean(whole.weight) for at in (slice(0, 3), slice(3, 4))]
    assert sum(part.item() for part in parts) == pytest.approx(whole.mean().item(), rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_certain_and_hopeless_rows_have_finite_losses_and_slopes(dtype, gamma):
    logits = torch.tensor([[60.0, -60.0], [-60.0, 60.0], [0.0, 0.0]], dtype=dtype, requires_grad=True)
    loss = counted(logits, torch.tensor([0, 0, 1]), HeadLoss(gamma=gamma, smoothing=0.1)).mean()
    loss.backward()
    assert loss.isfinite() and logits.grad.isfinite().all()


def test_the_focal_slope_is_the_numerical_one():
    logits = LOGITS.double().requires_grad_()
    how = HeadLoss(gamma=2.0, smoothing=0.1, class_weights=WEIGHTS)
    counted(logits, LABELS, how).mean().backward()
    step = 1e-2
    for row in range(4):
        for place in range(3):
            moved = [LOGITS.double().clone() for _ in range(2)]
            moved[0][row, place] += step
            moved[1][row, place] -= step
            up, down = (counted(each, LABELS, how).mean().item() for each in moved)
            assert logits.grad[row, place].item() == pytest.approx((up - down) / (2 * step), abs=2e-4)


def test_heads_are_added_with_their_weights():
    means = [torch.tensor(2.0), torch.tensor(3.0)]
    assert together(means, [HeadLoss(), HeadLoss(weight=1.3)]).item() == pytest.approx(5.9)


def test_inverse_frequency_is_scikit_learns_balanced():
    counts = {"a": 7, "b": 2, "c": 31}
    labels = [label for label, count in counts.items() for _ in range(count)]
    expected = compute_class_weight("balanced", classes=np.array(list(counts)), y=np.array(labels))
    assert class_weights(counts, Weighing(inverse_frequency=True)) == pytest.approx(expected, rel=1e-12)


def test_multipliers_come_before_the_cap():
    counts = {"a": 10, "b": 10, "c": 20}
    how = Weighing(inverse_frequency=True, multipliers={"a": 2.5, "c": 1.2}, cap=3.0)
    assert class_weights(counts, how) == pytest.approx((3.0, 4 / 3, 0.8))
    assert class_weights(counts, Weighing(multipliers={"b": 4.0})) == (1.0, 4.0, 1.0)
    assert class_weights(counts, Weighing()) is None


def test_a_label_without_examples_has_no_inverse_frequency():
    with pytest.raises(ValueError, match="'b' has no training example"):
        class_weights({"a": 3, "b": 0}, Weighing(inverse_frequency=True))
    with pytest.raises(ValueError, match="no label 'z'"):
        class_weights({"a": 3, "b": 0}, Weighing(multipliers={"z": 2.0}))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 500), min_size=2, max_size=9))
def test_weights_by_inverse_frequency_leave_the_mean_weight_at_one(counts):
    found = class_weights({str(at): count for at, count in enumerate(counts)}, Weighing(inverse_frequency=True))
    assert sum(w * n for w, n in zip(found, counts, strict=True)) / sum(counts) == pytest.approx(1)
