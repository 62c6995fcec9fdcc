"""The rubric judge: whole words in any case, declared forms, shares that decide, and the same in both orders."""

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judges import rubric
from judges.types import Presentation, Prompt

SENTENCE = {"kind": "form", "named": "sentence"}


def holds(check, text):
    return rubric.failed([check], text) == []


@pytest.mark.parametrize(
    ("word", "text", "found"),
    [
        ("pea", "a pea soup", True),
        ("pea", "PEAS!", True),
        ("pea", "a peach", False),
        ("nut", "a nut-free cake", False),
        ("cherry", "cherries on top", True),
        ("dish", "two dishes", True),
        ("loaf", "three loaves", True),
        ("olive oil", "with olive  oil", True),
        ("olive oil", "olive and oil", False),
        ("cream", "without cream", True),
    ],
)
def test_words_are_found_whole_with_their_regular_plurals(word, text, found):
    assert rubric.mentions(word, text) is found


def test_each_kind_of_check():
    assert holds({"kind": "mention", "any": ["leek", "onion"]}, "an onion pie")
    assert not holds({"kind": "mention", "all": ["leek", "onion"]}, "an onion pie")
    assert not holds({"kind": "avoid", "words": ["cream"]}, "with cream")
    assert holds({"kind": "length", "min": 2, "max": 3}, "two words")
    assert not holds({"kind": "length", "min": 2, "max": 3}, "one two three four")
    assert holds({"kind": "form", "pattern": r"Make an? .+\."}, "Make a pie.")
    assert not holds({"kind": "form", "pattern": "Make"}, "Make a pie.")
    assert holds(SENTENCE, "It is done.")
    assert not holds(SENTENCE, "it is done")


@pytest.mark.parametrize(
    "check",
    [
        {"kind": "smell"},
        {"kind": "mention"},
        {"kind": "mention", "any": []},
        {"kind": "mention", "any": "leek"},
        {"kind": "avoid", "words": [3]},
        {"kind": "form", "named": "sonnet"},
        {"kind": "form", "pattern": "("},
        {"kind": "length"},
        {"kind": "length", "min": 5, "max": 2},
        {"kind": "mention", "any": ["x"], "extra": 1},
        "leek",
    ],
)
def test_a_check_that_cannot_be_used_is_named(check):
    found = rubric.problems([check])
    assert found
    assert all(isinstance(sentence, str) and sentence for sentence in found)


def test_an_empty_answer_passes_nothing():
    checks = [SENTENCE, {"kind": "avoid", "words": ["cream"]}, {"kind": "length", "max": 5}]
    assert rubric.passed(checks, "  ") == (0, 3)


CHECKS = ({"kind": "mention", "any": ["leek"]}, {"kind": "mention", "any": ["rice"]}, SENTENCE)


def rule(a, b, checks=CHECKS):
    shown = Presentation(prompt=Prompt(id="p", turns=("q",), checks=checks), a=(a,), b=(b,))
    return asyncio.run(rubric.RubricJudge().judge(shown, rng=random.Random(0)))


def test_the_larger_share_wins_and_the_reply_says_why():
    ruling = rule("Leeks with rice.", "leeks")
    assert (ruling.verdict, ruling.status) == ("A", "ok")
    assert ruling.scores["A"]["passed"] == 3
    assert ruling.scores["B"]["passed"] == 1
    assert "rice" in ruling.reply
    assert rule("leeks", "leeks and so on").verdict == "tie"


def test_a_prompt_without_checks_is_refused_and_not_tied():
    ruling = rule("x", "y", ())
    assert (ruling.verdict, ruling.status) == (None, "refused")


ANSWER = st.lists(st.sampled_from(["leek", "Rice", "cream", "Is it.", "and"]), max_size=5).map(" ".join)


@given(ANSWER, ANSWER)
def test_order_never_decides(a, b):
    assert rule(b, a).verdict == {"A": "B", "B": "A", "tie": "tie"}[rule(a, b).verdict]


@given(st.text(max_size=200))
def test_no_answer_breaks_it(text):
    passed, of = rubric.passed(CHECKS, text)
    assert 0 <= passed <= of == 3
