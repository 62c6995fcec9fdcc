"""Fingerprints follow what changes answers, and manifests say what is whole, changed or unfinished."""

import json
import shutil
from dataclasses import replace

import pytest

pytest.importorskip("torch")

from harness import checkpoint
from harness.errors import InputError
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
