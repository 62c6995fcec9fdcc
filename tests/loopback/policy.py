"""How the loopback server answers: a policy maps a request's JSON to free text or to the fields of a verdict.

A policy that returns a mapping is rendered as the request wants it: as an instance of the JSON schema it carries, or
as a `Winner: A` line where it carries none. A string is sent as it is, unless a schema is wanted.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Policy = Callable[[dict[str, Any]], str | Mapping[str, Any]]

_ANSWER = r"<<<ANSWER {slot}(?: \d+)?>>>\n(.*?)\n<<<END OF ANSWER {slot}(?: \d+)?>>>"


def fixed(answer: str | Mapping[str, Any]) -> Policy:
    """Always the same answer."""
    return lambda request: answer


first = fixed({"winner": "A"})
second = fixed({"winner": "B"})
tie = fixed({"winner": "tie"})


def longest(request: dict[str, Any]) -> Mapping[str, Any]:
    """The longer of the two answers that a pairwise judge's prompt shows, by characters; a tie where they are equal."""
    a, b = (len(text) for text in shown_answers(request))
    return {"winner": "A" if a > b else "B" if b > a else "tie"}


def by_answers(decide: Callable[[str, str], str]) -> Policy:
    """A policy from a function of the two shown answers to "A", "B" or "tie"."""
    return lambda request: {"winner": decide(*shown_answers(request))}


def wavering(inner: Policy, share: float, seed: int = 0) -> Policy:
    """Like `inner`, but on a share of the calls one of A, B and tie at random.

    Drawn from the request and how often it came before, so that the order in which requests arrive changes nothing.
    """
    seen: Counter[str] = Counter()

    def answer(request: dict[str, Any]) -> str | Mapping[str, Any]:
        text = "\n".join(texts(request))
        seen[text] += 1
        rng = random.Random(f"{seed}|{seen[text]}|{text}")
        return {"winner": rng.choice(["A", "B", "tie"])} if rng.random() < share else inner(request)

    return answer


def echo(request: dict[str, Any]) -> str:
    """The last user message back, for contestants."""
    return f"You said: {texts(request)[-1]}"


def likely(
    decide: Callable[[str, str], Mapping[str, float]], around: tuple[Sequence[str], Sequence[str]] = (["[["], ["]]"])
) -> Policy:
    """A policy from a function of the two shown answers to the probability of each token where the verdict stands.

    The likeliest token is written, between those of `around`. Where log-probabilities are asked for, they are given.
    """

    def answer(request: dict[str, Any]) -> Mapping[str, Any]:
        tokens = dict(decide(*shown_answers(request)))
        written = max(tokens, key=lambda token: tokens[token])
        certain = lambda texts: [(text, {text: 1.0}) for text in texts]  # noqa: E731
        return {"tokens": [*certain(around[0]), (written, tokens), *certain(around[1])]}

    return answer


BY_NAME: dict[str, Policy] = {"first": first, "second": second, "tie": tie, "longest": longest, "echo": echo}


def texts(request: dict[str, Any]) -> list[str]:
    """The texts of a request's messages, in order, without the system prompt."""
    found = []
    for message in request.get("messages", []):
        content = message.get("content")
        if isinstance(content, list):
            content = "".join(part.get("text", "") for part in content)
        if message.get("role") != "system":
            found.append(content or "")
    return found


def shown_answers(request: dict[str, Any]) -> tuple[str, str]:
    """The texts between the judge template's marks for answers A and B, turns joined."""
    text = "\n".join(texts(request))
    slots = ("\n".join(re.findall(_ANSWER.format(slot=slot), text, flags=re.DOTALL)) for slot in "AB")
    a, b = slots
    return a, b


def render(answer: str | Mapping[str, Any], schema: Mapping[str, Any] | None) -> str:
    """The reply's text: an instance of `schema` where one is wanted."""
    if schema is not None:
        given = answer if isinstance(answer, Mapping) else {"winner": answer}
        return json.dumps(instance(schema, given), ensure_ascii=False)
    if isinstance(answer, str):
        return answer
    if "tokens" in answer:
        return "".join(text for text, _ in answer["tokens"])
    return f"Winner: {answer['winner']}" if "winner" in answer else json.dumps(answer, ensure_ascii=False)


def tokens_of(answer: str | Mapping[str, Any]) -> list[tuple[str, Mapping[str, float]]]:
    """An answer's tokens, each with the probability of every token that might have come; words where it says none."""
    if isinstance(answer, Mapping) and "tokens" in answer:
        return list(answer["tokens"])
    return [(word, {word: 1.0}) for word in re.findall(r"\s*\w+|\s*[^\w\s]+|\s+", render(answer, None))]


def instance(schema: Mapping[str, Any], given: Any = None) -> Any:
    """A value that satisfies a schema of the strict subset; what `given` holds under a property's name is taken."""
    if schema.get("type") == "object":
        known = given if isinstance(given, Mapping) else {}
        return {
            name: instance(part, known.get(name)) if isinstance(part, Mapping) else None
            for name, part in schema.get("properties", {}).items()
        }
    if given is not None and ("enum" not in schema or given in schema["enum"]):
        return given
    if "enum" in schema:
        return schema["enum"][len(schema["enum"]) // 2]
    plain = {"integer": 3, "number": 3.5, "boolean": True, "string": "It reads better.", "array": []}
    return plain.get(str(schema.get("type")))
