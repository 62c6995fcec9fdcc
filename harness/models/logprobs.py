"""Chat completions with log-probabilities: where an answer names its verdict, and what else it might have named there.

An API cannot be made to begin its answer with a template's lead, so that the place of the verdict is searched for: the
first token that is an entry of the menu, with nothing before it but the lead or marks around a verdict, and no word
after it. An answer without such a place has no verdict.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence

from harness.models.dialect import Refusal, too_many_logprobs
from judges.types import Json

# What may stand around a verdict: brackets, quotes, emphasis.
_BEGINNING = re.compile(r"[\s\[\](){}<>\"'“”‘’`*_#:]*")
_WORD_AFTER = re.compile(r"\s*\w")
_STATUSES = (400, 403, 404, 422, 500, 501)


def rejected(refusal: Refusal, body: Mapping[str, Json]) -> bool:
    """Whether a model was refused because it gives no log-probabilities; not where fewer of them would do."""
    if "logprobs" not in body or refusal.status not in _STATUSES or too_many_logprobs(refusal, body):
        return False
    return "logprob" in f"{refusal.param} {refusal.message}".lower()


def probabilities(logprobs: Json, menu: Sequence[str], lead: str) -> tuple[dict[str, float], list[str]] | None:
    """The probability of each entry at the place of the verdict, and the entries that were not among those listed.

    `logprobs` is the choice's own. What is not listed counts 0. Forms of an entry that differ by the spaces around it
    or by case ("A", " A", "a") count together. None where no place names an entry.
    """
    tokens = _tokens(logprobs)
    texts = [str(token.get("token") or "") for token in tokens]
    for place, text in enumerate(texts):
        if _entry(text, menu) is None:
            continue
        before, after = "".join(texts[:place]), "".join(texts[place + 1 :])
        if _begins(before, lead) and not _WORD_AFTER.match(after):
            return _at(tokens[place], menu)
        return None
    return None


def has_tokens(logprobs: Json) -> bool:
    """Whether an endpoint gave log-probabilities at all, with what else might have come."""
    tokens = _tokens(logprobs)
    return bool(tokens) and any(isinstance(token.get("top_logprobs"), list) for token in tokens)


def _tokens(logprobs: Json) -> list[Mapping[str, Json]]:
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    return [token for token in content if isinstance(token, dict)] if isinstance(content, list) else []


def _begins(before: str, lead: str) -> bool:
    rest = before.strip().removeprefix(lead.strip())
    return _BEGINNING.fullmatch(rest) is not None


def _entry(text: str, menu: Sequence[str]) -> str | None:
    return next((entry for entry in menu if text.strip().casefold() == entry.casefold()), None)


def _at(token: Mapping[str, Json], menu: Sequence[str]) -> tuple[dict[str, float], list[str]]:
    found = dict.fromkeys(menu, 0.0)
    listed = set()
    for text, probability in dict(_listed(token)).items():
        entry = _entry(text, menu)
        if entry is not None:
            found[entry] += probability
            listed.add(entry)
    return found, [entry for entry in menu if entry not in listed]


def _listed(token: Mapping[str, Json]) -> Iterator[tuple[str, float]]:
    """Each token that might have come with its probability, and the one that came."""
    others = token.get("top_logprobs")
    for one in (token, *(others if isinstance(others, list) else ())):
        value = one.get("logprob") if isinstance(one, dict) else None
        if isinstance(value, (int, float)) and not isinstance(value, bool) and not math.isnan(value):
            yield str(one.get("token") or ""), math.exp(min(0.0, value))
