"""R-Drop, rates by depth, oversampling: each against a value worked by hand."""

import math

import pytest

pytest.importorskip("torch")

import numpy as np
import torch
from torch.nn import functional

from harness.errors import InputError
from harness.models.encoder.folder import based
from tests import encoders
from train.encoder.layers import Rates, depth, factor, groups
from train.encoder.rdrop import RDrop, doubled, symmetric_kl
from train.encoder.sampling import Drawn, Oversampling, weights


def test_the_symmetric_divergence_by_hand():
    p, q = (0.75, 0.25), (0.5, 0.5)
    both = [sum(a * math.log(a / b) for a, b in zip(x, y, strict=True)) for x, y in ((p, q), (q, p))]
    found = symmetric_kl(torch.tensor([p]).log(), torch.tensor([q]).log() + 3)
    assert found.item() == pytest.approx(sum(both) / 2, rel=1e-6)


def test_the_symmetric_divergence_is_torchs_both_ways():
    torch.manual_seed(0)
    a, b = torch.randn(6, 4), torch.randn(6, 4)
    p, q = a.log_softmax(-1), b.log_softmax(-1)
    one = functional.kl_div(p, q, log_target=True, reduction="none").sum(-1)
    other = functional.kl_div(q, p, log_target=True, reduction="none").sum(-1)
    torch.testing.assert_close(symmetric_kl(a, b), (one + other) / 2)
    assert symmetric_kl(a, a).abs().max() == 0


def test_alpha_grows_in_a_line_and_stays():
    how = RDrop(alpha=0.6, warmup_epochs=2)
    assert [how.strength(epoch) for epoch in (0, 0.5, 1, 2, 9)] == pytest.approx([0, 0.15, 0.3, 0.6, 0.6])
    assert RDrop(alpha=0.6).strength(0) == 0.6


def test_a_doubled_batch_holds_every_row_twice():
    found = doubled({"input_ids": torch.tensor([[1], [2]])})
    assert found["input_ids"].tolist() == [[1], [2], [1], [2]]


@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta"])
def test_rates_of_three_layers(tmp_path, family):
    model, _, _ = based(encoders.base(tmp_path, family, layers=3), encoders.form())
    names = [name for name, _ in model.named_parameters()]
    assert depth(names) == 3
    rates = Rates(decay=0.5, head=3.0)
    found = {name: factor(name, 3, rates) for name in names}
    assert {value for name, value in found.items() if "embeddings" in name} == {0.125}
    for layer, expected in enumerate((0.25, 0.5, 1.0)):
        within = [value for name, value in found.items() if f"layer.{layer}." in name]
        assert within and set(within) == {expected}
    assert {value for name, value in found.items() if name.startswith(("heads.", "pooling."))} == {3.0}


def test_every_weight_has_one_group_and_norms_are_not_decayed(tmp_path):
    model, _, _ = based(encoders.base(tmp_path, layers=3), encoders.form(pooling="attention"))
    found = groups(model.named_parameters(), 3, Rates(decay=0.9, head=3.0), 1e-3, 0.03)
    listed = [id(weight) for group in found for weight in group["params"]]
    assert len(set(listed)) == len(listed) == len(list(model.parameters()))
    decayed = {id(weight) for group in found if group["weight_decay"] == 0.03 for weight in group["params"]}
    for name, weight in model.named_parameters():
        assert (id(weight) in decayed) == (not name.endswith("bias") and "LayerNorm" not in name), name
    assert sorted({round(group["lr"], 9) for group in found}) == pytest.approx([7.29e-4, 8.1e-4, 9e-4, 1e-3, 3e-3])


def test_without_decay_there_are_the_two_groups_of_transformers(tmp_path):
    model, _, _ = based(encoders.base(tmp_path), encoders.form())
    found = groups(model.named_parameters(), 2, Rates(), 1e-3, 0.01)
    assert sorted((group["lr"], group["weight_decay"]) for group in found) == [(1e-3, 0.0), (1e-3, 0.01)]


def test_an_examples_weight_is_the_product_over_heads():
    labels = {"s": ["neg", "pos", "pos", "pos"], "p": ["obj", "obj", "par", "par"]}
    how = Oversampling(inverse_frequency=("s",), multipliers={"p": {"obj": 6.0}, "s": {"pos": 0.5}})
    assert weights(labels, how).tolist() == [18.0, 3.0, 0.5, 0.5]
    capped = Oversampling(inverse_frequency=("s",), multipliers={"p": {"obj": 6.0}}, cap=10.0)
    assert weights(labels, capped).tolist() == [10.0, 6.0, 1.0, 1.0]
    assert weights(labels, Oversampling()).tolist() == [1.0] * 4


def test_unknown_heads_and_labels_without_examples_are_refused():
    with pytest.raises(ValueError, match="no head 'x'"):
        weights({"s": ["a"]}, Oversampling(inverse_frequency=("x",)))
    with pytest.raises(ValueError, match="'s' has no training example labelled 'b'"):
        weights({"s": ["a"]}, Oversampling(multipliers={"s": {"b": 2.0}}))


def test_draws_follow_the_weights():
    given = np.array([1.0] * 900 + [9.0] * 100)
    counts = np.zeros(1000)
    for epoch in range(40):
        order = Drawn(given, 7)
        order.set_epoch(epoch)
        np.add.at(counts, list(order), 1)
    # Expected half of all draws; 40,000 draws give a standard error of 0.25 %.
    assert counts[900:].sum() / counts.sum() == pytest.approx(0.5, abs=0.0125)


def test_a_pass_is_the_same_again_and_another_pass_another():
    given = np.linspace(1, 5, 50)
    orders = []
    for epoch in (0, 0, 1):
        order = Drawn(given, 7)
        order.set_epoch(epoch)
        orders.append(list(order))
    assert orders[0] == orders[1] != orders[2]
    assert len(Drawn(given, 7)) == len(orders[0]) == 50


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_the_divergence_of_half_precision_is_taken_in_float32(dtype):
    torch.manual_seed(0)
    a, b = torch.randn(6, 4).to(dtype), torch.randn(6, 4).to(dtype)
    assert torch.equal(symmetric_kl(a, b), symmetric_kl(a.float(), b.float()))


def test_the_cap_is_that_of_the_whole_product():
    labels = {"s": ["neg", "pos"], "p": ["obj", "par"]}
    how = Oversampling(multipliers={"s": {"neg": 0.5}, "p": {"obj": 30.0}}, cap=10.0)
    assert weights(labels, how).tolist() == [10.0, 1.0]


def test_embeddings_and_norms_are_known_by_every_family_s_names():
    rates = Rates(decay=0.5, head=3.0)
    embeddings = ("embeddings.word_embeddings.weight", "wte.weight", "wpe.weight", "decoder.embed_tokens.weight")
    assert [factor(f"encoder.{name}", 4, rates) for name in embeddings] == [0.5**4] * 4
    assert [factor(f"encoder.{name}", 4, rates) for name in ("ln_f.weight", "h.3.ln_1.weight")] == [1.0, 1.0]
    assert factor("encoder.h.1.attn.c_attn.weight", 4, rates) == 0.25
    named = [(f"encoder.{name}", torch.nn.Parameter(torch.zeros(2))) for name in ("h.0.ln_1.weight", "h.0.attn.weight")]
    assert [group["weight_decay"] for group in groups(named, 1, rates, 0.1, 0.03)] == [0.0, 0.03]


def test_rates_by_depth_need_layers_that_are_known(tmp_path):
    from tests.train.encoder.test_trainer import trainer

    made, _ = trainer(encoders.base(tmp_path / "base"), tmp_path / "out", rates=Rates(decay=0.5))
    made.model.named_parameters = lambda: iter([("encoder.albert_layer_groups.w", torch.nn.Parameter(torch.zeros(2)))])
    with pytest.raises(InputError, match="layers of this encoder are not known"):
        made.create_optimizer()
