"""Where a short answer of chat completions names its verdict, and what an endpoint that cannot say so is told."""

from __future__ import annotations

import asyncio
import json
import math
from pathlib import Path
from typing import Any

import pytest

from harness.errors import InputError
from harness.models.budget import Budget
from harness.models.cache import ReplyCache
from harness.models.dialect import Dialect, Refusal, learn
from harness.models.logprobs import probabilities, rejected
from harness.models.meter import Meter, Price
from harness.models.openai import OpenAIModel
from judges.types import Choice, Request
from tests.command import environment, harness, world
from tests.harness.models.asking import model, request
from tests.loopback import Fault, Kind, Loopback, policy

MENU, LEAD = ("A", "B", "C"), "[["
LIKELY = {"A": 0.6, " A": 0.1, "B": 0.2, "a": 0.02, "The": 0.05, "Both": 0.03}


def choose(server: Loopback, *requests: Request, **rest: Any) -> list[Choice]:
    asked = model("openai", server.url, **rest)
    assert isinstance(asked, OpenAIModel)

    async def work() -> list[Choice]:
        try:
            return [await asked.choose(one, menu=MENU, lead=LEAD) for one in requests or (request(),)]
        finally:
            await asked.aclose()

    return asyncio.run(work())


def saying(*tokens: str, likely: dict[str, float] | None = None) -> policy.Policy:
    """An answer of these tokens; `likely` is what might have come in place of the last letter among them."""
    given = [(token, {token: 1.0}) for token in tokens]
    at = max((place for place, token in enumerate(tokens) if token.strip() in MENU), default=0)
    given[at] = (tokens[at], likely or {tokens[at]: 1.0})
    return lambda body: {"tokens": given}


def test_what_is_asked_and_read() -> None:
    with Loopback(policy=policy.likely(lambda a, b: LIKELY)) as server:
        (choice,) = choose(server)
        body = server.bodies[0]
    assert {name: body[name] for name in ("logprobs", "top_logprobs", "temperature", "max_tokens")} == {
        "logprobs": True,
        "top_logprobs": 20,
        "temperature": 0.0,
        "max_tokens": 8,
    }
    assert choice.mass == pytest.approx(0.92, abs=1e-9)
    assert choice.probabilities == pytest.approx({"A": 0.72 / 0.92, "B": 0.2 / 0.92, "C": 0.0}, abs=1e-9)
    assert (choice.reply, choice.finish, choice.model) == ("[[A]]", "stop", "loopback-1")
    assert choice.applied == {
        "temperature": 0.0,
        "max_tokens": 8,
        "top_logprobs": 20,
        "outside_top_logprobs": ["C"],
    }
    assert choice.usage is not None
    assert choice.usage.output_tokens > 0


@pytest.mark.parametrize(
    "tokens",
    [("A",), (" A",), ("[[", "A", "]]"), ("**", "A", "**"), ('"', "A", '"'), ("(", "A", ")"), ("\n", "A", ".")],
)
def test_a_verdict_is_found_behind_marks(tokens: tuple[str, ...]) -> None:
    with Loopback(policy=saying(*tokens, likely={tokens[-1 if len(tokens) == 1 else 1]: 0.7, "B": 0.1})) as server:
        (choice,) = choose(server)
    assert choice.probabilities == pytest.approx({"A": 0.875, "B": 0.125, "C": 0}, abs=1e-9)


@pytest.mark.parametrize(
    "tokens",
    [
        ("Answer", " A", " is", " better"),
        ("A", " comparison", " of"),
        ("Both",),
        ("I", " say", " B"),
        ("[[", "D", "]]"),
    ],
)
def test_words_are_no_verdict(tokens: tuple[str, ...]) -> None:
    with Loopback(policy=saying(*tokens)) as server:
        (choice,) = choose(server)
    assert (choice.probabilities, choice.mass, choice.reply) == ({}, None, "".join(tokens))


@pytest.mark.parametrize(
    ("kind", "finish"), [("cut_off", "length"), ("refusal", "refused"), ("content_filter", "refused")]
)
def test_an_answer_that_was_cut_off_or_refused_says_so(kind: Kind, finish: str) -> None:
    with Loopback(policy=policy.likely(lambda a, b: LIKELY), faults=[Fault(kind=kind)]) as server:
        (choice,) = choose(server)
    assert (choice.probabilities, choice.finish) == ({}, finish)


def test_an_endpoint_without_log_probabilities_is_named() -> None:
    with Loopback(policy=policy.first, logprobs=False) as server:
        with pytest.raises(InputError) as refused:
            choose(server)
        assert str(refused.value) == (
            f"openai/loopback-1: {server.url}/v1 returns no log-probabilities, so that it cannot be asked in "
            "verdict-token mode; use mode: generation"
        )
        assert len(server.requests) == 1


@pytest.mark.parametrize("parameter", ["logprobs", "top_logprobs"])
def test_an_endpoint_that_rejects_them_is_asked_no_other_way(parameter: str) -> None:
    with Loopback(faults=[Fault(kind="rejects", parameter=parameter)]) as server:
        with pytest.raises(InputError, match=r"returns no log-probabilities .*not supported.*use mode: generation$"):
            choose(server)
        assert len(server.requests) == 1


def test_what_else_an_endpoint_rejects_is_learned() -> None:
    names = ("temperature", "max_tokens")
    faults = [Fault(kind="rejects", parameter=name) for name in names]
    with Loopback(policy=policy.likely(lambda a, b: LIKELY), faults=faults) as server:
        (choice,) = choose(server)
        assert server.bodies[-1]["logprobs"] is True
    assert choice.probabilities
    assert choice.applied["max_completion_tokens"] == 8


def test_a_look_is_kept_apart_from_an_answer_and_paid_once(tmp_path: Any) -> None:
    cache, meter, budget = ReplyCache(tmp_path / "cache"), Meter(), Budget(1.0)
    price = Price(input_usd=100.0, output_usd=1000.0)
    shared = {"cache": cache, "meter": meter, "budget": budget, "price": price}
    with Loopback(policy=policy.likely(lambda a, b: LIKELY)) as server:
        first, again = choose(server, request(), request(), **shared)
        usage = server.usages[0]
        assert len(server.requests) == 1
        asyncio.run(model("openai", server.url, **shared).ask(request(temperature=0.0)))
        assert len(server.requests) == 2
    assert (again.probabilities, again.cached, first.cached) == (first.probabilities, True, False)
    paid = (usage["prompt_tokens"] * 100 + usage["completion_tokens"] * 1000) / 1e6
    assert budget.spent_usd >= paid
    assert meter.cost_usd == pytest.approx(budget.spent_usd, abs=1e-12)
    assert cache.verify() == []
    cache.close()


def test_what_names_no_verdict_is_asked_again(tmp_path: Any) -> None:
    cache = ReplyCache(tmp_path / "cache")
    with Loopback(policy=saying("Both")) as server:
        choose(server, request(), request(), cache=cache)
        assert len(server.requests) == 2
    cache.close()


@pytest.mark.parametrize(
    "words",
    [
        "Requested sample logprobs of 20, which is greater than max allowed: 5",
        "Invalid value for 'top_logprobs': must be less than or equal to 5.",
    ],
)
def test_an_endpoint_that_lists_fewer_is_asked_for_fewer(words: str) -> None:
    body = {"logprobs": True, "top_logprobs": 20}
    refusal = Refusal(status=400, message=words)
    assert not rejected(refusal, body)
    learned = learn(Dialect(), body, refusal, model="m")
    assert learned is not None
    assert learned.merged(Dialect()).top_logprobs == 5
    assert rejected(refusal, {**body, "top_logprobs": 5})


def test_a_run_is_looked_at_through_an_api_or_ends_with_one_sentence(tmp_path: Path) -> None:
    suite = world(tmp_path, 4, judges="[openai/judge]\njudge_mode: verdict-token")
    longest = policy.likely(lambda a, b: {"A": 0.8, "B": 0.1} if len(a) > len(b) else {"A": 0.2, "B": 0.6})
    with Loopback(policy=longest) as server:
        env = environment(tmp_path, server.url)
        done = harness("run", suite, "--out", tmp_path / "run", "--json", env=env)
        assert done.code in (0, 3), done.err
        assert done.json["judges"]["openai/judge"]["win_rate"] == pytest.approx(
            (3 * (8 / 9 + 3 / 4) + 1 / 9 + 1 / 4) / 8
        )
    rows = [json.loads(line) for line in (tmp_path / "run" / "judgments.jsonl").read_text().splitlines()]
    assert {(row["mode"], row["reply"]) for row in rows} == {("verdict-token", "[[A]]"), ("verdict-token", "[[B]]")}
    with Loopback(logprobs=False) as server:
        env = environment(tmp_path / "other", server.url)
        done = harness("run", suite, "--out", tmp_path / "none", env=env)
    assert done.code == 2
    said = " ".join(done.err.split())
    assert (
        "returns no log-probabilities, so that it cannot be asked in verdict-token mode; use mode: generation" in said
    )


def listed(**likely: float) -> dict[str, Any]:
    others = [{"token": token, "logprob": value} for token, value in likely.items()]
    return {"content": [{"token": "A", "logprob": others[0]["logprob"], "top_logprobs": others}]}


def test_the_token_that_came_counts_once_whether_listed_or_not() -> None:
    found = probabilities(listed(A=math.log(0.5), B=math.log(0.25)), MENU, LEAD)
    assert found == (pytest.approx({"A": 0.5, "B": 0.25, "C": 0.0}), ["C"])
    bare = {"content": [{"token": "A", "logprob": math.log(0.5), "top_logprobs": []}]}
    assert probabilities(bare, MENU, LEAD) == (pytest.approx({"A": 0.5, "B": 0.0, "C": 0.0}), ["B", "C"])


@pytest.mark.parametrize("value", [-9999.0, float("-inf")])
def test_what_cannot_come_counts_nothing(value: float) -> None:
    found = probabilities(listed(A=0.0, B=value), MENU, LEAD)
    assert found == ({"A": 1.0, "B": 0.0, "C": 0.0}, ["C"])


@pytest.mark.parametrize("given", [None, {}, {"content": None}, {"content": []}, {"content": ["A", None]}, 3])
def test_what_is_no_list_of_tokens_names_nothing(given: Any) -> None:
    assert probabilities(given, MENU, LEAD) is None


def test_a_template_s_own_lead_may_stand_before_the_verdict() -> None:
    tokens = [{"token": text, "logprob": 0.0, "top_logprobs": []} for text in ("Ver", "dict", ":", " B")]
    assert probabilities({"content": tokens}, MENU, "Verdict: ") == ({"A": 0.0, "B": 1.0, "C": 0.0}, ["A", "C"])
    assert probabilities({"content": tokens}, MENU, LEAD) is None
