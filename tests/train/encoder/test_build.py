"""From a recipe to a checkpoint: what lies in its folder, what it says, how it goes on, what stops it."""

import asyncio
import json

import pytest

pytest.importorskip("torch")

import numpy as np
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from harness import checkpoint
from harness.checkpoints.listing import entries
from harness.checkpoints.shelf import trainings
from harness.classify.heads import HeadClassifier
from harness.classify.launch import _cut
from harness.leakage import FILE, TrainingIndex, normal
from harness.leakage.nearest import nearest
from harness.models.encoder.asking import Encoder, form_of, predict
from harness.models.weights import Device
from tests.published import lines, write_lines
from tests.train.encoder.small import CHOICE, TWO, predictions, recipe, task, train
from tests.train.small import manifest, rows_of

CPU = Device(name="cpu", dtype="float32")
LEARNING = {"epochs": 6, "learning_rate": 0.005}
GIVEN_UP = {"collapse": {"after": 0.99}}


@pytest.fixture(scope="module")
def plain(tmp_path_factory, bert):
    """A recipe with one head, trained."""
    path = recipe(tmp_path_factory.mktemp("plain"), bert, 120, training=LEARNING, **GIVEN_UP)
    return path, train(path)


def test_a_recipe_becomes_a_checkpoint_that_can_prove_itself(plain):
    _, folder = plain
    made = manifest(folder)
    assert (made["kind"], made["complete"], made["steps_done"]) == ("encoder", True, 54)
    assert made["data"]["actual"] == 72 and made["data"]["validation"] == 24
    assert made["recipe"]["head"]["pooling"] == "cls"
    assert checkpoint.verify(folder) == []
    held = json.loads((folder / "task.json").read_text())
    assert held["counts"] == {"train": 72, "validation": 24, "test": 24}
    assert held["split"]["seed"] == 3


def test_it_has_learned_and_says_of_the_test_items_what_it_is_said_to(plain):
    path, folder = plain
    items = task(path).test
    said = predictions(folder)
    told = predict(folder, items, device=CPU)
    assert [row["id"] for row in said] == [item.id for item in items]
    labels = form_of(folder).heads[0].labels
    found = np.array([[row["probabilities"][label] for label in labels] for row in said])
    np.testing.assert_allclose(told.probabilities["taste"], found, atol=1e-6)
    assert manifest(folder)["metrics"]["test_accuracy"] > 0.9


def test_its_figures_are_scikit_learns(plain):
    path, folder = plain
    for split in ("validation", "test"):
        said = predictions(folder, split)
        gold, chosen = ([row[key] for row in said] for key in ("label", "prediction"))
        figures = manifest(folder)["metrics"]
        assert figures[f"{split}_accuracy"] == pytest.approx(accuracy_score(gold, chosen), abs=1e-12)
        assert figures[f"{split}_macro_f1"] == pytest.approx(f1_score(gold, chosen, average="macro"), abs=1e-12)
        assert figures[f"{split}_mcc"] == pytest.approx(matthews_corrcoef(gold, chosen), abs=1e-12)
        assert [row["label"] for row in said] == [item.labels["taste"] for item in task(path).items[split]]


def test_validation_loss_is_the_mean_over_items(plain):
    _, folder = plain
    said = predictions(folder, "validation")
    by_hand = np.mean([-np.log(row["probabilities"][row["label"]]) for row in said])
    assert rows_of(folder)[-1]["validation_loss"] == pytest.approx(by_hand, rel=1e-5)


def test_the_leakage_index_holds_the_training_texts(plain):
    path, folder = plain
    texts = [normal(item.texts[0]) for item in task(path).train]
    found = nearest(TrainingIndex.load(folder / FILE), [*texts, normal("nobody ever asked for such a thing")])
    assert [match is not None for match in found] == [True] * len(texts) + [False]


def test_one_item_alone_is_answered_as_in_a_batch(plain):
    path, folder = plain
    items = task(path).test
    encoder = Encoder.open(folder, CPU)
    together, alone = encoder.predict(items), encoder.predict(items, most=1)
    np.testing.assert_allclose(together.probabilities["taste"], alone.probabilities["taste"], atol=1e-6)
    assert (together.seconds > 0).all() and together.seconds.shape == (len(items),)
    np.testing.assert_allclose(together.probabilities["taste"].sum(axis=1), 1)


def test_no_items_have_no_probabilities(plain):
    found = Encoder.open(plain[1], CPU).predict([])
    assert found.probabilities["taste"].shape == (0, 2)


def test_what_is_there_is_not_trained_again(plain):
    path, folder = plain
    before = (folder / "manifest.json").stat().st_mtime_ns
    heard = []
    assert train(path, heard=heard) == folder
    assert (folder / "manifest.json").stat().st_mtime_ns == before
    assert heard == ["small: is there already, nothing to train"]


def test_it_is_listed_with_other_checkpoints(plain):
    (found, *_) = entries(trainings(plain[1].parent))
    assert (found["kind"], found["path"], found["complete"]) == ("encoder", str(plain[1]), True)


@pytest.mark.parametrize(
    "pooling", ["last4_mean", *(pytest.param(name, marks=pytest.mark.chaos) for name in ("mean", "attention"))]
)
def test_every_pooling_learns(tmp_path, bert, pooling):
    path = recipe(tmp_path, bert, 120, training=LEARNING, head={"pooling": pooling}, **GIVEN_UP)
    assert manifest(train(path))["metrics"]["test_accuracy"] > 0.9


def test_two_heads_share_an_encoder(tmp_path, bert):
    options = {
        "losses": {"heat": {"gamma": 2.0, "smoothing": 0.05, "class_weights": "inverse_frequency", "cap": 4.0}},
        "head": {"pooling": "attention", "depth": 2, "width": 24},
        "rdrop": {"alpha": 0.5, "warmup_epochs": 1},
        "rates": {"decay": 0.9, "head": 2.0},
        "oversample": {"inverse_frequency": ["heat"], "cap": 3.0},
    }
    folder = train(recipe(tmp_path, bert, 120, task=TWO, training=LEARNING, **options, **GIVEN_UP))
    figures = manifest(folder)["metrics"]
    both = [figures[f"test_{head}.macro_f1"] for head in ("taste", "heat")]
    assert figures["test_macro_f1"] == pytest.approx(np.mean(both))
    assert min(both) > 0.7
    assert [row["label"] for row in predictions(folder, "test-heat")] != [
        row["label"] for row in predictions(folder, "test-taste")
    ]


def test_multiple_choice_is_one_score_an_option(tmp_path, bert):
    path = recipe(tmp_path, bert, 120, task=CHOICE, training=LEARNING, **GIVEN_UP)
    folder = train(path)
    assert form_of(folder).choices
    said = predictions(folder)
    assert set(said[0]["probabilities"]) == {"A", "B", "C"}
    assert manifest(folder)["metrics"]["test_accuracy"] > 0.9
    items = task(path).test
    turned = predict(folder, items, device=CPU).probabilities["answer"]
    assert turned.argmax(axis=1).tolist() == ["ABC".index(row["prediction"]) for row in said]


def test_an_encoder_from_nothing_is_trained_and_loads(tmp_path):
    folder = train(recipe(tmp_path, None, 40, **GIVEN_UP))
    made = manifest(folder)
    assert (made["base"], made["kind"]) == (None, "encoder")
    assert np.isfinite(predict(folder, task(tmp_path / "r.yaml").test, device=CPU).probabilities["taste"]).all()


def test_texts_that_are_cut_are_counted(tmp_path, bert):
    folder = train(recipe(tmp_path, bert, 40, training={"max_length": 8}, **GIVEN_UP))
    found = task(tmp_path / "r.yaml")
    # Two marks, and a number at the end that the tokenizer does not know.
    long = sum(len(item.texts[0].split()) > 6 for item in found.train)
    assert 0 < long == manifest(folder)["data"]["truncated"]


@pytest.mark.chaos
def test_one_encoder_goes_on_from_another(tmp_path, bert):
    first = recipe(tmp_path, bert, 40, file="first.yaml", name="first", **GIVEN_UP)
    second = recipe(tmp_path, bert, 40, base="recipe/first.yaml", task=TWO, **GIVEN_UP)
    made = manifest(train(second))
    below = train(first)
    assert made["base"] == {"spec": "first", "sha256": checkpoint.fingerprint(below)}


def test_the_best_step_is_put_back_and_is_what_was_saved(tmp_path, bert):
    stopping = {"metric": "accuracy", "patience": 2}
    path = recipe(tmp_path, bert, 80, training={**LEARNING, "epochs": 12}, early_stopping=stopping, **GIVEN_UP)
    heard = []
    folder = train(path, heard=heard)
    made = manifest(folder)
    assert made["steps_done"] < made["steps_planned"]
    assert made["ended"] == "validation accuracy did not improve for 2 looks"
    best = folder / f"checkpoint-{made['weights_step']}"
    assert checkpoint.weights_sha256(folder) == checkpoint.weights_sha256(best)
    looks = [row for row in rows_of(folder) if "validation_accuracy" in row]
    assert max(row["validation_accuracy"] for row in looks) == made["metrics"]["validation_accuracy"]
    said = predictions(folder, "validation")
    share = np.mean([row["label"] == row["prediction"] for row in said])
    assert share == made["metrics"]["validation_accuracy"]
    assert any("was the best by accuracy; its weights are put back" in line for line in heard)
    there, here = (predict(at, task(path).test, device=CPU).probabilities["taste"] for at in (best, folder))
    assert np.array_equal(there, here)


def test_a_training_that_collapses_is_stopped_and_says_so(tmp_path, bert):
    """At such a rate everything is soon one label."""
    plan = {"epochs": 10, "learning_rate": 0.9, "max_grad_norm": 1000.0}
    heard = []
    folder = train(recipe(tmp_path, bert, 80, training=plan), heard=heard)
    made = manifest(folder)
    assert made["steps_done"] < made["steps_planned"] and not made["complete"]
    assert made["ended"].startswith("collapse: taste: validation accuracy is ")
    assert made["ended"] in heard
    assert made["steps_done"] > 0.2 * made["steps_planned"]


@pytest.mark.chaos
def test_the_alarm_can_be_off(tmp_path, bert):
    plan = {"epochs": 10, "learning_rate": 0.9, "max_grad_norm": 1000.0}
    assert manifest(train(recipe(tmp_path, bert, 80, training=plan), "collapse=null"))["complete"]


def test_without_validation_items_nothing_is_looked_at(tmp_path, bert):
    folder = train(recipe(tmp_path, bert), "split={holdout: 0.2}")
    assert not any("validation_loss" in row for row in rows_of(folder))
    assert not (folder / "predictions" / "validation.jsonl").exists()


def test_the_loss_of_each_split_is_that_of_its_own_predictions(plain):
    _, folder = plain
    figures = manifest(folder)["metrics"]
    by_hand = {
        split: np.mean([-np.log(row["probabilities"][row["label"]]) for row in predictions(folder, split)])
        for split in ("validation", "test")
    }
    assert by_hand["validation"] != by_hand["test"]
    for split, loss in by_hand.items():
        assert figures[f"{split}_loss"] == pytest.approx(loss, rel=1e-5)


def test_what_was_not_read_is_said_of_every_split_and_by_the_run_that_asks(tmp_path, bert):
    """Three marks and five words of text and option: options that begin alike for as long are the same then."""
    short, heard = {"epochs": None, "steps": 1, "max_length": 8}, []
    path = recipe(tmp_path, bert, 40, task=CHOICE, training=short, **GIVEN_UP)
    long = [
        {
            **row,
            "options": [f"{'rice ' * 9}{option}" for option in row["options"]],
            "answer": f"{'rice ' * 9}it is brown",
        }
        for row in lines(tmp_path / "data.jsonl")
    ]
    write_lines(tmp_path / "data.jsonl", long)
    folder = train(path, heard=heard)
    told = " ".join(heard)
    for split, count in (("training", 24), ("validation", 8), ("test", 8)):
        assert f"{count} {split} questions of {count} read the same with two of their options" in told
    assert "8 validation items of 8 cut to 8 tokens" in told
    classifier = HeadClassifier(folder=folder, head=form_of(folder).heads[0])
    asyncio.run(classifier.classify(task(tmp_path / "r.yaml").test, lambda item, guess: None))
    cut, alike = _cut(classifier)
    assert cut == "the text of 8 items was cut to the model's longest input"
    assert alike.startswith("8 questions read the same with two of their options")
