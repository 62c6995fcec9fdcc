"""Encoder recipes are checked whole, name their checkpoints by what goes in, and the shipped ones are sound."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from harness.errors import InputError
from tests.train.encoder.small import KEYS, TWO, recipe
from train import plates
from train.encoder.arguments import plan
from train.encoder.keys import EncoderKeys
from train.encoder.recipe import load

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = {
    "mbert_two_tasks_1",
    "mbert_two_tasks_2",
    "recipe_mpr_bert_base",
    "recipe_mpr_bert_base_aggressive",
    "recipe_mpr_bert_large",
    "recipe_mpr_distilbert",
    "recipe_mpr_distilbert_aggressive",
    "recipe_mpr_roberta_base",
    "recipe_mpr_roberta_base_aggressive",
    "tiny_dishes",
    "tiny_reviews",
}


def problems(path, *changes):
    with pytest.raises(InputError) as caught:
        load(path, changes)
    return str(caught.value).replace(f"{path.parent}/", "").splitlines()


def test_every_shipped_recipe_is_whole(tmp_path):
    """Files that a user brings are not there; all else is."""
    folder = shutil.copytree(ROOT / "train/recipes", tmp_path / "train/recipes")
    (tmp_path / "suites").symlink_to(ROOT / "suites")
    (folder / "data").mkdir()
    for name in ("500QA.json", "adjudications.csv"):
        (folder / "data" / name).touch()
    walked = set()
    for path in folder.glob("*.yaml"):
        if yaml.safe_load(path.read_text())["kind"] == "encoder":
            assert load(path).keys.name == path.stem
            walked.add(path.stem)
    assert walked == SHIPPED


@pytest.mark.parametrize("name", ["distilbert", "bert_base", "roberta_base"])
def test_the_logs_aggressive_warm_ups_outlast_their_trainings(name):
    """What the recipes say of log 000: there were never as many steps as the warm-up has."""
    keys = EncoderKeys.model_validate(
        yaml.safe_load((ROOT / f"train/recipes/recipe_mpr_{name}_aggressive.yaml").read_text())
    )
    assert plan(keys, 450).steps < keys.training.warmup_steps


@pytest.mark.parametrize("name", list(plates.MADE))
def test_the_bundled_items_are_those_that_are_made(name):
    bundled = (ROOT / f"suites/data/{name}.jsonl").read_text(encoding="utf-8").splitlines()
    made = plates.rows(plates.MADE[name], name)
    assert [json.loads(line) for line in bundled] == made
    assert len({row["text"] for row in made}) == plates.COUNT


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"base": "hf/x"}, "give either 'base' (an encoder) or 'fresh'"),
        ({"fresh": None}, "give either 'base' (an encoder) or 'fresh'"),
        ({"training": {"packing": True}}, "an encoder reads one item a row; leave out 'packing'"),
        ({"seeds": [1, 1]}, "'seeds' names a seed twice"),
        ({"oversample": {}}, "give 'inverse_frequency' (heads)"),
        ({"oversample": {"inverse_frequency": ["a"]}, "training": {"group_by_length": True}}, "draws its own order"),
        (
            {"early_stopping": {"metric": "f1", "patience": 2}},
            "early_stopping.metric: use loss, accuracy, macro_f1, mcc, or one head's (HEAD.accuracy), found 'f1'",
        ),
        ({"early_stopping": {"metric": "loss", "patience": 2}, "save": {"every": 3}}, "every look is saved"),
        ({"loss": {"smoothing": 1.0}}, "loss.smoothing: input should be less than 1, found 1.0"),
        ({"loss": {"gamma": -1}}, "loss.gamma: input should be greater than or equal to 0, found -1"),
        ({"head": {"pooling": "max"}}, "input should be 'cls', 'mean', 'last4_mean', 'attention' or 'last'"),
        ({"rdrop": {"alfa": 1}}, "unknown key 'rdrop.alfa'"),
        ({"lora": {"rank": 2, "alpha": 4}}, "'lora' adapts a base; leave it out"),
        ({"fresh": {"heads": 5}}, "'hidden_size' must be a multiple of 'heads'"),
        ({"task": {"files": "no.jsonl"}}, "there is no file 'no.jsonl'; check the path"),
    ],
)
def test_a_wrong_recipe_is_named_with_its_line(tmp_path, more, said):
    found = problems(recipe(tmp_path, None, 4, **more))
    assert any(said in line and line.startswith("r.yaml:") for line in found), found


def test_a_base_that_is_not_there_is_named(tmp_path):
    path = recipe(tmp_path, tmp_path, 4, base="recipe/none.yaml")
    line = path.read_text().splitlines().index("base: recipe/none.yaml") + 1
    assert problems(path) == [f"r.yaml:{line}: there is no file 'none.yaml'; check the path"]


def test_another_recipe_file_or_base_is_another_checkpoint_and_another_place_is_not(tmp_path):
    path = recipe(tmp_path / "a", None, 4)
    name = load(path).folder_name(None)
    assert name.startswith("small-")
    assert load(recipe(tmp_path / "b", None, 4)).folder_name(None) == name
    assert load(path, ["log=[tensorboard]"]).folder_name(None) == name
    others = [load(path, [change]).folder_name(None) for change in ("seed=6", "head.pooling=mean", "split.seed=4")]
    others += [load(path).folder_name("x"), load(recipe(tmp_path / "c", None, 5)).folder_name(None)]
    assert len({name, *others}) == 6


def test_a_file_of_another_name_is_the_same_data(tmp_path):
    path = recipe(tmp_path, None, 4)
    shutil.copy(tmp_path / "data.jsonl", tmp_path / "moved.jsonl")
    assert load(path, ["task.files=moved.jsonl"]).folder_name(None) == load(path).folder_name(None)


def test_members_are_every_seed_by_every_fold(tmp_path):
    path = recipe(tmp_path, None, 4)
    assert load(path).members() == ()
    assert [name for name, _ in load(path, ["seeds=[3, 4]"]).members()] == ["seed-3", "seed-4"]
    folds = load(path, ["split={folds: 3, seed: 7}"]).members()
    assert [(name, one.keys.split.fold, one.keys.seed) for name, one in folds] == [
        (f"fold-{fold}", fold, 5) for fold in range(3)
    ]
    assert load(path, ["split={folds: 3, fold: 1}"]).members() == ()
    both = load(path, ["split={folds: 2}", "seeds=[0, 1]"]).members()
    assert [name for name, _ in both] == ["seed-0-fold-0", "seed-0-fold-1", "seed-1-fold-0", "seed-1-fold-1"]
    assert {one.keys.seeds == [] for _, one in both} == {True}


def test_the_plan_counts_steps_and_looks():
    keys = EncoderKeys.model_validate({**KEYS, "task": TWO, "base": "hf/x"})
    made = keys.model_copy(update={"training": keys.training.model_copy(update={"accumulation": 3, "epochs": 20})})
    # 45 batches of 8, 15 steps a pass; a look a pass, for that is less than a tenth of all.
    assert plan(made, 360) == plan(made, 353)
    assert (plan(made, 360).steps, plan(made, 360).look, plan(made, 360).save) == (300, 15, 30)
    assert (plan(keys, 360).steps, plan(keys, 360).look) == (90, 9)
    fixed = keys.model_copy(update={"training": keys.training.model_copy(update={"epochs": None, "steps": 7})})
    assert (plan(fixed, 56).passes, plan(fixed, 56).look) == (1.0, 1)


@pytest.mark.parametrize(
    ("more", "metric"),
    [
        ({}, "accuracy"),
        ({"loss": {"class_weights": "inverse_frequency"}}, "macro_f1"),
        ({"losses": {"taste": {"multipliers": {"sour": 2}}}}, "macro_f1"),
        ({"oversample": {"inverse_frequency": ["taste"]}}, "macro_f1"),
        ({"loss": {"gamma": 2.0}}, "accuracy"),
        ({"oversample": {"inverse_frequency": ["taste"]}, "collapse": {"metric": "accuracy"}}, "accuracy"),
    ],
)
def test_what_the_alarm_watches_depends_on_whether_labels_weigh(more, metric):
    assert EncoderKeys.model_validate({**KEYS, "base": "hf/x", **more}).watched == metric


def test_a_last_step_of_fewer_batches_is_a_step():
    keys = EncoderKeys.model_validate({**KEYS, "base": "hf/x"})
    made = keys.model_copy(update={"training": keys.training.model_copy(update={"accumulation": 3})})
    # 43 batches of 8: fourteen steps of three, and one of a single batch.
    assert plan(made, 344).steps == 2 * 15
