"""Fine-tunes from elsewhere as candidates: their outputs become the task's labels, by name or as the suite says."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("torch")

import numpy as np

from harness.classify.suite import MethodKeys
from harness.errors import InputError
from harness.models.encoder import foreign
from harness.models.encoder.form import HeadForm
from harness.models.weights import Device
from tests import encoders, tiny
from tests.command import environment, harness
from tests.published import lines, write_lines

CPU = Device(name="cpu", dtype="float32")
TASK = ("sour", "sweet")


def classifier(folder, names, *, seed=0):
    """A BERT with a classification head of random weights, as transformers saves it, and the encoders' tokenizer."""
    import torch
    import transformers

    encoders.base(folder)
    config = transformers.BertConfig.from_pretrained(folder, num_labels=len(names), initializer_range=0.5)
    config.id2label = dict(enumerate(names))
    config.label2id = {name: place for place, name in enumerate(names)}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = transformers.BertForSequenceClassification(config)
        model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    return classifier(tmp_path_factory.mktemp("named"), ["SWEET", "Sour"])


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    return classifier(tmp_path_factory.mktemp("bare"), ["LABEL_0", "LABEL_1"])


def suite(folder, candidate, *, pair=False, **keys):
    """A classify suite over two dozen texts, or pairs."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {"id": f"t{place}", "text": item.texts[0], "second": "hot pan", "label": TASK[place % 2]}
        for place, item in enumerate(encoders.texts(24))
    ]
    write_lines(folder / "items.jsonl", rows)
    text = ["text", "second"] if pair else "text"
    task = {"files": {"test": "items.jsonl"}, "text": text, "label": "label", "id": "id"}
    value = {"name": "taste", "kind": "classify", "task": task, "candidate": f"hf/{candidate}", **keys}
    (folder / "suite.yaml").write_text(json.dumps(value))
    return folder / "suite.yaml"


def run(folder, path):
    return harness("run", path, "--out", folder / "run", "--json", env=environment(folder, HF_HUB_OFFLINE="1"))


def by_hand(folder, texts):
    """Probabilities of each text alone, as transformers says them."""
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        each = [model(**tokenizer(*text, return_tensors="pt")).logits.softmax(-1)[0] for text in texts]
    return torch.stack(each).numpy()


@pytest.mark.parametrize("pair", [False, True])
def test_every_text_is_answered_as_by_transformers_one_by_one(tmp_path, named, pair):
    done = run(tmp_path, suite(tmp_path / "suite", named, pair=pair))
    assert done.code == 0, done.err
    rows = lines(tmp_path / "run/predictions.jsonl")
    found = {row["id"]: row for row in rows}
    texts = [(item.texts[0], *(["hot pan"] if pair else [])) for item in encoders.texts(24)]
    wanted = by_hand(named, texts)
    for place, (sweet, sour) in enumerate(wanted):
        own = found[f"t{place}"]["probabilities"]
        assert own == pytest.approx({"sweet": sweet, "sour": sour}, abs=1e-5)
        assert found[f"t{place}"]["prediction"] == ("sweet" if sweet > sour else "sour")
    assert {row["prediction"] for row in rows} == set(TASK)
    manifest = json.loads((tmp_path / "run/manifest.json").read_text())
    assert (manifest["mode"], manifest["outputs"]) == ("head", {"SWEET": "sweet", "Sour": "sour"})


def test_outputs_without_names_are_refused_with_what_to_write(tmp_path, bare):
    path = suite(tmp_path / "suite", bare)
    done = run(tmp_path, path)
    assert done.code == 2
    said = " ".join(done.err.split())
    assert "its outputs are called LABEL_0, LABEL_1" in said
    assert "method: {labels: {LABEL_0: …, LABEL_1: …}}" in said
    checked = harness("validate", path, env=environment(tmp_path))
    assert checked.code == 2 and "LABEL_0" in checked.out


@pytest.mark.parametrize("labels", [{"LABEL_0": "sweet", "LABEL_1": "sour"}, ["sweet", "sour"]])
def test_the_suite_says_which_is_which(tmp_path, bare, labels):
    path = suite(tmp_path / "suite", bare, method={"labels": labels})
    assert run(tmp_path, path).code == 0
    found = lines(tmp_path / "run/predictions.jsonl")
    wanted = by_hand(bare, [(item.texts[0],) for item in encoders.texts(24)])
    by_id = {row["id"]: row["probabilities"]["sweet"] for row in found}
    np.testing.assert_allclose([by_id[f"t{place}"] for place in range(24)], wanted[:, 0], atol=1e-5)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"LABEL_0": "sweet"}, "'LABEL_1' has no label"),
        ({"LABEL_0": "sweet", "LABEL_2": "sour"}, "'LABEL_2' is no output"),
        ({"LABEL_0": "sweet", "LABEL_1": "sweet"}, "name each of them once"),
        (["sweet", "bitter"], "the task's labels are sour, sweet"),
        (["sweet"], "name each of them once"),
    ],
)
def test_a_naming_that_does_not_fit_is_refused(given, said):
    with pytest.raises(InputError, match=said):
        foreign.named(("LABEL_0", "LABEL_1"), TASK, given, "hf/x")


def test_names_are_found_whatever_their_capitals_and_underscores():
    labels = ("not_entailment", "entailment")
    assert foreign.named(("Entailment", "NOT ENTAILMENT"), labels, None, "hf/x") == ("entailment", "not_entailment")
    with pytest.raises(InputError, match="has 3 outputs"):
        foreign.named(("negative", "neutral", "positive"), ("negative", "positive"), None, "hf/x")
    with pytest.raises(InputError, match="say which is which"):
        foreign.named(("hot", "Hot "), ("hot", "HOT"), None, "hf/x")


def test_a_score_and_several_labels_at_once_are_refused(tmp_path, bare):
    scorer = tiny.reward(tmp_path / "reward")
    assert foreign.is_classifier(scorer)
    with pytest.raises(InputError, match="has one output, a score"):
        foreign.outputs_of(scorer, "hf/r")
    config = json.loads((bare / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "problem_type": "multi_label_classification"}))
    with pytest.raises(InputError, match="several labels at once"):
        foreign.outputs_of(tmp_path, "hf/x")
    (tmp_path / "config.json").write_text(json.dumps({**config, "id2label": {"0": "a", "2": "b"}}))
    with pytest.raises(InputError, match="id2label does not name every output"):
        foreign.outputs_of(tmp_path, "hf/x")


def test_weights_that_are_missing_are_named(tmp_path):
    from safetensors.torch import load_file, save_file

    folder = classifier(tmp_path, list(TASK))
    weights = load_file(folder / "model.safetensors")
    weights.pop("classifier.weight")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"missing: classifier\.weight"):
        foreign.opened(folder, HeadForm(name="taste", labels=TASK), CPU)


def test_a_language_model_with_a_head_reads_its_last_token_in_batches_too(tmp_path):
    folder = tiny.reward(tmp_path, outputs=2)
    encoder = foreign.opened(folder, HeadForm(name="taste", labels=TASK), CPU)
    items = encoders.texts(9)
    together, alone = encoder.predict(items), encoder.predict(items, most=1)
    np.testing.assert_allclose(together.probabilities["taste"], alone.probabilities["taste"], atol=1e-5)


def test_labels_belong_to_a_head():
    with pytest.raises(ValueError, match="'labels' names the outputs"):
        MethodKeys(mode="likelihood", labels=["a", "b"])


def test_a_language_model_has_no_outputs_to_name(tmp_path):
    path = suite(tmp_path / "suite", tiny.checkpoint(tmp_path / "llama"), method={"labels": ["sweet", "sour"]})
    done = harness("validate", path, env=environment(tmp_path))
    assert done.code == 2 and "has no classification head" in " ".join(done.out.split())
