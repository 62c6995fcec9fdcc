"""What may be loaded: whole safetensors of any family, a head that was trained, an adapter on its own base."""

import asyncio
import json
import shutil
import time

import pytest

pytest.importorskip("torch")
import torch

from harness import checkpoint
from harness.errors import InputError
from harness.models.contestant import Question
from harness.models.huggingface import LocalContestant
from harness.models.meter import Meter
from harness.models.weights import Device, load, loadable
from judges.types import Prompt, Sampling
from tests import tiny

CPU = Device(name="cpu", dtype="float32")
TEXTS = ["soup", "a soup with leeks and rice, and bread that is brown"]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny.checkpoint(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def lora(tmp_path_factory, base):
    """An adapter with a manifest that names its base."""
    return signed(tiny.adapter(tmp_path_factory.mktemp("lora"), base), base)


@pytest.fixture(scope="module")
def sharded(tmp_path_factory, base):
    from transformers import AutoModelForCausalLM

    folder = tmp_path_factory.mktemp("sharded") / "model"
    shutil.copytree(base, folder)
    (folder / "model.safetensors").unlink()
    AutoModelForCausalLM.from_pretrained(base).save_pretrained(folder, max_shard_size="60KB")
    assert len(list(folder.glob("*.safetensors"))) > 1
    return folder


def signed(adapter, base):
    """The adapter with a manifest that says it was trained on this base."""
    sha256 = checkpoint.weights_sha256(adapter)
    made = checkpoint.Manifest(
        name="lora",
        kind="sft",
        base=checkpoint.Base(spec="recipe/kitchen.yaml", sha256=checkpoint.fingerprint(base)),
        sha256=sha256,
        adapter_sha256=sha256,
        tokenizer_sha256=None,
        chat_template_sha256=None,
        steps_done=4,
        steps_planned=4,
        epochs=1.0,
        data=checkpoint.Data(sha256="x", planned=8, actual=8),
        seed=1,
        device="cpu",
        versions={},
        recipe={},
    )
    checkpoint.write(adapter, made)
    return adapter


def contestant(base, adapter=None):
    return LocalContestant(base=base, adapter=adapter, fingerprint="f", seed=0, cache=None, meter=Meter())


def answers(who, texts):
    asked = [
        Question(prompt=Prompt(id=text, turns=(text,)), sample=0, sampling=Sampling(temperature=0.0, max_tokens=6))
        for text in texts
    ]
    found = {}
    asyncio.run(who.answer(asked, lambda question, answer: found.__setitem__(question.prompt.id, answer.texts[0])))
    return found


@pytest.mark.parametrize("name", list(tiny.FAMILIES))
def test_every_family_answers_by_its_own_template_and_batches_change_nothing(name, tmp_path):
    folder = tiny.family(tmp_path / "base", name)
    plain, tuned = contestant(folder), contestant(folder, tiny.adapter(tmp_path / "lora", folder))
    together = [answers(who, TEXTS) for who in (plain, tuned)]
    alone = [{text: answers(who, [text])[text] for text in TEXTS} for who in (plain, tuned)]
    assert together == alone
    assert together[0] != together[1]
    assert len(set(together[0].values())) > 1
    assert json.loads((folder / "config.json").read_text())["model_type"] == name


def test_an_adapter_is_put_on_the_base_it_was_trained_on_and_on_no_other(base, lora, tmp_path):
    load(base, lora, CPU)
    other = tiny.checkpoint(tmp_path / "other", seed=5)
    with pytest.raises(InputError) as raised:
        load(other, lora, CPU)
    then, now = checkpoint.fingerprint(base)[:12], checkpoint.fingerprint(other)[:12]
    assert str(raised.value) == (
        f"{lora}: this adapter was trained on recipe/kitchen.yaml (SHA-256 {then}), not on {other} (SHA-256 {now}); "
        "give the base it was trained on, or train an adapter on this one"
    )


def test_a_base_that_lies_elsewhere_is_the_same_base(base, lora, tmp_path):
    assert loadable(shutil.copytree(base, tmp_path / "moved"), lora) == []


def test_an_adapter_from_elsewhere_is_tried_on_what_is_given(base, tmp_path):
    adapter = tiny.adapter(tmp_path / "foreign", base)
    (adapter / "manifest.json").write_text('{"kind": "Deployment", "name": "x"}')
    model, _ = load(tiny.checkpoint(tmp_path / "other", seed=5), adapter, CPU)
    assert any("lora_A" in name for name, _ in model.named_parameters())


def test_an_adapter_alone_is_no_model(lora):
    with pytest.raises(InputError, match=r"is an adapter, not a whole model; give it with its base as hf/<base>"):
        load(lora, None, CPU)


def test_a_model_is_no_adapter(base):
    with pytest.raises(InputError, match=r"is no adapter: it lacks adapter_model\.safetensors and adapter_config"):
        load(base, base, CPU)


def test_shards_together_are_the_model(base, sharded):
    one, other = load(base, None, CPU)[0].state_dict(), load(sharded, None, CPU)[0].state_dict()
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_a_missing_shard_is_named(sharded, tmp_path):
    folder = shutil.copytree(sharded, tmp_path / "copy")
    gone = sorted(folder.glob("*.safetensors"))[1]
    gone.unlink()
    with pytest.raises(InputError, match=rf"index\.json: names shards that are not there: {gone.name}; copy or"):
        load(folder, None, CPU)


def test_a_key_that_no_shard_holds_is_named(sharded, tmp_path):
    folder = shutil.copytree(sharded, tmp_path / "copy")
    index = folder / "model.safetensors.index.json"
    value = json.loads(index.read_text())
    value["weight_map"]["model.layers.7.mlp.up_proj.weight"] = next(iter(value["weight_map"].values()))
    index.write_text(json.dumps(value))
    with pytest.raises(InputError, match=r"keys that their shards do not hold: model\.layers\.7\.mlp\.up_proj\.weight"):
        load(folder, None, CPU)


@pytest.mark.parametrize("cut", [4, 3000, -100])
def test_a_torn_file_is_said_to_be_torn(base, tmp_path, cut):
    folder = shutil.copytree(base, tmp_path / "copy")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:cut])
    with pytest.raises(InputError, match=r"model\.safetensors: is no whole safetensors file"):
        load(folder, None, CPU)


def test_a_score_head_that_was_never_trained_is_an_error(base):
    with pytest.raises(InputError, match=r"missing: score\.weight"):
        load(base, None, CPU, "reward")


def test_a_score_head_of_another_shape_is_an_error(tmp_path):
    folder = tiny.reward(tmp_path / "reward", outputs=1)
    config = json.loads((folder / "config.json").read_text())
    names = {str(place): f"l{place}" for place in range(3)}
    config |= {"id2label": names, "label2id": {name: int(place) for place, name in names.items()}}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=r"of another shape: .*score\.weight"):
        load(folder, None, CPU, "reward")


def test_a_reward_adapter_brings_its_head_along(base, tmp_path):
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForSequenceClassification

    plain = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1)
    settings = LoraConfig(r=2, task_type="SEQ_CLS", target_modules=["q_proj"], init_lora_weights=False)
    trained = get_peft_model(plain, settings).eval()
    trained.save_pretrained(tmp_path / "lora")
    model, tokenizer = load(base, tmp_path / "lora", CPU, "reward")
    model.config.pad_token_id = trained.config.pad_token_id = tokenizer.pad_token_id
    ids = torch.tensor([[5, 6, 7]])
    with torch.inference_mode():
        assert torch.equal(model(input_ids=ids).logits, trained(input_ids=ids).logits)
    with pytest.raises(InputError, match=r"keys that differ: base_model\.model\.score\.weight"):
        load(base, tmp_path / "lora", CPU)


def test_code_that_comes_with_a_checkpoint_is_not_run(base, tmp_path):
    folder = shutil.copytree(base, tmp_path / "copy")
    (folder / "custom.py").write_text(f"from pathlib import Path\nPath({str(tmp_path / 'ran')!r}).touch()\n")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "custom", "auto_map": {"AutoConfig": "custom.C", "AutoModelForCausalLM": "custom.M"}}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="cannot be loaded"):
        load(folder, None, CPU)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.json", "{"),
        ("config.json", "[]"),
        ("config.json", '{"model_type": 3}'),
        ("config.json", '{"model_type": "llama", "hidden_size": "x"}'),
        ("tokenizer.json", "{}"),
        ("tokenizer.json", "["),
        ("tokenizer_config.json", "[]"),
        ("generation_config.json", "[]"),
    ],
)
def test_a_broken_file_is_one_sentence(base, tmp_path, name, text):
    folder = shutil.copytree(base, tmp_path / "copy")
    (folder / name).write_text(text)
    with pytest.raises(InputError) as raised:
        load(folder, None, CPU)
    assert str(raised.value).startswith(f"{folder}: cannot be loaded: ")
    assert "\n" not in str(raised.value)


def test_what_is_wrong_is_known_before_torch_is_needed(base, lora, tmp_path):
    other = tiny.checkpoint(tmp_path / "other", seed=5)
    started = time.perf_counter()
    assert [problem.path for problem in loadable(other, lora)] == [str(lora)]
    assert loadable(base, lora, checkpoint.fingerprint(base)) == []
    assert time.perf_counter() - started < 1
