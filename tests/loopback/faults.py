"""What goes wrong on demand: a fault says what happens, and to which requests.

Faults are looked up in the order given; the first that matches a request wins. A script is plain data, so it can
also stand in a JSON file for a server in another process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

Kind = Literal[
    "rate_limit",  # 429
    "quota",  # 429 that no waiting helps
    "server_error",  # 500
    "unavailable",  # 503
    "overloaded",  # 529
    "timeout",  # 408
    "conflict",  # 409
    "too_large",  # 413
    "bad_request",  # 400
    "too_long",  # 400, the context's length exceeded
    "content_filter",  # 400
    "bad_key",  # 401, its message holding the key it was given
    "forbidden",  # 403
    "no_model",  # 404
    "rejects",  # 400 where the request carries `parameter`
    "hang",
    "reset",
    "html",
    "empty",
    "broken_json",
    "no_choices",
    "cut_off",
    "off_menu",
    "schema_violation",
    "refusal",
    "plain_text",  # words, although structure was asked for
    "slow",  # the right answer, `seconds` late
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One fault. Every condition that is set must hold; none set means every request.

    `at` are indexes of requests (from 0); `every` hits each n-th; `containing` looks into the request's text;
    `below_tokens` hits answers bounded lower than that; `times` is how often at most.
    """

    kind: Kind
    at: Sequence[int] | None = None
    every: int | None = None
    containing: str | None = None
    below_tokens: int | None = None
    times: int | None = None
    retry_after: str | None = None
    parameter: str | None = None
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"no fault is called {self.kind!r}; there are {', '.join(get_args(Kind))}")

    def hits(self, index: int, raw: str, body: dict[str, Any]) -> bool:
        """Whether this request is meant (`times` apart)."""
        return (
            (self.at is None or index in self.at)
            and (self.every is None or (index + 1) % self.every == 0)
            and (self.containing is None or self.containing in raw)
            and (self.below_tokens is None or bound(body) < self.below_tokens)
            and (self.kind != "rejects" or carries(body, self.parameter))
        )


def bound(body: dict[str, Any]) -> int:
    """The most tokens a request allows its answer."""
    return int(body.get("max_tokens") or body.get("max_completion_tokens") or 1 << 30)


def carries(body: dict[str, Any], parameter: str | None) -> bool:
    """Whether a request holds a parameter; "structured" stands for either API's structured output."""
    if parameter == "structured":
        return "response_format" in body or "tools" in body
    return parameter in body


class Script:
    """Faults with a memory of how often each has struck."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self._faults = list(faults)
        self._struck = [0] * len(self._faults)

    def pick(self, index: int, raw: str, body: dict[str, Any]) -> Fault | None:
        """The fault that strikes this request, if any."""
        for place, fault in enumerate(self._faults):
            spent = fault.times is not None and self._struck[place] >= fault.times
            if not spent and fault.hits(index, raw, body):
                self._struck[place] += 1
                return fault
        return None
