"""When a failed request is tried again: tenacity's loop with our own waits and our own end.

Six attempts or 60 s of waiting, whichever comes first. A provider's Retry-After is kept to; where keeping to it
would pass the 60 s, the call is given up at once instead of waiting in vain.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

Answer = TypeVar("Answer")


class Retryable(Exception):
    """A failure that may pass. `retry_after_s` is what the provider asks for; `slow_down` that it is overloaded."""

    def __init__(self, reason: str, *, retry_after_s: float | None = None, slow_down: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.retry_after_s, self.slow_down = reason, retry_after_s, slow_down


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How long a call is tried: attempts in all, seconds of waiting in all, the first wait and the longest one."""

    attempts: int = 6
    waiting_s: float = 60.0
    first_wait_s: float = 0.5
    longest_wait_s: float = 16.0

    def wait_s(self, state: RetryCallState, rng: random.Random) -> float:
        """Seconds until the next attempt: as the provider asks, or doubling with jitter."""
        asked = _failure(state).retry_after_s
        if asked is not None:
            # A little spread keeps a hundred calls from coming back in the same instant.
            spread = asked + rng.uniform(0.0, min(0.5, 0.1 * asked))
            return min(spread, max(asked, self.waiting_s - state.idle_for))
        longest = min(self.longest_wait_s, self.first_wait_s * 2.0 ** (state.attempt_number - 1))
        return longest * rng.uniform(0.5, 1.0)

    def is_over(self, state: RetryCallState) -> bool:
        """Whether the call is given up now."""
        return state.attempt_number >= self.attempts or state.idle_for + state.upcoming_sleep > self.waiting_s


async def with_retries(
    attempt: Callable[[], Awaitable[Answer]],
    *,
    patience: Patience,
    sleep: Callable[[float], Awaitable[None]],
    on_retry: Callable[[], None],
    rng: random.Random,
) -> Answer:
    """Call `attempt` until it succeeds. Raises the last Retryable where patience ends, any other error at once."""
    retrying = AsyncRetrying(
        sleep=sleep,
        wait=lambda state: patience.wait_s(state, rng),
        stop=patience.is_over,
        retry=retry_if_exception_type(Retryable),
        before_sleep=lambda state: on_retry(),
        reraise=True,
    )
    return await retrying(attempt)


def retry_after_s(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds the provider asks to wait (Retry-After in seconds or as an HTTP date); None where it says nothing."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        text = headers.get(name, "").strip()
        seconds = _number(text)
        if seconds is not None:
            return max(0.0, seconds / unit)
    return _until(headers.get("retry-after", ""), time.time() if now is None else now)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _until(date: str, now: float) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
        return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _failure(state: RetryCallState) -> Retryable:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, Retryable)
    return error
