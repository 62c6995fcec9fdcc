"""Batches off the event loop: the next under way while one is looked at, halved where they do not fit."""

from __future__ import annotations

import asyncio
import gc
import threading
import time

import pytest

pytest.importorskip("torch")
import torch

from harness.errors import RunStopped
from harness.models.generating import in_halves


def alone(item):
    return f"no room for {item} alone"


class Model:
    """Doubles numbers, `room` of them at once; counts who works at the same time."""

    def __init__(self, room=100, seconds=0.0):
        self.room, self.seconds, self.asked, self._busy, self.most = room, seconds, [], 0, 0
        self._lock = threading.Lock()

    def work(self, batch):
        with self._lock:
            self._busy += 1
            self.most = max(self.most, self._busy)
        try:
            self.asked.append(list(batch))
            time.sleep(self.seconds)
            if len(batch) > self.room:
                raise torch.OutOfMemoryError("too much")
            return [2 * value for value in batch]
        finally:
            with self._lock:
                self._busy -= 1

    @property
    def idle(self):
        return self._busy == 0


async def collected(model, batches):
    return [(batch, list(found)) async for batch, found, _ in in_halves(batches, model.work, alone)]


def test_every_batch_comes_once_with_its_results_in_order():
    model = Model()
    found = asyncio.run(collected(model, [[1, 2], [3], [4, 5]]))
    assert found == [([1, 2], [2, 4]), ([3], [6]), ([4, 5], [8, 10])]
    assert asyncio.run(collected(Model(), [])) == []


def test_a_batch_that_does_not_fit_is_halved_and_what_fits_is_asked_once():
    model = Model(room=2)
    found = asyncio.run(collected(model, [[1, 2, 3, 4, 5], [6]]))
    assert sorted(value for _, results in found for value in results) == [2, 4, 6, 8, 10, 12]
    answered = [item for batch in model.asked if len(batch) <= 2 for item in batch]
    assert sorted(answered) == [1, 2, 3, 4, 5, 6]
    assert model.most == 1


def test_one_item_that_does_not_fit_stops_with_what_is_said_of_it():
    with pytest.raises(RunStopped, match="no room for 7 alone"):
        asyncio.run(collected(Model(room=0), [[7]]))


def test_the_next_batch_is_under_way_while_one_is_looked_at_and_never_two():
    model = Model(seconds=0.05)

    async def looked_at():
        seen = []
        async for batch, _, _ in in_halves([[1], [2], [3]], model.work, alone):
            # The event loop has to turn once for the next to begin.
            await asyncio.sleep(0.02)
            seen.append((batch, list(map(tuple, model.asked))))
        return seen

    seen = asyncio.run(looked_at())
    assert [asked for _, asked in seen] == [[(1,), (2,)], [(1,), (2,), (3,)], [(1,), (2,), (3,)]]
    assert model.most == 1


def test_whoever_stops_looking_leaves_the_model_idle():
    model = Model(seconds=0.1)

    async def first_alone():
        found = in_halves([[1], [2], [3]], model.work, alone)
        async for _ in found:
            await asyncio.sleep(0.02)
            break
        await found.aclose()
        return model.idle, list(model.asked)

    assert asyncio.run(first_alone()) == (True, [[1], [2]])


def test_whoever_is_called_off_leaves_the_model_idle():
    model = Model(seconds=0.1)

    async def called_off():
        task = asyncio.create_task(collected(model, [[1], [2]]))
        await asyncio.sleep(0.03)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return model.idle, list(model.asked)

    assert asyncio.run(called_off()) == (True, [[1]])


def test_a_failure_that_nobody_waits_for_is_not_told(caplog):
    async def first_alone():
        found = in_halves([[1], [2, 3], [4]], lambda batch: [1 // (2 - batch[0])], alone)
        async for _ in found:
            await asyncio.sleep(0.02)
            break
        await found.aclose()

    asyncio.run(first_alone())
    gc.collect()
    assert caplog.text == ""


def test_a_failure_of_the_model_is_raised_as_itself():
    def broken(batch):
        raise ValueError("weights are gone")

    async def failing():
        async for _ in in_halves([[1], [2]], broken, alone):
            pass

    with pytest.raises(ValueError, match="weights are gone"):
        asyncio.run(failing())
