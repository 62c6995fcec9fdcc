"""Graders that ask a language model: written ratings are asked for twice at most, digits become their mean."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass, field, replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judges.grading import DIGITS, RATING, LanguageGrader, TokenGrader, grade_of
from judges.template import Template, load
from judges.types import Choice, Exhibit, Finish, Prompt, Reply, Request, Sampling
from tests.scripted import ScriptedModel

PROMPT = Prompt(id="p", turns=("Name a soup.", "And its spice?"), reference=("leek", ""))
SHOWN = Exhibit(prompt=PROMPT, answers=("leek",))
GOOD = Reply(text='{"reasoning": "Right.", "rating": 8}', applied={"structured": "json_schema"}, model="m")


def grade(*script: Reply, template="grade", repeat=0):
    model = ScriptedModel(list(script))
    grader = LanguageGrader(
        name="openai/scripted", model=model, template=load(template), sampling=Sampling(max_tokens=100), nonce="n"
    )
    return asyncio.run(grader.grade(SHOWN, rng=random.Random(0), repeat=repeat)), model


def test_a_rating_is_taken_at_once_and_kept_under_its_question():
    found, model = grade(GOOD, repeat=3)
    assert (found.score, found.status, found.mode, found.raw) == (8.0, "ok", "generation", None)
    assert (found.reply, found.asked) == (GOOD.text, {"structured": "json_schema", "attempts": 1, "model": "m"})
    (asked,) = model.asked
    assert (asked.schema, asked.template, asked.repeat, asked.nonce) == (RATING, load("grade").sha256, 3, "n")
    assert model.kept == [(asked, GOOD)]


@pytest.mark.parametrize("first", ["I'd say 7 or 8", "", "Rating: 7-8", "[[11]]", "Rating: 11/10", "Rating: seven"])
def test_a_reply_without_a_rating_is_asked_for_once_more(first):
    found, model = grade(Reply(text=first), GOOD)
    once, twice = model.asked
    assert (found.score, found.asked["attempts"]) == (8.0, 2)
    assert twice.messages[-1].content == (
        once.messages[-1].content
        + '\nEnd your reply with the JSON object; its "rating" must be a whole number from 1 to 10.'
    )
    assert model.kept == [(once, GOOD)]


def test_a_second_failure_has_a_name_and_no_score_and_is_not_kept():
    found, model = grade(Reply(text="hm"), Reply(text="[[0]]"))
    assert (found.score, found.status, found.reply, model.kept) == (None, "invalid_parse", "[[0]]", [])


def test_a_cut_off_reply_is_asked_for_once_more_with_four_times_the_room():
    found, model = grade(Reply(text="Rating: 7", finish="length"), GOOD)
    assert (found.score, model.asked[1].sampling.max_tokens) == (8.0, 400)
    assert model.asked[1].messages == model.asked[0].messages
    found, model = grade(Reply(text="<think>[[7]]"), Reply(text="[[7]]", finish="length"))
    assert (found.score, found.status, model.kept) == (None, "truncated", [])


def test_a_refusal_is_not_asked_again():
    found, model = grade(Reply(text="[[7]]", finish="refused"))
    assert (found.score, found.status, len(model.asked)) == (None, "refused", 1)


def test_what_a_judge_thought_is_not_its_rating():
    assert grade(Reply(text="<think>[[2]], or rather [[3]]</think>[[9]]"))[0].score == 9.0
    assert grade(Reply(text="[[2]] it is</think>[[9]]"))[0].score == 9.0


def test_a_template_that_asks_for_brackets_asks_for_no_object():
    found, model = grade(Reply(text="hm"), Reply(text="[[6]]"), template="grade_token")
    assert (found.score, model.asked[0].schema) == (6.0, None)
    assert (
        model.asked[1]
        .messages[-1]
        .content.endswith("\nEnd your reply with [[N]], where N is your rating from 1 to 10.")
    )


def test_the_schema_takes_what_the_parser_takes():
    assert RATING.schema["properties"]["rating"]["enum"] == list(range(1, 11))
    assert sorted(RATING.schema["required"]) == sorted(RATING.schema["properties"])
    assert load("grade").wants_rating
    assert not load("grade_token").wants_rating


@dataclass
class ScriptedChooser:
    """Gives the same choice to whoever asks, and remembers what was asked."""

    choice: Choice
    asked: list[tuple[Request, tuple[str, ...], str]] = field(default_factory=list)

    async def choose(self, request: Request, *, menu: tuple[str, ...], lead: str) -> Choice:
        self.asked.append((request, menu, lead))
        return self.choice


def choice(weights, **rest):
    total = sum(weights)
    shares = {digit: weight / total for digit, weight in zip(DIGITS, weights, strict=True)}
    return Choice(probabilities=shares, mass=0.75, **rest)


def test_ten_digits_are_asked_for_right_after_the_template_s_lead():
    chooser = ScriptedChooser(choice([0, 0, 0, 0, 0, 1, 0, 2, 0, 1], applied={"top_logprobs": 20}, model="m"))
    grader = TokenGrader(name="hf/x", chooser=chooser, template=load("grade_token"), nonce="n")
    found = asyncio.run(grader.grade(SHOWN, rng=random.Random(0), repeat=2))
    ((request, menu, lead),) = chooser.asked
    assert (menu, lead) == (("0", "1", "2", "3", "4", "5", "6", "7", "8", "9"), "[[")
    assert (request.repeat, request.nonce, request.template) == (2, "n", load("grade_token").sha256)
    # 5/4 + 14/4 + 9/4 = 7 on 0-9, which is 8 on 1-10.
    assert (found.score, found.status, found.mode) == (8.0, "ok", "verdict-token")
    shares = dict.fromkeys(DIGITS, 0.0) | {"5": 0.25, "7": 0.5, "9": 0.25}
    assert found.asked == {"top_logprobs": 20, "mass": 0.75, "model": "m", "probabilities": shares}


WEIGHTS = st.lists(st.integers(0, 10**6), min_size=10, max_size=10).filter(any)


@given(WEIGHTS)
def test_the_grade_is_the_exact_expectation_on_its_scale(weights):
    score = grade_of(choice(weights)).score
    exact = 1 + Fraction(sum(place * weight for place, weight in enumerate(weights)), sum(weights))
    assert score == pytest.approx(float(exact), abs=1e-12)
    assert 1 <= score <= 10


@given(WEIGHTS, st.randoms())
def test_the_order_of_the_menu_changes_nothing(weights, order):
    given_one = choice(weights)
    items = list(given_one.probabilities.items())
    order.shuffle(items)
    assert grade_of(replace(given_one, probabilities=dict(items))) == grade_of(given_one)


@pytest.mark.parametrize("digit", DIGITS)
def test_a_certain_digit_is_a_whole_grade(digit):
    assert grade_of(choice([float(digit == each) for each in DIGITS])).score == int(digit) + 1


@pytest.mark.parametrize(
    ("finish", "status"), [("stop", "invalid_parse"), ("length", "truncated"), ("refused", "refused")]
)
def test_a_choice_of_nothing_has_a_name_and_no_score(finish: Finish, status):
    found = grade_of(Choice(probabilities={}, mass=None, reply="a seven or so", finish=finish))
    assert (found.score, found.status, found.reply) == (None, status, "a seven or so")
    assert (found.asked, found.mode) == ({"mass": None}, "verdict-token")


@given(WEIGHTS)
def test_what_a_grade_says_of_its_asking_is_json(weights):
    asked = grade_of(choice(weights)).asked
    assert json.loads(json.dumps(asked, allow_nan=False)) == asked


def test_both_grade_from_one_to_ten():
    model, chooser = ScriptedModel([]), ScriptedChooser(choice([1] * 10))
    written = LanguageGrader(name="a", model=model, template=load("grade"))
    looked = TokenGrader(name="b", chooser=chooser, template=load("grade_token"))
    assert written.scale == looked.scale == (1.0, 10.0)


def test_a_template_of_one_s_own_may_need_a_reference():
    mine = Template("mine", "=== system ===\nx\n=== user ===\n{{ reference[-1] }} / {{ answers[-1] }}")
    grader = LanguageGrader(name="a", model=ScriptedModel([Reply(text="[[4]]")]), template=mine)
    assert asyncio.run(grader.grade(SHOWN, rng=random.Random(0))).score == 4.0
    with pytest.raises(ValueError, match=r"'mine' names a field that prompt 'p' lacks .turn 2 has no reference answer"):
        asyncio.run(grader.grade(Exhibit(prompt=PROMPT, answers=("leek", "salt")), rng=random.Random(0)))
