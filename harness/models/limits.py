"""How many requests an endpoint gets at once, and when it is given up: shared by every model that is reached there.

It starts small, doubles with every round of answers until the first "too many requests", then grows by one a round;
each burst of refusals takes a fifth off. It refuses to go on where no connection was ever made, and once any call
has shown that none can succeed; whoever waits is told at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from harness.errors import CallFailed, RunStopped

Outcome = Literal["answered", "slow_down", "failed"]

START = 8
SHRINK = 0.8
LONGEST_PAUSE_S = 60.0
# Nothing new is tried after half of it: a name lookup goes on for as long as the resolver likes once it has begun, and
# the program cannot end before it, yet everything must be over within the 15 s promised.
CONNECT_WITHIN_S = 9.0


class Limits:
    """The endpoints of one run. `concurrency` is the most requests any of them is sent at once."""

    def __init__(self, *, concurrency: int = 100, connect_within_s: float = CONNECT_WITHIN_S) -> None:
        self.concurrency, self._connect_within_s = concurrency, connect_within_s
        self._endpoints: dict[tuple[str, str], Endpoint] = {}

    def endpoint(self, provider: str, url: str) -> Endpoint:
        """The one endpoint of a provider at an address (shown form, without secrets)."""
        key = (provider, url)
        if key not in self._endpoints:
            self._endpoints[key] = Endpoint(url=url, most=self.concurrency, connect_within_s=self._connect_within_s)
        return self._endpoints[key]


class Endpoint:
    """One address: its slots, its pauses, and whether it was ever reached."""

    def __init__(self, *, url: str, most: int, connect_within_s: float = CONNECT_WITHIN_S) -> None:
        self.url, self._most, self._connect_within_s = url, max(1, most), connect_within_s
        self.limit = float(min(START, self._most))
        self.active = 0
        self.reached = False
        self._doubling = True
        self._shrunk_at = self._paused_until = float("-inf")
        self._stopped: str | None = None
        self._unreachable = "no connection was made"
        self._queue: deque[asyncio.Future[None]] = deque()
        self._sleepers: set[asyncio.Future[None]] = set()
        self._connecting: set[asyncio.Timeout] = set()
        self._first_at: float | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._resume: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def enter(self) -> float:
        """Wait for a slot; returns the loop's time at which it was given, for `leave`.

        Raises RunStopped where the endpoint was given up, CallFailed where it asks for a pause nobody waits out.
        """
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._move_to(loop)
        self._check(loop.time())
        if self._queue or not self._free(loop.time()):
            await self._line_up(loop)
        else:
            self.active += 1
        return loop.time()

    def leave(self, entered: float, outcome: Outcome) -> None:
        """Give the slot back and learn from how the request went."""
        now = asyncio.get_running_loop().time()
        if outcome == "answered" and self.active >= int(self.limit):
            self.limit = min(self._most, self.limit + (1.0 if self._doubling else 1.0 / self.limit))
        elif outcome == "slow_down" and entered > self._shrunk_at:
            # Requests that were under way when it last shrank belong to the same burst.
            self.limit, self._doubling, self._shrunk_at = max(1.0, self.limit * SHRINK), False, now
        self.active -= 1
        self._admit()

    def pause(self, seconds: float) -> None:
        """Send nothing new for a while; a pause nobody waits out fails the calls in the queue."""
        loop = asyncio.get_running_loop()
        self._paused_until = max(self._paused_until, loop.time() + seconds)
        if seconds > LONGEST_PAUSE_S:
            _fail(self._queue, CallFailed(self._too_long(seconds)))
            self._queue.clear()
        self._admit()

    def connected(self) -> None:
        """A connection was made: from here on a failing one is like any other failure."""
        self.reached = True
        self._connecting.clear()
        if self._deadline is not None:
            self._deadline.cancel()

    def not_connected(self, reason: str) -> None:
        """Remember why a connection failed, for the sentence the run may stop with."""
        self._unreachable = reason

    def stop(self, message: str) -> RunStopped:
        """No further call can succeed here: wake everybody who waits. Returns what to raise."""
        if self._stopped is None:
            self._stopped = message
            for waiting in (self._queue, self._sleepers):
                _fail(waiting, RunStopped(message))
                waiting.clear()
            for scope in self._connecting:
                if not scope.expired():
                    scope.reschedule(asyncio.get_running_loop().time())
        return RunStopped(self._stopped)

    def unreachable(self) -> RunStopped:
        """Stop because no connection was ever made."""
        return self.stop(
            f"{self.url} cannot be reached: {self._unreachable}; check the address and that a server answers there"
        )

    async def sleep(self, seconds: float) -> None:
        """Wait before another attempt. Raises RunStopped at once where the endpoint is given up meanwhile."""
        loop = asyncio.get_running_loop()
        self._check(loop.time(), paused=False)
        sleeper = loop.create_future()
        handle = loop.call_later(seconds, _wake, sleeper)
        self._sleepers.add(sleeper)
        try:
            await sleeper
        finally:
            handle.cancel()
            self._sleepers.discard(sleeper)

    @asynccontextmanager
    async def attempt(self, within_s: float) -> AsyncIterator[None]:
        """Bound one request in time, and end it early where nothing connects.

        Raises RunStopped for the latter, TimeoutError for the former.
        """
        scope = asyncio.timeout(within_s)
        try:
            async with scope:
                if not self.reached:
                    self._watch(scope)
                yield
        except TimeoutError:
            if scope in self._connecting and self._stopped is not None:
                raise RunStopped(self._stopped) from None
            raise
        finally:
            self._connecting.discard(scope)

    def _move_to(self, loop: asyncio.AbstractEventLoop) -> None:
        # Whoever waited on an earlier event loop is gone with it, and so are its timers.
        self._loop, self._first_at, self._deadline, self._resume, self.active = loop, None, None, None, 0
        for waiting in (self._queue, self._sleepers, self._connecting):
            waiting.clear()

    def _watch(self, scope: asyncio.Timeout) -> None:
        loop = asyncio.get_running_loop()
        if self._first_at is None:
            self._first_at = loop.time()
        if loop.time() - self._first_at > self._connect_within_s / 2:
            raise self.unreachable()
        self._connecting.add(scope)
        if self._deadline is None:
            self._deadline = loop.call_later(self._connect_within_s, self._give_up_connecting)

    def _give_up_connecting(self) -> None:
        self._deadline = None
        if not self.reached and (self._connecting or self._sleepers):
            self.unreachable()

    async def _line_up(self, loop: asyncio.AbstractEventLoop) -> None:
        place = loop.create_future()
        self._queue.append(place)
        self._admit()
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and place.exception() is None:
                self.active -= 1
                self._admit()
            raise

    def _admit(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        while self._queue and self._free(now):
            place = self._queue.popleft()
            if not place.done():
                self.active += 1
                place.set_result(None)
        if self._queue and now < self._paused_until and self._resume is None:
            self._resume = loop.call_later(self._paused_until - now, self._go_on)

    def _go_on(self) -> None:
        self._resume = None
        self._admit()

    def _free(self, now: float) -> bool:
        return self.active < int(self.limit) and now >= self._paused_until

    def _check(self, now: float, *, paused: bool = True) -> None:
        if self._stopped is not None:
            raise RunStopped(self._stopped)
        if paused and self._paused_until - now > LONGEST_PAUSE_S:
            raise CallFailed(self._too_long(self._paused_until - now))

    def _too_long(self, seconds: float) -> str:
        return f"{self.url} asks to wait {seconds:.0f} s before the next request, longer than {LONGEST_PAUSE_S:.0f} s"


def _wake(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():
        sleeper.set_result(None)


def _fail(waiting: deque[asyncio.Future[None]] | set[asyncio.Future[None]], error: Exception) -> None:
    for future in tuple(waiting):
        if not future.done():
            future.set_exception(error)
