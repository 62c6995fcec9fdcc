"""The real files of ../shared/data: counts against figures that were computed independently."""

from collections import Counter

import pytest

from harness.tasks.keys import SplitKeys, TaskKeys
from harness.tasks.load import every_fold
from harness.tasks.values import counted, majority
from tests.harness.tasks.made import task
from tests.published import DATA, lines, needs_data, reference

pytestmark = needs_data
MPR = {"recipe_mpr": "recipe_mpr/500QA.json"}
AIRLINE = {"train": "tweets/airline_train.jsonl", "test": "tweets/airline_test.jsonl"}


@pytest.mark.parametrize(
    ("glue", "train", "test"),
    [
        ("sst2", "sst2_train_2000", "sst2_dev"),
        ("rte", "rte_train", "rte_dev"),
        ("mnli", "mnli_train_2000", "mnli_heldout_1000"),
    ],
)
def test_glue_as_it_was_counted(glue, train, test):
    found = task(DATA, {"glue": glue, "train": f"glue/{train}.jsonl", "test": f"glue/{test}.jsonl"})
    known = reference("glue")
    for items, name in ((found.train, train), (found.test, test)):
        assert len(items) == known[name]["n"]
        assert counted(items, "label") == known[name]["label_counts"]
        if "majority_accuracy" in known[name]:
            assert majority(items, "label")[1] == pytest.approx(known[name]["majority_accuracy"], abs=1e-12)
    assert found.shared == ()


def test_rte_keeps_its_numbers():
    found = task(DATA, {"glue": "rte", "test": "glue/rte_dev.jsonl"})
    assert [item.id for item in found.test] == [str(row["idx"]) for row in lines(DATA / "glue" / "rte_dev.jsonl")]


def test_recipe_mpr_as_it_was_counted():
    found, known = task(DATA, MPR), reference("recipe_mpr")
    assert len(found.test) == known["n_dataset"]
    assert Counter(name for item in found.test for name in item.slices) == known["query_type_counts"]
    assert sum(not item.slices for item in found.test) == known["queries_without_any_type"]
    assert all(len(item.options) == 5 for item in found.test)


def test_always_a_would_answer_all_of_recipe_mpr():
    found = task(DATA, MPR)
    assert found.same_place.always
    assert (found.same_place.letter, found.same_place.n) == ("A", 500)
    assert "right option stands first in all 500 questions: always answering A would score 100 %" in found.told[0]
    shown = Counter(item.labels["answer"] for item in found.test)
    # 500 answers on five letters: 100 each, give or take 4.5 standard deviations (8.9).
    assert all(abs(shown[letter] - 100) < 41 for letter in "ABCDE")


def test_a_shuffle_moves_no_answer():
    rows = {item.id: item for item in task(DATA, {**MPR, "shuffle_seed": None}).test}
    for item in task(DATA, {**MPR, "shuffle_seed": 11}).test:
        right = item.options["ABCDE".index(item.labels["answer"])]
        assert right == rows[item.id].options[0]
        assert sorted(item.options) == sorted(rows[item.id].options)


def test_folds_of_recipe_mpr_have_the_query_types_in_equal_shares():
    found = list(every_fold(TaskKeys.model_validate(MPR), SplitKeys(folds=5, seed=7), DATA))
    known = reference("recipe_mpr")["query_type_counts"]
    for one in found:
        assert (len(one.train), len(one.test)) == (400, 100)
        counts = Counter(name for item in one.test for name in item.slices)
        # Every combination is within one of its share, and a type is the sum of its combinations.
        assert all(abs(counts[name] - known[name] / 5) <= 4 for name in known)
        assert not one.shared


def test_another_shuffle_leaves_the_split_as_it_is():
    first, other = (task(DATA, {**MPR, "shuffle_seed": seed}, {"holdout": 0.1, "seed": 7}) for seed in (0, 1))
    assert [item.id for item in first.test] == [item.id for item in other.test]
    assert [item.options for item in first.test] != [item.options for item in other.test]


def test_the_airline_tweets_have_two_heads():
    keys = {"files": AIRLINE, "text": "text", "label": ["sentiment", "reason"], "id": "row", "slices": "airline"}
    found = task(DATA, keys, {"validation": 0.1, "seed": 1}, need=("train", "validation", "test"))
    known = reference("tweets")["airline"]
    for head in ("sentiment", "reason"):
        assert counted(found.test, head) == known["test"][head]
        assert counted((*found.train, *found.validation), head) == known["train"][head]
        shares = counted(found.validation, head)
        assert all(abs(shares.get(label, 0) - many / 10) < 2 for label, many in known["train"][head].items())
    assert Counter(name for item in found.test for name in item.slices) == known["test"]["airline"]
    assert majority(found.test, "sentiment") == ("negative", known["majority_baseline_test"]["accuracy"])


def test_the_stance_tweets_as_csv(tmp_path):
    import csv

    rows = lines(DATA / "tweets" / "stance_test_with_predictions.jsonl")
    with (tmp_path / "stance.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    found = task(tmp_path, {"files": "stance.csv", "text": ["target", "text"], "label": "stance"}, {"holdout": 0.2})
    assert [item.texts[1] for item in sorted(found.all(), key=lambda item: int(item.id))] == [r["text"] for r in rows]
    known = reference("tweets")["stance_test"]["per_label"]
    assert counted(found.all(), "stance") == {name: one["support"] for name, one in known.items()}
    assert len(found.test) == 250
