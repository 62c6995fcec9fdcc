"""A training that was broken off goes on to the same weights and figures as one that was left alone."""

import json
import os
import shutil
import signal

import pytest

pytest.importorskip("torch")

from harness import checkpoint
from harness.errors import InputError, RunStopped
from tests.published import write_lines
from tests.train.forked import until
from tests.train.small import answers, interrupted, manifest, only, pairs, recipe, rows_of, same, train
from train.build import Yard, built
from train.recipe import load

TWO_EPOCHS = {"epochs": 2, "batch_size": 4, "max_length": 96, "learning_rate": 0.01}
VALIDATED = {"data": {"validation": {"share": 0.1}}}
KINDS = {
    "sft": {"lora": {"dropout": 0.1}, "training": {**TWO_EPOCHS, "accumulation": 2}, "save": {"every": 2}},
    "pretrain": {"training": {**TWO_EPOCHS, "group_by_length": True}, "save": {"every": 4}},
    "dpo": {"kind": "dpo", "training": TWO_EPOCHS, "save": {"every": 4}},
    "reward": {"kind": "reward", "lora": None, "training": TWO_EPOCHS, "save": {"every": 4}},
}


def of_kind(folder, base, kind, **more):
    rows = pairs(22) if kind in ("dpo", "reward") else answers(22)
    return recipe(folder, None if kind == "pretrain" else base, rows, **{**KINDS[kind], **VALIDATED, **more})


def ended_by(stem, sent, path, step, place):
    """Start a training in a process and send it a signal as soon as it has saved this step."""
    running = stem.start("train", path, checkpoints=place)
    until(lambda: list(place.glob(f"*/checkpoint-{step}/manifest.json")))
    os.kill(running.pid, sent)
    return stem.wait(running)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, base):
    """A training with dropout that was left alone, and its recipe."""
    path = of_kind(tmp_path_factory.mktemp("whole"), base, "sft")
    return path, train(path)


@pytest.fixture(scope="module")
def once_broken(tmp_path_factory, base):
    """The folder of the same training, broken off after its third step; the second was saved."""
    path = of_kind(tmp_path_factory.mktemp("broken"), base, "sft")
    interrupted(path, 3)
    return path.parent


@pytest.fixture
def broken(once_broken, tmp_path):
    """A copy of it: the recipe, and the folder of the checkpoint."""
    shutil.copytree(once_broken, tmp_path, dirs_exist_ok=True)
    return tmp_path / "r.yaml", only(tmp_path / "made")


@pytest.mark.parametrize(
    "kind", ["dpo", *(pytest.param(kind, marks=pytest.mark.chaos) for kind in KINDS if kind != "dpo")]
)
def test_a_killed_training_goes_on_to_the_same_weights_and_figures(tmp_path, base, stem, kind):
    path, place = of_kind(tmp_path, base, kind), tmp_path / "killed"
    alone = train(path)
    assert ended_by(stem, signal.SIGKILL, path, KINDS[kind]["save"]["every"], place).code == -signal.SIGKILL
    done = stem.run("train", path, "--resume", checkpoints=place)
    assert done.code == 0, done.err
    assert "goes on from step" in done.err
    resumed = place / alone.name
    assert done.out.strip().endswith(str(resumed))
    assert same(alone, resumed)
    assert rows_of(alone) == rows_of(resumed)
    assert checkpoint.verify(resumed) == []


def test_ctrl_c_says_what_is_kept_and_how_to_go_on(tmp_path, base, stem):
    path = of_kind(tmp_path, base, "sft", training={**TWO_EPOCHS, "epochs": 50})
    done = ended_by(stem, signal.SIGINT, path, 2, tmp_path / "c")
    assert done.code == 130
    assert f"`harness train {path} --resume` goes on" in done.err
    assert " is kept; " in done.err
    assert done.out == ""


def test_what_a_torn_save_left_is_removed(broken):
    path, place = broken
    torn = shutil.copytree(place / "checkpoint-2", place / "checkpoint-3")
    (torn / "manifest.json").unlink()
    resumed = train(path, resume=True)
    assert not torn.exists()
    assert checkpoint.read(resumed).complete


def test_an_unfinished_training_is_not_begun_anew_unasked(broken):
    path, place = broken
    with pytest.raises(InputError, match=r"unfinished training at step 2 of 6; go on with --resume, or delete"):
        train(path)
    assert (place / "checkpoint-2" / "manifest.json").is_file()


def test_a_step_whose_state_was_swapped_is_refused(broken):
    path, place = broken
    state = place / "checkpoint-2" / "optimizer.pt"
    state.write_bytes(state.read_bytes()[:-1] + b"!")
    with pytest.raises(InputError, match=r"checkpoint-2/optimizer\.pt: is not the file that was saved"):
        train(path, resume=True)


def test_weights_that_changed_are_not_trained_further(broken):
    path, place = broken
    file = place / "checkpoint-2" / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    with pytest.raises(InputError, match="the weights changed since training"):
        train(path, resume=True)


def test_a_step_of_other_data_is_refused(broken):
    path, place = broken
    rows = manifest(place / "checkpoint-2")
    rows["data"]["sha256"] = "0" * 64
    (place / "checkpoint-2" / "manifest.json").write_text(json.dumps(rows))
    with pytest.raises(InputError, match="was trained on other data than the recipe's"):
        train(path, resume=True)


def test_a_step_of_another_recipe_is_refused_with_the_key(broken):
    path, place = broken
    path.write_text(path.read_text().replace("rank: 2", "rank: 4"))
    # The folder of the changed recipe, as one finds it who copies folders.
    name = only_name(path)
    place.rename(place.parent / name)
    with pytest.raises(InputError, match=r"checkpoint-2: is of another recipe: lora\.rank was 2 there and is 4 here"):
        train(path, resume=True)


def only_name(path):
    recipe = load(path)
    return recipe.folder_name(checkpoint.fingerprint(recipe.file(recipe.keys.base.removeprefix("hf/"))))


def test_resume_with_a_changed_recipe_names_the_key(broken, stem):
    path, place = broken
    done = stem.run("train", path, "--resume", "--set", "lora.rank=4", checkpoints=place.parent)
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert "is of another recipe: lora.rank was 2 there and is 4 here" in done.err


def test_resume_with_changed_data_names_the_file(broken, stem):
    path, place = broken
    write_lines(path.with_name("data.jsonl"), answers(22, seed=8))
    done = stem.run("train", path, "--resume", checkpoints=place.parent)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert f"{place}: is of other data: data.jsonl has changed since; put that back to go on" in done.err


def test_resume_does_not_take_another_training_for_this_one(broken, tmp_path, base, stem):
    """Whose name only begins likewise, and was broken off too."""
    _, place = broken
    path = of_kind(tmp_path / "other", base, "sft", name="smal")
    place.rename(place.with_name(place.name.replace("small", "smal-l")))
    done = stem.run("train", path, "--resume", checkpoints=place.parent)
    assert done.code == 0, done.err


@pytest.mark.chaos
@pytest.mark.parametrize(("epochs", "blocked"), [(1.5, "loss.png"), (2, ".manifest.json.PID")])
def test_a_training_that_was_broken_off_at_its_very_end_is_not_trained_further(whole, tmp_path, base, epochs, blocked):
    blocked = blocked.replace("PID", str(os.getpid()))
    training = {**KINDS["sft"]["training"], "epochs": epochs}
    alone = whole[1] if epochs == 2 else train(of_kind(tmp_path / "alone", base, "sft", training=training))
    path = of_kind(tmp_path / "broken", base, "sft", training=training)
    place = without_room_for(blocked, path)
    assert not (place / "manifest.json").exists()
    (place / blocked).rmdir()
    resumed = train(path, resume=True)
    assert same(alone, resumed)
    assert rows_of(alone) == rows_of(resumed)
    assert checkpoint.read(place).complete


def without_room_for(name, path):
    """Train to where a file is written that cannot be: there is a folder of its name."""

    def block(stage, done, total):
        if done == 1:
            (only(path.parent / "made") / name).mkdir()

    yard = Yard(checkpoints=path.parent / "made", on_progress=block, say=lambda _: None)
    with pytest.raises(RunStopped, match="cannot be written"):
        built(load(path), yard, resume=False)
    return only(path.parent / "made")


def test_how_often_is_saved_and_measured_changes_no_weight(whole, tmp_path, base):
    _, alone = whole
    other = train(of_kind(tmp_path, base, "sft", save={"every": 3}))
    assert other.name == alone.name
    assert same(alone, other)


def test_the_figures_go_on_where_a_saved_step_is_not_a_logged_one(tmp_path, base):
    keys = {"training": {"epochs": 3, "batch_size": 1}, "save": {"every": 12}}
    alone = train(recipe(tmp_path / "alone", base, answers(7), **keys))
    path = recipe(tmp_path / "broken", base, answers(7), **keys)
    interrupted(path, 13)
    assert rows_of(train(path, resume=True)) == rows_of(alone)


STOPPED = {
    "training": {"epochs": 20, "batch_size": 8, "learning_rate": 0.3, "schedule": "constant"},
    "data": {"validation": {"share": 0.2}},
    "save": {"every": 1, "keep": 1},
    "early_stopping": {"patience": 2},
}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory, base):
    """A training that early stopping ended, left alone until then."""
    return train(recipe(tmp_path_factory.mktemp("stopped"), base, answers(20), **STOPPED))


@pytest.mark.parametrize("at", ["in between", pytest.param("at the end", marks=pytest.mark.chaos)])
def test_early_stopping_counts_its_looks_across_a_break(stopped, tmp_path, base, at):
    was = checkpoint.read(stopped)
    assert was.weights_step == was.steps_done - 2
    path = recipe(tmp_path, base, answers(20), **STOPPED)
    if at == "at the end":
        (without_room_for("loss.png", path) / "loss.png").rmdir()
    else:
        interrupted(path, was.steps_done)
    resumed = train(path, resume=True)
    assert same(stopped, resumed)
    assert rows_of(stopped) == rows_of(resumed)
    assert checkpoint.read(resumed).ended == was.ended


def test_early_stopping_puts_the_best_weights_back(stopped):
    made = manifest(stopped)
    best = min((row for row in rows_of(stopped) if row["step"]), key=lambda row: row["validation_loss"])["step"]
    assert made["weights_step"] == best == made["steps_done"] - 2
    assert made["ended"] == "validation_loss did not improve for 2 looks"
    assert made["complete"] is False
    assert made["steps_planned"] == 40
    assert same(stopped, stopped / f"checkpoint-{best}")
    assert not same(stopped, stopped / f"checkpoint-{made['steps_done']}")
    figures = manifest(stopped / f"checkpoint-{best}")["metrics"]
    assert made["metrics"]["validation_loss"] == figures["validation_loss"]


MIX = [{"name": "a", "files": ["data.jsonl"]}, {"name": "b", "files": ["more.jsonl"]}]
STAGES = [{"from": 0, "ratios": {"a": 1}}, {"from": 0.5, "ratios": {"b": 1}}]
OTHERS = {
    "anchored": {"anchor": {"coef": 0.5, "warmup_steps": 3}, "lora": {"dropout": 0.1}},
    "packed": {"training": {"packing": True, "batch_size": 1, "gradient_checkpointing": True}},
    "in stages": {"data": {"files": None, "mix": MIX, "curriculum": STAGES}},
    "preferred to a parent": {"kind": "dpo", "lora": None, "parent": "recipe/p.yaml"},
}


def of_make(folder, base, how):
    """A recipe of one make; beside it one of a parent, which is trained where it is needed."""
    keys = {**OTHERS[how], "training": {"epochs": 2, **OTHERS[how].get("training", {})}, "save": {"every": 2}}
    path = recipe(folder, base, pairs(10) if keys.get("kind") == "dpo" else answers(10, seed=1), **keys)
    write_lines(folder / "more.jsonl", answers(10))
    above = recipe(folder, base, data={"files": ["more.jsonl"]}, file="p.yaml", name="first")
    if "parent" in keys:
        train(above)
    return path


@pytest.mark.chaos
@pytest.mark.parametrize("how", list(OTHERS))
def test_trainings_of_every_make_go_on_as_if_nothing_had_been(tmp_path, base, how):
    alone = train(of_make(tmp_path / "alone", base, how))
    path = of_make(tmp_path / "broken", base, how)
    interrupted(path, 3)
    resumed = train(path, resume=True)
    assert same(alone, resumed)
    assert rows_of(alone) == rows_of(resumed)
