"""What an SDK's exception or a strange answer means: a refusal in the provider's words, or a failure that may pass.

Error bodies come in several shapes (nested, flat, a plain string, a page of HTML); all are read into one sentence,
with every secret masked before anything is cut off.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from harness.errors import TooLong
from harness.models.dialect import Refusal
from harness.models.retry import Retryable, retry_after_s
from judges.types import Json

SHOWN = 400
DEEPEST = 8
OVERLOADED = (429, 529)
RETRIED = (408, 409, 429)
# What OpenAI and llama.cpp call a request that is longer than the context; others say it in words alone.
TOO_LONG_CODES = ("context_length_exceeded", "exceed_context_size_error")
TOO_LONG_STATUSES = (400, 413, 422)
_TOO_LONG = re.compile(
    r"maximum context length|prompt is too long|maximum model length|maximum number of tokens allowed"
    r"|exceeds?\b.{0,40}\bcontext (?:size|length|limit|window)",
    re.IGNORECASE,
)
# OpenAI, vLLM, Anthropic, llama.cpp and Gemini, in their own words.
_ROOM = re.compile(
    r"(?:context length(?: is| of)?|model length of|configured limit of|tokens >|\+ \d+ >|context size \(|allowed \()"
    r" ?(\d+)"
)
_TOKENS = re.compile(
    r"(\d+) (?:in|of) (?:the|your) (?:messages|prompt|input)|resulted in (\d+)|(\d+) input tokens|too long: (\d+)"
    r"|limit: (\d+) \+|token count \((\d+)|request \((\d+) tokens|(\d+) tokens >|prompt \(length (\d+)"
)
Scrub = Callable[[str], str]


class NotConnected(Retryable):
    """No connection was made; the request never left."""


def refusal(status: int, headers: Mapping[str, str], body: Any, scrub: Scrub) -> Refusal:
    """Read an error answer."""
    part = body
    if isinstance(part, Mapping) and isinstance(part.get("error"), Mapping):
        part = part["error"]
    named = part if isinstance(part, Mapping) else {}
    words = named.get("message") or named.get("error") or named.get("detail") or part or "no reason given"
    if isinstance(words, str) and {"n_prompt_tokens", "n_ctx"} <= named.keys():
        words = f"{words.rstrip('.')}: {named['n_prompt_tokens']} tokens > {named['n_ctx']}"
    return Refusal(
        status=status,
        message=sentence(words if isinstance(words, str) else json.dumps(words, default=str), scrub),
        # Some put the status there once more, and the name under the other key.
        code=next((name for key in ("code", "type") if isinstance(name := named.get(key), str) and name), ""),
        param=str(named.get("param") or ""),
        headers=headers,
    )


def sentence(text: str, scrub: Scrub) -> str:
    """A provider's text on one line, without tags and secrets, of bounded length."""
    text = re.sub(r"<(style|script)\b.*?</\1>|<[^>]*>", " ", scrub(text), flags=re.DOTALL | re.IGNORECASE)
    text = " ".join(text.split()).rstrip(".")
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


def too_long(found: Refusal, url: str, bound: int | None) -> TooLong | None:
    """What a refusal says of a question that does not fit the model's context; None where it is about something else.

    `bound` is what the answer was allowed. Where that alone is more than the model takes, no question fits, and it is
    the request that is wrong.
    """
    coded = found.code in TOO_LONG_CODES
    if not coded and not (found.status in TOO_LONG_STATUSES and _TOO_LONG.search(found.message)):
        return None
    text = re.sub(r"(?<=\d),(?=\d{3})", "", found.message)
    tokens, room = _number(_TOKENS, text), _number(_ROOM, text)
    if bound is not None and room is not None and bound >= room:
        return None
    beside = bound if tokens is not None and room is not None and tokens <= room else None
    said = "it does not fit the model's context"
    if tokens is not None and room is not None:
        answer = f" and max_tokens {beside:,}" if beside is not None else ""
        said = f"{tokens:,} tokens{answer} do not fit the model's {room:,}"
    said += f" ({url} answered {found.status}: {found.message})"
    return TooLong(said, tokens=tokens, max_tokens=beside, room=room)


def _number(pattern: re.Pattern[str], text: str) -> int | None:
    match = pattern.search(text)
    return None if match is None else next(int(group) for group in match.groups() if group)


def may_pass(found: Refusal, url: str) -> Retryable | None:
    """The failure that an error status stands for; None where trying again cannot help."""
    out_of_quota = found.code == "insufficient_quota"
    if out_of_quota or not (found.status in RETRIED or found.status >= 500):
        return None
    return Retryable(
        f"{url} answered {found.status}: {found.message}",
        retry_after_s=retry_after_s(found.headers),
        slow_down=found.status in OVERLOADED,
    )


def lost(error: BaseException, url: str, scrub: Scrub) -> Retryable:
    """The failure of a request that got no answer, from the SDK's connection error."""
    cause = error.__cause__ or error
    name = type(cause).__name__
    detail = sentence(_system_error(cause) or str(cause), scrub)
    reason = f"{_READABLE.get(name, name)}{f' ({detail})' if detail else ''}"
    if name in ("ConnectError", "ConnectTimeout"):
        return NotConnected(reason)
    return Retryable(f"{url}: {reason}")


def _system_error(error: BaseException | None) -> str:
    """The operating system's own words, somewhere beneath the layers of an HTTP client."""
    for _ in range(DEEPEST):
        if error is None:
            break
        if isinstance(error, OSError) and error.strerror:
            # asyncio puts the address in place of the reason.
            named = isinstance(error, ConnectionError) and error.errno
            return os.strerror(error.errno or 0) if named else error.strerror
        error = error.__cause__ or error.__context__
    return ""


_READABLE = {
    "ConnectError": "the connection failed",
    "ConnectTimeout": "the connection timed out",
    "ReadTimeout": "no answer in time",
    "WriteTimeout": "the request could not be sent in time",
    "PoolTimeout": "no free connection in time",
    "ReadError": "the connection was dropped",
    "WriteError": "the connection was dropped",
    "RemoteProtocolError": "the connection was dropped",
}


def body_of(raw: bytes, url: str, scrub: Scrub) -> Mapping[str, Json]:
    """The JSON object of an answer. Raises Retryable where it is none, or carries an error in place of an answer."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        shown = sentence(raw[: 4 * SHOWN].decode("utf-8", "replace"), scrub)[:80] or "nothing"
        raise Retryable(f"{url} answered something that is not the API's format: {shown}")
    if isinstance(body.get("error"), (dict, str)) and body["error"]:
        found = refusal(200, {}, body, scrub)
        raise too_long(found, url, None) or Retryable(f"{url} answered an error: {found.message}")
    return body


def malformed(url: str, what: str) -> Retryable:
    """An answer with a part missing or of another kind."""
    return Retryable(f"{url} answered something that is not the API's format: {what}")
