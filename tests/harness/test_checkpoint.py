"""Fingerprints follow what changes answers, and manifests say what is whole, changed or unfinished."""

import json
import math
import shutil
from dataclasses import replace

import pytest

pytest.importorskip("torch")

from harness import checkpoint
from harness.errors import InputError
from harness.leakage import FILE
from tests.tiny import adapter
from tests.tiny import checkpoint as tiny


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny(tmp_path_factory.mktemp("base"))


def manifest(folder, **changes):
    made = checkpoint.Manifest(
        name="tiny",
        kind="pretrain",
        base=None,
        sha256=checkpoint.weights_sha256(folder),
        adapter_sha256=None,
        tokenizer_sha256=checkpoint.tokenizer_sha256(folder),
        chat_template_sha256=checkpoint.chat_template_sha256(folder),
        steps_done=100,
        steps_planned=290,
        epochs=0.7,
        data=checkpoint.Data(sha256="x", planned=8, actual=8),
        seed=1,
        device="cpu",
        versions={},
        recipe={},
    )
    return replace(made, **changes)


def copied(base, tmp_path):
    return shutil.copytree(base, tmp_path / "copy")


def test_a_fingerprint_knows_contents_and_not_places(base, tmp_path):
    copy = copied(base, tmp_path)
    assert checkpoint.fingerprint(copy) == checkpoint.fingerprint(base)
    (copy / "notes.txt").write_text("x")
    assert checkpoint.fingerprint(copy) == checkpoint.fingerprint(base)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json", "chat_template.jinja"])
def test_whatever_changes_answers_changes_it(base, tmp_path, name):
    copy = copied(base, tmp_path)
    path = copy / name
    if name == "config.json":
        path.write_text(json.dumps(json.loads(path.read_text()) | {"rms_norm_eps": 0.5}))
    else:
        path.write_bytes(path.read_bytes() + b" ")
    assert checkpoint.fingerprint(copy) != checkpoint.fingerprint(base)


def test_an_adapter_is_part_of_the_model(base, tmp_path):
    one, two = adapter(tmp_path / "one", base), adapter(tmp_path / "two", base, seed=2)
    prints = {checkpoint.pair_fingerprint("b", checkpoint.fingerprint(folder)) for folder in (one, two)}
    assert len(prints | {checkpoint.pair_fingerprint("b", None)}) == 3
    assert checkpoint.pair_fingerprint("b", None) == "b"


def test_a_manifest_comes_back_as_it_was_written(base, tmp_path):
    copy = copied(base, tmp_path)
    made = manifest(copy)
    checkpoint.write(copy, made)
    assert checkpoint.read(copy) == made
    assert (made.complete, made.progress) == (False, "step 100 of 290")
    assert json.loads((copy / "manifest.json").read_text())["complete"] is False
    assert checkpoint.verify(copy) == []


def test_weights_that_changed_are_found(base, tmp_path):
    copy = copied(base, tmp_path)
    checkpoint.write(copy, manifest(copy))
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x7f")
    assert [problem.what[:31] for problem in checkpoint.verify(copy)] == ["the weights changed since train"]


def test_pickled_weights_are_refused(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(
        InputError, match=r"needs safetensors weights, found only pytorch_model\.bin, which can run code"
    ):
        checkpoint.fingerprint(tmp_path)


def test_what_is_no_manifest_is_said(base, tmp_path):
    copy = copied(base, tmp_path)
    assert checkpoint.find(copy) is None
    with pytest.raises(InputError, match="holds no checkpoint manifest"):
        checkpoint.read(copy)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        "3",
        '{"name": "An app", "short_name": "app", "icons": []}',
        '{"kind": "Deployment", "metadata": {"name": "x"}}',
        '{"name": "model", "version": 2, "files": {"model.safetensors": {"sha256": "ab"}}}',
        "not json at all",
        "{'name': 'x'}",
    ],
)
def test_another_tool_s_manifest_is_none_of_ours(base, tmp_path, text):
    copy = copied(base, tmp_path)
    (copy / "manifest.json").write_text(text)
    assert checkpoint.find(copy) is None
    with pytest.raises(InputError, match="is not the manifest of a checkpoint"):
        checkpoint.read(copy)


def test_a_torn_manifest_of_ours_is_an_error(base, tmp_path):
    copy = copied(base, tmp_path)
    checkpoint.write(copy, manifest(copy))
    whole = (copy / "manifest.json").read_bytes()
    for torn in (b"", b"\0" * 300, whole[: len(whole) // 2], whole[:-3], whole.replace(b'"kind"', b'"kinds"')):
        (copy / "manifest.json").write_bytes(torn)
        with pytest.raises(InputError, match=r"manifest\.json: is not the manifest of a checkpoint \("):
            checkpoint.find(copy)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "lora"}, r"unknown kind 'lora'"),
        ({"steps_done": "100"}, r"steps_done must be a whole number, found '100'"),
        ({"steps_planned": True}, r"steps_planned must be a whole number, found True"),
        ({"epochs": None}, r"epochs must be a number, found None"),
        ({"sha256": 3}, r"sha256 must be text, found 3"),
        ({"base": "x"}, r"base must be an object, found 'x'"),
        ({"base": {"spec": "x"}}, r"it lacks sha256"),
        ({"data": {"sha256": "x"}}, r"it lacks planned, actual"),
        ({"metrics": {"loss": "low"}}, r"the metric 'loss' must be a number, found 'low'"),
        ({"recipe": []}, r"recipe must be an object, found \[\]"),
    ],
)
def test_a_wrong_value_is_named(base, tmp_path, change, said):
    copy = copied(base, tmp_path)
    checkpoint.write(copy, manifest(copy))
    file = copy / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(InputError, match=said):
        checkpoint.find(copy)


def test_a_manifest_of_a_later_or_an_earlier_release_is_read(base, tmp_path):
    copy = copied(base, tmp_path)
    checkpoint.write(copy, manifest(copy, base=checkpoint.Base(spec="hf/x", sha256="y")))
    file = copy / "manifest.json"
    value = json.loads(file.read_text())
    value["data"]["tokens"] = 7
    value["base"]["license"] = "x"
    for later in ("weights_step", "ended", "config_sha256", "merged_from", "state"):
        del value[later]
    file.write_text(json.dumps(value | {"cost": 3}))
    assert checkpoint.read(copy) == manifest(copy, base=checkpoint.Base(spec="hf/x", sha256="y"))


def test_a_figure_that_is_not_finite_stays_json(base, tmp_path):
    copy = copied(base, tmp_path)
    checkpoint.write(copy, manifest(copy, metrics={"loss": float("nan"), "win_rate": 0.5}))
    value = json.loads((copy / "manifest.json").read_text(), parse_constant=pytest.fail)
    assert value["metrics"] == {"loss": None, "win_rate": 0.5}
    found = checkpoint.read(copy).metrics
    assert found["win_rate"] == 0.5
    assert math.isnan(found["loss"])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"steps_done": 290}, None),
        ({"steps_done": 290, "weights_step": 290}, None),
        ({"steps_done": 290, "weights_step": 150}, "tiny was trained to step 290 of 290; its weights are of step 150"),
        ({}, "unfinished training: tiny stands at step 100 of 290"),
        (
            {"steps_done": 180, "ended": "validation_loss no better for 3 evaluations", "weights_step": 150},
            "unfinished training: tiny stands at step 180 of 290 (stopped early: validation_loss no better for 3 "
            "evaluations); its weights are of step 150",
        ),
    ],
)
def test_a_report_is_told_where_training_ended_and_whose_weights_these_are(base, changes, said):
    assert manifest(base, **changes).standing == said


def test_an_adapter_knows_its_base(base, tmp_path):
    lora = adapter(tmp_path / "lora", base)
    assert checkpoint.on_its_base(base, lora) is None
    sha256 = checkpoint.fingerprint(base)
    checkpoint.write(lora, manifest(lora, kind="sft", base=checkpoint.Base(spec="recipe/base.yaml", sha256=sha256)))
    assert checkpoint.on_its_base(base, lora) is None
    assert checkpoint.on_its_base(base, lora, sha256) is None
    wrong = checkpoint.on_its_base(base, lora, "0" * 64)
    assert str(wrong) == (
        f"{lora}: this adapter was trained on recipe/base.yaml (SHA-256 {sha256[:12]}), not on {base} "
        "(SHA-256 000000000000); give the base it was trained on, or train an adapter on this one"
    )


def test_the_index_s_name_is_the_guard_s():
    assert checkpoint.INDEX == FILE
