"""`--max-cost` through the real command: the limit holds by the server's own counts, and nothing is lost."""

import json

import pytest

from tests.command import environment, harness, world
from tests.harness.test_run import judge
from tests.loopback import Fault, Loopback

PROMPTS = 24


@pytest.fixture
def prices(tmp_path):
    path = tmp_path / "prices.yaml"
    path.write_text("openai/judge: {input: 2, output: 10}\nanthropic/judge: {input: 1, output: 4}\n")
    return {"HARNESS_PRICES": str(path)}


def openai_cost(server):
    return sum(2 * usage["prompt_tokens"] + 10 * usage["completion_tokens"] for usage in server.usages) / 1e6


@pytest.mark.parametrize(
    ("limit", "concurrency"),
    [(0.05, 32), pytest.param(0.03, 1, marks=pytest.mark.chaos), pytest.param(0.04, 4, marks=pytest.mark.chaos)],
)
def test_a_run_stops_before_the_limit_and_resume_ends_as_one_run(tmp_path, prices, limit, concurrency):
    suite = world(tmp_path, PROMPTS)
    faults = [Fault(kind="rate_limit", at=[2, 9], retry_after="0"), Fault(kind="reset", at=[5])]
    with Loopback(policy=judge, latency_s=0.005, faults=faults) as server:
        env = environment(tmp_path, server.url, **prices)
        options = ("--max-cost", limit, "--concurrency", concurrency, "--json")
        done = harness("run", suite, "--out", tmp_path / "run", *options, env=env)
        assert done.code == 4
        assert (done.json["complete"], done.json["decision"]) == (False, "inconclusive")
        assert f"error: --max-cost ${limit:.4f} would be passed: $0.0" in done.err
        assert f"`harness resume {tmp_path / 'run'} --max-cost USD` goes on" in done.err
        first = openai_cost(server)
        assert 0 < first <= limit
        kept = len((tmp_path / "run" / "judgments.jsonl").read_text().splitlines())
        assert kept == len(server.usages)

        again = harness("resume", tmp_path / "run", "--max-cost", limit / 2, env=env)
        assert again.code == 4
        assert openai_cost(server) - first <= limit / 2

        whole = harness("resume", tmp_path / "run", "--max-cost", 5, "--json", env=env)
        assert whole.code == 0, whole.err
        assert len(server.usages) == 2 * PROMPTS + 8
    with Loopback(policy=judge) as other:
        env = environment(tmp_path / "other", other.url, **prices)
        assert harness("run", suite, "--out", tmp_path / "once", "--json", env=env).out == whole.out
    once, twice = ((tmp_path / name / "summary.json").read_bytes() for name in ("once", "run"))
    assert once == twice


def test_contestants_and_judges_share_one_limit(tmp_path, prices):
    suite = world(tmp_path, PROMPTS, judges="[openai/judge, anthropic/judge]")
    with Loopback(policy=lambda request: "Dish 1 simmers.", latency_s=0.005) as server:
        env = environment(tmp_path, server.url, **prices)
        more = ("--candidate", "anthropic/judge", "--max-cost", 0.03, "--json")
        done = harness("run", suite, "--out", tmp_path / "run", *more, env=env)
        assert done.code == 4, done.err
        spent = sum(
            (2 * u["prompt_tokens"] + 10 * u["completion_tokens"])
            if "prompt_tokens" in u
            else (u["input_tokens"] + 4 * u["output_tokens"])
            for u in server.usages
        )
        assert 0 < spent / 1e6 <= 0.03


def test_cached_replies_are_free(tmp_path, prices):
    suite = world(tmp_path, 6)
    with Loopback(policy=judge) as server:
        env = environment(tmp_path, server.url, **prices)
        assert harness("run", suite, "--out", tmp_path / "one", env=env).code == 0
        done = harness("run", suite, "--out", tmp_path / "two", "--max-cost", 0.000001, env=env)
        assert done.code == 0, done.err


def test_judges_that_ask_nobody_pay_nothing(tmp_path):
    suite = world(tmp_path, 6, judges="[control/longest]")
    done = harness("run", suite, "--out", tmp_path / "run", "--max-cost", 0.01, env=environment(tmp_path))
    assert "error" not in done.err
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["complete"] is True


@pytest.mark.parametrize("verb", ["run", "resume"])
def test_a_limit_that_cannot_be_kept_is_refused_before_the_first_call(tmp_path, prices, verb):
    suite = world(tmp_path, 6)
    with Loopback(policy=judge) as server:
        env = environment(tmp_path, server.url)
        start = ("run", suite, "--out", tmp_path / "run")
        if verb == "resume":
            assert harness(*start, env=env).code == 0
            start = ("resume", tmp_path / "run")
        asked = len(server.requests)
        unknown = harness(*start, "--max-cost", 1, env=env)
        assert (unknown.code, unknown.out) == (2, "")
        assert "openai/judge: its price is not known" in unknown.err
        assert "HARNESS_PRICES" in unknown.err
        for amount in ("0", "-1", "nan", "inf"):
            refused = harness(*start, "--max-cost", amount, env=env | prices)
            assert refused.code == 2
            assert "--max-cost is an amount in US dollars above 0, found" in refused.err
        assert len(server.requests) == asked


def test_a_run_says_what_it_pays_and_whose_prices_these_are(tmp_path, prices):
    suite = world(tmp_path, 6)
    with Loopback(policy=judge) as server:
        done = harness("run", suite, "--out", tmp_path / "run", env=environment(tmp_path, server.url, **prices))
        assert "openai/judge: $2 for a million tokens of input, $10 of output (your file (HARNESS_PRICES))" in done.err
        measured = json.loads((tmp_path / "run" / "manifest.json").read_text())["tokens"]
        assert measured["openai/judge"]["judgments"] == {
            "answers": len(server.usages),
            "input": sum(usage["prompt_tokens"] for usage in server.usages),
            "output": sum(usage["completion_tokens"] for usage in server.usages),
        }
