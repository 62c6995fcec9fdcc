"""What tokens cost, as the user says in a file: this program knows no prices, for those it knew would be old ones.

    # $HARNESS_PRICES: US dollars per million tokens
    openai/gpt-4o: {input: 2.5, output: 10}

A model that is not in the file has no known price, and its cost is said to be unknown, never 0.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from harness.errors import InputError
from harness.models.meter import Price
from harness.yamlfile import load_yaml, problems_of


class PriceKeys(BaseModel):
    """One model's prices in US dollars per million tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    output: Annotated[float, Field(ge=0, allow_inf_nan=False)]


def prices(environ: Mapping[str, str] = os.environ) -> dict[str, Price]:
    """Prices by spec from the file that $HARNESS_PRICES names, if any. Raises InputError on a bad file."""
    given = environ.get("HARNESS_PRICES")
    if not given:
        return {}
    values, line_of = load_yaml(Path(given))
    try:
        keys = TypeAdapter(dict[str, PriceKeys]).validate_python(values)
    except ValidationError as error:
        raise InputError(problems_of(error, given, line_of)) from None
    return {spec: Price(input_usd=price.input, output_usd=price.output) for spec, price in keys.items()}
