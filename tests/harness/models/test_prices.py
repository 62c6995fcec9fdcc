"""Prices are the user's; what has none costs an unknown amount."""

import pytest

from harness.errors import InputError
from harness.models.meter import Meter, Price
from harness.models.prices import prices
from judges.types import Usage

MILLION = Usage(input_tokens=1_000_000, output_tokens=500_000)


def table(tmp_path, text):
    path = tmp_path / "prices.yaml"
    path.write_text(text)
    return prices({"HARNESS_PRICES": str(path)})


def test_a_price_is_per_million_tokens(tmp_path):
    found = table(tmp_path, "openai/x: {input: 2, output: 10}\n")
    assert found == {"openai/x": Price(input_usd=2, output_usd=10)}
    meter = Meter()
    meter.count(MILLION, found["openai/x"])
    assert meter.cost_usd == 7


def test_one_unknown_price_makes_the_whole_cost_unknown():
    meter = Meter()
    meter.count(MILLION, Price(input_usd=1, output_usd=1))
    meter.count(MILLION, None)
    meter.count(MILLION, Price(input_usd=1, output_usd=1))
    assert meter.cost_usd is None


def test_without_a_file_nothing_has_a_price():
    assert prices({}) == {}


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
