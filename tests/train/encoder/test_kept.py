"""Which weights are kept and when a training stops: patience, direction, least difference, the reload, the floors."""

import pytest

pytest.importorskip("torch")

from safetensors.torch import load_file

from harness import checkpoint
from harness.errors import RunStopped
from harness.leakage import FILE, TrainingIndex, normal
from harness.leakage.nearest import nearest
from harness.models.encoder.folder import based, save
from tests import encoders
from tests.published import write_lines
from tests.train.encoder.small import KEYS, TWO, recipe, rows, task, train
from tests.train.small import manifest, rows_of
from train.arguments import setting
from train.encoder.arguments import arguments, plan
from train.encoder.data import Example
from train.encoder.ensemble import results
from train.encoder.keys import EncoderKeys
from train.encoder.loop import _same, _watched

LATE = {"after": 0.99}


def looks_of(folder, name="validation_loss"):
    return [(row["step"], row[name]) for row in rows_of(folder) if name in row]


def test_the_lowest_loss_is_kept_and_patience_counts_the_looks_after_it(tmp_path, bert):
    plan_ = {"epochs": 40, "learning_rate": 0.05}
    stopping = {"metric": "loss", "patience": 2}
    folder = train(recipe(tmp_path, bert, training=plan_, early_stopping=stopping, look={"every": 2}, collapse=LATE))
    made, looks = manifest(folder), looks_of(folder)
    best = min(range(len(looks)), key=lambda at: looks[at][1])
    assert made["steps_done"] < made["steps_planned"]
    assert len(looks) == best + 1 + 2
    assert (made["weights_step"], made["metrics"]["validation_loss"]) == looks[best]


def test_what_improves_by_too_little_does_not_count(tmp_path, bert):
    stopping = {"metric": "loss", "patience": 3, "min_difference": 50.0}
    folder = train(recipe(tmp_path, bert, early_stopping=stopping, look={"every": 1}, collapse=LATE))
    assert len(looks_of(folder)) == 1 + 3
    assert manifest(folder)["ended"] == "validation loss did not improve by more than 50 for 3 looks"


@pytest.mark.parametrize(
    ("metric", "greater"), [("loss", False), ("accuracy", True), ("macro_f1", True), ("mcc", True)]
)
def test_the_direction_of_a_metric_and_the_seeds_reach_the_trainer(tmp_path, metric, greater):
    stopping = {"metric": metric, "patience": 1}
    keys = EncoderKeys.model_validate({**KEYS, "seed": 17, "base": "hf/x", "early_stopping": stopping})
    found = arguments(keys, tmp_path, setting(keys), plan(keys, 40), validates=True)
    assert (found["metric_for_best_model"], found["greater_is_better"]) == (f"eval_{metric}", greater)
    assert (found["seed"], found["data_seed"]) == (17, 17)


def test_weights_on_disk_that_are_not_the_best_steps_stop_the_run(tmp_path, bert):
    for name, seed in (("kept", 0), ("best", 1)):
        at = encoders.base(tmp_path / "base" / name, seed=seed)
        model, tokenizer, _ = based(at, encoders.form())
        save(model, tokenizer, tmp_path / name)
    assert _same(tmp_path / "kept", tmp_path / "kept", 3) is None
    with pytest.raises(RunStopped, match="its weights are not those of step 3"):
        _same(tmp_path / "kept", tmp_path / "best", 3)


def test_the_alarm_watches_every_head_with_its_own_floor():
    rows = [(0, 0), (0, 1), (0, 0), (1, 2), (1, 0)]
    held = [Example(row=None, labels=labels) for labels in rows]
    keys = EncoderKeys.model_validate({**KEYS, "task": TWO, "base": "hf/x"})
    form = encoders.form()
    plain = _watched(keys, form, held)
    assert [(each.name, each.floor) for each in plain] == [
        ("validation_taste.accuracy", 3 / 5),
        ("validation_heat.accuracy", 3 / 5),
    ]
    weighed = keys.model_copy(update={"collapse": keys.collapse.model_copy(update={"metric": "macro_f1"})})
    # Always the first: F1 is 2·3 ÷ (5 + 3) for it and 0 for the others, of two labels and of three.
    assert [each.floor for each in _watched(weighed, form, held)] == [
        pytest.approx(0.75 / 2),
        pytest.approx(0.75 / 3),
    ]
    assert _watched(keys, form, ()) == ()


def test_each_seed_begins_with_heads_of_its_own(tmp_path, bert):
    """At such a rate a step moves nothing, so that the heads are those that were drawn."""
    plan_ = {"epochs": None, "steps": 1, "learning_rate": 1e-12}
    folder = train(recipe(tmp_path, bert, 30, seeds=[0, 1], training=plan_, collapse=LATE))
    one, two = (load_file(folder / f"seed-{seed}" / "heads.safetensors") for seed in (0, 1))
    assert all((one[name] - two[name]).abs().max() > 0.01 for name in one)


def test_the_leakage_index_holds_no_text_but_the_trained_ones(tmp_path, bert):
    path = recipe(tmp_path, bert, 40, training={"epochs": None, "steps": 1}, collapse=LATE)
    index = TrainingIndex.load(train(path) / FILE)
    items = task(path)
    assert len(index) == len({normal(item.texts[0]) for item in items.train}) == len(items.train)
    others = [normal(item.texts[0]) for item in (*items.validation, *items.test)]
    assert all(found is None or found.similarity < 1 for found in nearest(index, others))


def test_a_head_whose_validation_has_one_label_cannot_collapse():
    held = [Example(row=None, labels=labels) for labels in [(0, 1), (1, 1), (0, 1)]]
    keys = EncoderKeys.model_validate({**KEYS, "task": TWO, "base": "hf/x"})
    assert [each.name for each in _watched(keys, encoders.form(), held)] == ["validation_taste.accuracy"]


def test_a_collapse_that_the_last_look_shows_stands_in_the_manifest(tmp_path, bert):
    # Such a rate leaves weights that say one label whatever they read.
    plan_ = {"epochs": None, "steps": 10, "learning_rate": 0.9, "max_grad_norm": 1000.0}
    folder = train(recipe(tmp_path, bert, 80, training=plan_, look={"every": 5}))
    made = checkpoint.read(folder)
    assert (made.steps_done, made.complete) == (10, True)
    assert made.ended is not None and made.ended.startswith("collapse")
    assert made.ended in str(made.standing)


def test_folds_beside_given_test_items_are_not_out_of_fold(tmp_path, bert):
    path = recipe(
        tmp_path,
        bert,
        task={"files": {"train": "data.jsonl", "test": "test.jsonl"}},
        split={"holdout": None, "validation": None, "folds": 2},
        training={"epochs": 1},
        collapse=LATE,
    )
    write_lines(tmp_path / "test.jsonl", rows(20, seed=9))
    assert results(train(path))["ensemble"]["taste"]["on"] == "test"
