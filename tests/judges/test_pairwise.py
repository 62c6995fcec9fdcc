"""The LLM judge asks once, once more where it must, and never guesses."""

import asyncio
import random

import pytest

from judges.pairwise import PairwiseJudge
from judges.template import load
from judges.types import Criterion, Presentation, Prompt, Reply, Sampling
from tests.scripted import ScriptedModel

SHOWN = Presentation(prompt=Prompt(id="p", turns=("Name a soup.",)), a=("leek",), b=("rock",))
GOOD = Reply(text='{"winner": "A"}', applied={"structured": "json_schema"})


def rule(*script: Reply):
    model = ScriptedModel(list(script))
    judge = PairwiseJudge(name="openai/scripted", model=model, template=load(), sampling=Sampling(max_tokens=100))
    return asyncio.run(judge.judge(SHOWN, rng=random.Random(0))), model


def test_a_verdict_is_taken_at_once():
    ruling, model = rule(GOOD)
    assert (ruling.verdict, ruling.status, len(model.asked)) == ("A", "ok", 1)
    assert ruling.asked == {"structured": "json_schema", "attempts": 1}


@pytest.mark.parametrize("first", [Reply(text="I like both"), Reply(text=""), Reply(text="Winner: Neither")])
def test_a_reply_without_a_verdict_is_asked_once_more(first):
    ruling, model = rule(first, GOOD)
    assert (ruling.verdict, ruling.asked["attempts"], len(model.asked)) == ("A", 2, 2)
    assert model.asked[1].messages[-1].content.startswith(model.asked[0].messages[-1].content)


def test_a_second_failure_has_a_name_and_no_winner():
    ruling, model = rule(Reply(text="hm"), Reply(text="still hm"))
    assert (ruling.verdict, ruling.status, ruling.reply) == (None, "invalid_parse", "still hm")
    assert len(model.asked) == 2


def test_a_cut_off_reply_is_asked_once_more_with_more_room():
    ruling, model = rule(Reply(text='{"winner": "B"', finish="length"), GOOD)
    assert (ruling.verdict, model.asked[1].sampling.max_tokens) == ("A", 400)
    ruling, _ = rule(Reply(text="Winner: A", finish="length"), Reply(text="Winner: A", finish="length"))
    assert (ruling.verdict, ruling.status) == (None, "truncated")


def test_an_unclosed_thought_is_a_cut_off_reply():
    ruling, _ = rule(Reply(text="<think>Winner: A"), Reply(text="<think>Winner: A"))
    assert ruling.status == "truncated"


def test_a_refusal_is_not_asked_again():
    ruling, model = rule(Reply(text="", finish="refused"))
    assert (ruling.status, len(model.asked)) == ("refused", 1)


def test_only_a_verdict_is_kept_and_under_the_first_question():
    _, model = rule(Reply(text="hm"), GOOD)
    assert model.kept == [(model.asked[0], GOOD)]
    _, model = rule(Reply(text="hm"), Reply(text="hm"))
    assert model.kept == []


def test_criteria_of_the_suite_are_wanted_and_read_on_their_own_scales():
    criteria = (Criterion(name="accuracy", high=3), Criterion(name="style", low=0, high=10))
    reply = '{"scores": {"A": {"accuracy": 3, "style": 10}, "B": {"accuracy": 1, "style": 0}}, "winner": "A"}'
    model = ScriptedModel([Reply(text=reply), Reply(text=reply.replace("10", "11"))])
    judge = PairwiseJudge(name="openai/scripted", model=model, template=load("criteria"), criteria=criteria)
    whole, off = (asyncio.run(judge.judge(SHOWN, rng=random.Random(0))) for _ in range(2))
    assert whole.scores == {"A": {"accuracy": 3, "style": 10}, "B": {"accuracy": 1, "style": 0}}
    assert (off.verdict, off.scores) == ("A", None)
    slot = model.asked[0].schema.schema["properties"]["scores"]["properties"]["A"]
    assert slot["properties"]["accuracy"]["enum"] == [1, 2, 3]
    assert slot["required"] == ["accuracy", "style"]


def test_a_template_that_asks_for_a_letter_asks_for_no_object():
    model = ScriptedModel([Reply(text="[[B]]")])
    judge = PairwiseJudge(name="openai/scripted", model=model, template=load("verdict"))
    ruling = asyncio.run(judge.judge(SHOWN, rng=random.Random(0)))
    assert (ruling.verdict, ruling.mode, model.asked[0].schema) == ("B", "generation", None)
