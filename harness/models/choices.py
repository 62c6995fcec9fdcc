"""Choices between a menu's entries as the cache keeps them: a reply whose text is the probabilities as JSON.

Their keys say what was looked at, so that they never meet those of an answer that was written.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

from judges.types import Choice, Json, Reply


def looked_at(identity: Mapping[str, Json], menu: Sequence[str], lead: str) -> dict[str, Json]:
    """A model's identity where the probabilities of a menu are asked for, not an answer."""
    return {**identity, "asked": "verdict-token", "menu": list(menu), "lead": lead}


def packed(probabilities: Mapping[str, float], said: str | None = None) -> str:
    """A choice as a reply's text, from the probability of each entry among everything; renormalised here.

    Empty where they hold nothing: all 0, or none.
    """
    mass = math.fsum(probabilities.values())
    shares = {entry: value / mass for entry, value in probabilities.items()} if mass > 0 else {}
    value: dict[str, Json] = {"probabilities": shares, "mass": min(1.0, mass) if probabilities else None}
    return json.dumps(value | ({"reply": said} if said is not None else {}), allow_nan=False, ensure_ascii=False)


def choice_of(reply: Reply) -> Choice:
    """A choice from such a reply; one that holds none (a refusal in words) is a choice of nothing."""
    try:
        value = json.loads(reply.text)
        probabilities, mass = value["probabilities"], value["mass"]
    except (ValueError, KeyError, TypeError):
        value, probabilities, mass = {"reply": reply.text}, {}, None
    return Choice(
        probabilities=probabilities,
        mass=mass,
        reply=value.get("reply"),
        finish=reply.finish,
        usage=reply.usage,
        applied=reply.applied,
        model=reply.model,
        cached=reply.cached,
    )


def made(reply: Reply) -> bool:
    """Whether a reply holds a choice: then it may be kept."""
    return bool(choice_of(reply).probabilities)
