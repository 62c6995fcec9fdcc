"""--max-cost: what a command may pay. Holds back each request's worst case before it is sent, settles it after.

Spent and held back together never pass the limit, however many requests are under way. Where the next one does not
fit, it waits for those to be settled; where none is under way it is refused, and the run stops with all that was done.

The worst case: one input token for every UTF-8 byte of the request's JSON, for no tokenizer that falls back to bytes
makes more of them, and some more for what a provider adds unseen (how to use a tool, say); and as many output
tokens, those of reasoning among them, as the request allows. What no answer came back for (a connection that was
dropped, an answer that cannot be read) may still have been computed and is settled at its worst case; a status that
is an error, or a connection that never was, costs nothing.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections import deque
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from harness.errors import InputError, RunStopped
from harness.models.failures import NotConnected
from harness.models.meter import Price
from judges.types import Json, Usage

# What a provider may add that nobody sees. Anthropic documents up to 804 tokens for the use of tools.
PREAMBLE, WITH_TOOLS = 100, 1000
LARGER = "give a larger --max-cost"
_BOUNDS = ("max_tokens", "max_completion_tokens")


class Budget:
    """What one command may pay in US dollars. Every model of a run shares it; one event loop at a time.

    `way_out` is said where it stops: the command that goes on.
    """

    def __init__(self, limit_usd: float = math.inf) -> None:
        self.limit_usd, self.spent_usd, self.way_out = limit_usd, 0.0, LARGER
        self._held_usd, self._under_way = 0.0, 0
        self._waiting: deque[tuple[float, str, asyncio.Future[None]]] = deque()
        self._stopped: str | None = None

    @property
    def limited(self) -> bool:
        """Whether there is a limit at all."""
        return self.limit_usd < math.inf

    async def hold(self, usd: float, spec: str) -> Hold:
        """Hold back what a request may cost at most, as soon as that fits.

        Raises RunStopped where it does not fit and nothing that is under way could make room.
        """
        if self._stopped is not None:
            raise RunStopped(self._stopped)
        place = asyncio.get_running_loop().create_future()
        self._waiting.append((usd, spec, place))
        self._admit()
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and place.exception() is None:
                self.release(usd)
            raise
        return Hold(self, usd)

    def release(self, held_usd: float, spent_usd: float = 0.0) -> None:
        """Give back what was held, less what was spent of it."""
        self.spent_usd += spent_usd
        self._under_way -= 1
        # Set anew where nothing is under way, so that no rounding adds up.
        self._held_usd = self._held_usd - held_usd if self._under_way else 0.0
        self._admit()

    def _admit(self) -> None:
        while self._waiting:
            usd, spec, place = self._waiting[0]
            if not place.done():
                if self.spent_usd + self._held_usd + usd > self.limit_usd:
                    if not self._under_way:
                        self._stop(usd, spec)
                    return
                self._held_usd += usd
                self._under_way += 1
                place.set_result(None)
            self._waiting.popleft()

    def _stop(self, usd: float, spec: str) -> None:
        left = max(0.0, self.limit_usd - self.spent_usd)
        self._stopped = (
            f"--max-cost {dollars(self.limit_usd)} would be passed: {dollars(self.spent_usd)} spent, {dollars(left)} "
            f"left, and the next request to {spec} may cost up to {dollars(usd)}; all that was done is kept, "
            f"{self.way_out}"
        )
        for _, _, place in self._waiting:
            if not place.done():
                place.set_exception(RunStopped(self._stopped))
        self._waiting.clear()


class Hold:
    """What is held back for one request, as a context: settled once, at the worst case where no more is known."""

    def __init__(self, budget: Budget, usd: float) -> None:
        self._budget, self._usd, self._open = budget, usd, True

    def settle(self, usd: float | None) -> None:
        """The request cost this much; None where that is not known."""
        if self._open:
            self._open = False
            self._budget.release(self._usd, self._usd if usd is None else usd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.settle(0.0 if isinstance(error, NotConnected) else None)


def budget(max_cost: float | None) -> Budget:
    """The budget of --max-cost; without a limit where it is not given. Raises InputError where it is no amount."""
    if max_cost is None:
        return Budget()
    if not (math.isfinite(max_cost) and max_cost > 0):
        raise InputError(f"--max-cost is an amount in US dollars above 0, found {max_cost:g}")
    return Budget(max_cost)


def worst_case(body: Mapping[str, Json], price: Price) -> float | None:
    """The most that a request can cost in US dollars; None where nothing bounds its answer."""
    bound = next((body[name] for name in _BOUNDS if name in body), None)
    if bound is None:
        return None
    size = len(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))
    unseen = WITH_TOOLS if "tools" in body else PREAMBLE
    return price.of(Usage(input_tokens=size + unseen, output_tokens=int(bound)))


def paid(usage: Usage | None, price: Price) -> float | None:
    """What an answer cost; None where the provider does not say what it took."""
    if usage is None or not (usage.input_tokens or usage.output_tokens):
        return None
    return price.of(usage)


def dollars(usd: float) -> str:
    """An amount as "$12.30"; below a dollar with as many digits as tell it from nothing."""
    if usd == 0 or usd >= 1:
        return f"${usd:,.2f}"
    digits = max(2, 2 - math.floor(math.log10(usd)))
    return f"${usd:.{digits}f}"
