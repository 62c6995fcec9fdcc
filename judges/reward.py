"""The reward judge: a model scores each answer on its own, and the higher reward wins.

Order cannot matter, for no answer is seen beside another; the record says so. The logistic of the difference is the
probability that A is better (Bradley-Terry, as reward models are trained: Ouyang et al. 2022, 2203.02155, eq. 1).
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Protocol

from judges.types import Presentation, Prompt, Ruling, Verdict


class Scorer(Protocol):
    """Something that gives one answer to a prompt a reward; higher is better, the unit is its own."""

    async def score(self, prompt: Prompt, answer: tuple[str, ...]) -> float:
        """The reward of an answer, one text per turn."""
        ...


def logistic(difference: float) -> float:
    """1 / (1 + exp(−difference)), without overflow."""
    if difference >= 0:
        return 1 / (1 + math.exp(-difference))
    return math.exp(difference) / (1 + math.exp(difference))


@dataclass(frozen=True, kw_only=True, slots=True)
class RewardJudge:
    """Names the answer with the higher reward; rewards that differ by no more than `margin` are a tie.

    `margin` is in the reward model's own unit. The probability is that of the rewards themselves, margin or not.
    """

    name: str
    scorer: Scorer
    margin: float = 0.0

    async def judge(self, shown: Presentation, *, rng: random.Random, repeat: int = 0) -> Ruling:
        """Rule on one presentation. Raises what the scorer raises."""
        a = await self.scorer.score(shown.prompt, shown.a)
        b = await self.scorer.score(shown.prompt, shown.b)
        verdict: Verdict = "tie" if abs(a - b) <= self.margin else "A" if a > b else "B"
        return Ruling(
            verdict=verdict,
            status="ok",
            scores={"A": a, "B": b},
            probability_a=logistic(a - b),
            asked={"order_blind": True} | ({"margin": self.margin} if self.margin else {}),
        )
