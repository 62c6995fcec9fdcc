"""From keys to splits: shares, folds, texts that stand twice, and what the manifest says."""

import json
from collections import Counter

import pytest

from harness.tasks.duplicates import text_key, without_shared
from harness.tasks.keys import SplitKeys, TaskKeys
from harness.tasks.load import every_fold
from harness.tasks.values import SPLITS, Item, Rule
from tests.harness.tasks.made import REVIEWS, problems, table, task, written


@pytest.fixture
def folder(tmp_path):
    written(tmp_path, "rows.jsonl", REVIEWS)
    return tmp_path


def sizes(found):
    return {split: len(found.items.get(split, ())) for split in SPLITS}


def test_a_holdout_and_a_share_for_validation(folder):
    found = task(folder, table(), {"holdout": 0.2, "validation": 0.1, "seed": 7})
    assert sizes(found) == {"train": 14, "validation": 2, "test": 4}
    assert len({item.id for item in found.all()}) == 20
    for split, each in (("train", 7), ("validation", 1), ("test", 2)):
        labels = Counter(item.labels["label"] for item in found.items[split])
        assert labels == {"positive": each, "negative": each}
    assert found.rule == Rule(kind="holdout", share=0.2, validation=0.1, seed=7)


def test_every_item_is_tested_in_one_fold_and_trained_on_in_the_others(folder):
    keys, split = TaskKeys.model_validate(table()), SplitKeys(folds=5, seed=7)
    found = list(every_fold(keys, split, folder))
    assert [one.rule.fold for one in found] == [0, 1, 2, 3, 4]
    assert sorted(item.id for one in found for item in one.test) == sorted(item.id for item in found[0].all())
    assert all(sizes(one) == {"train": 16, "validation": 0, "test": 4} for one in found)
    assert task(folder, table(), {"folds": 5, "fold": 3, "seed": 7}) == found[3]


def test_a_fold_leaves_a_share_for_validation(folder):
    assert sizes(task(folder, table(), {"folds": 5, "validation": 0.2})) == {"train": 12, "validation": 4, "test": 4}


def test_beside_a_test_file_a_fold_is_validated_on(folder):
    written(folder, "test.jsonl", [{"text": "fresh", "label": "positive"}, {"text": "stale", "label": "negative"}])
    keys = table(files={"train": "rows.jsonl", "test": "test.jsonl"})
    found = list(every_fold(TaskKeys.model_validate(keys), SplitKeys(folds=4), folder))
    assert all(sizes(one) == {"train": 15, "validation": 5, "test": 2} for one in found)
    assert sizes(task(folder, keys, {"validation": 0.1})) == {"train": 18, "validation": 2, "test": 2}


def test_one_seed_one_split(folder):
    first, again, other = (task(folder, table(), {"holdout": 0.3, "seed": seed}) for seed in (1, 1, 2))
    assert first == again
    assert first.sha256 == again.sha256 != other.sha256


def test_the_order_of_the_rows_does_not_decide_who_is_tested(folder):
    before = task(folder, table(), {"holdout": 0.3})
    written(folder, "rows.jsonl", REVIEWS[::-1])
    after = task(folder, table(), {"holdout": 0.3})
    assert {item.texts for item in before.test} == {item.texts for item in after.test}


def test_equal_texts_share_a_fold_and_so_does_a_cluster(tmp_path):
    rows = [{**row, "page": place // 4} for place, row in enumerate(REVIEWS)]
    rows += [{"text": "GOOD dish -- number 0!", "label": "positive", "page": 99}]
    written(tmp_path, "rows.jsonl", rows)
    for found in every_fold(TaskKeys.model_validate(table(cluster="page")), SplitKeys(folds=3), tmp_path):
        assert not {item.cluster for item in found.train} & {item.cluster for item in found.test}
        assert not found.shared


def test_the_only_text_with_a_label_is_trained_on(tmp_path):
    written(tmp_path, "rows.jsonl", [*REVIEWS, {"text": "hm", "label": "neutral"}])
    for seed in range(20):
        found = task(tmp_path, table(), {"holdout": 0.5, "seed": seed}, need=("train", "test"))
        assert "neutral" in {item.labels["label"] for item in found.train}


def test_a_fold_without_training_examples_of_a_class(tmp_path):
    written(tmp_path, "rows.jsonl", [*REVIEWS, {"text": "hm", "label": "neutral"}])
    found = [problems_or_none(tmp_path, fold) for fold in range(5)]
    assert found.count(None) == 4
    assert [each for each in found if each] == [
        [
            "rows.jsonl:21: the label 'neutral' (label) has no training example, and 1 other item has it; add some, or "
            "use another split"
        ]
    ]


def problems_or_none(folder, fold):
    try:
        return problems(folder, table(), {"folds": 5, "fold": fold}, need=("train", "test"))
    except AssertionError:
        return None


def test_combinations_of_labels_keep_their_shares(tmp_path):
    rows = [
        {"text": f"text {place} of {mood} and {topic}", "mood": mood, "topic": topic}
        for mood, topic, many in (
            ("good", "food", 40),
            ("good", "price", 20),
            ("bad", "food", 10),
            ("bad", "price", 30),
        )
        for place in range(many)
    ]
    written(tmp_path, "rows.jsonl", [*rows, {"text": "odd", "mood": "bad", "topic": "room"}])
    keys = table(label=["mood", "topic"])
    for found in every_fold(TaskKeys.model_validate(keys), SplitKeys(folds=10), tmp_path, need=()):
        counts = Counter(tuple(item.labels.values()) for item in found.test)
        counts.pop(("bad", "room"), None)
        assert sorted(counts.values()) == [1, 2, 3, 4]
    rows += [{"text": f"odd {place}", "mood": "bad", "topic": f"room {place}"} for place in range(2)]
    written(tmp_path, "rows.jsonl", rows)
    found = task(tmp_path, keys, {"folds": 10})
    assert found.told[-1] == (
        "2 combinations of labels with fewer than 10 texts (bad + room 0; bad + room 1; 2 items) are too "
        "rare to stratify by and are spread over the splits as one."
    )


def test_texts_that_are_trained_on_and_tested_are_counted(folder):
    rows = [
        {"text": "Good dish: number 0", "label": "positive"},
        {"text": "bad dish, number 3", "label": "positive"},
        {"text": "new", "label": "negative"},
    ]
    written(folder, "test.jsonl", rows)
    found = task(folder, table(files={"train": "rows.jsonl", "test": "test.jsonl"}))
    assert found.shared_ids() == {"test-1", "test-2"}
    assert found.told == (
        "2 of 3 test items have the text of a training item (first: test.jsonl:1). Their figures are those of "
        "questions trained on.",
        "1 item repeats a text with another label (first: rows.jsonl:8 and test.jsonl:2).",
    )
    left = without_shared(found)
    assert len(left.train) == 18
    assert not left.shared_ids()
    assert not {text_key(item) for item in left.train} & {text_key(item) for item in left.test}


def test_the_options_are_part_of_the_text_in_any_order():
    one = Item(id="1", texts=("Which?",), labels={}, options=("x", "y"))
    other = Item(id="2", texts=("which",), labels={}, options=("Y", "x"))
    assert text_key(one) == text_key(other) != text_key(Item(id="3", texts=("which",), labels={}, options=("x", "z")))


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ({"holdout": 0.01}, "s.yaml: holdout: 0.01 of 20 items is none; use another share, or more items"),
        ({"holdout": 0.99}, "s.yaml: holdout: 0.99 of 20 items is 20; use another share, or more items"),
        ({"validation": 0.01}, "s.yaml: validation: 0.01 of 20 items is none"),
        ({"folds": 21}, "s.yaml: folds: 21 need as many different texts, found 20; use fewer"),
    ],
)
def test_a_split_that_cannot_be_had(folder, split, words):
    found = problems(folder, table(), split, where="s.yaml")
    assert len(found) == 1
    assert found[0].startswith(words)


def test_a_split_of_what_is_given_already(folder):
    keys = table(files={"train": "rows.jsonl", "test": "rows.jsonl"})
    assert problems(folder, keys, {"holdout": 0.1}, where="s.yaml") == [
        "s.yaml: holdout: test items are given already; take 'validation' instead, or leave them out"
    ]


def test_a_share_for_validation_of_one_file_leaves_the_rest_to_train_on(folder):
    assert sizes(task(folder, table(), {"validation": 0.1}, need=())) == {"train": 18, "validation": 2, "test": 0}


def test_the_manifest_says_where_the_items_come_from(folder):
    found = task(folder, table(), {"holdout": 0.2, "seed": 3}).as_json()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["counts"] == {"train": 16, "validation": 0, "test": 4}
    assert found["split"] == {
        "kind": "holdout",
        "seed": 3,
        "share": 0.2,
        "folds": 0,
        "fold": 0,
        "validation": 0.0,
    }
    assert [(one["name"], one["rows"], len(one["sha256"])) for one in found["files"]] == [("rows.jsonl", 20, 64)]


def test_the_hash_follows_the_items_and_not_their_place(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    written(elsewhere, "other.jsonl", REVIEWS)
    found = task(folder, table())
    assert task(elsewhere, table(files="other.jsonl")).sha256 == found.sha256
    written(elsewhere, "other.jsonl", [*REVIEWS[:-1], {**REVIEWS[-1], "label": "positive"}])
    assert task(elsewhere, table(files="other.jsonl")).sha256 != found.sha256


def test_a_holdout_that_can_take_nothing_says_why(tmp_path):
    written(tmp_path, "rows.jsonl", [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}])
    (said,) = problems(tmp_path, table(), {"holdout": 0.5})
    assert "there are no test items; the split could take none" in said
    assert "give a 'split'" not in said


@pytest.mark.parametrize("split", [{"validation": 0.3}, {"folds": 2, "validation": 0.3}])
def test_the_seed_decides_who_validates(tmp_path, split):
    written(tmp_path, "rows.jsonl", REVIEWS)
    first, again, other = (
        {item.id for item in task(tmp_path, table(), {**split, "seed": seed}, need=()).validation} for seed in (1, 1, 2)
    )
    assert first == again != other


@pytest.mark.parametrize("split", [{"validation": 0.2}, {"holdout": 0.2, "validation": 0.2}])
def test_validation_is_stratified_like_the_rest(tmp_path, split):
    rows = [{"text": f"dish {place}", "label": "good" if place % 4 else "bad"} for place in range(40)]
    written(tmp_path, "rows.jsonl", rows)
    for seed in range(6):
        found = task(tmp_path, table(), {**split, "seed": seed}, need=())
        assert Counter(item.labels["label"] for item in found.validation) == {"good": 6, "bad": 2}


def test_equal_texts_are_not_split_between_training_and_validation(tmp_path):
    rows = [{**row, "text": f"{row['text']}{end}"} for row in REVIEWS for end in ("", "!", " .")]
    written(tmp_path, "rows.jsonl", rows)
    for seed in range(4):
        found = task(tmp_path, table(), {"holdout": 0.2, "validation": 0.2, "seed": seed})
        assert found.validation and not found.shared


@pytest.mark.parametrize("split", [{"holdout": 0.5}, {"validation": 0.5}])
def test_labels_that_only_one_text_has_are_trained_on(tmp_path, split):
    """Two such labels are drawn from as one, of which a half would be held out."""
    written(tmp_path, "rows.jsonl", [*REVIEWS, {"text": "hm", "label": "neutral"}, {"text": "so", "label": "mixed"}])
    for seed in range(4):
        found = task(tmp_path, table(), {**split, "seed": seed}, need=())
        assert {"neutral", "mixed"} <= {item.labels["label"] for item in found.train}
