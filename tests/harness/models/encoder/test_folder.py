"""A checkpoint's folder is opened whole or not at all, and what is wrong is named."""

import json

import pytest

pytest.importorskip("torch")

import torch
from safetensors.torch import load_file, save_file

from harness import checkpoint
from harness.errors import InputError
from harness.models.encoder.asking import Encoder
from harness.models.encoder.folder import based, load, put_back, room_of, save
from harness.models.encoder.form import Form, HeadForm, is_encoder, read
from harness.models.weights import Device
from tests import encoders, tiny

CPU = Device(name="cpu", dtype="float32")


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return encoders.base(tmp_path_factory.mktemp("bert"))


@pytest.fixture
def made(bert, tmp_path):
    """A saved checkpoint and its model."""
    model, tokenizer, _ = based(bert, encoders.form(pooling="attention", depth=2))
    save(model, tokenizer, tmp_path / "made")
    return tmp_path / "made", model


def same(a, b):
    one, other = a.state_dict(), b.state_dict()
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_what_is_saved_loads_to_the_last_bit(made):
    folder, model = made
    found, _ = load(folder, CPU)
    assert same(found, model)
    assert is_encoder(folder) and read(folder) == model.form
    assert not found.training


def test_the_encoder_alone_opens_with_transformers(made):
    import transformers

    folder, model = made
    alone = transformers.AutoModel.from_pretrained(str(folder), add_pooling_layer=False)
    assert same(alone, model.encoder)


def test_the_heads_are_part_of_the_fingerprint(made):
    folder, _ = made
    before = checkpoint.fingerprint(folder), checkpoint.weights_sha256(folder)
    value = json.loads((folder / "heads.json").read_text())
    value["heads"][0]["labels"].reverse()
    (folder / "heads.json").write_text(json.dumps(value))
    assert checkpoint.fingerprint(folder) != before[0]
    assert checkpoint.weights_sha256(folder) == before[1]
    weights = load_file(folder / "heads.safetensors")
    save_file({name: weight + 1 for name, weight in weights.items()}, folder / "heads.safetensors")
    assert checkpoint.weights_sha256(folder) != before[1]


def test_nothing_in_the_folder_is_pickled(made):
    assert {file.suffix for file in made[0].iterdir()} <= {".json", ".safetensors", ".txt"}


@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta"])
def test_a_pretrained_base_loses_its_own_head_by_name(tmp_path, family):
    folder = encoders.base(tmp_path, family, masked=True)
    model, _, dropped = based(folder, encoders.form())
    assert dropped and all(
        name.split(".")[0] in ("cls", "lm_head", "vocab_transform", "vocab_layer_norm", "vocab_projector")
        for name in dropped
    )
    stored = load_file(folder / "model.safetensors")
    inner = model.encoder.state_dict()
    assert all(
        torch.equal(inner[name.partition(".")[2]], weight)
        for name, weight in stored.items()
        if name.partition(".")[2] in inner
    )
    assert not any("pooler" in name for name in inner)


@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta"])
def test_every_family_is_saved_and_put_back(tmp_path, family):
    model, tokenizer, _ = based(encoders.base(tmp_path / "base", family), encoders.form())
    save(model, tokenizer, tmp_path / "made")
    other, _, _ = based(encoders.base(tmp_path / "other", family, seed=5), encoders.form())
    assert not same(model, other)
    put_back(other, tmp_path / "made")
    assert same(model, other)
    assert same(load(tmp_path / "made", CPU)[0], model)


def test_weights_that_are_missing_are_named(bert, tmp_path):
    encoders.base(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    weights.pop("encoder.layer.1.output.dense.weight")
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"do not fit the encoder \(missing: encoder\.layer\.1\.output\.dense\.weight"):
        based(tmp_path, encoders.form())


def test_weights_that_no_layer_takes_are_named(tmp_path):
    encoders.base(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    weights["encoder.layer.2.output.dense.weight"] = torch.zeros(32, 64)
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"unexpected: encoder\.layer\.2\.output\.dense\.weight"):
        based(tmp_path, encoders.form())


def test_heads_that_are_not_the_forms_are_named(made):
    folder, _ = made
    weights = load_file(folder / "heads.safetensors")
    weights["heads.7.weight"] = weights.pop("heads.0.1.weight")
    weights["heads.1.4.weight"] = torch.zeros(9, 32)
    save_file(weights, folder / "heads.safetensors")
    with pytest.raises(InputError) as failed:
        load(folder, CPU)
    told = str(failed.value)
    assert "missing: heads.0.1.weight; unexpected: heads.7.weight; of another shape: heads.1.4.weight" in told


def test_a_checkpoint_cut_short_is_refused(made):
    folder, _ = made
    file = folder / "heads.safetensors"
    file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(InputError, match=r"heads\.safetensors: is no whole safetensors file"):
        load(folder, CPU)


def test_a_language_model_is_no_encoder(tmp_path):
    with pytest.raises(InputError, match="a llama model is no encoder"):
        based(tiny.checkpoint(tmp_path), encoders.form())


def test_a_folder_without_heads_is_no_checkpoint_of_this_kind(bert):
    with pytest.raises(InputError, match=r"is no encoder checkpoint: it holds no heads\.json"):
        load(bert, CPU)


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"format": 9}', '{"format": 1, "heads": [{"name": "a", "labels": ["b"]}]}']
)
def test_a_broken_description_of_heads_is_one_sentence(tmp_path, text):
    (tmp_path / "heads.json").write_text(text)
    with pytest.raises(InputError, match=r"heads\.json: does not describe an encoder's heads"):
        read(tmp_path)


def test_more_tokens_than_the_encoder_reads_are_refused(bert, tmp_path):
    with pytest.raises(InputError, match="reads 66 tokens at once, and max_length is 67"):
        based(bert, encoders.form(max_length=67))
    model, _, _ = based(encoders.base(tmp_path, "roberta"), encoders.form())
    # Positions begin after the padding token's, which is 0 here.
    assert room_of(model.config) == 65


@pytest.mark.parametrize(
    "more",
    [
        {"pooling": "max"},
        {"heads": ()},
        {"heads": (HeadForm(name="a", labels=("x",)),)},
        {"heads": (HeadForm(name="a", labels=("x", "x")),)},
        {"heads": (encoders.HEADS[0], encoders.HEADS[0])},
        {"choices": True},
        {"depth": 0},
        {"width": 0},
        {"dropout": 1.0},
    ],
)
def test_forms_that_make_no_sense_are_refused(more):
    with pytest.raises(ValueError):
        Form(**{"heads": encoders.HEADS, **more})


def test_a_checkpoint_of_before_reads_no_question_of_two_texts(tmp_path):
    choice = Form(heads=(HeadForm(name="answer", labels=("A", "B")),), choices=True, max_length=32)
    model, tokenizer, _ = based(encoders.base(tmp_path / "base"), choice)
    save(model, tokenizer, tmp_path / "made")
    two = [encoders.Read(texts=("soup", "hot"), options=("rice", "bread"))]
    assert Encoder.open(tmp_path / "made", CPU).predict(two).probabilities["answer"].shape == (1, 2)
    value = json.loads((tmp_path / "made/heads.json").read_text())
    assert value.pop("joined") is True
    (tmp_path / "made/heads.json").write_text(json.dumps(value))
    old = Encoder.open(tmp_path / "made", CPU)
    assert old.predict([encoders.Read(texts=("soup",), options=("rice", "bread"))]).truncated == 0
    with pytest.raises(InputError, match="train it again"):
        old.predict(two)
