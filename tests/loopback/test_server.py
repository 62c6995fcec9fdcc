"""The loopback server itself: the wire formats it speaks, its policies, its faults, and as a process of its own."""

from __future__ import annotations

import contextlib
import json
import math
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from typing import Any

import anthropic
import openai
import pytest

from judges.pairwise import VERDICT
from tests.loopback import Fault, Kind, Loopback, policy

KEY = "sk-loopback-0123456789"
SHOWN = "<<<ANSWER A>>>\nshort\n<<<END OF ANSWER A>>>\n\n<<<ANSWER B>>>\nmuch longer\n<<<END OF ANSWER B>>>"


def post(url: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    data = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Hi"}], **body}).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=data), timeout=10) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_the_openai_sdk_reads_its_answers() -> None:
    with Loopback(policy=policy.fixed("Hello"), reasoning_tokens=3) as server:
        client = openai.OpenAI(api_key=KEY, base_url=f"{server.url}/v1", max_retries=0)
        made = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
        assert [one.id for one in client.models.list()] == ["loopback"]
    assert made.choices[0].message.content == "Hello"
    assert made.choices[0].finish_reason == "stop"
    assert made.usage is not None
    assert made.usage.completion_tokens_details is not None
    assert made.usage.completion_tokens_details.reasoning_tokens == 3
    assert made.usage.total_tokens == made.usage.prompt_tokens + made.usage.completion_tokens


def test_the_openai_sdk_reads_its_log_probabilities() -> None:
    with Loopback(policy=policy.likely(lambda a, b: {"A": 0.5, "B": 0.25, "C": 0.0})) as server:
        client = openai.OpenAI(api_key=KEY, base_url=f"{server.url}/v1", max_retries=0)
        asked: Any = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
        made = client.chat.completions.create(**asked, logprobs=True, top_logprobs=2)
        plain = client.chat.completions.create(**asked)
    assert made.choices[0].message.content == "[[A]]"
    assert made.choices[0].logprobs is not None
    tokens = made.choices[0].logprobs.content or []
    assert [token.token for token in tokens] == ["[[", "A", "]]"]
    assert {one.token: round(math.exp(one.logprob), 9) for one in tokens[1].top_logprobs} == {"A": 0.5, "B": 0.25}
    assert plain.choices[0].logprobs is None


def test_the_sdks_read_what_was_thought() -> None:
    with Loopback(policy=policy.fixed("Hello"), thinking="Hm.") as server:
        chat = openai.OpenAI(api_key=KEY, base_url=f"{server.url}/v1", max_retries=0)
        said = chat.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}]).choices[0].message
        client = anthropic.Anthropic(api_key=KEY, base_url=server.url, max_retries=0)
        made = client.messages.create(model="m", max_tokens=50, messages=[{"role": "user", "content": "Hi"}])
    assert (said.content, said.model_dump()["reasoning_content"]) == ("Hello", "Hm.")
    assert [block.type for block in made.content] == ["thinking", "text"]


def test_the_anthropic_sdk_reads_its_answers() -> None:
    tool: Any = {"name": "verdict", "description": "d", "input_schema": VERDICT.schema}
    with Loopback(policy=policy.tie) as server:
        client = anthropic.Anthropic(api_key=KEY, base_url=server.url, max_retries=0)
        made = client.messages.create(
            model="m",
            max_tokens=50,
            messages=[{"role": "user", "content": "Hi"}],
            tools=[tool],
            tool_choice={"type": "tool", "name": "verdict"},
        )
    block = made.content[0]
    assert block.type == "tool_use"
    assert block.input["winner"] == "tie"
    assert made.stop_reason == "tool_use"
    assert made.usage.output_tokens > 0


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("rate_limit", openai.RateLimitError),
        ("server_error", openai.InternalServerError),
        ("bad_key", openai.AuthenticationError),
        ("no_model", openai.NotFoundError),
        ("bad_request", openai.BadRequestError),
        ("reset", openai.APIConnectionError),
    ],
)
def test_the_openai_sdk_knows_its_errors(kind: Kind, error: type[openai.APIError]) -> None:
    with Loopback(faults=[Fault(kind=kind, retry_after="3")]) as server:
        client = openai.OpenAI(api_key=KEY, base_url=f"{server.url}/v1", max_retries=0)
        with pytest.raises(error) as raised:
            client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
    if isinstance(raised.value, openai.APIStatusError):
        assert raised.value.response.headers["retry-after"] == "3"


def test_an_instance_holds_every_property_of_its_schema() -> None:
    made = policy.instance(VERDICT.schema, {"winner": "B"})
    assert set(made) == {"reasoning", "scores", "winner"}
    assert made["winner"] == "B"
    assert made["scores"]["A"]["depth"] in range(1, 6)


def test_a_policy_sees_the_two_answers_a_judge_is_shown() -> None:
    request = {"messages": [{"role": "user", "content": SHOWN}]}
    assert policy.shown_answers(request) == ("short", "much longer")
    assert policy.longest(request) == {"winner": "B"}
    assert policy.by_answers(lambda a, b: "A" if a == "short" else "tie")(request) == {"winner": "A"}


def test_faults_strike_by_index_by_turn_by_text_and_so_often() -> None:
    faults = [
        Fault(kind="server_error", at=[1]),
        Fault(kind="overloaded", every=5),
        Fault(kind="bad_request", containing="please fail", times=1),
    ]
    with Loopback(policy=policy.echo, faults=faults) as server:
        url = f"{server.url}/v1/chat/completions"
        plain = [post(url, {})[0] for _ in range(5)]
        texts = [post(url, {"messages": [{"role": "user", "content": "please fail"}]})[0] for _ in range(2)]
    assert plain == [200, 500, 200, 200, 529]
    assert texts == [400, 200]


def test_it_remembers_what_it_was_asked() -> None:
    with Loopback(faults=[Fault(kind="server_error", at=[0])]) as server:
        for number in range(2):
            post(f"{server.url}/v1/messages", {"max_tokens": number})
        assert [seen.body["max_tokens"] for seen in server.requests] == [0, 1]
        assert [seen.fault for seen in server.requests] == ["server_error", ""]
        assert server.in_flight == 0


def test_a_schema_violation_breaks_the_schema() -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "v", "schema": VERDICT.schema}}
    with Loopback(faults=[Fault(kind="schema_violation")]) as server:
        body = post(f"{server.url}/v1/chat/completions", {"response_format": wanted})[1]
    assert set(json.loads(body["choices"][0]["message"]["content"])) == {"winner"}


def test_a_failing_policy_is_the_test_s_own_failure() -> None:
    with pytest.raises(KeyError, match="nothing"), Loopback(policy=lambda request: request["nothing"]) as server:
        assert post(f"{server.url}/v1/messages", {})[0] == 500


@pytest.mark.parametrize("raw", [b"nonsense\r\n\r\n", b"POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n", b"x" * 70_000])
def test_what_is_no_request_ends_the_connection_and_nothing_else(raw: bytes) -> None:
    with Loopback() as server:
        with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=5) as client:
            client.sendall(raw)
            client.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionResetError):
                client.recv(1000)
        assert post(f"{server.url}/v1/messages", {})[0] == 200


def test_one_connection_carries_many_requests() -> None:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Hi"}]}).encode()
    head = f"POST /v1/messages HTTP/1.1\r\nhost: h\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    with Loopback(policy=policy.fixed("Hello")) as server:
        port = int(server.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            # Two at once and in pieces: neither how they are cut nor how they are joined may matter.
            for piece in (head[:20], head[20:] + body[:5], body[5:] + head + body):
                client.sendall(piece)
            received = b""
            while received.count(b"Hello") < 2:
                received += client.recv(65536)
    assert received.count(b"HTTP/1.1 200 OK") == 2


def test_it_runs_as_a_process_of_its_own() -> None:
    command = [
        sys.executable,
        "-m",
        "tests.loopback",
        "--policy",
        "second",
        "--faults",
        '[{"kind": "html", "at": [1]}]',
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        status, body = post(f"{url}/v1/messages", {})
        process.terminate()
    assert (status, body["content"]) == (200, [{"type": "text", "text": "Winner: B"}])
