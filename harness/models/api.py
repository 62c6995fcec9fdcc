"""From a parsed openai/… or anthropic/… spec to the model behind it. Imports no SDK."""

from __future__ import annotations

from harness.models.anthropic import AnthropicModel
from harness.models.cache import ReplyCache
from harness.models.client import ApiModel
from harness.models.limits import Limits
from harness.models.meter import Meter, Price
from harness.models.openai import OpenAIModel
from harness.models.spec import Spec

_MODELS: dict[str, type[ApiModel]] = {"openai": OpenAIModel, "anthropic": AnthropicModel}


def api_model(
    spec: Spec,
    *,
    cache: ReplyCache | None,
    meter: Meter,
    concurrency: int = 100,
    limits: Limits | None = None,
    price: Price | None = None,
) -> ApiModel:
    """The model of a spec, its key and address read from the environment.

    Models of one run are given the same `limits`, so that an endpoint which several of them share is not asked more
    than it takes; without, this model keeps to `concurrency` alone. Raises InputError where a variable is unset.
    """
    return _MODELS[spec.kind].from_env(
        spec=spec.text,
        name=spec.endpoint,
        model=spec.rest,
        cache=cache,
        meter=meter,
        limits=limits or Limits(concurrency=concurrency),
        price=price,
    )
