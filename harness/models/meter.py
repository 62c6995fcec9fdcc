"""Counters a progress display reads while a run is under way. One meter may serve every model of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from judges.types import Usage

Purpose = Literal["judgments", "responses"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """What every token of a request costs where its input is longer than `above` tokens."""

    above: int
    input_usd: float
    output_usd: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """What a model's tokens cost, in US dollars per million; `source` says where that is from.

    `steps` are the prices of long requests, for providers that have such: rising lengths at rising prices.
    """

    input_usd: float
    output_usd: float
    steps: tuple[Step, ...] = ()
    source: str = ""

    def of(self, usage: Usage) -> float:
        """The cost of one answer in US dollars."""
        input_usd, output_usd = self.input_usd, self.output_usd
        for step in self.steps:
            if usage.input_tokens > step.above:
                input_usd, output_usd = step.input_usd, step.output_usd
        return (usage.input_tokens * input_usd + usage.output_tokens * output_usd) / 1e6


@dataclass(kw_only=True, slots=True)
class Tokens:
    """Answers whose tokens are known, and the tokens they took."""

    answers: int = 0
    input: int = 0
    output: int = 0


@dataclass(kw_only=True, slots=True)
class Meter:
    """What has happened so far. `requests` counts every one that was sent, retries among them; `hits` cached answers.

    `failures` counts calls that were given up. `cost_usd` is None from the first answer on whose price is unknown.
    `measured` holds what the answers of every API model took, cached ones among them: what they would take again.
    """

    requests: int = 0
    hits: int = 0
    failures: int = 0
    retries: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: float | None = 0.0
    measured: dict[tuple[str, Purpose], Tokens] = field(default_factory=dict)

    def count(self, usage: Usage | None, price: Price | None = None) -> None:
        """Add one answer that was paid for."""
        if usage is None or price is None or self.cost_usd is None:
            self.cost_usd = None
        else:
            self.cost_usd += price.of(usage)
        if usage is not None:
            self.input_tokens += usage.input_tokens
            self.output_tokens += usage.output_tokens
            self.reasoning_tokens += usage.reasoning_tokens

    def measure(self, spec: str, purpose: Purpose, usage: Usage | None) -> None:
        """Note what an answer took, paid for now or earlier; nothing where the provider did not say."""
        if usage is None:
            return
        tokens = self.measured.setdefault((spec, purpose), Tokens())
        tokens.answers += 1
        tokens.input += usage.input_tokens
        tokens.output += usage.output_tokens

    def tokens_json(self, before: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What was measured, for a manifest, added to what stands there from an earlier part of the run."""
        found: dict[str, Any] = {spec: dict(purposes) for spec, purposes in (before or {}).items()}
        for (spec, purpose), new in sorted(self.measured.items()):
            known = found.setdefault(spec, {}).get(purpose, {})
            found[spec][purpose] = {
                name: known.get(name, 0) + getattr(new, name) for name in ("answers", "input", "output")
            }
        return found
