"""Chat completions of OpenAI and of every server that speaks them, through the openai SDK.

Structured answers by `response_format`; a refusal, a cut-off answer and the tokens spent are read from where the API
puts them. It refuses nothing itself: what an endpoint rejects is learned in `dialect`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from harness.models.client import ApiModel, Payload
from harness.models.dialect import Dialect
from harness.models.failures import malformed
from harness.models.reading import clean, count, is_object
from judges.types import Finish, Json, Reply, Request, Schema, Usage


class OpenAIModel(ApiModel):
    """A model reached through `/chat/completions`."""

    provider: ClassVar[str] = "openai"
    default_url: ClassVar[str] = "https://api.openai.com/v1"

    def _open(self) -> tuple[Any, Any]:
        import openai

        http = openai.DefaultAsyncHttpxClient(**self._http_options())
        client = openai.AsyncOpenAI(
            api_key=self._access.key, base_url=self._access.url, max_retries=0, timeout=http.timeout, http_client=http
        )
        return openai, client

    async def _send(self, body: dict[str, Json]) -> bytes:
        from httpx2 import Response

        # The SDK's plain `post` hands the answer over unread; its typed methods would build models nobody looks at.
        timeout = {"timeout": self._client.timeout}
        response = await self._client.post("/chat/completions", body=body, cast_to=Response, options=timeout)
        return bytes(response.content)

    def _payload(self, request: Request, dialect: Dialect) -> Payload:
        sampling = dialect.sampling(request.sampling, ("temperature", "top_p", "seed"))
        messages = [{"role": message.role, "content": clean(message.content)} for message in request.messages]
        body: dict[str, Json] = {"model": self._model, "messages": messages, **sampling}
        structured = request.schema is not None and dialect.structured
        if request.schema is not None and structured:
            body["response_format"] = _response_format(request.schema)
        how = {} if request.schema is None else {"structured": "json_schema" if structured else "text"}
        return Payload(body=body, applied={**sampling, **how}, structured=structured)

    def _read(self, body: Mapping[str, Json], sent: Payload, seconds: float) -> Reply:
        choices = body.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        message = choice.get("message") if isinstance(choice, dict) else None
        if not isinstance(choice, dict) or not isinstance(message, dict):
            raise malformed(self.url, "no choices")
        text = _text(message.get("content"))
        refused = message.get("refusal")
        finish = _finish(choice.get("finish_reason"), refused)
        applied = dict(sent.applied)
        if sent.structured and finish == "stop" and not is_object(text):
            applied["structured"] = "text"
        return Reply(
            text=refused if isinstance(refused, str) and refused else text,
            finish=finish,
            usage=_usage(body.get("usage")),
            applied=applied,
            model=str(body["model"]) if body.get("model") else None,
            latency_s=seconds,
        )


def _response_format(schema: Schema) -> dict[str, Json]:
    wanted = {"name": schema.name, "description": schema.description, "strict": True, "schema": schema.schema}
    return {"type": "json_schema", "json_schema": wanted}


def _finish(reason: Json, refused: Json) -> Finish:
    if refused or reason == "content_filter":
        return "refused"
    return "length" if reason == "length" else "stop"


def _text(content: Json) -> str:
    """A message's text; some servers send it in parts."""
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _usage(usage: Json) -> Usage | None:
    if not isinstance(usage, dict):
        return None
    details = usage.get("completion_tokens_details")
    return Usage(
        input_tokens=count(usage, "prompt_tokens"),
        output_tokens=count(usage, "completion_tokens"),
        reasoning_tokens=count(details, "reasoning_tokens"),
    )
