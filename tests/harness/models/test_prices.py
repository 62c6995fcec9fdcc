"""Prices: the user's own, else list prices at the provider's own address; what has none costs an unknown amount."""

import subprocess
import sys
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from genai_prices import Usage as ListedUsage
from genai_prices import __version__, calc_price
from genai_prices.data_snapshot import get_snapshot

from harness.errors import InputError
from harness.models.anthropic import AnthropicModel
from harness.models.meter import Meter, Price
from harness.models.openai import OpenAIModel
from harness.models.prices import OWN_ADDRESS, list_price, prices, told
from harness.models.spec import parse
from judges.types import Usage

MILLION = Usage(input_tokens=1_000_000, output_tokens=500_000)
GPT = parse("openai/gpt-4o", role="judge")


def table(tmp_path, text, **environ):
    path = tmp_path / "prices.yaml"
    path.write_text(text)
    return prices({"HARNESS_PRICES": str(path), **environ})


def test_a_price_is_per_million_tokens(tmp_path):
    found = table(tmp_path, "openai/x: {input: 2, output: 10}\n").of(parse("openai/x", role="judge"))
    assert (found.input_usd, found.output_usd) == (2, 10)
    meter = Meter()
    meter.count(MILLION, found)
    assert meter.cost_usd == 7


def test_one_unknown_price_makes_the_whole_cost_unknown():
    meter = Meter()
    meter.count(MILLION, Price(input_usd=1, output_usd=1))
    meter.count(MILLION, None)
    meter.count(MILLION, Price(input_usd=1, output_usd=1))
    assert meter.cost_usd is None


def test_your_file_overrides_the_list(tmp_path):
    found = table(tmp_path, "openai/gpt-4o: {input: 1, output: 2}\n").of(GPT)
    assert (found.input_usd, found.output_usd, found.source) == (1, 2, "your file (HARNESS_PRICES)")
    listed = prices({}).of(GPT)
    assert listed.source == f"list prices of genai-prices {__version__}"
    assert told(GPT, listed).endswith(f"(list prices of genai-prices {__version__}; HARNESS_PRICES overrides them)")


@pytest.mark.parametrize("spec", ["openai/gpt-4o", "openai/gpt-4o-mini", "anthropic/claude-sonnet-4-5"])
@pytest.mark.parametrize("taken", [1_000, 150_000, 250_000])
def test_the_list_says_what_its_own_calculator_says(spec, taken):
    parsed = parse(spec, role="judge")
    usage = {"input_tokens": taken, "output_tokens": 777}
    expected = calc_price(ListedUsage(**usage), parsed.rest, provider_id=parsed.kind).total_price
    assert prices({}).of(parsed).of(Usage(**usage)) == pytest.approx(float(expected), rel=1e-12)


def test_every_listed_chat_model_costs_what_the_calculator_says_and_longer_requests_never_less():
    walked = 0
    for provider in get_snapshot().providers:
        for listed in provider.models if provider.id in OWN_ADDRESS else ():
            price = list_price(provider.id, listed.id)
            if price is None:
                assert listed.get_prices(datetime.now(UTC)).output_mtok is None or listed.id.startswith("ft:")
                continue
            walked += 1
            usage = {"input_tokens": 300_000, "output_tokens": 5}
            expected = calc_price(ListedUsage(**usage), listed.id, provider_id=provider.id).total_price
            assert price.of(Usage(**usage)) == pytest.approx(float(expected)), listed.id
            steps = (price, *price.steps)
            assert all(a.input_usd <= b.input_usd and a.output_usd <= b.output_usd for a, b in pairwise(steps))
    assert walked > 80


@pytest.mark.parametrize(
    ("spec", "environ"),
    [
        ("openai/gpt-4o", {"OPENAI_BASE_URL": "http://127.0.0.1:8000/v1"}),
        ("openai/gpt-4o", {"OPENAI_BASE_URL": "https://openrouter.ai/api/v1"}),
        ("openai@LOCAL/gpt-4o", {"LOCAL_BASE_URL": "http://127.0.0.1:8000/v1"}),
        ("openai@LOCAL/gpt-4o", {}),
        ("anthropic/claude-sonnet-4-5", {"ANTHROPIC_BASE_URL": "https://proxy.example"}),
        ("openai/a-model-that-nobody-lists", {}),
        ("openai/text-embedding-3-small", {}),
        ("anthropic/gpt-4o", {}),
        ("rubric", {}),
        ("hf/gpt-4o", {}),
    ],
)
def test_a_name_at_another_address_has_no_known_price(spec, environ):
    role = "candidate" if spec.startswith("hf/") else "judge"
    assert prices(environ).of(parse(spec, role=role)) is None


@pytest.mark.parametrize(
    ("spec", "environ"),
    [
        ("openai/gpt-4o", {"OPENAI_BASE_URL": "https://api.openai.com/v1/"}),
        ("openai/gpt-4o", {"OPENAI_BASE_URL": " "}),
        ("openai@TEAM/gpt-4o", {"TEAM_BASE_URL": "https://API.openai.com/v1"}),
    ],
)
def test_the_own_address_may_be_written_out(spec, environ):
    assert prices(environ).of(parse(spec, role="judge")) == prices({}).of(GPT)


def test_the_own_addresses_are_those_that_are_asked():
    assert {model.provider: model.default_url for model in (OpenAIModel, AnthropicModel)} == OWN_ADDRESS


def test_a_budget_names_every_model_without_a_price(tmp_path):
    known = table(tmp_path, "openai/x: {input: 2, output: 10}\n")
    specs = [parse(text, role="judge") for text in ("openai/x", "openai/y", "anthropic/z", "rubric", "openai/y")]
    with pytest.raises(InputError) as refused:
        known.require(specs)
    said = str(refused.value).splitlines()
    assert [line.split(":")[0] for line in said] == ["openai/y", "anthropic/z"]
    assert all("HARNESS_PRICES" in line for line in said)
    known.require(specs[:1])


def test_nothing_is_fetched_and_no_table_is_read_before_a_price_is_wanted():
    program = (
        "import socket, sys\n"
        "import harness.models.prices as p\n"
        "assert 'genai_prices' not in sys.modules\n"
        "def none(*a, **k): raise AssertionError('the network')\n"
        "socket.socket.connect = socket.getaddrinfo = none\n"
        "print(p.list_price('openai', 'gpt-4o').input_usd)\n"
        "import threading; print(threading.active_count())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    price, threads = done.stdout.split()
    assert float(price) > 0
    assert threads == "1"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("openai/x: {input: 2}\n", ":1: the key 'openai/x.output' is missing"),
        (
            "openai/x: {input: -1, output: 1}\n",
            ":1: openai/x.input: input should be greater than or equal to 0, found -1",
        ),
        ("openai/x: 3\n", ":1: openai/x: input should be a valid dictionary"),
    ],
)
def test_a_bad_price_is_named(tmp_path, text, said):
    with pytest.raises(InputError, match=said):
        table(tmp_path, text)
