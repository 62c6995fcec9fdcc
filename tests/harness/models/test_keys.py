"""The cache key: everything that could change an answer changes it, and nothing else does."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.models.keys import cache_key, key_of, provenance
from judges.types import Message, Request, Sampling, Schema

IDENTITY = {"provider": "openai", "url": "https://api.example.org/v1", "model": "m"}
BASE = Request(messages=(Message(role="user", content="Hi"),), sampling=Sampling(temperature=0.0))
CHANGES: dict[str, Any] = {
    "messages": (Message(role="user", content="Hi."),),
    "sampling": Sampling(temperature=0.1),
    "schema": Schema(name="n", description="d", schema={}),
    "template": "0" * 64,
    "repeat": 1,
    "nonce": "again",
}

REQUESTS = st.builds(
    Request,
    messages=st.lists(
        st.builds(Message, role=st.sampled_from(["system", "user", "assistant"]), content=st.text()), max_size=3
    ).map(tuple),
    sampling=st.builds(
        Sampling, temperature=st.none() | st.floats(0, 2), max_tokens=st.integers(1, 9), seed=st.none() | st.integers()
    ),
    repeat=st.integers(0, 3),
)


@pytest.mark.parametrize("name", [field.name for field in fields(Request)])
def test_every_field_of_a_request_counts(name: str) -> None:
    assert cache_key(IDENTITY, BASE) != cache_key(IDENTITY, replace(BASE, **{name: CHANGES[name]}))


@pytest.mark.parametrize("name", IDENTITY)
def test_every_part_of_the_identity_counts(name: str) -> None:
    assert cache_key(IDENTITY, BASE) != cache_key({**IDENTITY, name: "other"}, BASE)


@given(REQUESTS, REQUESTS)
def test_two_requests_share_a_key_only_where_they_are_equal(a: Request, b: Request) -> None:
    assert (cache_key(IDENTITY, a) == cache_key(IDENTITY, b)) == (a == b)


def test_a_temperature_written_as_a_whole_number_is_the_same_question() -> None:
    assert cache_key(IDENTITY, BASE) == cache_key(IDENTITY, replace(BASE, sampling=Sampling(temperature=0)))


def test_the_order_of_names_does_not_count() -> None:
    assert cache_key(dict(reversed(IDENTITY.items())), BASE) == cache_key(IDENTITY, BASE)


@given(REQUESTS)
def test_a_stored_provenance_leads_back_to_the_key(request: Request) -> None:
    assert key_of(provenance(IDENTITY, request)) == cache_key(IDENTITY, request)


def test_a_number_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        cache_key({"weights": float("nan")}, BASE)
