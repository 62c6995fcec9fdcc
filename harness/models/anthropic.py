"""Messages of Anthropic's API, through the anthropic SDK.

Structured answers by a forced tool; the system prompt goes where this API wants it. The API knows no seed, so none
is sent and none is recorded as applied; the bound on tokens it always needs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from harness.models.client import ApiModel, Payload
from harness.models.dialect import Dialect
from harness.models.failures import malformed
from harness.models.reading import clean, count
from judges.types import Finish, Json, Message, Reply, Request, Schema, Usage

_FINISHES: dict[str, Finish] = {"max_tokens": "length", "model_context_window_exceeded": "length", "refusal": "refused"}


class AnthropicModel(ApiModel):
    """A model reached through `/v1/messages`."""

    provider: ClassVar[str] = "anthropic"
    default_url: ClassVar[str] = "https://api.anthropic.com"
    bound_is_fixed: ClassVar[bool] = True

    def _open(self) -> tuple[Any, Any]:
        import anthropic

        http = anthropic.DefaultAsyncHttpxClient(**self._http_options())
        client = anthropic.AsyncAnthropic(
            api_key=self._access.key, base_url=self._access.url, max_retries=0, timeout=http.timeout, http_client=http
        )
        return anthropic, client

    async def _send(self, body: dict[str, Json]) -> bytes:
        from httpx2 import Response

        # The SDK's plain `post` hands the answer over unread; its typed methods would build models nobody looks at.
        timeout = {"timeout": self._client.timeout}
        response = await self._client.post("/v1/messages", body=body, cast_to=Response, options=timeout)
        return bytes(response.content)

    def _payload(self, request: Request, dialect: Dialect) -> Payload:
        sampling = dialect.sampling(request.sampling, ("temperature", "top_p"))
        system = "\n\n".join(clean(message.content) for message in request.messages if message.role == "system")
        body: dict[str, Json] = {"model": self._model, "messages": _turns(request.messages), **sampling}
        if system:
            body["system"] = system
        structured = request.schema is not None and dialect.structured
        if request.schema is not None and structured:
            body["tools"] = [_tool(request.schema)]
            body["tool_choice"] = {"type": "tool", "name": request.schema.name}
        how = {} if request.schema is None else {"structured": "tool" if structured else "text"}
        return Payload(body=body, applied={**sampling, **how}, structured=structured)

    def _read(self, body: Mapping[str, Json], sent: Payload, seconds: float) -> Reply:
        content = body.get("content")
        if not isinstance(content, list):
            raise malformed(self.url, "no content")
        blocks = [block for block in content if isinstance(block, dict)]
        called = next((block.get("input") for block in blocks if block.get("type") == "tool_use"), None)
        spoken = "".join(str(block.get("text") or "") for block in blocks if block.get("type") == "text")
        applied = dict(sent.applied)
        if sent.structured and called is None:
            applied["structured"] = "text"
        return Reply(
            text=spoken if called is None else json.dumps(called, ensure_ascii=False),
            finish=_FINISHES.get(str(body.get("stop_reason")), "stop"),
            usage=_usage(body.get("usage")),
            applied=applied,
            model=str(body["model"]) if body.get("model") else None,
            latency_s=seconds,
        )


def _turns(messages: Sequence[Message]) -> list[dict[str, Json]]:
    return [
        {"role": message.role, "content": clean(message.content)} for message in messages if message.role != "system"
    ]


def _tool(schema: Schema) -> dict[str, Json]:
    return {"name": schema.name, "description": schema.description, "input_schema": schema.schema}


def _usage(usage: Json) -> Usage | None:
    if not isinstance(usage, dict):
        return None
    taken = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    return Usage(
        input_tokens=sum(count(usage, name) for name in taken),
        output_tokens=count(usage, "output_tokens"),
        reasoning_tokens=count(usage.get("output_tokens_details"), "thinking_tokens"),
    )
