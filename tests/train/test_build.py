"""A recipe is built once, the same bits for the same seed, and a build that dies leaves nothing that looks whole."""

import os
import shutil
import signal

import pytest

pytest.importorskip("torch")

from harness import checkpoint
from harness.errors import HarnessError, InputError
from tests.published import write_lines
from tests.train.forked import until
from tests.train.small import answers, manifest, pairs, recipe, train
from train.build import ensure
from train.notary import VERSIONS

MADE = {"files": None, "examples": 40}


def recipes(folder, seed=3, steps=4):
    """A base and an adapter on it, both of made examples."""
    plan = {"steps": steps, "epochs": None, "batch_size": 8, "max_length": 120}
    base = {"data": {**MADE, "generator": "kitchen_corpus"}, "training": plan, "seed": seed, "name": "mini_base"}
    recipe(folder, None, file="base.yaml", **base)
    data = {**MADE, "generator": "kitchen_requests"}
    plan = {"max_length": 120, "batch_size": 16}
    return recipe(folder, folder, file="lora.yaml", base="recipe/base.yaml", name="mini_lora", data=data, training=plan)


def build(path, checkpoints):
    steps = []
    spec = ensure(path, checkpoints=checkpoints, on_progress=lambda *stage: steps.append(stage))
    return spec, steps


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built")
    return recipes(folder), folder / "checkpoints", build(recipes(folder), folder / "checkpoints")


def folders(checkpoints):
    return sorted(path for path in checkpoints.iterdir() if path.is_dir())


def test_a_base_is_built_before_its_adapter_and_both_prove_what_they_are(built):
    _, checkpoints, (spec, steps) = built
    base, lora = folders(checkpoints)
    assert spec == f"hf/{base}+{lora}"
    assert list(dict.fromkeys(stage for stage, _, _ in steps)) == ["training mini_base", "training mini_lora"]
    assert checkpoint.verify(base) == []
    assert checkpoint.verify(lora) == []
    made = checkpoint.read(lora)
    assert (made.complete, made.steps_done, made.steps_planned) == (True, 3, 3)
    assert made.base.sha256 == checkpoint.fingerprint(base)
    assert (made.data.planned, made.data.actual) == (40, 40)


def test_a_manifest_says_what_made_the_weights(built):
    _, checkpoints, _ = built
    base, lora = (manifest(path) for path in folders(checkpoints))
    assert (base["kind"], base["base"], base["parent"], base["adapter_sha256"]) == ("pretrain", None, None, None)
    assert base["tokenizer_sha256"] and base["chat_template_sha256"]
    assert (lora["kind"], lora["adapter_sha256"]) == ("sft", lora["sha256"])
    assert (lora["seed"], lora["device"], lora["precision"]) == (5, "cpu", "fp32")
    assert set(lora["versions"]) == set(VERSIONS)
    assert lora["recipe"]["lora"]["rank"] == 2
    assert lora["epochs"] == lora["epochs_planned"] == 1.0
    assert lora["created"].endswith("+00:00")


def test_nothing_is_built_twice(built):
    path, checkpoints, (spec, _) = built
    assert build(path, checkpoints) == (spec, [])


def test_the_same_seed_gives_the_same_bits_and_another_does_not(built, tmp_path):
    _, checkpoints, _ = built
    build(recipes(tmp_path / "again"), tmp_path / "again" / "c")
    build(recipes(tmp_path / "other", seed=4), tmp_path / "other" / "c")

    def sums(folder):
        return [checkpoint.weights_sha256(path) for path in folders(folder)]

    assert sums(tmp_path / "again" / "c") == sums(checkpoints)
    assert not set(sums(tmp_path / "other" / "c")) & set(sums(checkpoints))


@pytest.mark.parametrize(("name", "what"), [("adapter_model.safetensors", "weights"), ("training_index.npz", "index")])
def test_files_that_changed_are_not_used(built, tmp_path, name, what):
    path, checkpoints, _ = built
    copy = shutil.copytree(checkpoints, tmp_path / "c")
    file = folders(copy)[1] / name
    file.write_bytes(file.read_bytes()[:-1] + b"\x01")
    with pytest.raises(InputError, match=rf"(?s){what}.* changed since training.*delete this folder"):
        build(path, copy)


def test_building_leaves_the_process_as_it_was(built, tmp_path):
    import random

    import numpy
    import torch

    torch.manual_seed(11)
    random.seed(11)
    numpy.random.seed(11)
    before = random.getstate(), torch.get_rng_state(), numpy.random.get_state()[1].copy(), torch.get_num_threads()
    build(recipes(tmp_path, seed=9), tmp_path / "c")
    assert random.getstate() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])
    assert (numpy.random.get_state()[1] == before[2]).all()
    assert torch.get_num_threads() == before[3]
    assert not torch.are_deterministic_algorithms_enabled()


def test_a_killed_build_leaves_nothing_that_looks_whole(tmp_path, stem):
    path, place = recipes(tmp_path, steps=100_000), tmp_path / "c"
    running = stem.start("train", path, checkpoints=place)
    until(lambda: list(place.glob("mini_base-*/training_index.npz")))
    os.kill(running.pid, signal.SIGKILL)
    assert stem.wait(running).code == -signal.SIGKILL
    assert list(place.rglob("manifest.json")) == []
    assert "mini_lora" in build(recipes(tmp_path, steps=2), place)[0]


def test_two_processes_build_once_between_them(tmp_path, stem):
    path = recipes(tmp_path, steps=8)
    both = [stem.start("train", path, checkpoints=tmp_path / "c") for _ in range(2)]
    done = [stem.wait(running) for running in both]
    assert [each.code for each in done] == [0, 0], done
    assert done[0].out == done[1].out
    assert len(folders(tmp_path / "c")) == 2
    trained = sum(each.err.count("training mini_base: ") > 0 for each in done)
    assert trained == 1
    assert any("waiting for mini_base, which another process is training" in each.err for each in done)


def test_a_recipe_that_rests_on_itself_is_refused(tmp_path):
    path = recipe(tmp_path, tmp_path, [{"prompt": "a", "response": "b"}], base="recipe/r.yaml")
    with pytest.raises(InputError, match=r"r\.yaml: rests on itself as its base; name another base"):
        build(path, tmp_path / "c")


def test_an_adapter_is_no_base(built, tmp_path):
    path, checkpoints, _ = built
    above = recipe(
        path.parent, tmp_path, [{"prompt": "a", "response": "b"}], file="above.yaml", base="recipe/lora.yaml"
    )
    with pytest.raises(InputError, match=r"base: 'lora\.yaml' is itself an adapter; name the recipe of a whole model"):
        build(above, checkpoints)


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(HarnessError, match=r"cannot be written: .*set HARNESS_CHECKPOINTS"):
        build(recipes(tmp_path), tmp_path / "file" / "c")


def test_a_parent_of_another_task_is_refused(tmp_path, base):
    scores = train(recipe(tmp_path, base, pairs(8), kind="reward", name="scores"))
    write_lines(tmp_path / "data.jsonl", answers(8))
    going_on = recipe(tmp_path, base, file="on.yaml", name="on", lora=None, parent=f"hf/{scores}")
    with pytest.raises(InputError, match=r"parent: .* is an adapter for SEQ_CLS, this kind needs CAUSAL_LM"):
        train(going_on)


@pytest.mark.parametrize(
    ("plan", "done", "planned"),
    [
        ({"epochs": None, "steps": 6, "batch_size": 4}, 2.0, 2.0),
        ({"epochs": 0.5, "batch_size": 4}, 2 / 3, 0.5),
        ({"epochs": 2, "batch_size": 4}, 2.0, 2.0),
    ],
)
def test_passes_are_what_the_trainer_made(tmp_path, base, plan, done, planned):
    made = checkpoint.read(train(recipe(tmp_path, base, answers(12 if "steps" not in plan else 10), training=plan)))
    assert made.epochs == pytest.approx(done, abs=1e-5)
    assert made.epochs_planned == pytest.approx(planned)


def test_weights_from_a_base_without_an_index_say_so(tmp_path, base):
    made = checkpoint.read(train(recipe(tmp_path, base, answers(8), lora=None)))
    assert made.data.unindexed == (f"hf/{base}",)
