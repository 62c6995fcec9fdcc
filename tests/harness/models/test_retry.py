"""How long a call is tried: waits, their bounds, and what Retry-After says."""

from __future__ import annotations

import asyncio
import random
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.models.retry import Patience, Retryable, retry_after_s, with_retries


def tried(failures: list[Retryable], patience: Patience, *, seed: int = 0) -> tuple[bool, list[float]]:
    """Whether a call that fails like this succeeded in the end, and how long it waited before each further attempt."""
    left, waits = list(failures), []

    async def attempt() -> str:
        if left:
            raise left.pop(0)
        return "done"

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async def call() -> str:
        return await with_retries(
            attempt, patience=patience, sleep=sleep, on_retry=lambda: None, rng=random.Random(seed)
        )

    try:
        return asyncio.run(call()) == "done", waits
    except Retryable:
        return False, waits


@given(seed=st.integers(0, 2**32))
def test_waits_double_with_jitter(seed: int) -> None:
    done, waits = tried([Retryable("broken")] * 5, Patience(), seed=seed)
    assert done
    assert all(full / 2 <= wait <= full for wait, full in zip(waits, [0.5, 1, 2, 4, 8], strict=True))


def test_the_sixth_failure_is_the_last() -> None:
    assert tried([Retryable("broken")] * 6, Patience())[0] is False


@given(asked=st.lists(st.floats(0, 90), max_size=8), seed=st.integers(0, 2**32))
def test_a_call_never_waits_longer_than_a_minute_nor_shorter_than_it_is_asked_to(asked: list[float], seed: int) -> None:
    done, waits = tried([Retryable("busy", retry_after_s=one) for one in asked], Patience(), seed=seed)
    assert sum(waits) <= 60 + 1e-9
    assert all(wait >= wanted for wait, wanted in zip(waits, asked, strict=False))
    assert done == (len(waits) == len(asked))


def test_a_wait_of_exactly_a_minute_is_still_waited() -> None:
    assert tried([Retryable("busy", retry_after_s=60.0)], Patience())[0]


def test_any_other_error_is_raised_at_once() -> None:
    async def attempt() -> None:
        raise ValueError("a mistake")

    async def call() -> None:
        await with_retries(
            attempt, patience=Patience(), sleep=asyncio.sleep, on_retry=lambda: None, rng=random.Random(0)
        )

    with pytest.raises(ValueError, match="a mistake"):
        asyncio.run(call())


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 0.5 "}, 0.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": formatdate(1_700_000_030, usegmt=True)}, 30.0),
        ({"retry-after": formatdate(1_699_999_000, usegmt=True)}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "inf"}, None),
        ({}, None),
    ],
)
def test_retry_after_in_seconds_or_as_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, now=1_700_000_000) == seconds


@given(st.text())
def test_no_header_breaks_it(text: str) -> None:
    found = retry_after_s({"retry-after": text})
    assert found is None or found >= 0
