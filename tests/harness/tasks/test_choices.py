"""Multiple choice: answers by key, text, letter or place, the shuffle, and answers that always stand in one place."""

import json

import pytest
from scipy.stats import binomtest, chisquare

from harness.tasks.options import same_place, shuffled, suspicious
from harness.tasks.values import LETTERS, Item, SamePlace
from tests.harness.tasks.made import problems, task, written

KEYS = {"files": "rows.jsonl", "text": "q", "options": "o", "label": "a"}


def asked(tmp_path, *rows, **keys):
    written(tmp_path, "rows.jsonl", [{"q": f"question {n}", "o": o, "a": a} for n, (o, a) in enumerate(rows)])
    return task(tmp_path, {**KEYS, **keys})


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        (["x", "y", "z"], "y"),
        (["x", "y", "z"], "B"),
        (["x", "y", "z"], "b"),
        (["x", "y", "z"], 1),
        (["x", "y", "z"], "1"),
        ({"k1": "x", "k2": "y", "k3": "z"}, "k2"),
        ('["x", "y", "z"]', "y"),
        (["3", "1", "2"], "1"),
        (["3", "1", "2"], 1),
        # As the answers of MMLU: a number is a place, whatever the options say.
        (["1", "0", "2"], 1),
        (["1", "7", "2"], "7"),
        ({"A": "B", "B": "A", "C": "C"}, "B"),
    ],
)
def test_the_right_option(tmp_path, options, answer):
    found = asked(tmp_path, (options, answer), (["p", "q", "r"], "p"), shuffle_seed=None)
    assert found.test[0].labels == {"a": "B"}
    assert found.heads == {"a": ("A", "B", "C")}
    assert found.multiple_choice


def test_an_answer_that_can_be_read_in_two_ways_is_no_answer(tmp_path):
    rows = [(["B", "A", "C"], "A"), (["1", "0", "2"], "1"), (["x", "y", "z"], "x")]
    written(tmp_path, "rows.jsonl", [{"q": f"question {n}", "o": o, "a": a} for n, (o, a) in enumerate(rows)])
    first, second = problems(tmp_path, KEYS)
    assert first.startswith(
        "rows.jsonl:1: the answer 'A' can be B ('A') or A ('B'), as it is read for a text, a letter"
    )
    assert second.startswith("rows.jsonl:2: the answer '1' can be A ('1') or B ('0')")
    assert "write its letter where no option is one, in JSON a number from 0, or the options as an object" in second


def test_a_number_is_a_place_throughout_a_file(tmp_path):
    rows = [(["2", "3", "4", "5"], answer) for answer in (3, 2, 4)]
    written(tmp_path, "rows.jsonl", [{"q": f"question {n}", "o": o, "a": a} for n, (o, a) in enumerate(rows)])
    # Values, as the last one shows: the file is refused, not read in two ways.
    assert problems(tmp_path, KEYS) == ["rows.jsonl:3: the answer 4 is not among the options (2, 3, 4, 5)"]


def test_options_in_columns_of_their_own(tmp_path):
    written(tmp_path, "rows.csv", ["q,one,two,a", "which?,x,y,two,"[:-1], "what?,z,w,z"])
    keys = {"files": "rows.csv", "text": "q", "options": ["one", "two"], "label": "a", "shuffle_seed": None}
    assert problems(tmp_path, keys) == ["rows.csv:2: the answer 'two' is not among the options (x, y)"]
    written(tmp_path, "rows.csv", ["q,one,two,a", "which?,x,y,y", "what?,z,w,z"])
    assert [item.labels["a"] for item in task(tmp_path, keys).test] == ["B", "A"]


def test_every_problem_of_the_options_at_once(tmp_path):
    rows = [
        (["x", "y", "z"], "x"),
        (["x", "y", "z"], "w"),
        (["x", "y"], "x"),
        (["x", " ", "z"], "x"),
        (["x"], "x"),
        ("no list", "x"),
        (["x", "x", "z"], "x"),
        (["x", "y", "z"], None),
        (["x", "y", "z"], 3),
    ]
    written(tmp_path, "rows.jsonl", [{"q": f"question {n}", "o": o, "a": a} for n, (o, a) in enumerate(rows)])
    assert problems(tmp_path, KEYS) == [
        "rows.jsonl:2: the answer 'w' is not among the options (x, y, z)",
        "rows.jsonl:4: an option is empty; write its text",
        "rows.jsonl:5: has 1 option; a question needs 2 to 26",
        "rows.jsonl:6: the options are no list of texts, found 'no list'",
        "rows.jsonl:7: the right option 'x' stands twice among the options; keep one",
        "rows.jsonl:8: the answer None is not among the options (x, y, z)",
        "rows.jsonl:9: the answer 3 is not among the options (x, y, z)",
        "rows.jsonl:3: has 2 options, where 1 of 2 questions have 3; give it 3",
    ]


def test_recipe_mpr_has_five_options(tmp_path):
    options = {f"k{n}": f"o{n}" for n in range(5)}
    one = {"query": " soup", "query_type": {"Negated": 1, "Temporal": 0}, "options": options}
    rows = [{**one, "answer": "k0"}, {**one, "query": "stew", "options": {"k0": "o"}, "answer": "k0"}]
    (tmp_path / "qa.json").write_text(json.dumps(rows[:1], indent=1))
    found = task(tmp_path, {"recipe_mpr": "qa.json"})
    assert (found.test[0].texts, found.test[0].slices) == (("soup",), ("Negated",))
    (tmp_path / "qa.json").write_text(json.dumps(rows, indent=1))
    assert problems(tmp_path, {"recipe_mpr": "qa.json"}) == ["qa.json:17: has 1 option; a question needs 2 to 26"]


def item(name="q", right="A", n=5):
    return Item(id=name, texts=("t",), labels={"a": right}, options=tuple(f"option {place}" for place in range(n)))


def test_a_shuffle_keeps_the_options_and_follows_the_right_one():
    for place in range(50):
        found = shuffled(item(f"q{place}", "C"), 7, "a")
        assert sorted(found.options) == sorted(item().options)
        assert found.options[LETTERS.index(found.labels["a"])] == "option 2"


def test_a_shuffle_depends_on_seed_and_id_alone():
    assert shuffled(item("q1"), 7, "a") == shuffled(item("q1"), 7, "a")
    orders = {shuffled(item(f"q{place}"), seed, "a").options for place in range(20) for seed in range(20)}
    assert len(orders) > 100


def test_shuffled_answers_stand_everywhere_equally_often():
    letters = [shuffled(item(f"q{place}"), 0, "a").labels["a"] for place in range(2000)]
    assert chisquare([letters.count(letter) for letter in "ABCDE"]).pvalue > 0.001


def test_answers_that_always_stand_first_are_named_with_what_they_score(tmp_path):
    found = asked(tmp_path, *[(["x", "y", "z", "w"], "x")] * 30)
    assert found.same_place == SamePlace(letter="A", share=1.0, n=30, chance=0.25)
    assert found.same_place.always
    assert found.told[0].startswith(
        "In the file the right option stands first in all 30 questions: always answering A would score 100 % (chance: "
        "25 %). Options are shuffled per question (seed 0); the best fixed letter, "
    )
    left = asked(tmp_path, *[(["x", "y", "z", "w"], "x")] * 30, shuffle_seed=None)
    assert "Options are shown in that order, so a score says little" in left.told[0]
    assert {one.labels["a"] for one in left.test} == {"A"}


def test_answers_that_often_stand_in_one_place_are_named_too(tmp_path):
    rows = [(["x", "y", "z", "w"], answer) for answer in ["z"] * 25 + ["x", "y", "w"] * 5]
    found = asked(tmp_path, *rows)
    assert "stands third in 62 % of 40: always answering C would score 62 % (chance: 25 %)" in found.told[0]


def test_answers_that_stand_anywhere_are_not_spoken_of(tmp_path):
    found = asked(tmp_path, *[(["x", "y", "z", "w"], answer) for answer in ["x", "y", "z", "w"] * 10])
    assert found.told == ()
    assert found.same_place.share == 0.25


@pytest.mark.parametrize("seen", [5, 20, 30, 34, 35, 36, 40])
def test_what_chance_explains_is_the_exact_binomial_tail(seen):
    place = SamePlace(letter="B", share=seen / 100, n=100, chance=0.2)
    tail = binomtest(seen, 100, 0.2, alternative="greater").pvalue
    assert suspicious(place) == (5 * tail < 0.001)


def test_one_question_says_nothing_about_places():
    assert not suspicious(same_place([item()], "a"))
    assert same_place([], "a") is None
