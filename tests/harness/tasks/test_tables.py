"""Tables of texts with labels: items as they should be, and everything that can be wrong with them."""

import pytest

from harness.tasks.values import Item, counted, majority
from tests.harness.tasks.made import REVIEWS, problems, table, task, written


def test_an_item_is_its_text_label_and_place(tmp_path):
    written(tmp_path, "rows.jsonl", REVIEWS)
    found = task(tmp_path, table())
    assert found.heads == {"label": ("negative", "positive")}
    assert found.test[2] == Item(
        id="3", texts=("good dish, number 1",), labels={"label": "positive"}, place="rows.jsonl:3"
    )
    assert (found.train, found.validation, len(found.test)) == ((), (), 20)


def test_csv_with_a_pair_several_heads_ids_and_slices(tmp_path):
    written(
        tmp_path,
        "rows.csv",
        ["key,first,second,mood,topic,place,who", "k1,a,b,good,food,north,me", "k2,c,d,bad,price,,you"],
    )
    keys = {
        "files": "rows.csv",
        "text": ["first", "second"],
        "label": {"mood": "mood", "about": "topic"},
        "labels": {"mood": ["bad", "good"]},
        "id": "key",
        "slices": ["place", "who"],
        "category": "who",
    }
    found = task(tmp_path, keys)
    assert found.heads == {"mood": ("bad", "good"), "about": ("food", "price")}
    assert found.test[0] == Item(
        id="k1",
        texts=("a", "b"),
        labels={"mood": "good", "about": "food"},
        slices=("place=north", "who=me"),
        place="rows.csv:2",
        category="me",
    )
    assert found.test[1].slices == ("who=you",)


def test_slices_as_lists_flags_and_mappings(tmp_path):
    rows = [
        {"text": "a", "label": "x", "tags": ["p", "q"], "long": True, "kinds": {"r": 1, "s": 0}},
        {"text": "b", "label": "y", "tags": [], "long": False, "kinds": {"r": "0", "s": "1"}},
    ]
    written(tmp_path, "rows.jsonl", rows)
    found = task(tmp_path, table(slices=["tags", "long", "kinds"]))
    assert [item.slices for item in found.test] == [("p", "q", "long", "r"), ("s",)]


def test_integer_labels_are_named_by_their_set(tmp_path):
    written(tmp_path, "rows.csv", ["text,label", "a,0", "b,1"])
    keys = table(files="rows.csv", labels=["negative", "positive"])
    assert [item.labels["label"] for item in task(tmp_path, keys).test] == ["negative", "positive"]
    assert task(tmp_path, table(files="rows.csv")).heads == {"label": ("0", "1")}
    # A set of numbers is taken at its word: 1 is never the place of "0".
    assert [item.labels["label"] for item in task(tmp_path, table(files="rows.csv", labels=[1, 0])).test] == ["0", "1"]


def test_integers_with_a_gap_come_back_from_parquet_as_integers(tmp_path):
    import pyarrow
    import pyarrow.parquet

    columns = {"text": ["a", "b", "c"], "label": [0.0, None, 1.0]}
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "rows.parquet")
    assert problems(tmp_path, table(files="rows.parquet")) == [
        "rows.parquet:2: has no label in 'label'; write it, or remove the row"
    ]
    pyarrow.parquet.write_table(pyarrow.table(columns).drop_null(), tmp_path / "rows.parquet")
    assert task(tmp_path, table(files="rows.parquet")).heads == {"label": ("0", "1")}


def test_ids_of_several_files_do_not_meet(tmp_path):
    for name in ("train", "test"):
        written(tmp_path, f"{name}.jsonl", REVIEWS)
    found = task(tmp_path, table(files={"train": "train.jsonl", "test": "test.jsonl"}))
    assert (found.train[0].id, found.test[0].id) == ("train-1", "test-1")


def test_every_problem_of_every_file_at_once(tmp_path):
    written(
        tmp_path,
        "train.jsonl",
        [
            {"id": 1, "text": "a", "label": "x"},
            {"id": 2, "text": " ", "label": "z"},
            {"id": 1, "text": "b", "label": "y"},
            {"id": 3, "text": "c"},
            {"id": 4, "text": 5, "label": None},
            {"id": 5, "text": "d", "label": ["x"]},
            {"id": True, "text": "e", "label": "x"},
        ],
    )
    written(tmp_path, "test.jsonl", [{"id": 1, "text": "f", "label": "w"}, {"id": 2, "text": "g", "label": "y"}])
    keys = table(files={"train": "train.jsonl", "test": "test.jsonl"}, id="id", labels=["x", "y"])
    assert problems(tmp_path, keys) == [
        "train.jsonl:2: the text 'text' is empty; write it, or remove the row",
        "train.jsonl:2: the label 'z' of 'label' is not one of x, y; mend it, or add it there",
        "train.jsonl:4: has no label in 'label'; write it, or remove the row",
        "train.jsonl:5: 'text' is no text, found 5; put it in quotes",
        "train.jsonl:5: has no label in 'label'; write it, or remove the row",
        "train.jsonl:6: 'label' is no label, found ['x']; give a text or a whole number",
        "train.jsonl:7: 'id' is no id, found True; give every row its own text or number",
        "train.jsonl:3: the id '1' stands twice (first on line 1); give every row its own",
        "test.jsonl:1: the label 'w' of 'label' is not one of x, y; mend it, or add it there",
    ]


def test_every_file_that_cannot_be_read_is_named(tmp_path):
    written(tmp_path, "train.csv", [])
    written(tmp_path, "test.jsonl", ["{torn"])
    found = problems(tmp_path, table(files={"train": "train.csv", "test": "test.jsonl"}))
    assert [line.split(":")[0] for line in found] == ["train.csv", "test.jsonl"]


def test_a_column_that_is_not_there_is_said_once(tmp_path):
    written(tmp_path, "rows.jsonl", REVIEWS)
    assert problems(tmp_path, table(label="mood", slices="place")) == [
        "rows.jsonl:1: has no column 'mood' (label); its columns are text, label",
        "rows.jsonl:1: has no column 'place' (slices); its columns are text, label",
    ]


def test_what_is_wrong_with_every_row_is_said_once(tmp_path):
    written(tmp_path, "rows.jsonl", [{**row, "label": "other"} for row in REVIEWS])
    assert problems(tmp_path, table(labels=["positive", "negative"])) == [
        "rows.jsonl:1: the label 'other' of 'label' is not one of positive, negative; mend it, or add it there "
        "(so in all 20 rows)"
    ]


def test_one_class_is_nothing_to_tell_apart(tmp_path):
    written(tmp_path, "rows.jsonl", REVIEWS[::2])
    assert problems(tmp_path, table()) == [
        "rows.jsonl:1: all 10 rows have the label 'positive' (label); with one class there is nothing to tell apart: "
        "give rows of another, or name the whole set in 'labels'"
    ]
    found = task(tmp_path, table(labels=["negative", "positive"]))
    assert found.told == ("All 10 test items have the label 'positive' (label): always answering it scores 100 %.",)


def test_two_spellings_of_a_label(tmp_path):
    written(tmp_path, "rows.jsonl", [*REVIEWS, {"text": "so so", "label": "Positive "}])
    found = problems(tmp_path, table())
    assert found == [
        "rows.jsonl:21: the label 'Positive ' is another than 'positive', and looks the same; write them alike, or "
        "name both in 'labels'"
    ]
    assert task(tmp_path, table(labels=["positive", "negative", "Positive "]))


def test_a_class_without_training_examples(tmp_path):
    written(tmp_path, "train.jsonl", REVIEWS)
    written(tmp_path, "test.jsonl", [*REVIEWS[:2], {"text": "hm", "label": "neutral"}])
    keys = table(files={"train": "train.jsonl", "test": "test.jsonl"})
    said = "the label 'neutral' (label) has no training example, and 1 other item has it; add some, or remove its items"
    assert problems(tmp_path, keys, need=("train", "test")) == [f"test.jsonl:3: {said}"]
    assert f"T{said[1:]}." in task(tmp_path, keys).told
    keys = table(files={"train": "train.jsonl", "test": "train.jsonl"}, labels=["negative", "positive", "neutral"])
    assert problems(tmp_path, keys, need=("train",)) == [
        "train.jsonl: the label 'neutral' (label) has no training example, and no other; add some, or take it out of "
        "'labels'"
    ]


def test_a_split_that_is_needed_and_not_there(tmp_path):
    written(tmp_path, "rows.jsonl", REVIEWS)
    assert problems(tmp_path, table(), need=("train",), where="recipe.yaml") == [
        "recipe.yaml: there are no training items; give a file as 'train', or a 'split' that leaves some to train on"
    ]


def test_counts_and_the_majority():
    items = [Item(id=str(place), texts=("t",), labels={"y": label}) for place, label in enumerate("abbca")]
    assert counted(items, "y", ("b", "z")) == {"b": 2, "z": 0, "a": 2, "c": 1}
    assert majority(items, "y") == ("a", 0.4)
    assert majority([], "y") is None


@pytest.mark.parametrize("text", ["", "﻿"])
def test_an_empty_file(tmp_path, text):
    (tmp_path / "rows.jsonl").write_text(text, encoding="utf-8")
    assert problems(tmp_path, table()) == ["rows.jsonl: holds no rows; it needs at least one"]


@pytest.mark.parametrize(
    ("one", "other"), [("caf\u00e9", "cafe\u0301"), ("warm", "warm\u200b"), ("1", "1.0"), ("Warm", "warm")]
)
def test_two_ways_to_write_one_label_are_no_two_labels(tmp_path, one, other):
    rows = [{"text": f"text {place}", "label": label} for place, label in enumerate([one, "cold", other])]
    written(tmp_path, "rows.jsonl", rows)
    (said,) = problems(tmp_path, table())
    assert said.startswith("rows.jsonl:3: the label ")
    assert "looks the same" in said


def test_numbers_of_one_value_in_json_are_one_label(tmp_path):
    written(
        tmp_path,
        "rows.jsonl",
        ['{"text": "a", "label": 1}', '{"text": "b", "label": 0}', '{"text": "c", "label": 1.0}'],
    )
    (said,) = problems(tmp_path, table())
    assert said.startswith("rows.jsonl:3: the label '1.0' is another than '1', and looks the same")


def test_a_cell_of_csv_may_be_a_whole_document(tmp_path):
    long = "word " * 60_000
    written(tmp_path, "rows.csv", ["text,label", f"{long},x", "b,y"])
    assert task(tmp_path, table(files="rows.csv")).test[0].texts == (long,)


def test_numbers_that_are_names_are_labels_of_their_own(tmp_path):
    rows = [{"text": f"text {place}", "label": label} for place, label in enumerate(["1.1", "1.10", "10", "1_0", "01"])]
    written(tmp_path, "rows.jsonl", rows)
    assert len(task(tmp_path, table()).heads["label"]) == 5
