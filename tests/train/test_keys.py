"""Which keys a recipe may have, what they default to, and which of them contradict each other."""

import pytest
from pydantic import ValidationError

from train.keys import KINDS, DataKeys, DpoKeys, ModelKeys, PartKeys, RecipeKeys, SftKeys, TrainingKeys, ValidationKeys

PLAN = {"epochs": 1, "batch_size": 4, "learning_rate": 0.01}
SFT = {
    "name": "a",
    "kind": "sft",
    "seed": 1,
    "base": "hf/b",
    "data": {"files": ["d.jsonl"]},
    "training": PLAN,
}
TWO = [{"name": "a", "files": ["a.jsonl"]}, {"name": "b", "files": ["b.jsonl"]}]
STAGES = [{"from": 0, "ratios": {"a": 1}}, {"from": 0.5, "ratios": {"a": 0.5, "b": 0.5}}]
HELD = {"files": ["d.jsonl"], "validation": {"share": 0.1}}


def refused(kind, given):
    """What is said of keys that are wrong, without pydantic's own words."""
    with pytest.raises(ValidationError) as caught:
        kind.model_validate(given)
    return [item["msg"].removeprefix("Value error, ") for item in caught.value.errors()]


def test_what_is_not_said_has_a_default():
    keys = SftKeys.model_validate(SFT)
    assert (keys.device, keys.precision, keys.threads, keys.log) == ("auto", "auto", None, ["tensorboard"])
    assert (keys.lora, keys.anchor, keys.parent, keys.quantize, keys.adapts) == (None, None, None, None, False)
    plan = keys.training
    assert (plan.accumulation, plan.max_length, plan.schedule, plan.max_grad_norm) == (1, 512, "cosine", 1.0)
    assert (plan.warmup_steps, plan.warmup_ratio, plan.weight_decay, plan.packing) == (0, 0.0, 0.0, False)
    assert (keys.data.sample_ratio, keys.save.every, keys.save.keep) == (1.0, None, 2)


def test_every_kind_has_its_keys():
    assert set(KINDS) == {"pretrain", "sft", "dpo", "reward"}
    assert all(issubclass(kind, RecipeKeys) for kind in KINDS.values())
    assert all(kind.model_fields["kind"].annotation.__args__ == (name,) for name, kind in KINDS.items())


def test_a_recipe_that_was_resolved_can_be_read_again():
    keys = SftKeys.model_validate({**SFT, "data": {"mix": TWO, "curriculum": STAGES}})
    assert SftKeys.model_validate(keys.model_dump(mode="json", by_alias=True)) == keys


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"epochs": None}, "give either 'epochs' or 'steps'"),
        ({"steps": 3}, "give either 'epochs' or 'steps'"),
        ({"warmup_steps": 1, "warmup_ratio": 0.1}, "give either 'warmup_steps' or 'warmup_ratio'"),
        ({"packing": True, "group_by_length": True}, "'packing' fills every row; leave out 'group_by_length'"),
        ({"learning_rate": 0}, "Input should be greater than 0"),
        ({"learning_rate": float("nan")}, "Input should be a finite number"),
        ({"learning_rate": 2}, "Input should be less than or equal to 1"),
        ({"batch_size": 0}, "Input should be greater than or equal to 1"),
        ({"batch_size": 1.5}, "Input should be a valid integer"),
        ({"batch_size": True}, "Input should be a valid integer"),
        ({"max_grad_norm": float("inf")}, "Input should be a finite number"),
        ({"schedule": "cosin"}, "Input should be 'cosine', 'linear' or 'constant'"),
        ({"learning_rte": 1}, "Extra inputs are not permitted"),
    ],
)
def test_a_plan_that_contradicts_itself_is_refused(change, said):
    assert refused(TrainingKeys, {**PLAN, **change}) == [said]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "give one of 'files', 'dataset', 'generator' and 'mix'"),
        ({"files": ["a"], "dataset": "b"}, "give one of 'files', 'dataset', 'generator' and 'mix'"),
        ({"files": ["a"], "mix": TWO}, "give one of 'files', 'dataset', 'generator' and 'mix'"),
        ({"generator": "kitchen_corpus"}, "'examples' goes with 'generator': how many it makes"),
        ({"files": ["a"], "examples": 3}, "'examples' goes with 'generator': how many it makes"),
        ({"mix": [TWO[0], TWO[0]]}, "each source of 'mix' needs a name of its own"),
        ({"mix": [{**TWO[0], "ratio": 0.5}, TWO[1]]}, "give every source of 'mix' a 'ratio', or none"),
        (
            {"mix": [{**TWO[0], "ratio": 0.5}, {**TWO[1], "ratio": 0.4}]},
            "the ratios of 'mix' must add up to 1, found 0.9",
        ),
        (
            {"mix": [{**TWO[0], "ratio": 0.5}, {**TWO[1], "ratio": 0.5}], "curriculum": STAGES},
            "'curriculum' says the ratios; leave 'ratio' out of 'mix'",
        ),
        ({"files": ["a"], "curriculum": STAGES}, "'curriculum' needs a 'mix' of several sources"),
        (
            {"mix": TWO, "curriculum": STAGES[1:]},
            "the stages of 'curriculum' must begin at 0 and go up, found [0.5]",
        ),
        (
            {"mix": TWO, "curriculum": [STAGES[0], STAGES[0]]},
            "the stages of 'curriculum' must begin at 0 and go up, found [0.0, 0.0]",
        ),
        (
            {"mix": TWO, "curriculum": [{"from": 0, "ratios": {"c": 1}}]},
            "'curriculum' names 'c', which is no source of 'mix'",
        ),
        ({"mix": TWO, "curriculum": [{"from": 0, "ratios": {"a": 0.5}}]}, "the ratios must add up to 1, found 0.5"),
        ({"files": ["a"], "sample_ratio": 0}, "Input should be greater than 0"),
        ({"files": ["a"], "sample_ratio": 1.01}, "Input should be less than or equal to 1"),
        (
            {"files": ["a"], "columns": {"question": "q"}},
            "Input should be 'messages', 'prompt', 'response', 'text', 'chosen' or 'rejected'",
        ),
    ],
)
def test_data_that_contradict_themselves_are_refused(given, said):
    assert refused(DataKeys, given) == [said]


def test_a_part_and_a_validation_have_one_origin():
    assert refused(PartKeys, {"name": "a"}) == ["give one of 'files', 'dataset' and 'generator'"]
    both = {"share": 0.1, "files": ["a"]}
    assert refused(ValidationKeys, both) == ["give one of 'share', 'files', 'dataset' and 'generator'"]
    assert refused(ValidationKeys, {"share": 1}) == ["Input should be less than 1"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"early_stopping": {"patience": 1}},
            "'early_stopping' on the validation loss needs 'data.validation'",
        ),
        (
            {"early_stopping": {"patience": 1, "metric": "win_rate"}},
            "'early_stopping' on the win rate needs 'evaluate'",
        ),
        (
            {"data": {"mix": TWO, "curriculum": STAGES}, "training": {**PLAN, "epochs": None, "steps": 3}},
            "'data.curriculum' lays out whole epochs; give 'training.epochs', not 'steps'",
        ),
        (
            {"data": {"mix": TWO, "curriculum": STAGES}, "training": {**PLAN, "packing": True}},
            "'data.curriculum' keeps its order; leave out 'group_by_length' and 'packing'",
        ),
        ({"evaluate": {"suite": "s", "every": 3}}, "'evaluate.every' must be a multiple of 'save.every'; give both"),
        (
            {"evaluate": {"suite": "s", "every": 3}, "save": {"every": 2}},
            "'evaluate.every' must be a multiple of 'save.every'; give both",
        ),
        ({"quantize": "4bit"}, "'quantize' is for adapters; add 'lora', or leave it out"),
        (
            {"parent": "hf/p", "lora": {"rank": 1, "alpha": 1}},
            "'parent' has its own adapter; leave out 'lora'",
        ),
        ({"base": "b"}, "String should match pattern '^(recipe|hf)/.+$'"),
        ({"name": "a/b"}, "String should match pattern '^[A-Za-z0-9][A-Za-z0-9._-]*$'"),
        ({"seed": -1}, "Input should be greater than or equal to 0"),
        ({"beta": 0.1}, "Extra inputs are not permitted"),
        ({"anchor": {"coef": -1}}, "Input should be greater than or equal to 0"),
    ],
)
def test_a_recipe_that_contradicts_itself_is_refused(change, said):
    assert refused(SftKeys, {**SFT, **change}) == [said]


@pytest.mark.parametrize("more", ["packing", "group_by_length"])
def test_pairs_are_neither_packed_nor_grouped(more):
    (said,) = refused(DpoKeys, {**SFT, "kind": "dpo", "training": {**PLAN, more: True}})
    assert said.startswith("preference pairs are neither packed nor grouped")


def test_heads_need_an_even_share_of_the_model():
    shape = {"hidden_size": 36, "intermediate_size": 8, "layers": 1, "heads": 4, "context": 16}
    assert refused(ModelKeys, shape) == ["'hidden_size' must be a multiple of twice 'heads'"]


def test_early_stopping_on_the_win_rate_looks_at_every_saved_step():
    given = {**SFT, "data": HELD, "save": {"every": 2}, "early_stopping": {"patience": 1, "metric": "win_rate"}}
    assert SftKeys.model_validate({**given, "evaluate": {"suite": "s"}}).early_stopping is not None
    (said,) = refused(SftKeys, {**given, "evaluate": {"suite": "s", "every": 4}})
    assert said == "'early_stopping' on the win rate looks at every saved step; leave out 'evaluate.every'"
