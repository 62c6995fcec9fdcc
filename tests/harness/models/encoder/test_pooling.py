"""Pooling: padding never counts, and half precision gives numbers."""

import pytest

pytest.importorskip("torch")

import torch

from harness.models.encoder.pooling import Attention, Pooling, first, last, last_layers_mean, mean

STATES = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [9.0, 9.0]], [[5.0, 0.0], [1.0, 1.0], [0.0, 2.0]]])
MASK = torch.tensor([[1, 1, 0], [1, 1, 1]])
KINDS = ["cls", "mean", "last4_mean", "attention", "last"]


def test_the_first_state_is_taken_as_it_stands():
    assert first(STATES).tolist() == [[1.0, 2.0], [5.0, 0.0]]


def test_the_last_state_is_that_of_the_last_token_not_of_the_padding():
    assert last(STATES, MASK).tolist() == [[3.0, 4.0], [0.0, 2.0]]


def test_the_mean_is_over_tokens_alone():
    assert mean(STATES, MASK).tolist() == [[2.0, 3.0], [2.0, 1.0]]


def test_the_last_four_layers_are_averaged_first():
    layers = [STATES * factor for factor in (100.0, 1.0, 2.0, 3.0, 4.0)]
    torch.testing.assert_close(last_layers_mean(layers, MASK), mean(STATES, MASK) * 2.5)
    torch.testing.assert_close(last_layers_mean(layers[1:3], MASK), mean(STATES, MASK) * 1.5)


def test_attention_weighs_tokens_by_a_softmax_of_their_scores():
    pooling = Attention(2)
    with torch.no_grad():
        pooling.score.weight.copy_(torch.tensor([[1.0, 0.0]]))
        pooling.score.bias.fill_(0.5)
    weights = torch.softmax(torch.tensor([1.0, 3.0]), dim=0)
    by_hand = weights[0] * STATES[0, 0] + weights[1] * STATES[0, 1]
    torch.testing.assert_close(pooling(STATES, MASK)[0], by_hand)


def test_equal_scores_make_attention_the_mean():
    pooling = Attention(2)
    torch.nn.init.zeros_(pooling.score.weight)
    torch.testing.assert_close(pooling(STATES, MASK), mean(STATES, MASK))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_what_padding_holds_changes_nothing(kind, dtype):
    torch.manual_seed(0)
    pooling = Pooling(kind, 8).to(dtype)
    layers = [torch.randn(3, 5, 8).to(dtype) for _ in range(6)]
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0]])
    other = [torch.where(mask.unsqueeze(-1) == 1, layer, torch.full_like(layer, 3e4)) for layer in layers]
    found, again = (pooling(each[-1], mask, each) for each in (layers, other))
    assert found.dtype == dtype and found.shape == (3, 8)
    assert found.isfinite().all()
    assert torch.equal(found, again)


@pytest.mark.parametrize("kind", ["mean", "attention"])
def test_half_precision_neither_overflows_nor_loses_the_sum(kind):
    states = torch.full((1, 4000, 2), 60.0, dtype=torch.float16)
    found = Pooling(kind, 2).to(torch.float16)(states, torch.ones(1, 4000))
    torch.testing.assert_close(found, torch.full((1, 2), 60.0, dtype=torch.float16), atol=0.1, rtol=0)


def test_a_row_without_tokens_is_a_number():
    none = torch.zeros(1, 3)
    for kind in KINDS:
        assert Pooling(kind, 2)(STATES[:1], none, [STATES[:1]]).isfinite().all()
