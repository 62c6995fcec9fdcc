"""The providers' own words for what went wrong, by the fault's kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.loopback.faults import Fault
from tests.loopback.wire import CHAT, Failure

_PLAIN: dict[str, Failure] = {
    "rate_limit": Failure(
        status=429, message="Rate limit reached for requests", code="rate_limit_exceeded", kind="requests"
    ),
    "quota": Failure(
        status=429,
        message="You exceeded your current quota, please check your plan and billing details.",
        code="insufficient_quota",
        kind="insufficient_quota",
    ),
    "server_error": Failure(
        status=500, message="The server had an error while processing your request.", kind="server_error"
    ),
    "unavailable": Failure(status=503, message="Service temporarily unavailable.", kind="server_error"),
    "overloaded": Failure(status=529, message="Overloaded", kind="overloaded_error"),
    "timeout": Failure(status=408, message="Request timeout.", kind="timeout"),
    "conflict": Failure(status=409, message="The request conflicts with another one.", kind="conflict"),
    "too_large": Failure(status=413, message="Request exceeds the maximum allowed number of bytes."),
    "bad_request": Failure(status=400, message="We could not parse the JSON body of your request.\nTry again."),
    "content_filter": Failure(
        status=400,
        message="The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
        code="content_filter",
        param="prompt",
    ),
    "forbidden": Failure(status=403, message="Country, region, or territory not supported", code="unsupported_country"),
}


def failure(fault: Fault, path: str, headers: Mapping[str, str], body: dict[str, Any]) -> Failure | None:
    """The error a fault stands for; None where it is no error with a status."""
    if fault.kind == "content_filter" and path != CHAT:
        return Failure(status=400, message="Output blocked by content filtering policy")
    if fault.kind == "too_long":
        return _too_long(path)
    if fault.kind == "bad_key":
        key = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
        return Failure(status=401, message=f"Incorrect API key provided: {key}.", code="invalid_api_key")
    if fault.kind == "no_model":
        words = f"The model `{body.get('model')}` does not exist or you do not have access to it."
        return Failure(status=404, message=words, code="model_not_found")
    if fault.kind == "rejects":
        return _rejection(str(fault.parameter), path, body)
    return _PLAIN.get(fault.kind)


def _too_long(path: str) -> Failure:
    if path != CHAT:
        return Failure(status=400, message="prompt is too long: 208310 tokens > 200000 maximum")
    words = (
        "This model's maximum context length is 4096 tokens. However, your messages resulted in 4160 tokens. "
        "Please reduce the length of the messages."
    )
    return Failure(status=400, message=words, code="context_length_exceeded", param="messages")


def _rejection(parameter: str, path: str, body: dict[str, Any]) -> Failure:
    if path != CHAT:
        words = {
            "structured": "tool_choice: forced tool use is not supported for this model",
            "temperature": "`temperature` is deprecated for this model.",
            "top_p": "`temperature` and `top_p` cannot both be specified for this model. Please use only one.",
        }
        return Failure(status=400, message=words.get(parameter, f"{parameter}: Extra inputs are not permitted"))
    if parameter == "structured":
        words_chat = "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model."
        return Failure(status=400, message=words_chat, param="response_format")
    hint = " Use 'max_completion_tokens' instead." if parameter == "max_tokens" else ""
    message = f"Unsupported parameter: '{parameter}' is not supported with this model.{hint}"
    return Failure(status=400, message=message, param=parameter, code="unsupported_parameter")
