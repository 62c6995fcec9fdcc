"""The trainer's steps: against torch by hand, over micro-batches, with two dropout passes, with draws."""

import pytest

pytest.importorskip("torch")

import numpy as np
import torch
import transformers
from torch.nn import functional

from harness.models.encoder.folder import based
from harness.models.encoder.rows import encode
from tests import encoders
from tests.train.encoder.small import TWO, predictions, recipe, train
from tests.train.small import rows_of, weights
from train.encoder import trainer as trainers
from train.encoder.data import Example
from train.encoder.layers import Rates
from train.encoder.losses import HeadLoss, counted, row_weights, together
from train.encoder.rdrop import RDrop
from train.encoder.trainer import Collator, EncoderTrainer, Way

LOSSES = (
    HeadLoss(gamma=2.0, smoothing=0.1, class_weights=(0.5, 3.0), weight=1.3),
    HeadLoss(class_weights=(1.0, 2.0, 5.0)),
)
LABELS = [(0, 2), (1, -100), (-100, 0), (1, 1), (0, -100), (1, 0), (-100, -100), (0, 1)]
STILL = {"head": {"dropout": 0.0}}


def trainer(folder, tmp_path, losses=LOSSES, dropout=0.0, **way):
    torch.manual_seed(3)
    model, tokenizer, _ = based(folder, encoders.form(dropout=dropout))
    rows = encode(tokenizer, encoders.texts(len(LABELS)), 32).rows
    examples = [Example(row=row, labels=labels) for row, labels in zip(rows, LABELS, strict=True)]
    args = transformers.TrainingArguments(
        output_dir=str(tmp_path), use_cpu=True, report_to=["none"], disable_tqdm=True, label_names=["labels"]
    )
    collator = Collator(tokenizer.pad_token_id)
    made = EncoderTrainer(
        model=model, args=args, data_collator=collator, processing_class=tokenizer, way=Way(losses=losses, **way)
    )
    return made, collator(examples)


def gradients(model):
    return {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}


def test_a_steps_loss_is_that_of_its_heads_by_hand(still, tmp_path):
    made, batch = trainer(still, tmp_path)
    labels = batch["labels"]
    told = made.model(**{name: values for name, values in batch.items() if name != "labels"})
    each = [counted(logits, labels[:, at], LOSSES[at]).mean() for at, logits in enumerate(told)]
    found = made.compute_loss(made.model, dict(batch))
    assert found.item() == pytest.approx(together(each, LOSSES).item(), rel=1e-6)


def test_micro_batches_add_up_to_the_gradient_of_the_whole_batch(still, tmp_path):
    """With class weights and missing labels, where the means of the parts would not."""
    made, batch = trainer(still, tmp_path)
    made.compute_loss(made.model, dict(batch)).backward()
    whole = gradients(made.model)
    made.model.zero_grad()
    parts = [{name: values[at : at + 2] for name, values in batch.items()} for at in range(0, 8, 2)]
    over = made._get_num_items_in_batch(parts, torch.device("cpu"))
    assert over.tolist() == [
        pytest.approx(row_weights(batch["labels"][:, at], LOSSES[at].tensor(batch["labels"])).sum().item())
        for at in range(2)
    ]
    for part in parts:
        made.compute_loss(made.model, dict(part), num_items_in_batch=over).backward()
    for name, gradient in gradients(made.model).items():
        torch.testing.assert_close(gradient, whole[name], atol=1e-7, rtol=1e-4)


def test_a_doubled_pass_without_dropout_costs_what_one_does(still, tmp_path):
    made, batch = trainer(still, tmp_path, rdrop=RDrop(alpha=5.0))
    made.model.train()
    plain, _ = trainer(still, tmp_path)
    twice, once = made.compute_loss(made.model, dict(batch)), plain.compute_loss(plain.model, dict(batch))
    assert twice.item() == pytest.approx(once.item(), rel=1e-5)


def test_two_dropout_passes_that_differ_cost_alpha_times_their_divergence(bert, tmp_path):
    def loss(alpha):
        made, batch = trainer(bert, tmp_path, rdrop=RDrop(alpha=alpha))
        torch.manual_seed(9)
        return made.compute_loss(made.model.train(), dict(batch)).item()

    one, two, four = (loss(alpha) for alpha in (1.0, 2.0, 4.0))
    assert two > one
    assert four - two == pytest.approx(2 * (two - one), rel=1e-3)


def test_while_alpha_is_zero_a_batch_goes_through_once(bert, tmp_path):
    made, batch = trainer(bert, tmp_path, rdrop=RDrop(alpha=1.0, warmup_epochs=2))
    seen = []
    made.model.register_forward_pre_hook(
        lambda _, args, kwargs: seen.append(kwargs["input_ids"].shape[0]), with_kwargs=True
    )
    for epoch in (0.0, 1.0):
        made.state.epoch = epoch
        made.compute_loss(made.model, dict(batch))
    assert seen == [8, 16]


def close(a, b, atol=2e-6):
    first, second = weights(a), weights(b)
    for name, weight in first.items():
        torch.testing.assert_close(weight, second[name], atol=atol, rtol=1e-4)


LATE = {"after": 0.99}
PLAN = {"epochs": None, "steps": 6, "learning_rate": 0.001}
WEIGHED = {
    "task": TWO,
    "loss": {"class_weights": "inverse_frequency", "gamma": 1.0},
    "collapse": LATE,
    **STILL,
}


def test_accumulated_batches_train_what_one_batch_does(still, tmp_path):
    one = train(recipe(tmp_path / "a", still, training={**PLAN, "batch_size": 8}, **WEIGHED))
    four = train(recipe(tmp_path / "b", still, training={**PLAN, "batch_size": 2, "accumulation": 4}, **WEIGHED))
    close(one, four)
    assert [row["loss"] for row in rows_of(one) if "loss" in row] == pytest.approx(
        [row["loss"] for row in rows_of(four) if "loss" in row], rel=1e-4
    )


def test_checkpointed_gradients_train_what_kept_ones_do(bert, tmp_path, monkeypatch):
    attention = transformers.models.bert.modeling_bert.BertSelfAttention
    once, passes = attention.forward, []
    monkeypatch.setattr(attention, "forward", lambda self, *a, **k: passes.append(self.training) or once(self, *a, **k))
    plain = train(recipe(tmp_path / "a", bert, training=PLAN, collapse=LATE))
    kept = sum(passes)
    checkpointed = train(recipe(tmp_path / "b", bert, training={**PLAN, "gradient_checkpointing": True}, collapse=LATE))
    close(plain, checkpointed)
    # Every layer is passed through once more on the way back.
    assert sum(passes) - kept == 2 * kept > 0


def test_a_first_step_moves_weights_by_the_learning_rate(still, tmp_path):
    path = recipe(tmp_path, still, training={**PLAN, "steps": 1, "schedule": "constant", "batch_size": 60}, **STILL)
    made = train(path, "collapse=null", "split={validation: 0.2, holdout: 0.2}")
    history = rows_of(made)
    assert history[0]["learning_rate"] == 0.001
    before, after = weights(still), weights(made)
    moved = [(after[name] - before[name]).abs().max().item() for name in after if name in before]
    # AdamW's first step is the learning rate in the direction of the gradient's sign, wherever there is a gradient.
    assert max(moved) == pytest.approx(0.001, rel=1e-3)


def test_rates_by_depth_reach_the_optimizer(still, tmp_path):
    path = recipe(tmp_path, still, training={**PLAN, "steps": 1, "schedule": "constant"}, collapse=LATE, **STILL)
    made = train(path, "rates={decay: 0.5, head: 4.0}")
    before, after = weights(still), weights(made)
    moved = {name: (after[name] - before[name]).abs().max().item() for name in after if name in before}
    assert moved["encoder.layer.1.output.dense.weight"] == pytest.approx(0.001, rel=1e-2)
    assert moved["encoder.layer.0.output.dense.weight"] == pytest.approx(0.0005, rel=1e-2)
    assert moved["embeddings.word_embeddings.weight"] == pytest.approx(0.00025, rel=1e-2)


def test_oversampled_labels_are_seen_more_often(bert, tmp_path):
    """With a multiplier of 50 almost every draw is of the one label, and the model says little else."""
    plan = {"epochs": 4, "learning_rate": 0.01}
    path = recipe(tmp_path, bert, training=plan, oversample={"multipliers": {"taste": {"sour": 50.0}}}, collapse=LATE)
    said = [row["prediction"] for row in predictions(train(path))]
    assert set(said) == {"sour"}


def examples_of(made):
    rows = encode(made.processing_class, encoders.texts(len(LABELS)), 32).rows
    return [Example(row=row, labels=labels) for row, labels in zip(rows, LABELS, strict=True)]


def test_the_divergence_is_averaged_like_the_loss_by_hand(bert, tmp_path):
    made, batch = trainer(bert, tmp_path, rdrop=RDrop(alpha=1.5))
    twice = {name: torch.cat([values, values]) for name, values in batch.items() if name != "labels"}
    torch.manual_seed(9)
    told = made.model.train()(**twice)
    expected = 0.0
    for logits, labels, how in zip(told, batch["labels"].unbind(dim=1), LOSSES, strict=True):
        weight = row_weights(labels, how.tensor(labels))
        both = sum(counted(one, labels, how).mean() for one in logits.chunk(2)) / 2
        p, q = (one.log_softmax(dim=-1) for one in logits.chunk(2))
        ways = [functional.kl_div(*each, log_target=True, reduction="none").sum(dim=-1) for each in ((p, q), (q, p))]
        expected += how.weight * (both + 1.5 * (sum(ways) / 2 * weight).sum() / weight.sum())
    torch.manual_seed(9)
    assert made.compute_loss(made.model, dict(batch)).item() == pytest.approx(expected.item(), rel=1e-5)


def test_half_a_step_costs_half_its_divergence_included(bert, tmp_path):
    made, batch = trainer(bert, tmp_path, rdrop=RDrop(alpha=5.0))
    over = made._get_num_items_in_batch([batch], torch.device("cpu"))
    found = []
    for weight in (over, 2 * over):
        torch.manual_seed(9)
        found.append(made.compute_loss(made.model.train(), dict(batch), num_items_in_batch=weight).item())
    assert found[1] == pytest.approx(found[0] / 2, rel=1e-5)


def test_the_validation_loss_is_the_training_loss_without_dropout_in_any_batches(still, tmp_path, monkeypatch):
    made, batch = trainer(still, tmp_path)
    expected = made.compute_loss(made.model.eval(), dict(batch)).item()
    for tokens in (4096, 12):
        monkeypatch.setattr(trainers, "CPU_BATCH_TOKENS", tokens)
        assert made.told(examples_of(made))[1] == pytest.approx(expected, rel=1e-5)


def test_another_seed_draws_another_order(still, tmp_path):
    made, _ = trainer(still, tmp_path, draws=np.linspace(1, 2, len(LABELS)))
    orders = []
    for seed in (1, 1, 2):
        made.args.data_seed = seed
        orders.append(list(made._get_train_sampler()))
    assert orders[0] == orders[1] != orders[2]


def test_items_by_length_begin_with_the_longest(still, tmp_path):
    made, _ = trainer(still, tmp_path)
    made.args.train_sampling_strategy = "group_by_length"
    rows = examples_of(made)
    lengths = [example.row.length for example in rows]
    for seed in range(4):
        made.args.data_seed = seed
        order = list(made._get_train_sampler(rows))
        assert sorted(order) == list(range(len(rows)))
        assert lengths[order[0]] == max(lengths)


def test_rates_by_depth_keep_the_weight_decay(still, tmp_path):
    made, _ = trainer(still, tmp_path, rates=Rates(decay=0.5, head=2.0))
    made.args.weight_decay = 0.03
    assert {group["weight_decay"] for group in made.create_optimizer().param_groups} == {0.0, 0.03}
