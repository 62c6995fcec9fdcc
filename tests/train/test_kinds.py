"""Every kind of training ends in a checkpoint of its kind: adapters, whole models, pairs from a parent, rewards."""

import asyncio
import math

import pytest

pytest.importorskip("torch")

import torch

from harness import checkpoint
from harness.errors import InputError
from harness.leakage import FILE, TrainingIndex, normal
from harness.leakage.nearest import nearest
from harness.models.meter import Meter
from harness.models.reward import RewardScorer
from harness.models.weights import Device, load
from judges.types import Prompt
from tests import tiny
from tests.published import write_lines
from tests.train.small import answers, manifest, pairs, recipe, rows_of, same, train, weights

CPU = Device(name="cpu", dtype="float32")
VALIDATED = {"validation": {"files": ["held.jsonl"]}}
PLAN = {"epochs": 2, "batch_size": 8, "learning_rate": 0.02}


@pytest.fixture(scope="module")
def parent(tmp_path_factory, base):
    """A folder with an adapter that was trained, and its recipe p.yaml."""
    folder = tmp_path_factory.mktemp("parent")
    write_lines(folder / "held.jsonl", answers(6, seed=9))
    path = recipe(folder, base, answers(20), file="p.yaml", name="first", data=VALIDATED, training=PLAN)
    (folder / "data.jsonl").rename(folder / "first.jsonl")
    path.write_text(path.read_text().replace("data.jsonl", "first.jsonl"))
    return folder, train(path)


def from_parent(parent, base, rows, **more):
    folder, _ = parent
    return recipe(folder, base, rows, parent="recipe/p.yaml", lora=None, **more)


def by_hand(model, tokenizer, row, answer):
    """The log-probability of an answer, its end included."""
    asked = f"<|user|>{row['prompt']}<|end|><|assistant|>"
    before = len(tokenizer(asked)["input_ids"])
    ids = torch.tensor([tokenizer(f"{asked}{row[answer]}<|end|>")["input_ids"]])
    with torch.no_grad():
        told = model(ids).logits[0, before - 1 : -1].log_softmax(-1)
    return float(told.gather(1, ids[0, before:, None]).sum())


def dpo_loss(policy, reference, rows, beta):
    """The mean DPO loss of pairs, from log-probabilities that are added up one by one."""
    total = 0.0
    for row in rows:
        gains = [by_hand(*policy, row, key) - by_hand(*reference, row, key) for key in ("chosen", "rejected")]
        total += math.log1p(math.exp(-beta * (gains[0] - gains[1])))
    return total / len(rows)


def test_a_whole_model_is_trained_and_loads(tmp_path, base):
    folder = train(recipe(tmp_path, base, answers(16), lora=None))
    made = manifest(folder)
    assert (made["kind"], made["adapter_sha256"], made["complete"]) == ("sft", None, True)
    assert (folder / "tokenizer.json").read_bytes() == (base / "tokenizer.json").read_bytes()
    assert made["chat_template_sha256"] == checkpoint.chat_template_sha256(base)
    model, _ = load(folder, None, CPU)
    before, _ = load(base, None, CPU)
    moved = [not torch.equal(a, b) for a, b in zip(model.parameters(), before.parameters(), strict=True)]
    assert all(moved)


def test_a_model_from_nothing_is_trained_and_loads(tmp_path):
    folder = train(recipe(tmp_path, None, answers(16), training={"epochs": 4}))
    made = manifest(folder)
    assert (made["kind"], made["base"], made["steps_done"]) == ("pretrain", None, 16)
    model, tokenizer = load(folder, None, CPU)
    assert model.config.vocab_size == len(tokenizer) == 300
    found = [row["loss"] for row in rows_of(folder) if "loss" in row]
    assert found[-1] < found[0]


def test_an_adapter_goes_on_from_its_parent(parent, base):
    _, before = parent
    child = train(from_parent(parent, base, answers(16, seed=4), name="second", data=VALIDATED, training=PLAN))
    made = manifest(child)
    assert made["parent"] == {"spec": "first", "sha256": checkpoint.fingerprint(before)}
    first, last = rows_of(child)[0], rows_of(before)[-1]
    assert first["validation_loss"] == pytest.approx(last["validation_loss"], abs=1e-6)
    assert weights(child).keys() == weights(before).keys()
    assert not same(child, before)
    load(base, child, CPU)


def test_the_index_of_a_child_holds_what_its_parent_was_trained_on(parent, base):
    child = train(from_parent(parent, base, answers(16, seed=4), name="second", data=VALIDATED, training=PLAN))
    asked = [answers(20)[3]["prompt"], answers(16, seed=4)[5]["prompt"], "never asked of anyone at all"]
    found = nearest(TrainingIndex.load(child / FILE), [normal(text) for text in asked])
    assert [match is not None for match in found] == [True, True, False]


@pytest.mark.parametrize("start", ["base", "parent", "whole"])
def test_preferences_are_measured_against_what_training_starts_from(parent, base, tmp_path, start):
    above, adapter = parent if start == "parent" else (tmp_path, None)
    held = pairs(5, seed=9)
    plan = {**PLAN, "learning_rate": 0.001} if start == "whole" else PLAN
    keys = {"kind": "dpo", "beta": 0.5, "training": plan, "data": {"validation": {"files": [f"{start}.jsonl"]}}}
    lora = {"lora": None} if start != "base" else {}
    write_lines(above / f"{start}.jsonl", held)
    child = train(recipe(above, base, pairs(16), **keys, **lora, **({"parent": "recipe/p.yaml"} if adapter else {})))
    reference = load(base, adapter, CPU)
    policy = load(child, None, CPU) if start == "whole" else load(base, child, CPU)
    history = [row["validation_loss"] for row in rows_of(child) if "validation_loss" in row]
    assert history[0] == pytest.approx(math.log(2), abs=1e-6)
    assert history[-1] == pytest.approx(dpo_loss(policy, reference, held, 0.5), abs=1e-5)
    assert history[-1] < 0.68
    assert manifest(child)["kind"] == "dpo"
    assert {path.name for path in child.iterdir() if path.is_dir()} == {"checkpoint-4"}


@pytest.mark.parametrize("lora", [None, {"rank": 4}])
def test_a_reward_model_prefers_what_was_chosen(tmp_path, base, lora):
    plan = {"epochs": 4, "batch_size": 8, "learning_rate": 0.02}
    folder = train(recipe(tmp_path, base, pairs(24), kind="reward", lora=lora, training=plan))
    base_of, adapter = (base, folder) if lora else (folder, None)
    scorer = RewardScorer(spec="r", base=base_of, adapter=adapter, fingerprint="f", cache=None, meter=Meter())

    async def prefers(row):
        prompt = Prompt(id="p", turns=(row["prompt"],))
        chosen, rejected = await asyncio.gather(*(scorer.score(prompt, (row[key],)) for key in ("chosen", "rejected")))
        return chosen > rejected

    async def all_of():
        return await asyncio.gather(*map(prefers, pairs(24)))

    assert sum(asyncio.run(all_of())) >= 22
    assert manifest(folder)["kind"] == "reward"


def test_a_pair_that_is_too_long_is_counted_as_dropped(tmp_path, base):
    short = [{"prompt": f"{n}?", "chosen": "hot", "rejected": "pan"} for n in range(120)]
    rows = [*short, {"prompt": "why", "chosen": "yes " * 20, "rejected": "no"}]
    plan = {"batch_size": 64, "learning_rate": 0.01, "max_length": 32}
    reward = manifest(train(recipe(tmp_path / "r", base, rows, kind="reward", lora=None, training=plan)))["data"]
    assert (reward["planned"], reward["actual"], reward["dropped"], reward["truncated"]) == (121, 120, 1, 0)
    dpo = manifest(train(recipe(tmp_path / "d", base, rows, kind="dpo", training=plan)))["data"]
    assert (dpo["planned"], dpo["actual"], dpo["dropped"], dpo["truncated"]) == (121, 121, 0, 1)


def test_validation_that_loses_its_answers_is_refused(tmp_path, base):
    path = recipe(tmp_path, base, answers(8), data=VALIDATED, early_stopping={"patience": 1})
    write_lines(tmp_path / "held.jsonl", [{"prompt": "why " * 99, "response": "yes"}])
    with pytest.raises(InputError, match=r"^data\.validation: no example keeps its answer"):
        train(path)


@pytest.mark.parametrize("kind", ["dpo", "reward"])
def test_how_many_pairs_are_seen_at_once_changes_no_validation_figure(tmp_path, base, kind):
    found = []
    for size in (2, 5):
        folder = tmp_path / str(size)
        plan = {"batch_size": size, "accumulation": 10 // size, "learning_rate": 0.005}
        path = recipe(folder, base, pairs(10), kind=kind, data=VALIDATED, training=plan)
        write_lines(folder / "held.jsonl", pairs(7, seed=9))
        found += [[row["validation_loss"], row["validation_accuracy"]] for row in rows_of(train(path))]
    assert len(found) == 4
    assert found[:2] == [pytest.approx(row, abs=1e-4) for row in found[2:]]
    assert {round(7 * accuracy, 4) % 1 for _, accuracy in found} == {0}


def test_a_parent_that_is_no_adapter_or_has_another_base_is_refused(parent, base, tmp_path):
    folder, _ = parent
    with pytest.raises(InputError, match=r"parent: 'hf/.*' is no adapter; name one, or give it as 'base'"):
        train(recipe(tmp_path, base, answers(4), parent=f"hf/{base}", lora=None))
    other = tiny.checkpoint(tmp_path / "other", seed=3)
    found = next((folder / "made").glob("first-*"))
    with pytest.raises(InputError, match=r"was trained on another base \(hf/.*\); name that one as 'base'"):
        train(recipe(tmp_path, other, answers(4), parent=f"hf/{found}", lora=None))
