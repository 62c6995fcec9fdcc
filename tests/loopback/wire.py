"""The two wire formats: what a request asks, what an answer and an error look like in each.

Chat completions follow OpenAI's API reference, messages follow Anthropic's: field names, finish reasons, usage and
error bodies are the real ones.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the server decided to say. `reasoning_tokens` are counted into the output, `usage` replaces the numbers.

    `plain` sends words even where a tool was asked for. `thinking` goes where each API puts what a model thought;
    `tokens` are the answer's tokens, each with the probability of what might have come (chat completions alone).
    """

    text: str
    finish: str = "stop"
    reasoning_tokens: int = 0
    usage: Mapping[str, Any] | None = None
    plain: bool = False
    thinking: str = ""
    tokens: Sequence[tuple[str, Mapping[str, float]]] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """An error to be dressed in a provider's clothes."""

    status: int
    message: str
    code: str | None = None
    param: str | None = None
    kind: str = "invalid_request_error"


@dataclass(frozen=True, kw_only=True, slots=True)
class Wire:
    """One API's format."""

    schema: Callable[[dict[str, Any]], Mapping[str, Any] | None]
    answer: Callable[[int, dict[str, Any], Answer], dict[str, Any]]
    error: Callable[[Failure], dict[str, Any]]


def tokens(value: Any) -> int:
    """A plain stand-in for a tokenizer: four characters a token."""
    return max(1, len(value if isinstance(value, str) else json.dumps(value)) // 4)


def _chat_schema(body: dict[str, Any]) -> Mapping[str, Any] | None:
    wanted = body.get("response_format") or {}
    schema: Mapping[str, Any] | None = wanted.get("json_schema", {}).get("schema")
    return schema if wanted.get("type") == "json_schema" else None


def _chat_answer(index: int, body: dict[str, Any], answer: Answer) -> dict[str, Any]:
    refused = answer.finish == "refusal"
    taken, written = tokens(body["messages"]), tokens(answer.text) + answer.reasoning_tokens
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if refused else answer.text,
        "refusal": answer.text if refused else None,
        "annotations": [],
    } | ({"reasoning_content": answer.thinking, "reasoning": answer.thinking} if answer.thinking else {})
    finish = "length" if answer.finish == "length" else "stop"
    return {
        "id": f"chatcmpl-{index:08d}",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "logprobs": _logprobs(body, answer), "finish_reason": finish}],
        "usage": answer.usage
        or {
            "prompt_tokens": taken,
            "completion_tokens": written,
            "total_tokens": taken + written,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": answer.reasoning_tokens, "audio_tokens": 0},
        },
        "service_tier": "default",
        "system_fingerprint": "fp_loopback",
    }


def _logprobs(body: dict[str, Any], answer: Answer) -> dict[str, Any] | None:
    if not body.get("logprobs") or answer.tokens is None:
        return None
    most = int(body.get("top_logprobs") or 0)
    content = []
    for text, likely in answer.tokens:
        listed = sorted(likely.items(), key=lambda item: -item[1])[:most]
        others = [_logprob(other, probability) for other, probability in listed]
        content.append(_logprob(text, likely.get(text, 1.0)) | {"top_logprobs": others})
    return {"content": content, "refusal": None}


def _logprob(text: str, probability: float) -> dict[str, Any]:
    logprob = math.log(probability) if probability > 0 else -9999.0
    return {"token": text, "logprob": logprob, "bytes": list(text.encode())}


def _chat_error(failure: Failure) -> dict[str, Any]:
    return {
        "error": {
            "message": failure.message,
            "type": failure.kind,
            "param": failure.param,
            "code": failure.code,
        }
    }


def _forced_tool(body: dict[str, Any]) -> Mapping[str, Any] | None:
    choice = body.get("tool_choice") or {}
    named = [tool for tool in body.get("tools", []) if tool["name"] == choice.get("name")]
    return named[0] if choice.get("type") == "tool" and named else None


def _messages_schema(body: dict[str, Any]) -> Mapping[str, Any] | None:
    tool = _forced_tool(body)
    return tool["input_schema"] if tool else None


def _messages_answer(index: int, body: dict[str, Any], answer: Answer) -> dict[str, Any]:
    tool = _forced_tool(body)
    stops = {"length": "max_tokens", "refusal": "refusal"}
    content, stop = _content(index, answer, tool)
    return {
        "id": f"msg_{index:08d}",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": content,
        "stop_reason": stops.get(answer.finish, stop),
        "stop_sequence": None,
        "usage": answer.usage
        or {
            "input_tokens": tokens(body["messages"]),
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": tokens(answer.text),
            "service_tier": "standard",
        },
    }


def _content(index: int, answer: Answer, tool: Mapping[str, Any] | None) -> tuple[list[dict[str, Any]], str]:
    if answer.finish == "refusal":
        return [], "refusal"
    thought = [{"type": "thinking", "thinking": answer.thinking, "signature": "c2lnbmVk"}] if answer.thinking else []
    if tool is None or answer.plain:
        return [*thought, {"type": "text", "text": answer.text}], "end_turn"
    # A tool call that was cut off arrives without the fields it had not reached.
    arguments = {} if answer.finish == "length" else json.loads(answer.text)
    called = {"type": "tool_use", "id": f"toolu_{index:08d}", "name": tool["name"], "input": arguments}
    return [*thought, called], "tool_use"


def _messages_error(failure: Failure) -> dict[str, Any]:
    kinds = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 413: "request_too_large"}
    kinds |= {429: "rate_limit_error", 500: "api_error", 529: "overloaded_error"}
    kind = kinds.get(failure.status, "invalid_request_error")
    return {"type": "error", "error": {"type": kind, "message": failure.message}, "request_id": "req_loopback"}


WIRES: dict[str, Wire] = {
    CHAT: Wire(schema=_chat_schema, answer=_chat_answer, error=_chat_error),
    MESSAGES: Wire(schema=_messages_schema, answer=_messages_answer, error=_messages_error),
}
