"""What tokens cost: the user's own file first, then the list prices that the package genai-prices brings along.

    # $HARNESS_PRICES: US dollars per million tokens
    openai/gpt-4o: {input: 2.5, output: 10}

A list price is a provider's own, so it holds at that provider's own address alone: the same name behind another
OPENAI_BASE_URL is another service. What has no known price costs an unknown amount, never 0. Nothing is fetched.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from harness.errors import InputError
from harness.models.meter import Price, Step
from harness.models.spec import Spec
from harness.yamlfile import load_yaml, problems_of

if TYPE_CHECKING:
    from genai_prices.types import ModelPrice

# A provider's own address, where its list prices hold.
OWN_ADDRESS = {"openai": "https://api.openai.com/v1", "anthropic": "https://api.anthropic.com"}
YOUR_FILE = "your file (HARNESS_PRICES)"


class PriceKeys(BaseModel):
    """One model's prices in US dollars per million tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    output: Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Prices:
    """Where prices are looked up: `given` are those of the user's file by spec, `environ` says who is asked where."""

    given: Mapping[str, Price] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)

    def of(self, spec: Spec) -> Price | None:
        """The price of a model behind an API; None where it is not known."""
        own = self.given.get(spec.text)
        if own is not None or not self._at_home(spec):
            return own
        return list_price(spec.kind, spec.rest)

    def require(self, specs: Iterable[Spec]) -> None:
        """Raise InputError with a sentence for each of these API models whose price is not known."""
        unknown = dict.fromkeys(spec.text for spec in specs if spec.kind in OWN_ADDRESS and self.of(spec) is None)
        problems = [
            f"{text}: its price is not known, so --max-cost cannot be kept; set HARNESS_PRICES to a file that says it "
            f"({text}: {{input: 2.5, output: 10}}, US dollars per million tokens)"
            for text in unknown
        ]
        if problems:
            raise InputError("\n".join(problems))

    def _at_home(self, spec: Spec) -> bool:
        own = OWN_ADDRESS.get(spec.kind)
        prefix = spec.endpoint or spec.kind.upper()
        address = self.environ.get(f"{prefix}_BASE_URL", "").strip() or (None if spec.endpoint else own)
        return own is not None and address is not None and address.rstrip("/").lower() == own


def prices(environ: Mapping[str, str] = os.environ) -> Prices:
    """The prices that this environment knows, with the file that $HARNESS_PRICES names, if any.

    Raises InputError on a bad file.
    """
    given = environ.get("HARNESS_PRICES")
    if not given:
        return Prices(environ=environ)
    values, line_of = load_yaml(Path(given))
    try:
        keys = TypeAdapter(dict[str, PriceKeys]).validate_python(values)
    except ValidationError as error:
        raise InputError(problems_of(error, given, line_of)) from None
    own = {spec: Price(input_usd=k.input, output_usd=k.output, source=YOUR_FILE) for spec, k in keys.items()}
    return Prices(given=own, environ=environ)


def told(spec: Spec, price: Price) -> str:
    """A price and where it is from, as a line for whoever pays it."""
    more = "" if price.source == YOUR_FILE else "; HARNESS_PRICES overrides them"
    rates = f"${price.input_usd:g} for a million tokens of input, ${price.output_usd:g} of output"
    return f"{spec.text}: {rates} ({price.source}{more})"


def list_price(provider: str, model: str) -> Price | None:
    """The list price of a provider's model as of today in the installed data; None where it is not listed."""
    # A megabyte of tables that only a paid model needs.
    from genai_prices import __version__
    from genai_prices.data_snapshot import get_snapshot

    try:
        _, found = get_snapshot().find_provider_model(model, None, provider, None)
    except LookupError:
        return None
    return _price(found.get_prices(datetime.now(UTC)), f"list prices of genai-prices {__version__}")


def _price(listed: ModelPrice, source: str) -> Price | None:
    if listed.input_mtok is None or listed.output_mtok is None:
        return None
    (first_in, steps_in), (first_out, steps_out) = _steps(listed.input_mtok), _steps(listed.output_mtok)
    steps = tuple(
        Step(above=above, input_usd=_at(first_in, steps_in, above), output_usd=_at(first_out, steps_out, above))
        for above in sorted({*steps_in, *steps_out})
    )
    return Price(input_usd=first_in, output_usd=first_out, steps=steps, source=source)


def _steps(price: Any) -> tuple[float, dict[int, float]]:
    """The price of short requests, and those of longer ones by the length from which they hold."""
    tiers = {tier.start: float(tier.price) for tier in getattr(price, "tiers", ())}
    return float(getattr(price, "base", price)), tiers


def _at(first: float, steps: Mapping[int, float], above: int) -> float:
    held = [start for start in steps if start <= above]
    return steps[max(held)] if held else first
