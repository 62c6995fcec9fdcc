"""What both APIs share: the cache before the call, a slot, the call, what a refusal teaches, the retries.

A provider's module adds its wire format alone. The SDK is imported at the first request that really goes out, its
own retries are off, and whatever it raises becomes one sentence without a key.
"""

from __future__ import annotations

import os
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from harness.errors import CallFailed, HarnessError, RunStopped, TooLong
from harness.models.access import access, access_from_env
from harness.models.budget import Budget, Hold, paid, worst_case
from harness.models.cache import ReplyCache, cache_key, provenance
from harness.models.connection import options
from harness.models.dialect import Dialect, Refusal, learn
from harness.models.failures import NotConnected, body_of, lost, may_pass, refusal, too_long
from harness.models.limits import Limits, Outcome
from harness.models.meter import Meter, Price
from harness.models.retry import Patience, Retryable, with_retries
from judges.types import Json, Reply, Request, any_reply

CONNECT_S = 5.0
READ_S = 600.0
# One for each thing a model can reject, one for the request that is left, one to spare.
ADAPTATIONS = 8
_JITTER = random.Random()
_WAYS_OUT = {
    401: "check its API key",
    403: "check what its API key may do",
    404: "check the model's name and the address",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Payload:
    """What is sent, and which parameters of it are recorded as applied."""

    body: dict[str, Json]
    applied: dict[str, Json]
    structured: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Wire:
    """How a request is written and an answer read. `reading` raises Retryable where it is none.

    `refused` is asked first what a refusal means: it raises where the request cannot do without what was refused.
    """

    writing: Callable[[Request, Dialect], Payload]
    reading: Callable[[Mapping[str, Json], Payload, float], Reply]
    refused: Callable[[Refusal, Payload], None] = lambda refusal, sent: None


class ApiModel(ABC):
    """A model behind an HTTP API. A subclass says how a request is written and how an answer is read."""

    provider: ClassVar[str]
    default_url: ClassVar[str]
    bound_is_fixed: ClassVar[bool] = False

    def __init__(
        self,
        *,
        spec: str,
        model: str,
        base_url: str | None,
        api_key: str,
        limits: Limits,
        cache: ReplyCache | None = None,
        meter: Meter | None = None,
        price: Price | None = None,
        budget: Budget | None = None,
        patience: Patience | None = None,
        read_timeout_s: float = READ_S,
        rng: random.Random = _JITTER,
    ) -> None:
        self._spec, self._model, self._cache, self._price, self._rng = spec, model, cache, price, rng
        self._access = access(url=base_url or self.default_url, key=api_key, origin=f"{spec}: its base URL")
        self._endpoint = limits.endpoint(self.provider, self._access.shown)
        self._connections = limits.concurrency
        self._meter, self._patience = meter or Meter(), patience or Patience()
        self._budget = budget or Budget()
        self._read_timeout_s = read_timeout_s
        self._identity = {"provider": self.provider, "url": self._access.shown, "model": model}
        self._dialect = Dialect()
        self._sdk: Any = None
        self._client: Any = None

    @classmethod
    def from_env(
        cls, *, spec: str, name: str | None, model: str, environ: Mapping[str, str] = os.environ, **rest: Any
    ) -> Self:
        """Build from the provider's own variables, or from NAME_API_KEY and NAME_BASE_URL.

        `rest` goes to the constructor. Raises InputError where a variable is unset or cannot be used.
        """
        found = access_from_env(
            spec=spec,
            prefix=name or cls.provider.upper(),
            default_url=None if name else cls.default_url,
            environ=environ,
        )
        return cls(spec=spec, model=model, base_url=found.url, api_key=found.key, **rest)

    @property
    def spec(self) -> str:
        """The spec it was built from, as given."""
        return self._spec

    @property
    def url(self) -> str:
        """The address it is reached at, without secrets."""
        return self._access.shown

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._spec!r}, url={self.url!r})"

    async def ask(
        self, request: Request, *, usable: Callable[[Reply], bool] = any_reply, stored_as: Request | None = None
    ) -> Reply:
        """Answer a request, from the cache where it was answered before (see `judges.types.Model.ask`).

        Raises CallFailed where this call was given up, RunStopped where no further call can succeed.
        """
        wire = Wire(writing=self._payload, reading=self._read)
        return await self._asked(request, self._identity, wire, usable, stored_as or request)

    async def _asked(
        self,
        request: Request,
        identity: Mapping[str, Json],
        wire: Wire,
        usable: Callable[[Reply], bool],
        kept: Request,
    ) -> Reply:
        key = cache_key(identity, request)
        cached = self._cache.get(key) if self._cache is not None else None
        if cached is not None:
            self._meter.hits += 1
        reply = cached if cached is not None else await self._answer(request, wire)
        # A judge's template is what tells a question to a judge from one to a contestant.
        self._meter.measure(self._spec, "judgments" if request.template else "responses", reply.usage)
        if cached is None and self._cache is not None and usable(reply):
            key = key if kept is request else cache_key(identity, kept)
            self._cache.put(key, reply, source=provenance(identity, kept))
        return reply

    async def aclose(self) -> None:
        """Close the connections, where any were opened. A later question opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def _http_options(self) -> dict[str, Any]:
        return options(self._endpoint, connections=self._connections, connect_s=CONNECT_S, read_s=self._read_timeout_s)

    @abstractmethod
    def _open(self) -> tuple[Any, Any]:
        """Import the SDK and build its asynchronous client; both."""

    @abstractmethod
    async def _send(self, body: dict[str, Json]) -> bytes:
        """Send one request through the SDK; the answer's body."""

    @abstractmethod
    def _payload(self, request: Request, dialect: Dialect) -> Payload:
        """A request as the API wants it."""

    @abstractmethod
    def _read(self, body: Mapping[str, Json], sent: Payload, seconds: float) -> Reply:
        """Read an answer that took `seconds`. Raises Retryable where it is not one."""

    async def _answer(self, request: Request, wire: Wire) -> Reply:
        tries = 0

        async def attempt() -> Reply:
            nonlocal tries
            tries += 1
            return await self._attempt(request, wire)

        try:
            reply = await with_retries(
                attempt, patience=self._patience, sleep=self._endpoint.sleep, on_retry=self._retried, rng=self._rng
            )
        except Retryable as failure:
            raise self._given_up(failure, tries) from None
        except TooLong as found:
            raise found.at(self._spec) from None
        except CallFailed as failure:
            self._meter.failures += 1
            raise CallFailed(f"{self._spec}: {failure}") from None
        self._meter.count(reply.usage, self._price)
        return reply

    def _retried(self) -> None:
        self._meter.retries += 1

    def _given_up(self, failure: Retryable, tries: int) -> HarnessError:
        if isinstance(failure, NotConnected) and not self._endpoint.reached:
            return self._endpoint.unreachable()
        self._meter.failures += 1
        asked = failure.retry_after_s or 0.0
        wait = f", and asks to wait {asked:.0f} s" if asked > self._patience.waiting_s else ""
        return CallFailed(f"{self._spec}: given up after {tries} attempts: {failure.reason}{wait}")

    async def _attempt(self, request: Request, wire: Wire) -> Reply:
        if self._client is None:
            self._sdk, self._client = self._open()
        for _ in range(ADAPTATIONS):
            dialect = self._dialect
            sent = wire.writing(request, dialect)
            entered = await self._endpoint.enter()
            outcome: Outcome = "failed"
            try:
                reply = await self._in_slot(sent, dialect, wire)
                outcome = "answered"
            except Retryable as failure:
                outcome = "slow_down" if failure.slow_down else "failed"
                if failure.slow_down and failure.retry_after_s:
                    self._endpoint.pause(failure.retry_after_s)
                raise
            finally:
                self._endpoint.leave(entered, outcome)
            if reply is not None:
                return reply
        raise Retryable(f"{self.url} rejects one parameter after another")

    async def _in_slot(self, sent: Payload, dialect: Dialect, wire: Wire) -> Reply | None:
        """The reply to one request; None where the refusal taught how to ask instead."""
        with await self._hold(sent) as held:
            begun = time.perf_counter()
            answer = await self._exchange(sent)
            seconds = round(time.perf_counter() - begun, 4)
            if not isinstance(answer, Refusal):
                reply = wire.reading(answer, sent, seconds)
                held.settle(paid(reply.usage, self._price) if self._price is not None else 0.0)
                return reply
            held.settle(0.0)
        if answer.of_content:
            return Reply(text=answer.message, finish="refused", applied=sent.applied, latency_s=seconds)
        unfit = too_long(answer, self.url, _bound(sent.body))
        if unfit is not None:
            raise unfit
        wire.refused(answer, sent)
        learned = learn(dialect, sent.body, answer, model=self._model, bound_is_fixed=self.bound_is_fixed)
        if learned is None:
            raise self._refused(answer)
        self._dialect = self._dialect.merged(learned)
        return None

    async def _hold(self, sent: Payload) -> Hold:
        """Hold back what a request may cost. Raises RunStopped where that would pass --max-cost, or has no bound."""
        if self._price is None or not self._budget.limited:
            return await self._budget.hold(0.0, self._spec)
        usd = worst_case(sent.body, self._price)
        if usd is None:
            raise RunStopped(
                f"{self._spec}: {self.url} takes no bound on the tokens of an answer, so that --max-cost cannot be "
                "kept; go on without it"
            )
        return await self._budget.hold(usd, self._spec)

    def _refused(self, found: Refusal) -> Exception:
        passing = may_pass(found, self.url)
        if passing is not None:
            return passing
        said = f"{self.url} answered {found.status}: {found.message}"
        if found.status == 413:
            return CallFailed(said)
        way_out = _WAYS_OUT.get(found.status)
        return self._endpoint.stop(f"{self._spec}: {said}{f'; {way_out}' if way_out else ''}")

    async def _exchange(self, sent: Payload) -> Mapping[str, Json] | Refusal:
        self._meter.requests += 1
        scrub = self._access.scrub
        try:
            # The SDK's own timeout starts anew with every byte; a trickle must end too.
            async with self._endpoint.attempt(2 * self._read_timeout_s):
                raw = await self._send(sent.body)
        except TimeoutError:
            raise Retryable(f"{self.url}: no whole answer within {2 * self._read_timeout_s:.0f} s") from None
        except self._sdk.APIStatusError as error:
            self._endpoint.connected()
            return refusal(error.response.status_code, error.response.headers, error.body, scrub)
        except self._sdk.APIError as error:
            failure = lost(error, self.url, scrub)
            if isinstance(failure, NotConnected):
                self._endpoint.not_connected(failure.reason)
            raise failure from None
        self._endpoint.connected()
        return body_of(raw, self.url, scrub)


def _bound(body: Mapping[str, Json]) -> int | None:
    """The most tokens that a request allows its answer, under whichever name it is sent."""
    given = body.get("max_tokens", body.get("max_completion_tokens"))
    return given if isinstance(given, int) else None
