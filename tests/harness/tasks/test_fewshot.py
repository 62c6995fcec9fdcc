"""Few-shot examples: balanced, seeded, from the training split only, and never the question itself."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import InputError
from harness.tasks.duplicates import text_key
from harness.tasks.fewshot import shots
from harness.tasks.values import Item, Rule, Task


def made(labels, test=()):
    """A task whose training items have these labels and the texts "train 0", "train 1", …"""
    train = tuple(Item(id=str(n), texts=(f"train {n}",), labels={"y": label}) for n, label in enumerate(labels))
    return Task(
        name="made",
        heads={"y": tuple(sorted(set(labels)))},
        items={"train": train, "test": tuple(test)},
        text_fields=("text",),
        origins=(),
        rule=Rule(kind="given"),
    )


def asking(text, label="a"):
    return Item(id="q", texts=(text,), labels={"y": label})


def rng(seed=0):
    return np.random.default_rng(seed)


@settings(max_examples=60, deadline=None)
@given(
    labels=st.lists(st.sampled_from("aaabc"), min_size=1, max_size=30), k=st.integers(0, 12), seed=st.integers(0, 99)
)
def test_examples_are_training_items_as_evenly_as_can_be(labels, k, seed):
    task = made(labels, [asking("never")])
    if k > len(labels):
        with pytest.raises(InputError, match="lower the number"):
            shots(task, k, rng(seed))
        return
    found = shots(task, k, rng(seed)).chosen
    assert len({item.id for item in found}) == k
    assert {item.id for item in found} <= {item.id for item in task.train}
    counts, there = Counter(item.labels["y"] for item in found), Counter(labels)
    # A label has fewer than another only where all it has are taken, or by one.
    for label in there:
        assert counts[label] == there[label] or counts[label] >= max(counts.values(), default=0) - 1


def test_one_seed_the_same_examples_in_the_same_order():
    task = made("ab" * 20)
    assert shots(task, 5, rng(3)) == shots(task, 5, rng(3))
    assert shots(task, 5, rng(3)).chosen != shots(task, 5, rng(4)).chosen


def test_which_label_has_one_more_is_drawn():
    task = made("ab" * 20)
    drawn = [Counter(item.labels["y"] for item in shots(task, 5, rng(seed)).chosen) for seed in range(20)]
    assert {counts.most_common(1)[0] for counts in drawn} == {("a", 3), ("b", 3)}


def test_the_question_itself_is_replaced_by_another_of_its_label():
    task = made("ab" * 4)
    found = shots(task, 4, rng())
    for place, shot in enumerate(found.chosen):
        asked = asking(f" {shot.texts[0].upper()}!")
        before = found.before(asked)
        assert text_key(asked) not in {text_key(item) for item in before}
        assert [item for n, item in enumerate(before) if n != place] == [
            item for n, item in enumerate(found.chosen) if n != place
        ]
        assert before[place].labels == shot.labels
    assert found.before(asking("something else")) is found.chosen


def test_the_question_itself_is_left_out_where_nothing_replaces_it():
    found = shots(made("aab"), 3, rng())
    assert len(found.before(asking("train 2"))) == 2


def test_a_text_that_is_there_twice_is_shown_once():
    twice = made("aabb")
    train = (*twice.train, Item(id="again", texts=("Train 0.",), labels={"y": "a"}))
    task = replace(twice, items={"train": train})
    assert len(shots(task, 4, rng()).chosen) == 4
    with pytest.raises(InputError, match="5 examples are to stand before each question, and the training split has 4"):
        shots(task, 5, rng())
