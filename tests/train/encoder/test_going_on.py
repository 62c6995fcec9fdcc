"""Trainings that are broken off go on to the same weights; several seeds and folds become one ensemble."""

import shutil

import pytest

pytest.importorskip("torch")

import numpy as np

from harness import checkpoint
from harness.checkpoints import spent
from harness.classify.written import training_of
from harness.errors import InputError
from harness.models.encoder.asking import predict
from harness.models.weights import Device
from tests.published import write_lines
from tests.train.encoder.small import interrupted, predictions, recipe, rows, task, train
from tests.train.small import manifest, only, rows_of, same
from train.encoder import ensemble

CPU = Device(name="cpu", dtype="float32")
GIVEN_UP = {"collapse": {"after": 0.99}}
KINDS = {
    "plain": {},
    "drawn": {"oversample": {"multipliers": {"taste": {"sour": 3.0}}}, "rdrop": {"alpha": 1.0, "warmup_epochs": 1}},
    "by length": {
        "training": {"group_by_length": True, "epochs": 3},
        "early_stopping": {"metric": "loss", "patience": 9},
    },
}


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_training_that_was_broken_off_goes_on_to_the_same_weights(tmp_path, bert, kind):
    keys = {"save": {"every": 3}, "look": {"every": 3}, **KINDS[kind], **GIVEN_UP}
    whole = train(recipe(tmp_path / "whole", bert, **keys))
    path = recipe(tmp_path / "broken", bert, **keys)
    begun = interrupted(path, 4)
    assert [step.name for step in begun.glob("checkpoint-*")] == ["checkpoint-3"]
    with pytest.raises(InputError, match="unfinished training at step 3 of"):
        train(path)
    folder = train(path, resume=True)
    assert same(whole, folder)
    assert rows_of(whole) == rows_of(folder)
    assert predictions(whole) == predictions(folder)


def test_the_same_recipe_gives_the_same_bytes(tmp_path, bert):
    one, two = (train(recipe(tmp_path / name, bert, **GIVEN_UP)) for name in "ab")
    assert one.name == two.name
    for name in ("model.safetensors", "heads.safetensors", "heads.json"):
        assert (one / name).read_bytes() == (two / name).read_bytes()


@pytest.fixture(scope="module")
def several(tmp_path_factory, bert):
    """Two seeds by three folds, trained."""
    keys = {"split": {"holdout": None, "folds": 3}, "seeds": [0, 1], "training": {"epochs": 3, "learning_rate": 0.005}}
    path = recipe(tmp_path_factory.mktemp("several"), bert, 60, **keys, **GIVEN_UP)
    return path, train(path)


def test_seeds_and_folds_make_a_member_each(several):
    _, folder = several
    found = ensemble.results(folder)
    names = [f"seed-{seed}-fold-{fold}" for seed in (0, 1) for fold in range(3)]
    assert [each["folder"] for each in found["members"]] == names
    for each in found["members"]:
        made = manifest(folder / each["folder"])
        assert (made["seed"], made["recipe"]["split"]["fold"]) == (each["seed"], each["fold"])
        assert checkpoint.verify(folder / each["folder"]) == []


def test_every_item_is_held_out_once_a_seed_and_answered_by_the_mean(several):
    _, folder = several
    joint = {row["id"]: row for row in predictions(folder)}
    assert len(joint) == 60
    for fold in range(3):
        each = [predictions(folder / f"seed-{seed}-fold-{fold}") for seed in (0, 1)]
        for rows_ in zip(*each, strict=True):
            shares = [row["probabilities"]["sour"] for row in rows_]
            assert joint[rows_[0]["id"]]["probabilities"]["sour"] == pytest.approx(np.mean(shares), abs=1e-6)


def test_mean_and_spread_are_over_members(several):
    _, folder = several
    found = ensemble.results(folder)
    values = [each["metrics"]["test_accuracy"] for each in found["members"]]
    spread = found["spread"]["test_accuracy"]
    assert spread["mean"] == pytest.approx(np.mean(values)) and spread["sd"] == pytest.approx(np.std(values, ddof=1))
    assert spread["n"] == 6
    told = found["ensemble"]["taste"]
    right = [row["label"] == row["prediction"] for row in predictions(folder)]
    assert (told["on"], told["n"], told["accuracy"]) == ("out_of_fold", 60, np.mean(right))
    assert told["ci"][0] < told["accuracy"] < told["ci"][1]


def test_a_whole_ensemble_answers_with_the_mean_of_its_members(several):
    _, folder = several
    items = task(several[0]).test[:5]
    told = predict(folder, items, device=CPU)
    each = [predict(member, items, device=CPU).probabilities["taste"] for member in sorted(folder.glob("seed-*"))]
    np.testing.assert_allclose(told.probabilities["taste"], np.mean(each, axis=0), atol=1e-12)
    assert len(each) == 6


@pytest.mark.chaos
def test_an_ensemble_that_was_broken_off_goes_on_with_what_is_missing(tmp_path, bert):
    keys = {"seeds": [0, 1], **GIVEN_UP}
    path = recipe(tmp_path, bert, **keys)
    folder = interrupted(path, 3, stage="(2 of 2)")
    before = (folder / "seed-0" / "manifest.json").stat().st_mtime_ns
    with pytest.raises(InputError, match=r"holds an unfinished ensemble, 1 of 2 trained; go on with --resume"):
        train(path)
    train(path, resume=True)
    assert (folder / "seed-0" / "manifest.json").stat().st_mtime_ns == before
    whole = train(recipe(tmp_path / "whole", bert, **keys))
    assert same(whole / "seed-1", folder / "seed-1")


def test_a_member_that_changed_is_named(several, tmp_path):
    path, folder = several
    again = shutil.copytree(folder.parent, tmp_path / "made") / folder.name
    shutil.copy(path, tmp_path / "r.yaml")
    shutil.copy(path.parent / "data.jsonl", tmp_path / "data.jsonl")
    file = again / "seed-1-fold-0" / "heads.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    with pytest.raises(InputError, match=r"seed-1-fold-0: the weights changed since training"):
        train(tmp_path / "r.yaml")


@pytest.mark.chaos
def test_data_that_changed_are_another_checkpoint(tmp_path, bert):
    path = recipe(tmp_path, bert, **GIVEN_UP)
    train(path)
    write_lines(tmp_path / "data.jsonl", rows(60, seed=1))
    train(path)
    assert len([each for each in (tmp_path / "made").iterdir() if each.is_dir()]) == 2
    moved = recipe(tmp_path / "elsewhere", bert, **GIVEN_UP)
    assert train(moved).name in {each.name for each in (tmp_path / "made").iterdir()}
    assert only(tmp_path / "elsewhere" / "made")


def test_the_time_of_a_training_is_that_of_all_its_sessions(tmp_path, bert):
    path = recipe(tmp_path, bert, save={"every": 3}, look={"every": 3}, **GIVEN_UP)
    first = spent.read(interrupted(path, 4))
    folder = train(path, resume=True)
    both = spent.read(folder)
    assert (first.sessions, both.sessions) == (1, 2)
    assert both.seconds > first.seconds > 0
    told = training_of(folder)
    assert (told["seconds"], told["sessions"]) == (both.seconds, 2)
    before = checkpoint.fingerprint(folder)
    (folder / "time.json").unlink()
    assert checkpoint.fingerprint(folder) == before
    assert checkpoint.verify(folder) == []
