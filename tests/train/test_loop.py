"""The training loop against plain trl and plain torch: the same losses and weights, figures that can be counted."""

import math

import pytest

pytest.importorskip("torch")

import torch

from tests.train.small import answers, losses, manifest, recipe, rows_of, same, train, weights

STEPS = {"epochs": 2, "batch_size": 4, "max_length": 96, "learning_rate": 0.01, "warmup_steps": 3, "weight_decay": 0.1}


def apart(a, b):
    """The largest difference between two checkpoints' weights."""
    first, second = weights(a), weights(b)
    assert first.keys() == second.keys()
    return max(float((first[name] - second[name]).abs().max()) for name in first)


def plain_trl(base, rows, dropout, folder):
    """The losses, step by step, and the adapter that trl's own trainer gives at the settings of `STEPS`."""
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    chats = [
        {
            "prompt": [{"role": "user", "content": row["prompt"]}],
            "completion": [{"role": "assistant", "content": row["response"]}],
        }
        for row in rows
    ]
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32),
        processing_class=AutoTokenizer.from_pretrained(base),
        train_dataset=Dataset.from_list(chats),
        peft_config=LoraConfig(
            r=2, lora_alpha=4, lora_dropout=dropout, target_modules="all-linear", task_type="CAUSAL_LM"
        ),
        args=SFTConfig(
            output_dir=str(folder),
            num_train_epochs=STEPS["epochs"],
            per_device_train_batch_size=STEPS["batch_size"],
            learning_rate=STEPS["learning_rate"],
            warmup_steps=STEPS["warmup_steps"],
            weight_decay=STEPS["weight_decay"],
            max_length=STEPS["max_length"],
            lr_scheduler_type="cosine",
            max_grad_norm=1.0,
            seed=5,
            data_seed=5,
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        ),
    )
    trainer.train()
    trainer.save_model(folder)
    return [row["loss"] for row in trainer.state.log_history if "loss" in row]


@pytest.mark.parametrize("dropout", [0.1, pytest.param(0.0, marks=pytest.mark.chaos)])
def test_an_adapter_is_trained_as_plain_trl_trains_it(tmp_path, base, dropout):
    rows = answers(40)
    ours = train(
        recipe(tmp_path, base, rows, training=STEPS, lora={"dropout": dropout}, save={"every": 1, "keep": 1}),
    )
    theirs = plain_trl(base, rows, dropout, tmp_path / "trl")
    assert len(theirs) == 20
    assert losses(ours) == pytest.approx(theirs, abs=1e-5)
    assert theirs[0] - theirs[-1] > 0.05
    assert apart(ours, tmp_path / "trl") < 1e-5


@pytest.mark.chaos
def test_an_anchor_of_nothing_changes_no_bit(tmp_path, base):
    rows = answers(20)
    more = {"training": STEPS, "lora": {"dropout": 0.1}, "save": {"every": 2, "keep": 1}}
    without = train(recipe(tmp_path / "without", base, rows, **more))
    anchored = train(recipe(tmp_path / "with", base, rows, anchor={"coef": 0}, **more))
    assert losses(without) == losses(anchored)
    assert same(without, anchored)
    pulled = train(recipe(tmp_path / "pulled", base, rows, anchor={"coef": 2.0}, **more))
    assert not same(without, pulled)


@pytest.fixture(scope="module")
def both(tmp_path_factory, base):
    """Trainings of 8 × 1 and of 1 × 8 examples a step, validated on the same examples of different lengths."""
    made = []
    for batch_size, accumulation in ((8, 1), (1, 8)):
        folder = tmp_path_factory.mktemp("batches")
        more = {"batch_size": batch_size, "accumulation": accumulation}
        path = recipe(
            folder,
            base,
            answers(43),
            training={**STEPS, **more},
            data={"validation": {"files": ["held.jsonl"]}},
            save={"every": 2, "keep": 1},
        )
        recipe(folder, base, answers(7, seed=1), file="other.yaml")
        (folder / "data.jsonl").rename(folder / "held.jsonl")
        recipe(folder, base, answers(43), file="other.yaml")
        made.append(train(path))
    return made


def test_small_batches_that_are_gathered_equal_one_large_one(both):
    large, small = both
    assert losses(small) == pytest.approx(losses(large), abs=1e-4)
    assert len(losses(large)) == 7
    assert apart(large, small) < 1e-4


def by_hand(base, adapter, rows):
    """The mean loss over all answer tokens of single examples, and how many there are."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    model = AutoModelForCausalLM.from_pretrained(base)
    model = PeftModel.from_pretrained(model, adapter).eval() if adapter else model.eval()
    total, count = 0.0, 0
    for row in rows:
        asked = f"<|user|>{row['prompt']}<|end|><|assistant|>"
        before = len(tokenizer(asked)["input_ids"])
        ids = torch.tensor([tokenizer(f"{asked}{row['response']}<|end|>")["input_ids"]])
        with torch.no_grad():
            logits = model(ids).logits[0, before - 1 : -1]
        total += float(torch.nn.functional.cross_entropy(logits, ids[0, before:], reduction="sum"))
        count += ids.shape[1] - before
    return total / count, count


def test_validation_is_the_mean_over_tokens_before_during_and_after(both, base):
    rows = answers(7, seed=1)
    before, tokens = by_hand(base, None, rows)
    for folder in both:
        history = [row for row in rows_of(folder) if "validation_loss" in row]
        assert [row["step"] for row in history] == [0, 2, 4, 6, 8, 10, 12]
        after, _ = by_hand(base, folder, rows)
        assert history[0]["validation_loss"] == pytest.approx(before, abs=1e-5)
        assert history[-1]["validation_loss"] == pytest.approx(after, abs=1e-5)
        assert after < before - 0.01
        assert {row["validation_tokens"] for row in history} == {tokens}
        assert all(row["perplexity"] == pytest.approx(math.exp(row["validation_loss"])) for row in history)
        figures = manifest(folder)["metrics"]
        assert figures["validation_loss_before"] == history[0]["validation_loss"]
        assert figures["perplexity"] == history[-1]["perplexity"]


def test_neighbours_in_a_packed_row_do_not_see_each_other(tmp_path, base):
    rows = answers(24)
    more = {
        "training": {"epochs": 1, "batch_size": 24, "learning_rate": 0.01},
        "data": {"validation": {"share": 0.25}},
    }
    apart_ = train(recipe(tmp_path / "apart", base, rows, **more))
    more["training"]["packing"] = True
    packed = train(recipe(tmp_path / "packed", base, rows, **more))
    first, one = rows_of(apart_), rows_of(packed)
    assert [row["step"] for row in one] == [row["step"] for row in first] == [0, 1]
    for name in ("validation_loss", "loss", "grad_norm", "validation_tokens"):
        found = [[row[name] for row in made if name in row] for made in (first, one)]
        assert found[1] == pytest.approx(found[0], abs=1e-4), name
        assert found[0], name
    assert apart(apart_, packed) < 1e-4
    assert manifest(packed)["data"]["actual"] == manifest(apart_)["data"]["actual"] == 18
