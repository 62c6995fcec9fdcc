"""What refusals teach, in the words that real servers use."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.models.dialect import Dialect, Refusal, learn
from judges.types import Sampling

PAYLOAD: dict[str, Any] = {
    "model": "m",
    "temperature": 0.0,
    "top_p": 0.9,
    "seed": 1,
    "max_tokens": 64,
    "response_format": {},
}
PLAIN = Dialect()


def learned(message: str, *, status: int = 400, param: str = "", model: str = "m-1") -> Dialect | None:
    return learn(PLAIN, PAYLOAD, Refusal(status=status, message=message, param=param), model=model)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model."),
        (400, "This model does not support structured outputs"),
        (400, "Failed to parse grammar"),
        (422, "body -> response_format -> type: Input should be 'text' or 'json_object'"),
        (404, "No endpoints found that support tool use."),
        (400, "Thinking may not be enabled when tool_choice forces tool use."),
        (400, "registry.ollama.ai/library/x does not support tools"),
        (501, "json_schema is not implemented"),
    ],
)
def test_structure_that_is_refused_is_not_asked_for_again(status: int, message: str) -> None:
    assert learned(message, status=status) == replace(PLAIN, structured=False)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("temperature", "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1)."),
        ("temperature", "temperature: Extra inputs are not permitted"),
        ("temperature", "`temperature` is deprecated for this model."),
        ("top_p", "`temperature` and `top_p` cannot both be specified for this model. Please use only one."),
        ("seed", "Unsupported parameter: 'seed' is not supported with this model."),
    ],
)
def test_a_rejected_parameter_is_dropped(name: str, message: str) -> None:
    assert learned(message) == replace(PLAIN, dropped=frozenset({name}))


def test_a_parameter_named_only_in_the_error_s_own_field_counts() -> None:
    assert learned("Not supported.", param="seed") == replace(PLAIN, dropped=frozenset({"seed"}))


def test_the_bound_changes_its_name_and_then_goes() -> None:
    message = "Unsupported parameter: '{}' is not supported with this model."
    first = learned(message.format("max_tokens") + " Use 'max_completion_tokens' instead.")
    assert first == replace(PLAIN, bound="max_completion_tokens")
    renamed = {**PAYLOAD, "max_completion_tokens": 64}
    del renamed["max_tokens"]
    refusal = Refusal(status=400, message=message.format("max_completion_tokens"))
    assert learn(first, renamed, refusal, model="m-1") == replace(PLAIN, bound=None)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "We could not parse the JSON body of your request."),
        (400, "max_tokens is too large: 100000. This model supports at most 4096 completion tokens."),
        (400, "This model's maximum context length is 4097 tokens. Reduce the messages or max_tokens."),
        (401, "Incorrect API key for temperature"),
        (404, "The model `seed-tool` does not exist"),
    ],
)
def test_what_names_nothing_that_was_refused_teaches_nothing(status: int, message: str) -> None:
    assert learned(message, status=status, model="seed-tool") is None


def test_a_parameter_that_was_not_sent_cannot_be_dropped() -> None:
    assert learn(PLAIN, {"max_tokens": 5}, Refusal(status=400, message="bad temperature"), model="m") is None


DIALECTS = st.builds(
    Dialect,
    structured=st.booleans(),
    dropped=st.frozensets(st.sampled_from(["temperature", "top_p", "seed"])),
    bound=st.sampled_from(["max_tokens", "max_completion_tokens", None]),
)


@given(DIALECTS, DIALECTS, DIALECTS)
def test_what_was_learned_in_any_order_is_the_same_and_never_forgotten(a: Dialect, b: Dialect, c: Dialect) -> None:
    assert a.merged(b) == b.merged(a)
    assert a.merged(b).merged(c) == a.merged(b.merged(c))
    assert a.merged(b).merged(a) == a.merged(b)
    assert a.dropped <= a.merged(b).dropped


@given(DIALECTS, st.floats(0, 2), st.integers(1, 4096))
def test_only_what_is_allowed_and_not_dropped_is_sent(dialect: Dialect, temperature: float, most: int) -> None:
    sampling = Sampling(temperature=temperature, max_tokens=most, seed=3)
    sent = dialect.sampling(sampling, ("temperature", "top_p"))
    assert set(sent) == ({"temperature"} - dialect.dropped) | ({dialect.bound} - {None})


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        (Refusal(status=400, message="x", code="content_filter"), True),
        (Refusal(status=400, message="x", code="content_policy_violation"), True),
        (Refusal(status=400, message="Output blocked by content filtering policy"), True),
        (Refusal(status=400, message="your prompt was flagged as potentially violating our usage policy"), True),
        (Refusal(status=403, message="x", code="content_filter"), False),
        (Refusal(status=400, message="The content is not valid JSON"), False),
    ],
)
def test_a_filter_is_told_from_a_bad_request(refusal: Refusal, expected: bool) -> None:
    assert refusal.of_content is expected
