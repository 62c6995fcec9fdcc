"""Counters a progress display reads while a run is under way. One meter may serve every model of a run."""

from __future__ import annotations

from dataclasses import dataclass

from judges.types import Usage


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """What a model's tokens cost, in US dollars per million."""

    input_usd: float
    output_usd: float

    def of(self, usage: Usage) -> float:
        """The cost of one answer in US dollars."""
        return (usage.input_tokens * self.input_usd + usage.output_tokens * self.output_usd) / 1e6


@dataclass(kw_only=True, slots=True)
class Meter:
    """What has happened so far. `requests` counts every one that was sent, retries among them; `hits` cached answers.

    `failures` counts calls that were given up. `cost_usd` is None from the first answer on whose price is unknown.
    """

    requests: int = 0
    hits: int = 0
    failures: int = 0
    retries: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: float | None = 0.0

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
