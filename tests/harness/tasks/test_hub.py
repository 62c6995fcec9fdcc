"""Datasets through the datasets library, from folders that are laid out as on the hub."""

import pytest

from tests.harness.tasks.made import problems, task

datasets = pytest.importorskip("datasets")

README = """---
configs:
- config_name: {config}
  data_files:
  - split: train
    path: train.parquet
  - split: {test}
    path: test.parquet
---
"""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
    datasets.disable_progress_bars()


def published(folder, rows, config="default", test="test", names=("no", "yes")):
    folder.mkdir(parents=True)
    columns = {name: datasets.Value("string") for name in rows[0]} | {"label": datasets.ClassLabel(names=list(names))}
    features = datasets.Features({name: columns[name] for name in rows[0]})
    for split, some in (("train", rows), ("test", rows[:2])):
        datasets.Dataset.from_list(some, features=features).to_parquet(folder / f"{split}.parquet")
    (folder / "README.md").write_text(README.format(config=config, test=test))


def rows(*labels):
    return [{"text": f"text {place}", "label": label} for place, label in enumerate(labels)]


def test_labels_have_the_names_of_the_dataset(tmp_path):
    published(tmp_path / "owner" / "thing", rows(1, 0, 1))
    found = task(tmp_path, {"hub": "owner/thing", "text": "text", "label": "label"})
    assert found.heads == {"label": ("no", "yes")}
    assert [item.labels["label"] for item in found.train] == ["yes", "no", "yes"]
    assert (found.train[1].id, found.train[1].place) == ("train-2", "owner/thing, train:2")
    assert [(one.name, one.rows, one.split) for one in found.origins] == [
        ("owner/thing, train", 3, "train"),
        ("owner/thing, test", 2, "test"),
    ]


def test_rows_without_a_published_label(tmp_path):
    published(tmp_path / "owner" / "thing", rows(-1, -1, -1, -1))
    found = problems(tmp_path, {"hub": "owner/thing", "text": "text", "label": "label", "splits": {"test": "train"}})
    assert found == ["owner/thing, train:1: has no label in 'label'; write it, or remove the row (so in all 4 rows)"]


def test_glue_is_tested_on_its_validation_split(tmp_path):
    pairs = [{"sentence1": f"premise {n}", "sentence2": "so it is", "label": n % 2, "idx": str(n)} for n in range(4)]
    published(tmp_path / "nyu-mll" / "glue", pairs, "rte", "validation", ("entailment", "not_entailment"))
    found = task(tmp_path, {"glue": "rte"})
    assert found.heads == {"label": ("entailment", "not_entailment")}
    assert found.text_fields == ("premise", "hypothesis")
    assert found.train[0].texts == ("premise 0", "so it is")
    assert [(len(found.train), len(found.test)), found.test[1].id] == [(4, 2), "1"]
    assert found.test[1].labels == {"label": "not_entailment"}
    assert found.test[1].place == "nyu-mll/glue/rte, validation:2"


def test_a_split_that_the_dataset_does_not_have(tmp_path):
    published(tmp_path / "owner" / "thing", rows(1, 0))
    keys = {"hub": "owner/thing", "text": "text", "label": "label", "splits": {"test": "dev"}}
    assert problems(tmp_path, keys) == [
        "the dataset 'owner/thing' has no split 'dev'; name in 'splits' some of train, test"
    ]


def test_a_split_that_is_given_already(tmp_path):
    published(tmp_path / "owner" / "thing", rows(1, 0, 1, 0))
    keys = {"hub": "owner/thing", "text": "text", "label": "label"}
    assert problems(tmp_path, keys, {"holdout": 0.5}, where="s.yaml") == [
        "s.yaml: holdout: test items are given already; take 'validation' instead, or leave them out"
    ]


def test_a_dataset_that_cannot_be_loaded(tmp_path):
    (tmp_path / "owner" / "empty").mkdir(parents=True)
    found = problems(tmp_path, {"hub": "owner/empty", "text": "text", "label": "label"})
    assert len(found) == 1
    assert "the dataset 'owner/empty' (config None, revision None) cannot be loaded" in found[0]
