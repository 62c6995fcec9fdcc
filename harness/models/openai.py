"""Chat completions of OpenAI and of every server that speaks them, through the openai SDK.

Structured answers by `response_format`; a refusal, a cut-off answer and the tokens spent are read from where the API
puts them. It refuses nothing itself: what an endpoint rejects is learned in `dialect`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from harness.errors import InputError
from harness.models.choices import choice_of, looked_at, made, packed
from harness.models.client import ApiModel, Payload, Wire
from harness.models.dialect import Dialect, Refusal
from harness.models.failures import malformed
from harness.models.logprobs import has_tokens, probabilities, rejected
from harness.models.reading import clean, count, is_object
from judges.types import Choice, Finish, Json, Reply, Request, Schema, Usage

_SPOKEN = ("text", "output_text")
# Room for a verdict and the marks around it.
VERDICT_TOKENS = 8


class OpenAIModel(ApiModel):
    """A model reached through `/chat/completions`."""

    provider: ClassVar[str] = "openai"
    default_url: ClassVar[str] = "https://api.openai.com/v1"

    async def choose(self, request: Request, *, menu: tuple[str, ...], lead: str) -> Choice:
        """The probabilities of the menu's entries where a short answer names one (see `logprobs`).

        Raises InputError where the endpoint gives no log-probabilities, else what `ask` raises.
        """
        wire = Wire(
            writing=self._looking, reading=partial(self._looked, menu=menu, lead=lead), refused=self._without_logprobs
        )
        return choice_of(await self._asked(request, looked_at(self._identity, menu, lead), wire, made, request))

    def _looking(self, request: Request, dialect: Dialect) -> Payload:
        short = replace(request.sampling, temperature=0.0, max_tokens=VERDICT_TOKENS)
        sent = self._payload(replace(request, sampling=short), dialect)
        listed = {"top_logprobs": dialect.top_logprobs}
        return replace(sent, body={**sent.body, "logprobs": True, **listed}, applied={**sent.applied, **listed})

    def _looked(
        self, body: Mapping[str, Json], sent: Payload, seconds: float, *, menu: tuple[str, ...], lead: str
    ) -> Reply:
        reply = self._read(body, sent, seconds)
        given = body["choices"][0].get("logprobs")
        if reply.finish == "refused":
            return replace(reply, text=packed({}, reply.text))
        if not has_tokens(given) and (reply.text or reply.finish != "length"):
            raise self._no_logprobs()
        found = probabilities(given, menu, lead)
        if found is None:
            return replace(reply, text=packed({}, reply.text))
        likely, outside = found
        applied = {**reply.applied, **({"outside_top_logprobs": outside} if outside else {})}
        return replace(reply, text=packed(likely, reply.text), applied=applied)

    def _without_logprobs(self, refusal: Refusal, sent: Payload) -> None:
        if rejected(refusal, sent.body):
            raise self._no_logprobs(f" ({refusal.message})")

    def _no_logprobs(self, words: str = "") -> InputError:
        return InputError(
            f"{self._spec}: {self.url} returns no log-probabilities{words}, so that it cannot be asked in "
            "verdict-token mode; use mode: generation"
        )

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
    """A message's text; some servers send it in parts, those of their reasoning among them."""
    if isinstance(content, list):
        spoken = [part for part in content if isinstance(part, dict) and part.get("type", "text") in _SPOKEN]
        return "".join(str(part.get("text") or "") for part in spoken)
    return content if isinstance(content, str) else ""


def _usage(usage: Json) -> Usage | None:
    if not isinstance(usage, dict):
        return None
    taken, written, total = (count(usage, name) for name in ("prompt_tokens", "completion_tokens", "total_tokens"))
    # Some endpoints count their reasoning in the total alone, and bill it as output all the same.
    unseen = max(0, total - taken - written)
    named = count(usage.get("completion_tokens_details"), "reasoning_tokens")
    return Usage(input_tokens=taken, output_tokens=written + unseen, reasoning_tokens=max(named, unseen))
