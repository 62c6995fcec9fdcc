"""Chat completions: what is sent, what is read, through the real openai SDK."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.errors import InputError, RunStopped
from harness.models.limits import Limits
from harness.models.meter import Meter, Price
from harness.models.openai import OpenAIModel, _text
from judges.types import Usage
from tests.harness.models.asking import KEY, SCHEMA, answer, ask, model, request
from tests.loopback import Fault, Kind, Loopback, policy


def test_what_is_sent() -> None:
    with Loopback() as server:
        answer("openai", server, request("Hi", temperature=0.5, top_p=0.9, seed=7, max_tokens=99))
        seen = server.requests[0]
    assert seen.path == "/v1/chat/completions"
    assert seen.headers["authorization"] == f"Bearer {KEY}"
    assert seen.body == {
        "model": "loopback-1",
        "messages": [{"role": "system", "content": "You judge."}, {"role": "user", "content": "Hi"}],
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 7,
        "max_tokens": 99,
    }


def test_what_is_read() -> None:
    with Loopback(policy=policy.fixed("x" * 40), reasoning_tokens=5) as server:
        reply = answer("openai", server, request(temperature=0.0))
    assert (reply.text, reply.finish, reply.model, reply.cached) == ("x" * 40, "stop", "loopback-1", False)
    assert isinstance(reply.usage, Usage)
    assert (reply.usage.output_tokens, reply.usage.reasoning_tokens) == (15, 5)
    assert reply.usage.input_tokens > 0
    assert reply.latency_s is not None
    assert dict(reply.applied) == {"temperature": 0.0, "max_tokens": 512}


def test_structured_output_is_a_strict_json_schema() -> None:
    with Loopback(policy=policy.second) as server:
        reply = answer("openai", server, request(schema=SCHEMA))
        wanted = server.bodies[0]["response_format"]
    assert wanted["type"] == "json_schema"
    assert wanted["json_schema"] == {
        "name": "verdict",
        "description": SCHEMA.description,
        "strict": True,
        "schema": SCHEMA.schema,
    }
    assert json.loads(reply.text)["winner"] == "B"
    assert reply.applied["structured"] == "json_schema"


def test_a_server_that_ignores_the_schema_answered_in_text() -> None:
    # Plain words despite a schema, as older compatible servers send them.
    with Loopback(faults=[Fault(kind="plain_text")]) as server:
        reply = answer("openai", server, request(schema=SCHEMA))
    assert (reply.text, reply.applied["structured"]) == ("Winner: A", "text")


def test_max_tokens_gives_way_to_max_completion_tokens() -> None:
    with Loopback(faults=[Fault(kind="rejects", parameter="max_tokens")]) as server:
        replies = ask(model("openai", server.url), request("1"), request("2"))
        assert [sorted(body) for body in server.bodies[1:]] == [["max_completion_tokens", "messages", "model"]] * 2
    assert [dict(reply.applied) for reply in replies] == [{"max_completion_tokens": 512}] * 2


def test_a_reasoning_model_that_rejects_everything_is_still_asked() -> None:
    names = ("temperature", "top_p", "seed", "max_tokens", "max_completion_tokens", "structured")
    with Loopback(faults=[Fault(kind="rejects", parameter=name) for name in names]) as server:
        question = request(temperature=0.0, top_p=0.5, seed=1, schema=SCHEMA)
        assert dict(answer("openai", server, question).applied) == {"structured": "text"}


@pytest.mark.parametrize(("kind", "finish"), [("cut_off", "length"), ("refusal", "refused"), ("off_menu", "stop")])
def test_how_an_answer_ends(kind: Kind, finish: str) -> None:
    with Loopback(faults=[Fault(kind=kind)]) as server:
        assert answer("openai", server, request(schema=SCHEMA)).finish == finish


def test_a_cut_off_answer_gets_whole_with_more_room() -> None:
    with Loopback(faults=[Fault(kind="cut_off", below_tokens=100)]) as server:
        replies = ask(model("openai", server.url), request(max_tokens=50), request(max_tokens=200))
    assert [reply.finish for reply in replies] == ["length", "stop"]


def test_a_quota_that_is_used_up_stops_the_run() -> None:
    with Loopback(faults=[Fault(kind="quota")]) as server:
        with pytest.raises(RunStopped, match="exceeded your current quota"):
            answer("openai", server)
        assert len(server.requests) == 1


def test_an_unset_key_is_named() -> None:
    with pytest.raises(InputError) as refused:
        OpenAIModel.from_env(spec="openai/m", name=None, model="m", environ={}, limits=Limits())
    assert str(refused.value) == (
        "openai/m: the environment variable OPENAI_API_KEY is not set; set it to the API's key"
    )


def test_a_named_endpoint_has_variables_of_its_own() -> None:
    environ = {"OPENAI_API_KEY": "sk-other", "LAB_API_KEY": KEY}
    with Loopback() as server:
        environ["LAB_BASE_URL"] = f"{server.url}/v1"
        made = OpenAIModel.from_env(spec="openai@LAB/m", name="LAB", model="m", environ=environ, limits=Limits())
        ask(made, request())
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert made.spec == "openai@LAB/m"


def test_a_named_endpoint_without_an_address_is_refused() -> None:
    with pytest.raises(InputError, match="LAB_BASE_URL is not set"):
        OpenAIModel.from_env(spec="openai@LAB/m", name="LAB", model="m", environ={"LAB_API_KEY": KEY}, limits=Limits())


def test_without_an_address_the_provider_itself_is_asked() -> None:
    made = OpenAIModel.from_env(spec="openai/m", name=None, model="m", environ={"OPENAI_API_KEY": KEY}, limits=Limits())
    assert made.url == "https://api.openai.com/v1"


def test_reasoning_is_no_part_of_an_answer() -> None:
    with Loopback(policy=policy.fixed("Winner: B"), thinking="Winner: A, I think.") as server:
        assert answer("openai", server).text == "Winner: B"
        assert answer("anthropic", server).text == "Winner: B"
        assert json.loads(answer("anthropic", server, request(schema=SCHEMA)).text)["winner"] == "B"


def test_reasoning_in_parts_is_no_part_of_an_answer() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Winner: A"}]},
        {"type": "reasoning", "text": "Winner: A"},
        {"type": "text", "text": "Winner: "},
        {"text": "B"},
    ]
    assert _text(parts) == "Winner: B"


@pytest.mark.parametrize(
    ("usage", "output", "reasoning"),
    [
        # OpenAI's completion tokens hold the reasoning.
        ({"completion_tokens": 30, "total_tokens": 40, "completion_tokens_details": {"reasoning_tokens": 20}}, 30, 20),
        # Gemini's compatible endpoint counts it in the total alone.
        ({"completion_tokens": 10, "total_tokens": 40}, 30, 20),
        ({"completion_tokens": 10}, 10, 0),
        ({"completion_tokens": 10, "total_tokens": 20}, 10, 0),
    ],
)
def test_reasoning_is_paid_once(usage: dict[str, Any], output: int, reasoning: int) -> None:
    meter = Meter()
    with Loopback(usage={"prompt_tokens": 10, **usage}) as server:
        reply = answer("openai", server, meter=meter, price=Price(input_usd=1.0, output_usd=10.0))
    assert reply.usage == Usage(input_tokens=10, output_tokens=output, reasoning_tokens=reasoning)
    assert meter.cost_usd == pytest.approx((10 * 1 + output * 10) / 1e6)
