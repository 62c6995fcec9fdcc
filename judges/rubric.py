"""The rubric judge: counts how many of the checks that a prompt declares an answer passes; more is better.

What a check can be stands in `judges.checks`. Each weighs the same; the larger share wins, equal shares are a tie. Of
several turns the last answer is checked. The judge is deterministic; order never counts, length only where it is
declared. A prompt without checks is refused, not tied.

As a grade the share itself counts, from 0 to 1, at the last turn alone: what the checks ask for is said of no other.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from judges.checks import failed, mentions, passed, problems
from judges.template import without_thinking
from judges.types import Exhibit, Grade, Json, Presentation, Ruling, Slot, Verdict

__all__ = ["RubricGrader", "RubricJudge", "failed", "mentions", "passed", "problems"]

NO_CHECKS = "the prompt declares no checks"
NOT_THE_LAST = "the checks are about the last answer"


@dataclass(frozen=True, kw_only=True, slots=True)
class RubricJudge:
    """Names the answer that passes the larger share of its prompt's checks."""

    name: str = "rubric"

    async def judge(self, shown: Presentation, *, rng: random.Random, repeat: int = 0) -> Ruling:
        """Rule on one presentation; `rng` and `repeat` change nothing."""
        checks = shown.prompt.checks
        if not checks:
            return Ruling(verdict=None, status="refused", reply=NO_CHECKS)
        results: dict[Slot, list[str]] = {"A": failed(checks, _last(shown.a)), "B": failed(checks, _last(shown.b))}
        scores: dict[str, Json] = {
            slot: {"passed": len(checks) - len(names), "of": len(checks), "failed": names}
            for slot, names in results.items()
        }
        reply = " ".join(_sentence(slot, names, len(checks)) for slot, names in results.items())
        verdict = _verdict(len(results["A"]), len(results["B"]))
        return Ruling(verdict=verdict, status="ok", scores=scores, reply=reply)


@dataclass(frozen=True, kw_only=True, slots=True)
class RubricGrader:
    """Gives an answer the share of its prompt's checks that it passes; refuses the answer to an earlier turn."""

    name: str = "rubric"

    @property
    def scale(self) -> tuple[float, float]:
        return (0.0, 1.0)

    async def grade(self, shown: Exhibit, *, rng: random.Random, repeat: int = 0) -> Grade:
        """Grade the last answer; `rng` and `repeat` change nothing."""
        checks = shown.prompt.checks
        lacking = NO_CHECKS if not checks else NOT_THE_LAST if shown.turn < len(shown.prompt.turns) else None
        if lacking is not None:
            return Grade(score=None, status="refused", reply=lacking)
        names = failed(checks, without_thinking(_last(shown.answers))[0])
        reply = _sentence("The answer", names, len(checks))
        return Grade(score=(len(checks) - len(names)) / len(checks), status="ok", reply=reply)


def _sentence(who: str, names: Sequence[str], of: int) -> str:
    lacks = f", fails: {'; '.join(names)}" if names else ""
    return f"{who} passes {of - len(names)} of {of}{lacks}."


def _verdict(lost_by_a: int, lost_by_b: int) -> Verdict:
    if lost_by_a == lost_by_b:
        return "tie"
    return "A" if lost_by_a < lost_by_b else "B"


def _last(texts: Sequence[str]) -> str:
    return texts[-1] if texts else ""
