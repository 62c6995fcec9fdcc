"""`harness train` and `harness validate` on encoder recipes: what is printed, what --dry-run says, how it ends."""

import json
import os
import signal
import subprocess
import sys

import pytest

pytest.importorskip("torch")

from tests.command import environment, harness
from tests.train.conftest import stem
from tests.train.encoder.small import TASK, TWO, recipe
from tests.train.forked import until
from tests.train.small import only

__all__ = ["stem"]
LATE = {"after": 0.99}


def test_a_recipe_becomes_a_checkpoint_and_its_spec_is_all_that_is_printed(tmp_path, bert, stem):
    path = recipe(tmp_path, bert, task=TWO, collapse=LATE)
    done = stem.run("train", path, checkpoints=tmp_path / "made")
    assert done.code == 0, done.err
    folder = only(tmp_path / "made")
    assert done.out == f"hf/{folder}\n"
    lines = done.err.splitlines()
    assert lines[0] == "training small: 0/1"
    assert "small: step 10 of 10, 2 of 2 passes over 36 items (0 cut to 32 tokens) on cpu in" in done.err
    told = [line for line in lines if line.startswith(("validation, ", "test, "))]
    assert [line.split(":")[0] for line in told] == [
        "validation, taste",
        "validation, heat",
        "test, taste",
        "test, heat",
    ]
    assert all(" %, " in line or "items)" in line for line in told)
    assert max(map(len, lines)) <= 80


def test_ctrl_c_says_what_is_kept_and_how_to_go_on(tmp_path, bert, stem):
    path = recipe(tmp_path, bert, collapse=LATE, training={"epochs": 400}, save={"every": 2})
    running = stem.start("train", path, checkpoints=tmp_path / "made")
    until(lambda: list((tmp_path / "made").glob("*/checkpoint-2/manifest.json")))
    os.kill(running.pid, signal.SIGINT)
    done = stem.wait(running)
    assert (done.code, done.out) == (130, "")
    assert f"`harness train {path} --resume` goes on" in done.err
    assert " is kept; " in done.err
    changed = stem.run("train", path, "--resume", "--set", "seed=6", checkpoints=tmp_path / "made")
    assert changed.code == 2
    assert "is of another recipe: seed was 5 there and is 6 here" in changed.err
    text = (tmp_path / "data.jsonl").read_text()
    (tmp_path / "data.jsonl").write_text(text.replace("brown", "green"))
    other = stem.run("train", path, "--resume", checkpoints=tmp_path / "made")
    assert (other.code, "the data of data.jsonl was 'another file' there" in other.err) == (2, True), other.err
    (tmp_path / "data.jsonl").write_text(text)
    fewer = stem.run("train", path, "--resume", "--set", "training.epochs=1", checkpoints=tmp_path / "made")
    assert (fewer.code, "training.epochs was 400" in fewer.err) == (2, True)


def test_ctrl_c_while_a_run_trains_its_candidate_says_that_it_goes_on(tmp_path, bert, stem):
    path = recipe(tmp_path, bert, collapse=LATE, training={"epochs": 400}, save={"every": 2})
    keys = {"name": "tastes", "kind": "classify", "task": {**TASK, "files": {"test": "data.jsonl"}}}
    (tmp_path / "suite.yaml").write_text(json.dumps({**keys, "candidate": f"recipe/{path.name}"}))
    running = stem.start("run", tmp_path / "suite.yaml", "--out", tmp_path / "run", checkpoints=tmp_path / "made")
    until(lambda: list((tmp_path / "made").glob("*/checkpoint-2/manifest.json")))
    os.kill(running.pid, signal.SIGINT)
    done = stem.wait(running)
    assert (done.code, done.out) == (130, "")
    assert f"training {path} was broken off; what is kept of it is gone on with\ninterrupted\n" in done.err
    assert not (tmp_path / "run").exists()


def test_a_dry_run_builds_nothing_and_fits_the_terminal(tmp_path, bert):
    path = recipe(tmp_path, bert, task=TWO, seeds=[1, 2], split={"holdout": None, "folds": 5, "validation": 0.1})
    done = harness("train", path, "--dry-run", env=environment(tmp_path, HARNESS_CHECKPOINTS=str(tmp_path / "made")))
    assert done.code == 0, done.err
    assert not (tmp_path / "made").exists()
    assert "recipe            small (encoder)" in done.out
    assert "items             42 train, 6 validation, 12 test (of seed-1-fold-0)" in done.out
    assert "trainings         10: seed-1-fold-0, seed-1-fold-1, " in done.out
    assert max(map(len, done.out.splitlines())) <= 80


@pytest.mark.chaos
def test_several_seeds_are_told_with_mean_and_spread(tmp_path, bert, stem):
    path = recipe(tmp_path, bert, seeds=[0, 1], collapse=LATE)
    done = stem.run("train", path, checkpoints=tmp_path / "made")
    assert done.code == 0, done.err
    assert "small: 2 trainings" in done.err
    assert "test accuracy over 2 trainings: mean " in done.err
    assert "ensemble, taste: accuracy " in done.err
    listed = stem.run("checkpoints", "list", only(tmp_path / "made"), "--json", checkpoints=tmp_path / "made")
    assert listed.code == 0 and '"kind": "encoder"' in listed.out


def test_validate_names_every_problem_with_its_line(tmp_path, bert, stem):
    path = recipe(tmp_path, bert)
    text = path.read_text().replace("epochs: 2", "epochs: 0").replace("label: taste", "lable: taste")
    path.write_text(text.replace("holdout: 0.2", "holdout: 2"))
    done = stem.run("validate", path, checkpoints=tmp_path)
    assert done.code == 2
    told = done.out.splitlines()
    assert all(line.startswith(f"{path}:") for line in told)
    for part in ("unknown key 'task.lable'", "training.epochs: ", "split.holdout: "):
        assert any(part in line for line in told), told
    assert stem.run("validate", recipe(tmp_path, bert), checkpoints=tmp_path).code == 0


def test_validate_reads_the_data_too(tmp_path, bert, stem):
    path = recipe(tmp_path, bert)
    lines = (tmp_path / "data.jsonl").read_text().splitlines()
    (tmp_path / "data.jsonl").write_text("\n".join([*lines[:3], '{"text": " ", "taste": "sour"}', *lines[3:]]) + "\n")
    done = stem.run("validate", path, checkpoints=tmp_path)
    assert done.code == 2
    assert done.out.startswith(f"{tmp_path / 'data.jsonl'}:4: the text 'text' is empty")
    other = recipe(tmp_path / "other", bert, loss={"multipliers": {"salty": 2.0}})
    assert "there is no label 'salty'" in stem.run("validate", other, checkpoints=tmp_path).out


def test_validate_needs_no_torch(tmp_path, bert):
    path = recipe(tmp_path, bert, loss={"class_weights": "inverse_frequency"})
    program = "import sys; sys.modules['torch'] = None; from harness.cli import main; main()"
    command = [sys.executable, "-c", program, "validate", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(tmp_path), check=False)
    assert (done.returncode, done.stderr) == (0, "1 file checked: no problem found\n")


def test_a_suite_that_is_wrong_trains_nothing_first(tmp_path, bert, stem):
    path = recipe(tmp_path, bert)
    keys = {"name": "tastes", "kind": "classify", "task": {**TASK, "files": {"test": "data.jsonl"}}}
    suite = tmp_path / "suite.yaml"
    suite.write_text(json.dumps({**keys, "candidate": f"recipe/{path.name}", "head": "heat"}))
    done = stem.run("run", suite, "--out", tmp_path / "run", checkpoints=tmp_path / "made")
    assert done.code == 2
    assert "'heat' is no label" in done.err
    assert not (tmp_path / "made").exists()


def test_an_encoders_recipe_is_no_language_model(tmp_path, bert, stem):
    recipe(tmp_path, bert, file="encoder.yaml")
    above = tmp_path / "sft.yaml"
    above.write_text(
        "name: above\nkind: sft\nseed: 1\nbase: recipe/encoder.yaml\ndata: {files: [data.jsonl]}\n"
        "training: {epochs: 1, batch_size: 2, learning_rate: 0.001}\n"
    )
    done = stem.run("train", above, checkpoints=tmp_path / "made")
    assert done.code == 2
    assert "encoder.yaml:2: an encoder's recipe makes no language model" in done.err
