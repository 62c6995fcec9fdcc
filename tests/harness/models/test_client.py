"""What both APIs share, with the real SDKs against a loopback server: retries, stops, first connections."""

from __future__ import annotations

import contextlib
import socket
import sys
import time
from collections.abc import Iterator

import pytest

from harness.errors import CallFailed, RunStopped
from harness.models.limits import Limits
from harness.models.meter import Meter
from harness.models.retry import Patience
from judges.types import Reply
from tests.harness.models.asking import (
    KEY,
    PROVIDERS,
    QUICK,
    SCHEMA,
    answer,
    ask,
    ask_at_once,
    model,
    request,
)
from tests.loopback import Fault, Kind, Loopback, policy

PASSING: list[Kind] = [
    "rate_limit",
    "server_error",
    "unavailable",
    "overloaded",
    "timeout",
    "conflict",
    "reset",
    "html",
    "empty",
    "broken_json",
    "no_choices",
]

pytestmark = pytest.mark.parametrize("provider", PROVIDERS)


@pytest.mark.parametrize("kind", PASSING)
def test_a_failure_that_may_pass_is_tried_again(provider: str, kind: Kind) -> None:
    meter = Meter()
    with Loopback(policy=policy.fixed("Well."), faults=[Fault(kind=kind, at=[0, 1])]) as server:
        reply = answer(provider, server, meter=meter)
    assert reply.text == "Well."
    assert (meter.requests, meter.retries, meter.failures) == (3, 2, 0)


def test_silence_is_a_failure_that_may_pass(provider: str) -> None:
    with Loopback(policy=policy.fixed("Well."), faults=[Fault(kind="hang", at=[0])]) as server:
        assert answer(provider, server, read_timeout_s=0.3).text == "Well."


def test_a_call_is_given_up_after_six_attempts(provider: str) -> None:
    meter = Meter()
    with Loopback(faults=[Fault(kind="server_error")]) as server:
        with pytest.raises(CallFailed, match=r"given up after 6 attempts: .* answered 500: The server had an error"):
            answer(provider, server, meter=meter)
        assert len(server.requests) == 6
    assert (meter.failures, meter.retries) == (1, 5)


def test_an_answer_that_is_no_answer_is_named(provider: str) -> None:
    with (
        Loopback(faults=[Fault(kind="html")]) as server,
        pytest.raises(CallFailed, match="not the API's format: 502 Bad Gateway"),
    ):
        answer(provider, server)


def test_retry_after_is_kept_to(provider: str) -> None:
    with Loopback(faults=[Fault(kind="rate_limit", at=[0], retry_after="0.6")]) as server:
        answer(provider, server)
        first, second = (seen.at_s for seen in server.requests)
    assert 0.6 <= second - first < 3


def test_a_retry_after_beyond_patience_gives_the_call_up_at_once(provider: str) -> None:
    with Loopback(faults=[Fault(kind="rate_limit", retry_after="61")]) as server:
        begun = time.monotonic()
        with pytest.raises(CallFailed, match="asks to wait 61 s"):
            answer(provider, server, patience=Patience())
        assert (len(server.requests), time.monotonic() - begun < 5) == (1, True)


def test_nobody_else_waits_out_such_a_pause_either(provider: str) -> None:
    with Loopback(faults=[Fault(kind="rate_limit", retry_after="3600")]) as server:
        outcomes = ask_at_once(model(provider, server.url, patience=Patience()), [request(str(i)) for i in range(60)])
        assert len(server.requests) < 60
    assert all(isinstance(outcome, CallFailed) for outcome in outcomes)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("bad_request", "answered 400: We could not parse the JSON body of your request. Try again"),
        ("bad_key", "answered 401: Incorrect API key provided: [*]{3}; check its API key"),
        ("forbidden", "answered 403: Country, region, or territory not supported"),
        ("no_model", "answered 404: The model `loopback-1` does not exist"),
    ],
)
def test_what_no_further_call_can_change_stops_the_run(provider: str, kind: Kind, words: str) -> None:
    with Loopback(faults=[Fault(kind=kind)]) as server:
        with pytest.raises(RunStopped, match=words) as stopped:
            answer(provider, server)
        assert len(server.requests) == 1
    assert KEY not in str(stopped.value)
    assert "\n" not in str(stopped.value)


def test_whoever_waits_is_stopped_too(provider: str) -> None:
    with Loopback(faults=[Fault(kind="bad_key")], latency_s=0.05) as server:
        asked = model(provider, server.url, patience=Patience())
        outcomes = ask_at_once(asked, [request(str(i)) for i in range(200)])
        assert len(server.requests) <= 8
        assert isinstance(ask_at_once(asked, [request("later")])[0], RunStopped)
        assert len(server.requests) <= 8
    assert {type(outcome) for outcome in outcomes} == {RunStopped}


def test_a_request_too_large_fails_alone(provider: str) -> None:
    with (
        Loopback(faults=[Fault(kind="too_large", containing="huge")]) as server,
        pytest.raises(CallFailed, match="answered 413"),
    ):
        ask(model(provider, server.url), request("fine"), request("huge"))


def test_a_filtered_prompt_is_a_refusal(provider: str) -> None:
    with Loopback(faults=[Fault(kind="content_filter")]) as server:
        assert answer(provider, server).finish == "refused"
        assert len(server.requests) == 1


def test_nobody_listening_stops_the_run_and_names_the_address(provider: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        outcomes = ask_at_once(model(provider, url), [request(str(i)) for i in range(100)])
    assert {type(outcome) for outcome in outcomes} == {RunStopped}
    assert url in str(outcomes[0])
    assert "cannot be reached: the connection failed (Connection refused)" in str(outcomes[0])


@pytest.mark.skipif(sys.platform != "linux", reason="other kernels answer where a queue is full")
def test_connects_that_hang_stop_the_run_in_time(provider: str) -> None:
    with _deaf_port() as url:
        begun = time.monotonic()
        asked = model(provider, url, limits=Limits(concurrency=100, connect_within_s=0.5), patience=Patience())
        outcomes = ask_at_once(asked, [request(str(i)) for i in range(100)])
        assert time.monotonic() - begun < 4
    assert {type(outcome) for outcome in outcomes} == {RunStopped}


def test_a_server_that_is_merely_slow_is_waited_for(provider: str) -> None:
    limits = Limits(connect_within_s=0.3)
    with Loopback(policy=policy.fixed("At last."), faults=[Fault(kind="slow", seconds=0.8)]) as server:
        assert answer(provider, server, limits=limits).text == "At last."


def test_a_server_that_was_reached_once_may_go_away_without_stopping_the_run(provider: str) -> None:
    limits = Limits(concurrency=4)
    with Loopback() as server:
        asked = model(provider, server.url, limits=limits)
        ask(asked, request("one"))
    with pytest.raises(CallFailed, match="given up after 6 attempts"):
        ask(asked, request("two"))


def test_a_full_server_is_asked_less_at_once_and_answers_everything(provider: str) -> None:
    limits = Limits(concurrency=64)
    with Loopback(capacity=6, latency_s=0.01) as server:
        asked = model(provider, server.url, limits=limits, patience=Patience(first_wait_s=0.05))
        outcomes = ask_at_once(asked, [request(str(i)) for i in range(80)])
    assert {type(outcome) for outcome in outcomes} == {Reply}
    assert limits.endpoint(provider, asked.url).limit < 32


def test_a_model_that_takes_no_structured_output_is_asked_for_text_from_then_on(provider: str) -> None:
    with Loopback(faults=[Fault(kind="rejects", parameter="structured")]) as server:
        first, second = ask(model(provider, server.url), request("1", schema=SCHEMA), request("2", schema=SCHEMA))
        assert len(server.requests) == 3
    assert (first.text, first.applied["structured"]) == ("Winner: A", "text")
    assert second.applied["structured"] == "text"


@pytest.mark.parametrize("parameter", ["temperature", "top_p"])
def test_a_rejected_parameter_is_dropped_and_remembered(provider: str, parameter: str) -> None:
    questions = [request(str(i), temperature=0.5, top_p=0.9, max_tokens=99) for i in range(2)]
    with Loopback(faults=[Fault(kind="rejects", parameter=parameter)]) as server:
        replies = ask(model(provider, server.url), *questions)
        assert [parameter in body for body in server.bodies] == [True, False, False]
    kept = {"temperature": 0.5, "top_p": 0.9, "max_tokens": 99}
    kept.pop(parameter)
    assert [dict(reply.applied) for reply in replies] == [kept, kept]


def test_many_calls_learn_the_same_thing_at_once(provider: str) -> None:
    faults = [Fault(kind="rejects", parameter="temperature"), Fault(kind="rejects", parameter="structured")]
    with Loopback(faults=faults, latency_s=0.01) as server:
        outcomes = ask_at_once(
            model(provider, server.url), [request(str(i), temperature=0.0, schema=SCHEMA) for i in range(50)]
        )
    assert [dict(outcome.applied) for outcome in outcomes if isinstance(outcome, Reply)] == [
        {"max_tokens": 512, "structured": "text"}
    ] * 50


def test_half_a_surrogate_pair_is_sent_as_a_question_mark(provider: str) -> None:
    with Loopback(policy=policy.echo) as server:
        assert answer(provider, server, request("\ud83d broken")).text == "You said: ? broken"


def test_the_same_model_answers_on_another_event_loop(provider: str) -> None:
    with Loopback() as server:
        asked = model(provider, server.url, patience=QUICK)
        assert [ask(asked, request(str(i)))[0].finish for i in range(2)] == ["stop", "stop"]


@contextlib.contextmanager
def _deaf_port() -> Iterator[str]:
    """An address whose queue of connections is full, so that the kernel answers nothing more."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listening.getsockname())
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
