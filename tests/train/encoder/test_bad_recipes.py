"""What an encoder's recipe, its task and its machine can have wrong, each in one sentence."""

import pytest

pytest.importorskip("torch")

import torch
from safetensors.torch import load_file, save_file

from harness.errors import InputError, RunStopped
from tests import encoders
from tests.train.encoder.small import CHOICE, recipe, train

GIVEN_UP = {"collapse": {"after": 0.99}}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("task.label=colour", r"data\.jsonl.*'colour'"),
        ("losses={colour: {gamma: 1}}", "losses: there is no head 'colour'; the heads are taste"),
        ("loss={multipliers: {salty: 2}}", "loss: there is no label 'salty'; the labels are sour, sweet"),
        ("oversample={multipliers: {heat: {hot: 2}}}", "oversample: there is no head 'heat'"),
        (
            "oversample={multipliers: {taste: {hot: 2}}}",
            "oversample: the head 'taste' has no training example labelled",
        ),
        ("early_stopping={metric: heat.accuracy, patience: 2}", "early_stopping.metric: there is no head 'heat'"),
        ("early_stopping={metric: taste.accuracy, patience: 2}", "there is one head alone; write 'accuracy'"),
        ("training.max_length=67", "reads 66 tokens at once, and max_length is 67; lower it to 66"),
        ("task.labels=[sour, sweet, salty]", r"the label 'salty' \(taste\) has no training example"),
        ("split={folds: 3, fold: 0}", "there are no validation items"),
    ],
)
def test_what_does_not_fit_the_task_is_one_sentence(tmp_path, bert, change, said):
    path = recipe(tmp_path, bert, **GIVEN_UP)
    steered = () if "early_stopping" in change else ("early_stopping={metric: loss, patience: 2}",)
    with pytest.raises(InputError, match=said):
        train(path, change, *steered)


def test_places_of_options_have_no_weights(tmp_path, bert):
    path = recipe(tmp_path, bert, task=CHOICE, loss={"class_weights": "inverse_frequency"}, **GIVEN_UP)
    with pytest.raises(InputError, match="labels of multiple choice are places"):
        train(path)


def test_a_loss_that_is_no_number_stops_the_training(tmp_path):
    base = encoders.base(tmp_path / "base")
    weights = load_file(base / "model.safetensors")
    weights["encoder.layer.0.output.dense.bias"][0] = torch.nan
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(RunStopped, match="step 1: the loss is nan; the saved steps before it are kept"):
        train(recipe(tmp_path, base, **GIVEN_UP))


def test_a_base_that_is_an_ensemble_is_refused(tmp_path, bert):
    recipe(tmp_path, bert, file="several.yaml", name="several", seeds=[0, 1], training={"epochs": None, "steps": 1})
    path = recipe(tmp_path, bert, base="recipe/several.yaml")
    with pytest.raises(InputError, match=r"'several\.yaml' makes an ensemble; name the recipe of one encoder"):
        train(path)


def test_a_recipe_that_rests_on_itself_is_refused(tmp_path, bert):
    with pytest.raises(InputError, match="rests on itself as its base"):
        train(recipe(tmp_path, bert, base="recipe/r.yaml"))
