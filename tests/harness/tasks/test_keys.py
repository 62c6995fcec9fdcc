"""`task:` and `split:` as people write them, and what is said of each mistake, with its line."""

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from harness.tasks.keys import SplitKeys, TaskKeys, problems
from harness.tasks.values import Rule
from harness.yamlfile import load_yaml, problems_of


class Recipe(BaseModel):
    model_config = ConfigDict(extra="forbid")

    task: TaskKeys
    split: SplitKeys = SplitKeys()


def said(tmp_path, text):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    values, line_of = load_yaml(path)
    with pytest.raises(ValidationError) as error:
        Recipe.model_validate(values)
    return [str(found).removeprefix(f"{tmp_path}/") for found in problems_of(error.value, str(path), line_of)]


def test_a_column_may_be_a_name_a_list_or_a_mapping():
    one = TaskKeys.model_validate({"files": "a.csv", "text": "t", "label": "y"})
    two = TaskKeys.model_validate({"files": "a.csv", "text": ["s", "t"], "label": ["y", "z"]})
    named = TaskKeys.model_validate({"files": "a.csv", "text": "t", "label": {"mood": "y"}, "labels": ["no", "yes"]})
    assert (one.text, one.label) == (["t"], {"y": "y"})
    assert (two.text, two.label) == (["s", "t"], {"y": "y", "z": "z"})
    assert named.label_sets() == {"mood": ("no", "yes")}


def test_a_task_is_named_after_its_data():
    assert TaskKeys(glue="rte").title == "rte"
    assert TaskKeys(recipe_mpr="data/500QA.json").title == "recipe_mpr"
    assert TaskKeys.model_validate({"files": {"test": "a/b.csv"}, "text": "t", "label": "y"}).title == "b"
    assert TaskKeys(hub="owner/thing", text=["t"], label={"y": "y"}).title == "thing"
    assert TaskKeys(glue="rte", name="mine").title == "mine"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("task: {glue: cola}\n", 1, "'sst2', 'rte' or 'mnli'"),
        ("task:\n  glue: rte\n  files: a.csv\n", 1, "found glue, files"),
        ("task: {}\n", 1, "found none"),
        ("task:\n  files: a.csv\n  text: t\n", 1, "'label' is missing"),
        ("task:\n  glue: rte\n  text: t\n", 3, "columns of 'glue' are known"),
        ("task:\n  files: a.csv\n  text: t\n  label: y\n  train: b.csv\n", 5, "put it under 'files'"),
        ("task:\n  files: a.csv\n  text: t\n  label: y\n  config: b\n", 5, "goes with 'hub'"),
        ("task:\n  files: a.csv\n  text: [a, b, c]\n  label: y\n", 3, "at most 2"),
        ("task:\n  files:\n    tset: a.csv\n  text: t\n  label: y\n", 3, "unknown key 'task.files.tset'"),
        ("task:\n  files: a.csv\n  text: t\n  label: y\n  labels: [yes, no]\n", 5, "put such labels in quotes"),
        ("task:\n  files: a.csv\n  text: t\n  label: y\n  labels: [a]\n", 5, "two labels or more"),
        ("task:\n  files: a.csv\n  text: t\n  label: [y, z]\n  labels: [a, b]\n", 1, "which head each set is for"),
        ("task:\n  files: a.csv\n  text: t\n  label: y\n  labels: {z: [a, b]}\n", 1, "names the head 'z'"),
        ("task:\n  files: a.csv\n  text: t\n  label: y\n  labels: [a, b, a]\n", 5, "a label stands twice"),
        ("task:\n  files: a.csv\n  text: t\n  label: y\n  options: o\n  labels: [a, b]\n", 1, "remove the others"),
        ("task: {glue: rte}\nsplit: {holdout: 1}\n", 2, "less than 1"),
        ("task: {glue: rte}\nsplit:\n  holdout: 0.1\n  folds: 5\n", 4, "not both"),
        ("task: {glue: rte}\nsplit:\n  folds: 5\n  fold: 5\n", 4, "from 0 to 4"),
        ("task: {glue: rte}\nsplit:\n  fold: 1\n", 3, "goes with 'folds'"),
        ("task: {glue: rte}\nsplit:\n  folds: 1\n", 3, "greater than or equal to 2"),
        ("task: {glue: rte}\nsplit:\n  holdout: 0.5\n  validation: 0.5\n", 4, "nothing to train on"),
        ("task: {glue: rte}\nsplit: randomly\n", 2, "found 'randomly'"),
    ],
)
def test_a_mistake_has_its_line(tmp_path, text, line, words):
    found = said(tmp_path, text)
    assert len(found) == 1
    assert found[0].startswith(f"recipe.yaml:{line}: ")
    assert words in found[0]


def test_a_split_as_a_value():
    assert SplitKeys.model_validate("given").rule() == Rule(kind="given")
    assert SplitKeys(holdout=0.1, seed=7).rule() == Rule(kind="holdout", share=0.1, seed=7)
    assert SplitKeys(folds=5, seed=7).rule(3) == Rule(kind="folds", folds=5, fold=3, seed=7)


@pytest.mark.parametrize(
    ("files", "split", "where"),
    [
        ({"train": "a.csv", "test": "a.csv"}, {"holdout": 0.1}, ("split", "holdout")),
        ({"train": "a.csv", "validation": "a.csv", "test": "a.csv"}, {"folds": 3}, ("split", "folds")),
        ({"train": "a.csv", "test": "a.csv"}, {"folds": 3, "validation": 0.1}, ("split", "validation")),
        ({"train": "a.csv", "validation": "a.csv"}, {"validation": 0.1}, ("split", "validation")),
        ({"test": "a.csv"}, {"validation": 0.1}, ("split",)),
        ({"train": "a.csv", "test": "b.csv"}, {}, ("task", "files", "test")),
        ("b.csv", {}, ("task", "files")),
    ],
)
def test_what_does_not_fit_together_is_found_before_anything_is_read(tmp_path, files, split, where):
    (tmp_path / "a.csv").touch()
    keys = TaskKeys.model_validate({"files": files, "text": "t", "label": "y"})
    found = list(problems(keys, SplitKeys.model_validate(split), tmp_path))
    assert [place for place, _ in found] == [where]


def test_what_fits_together_is_passed(tmp_path):
    (tmp_path / "a.csv").touch()
    keys = TaskKeys.model_validate({"files": {"train": "a.csv", "test": "a.csv"}, "text": "t", "label": "y"})
    assert not list(problems(keys, SplitKeys(validation=0.1), tmp_path))
    assert not list(problems(keys, SplitKeys(folds=3), tmp_path))
