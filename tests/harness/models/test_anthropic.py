"""Messages: what is sent, what is read, through the real anthropic SDK."""

from __future__ import annotations

import json

import pytest

from harness.errors import InputError, RunStopped
from harness.models.anthropic import AnthropicModel
from harness.models.limits import Limits
from tests.harness.models.asking import KEY, SCHEMA, answer, ask, model, request
from tests.loopback import Fault, Kind, Loopback, policy


def test_what_is_sent() -> None:
    with Loopback() as server:
        reply = answer("anthropic", server, request("Hi", temperature=0.5, top_p=0.9, seed=7, max_tokens=99))
        seen = server.requests[0]
    assert seen.path == "/v1/messages"
    assert seen.headers["authorization"] == f"Bearer {KEY}"
    assert seen.headers["anthropic-version"]
    assert seen.body == {
        "model": "loopback-1",
        "system": "You judge.",
        "messages": [{"role": "user", "content": "Hi"}],
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 99,
    }
    # The API knows no seed, so none applied.
    assert dict(reply.applied) == {"temperature": 0.5, "top_p": 0.9, "max_tokens": 99}


def test_what_is_read() -> None:
    with Loopback(policy=policy.fixed("x" * 40)) as server:
        reply = answer("anthropic", server)
    assert (reply.text, reply.finish, reply.model) == ("x" * 40, "stop", "loopback-1")
    assert reply.usage is not None
    assert (reply.usage.output_tokens, reply.usage.input_tokens > 0) == (10, True)


def test_tokens_written_to_and_read_from_the_provider_cache_are_input() -> None:
    usage = {"input_tokens": 1, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 300}
    with Loopback(usage={**usage, "output_tokens": 7}) as server:
        reply = answer("anthropic", server)
    assert reply.usage is not None
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (321, 7)


def test_structured_output_is_a_forced_tool() -> None:
    with Loopback(policy=policy.second) as server:
        reply = answer("anthropic", server, request(schema=SCHEMA))
        body = server.bodies[0]
    assert body["tools"] == [{"name": "verdict", "description": SCHEMA.description, "input_schema": SCHEMA.schema}]
    assert body["tool_choice"] == {"type": "tool", "name": "verdict"}
    assert json.loads(reply.text)["winner"] == "B"
    assert reply.applied["structured"] == "tool"


def test_a_model_that_answers_in_words_despite_the_tool_answered_in_text() -> None:
    with Loopback(faults=[Fault(kind="plain_text")]) as server:
        reply = answer("anthropic", server, request(schema=SCHEMA))
    assert (reply.text, reply.applied["structured"]) == ("Winner: A", "text")


@pytest.mark.parametrize(("kind", "finish"), [("cut_off", "length"), ("refusal", "refused"), ("off_menu", "stop")])
@pytest.mark.parametrize("schema", [None, SCHEMA])
def test_how_an_answer_ends(kind: Kind, finish: str, schema: None) -> None:
    with Loopback(faults=[Fault(kind=kind)]) as server:
        assert answer("anthropic", server, request(schema=schema)).finish == finish


def test_a_rejected_bound_on_tokens_stops_the_run() -> None:
    # The API cannot be asked without one.
    with (
        Loopback(faults=[Fault(kind="rejects", parameter="max_tokens")]) as server,
        pytest.raises(RunStopped, match="max_tokens"),
    ):
        answer("anthropic", server)


def test_an_unset_key_is_named() -> None:
    with pytest.raises(InputError, match="ANTHROPIC_API_KEY is not set"):
        AnthropicModel.from_env(spec="anthropic/m", name=None, model="m", environ={}, limits=Limits())


def test_another_token_in_the_environment_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "token-of-somebody-else")
    with Loopback() as server:
        ask(model("anthropic", server.url), request())
        assert "token-of-somebody-else" not in str(server.requests[0].headers)


def test_without_an_address_the_provider_itself_is_asked() -> None:
    environ = {"ANTHROPIC_API_KEY": KEY}
    made = AnthropicModel.from_env(spec="anthropic/m", name=None, model="m", environ=environ, limits=Limits())
    assert made.url == "https://api.anthropic.com"
