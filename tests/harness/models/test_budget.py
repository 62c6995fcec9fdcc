"""--max-cost: never passed by what the server itself counted, whatever goes wrong on the way."""

import asyncio
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import InputError, RunStopped
from harness.models.budget import PREAMBLE, Budget, budget, dollars, paid, worst_case
from harness.models.meter import Meter, Price, Step
from judges.types import Usage
from tests.harness.models.asking import PROVIDERS, SCHEMA, ask, ask_at_once, model, request
from tests.loopback import Fault, Loopback, policy

PRICE = Price(input_usd=2.0, output_usd=10.0)
MANY = [request(f"Question {place}: which is better?", schema=SCHEMA, max_tokens=300) for place in range(40)]


def cost(server, price=PRICE):
    """What the server's own token counts come to."""
    taken = [
        Usage(
            input_tokens=usage.get("prompt_tokens", usage.get("input_tokens")),
            output_tokens=usage.get("completion_tokens", usage.get("output_tokens")),
        )
        for usage in server.usages
    ]
    return sum(price.of(usage) for usage in taken)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("limit", [0.008, 0.0123, 0.016])
def test_what_the_server_counted_never_passes_the_limit(provider, limit):
    spending = Budget(limit)
    faults = [Fault(kind="rate_limit", every=7, retry_after="0"), Fault(kind="reset", at=[3, 11])]
    with Loopback(faults=faults, latency_s=0.01) as server:
        found = ask_at_once(model(provider, server.url, price=PRICE, budget=spending), MANY)
        stopped = [one for one in found if isinstance(one, BaseException)]
        assert stopped and all(isinstance(one, RunStopped) for one in stopped)
        assert 0 < cost(server) <= spending.spent_usd <= limit
        # Nothing that was paid for is thrown away.
        assert len(found) - len(stopped) == len(server.usages)


def test_the_sentence_says_what_was_spent_what_is_left_and_how_to_go_on():
    spending = Budget(0.01)
    spending.way_out = "`harness resume runs/x --max-cost USD` goes on"
    with Loopback() as server:
        found = ask_at_once(model("openai", server.url, price=PRICE, budget=spending), MANY)
    said = {str(one) for one in found if isinstance(one, RunStopped)}
    assert len(said) == 1
    left = dollars(0.01 - spending.spent_usd)
    assert said.pop().startswith(
        f"--max-cost $0.0100 would be passed: {dollars(spending.spent_usd)} spent, {left} left, and the next request "
        "to openai/loopback-1 may cost up to $0.00"
    )


def test_a_larger_limit_is_used_up_but_for_one_request():
    spending = Budget(0.05)
    with Loopback(latency_s=0.01) as server:
        many = [request(f"Question {place}", schema=SCHEMA, max_tokens=300) for place in range(400)]
        ask_at_once(model("openai", server.url, price=PRICE, budget=spending), many)
        assert 0.05 - 0.01 < cost(server) <= 0.05


def test_a_reply_without_usage_is_settled_at_its_worst_case():
    spending = Budget(1.0)
    with Loopback(usage="none") as server:
        asked = model("openai", server.url, price=PRICE, budget=spending)
        ask(asked, request(max_tokens=300))
        assert spending.spent_usd == worst_case(server.bodies[0], PRICE)


@pytest.mark.parametrize(("kind", "paid_for"), [("server_error", False), ("no_choices", True), ("reset", True)])
def test_every_try_counts_that_may_have_been_computed(kind, paid_for):
    spending = Budget(1.0)
    with Loopback(faults=[Fault(kind=kind, at=[0, 1])]) as server:
        ask(model("openai", server.url, price=PRICE, budget=spending), request(max_tokens=300))
        tries = 2 * worst_case(server.bodies[0], PRICE) if paid_for else 0.0
        assert spending.spent_usd == pytest.approx(cost(server) + tries)


def test_a_connection_that_never_was_costs_nothing():
    spending = Budget(1.0)
    found = ask_at_once(model("openai", "http://127.0.0.1:9", price=PRICE, budget=spending), [request()])
    assert isinstance(found[0], RunStopped) and spending.spent_usd == 0.0


def test_without_a_limit_nothing_is_held_back_and_no_price_is_needed():
    with Loopback(policy=policy.fixed("Well.")) as server:
        assert ask(model("openai", server.url), request())[0].text == "Well."


def test_a_model_that_takes_no_bound_has_no_worst_case():
    faults = [Fault(kind="rejects", parameter="max_tokens"), Fault(kind="rejects", parameter="max_completion_tokens")]
    with Loopback(faults=faults) as server:
        asked = model("openai", server.url, price=PRICE, budget=Budget(1.0))
        with pytest.raises(RunStopped, match="takes no bound on the tokens of an answer"):
            ask(asked, request())


@given(
    limit=st.floats(0.5, 20),
    asked=st.lists(st.tuples(st.floats(0.01, 3), st.floats(0, 1), st.booleans()), min_size=1, max_size=40),
    seed=st.integers(0, 99),
)
@settings(max_examples=150, deadline=None)
def test_spent_and_held_back_together_never_pass_the_limit(limit, asked, seed):
    spending, rng, most = Budget(limit), random.Random(seed), 0.0

    async def one(worst, share, cut):
        nonlocal most
        with await spending.hold(worst, "x") as held:
            most = max(most, spending.spent_usd + spending._held_usd)
            for _ in range(rng.randrange(4)):
                await asyncio.sleep(0)
            if cut:
                return
            held.settle(worst * share)

    async def everything():
        return await asyncio.gather(*(one(*each) for each in asked), return_exceptions=True)

    found = asyncio.run(everything())
    assert all(one is None or isinstance(one, RunStopped) for one in found)
    assert most <= limit + 1e-9
    assert spending.spent_usd <= limit + 1e-9
    fits = sum(worst for worst, _, _ in asked) <= limit
    assert not fits or found == [None] * len(asked)


def test_whoever_is_cancelled_while_waiting_holds_nothing_back():
    async def scene():
        spending = Budget(1.0)
        first = await spending.hold(0.9, "x")
        waiting = asyncio.create_task(spending.hold(0.5, "x"))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        first.settle(0.1)
        (await spending.hold(0.85, "x")).settle(0.85)
        return spending.spent_usd

    assert asyncio.run(scene()) == pytest.approx(0.95)


@given(st.text(max_size=200))
def test_the_worst_case_counts_every_byte_as_a_token(text):
    body = {"messages": [{"role": "user", "content": text}], "max_tokens": 7}
    assert worst_case(body, Price(input_usd=1e6, output_usd=0)) >= len(text.encode("utf-8", "replace")) + PREAMBLE
    assert worst_case(body, Price(input_usd=0, output_usd=1e6)) == 7
    assert worst_case({"messages": []}, PRICE) is None


def test_a_long_request_is_paid_at_its_own_price():
    price = Price(input_usd=1, output_usd=2, steps=(Step(above=1000, input_usd=3, output_usd=4),))
    assert price.of(Usage(input_tokens=1000, output_tokens=10)) == pytest.approx((1000 + 20) / 1e6)
    assert price.of(Usage(input_tokens=1001, output_tokens=10)) == pytest.approx((3003 + 40) / 1e6)


def test_tokens_of_nothing_are_not_known():
    assert paid(None, PRICE) is None
    assert paid(Usage(), PRICE) is None
    assert paid(Usage(input_tokens=1_000_000), PRICE) == 2.0


@pytest.mark.parametrize("amount", [0.0, -1.0, math.nan, math.inf])
def test_a_limit_is_an_amount(amount):
    with pytest.raises(InputError, match="--max-cost is an amount in US dollars above 0, found"):
        budget(amount)


def test_amounts_read_as_money():
    assert [dollars(usd) for usd in (0, 0.5, 0.0123, 0.000051, 1, 1234.5)] == [
        "$0.00", "$0.500", "$0.0123", "$0.0000510", "$1.00", "$1,234.50",
    ]  # fmt: skip


def test_cached_answers_are_measured_as_well_as_paid_ones(tmp_path):
    from harness.models.cache import ReplyCache

    cache, meter = ReplyCache(tmp_path), Meter()
    with Loopback() as server:
        asked = model("openai", server.url, cache=cache, meter=meter)
        ask(asked, request(), request())
        taken = server.usages[0]["prompt_tokens"]
    cache.close()
    found = meter.tokens_json()["openai/loopback-1"]["responses"]
    assert (meter.hits, found["answers"], found["input"]) == (1, 2, 2 * taken)
    again = meter.tokens_json({"openai/loopback-1": {"responses": found}, "openai/other": {}})
    assert again["openai/loopback-1"]["responses"]["answers"] == 4
