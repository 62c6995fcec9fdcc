"""Refusals of questions that are longer than a model's context, in the providers' own words."""

from __future__ import annotations

import asyncio
import json
import re

import pytest

from harness.errors import CallFailed, RunStopped, TooLong
from harness.models.contestant import ModelContestant, Question
from harness.models.dialect import Refusal
from harness.models.failures import body_of, refusal, too_long
from judges.types import Prompt, Sampling
from tests.harness.models.asking import PROVIDERS, answer, ask_at_once, model, request
from tests.loopback import Fault, Loopback

WORDS = [
    (
        "This model's maximum context length is 4097 tokens. However, your messages resulted in 4159 tokens. Please "
        "reduce the length of the messages.",
        (4159, None, 4097),
    ),
    (
        "This model's maximum context length is 16384 tokens. However, you requested 16500 tokens (16000 in the "
        "messages, 500 in the completion). Please reduce the length of the messages or completion.",
        (16000, 500, 16384),
    ),
    (
        "'max_tokens' or 'max_completion_tokens' is too large: 500. This model's maximum context length is 2048 tokens "
        "and your request has 1800 input tokens (500 > 2048 - 1800).",
        (1800, 500, 2048),
    ),
    (
        "The decoder prompt (length 2100) is longer than the maximum model length of 2048. Make sure that "
        "`max_model_len` is no smaller than the number of text tokens.",
        (2100, None, 2048),
    ),
    ("prompt is too long: 208310 tokens > 200000 maximum", (208310, None, 200000)),
    (
        "input length and `max_tokens` exceed context limit: 199759 + 500 > 200000, decrease input length or "
        "`max_tokens` and try again",
        (199759, 500, 200000),
    ),
    (
        "The input token count (1,200,000) exceeds the maximum number of tokens allowed (1,048,576).",
        (1200000, None, 1048576),
    ),
    ("request (14429 tokens) exceeds the available context size (8192 tokens), try increasing it", (14429, None, 8192)),
    ("the request exceeds the available context size, try increasing it", (None, None, None)),
]


@pytest.mark.parametrize(("message", "size"), WORDS)
def test_a_question_that_does_not_fit_is_told_with_its_numbers(message, size):
    found = too_long(Refusal(status=400, message=message), "http://there", 500)
    assert (found.tokens, found.max_tokens, found.room) == size
    assert str(found).endswith(f"(http://there answered 400: {message})")


OTHERS = [
    "max_tokens is too large: 8192. This model supports at most 4096 completion tokens",
    "Unsupported parameter: 'max_tokens' is not supported with this model.",
    "temperature must be at most 2",
    "Request exceeds the maximum allowed number of bytes.",
    "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
    "top_logprobs must be at most 5",
]


@pytest.mark.parametrize("message", OTHERS)
def test_other_refusals_are_not_taken_for_it(message):
    assert too_long(Refusal(status=400, message=message), "http://there", 500) is None


def test_words_alone_do_not_make_it_where_the_provider_is_only_busy():
    busy = Refusal(status=429, message="tokens per minute: exceeds the context limit of your plan")
    assert too_long(busy, "http://there", 500) is None
    named = Refusal(status=400, message="Too many words.", code="context_length_exceeded")
    assert too_long(named, "http://there", None) is not None


def test_an_answer_that_is_bounded_beyond_the_context_is_the_request_s_fault():
    said = (
        "This model's maximum context length is 4096 tokens. However, you requested 9010 tokens (10 in the messages, "
    )
    found = Refusal(status=400, message=said + "9000 in the completion).")
    assert too_long(found, "http://there", 9000) is None
    assert too_long(found, "http://there", 4095) is not None


LLAMA = {
    "code": 400,
    "message": "the request exceeds the available context size. try increasing the context size",
    "type": "exceed_context_size_error",
    "n_prompt_tokens": 14429,
    "n_ctx": 8192,
}


def test_numbers_beside_the_message_are_read():
    found = too_long(refusal(400, {}, {"error": LLAMA}, str), "http://there", None)
    assert (found.tokens, found.room) == (14429, 8192)


def test_such_an_error_in_place_of_an_answer_is_no_failure_that_may_pass():
    with pytest.raises(TooLong, match="14,429 tokens do not fit the model's 8,192"):
        body_of(json.dumps({"error": LLAMA}).encode(), "http://there", str)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_call_that_does_not_fit_fails_alone_and_is_asked_once(provider):
    with Loopback(faults=[Fault(kind="too_long", containing="long")]) as server:
        who = model(provider, server.url)
        long, short = ask_at_once(who, [request("a long one"), request("a short one")])
        assert len(server.requests) == 2
    assert isinstance(long, TooLong)
    assert isinstance(long, CallFailed)
    assert re.search(r"^\w+/loopback-1: [\d,]+ tokens do not fit the model's [\d,]+ \(http://127.* 400: ", str(long))
    assert short.text


def test_a_bound_beyond_the_context_stops_the_run():
    with Loopback(faults=[Fault(kind="too_long")]) as server, pytest.raises(RunStopped, match="maximum context length"):
        answer("openai", server, request(max_tokens=5000))


def test_a_contestant_keeps_what_was_answered_before(tmp_path):
    talk = Question(prompt=Prompt(id="p", turns=("one", "a long two", "three")), sample=0, sampling=Sampling())
    first = Question(prompt=Prompt(id="q", turns=("long",)), sample=0, sampling=Sampling())
    found = {}
    with Loopback(faults=[Fault(kind="too_long", containing="long")]) as server:
        who = ModelContestant(model=model("openai", server.url), concurrency=2)
        asyncio.run(who.answer([talk, first], lambda question, answer: found.__setitem__(question.prompt.id, answer)))
    assert (found["p"].finish, len(found["p"].texts)) == ("error", 1)
    assert found["p"].details["too_long"] == {"turn": 2, "tokens": 4160, "room": 4096}
    assert found["p"].details["error"].startswith("turn 2: openai/")
    assert (found["q"].texts, found["q"].details["too_long"]["turn"]) == (None, 1)
