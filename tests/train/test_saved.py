"""Saved steps: whole where they have a manifest, nothing in them that could run, nothing left of a resume state."""

import dataclasses
import hashlib
import os
import pickle
import shutil

import pytest

pytest.importorskip("torch")

import torch

from harness import checkpoint
from harness.errors import InputError
from tests.train.small import answers, interrupted, manifest, only, recipe, train
from train import saved

WEIGHTS = {"adapter_config.json", "adapter_model.safetensors", "history.json", "manifest.json", "training_index.npz"}
STATE = {"optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json"}


def step(place, number, *, whole=True):
    """A folder as if a step had been saved there."""
    folder = place / f"checkpoint-{number}"
    folder.mkdir(parents=True)
    (folder / "weights").write_text(str(number))
    if whole:
        (folder / "manifest.json").write_text("{}")
    return folder


def names(place):
    return sorted(path.name for path in place.iterdir())


@pytest.fixture(scope="module")
def ended(tmp_path_factory, base):
    """A training that ended, with three saved steps."""
    return train(recipe(tmp_path_factory.mktemp("ended"), base, answers(12), save={"every": 1}))


@pytest.fixture(scope="module")
def once_broken(tmp_path_factory, base):
    """The folder of a training that was broken off in its third step."""
    path = recipe(tmp_path_factory.mktemp("broken"), base, answers(12), save={"every": 1})
    interrupted(path, 3)
    return path.parent


@pytest.fixture
def broken(once_broken, tmp_path):
    """A copy of it: the recipe, and the folder of the checkpoint."""
    shutil.copytree(once_broken, tmp_path, dirs_exist_ok=True)
    return tmp_path / "r.yaml", only(tmp_path / "made")


def test_saved_steps_are_counted_not_spelled(tmp_path):
    for number in (10, 9, 100):
        step(tmp_path, number)
    step(tmp_path, 11, whole=False)
    step(tmp_path, "best")
    assert [saved.step_of(path) for path in saved.steps(tmp_path)] == [9, 10, 100]
    assert saved.steps(tmp_path / "nowhere") == []


def test_what_is_torn_is_cleared(tmp_path):
    step(tmp_path, 9)
    step(tmp_path, 11, whole=False)
    saved.clear_torn(tmp_path)
    assert names(tmp_path) == ["checkpoint-9"]


def test_the_newest_and_the_best_are_kept(tmp_path):
    for number in (1, 2, 3, 4, 10):
        step(tmp_path, number)
    saved.prune(tmp_path, 2, best=2)
    assert names(tmp_path) == ["checkpoint-10", "checkpoint-2", "checkpoint-4"]
    saved.prune(tmp_path, 1, best=None)
    assert names(tmp_path) == ["checkpoint-10"]


def test_an_index_stands_beside_every_step_and_takes_its_room_once(ended):
    files = [path / "training_index.npz" for path in (ended, *saved.steps(ended))]
    assert len(files) == 4
    assert len({file.stat().st_ino for file in files}) == 1


@pytest.mark.parametrize(
    ("was", "now", "found"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, [("a.c", 2, 3)]),
        ({"a": 1}, {}, [("a", 1, None)]),
        ({}, {"a": {"b": 1}}, [("a", None, {"b": 1})]),
        ({"log": [], "save": {"every": 1, "keep": 2}}, {"log": ["wandb"], "save": {"every": 3, "keep": 1}}, []),
    ],
)
def test_the_keys_in_which_recipes_differ(was, now, found):
    assert saved.differences(was, now) == found


def test_a_saved_step_holds_weights_and_what_resumes_and_nothing_else(broken):
    _, place = broken
    assert names(place) == ["checkpoint-1", "checkpoint-2", "time.json", "training_index.npz"]
    for folder in saved.steps(place):
        assert {path.name for path in folder.iterdir()} == WEIGHTS | STATE
        told = manifest(folder)["state"]
        assert told == {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in STATE}
        assert checkpoint.verify(folder, state=True) == []
        assert (manifest(folder)["complete"], manifest(folder)["steps_planned"]) == (False, 3)


def test_at_the_end_the_resume_state_is_gone_and_nothing_that_could_run_is_left(ended):
    assert len(saved.steps(ended)) == 3
    for folder in saved.steps(ended):
        assert {path.name for path in folder.iterdir()} == WEIGHTS
        assert manifest(folder)["state"] == {}
        assert checkpoint.verify(folder, state=True) == []
    assert {path.name for path in ended.iterdir() if path.is_file()} == WEIGHTS | {"loss.png", "time.json"}
    assert {path.suffix for path in ended.rglob("*") if path.is_file()} == {".json", ".safetensors", ".npz", ".png"}
    assert manifest(ended)["complete"]


def test_forgetting_says_so_in_the_manifest_first(broken):
    _, place = broken
    saved.forget_state(saved.steps(place))
    for folder in saved.steps(place):
        assert {path.name for path in folder.iterdir()} == WEIGHTS
        assert checkpoint.verify(folder, state=True) == []


class Harmful:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return (os.mkdir, (str(self.file),))


@pytest.mark.parametrize("name", ["optimizer.pt", "scheduler.pt", "rng_state.pth"])
def test_a_state_that_would_run_something_does_not_run_and_is_refused(broken, stem, tmp_path, name):
    path, place = broken
    folder = saved.steps(place)[-1]
    torch.save({"state": Harmful(tmp_path / "harm")}, folder / name)
    told = checkpoint.read(folder)
    sha256 = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    checkpoint.write(folder, dataclasses.replace(told, state={**told.state, name: sha256}))
    done = stem.run("train", path, "--resume", checkpoints=place.parent)
    assert done.code == 2
    assert not (tmp_path / "harm").exists()
    said = f"{folder}: its resume state holds more than numbers and is not read; delete this folder"
    assert done.err.splitlines()[-1].startswith(said)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(folder / name, weights_only=True)


def test_a_step_that_lost_its_state_is_refused(broken):
    path, place = broken
    saved.forget_state(saved.steps(place)[-1:])
    with pytest.raises(InputError, match=r"checkpoint-2: holds no state to go on from; delete this step's folder"):
        train(path, resume=True)
