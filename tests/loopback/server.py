"""The loopback server: answers as a policy says, fails as a script says, and remembers what it was asked.

    with Loopback(policy=policy.longest, faults=[Fault(kind="rate_limit", at=[0], retry_after="0")]) as server:
        … OPENAI_BASE_URL = server.url + "/v1", ANTHROPIC_BASE_URL = server.url …

It listens on 127.0.0.1 alone, on its own thread and event loop; nothing of the client is patched.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from json import JSONDecodeError, loads
from typing import Any, Self

from tests.loopback import policy as policies
from tests.loopback.failures import failure
from tests.loopback.faults import Fault, Script
from tests.loopback.http import Call, Connection, Response, as_json
from tests.loopback.wire import WIRES, Answer, Failure, Wire

PAGE = b"<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>"
BODIES: dict[str, Response] = {
    "html": Response(body=PAGE, content_type="text/html; charset=utf-8"),
    "empty": Response(),
    "broken_json": Response(body=b'{"id": "x", "choices": [{"mess'),
    "no_choices": Response(body=b'{"id": "x", "object": "chat.completion", "choices": [], "content": null}'),
    "hang": Response(transport="hang"),
    "reset": Response(transport="reset"),
}
START_LIMIT_S = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """One request as the server remembers it. `fault` is the kind that struck, or ""."""

    index: int
    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]
    at_s: float
    fault: str = ""


class Loopback:
    """A server for one test. `capacity` is how many requests it takes at once before it answers 429.

    `usages` holds the tokens of every answer it gave, as it reported them. `thinking` is what the model is said to have
    thought; without `logprobs` no log-probabilities are given, asked for or not.
    """

    def __init__(
        self,
        *,
        policy: policies.Policy = policies.first,
        faults: Sequence[Fault] = (),
        latency_s: float = 0.0,
        capacity: int | None = None,
        reasoning_tokens: int = 0,
        usage: Mapping[str, Any] | None = None,
        thinking: str = "",
        logprobs: bool = True,
        port: int = 0,
    ) -> None:
        self._policy, self._script, self._latency_s, self._capacity = policy, Script(faults), latency_s, capacity
        self._reasoning_tokens, self._usage, self._port = reasoning_tokens, usage, port
        self._thinking, self._logprobs = thinking, logprobs
        self._connections: set[Connection] = set()
        self._loop: asyncio.AbstractEventLoop
        self.requests: list[Seen] = []
        self.usages: list[Any] = []
        self.errors: list[Exception] = []
        self.in_flight = 0
        self.peak = 0

    @property
    def url(self) -> str:
        """Its address without a path; OpenAI's base URL adds /v1."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The JSON of every request so far, in the order of arrival."""
        return [seen.body for seen in self.requests]

    async def serve(self) -> asyncio.Server:
        """Listen, on the running event loop; the caller closes what is returned."""
        loop = asyncio.get_running_loop()
        make = lambda: Connection(self._handle, self._leave, self._connections)  # noqa: E731
        server = await loop.create_server(make, "127.0.0.1", self._port, backlog=512)
        self._port = server.sockets[0].getsockname()[1]
        return server

    def __enter__(self) -> Self:
        started: Future[None] = Future()
        self._thread = threading.Thread(target=self._live, args=(started,), daemon=True)
        self._thread.start()
        started.result(START_LIMIT_S)
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_LIMIT_S)
        if self.errors and error is None:
            raise self.errors[0]

    def _live(self, started: Future[None]) -> None:
        asyncio.run(self._until_stopped(started))

    async def _until_stopped(self, started: Future[None]) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await self.serve()
        started.set_result(None)
        await self._stop.wait()
        server.close()
        for connection in list(self._connections):
            connection.close()

    def _leave(self) -> None:
        self.in_flight -= 1

    def _handle(self, call: Call) -> Response:
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        path = call.path.partition("?")[0]
        if call.method == "GET" and path == "/v1/models":
            return as_json({"object": "list", "data": [{"id": "loopback", "object": "model", "owned_by": "tests"}]})
        body = _parsed(call.body)
        wire = WIRES.get(path)
        if wire is None or call.method != "POST" or not body.get("messages") or body.get("stream"):
            return as_json(WIRES["/v1/chat/completions"].error(Failure(status=404, message="Not found")), status=404)
        try:
            return self._reply(call, path, wire, body)
        except Exception as error:
            # A policy that fails is the test's own mistake: the test must see it, not a retried call.
            self.errors.append(error)
            return as_json(wire.error(Failure(status=500, message=repr(error))), status=500)

    def _reply(self, call: Call, path: str, wire: Wire, body: dict[str, Any]) -> Response:
        index = len(self.requests)
        fault = self._script.pick(index, call.body.decode(errors="replace"), body)
        if fault is None and self._capacity is not None and self.in_flight > self._capacity:
            fault = Fault(kind="rate_limit")
        at_s = asyncio.get_running_loop().time()
        name = fault.kind if fault else ""
        self.requests.append(Seen(index=index, path=path, headers=call.headers, body=body, at_s=at_s, fault=name))
        if fault is not None and fault.kind in BODIES:
            return BODIES[fault.kind]
        trouble = failure(fault, path, call.headers, body) if fault else None
        if fault is not None and trouble is not None:
            headers = {} if fault.retry_after is None else {"retry-after": fault.retry_after}
            return as_json(wire.error(trouble), status=trouble.status, headers=headers)
        late = self._latency_s + (fault.seconds if fault else 0.0)
        answered = wire.answer(index, body, self._answer(wire, body, fault))
        self.usages.append(answered["usage"])
        return replace(as_json(answered), after_s=late)

    def _answer(self, wire: Wire, body: dict[str, Any], fault: Fault | None) -> Answer:
        plain = fault is not None and fault.kind == "plain_text"
        schema = None if plain else wire.schema(body)
        decided = self._policy(body)
        answer = Answer(
            text=policies.render(decided, schema),
            reasoning_tokens=self._reasoning_tokens,
            usage=self._usage,
            plain=plain,
            thinking=self._thinking,
            tokens=policies.tokens_of(decided) if self._logprobs else None,
        )
        return answer if fault is None else _spoilt(answer, fault, structured=schema is not None)


def _spoilt(answer: Answer, fault: Fault, *, structured: bool) -> Answer:
    if fault.kind == "refusal":
        return replace(answer, text="I cannot help with that.", finish="refusal", tokens=None)
    if fault.kind == "schema_violation" and structured:
        return replace(answer, text='{"winner": 3}')
    if fault.kind == "off_menu":
        return replace(answer, text='{"winner": "C"}' if structured else "Winner: C")
    if fault.kind == "cut_off":
        tokens = answer.tokens and answer.tokens[: len(answer.tokens) // 2]
        return replace(answer, text=answer.text[: len(answer.text) // 2], finish="length", tokens=tokens)
    return answer


def _parsed(raw: bytes) -> dict[str, Any]:
    try:
        value = loads(raw or b"{}")
    except (JSONDecodeError, UnicodeDecodeError):
        return {}
    return value if isinstance(value, dict) else {}


def run_until_cancelled(loopback: Loopback, say: Callable[[str], None]) -> Coroutine[Any, Any, None]:
    """Serve for as long as the process lives; `say` gets the address."""

    async def live() -> None:
        server = await loopback.serve()
        say(loopback.url)
        await server.serve_forever()

    return live()
