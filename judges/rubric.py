"""The rubric judge: counts how many of the checks that a prompt declares an answer passes; more is better.

What a check can be stands in `judges.checks`. Each weighs the same; the larger share wins, equal shares are a tie. Of
several turns the last answer is checked. The judge is deterministic; order never counts, length only where it is
declared. A prompt without checks is refused, not tied.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from judges.checks import failed, mentions, passed, problems
from judges.types import Json, Presentation, Ruling, Slot, Verdict

__all__ = ["RubricJudge", "failed", "mentions", "passed", "problems"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RubricJudge:
    """Names the answer that passes the larger share of its prompt's checks."""

    name: str = "rubric"

    async def judge(self, shown: Presentation, *, rng: random.Random, repeat: int = 0) -> Ruling:
        """Rule on one presentation; `rng` and `repeat` change nothing."""
        checks = shown.prompt.checks
        if not checks:
            return Ruling(verdict=None, status="refused", reply="the prompt declares no checks")
        results: dict[Slot, list[str]] = {"A": failed(checks, _last(shown.a)), "B": failed(checks, _last(shown.b))}
        scores: dict[str, Json] = {
            slot: {"passed": len(checks) - len(names), "of": len(checks), "failed": names}
            for slot, names in results.items()
        }
        reply = " ".join(_sentence(slot, names, len(checks)) for slot, names in results.items())
        verdict = _verdict(len(results["A"]), len(results["B"]))
        return Ruling(verdict=verdict, status="ok", scores=scores, reply=reply)


def _sentence(slot: str, names: Sequence[str], of: int) -> str:
    lacks = f", fails: {'; '.join(names)}" if names else ""
    return f"{slot} passes {of - len(names)} of {of}{lacks}."


def _verdict(lost_by_a: int, lost_by_b: int) -> Verdict:
    if lost_by_a == lost_by_b:
        return "tie"
    return "A" if lost_by_a < lost_by_b else "B"


def _last(texts: Sequence[str]) -> str:
    return texts[-1] if texts else ""
