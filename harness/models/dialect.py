"""What a model turned out not to take: structured output, a sampling parameter, the name `max_tokens`.

An endpoint's refusal is read once and remembered for that model. What it does not explain is no dialect: a refusal
that names nothing the request carried is the provider's last word.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from judges.types import Json, Sampling

# Servers say it in many ways; these are the words for structured output that none of them can do without.
_STRUCTURED = re.compile(
    r"response_format|json_schema|json schema|structured output|grammar|tool_choice|\btools?\b|tool use|function.?call",
    re.IGNORECASE,
)
# The most that OpenAI lists, and what the servers that list fewer allow.
MOST_LOGPROBS, FEWER_LOGPROBS = 20, 5
_OPTIONAL = ("top_p", "seed", "temperature")
_TOO_MUCH = re.compile(r"too large|too long|too high|context|at most|maximum allowed|exceed", re.IGNORECASE)
_CONTENT = re.compile(
    r"content.?filter|content management policy|flagged as potentially violating|usage policy", re.IGNORECASE
)
_CONTENT_CODES = ("content_filter", "content_policy_violation")
_FEATURE_STATUSES = (400, 404, 422, 500, 501)
_REFUSAL_STATUSES = (400, 422)


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """A provider's error: its status, its own words (scrubbed), and the code and parameter it names, if any."""

    status: int
    message: str
    code: str = ""
    param: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def of_content(self) -> bool:
        """Whether this prompt or answer was refused by a content filter, not the request."""
        named = self.code in _CONTENT_CODES or bool(_CONTENT.search(self.message))
        return self.status in _REFUSAL_STATUSES and named

    def names(self, parameter: str) -> bool:
        """Whether it is about a parameter."""
        return self.param == parameter or re.search(rf"\b{parameter}\b", self.message) is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    """How a model is spoken to. `dropped` are sampling parameters it rejects; `bound` its name for the token bound.

    `top_logprobs` is how many tokens it lists with their log-probabilities, where those are asked for.
    """

    structured: bool = True
    dropped: frozenset[str] = frozenset()
    bound: str | None = "max_tokens"
    top_logprobs: int = MOST_LOGPROBS

    def sampling(self, sampling: Sampling, allowed: tuple[str, ...]) -> dict[str, Json]:
        """The parameters to send, under the names that this model takes."""
        given = sampling.given()
        most = given.pop("max_tokens")
        kept: dict[str, Json] = {
            name: value for name, value in given.items() if name in allowed and name not in self.dropped
        }
        return kept if self.bound is None else {**kept, self.bound: most}

    def merged(self, other: Dialect) -> Dialect:
        """What two calls learned at the same time."""
        return Dialect(
            structured=self.structured and other.structured,
            dropped=self.dropped | other.dropped,
            bound=self.bound if _rank(self.bound) >= _rank(other.bound) else other.bound,
            top_logprobs=min(self.top_logprobs, other.top_logprobs),
        )


def learn(
    sent: Dialect, payload: Mapping[str, Json], refusal: Refusal, *, model: str, bound_is_fixed: bool = False
) -> Dialect | None:
    """The dialect to try next after a refusal of `payload`; None where it explains nothing that was sent.

    `bound_is_fixed` where the API cannot do without `max_tokens`.
    """
    # A model called "…-tool-…" must not read as a word about tools.
    refusal = replace(refusal, message=refusal.message.replace(model, ""))
    about_structure = _STRUCTURED.search(f"{refusal.param} {refusal.message}") is not None
    structured = "response_format" in payload or "tools" in payload
    if structured and about_structure and refusal.status in _FEATURE_STATUSES:
        return replace(sent, structured=False)
    if refusal.status not in _REFUSAL_STATUSES:
        return None
    if too_many_logprobs(refusal, payload):
        return replace(sent, top_logprobs=FEWER_LOGPROBS)
    for name in _OPTIONAL:
        if name in payload and refusal.names(name):
            return replace(sent, dropped=sent.dropped | {name})
    return None if bound_is_fixed else _other_bound(sent, payload, refusal)


def too_many_logprobs(refusal: Refusal, payload: Mapping[str, Json]) -> bool:
    """Whether a model lists fewer tokens with their log-probabilities than were asked for, as some servers do."""
    about = "logprob" in f"{refusal.param} {refusal.message}".lower()
    too_many = re.search(r"greater|less than|at most|maximum|exceed|between|too (?:large|many|high)", refusal.message)
    return payload.get("top_logprobs", 0) > FEWER_LOGPROBS and about and too_many is not None


def _other_bound(sent: Dialect, payload: Mapping[str, Json], refusal: Refusal) -> Dialect | None:
    named = sent.bound is not None and sent.bound in payload and refusal.names(sent.bound)
    if not named or _TOO_MUCH.search(refusal.message):
        return None
    return replace(sent, bound="max_completion_tokens" if sent.bound == "max_tokens" else None)


def _rank(bound: str | None) -> int:
    return ("max_tokens", "max_completion_tokens", None).index(bound)
