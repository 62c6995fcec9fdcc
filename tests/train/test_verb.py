"""`harness train`: what it prints, what --set changes, that --dry-run writes nothing, how it ends."""

import os
import signal
import subprocess
import sys

import pytest

pytest.importorskip("torch")

from tests.command import environment, harness
from tests.train.forked import until
from tests.train.small import answers, interrupted, manifest, only, pairs, recipe

HELD = {"validation": {"share": 0.2}}


def snapshot(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_a_recipe_becomes_a_checkpoint_and_its_spec_is_all_that_is_printed(tmp_path, base):
    """In a fresh process, as a user runs it."""
    path = recipe(tmp_path, base, answers(20), data=HELD)
    env = environment(tmp_path, HARNESS_CHECKPOINTS=str(tmp_path / "made"))
    done = harness("train", path, env=env)
    assert done.code == 0, done.err
    folder = only(tmp_path / "made")
    assert done.out == f"hf/{base}+{folder}\n"
    lines = done.err.splitlines()
    assert lines[0] == "training small: 0/1"
    assert lines[-3].startswith(
        "small: step 4 of 4, 1 of 1 passes over 16 examples (16 planned, 0 held out, 0 truncated, 0 dropped) on cpu"
    )
    assert [line.split(":")[0] for line in lines[-2:]] == ["validation loss", "perplexity"]


@pytest.mark.chaos
def test_what_is_there_is_not_trained_again(tmp_path, base, stem):
    path = recipe(tmp_path, base, answers(8))
    first = stem.run("train", path, checkpoints=tmp_path / "made")
    before = snapshot(tmp_path / "made")
    second = stem.run("train", path, checkpoints=tmp_path / "made")
    resumed = stem.run("train", path, "--resume", checkpoints=tmp_path / "made")
    assert (first.code, second.code, resumed.code) == (0, 0, 0)
    assert first.out == second.out == resumed.out
    assert "training small" not in second.err + resumed.err
    assert snapshot(tmp_path / "made") == before


def test_a_base_that_is_a_recipe_is_trained_first(tmp_path, stem):
    recipe(tmp_path, None, answers(12), file="base.yaml", name="below", training={"max_length": 64})
    path = recipe(tmp_path, tmp_path, base="recipe/base.yaml", training={"max_length": 64})
    done = stem.run("train", path, checkpoints=tmp_path / "made")
    assert done.code == 0, done.err
    (below,) = (tmp_path / "made").glob("below-*")
    (above,) = (tmp_path / "made").glob("small-*")
    assert done.out == f"hf/{below}+{above}\n"
    assert manifest(above)["base"]["spec"] == "below"
    assert [line.split(":")[0] for line in done.err.splitlines() if ": 0/1" in line] == [
        "training below",
        "training small",
    ]


def test_a_reward_model_is_told_as_one(tmp_path, base, stem):
    done = stem.run("train", recipe(tmp_path, base, pairs(8), kind="reward", lora=None), checkpoints=tmp_path / "made")
    assert done.code == 0, done.err
    assert done.out == f"reward/{only(tmp_path / 'made')}\n"
    assert "no validation data: what the loss does on examples that were not trained on is not known" in done.err


def test_changes_reach_the_checkpoint_and_its_name(tmp_path, base, stem):
    path = recipe(tmp_path, base, answers(8))
    place = tmp_path / "made"
    changes = ("--set", "training.epochs=2", "--set", "lora.target_modules=[q_proj]", "--set", "training.packing=true")
    assert stem.run("train", path, checkpoints=place).code == 0
    done = stem.run("train", path, *changes, checkpoints=place)
    assert done.code == 0, done.err
    folder = done.out.strip().rpartition("+")[2]
    told = manifest(next(path for path in place.iterdir() if str(path) == folder))["recipe"]
    assert told["training"]["epochs"] == 2.0
    assert told["lora"]["target_modules"] == ["q_proj"]
    assert told["training"]["packing"] is True
    assert len([path for path in place.iterdir() if path.is_dir()]) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--set", "training.epochs"), "error: --set 'training.epochs' has another form; write --set key=value"),
        (("--set", "training.epoch=3"), "--set training.epoch=3: unknown key 'training.epoch'; remove it"),
        (("--set", "training.epochs=many"), "--set training.epochs=many: training.epochs: input should be a valid"),
        (("--set", "name.x=3"), "error: --set 'name.x=3': 'name' of the recipe is no mapping; set it as a whole"),
        (("--dry-run", "--set", "data.sample_ratio=2"), "--set data.sample_ratio=2: data.sample_ratio: input should"),
    ],
)
def test_a_wrong_change_is_one_sentence(tmp_path, base, stem, arguments, said):
    done = stem.run("train", recipe(tmp_path, base, answers(8)), *arguments, checkpoints=tmp_path / "made")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(said), done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "made").exists()


def test_a_recipe_that_is_not_there_is_one_sentence(tmp_path, stem):
    done = stem.run("train", tmp_path / "none.yaml", checkpoints=tmp_path / "made")
    assert (done.code, done.err) == (2, f"{tmp_path}/none.yaml: there is no such file; check the path\n")


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(tmp_path, base, stem):
    path = recipe(tmp_path, base, answers(50), data={**HELD, "sample_ratio": 0.5}, training={"warmup_ratio": 0.1})
    before = snapshot(tmp_path)
    done = stem.run("train", path, "--dry-run", "--set", "training.accumulation=2", checkpoints=tmp_path / "made")
    assert (done.code, done.err) == (0, "")
    assert snapshot(tmp_path) == before
    shown = {line[:18].strip(): line[18:] for line in done.out.splitlines()}
    assert shown["recipe"] == "small (sft)"
    assert shown["examples data"] == "20 planned, 20 there"
    assert shown["validation"] == "10 examples"
    assert shown["steps"] == "3 of 4 × 2 examples"
    assert shown["saved every"] == "100 steps"
    assert shown["device"] == "cpu, fp32"
    assert shown["learning rate"] == "0.01, cosine, warm-up 0.1"


def test_the_steps_that_a_dry_run_names_are_the_steps_that_are_taken(tmp_path, base, stem):
    path = recipe(tmp_path, base, answers(23), training={"epochs": 1.5, "accumulation": 2})
    done = stem.run("train", path, "--dry-run", checkpoints=tmp_path / "made")
    (told,) = (line for line in done.out.splitlines() if line.startswith("steps "))
    assert stem.run("train", path, checkpoints=tmp_path / "made").code == 0
    made = manifest(only(tmp_path / "made"))
    assert told.split()[1] == str(made["steps_done"]) == str(made["steps_planned"]) == "5"
    assert made["complete"]


def test_without_the_training_libraries_it_says_what_to_install(tmp_path, base):
    program = (
        "import sys\n"
        "for name in ('torch', 'transformers', 'peft', 'trl'):\n    sys.modules[name] = None\n"
        "import importlib.util\nfind = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *a: None if name in ('torch', 'peft') else find(name, *a)\n"
        "sys.argv = ['harness', 'train', sys.argv[1]]\nfrom harness.cli import main\nmain()\n"
    )
    path = recipe(tmp_path, base, answers(4))
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'judge-harness[train]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_before_anything_was_saved_says_so(tmp_path, base, stem):
    path = recipe(tmp_path, base, answers(8), training={"epochs": 400}, save={"every": 800})
    running = stem.start("train", path, checkpoints=tmp_path / "made")
    until(lambda: list((tmp_path / "made").glob("*/training_index.npz")))
    os.kill(running.pid, signal.SIGINT)
    done = stem.wait(running)
    assert done.code == 130
    assert f"no step was saved yet; `harness train {path} --resume` goes on" in done.err


def test_training_files_can_be_validated(tmp_path, base, stem):
    good = recipe(tmp_path, base, answers(3)).parent / "data.jsonl"
    done = stem.run("validate", good, checkpoints=tmp_path / "made")
    assert (done.code, done.out) == (0, "")
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"prompt": "a", "response": "b"}\n{"prompt": 3, "response": "b"}\n')
    done = stem.run("validate", bad, checkpoints=tmp_path / "made")
    assert done.code == 2
    assert done.out.startswith(f"{bad}:2: 'prompt': give a text, found 3")


def test_what_is_there_already_is_said_to_be(tmp_path, base, stem):
    path = recipe(tmp_path, base, answers(8))
    assert "there already" not in stem.run("train", path, checkpoints=tmp_path / "made").err
    assert "small: is there already, nothing to train" in stem.run("train", path, checkpoints=tmp_path / "made").err


def test_a_training_that_has_not_ended_is_shown_with_the_way_on(tmp_path, base, stem):
    place = interrupted(recipe(tmp_path, base, answers(12), save={"every": 1}), 2)
    done = stem.run("checkpoints", "show", place, checkpoints=tmp_path / "made")
    assert done.code == 2
    assert "is a training that has not ended; name a saved step (checkpoint-1), or go on with --resume" in done.err
