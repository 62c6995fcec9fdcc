"""A merged model answers as base and adapter do, says what it is, and is made of the right base alone."""

import json
import shutil
from dataclasses import replace

import pytest

pytest.importorskip("torch")
import torch

from harness import checkpoint
from harness.checkpoint import Base
from harness.checkpoints import merge, verifying
from harness.errors import InputError
from harness.leakage import FILE, TrainingExample, TrainingIndex, join
from harness.models.weights import Device, load
from tests import tiny
from tests.command import environment, harness
from tests.harness.checkpoints.shelves import made

CPU = Device(name="cpu", dtype="float32")
BROTH, SOUP = (
    TrainingIndex.build([TrainingExample(file=f"{name}.jsonl", line=1, turns=(f"how is {name} made?",))])
    for name in ("broth", "soup")
)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A shelf with a base and an adapter on it, both with an index, the adapter with a saved step."""
    shelf = tmp_path_factory.mktemp("shelf")
    base = tiny.checkpoint(shelf / "broth-aa")
    BROTH.save(base / FILE)
    checkpoint.write(base, made(base, name="broth", kind="pretrain", base=None))
    for seed, folder in enumerate((shelf / "soup-bb", shelf / "soup-bb" / "checkpoint-5"), start=1):
        tiny.adapter(folder, base, seed=seed)
        SOUP.save(folder / FILE)
        sign(folder, base)
    return shelf


def sign(folder, base, **changes):
    trained_on = Base(spec="recipe/broth.yaml", sha256=checkpoint.fingerprint(base))
    checkpoint.write(folder, made(folder, base=trained_on, **changes))


@pytest.fixture
def shelf(kept, tmp_path):
    return shutil.copytree(kept, tmp_path / "checkpoints")


def logits(base, adapter=None, head="causal", device=CPU):
    model, tokenizer = load(base, adapter, device, head)
    model.config.pad_token_id = tokenizer.pad_token_id
    with torch.inference_mode():
        return model(input_ids=torch.arange(10, 60)[None]).logits.float()


@pytest.mark.parametrize("name", ["soup-bb", "soup-bb/checkpoint-5"])
def test_a_merged_model_answers_as_base_and_adapter_do(shelf, tmp_path, capsys, name):
    out = tmp_path / "merged"
    assert merge.verb(shelf / name, out=out, base=None, shelf=tmp_path) == 0
    together = logits(shelf / "broth-aa", shelf / name)
    assert float((logits(out) - together).abs().max()) < 1e-4
    assert float((logits(shelf / "broth-aa") - together).abs().max()) > 0.01
    assert f" → {out}: " in capsys.readouterr().out


def test_a_merged_model_says_what_it_is(shelf, tmp_path, capsys):
    out = tmp_path / "merged"
    merge.verb(shelf / "soup-bb", out=out, base=None, shelf=tmp_path)
    before, after = checkpoint.read(shelf / "soup-bb"), checkpoint.read(out)
    assert after.adapter_sha256 is None
    assert after.merged_from == Base(spec="soup", sha256=before.sha256)
    assert (after.base, after.steps_done, after.recipe) == (before.base, before.steps_done, before.recipe)
    for compute in (checkpoint.tokenizer_sha256, checkpoint.chat_template_sha256):
        assert compute(out) == compute(shelf / "broth-aa")
    assert TrainingIndex.load(out / FILE).sha256 == join([BROTH, SOUP]).sha256
    capsys.readouterr()
    assert verifying.verb([out], shelf=tmp_path) == 0
    assert "training index" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoints", "merged"]


def test_another_base_is_refused_and_the_right_one_found_under_any_name(shelf, tmp_path):
    out = tmp_path / "merged"
    other = tiny.checkpoint(tmp_path / "other", seed=5)
    with pytest.raises(InputError, match=r"this adapter was trained on recipe/broth\.yaml \(SHA-256 .*\), not on"):
        merge.verb(shelf / "soup-bb", out=out, base=other, shelf=shelf)
    renamed = shutil.move(shelf / "broth-aa", shelf / "zzz")
    merge.verb(shelf / "soup-bb", out=out, base=None, shelf=shelf)
    merge.verb(shelf / "soup-bb", out=tmp_path / "again", base=renamed, shelf=shelf)
    assert checkpoint.fingerprint(out) == checkpoint.fingerprint(tmp_path / "again")


def test_a_base_that_is_not_here_is_asked_for(shelf, tmp_path):
    shutil.rmtree(shelf / "broth-aa")
    with pytest.raises(InputError, match=r"is not among the checkpoints; name it with --base"):
        merge.verb(shelf / "soup-bb", out=tmp_path / "merged", base=None, shelf=tmp_path / "none")
    assert not (tmp_path / "merged").exists()


def test_a_base_from_elsewhere_is_found_by_its_path(shelf, tmp_path):
    foreign = tiny.checkpoint(tmp_path / "foreign" / "model")
    adapter = tiny.adapter(tmp_path / "alone" / "lora", foreign)
    sha256 = checkpoint.fingerprint(foreign)
    checkpoint.write(adapter, made(adapter, base=Base(spec=f"hf/{foreign}", sha256=sha256)))
    merge.verb(adapter, out=tmp_path / "merged", base=None, shelf=shelf)
    assert float((logits(tmp_path / "merged") - logits(foreign, adapter)).abs().max()) < 1e-4


def test_a_half_precision_base_keeps_its_precision_and_the_rounding_is_said(tmp_path, capsys):
    from transformers import AutoModelForCausalLM

    base = tiny.checkpoint(tmp_path / "base")
    AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16).save_pretrained(base)
    adapter = tiny.adapter(tmp_path / "lora", base)
    sign(adapter, base)
    merge.verb(adapter, out=tmp_path / "merged", base=base, shelf=tmp_path)
    said = capsys.readouterr()
    assert ", bfloat16\n" in said.out
    difference = float(said.err.rpartition("largest difference of a logit from base and adapter: ")[2])
    assert 1e-4 < difference < 1
    assert json.loads((tmp_path / "merged" / "config.json").read_text())["dtype"] == "bfloat16"


def test_a_reward_adapter_becomes_a_reward_model(tmp_path):
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForSequenceClassification

    base = tiny.checkpoint(tmp_path / "base")
    plain = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1)
    plain.config.pad_token_id = 1
    settings = LoraConfig(r=2, task_type="SEQ_CLS", target_modules=["q_proj"], init_lora_weights=False)
    get_peft_model(plain, settings).save_pretrained(tmp_path / "lora")
    sign(tmp_path / "lora", base, kind="reward")
    merge.verb(tmp_path / "lora", out=tmp_path / "merged", base=base, shelf=tmp_path)
    together = logits(base, tmp_path / "lora", "reward")
    assert together.shape == (1, 1)
    assert float((logits(tmp_path / "merged", None, "reward") - together).abs().max()) < 1e-4


def test_an_adapter_from_elsewhere_needs_its_base_named(tmp_path, capsys):
    base = tiny.checkpoint(tmp_path / "base")
    adapter = tiny.adapter(tmp_path / "lora", base)
    with pytest.raises(InputError, match="says nowhere on which base it was trained; name it with --base"):
        merge.verb(adapter, out=tmp_path / "merged", base=None, shelf=tmp_path)
    merge.verb(adapter, out=tmp_path / "merged", base=base, shelf=tmp_path)
    assert checkpoint.find(tmp_path / "merged") is None
    assert "has no manifest of ours" in capsys.readouterr().err
    assert float((logits(tmp_path / "merged") - logits(base, adapter)).abs().max()) < 1e-4


def test_what_cannot_be_merged_is_refused_and_leaves_nothing(shelf, tmp_path):
    with pytest.raises(InputError, match="holds no adapter"):
        merge.verb(shelf / "broth-aa", out=tmp_path / "merged", base=None, shelf=shelf)
    with pytest.raises(InputError, match="is there already; give another --out"):
        merge.verb(shelf / "soup-bb", out=shelf, base=None, shelf=shelf)
    manifest = checkpoint.read(shelf / "soup-bb")
    checkpoint.write(shelf / "soup-bb", replace(manifest, sha256="0" * 64))
    with pytest.raises(InputError, match="changed since training"):
        merge.verb(shelf / "soup-bb", out=tmp_path / "merged", base=None, shelf=shelf)
    checkpoint.write(shelf / "soup-bb", manifest)
    (shelf / "soup-bb" / FILE).write_bytes(b"PK\x05\x06")
    with pytest.raises(InputError, match="is no index of training examples"):
        merge.verb(shelf / "soup-bb", out=tmp_path / "merged", base=None, shelf=shelf)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoints"]


def test_the_command_merges_and_what_it_made_can_be_exported(shelf, tmp_path):
    env = environment(tmp_path, HARNESS_CHECKPOINTS=str(shelf))
    done = harness("checkpoints", "merge", shelf / "soup-bb", "-o", tmp_path / "merged", env=env)
    assert (done.code, done.out.count("\n")) == (0, 1), done.err
    done = harness("checkpoints", "export", tmp_path / "merged", "-o", tmp_path / "shared", env=env)
    assert done.code == 0, done.err
    assert checkpoint.fingerprint(tmp_path / "shared") == checkpoint.fingerprint(tmp_path / "merged")
