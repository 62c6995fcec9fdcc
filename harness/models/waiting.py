"""Questions that wait for a local model, so that whatever waits together is answered together, each question once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Generic, TypeVar

from harness.errors import TooLong

Item = TypeVar("Item")
Result = TypeVar("Result")
Encoded = TypeVar("Encoded")

# Whoever is about to ask joins the next round.
GATHERING_S = 0.002


class Waiting(Generic[Item, Result]):
    """Questions by key. `work` answers a round of them and yields each key with its result, in any order.

    What `work` yields as an error is raised to whoever asked that one; what it raises, to everyone who waits.
    """

    def __init__(self, work: Callable[[Mapping[str, Item]], AsyncIterator[tuple[str, Result | TooLong]]]) -> None:
        self._work = work
        self._items: dict[str, tuple[Item, asyncio.Future[Result]]] = {}
        self._draining: asyncio.Task[None] | None = None

    async def ask(self, key: str, item: Item) -> Result:
        """The result of a question; one that waits already under this key is not asked twice."""
        if key not in self._items:
            self._items[key] = (item, asyncio.get_running_loop().create_future())
        future = self._items[key][1]
        if self._draining is None:
            self._draining = asyncio.create_task(self._drain())
        return await asyncio.shield(future)

    async def _drain(self) -> None:
        """Round after round, until nothing waits."""
        try:
            while self._items:
                await asyncio.sleep(GATHERING_S)
                async for key, result in self._work({key: item for key, (item, _) in self._items.items()}):
                    future = self._items.pop(key)[1]
                    if not future.done():
                        _settle(future, result)
        except Exception as error:
            for _, future in self._items.values():
                if not future.done():
                    future.set_exception(error)
            self._items.clear()
        finally:
            self._draining = None


def _settle(future: asyncio.Future[Result], result: Result | TooLong) -> None:
    if isinstance(result, TooLong):
        future.set_exception(result)
        # Whoever asked may be gone: nobody else needs to hear of it.
        future.exception()
    else:
        future.set_result(result)


def fitting(
    items: Mapping[str, Item], encode: Callable[[Item], Encoded]
) -> tuple[list[tuple[str, Encoded]], list[tuple[str, TooLong]]]:
    """Every item as `encode` has it, and apart from those the ones that it finds too long, with what it raised."""
    rows: list[tuple[str, Encoded]] = []
    beyond: list[tuple[str, TooLong]] = []
    for key, item in items.items():
        try:
            rows.append((key, encode(item)))
        except TooLong as error:
            beyond.append((key, error))
    return rows, beyond
