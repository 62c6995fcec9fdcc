"""What both APIs share: the cache before the call, a slot, the call, what was learned from a refusal, the retries.

A provider's module adds its wire format alone. The SDK is imported at the first request that really goes out, its
own retries are off, and whatever it raises is turned into one sentence without a key.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from harness.errors import CallFailed, HarnessError, RunStopped
from harness.models.access import access
from harness.models.cache import ReplyCache, cache_key, provenance
from harness.models.dialect import Dialect, Refusal, learn
from harness.models.limits import Limits, Outcome
from harness.models.meter import Meter, Price
from harness.models.retry import Patience, Retryable, retry_after_s, with_retries
from judges.types import Json, Reply, Request, any_reply

CONNECT_S = 5.0
READ_S = 600.0
SHOWN = 500
# One for each thing a model can reject, and the request that is left.
ADAPTATIONS = 7
RETRIED = (408, 409, 429)
OVERLOADED = (429, 529)
_JITTER = random.Random()


class ApiModel(ABC):
    """A model behind an HTTP API. Subclasses say how a request is written and how an answer is read."""

    provider: ClassVar[str]
    default_url: ClassVar[str]

    def __init__(
        self,
        *,
        spec: str,
        model: str,
        base_url: str | None,
        api_key: str,
        limits: Limits,
        cache: ReplyCache | None,
        meter: Meter | None = None,
        price: Price | None = None,
        patience: Patience | None = None,
        read_timeout_s: float = READ_S,
        rng: random.Random = _JITTER,
    ) -> None:
        self._spec, self._model, self._cache, self._price, self._rng = spec, model, cache, price, rng
        self._access = access(url=base_url or self.default_url, key=api_key, origin=f"{spec}: its base URL")
        self._endpoint = limits.endpoint(self.provider, self._access.shown)
        self._connections = limits.concurrency
        self._meter, self._patience = meter or Meter(), patience or Patience()
        self._read_timeout_s = read_timeout_s
        self._identity = {"provider": self.provider, "url": self._access.shown, "model": model}
        self._dialect = Dialect()
        self._sdk: Any = None
        self._client: Any = None

    @property
    def spec(self) -> str:
        """The spec it was built from, as given."""
        return self._spec

    @property
    def url(self) -> str:
        """The address it is reached at, without secrets."""
        return self._access.shown

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._spec!r}, url={self._access.shown!r})"

    async def ask(
        self, request: Request, *, usable: Callable[[Reply], bool] = any_reply, stored_as: Request | None = None
    ) -> Reply:
        """Answer a request, from the cache where it was answered before (see `judges.types.Model.ask`).

        Raises CallFailed where this call was given up, RunStopped where no further call can succeed.
        """
        if self._cache is not None and (hit := self._cache.get(cache_key(self._identity, request))) is not None:
            self._meter.hits += 1
            return hit
        reply = await self._answer(request)
        if self._cache is not None and usable(reply):
            source = provenance(self._identity, stored_as or request)
            self._cache.put(cache_key(self._identity, stored_as or request), reply, source=source)
        return reply

    async def aclose(self) -> None:
        """Close the connections, where any were opened. A later question opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    @abstractmethod
    def _load(self) -> tuple[Any, Any]:
        """Import the SDK and build its asynchronous client."""

    @abstractmethod
    async def _send(self, payload: dict[str, Json]) -> bytes:
        """Send one request through the SDK; the answer's body."""

    @abstractmethod
    def _payload(self, request: Request, dialect: Dialect) -> tuple[dict[str, Json], dict[str, Json]]:
        """What is sent, and what of it is recorded as applied."""

    @abstractmethod
    def _read(self, body: Mapping[str, Json], *, schema: bool, applied: dict[str, Json]) -> Reply:
        """Read an answer. Raises Retryable where it is not one."""

    async def _answer(self, request: Request) -> Reply:
        async def attempt() -> Reply:
            return await self._attempt(request)

        try:
            reply = await with_retries(
                attempt,
                patience=self._patience,
                sleep=self._endpoint.sleep,
                on_retry=self._retried,
                rng=self._rng,
            )
        except Retryable as failure:
            raise self._given_up(failure) from None
        except CallFailed as failure:
            self._meter.failures += 1
            raise CallFailed(f"{self._spec}: {failure}") from None
        self._meter.count(reply.usage, self._price)
        return reply

    def _retried(self) -> None:
        self._meter.retries += 1

    def _given_up(self, failure: Retryable) -> HarnessError:
        if isinstance(failure, NotConnected) and not self._endpoint.reached:
            return self._endpoint.unreachable()
        self._meter.failures += 1
        asked = failure.retry_after_s
        wait = f" and asks to wait {asked:.0f} s" if asked is not None and asked > self._patience.waiting_s else ""
        return CallFailed(f"{self._spec}: gave up after repeated attempts: {failure.reason}{wait}")

    async def _attempt(self, request: Request) -> Reply:
        if self._client is None:
            self._sdk, self._client = self._load()
        for _ in range(ADAPTATIONS):
            dialect = self._dialect
            payload, applied = self._payload(request, dialect)
            answer = await self._in_a_slot(payload, applied, request)
            if isinstance(answer, Reply):
                return answer
            self._adapt(dialect, payload, answer)
        raise Retryable("the model rejects its parameters one after another")

    async def _in_a_slot(
        self, payload: dict[str, Json], applied: dict[str, Json], request: Request
    ) -> Reply | Refusal:
        entered = await self._endpoint.enter()
        outcome: Outcome = "failed"
        begun = time.perf_counter()
        try:
            answer = await self._exchange(payload)
            outcome = "answered"
            if isinstance(answer, Refusal):
                return answer if not answer.of_content else _refused(answer, applied, time.perf_counter() - begun)
            return _timed(self._read(answer, schema=request.schema is not None, applied=applied), begun)
        except Retryable as failure:
            outcome = "slow_down" if failure.slow_down else "failed"
            if failure.slow_down and failure.retry_after_s:
                self._endpoint.pause(failure.retry_after_s)
            raise
        finally:
            self._endpoint.leave(entered, outcome)
