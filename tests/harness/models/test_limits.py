"""The adaptive limit: how it grows, shrinks, pauses and stops; and laws that hold whatever an endpoint answers."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import CallFailed, RunStopped
from harness.models.limits import Endpoint, Limits, Outcome

URL = "http://127.0.0.1:9"


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    async def bounded() -> Any:
        async with asyncio.timeout(10):
            return await coroutine

    return asyncio.run(bounded())


async def a_round(endpoint: Endpoint, outcome: Outcome, *, at_once: int | None = None) -> None:
    """As many requests as the limit lets in at once, all ending alike."""
    entered = [await endpoint.enter() for _ in range(at_once or int(endpoint.limit))]
    await asyncio.sleep(0.001)
    for moment in entered:
        endpoint.leave(moment, outcome)


def test_it_starts_small_and_doubles_while_it_goes_well() -> None:
    async def rounds() -> list[int]:
        endpoint, running = Endpoint(url=URL, most=100), list[float]()

        async def call() -> None:
            running.append(await endpoint.enter())

        calls = [asyncio.create_task(call()) for _ in range(500)]
        seen = []
        for _ in range(6):
            await asyncio.sleep(0.001)
            seen.append(len(running))
            ended, running[:] = tuple(running), ()
            for moment in ended:
                endpoint.leave(moment, "answered")
        for waiting in calls:
            waiting.cancel()
        return seen

    assert run(rounds()) == [8, 16, 32, 64, 100, 100]


def test_it_does_not_grow_while_it_is_not_used() -> None:
    async def few() -> float:
        endpoint = Endpoint(url=URL, most=100)
        for _ in range(20):
            await a_round(endpoint, "answered", at_once=3)
        return endpoint.limit

    assert run(few()) == 8


def test_a_burst_of_refusals_takes_a_fifth_off_once() -> None:
    async def burst() -> list[float]:
        endpoint = Endpoint(url=URL, most=100)
        endpoint.limit = 50.0
        await a_round(endpoint, "slow_down")
        once = endpoint.limit
        await a_round(endpoint, "slow_down")
        return [once, endpoint.limit]

    assert run(burst()) == pytest.approx([40.0, 32.0])


def test_after_a_refusal_it_grows_by_one_a_round() -> None:
    async def later() -> float:
        endpoint = Endpoint(url=URL, most=100)
        endpoint.limit = 25.0
        await a_round(endpoint, "slow_down")
        await a_round(endpoint, "answered")
        return endpoint.limit

    assert 20 < run(later()) <= 21


@given(
    most=st.integers(1, 60),
    outcomes=st.lists(st.sampled_from(["answered", "slow_down", "failed"]), max_size=40),
)
def test_the_limit_stays_between_one_and_the_maximum_and_no_slot_is_lost(most: int, outcomes: list[Outcome]) -> None:
    async def any_course() -> None:
        endpoint = Endpoint(url=URL, most=most)
        for outcome in outcomes:
            entered = [await endpoint.enter() for _ in range(int(endpoint.limit))]
            assert endpoint.active == int(endpoint.limit)
            for moment in entered:
                endpoint.leave(moment, outcome)
            assert 1 <= endpoint.limit <= most
            assert endpoint.active == 0

    run(any_course())


@given(slots=st.integers(1, 12), calls=st.integers(1, 40))
def test_never_more_at_once_than_the_maximum_and_everybody_gets_a_turn(slots: int, calls: int) -> None:
    async def crowd() -> tuple[int, int]:
        endpoint, seen, served = Endpoint(url=URL, most=slots), 0, 0

        async def call() -> None:
            nonlocal seen, served
            moment = await endpoint.enter()
            seen = max(seen, endpoint.active)
            await asyncio.sleep(0)
            endpoint.leave(moment, "answered")
            served += 1

        await asyncio.gather(*(call() for _ in range(calls)))
        return seen, served

    seen, served = run(crowd())
    assert seen <= slots
    assert served == calls


def test_a_pause_holds_new_requests_back() -> None:
    async def paused() -> float:
        endpoint = Endpoint(url=URL, most=10)
        begun = asyncio.get_running_loop().time()
        endpoint.pause(0.1)
        await endpoint.enter()
        return asyncio.get_running_loop().time() - begun

    assert 0.09 <= run(paused()) < 2


def test_a_pause_beyond_a_minute_fails_whoever_waits_and_whoever_comes() -> None:
    async def paused() -> Any:
        endpoint = Endpoint(url=URL, most=1)
        await endpoint.enter()
        waiting = asyncio.create_task(endpoint.enter())
        await asyncio.sleep(0)
        endpoint.pause(300.0)
        return await asyncio.gather(waiting, endpoint.enter(), return_exceptions=True)

    assert [type(outcome) for outcome in run(paused())] == [CallFailed, CallFailed]


def test_stopping_wakes_everybody_at_once() -> None:
    async def stopped() -> Any:
        endpoint = Endpoint(url=URL, most=1)
        await endpoint.enter()
        waiting = asyncio.create_task(endpoint.enter())
        sleeping = asyncio.create_task(endpoint.sleep(60))
        await asyncio.sleep(0)
        endpoint.stop("the key is wrong")
        return await asyncio.gather(waiting, sleeping, endpoint.enter(), endpoint.sleep(60), return_exceptions=True)

    outcomes = run(stopped())
    assert {type(outcome) for outcome in outcomes} == {RunStopped}
    assert {str(outcome) for outcome in outcomes} == {"the key is wrong"}


def test_a_cancelled_wait_gives_its_slot_to_the_next() -> None:
    async def cancelled() -> float:
        endpoint = Endpoint(url=URL, most=1)
        moment = await endpoint.enter()
        first, second = (asyncio.create_task(endpoint.enter()) for _ in range(2))
        await asyncio.sleep(0)
        endpoint.leave(moment, "answered")
        # The slot is the first one's already when it is cancelled.
        first.cancel()
        return float(await second)

    assert run(cancelled()) > 0


def test_without_a_connection_an_attempt_ends_in_time() -> None:
    async def hanging() -> None:
        endpoint = Endpoint(url=URL, most=1, connect_within_s=0.05)
        endpoint.not_connected("the connection timed out")
        async with endpoint.attempt(60):
            await asyncio.sleep(60)

    with pytest.raises(RunStopped, match=f"{URL} cannot be reached: the connection timed out"):
        run(hanging())


def test_with_a_connection_an_attempt_may_take_its_time() -> None:
    async def connected() -> bool:
        endpoint = Endpoint(url=URL, most=1, connect_within_s=0.02)
        async with endpoint.attempt(60):
            endpoint.connected()
            await asyncio.sleep(0.06)
        return True

    assert run(connected())


def test_an_attempt_is_bounded() -> None:
    async def trickling() -> None:
        endpoint = Endpoint(url=URL, most=1)
        endpoint.connected()
        async with endpoint.attempt(0.02):
            await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        run(trickling())


def test_models_of_one_address_share_an_endpoint_and_others_do_not() -> None:
    limits = Limits(concurrency=3)
    assert limits.endpoint("openai", URL) is limits.endpoint("openai", URL)
    assert limits.endpoint("openai", URL) is not limits.endpoint("anthropic", URL)
    assert limits.endpoint("openai", URL).limit == 3
