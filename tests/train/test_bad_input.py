"""Whatever is wrong, or goes wrong, is one sentence with a way out, and what was saved before it stays whole."""

import resource
import shutil

import pytest

pytest.importorskip("torch")

import torch

from harness import checkpoint
from harness.errors import RunStopped
from tests.train.forked import until
from tests.train.small import answers, only, recipe
from train.build import Yard, built
from train.recipe import load

MANY = {"epochs": 5, "batch_size": 4, "learning_rate": 0.01}


def kept(place):
    """The saved steps that are whole, each of them verified."""
    found = sorted(path.parent for path in place.glob("*/checkpoint-*/manifest.json"))
    assert all(checkpoint.verify(path, state=True) == [] for path in found)
    return [path.name for path in found]


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"lora": {"rnak": 4}}, "r.yaml:13: unknown key 'lora.rnak'; remove it"),
        ({"base": "hf/./nowhere"}, "there is no checkpoint folder './nowhere'; check the path"),
        ({"base": "hf/nobody/nothing"}, "there is no folder 'nobody/nothing' here, and no hub id 'nobody/nothing'"),
        ({"data": {"files": ["empty.jsonl"]}}, "empty.jsonl: holds no example; it needs at least one, one a line"),
        ({"data": {"files": ["torn.jsonl"]}}, "torn.jsonl:2: is not JSON"),
        ({"data": {"files": ["none.jsonl"]}}, "there is no file 'none.jsonl'; check the path"),
        ({"training": {"max_length": 257}}, "training.max_length: 257 tokens are more than the base's context of 256"),
        ({"lora": {"target_modules": ["nothing_proj"]}}, "lora.target_modules"),
        ({"lora": {"target_modules": ["lm_head"]}}, "lora.target_modules"),
        ({"device": "cuda"}, "device: 'cuda' is not on this machine; use auto or cpu"),
        ({"precision": "fp16"}, "precision: fp16 needs a CUDA device, this training runs on cpu; use fp32 or auto"),
        ({"quantize": "4bit"}, "quantize: 4bit needs CUDA, found cpu"),
        ({"log": ["wandb"]}, "log: wandb is not installed; pip install wandb, or leave it out of 'log'"),
    ],
)
def test_what_is_wrong_is_one_sentence(tmp_path, base, stem, more, what):
    if more.get("device") == "cuda" and torch.cuda.is_available():
        more, what = {"device": "mps"}, "device: 'mps' is not on this machine; use auto or cpu"
    path = recipe(tmp_path, base, answers(8), **more)
    (tmp_path / "empty.jsonl").write_text("\n")
    (tmp_path / "torn.jsonl").write_text('{"prompt": "a", "response": "b"}\n{"prompt": "a", \n')
    done = stem.run("train", path, checkpoints=tmp_path / "made")
    assert done.code == 2, done.err
    said = [line for line in done.err.splitlines() if not line.startswith("training ")]
    assert len(said) == 1, done.err
    assert what in said[0]
    assert done.out == ""
    assert not list(tmp_path.rglob("manifest.json"))


def poisoned(base, folder):
    """A base that knows nothing to say of a tilde."""
    from safetensors.torch import load_file, save_file
    from transformers import AutoTokenizer

    shutil.copytree(base, folder)
    (tilde,) = AutoTokenizer.from_pretrained(base)("~", add_special_tokens=False)["input_ids"]
    tensors = load_file(folder / "model.safetensors")
    tensors["model.embed_tokens.weight"][tilde] = float("nan")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def test_a_loss_that_is_no_number_stops_the_training_at_once(tmp_path, base, stem):
    stages = [{"from": 0, "ratios": {"good": 1}}, {"from": 0.5, "ratios": {"bad": 1}}]
    mix = [{"name": "good", "files": ["data.jsonl"]}, {"name": "bad", "files": ["bad.jsonl"]}]
    plan = {"epochs": 1, "batch_size": 2, "learning_rate": 1.0, "max_grad_norm": 1e9}
    recipe(tmp_path, base, [{"prompt": "~", "response": "~"}] * 12)
    (tmp_path / "data.jsonl").rename(tmp_path / "bad.jsonl")
    data = {"files": None, "mix": mix, "curriculum": stages}
    path = recipe(tmp_path, poisoned(base, tmp_path / "base"), answers(12), data=data, training=plan, save={"every": 2})
    done = stem.run("train", path, checkpoints=tmp_path / "made")
    assert done.code == 4
    last = done.err.splitlines()[-1]
    assert last.startswith("error: step 7: the loss is nan; the saved steps before it are kept; lower")
    assert kept(tmp_path / "made") == ["checkpoint-2", "checkpoint-4", "checkpoint-6"]
    assert not (only(tmp_path / "made") / "manifest.json").exists()


def test_weights_that_are_no_numbers_are_not_saved(tmp_path, base):
    from transformers import AutoModelForCausalLM

    from train.watched import save

    model = AutoModelForCausalLM.from_pretrained(base)
    model.lm_head.weight.data[3] = float("inf")
    with pytest.raises(
        RunStopped, match=r"^lm_head\.weight .* no longer finite numbers; .*lower training.learning_rate"
    ):
        save(model, None, tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_a_machine_without_enough_memory_is_told_what_to_lower(tmp_path, stem):
    wide = {"hidden_size": 4096, "intermediate_size": 8192, "heads": 32}
    path = recipe(tmp_path, None, answers(8), model=wide)
    done = stem.run("train", path, checkpoints=tmp_path / "made", room=200 * 2**20)
    assert done.code == 4, done.err
    assert done.err.splitlines()[-1] == (
        "error: cpu is out of memory; lower training.batch_size from 4 (and raise training.accumulation), "
        "or set training.gradient_checkpointing: true, and begin anew; no step was saved before"
    )


@pytest.mark.parametrize(
    ("plan", "lower"),
    [
        ({"batch_size": 4}, "lower training.batch_size from 4 (and raise training.accumulation), or set"),
        (
            {"batch_size": 1},
            "lower training.max_length from 96, or set training.gradient_checkpointing: true, and begin anew; ",
        ),
        (
            {"batch_size": 2, "gradient_checkpointing": True},
            "from 2 (and raise training.accumulation), and begin anew; step 2 ",
        ),
    ],
)
def test_out_of_memory_says_what_to_lower_and_what_is_kept(tmp_path, base, plan, lower):
    path = recipe(tmp_path, base, answers(12), training={"learning_rate": 0.01, **plan}, save={"every": 2})

    def fill(stage, done, total):
        if done == 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    yard = Yard(checkpoints=tmp_path / "made", on_progress=fill, say=lambda _: None)
    with pytest.raises(RunStopped) as caught:
        built(load(path), yard, resume=False)
    assert str(caught.value).startswith("cpu is out of memory; lower ")
    assert lower in str(caught.value)
    assert str(caught.value).endswith("step 2 is kept, --resume goes on from it")
    assert kept(tmp_path / "made") == ["checkpoint-2"]


@pytest.mark.parametrize("room", [16_000, pytest.param(6_000, marks=pytest.mark.chaos)])
def test_a_full_disk_keeps_what_was_saved(tmp_path, base, stem, room):
    """No file may grow beyond the room: weights do not fit in the first case, the optimizer's state in the second."""
    place = tmp_path / "made"
    path = recipe(tmp_path, base, answers(12), training=MANY, save={"every": 2, "keep": 100})
    running = stem.start("train", path, checkpoints=place)
    until(lambda: list(place.glob("*/checkpoint-2/manifest.json")))
    resource.prlimit(running.pid, resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    done = stem.wait(running)
    assert done.code == 4, done.err
    whole = kept(place)
    last = max(int(name.rpartition("-")[2]) for name in whole)
    assert done.err.splitlines()[-1].startswith(f"error: {only(place)}: cannot be written: ")
    assert done.err.splitlines()[-1].endswith(f"; free some room; step {last} is kept, --resume goes on from it")
    done = stem.run("train", path, "--resume", checkpoints=place)
    assert done.code == 0, done.err
    assert f"goes on from step {last} of" in done.err
    assert checkpoint.read(only(place)).complete
