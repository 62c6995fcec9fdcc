"""The rubric grader: the share of checks that the last turn's answer passes."""

import asyncio
import random

import pytest

from judges.rubric import RubricGrader
from judges.types import Exhibit, Prompt

CHECKS = (
    {"kind": "mention", "any": ["leek"]},
    {"kind": "avoid", "words": ["cream"]},
    {"kind": "length", "max": 3},
)


def graded(*answers, turns=("Name a soup.",), checks=CHECKS):
    shown = Exhibit(prompt=Prompt(id="p", turns=turns, checks=checks), answers=answers)
    return asyncio.run(RubricGrader().grade(shown, rng=random.Random(0)))


@pytest.mark.parametrize(
    ("answer", "score"), [("leek soup", 1), ("leek with cream", 2 / 3), ("no more than cream", 0), ("", 0)]
)
def test_the_score_is_the_share_that_is_passed(answer, score):
    found = graded(answer)
    assert (found.score, found.status, found.raw, found.mode) == (score, "ok", None, None)


def test_it_says_what_failed():
    assert graded("leek").reply == "The answer passes 3 of 3."
    assert graded("cream of leek soup").reply.startswith("The answer passes 1 of 3, fails: ")
    assert RubricGrader().scale == (0.0, 1.0)


def test_thinking_is_no_part_of_the_answer():
    assert graded("<think>cream, cream, cream</think>leek soup").score == 1


def test_the_checks_are_about_the_last_answer_alone():
    turns = ("one?", "two?")
    first = graded("leek", turns=turns)
    assert (first.score, first.status, first.reply) == (None, "refused", "the checks are about the last answer")
    assert graded("cream cream cream cream", "leek", turns=turns).score == 1


def test_a_prompt_without_checks_is_refused():
    found = graded("leek", checks=())
    assert (found.score, found.status, found.reply) == (None, "refused", "the prompt declares no checks")
