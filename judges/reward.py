"""The reward judge and grader: a model scores each answer on its own; the higher reward wins.

Order cannot matter, for no answer is seen beside another; the record says so. The logistic of the difference is the
probability that A is better (Bradley-Terry, as reward models are trained: Ouyang et al. 2022, 2203.02155, eq. 1).

As a grade, a reward is mapped to 1-10 by `on_scale`. Its two numbers belong to the reward model and are given, never
fitted to the answers at hand: else the same answer would have another grade in another run.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from typing import Protocol

from judges.types import Exhibit, Grade, Presentation, Prompt, Ruling, Verdict

SCALE = (1.0, 10.0)
# The map of a reward model for which the suite names none; rewards trained by Bradley-Terry differ by a few units.
CENTER, SPREAD = 0.0, 1.0


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

    `margin` is in the reward model's own unit. A tie within a margin carries no probability: it counts as one half.
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
            probability_a=None if verdict == "tie" and self.margin else logistic(a - b),
            asked={"order_blind": True} | ({"margin": self.margin} if self.margin else {}),
        )


def on_scale(raw: float, *, center: float = CENTER, spread: float = SPREAD) -> float:
    """A reward on 1-10: 1 + 9 x logistic((raw - center) / spread), so that `center` is 5.5 and order is kept.

    Of one `spread` above the center it is 7.58, of one below 3.42. Rewards some 35 spreads out meet at the scale's end.
    Raises ValueError unless `spread` is above 0 and both are finite.
    """
    if not (math.isfinite(center) and math.isfinite(spread) and spread > 0):
        raise ValueError(f"a reward is mapped with a finite center and a spread above 0, not {center} and {spread}")
    lowest, highest = SCALE
    return lowest + (highest - lowest) * logistic((raw - center) / spread)


def formula(center: float, spread: float) -> str:
    """The map of `on_scale` as a reader should see it."""
    lowest, highest = SCALE
    moved = f"reward {'+' if center < 0 else '−'} {abs(center):g}"
    return f"{lowest:g} + {highest - lowest:g} · logistic(({moved}) / {spread:g})"


@dataclass(frozen=True, kw_only=True, slots=True)
class RewardGrader:
    """Grades an answer by its reward, kept in `raw`, mapped to 1-10 by `on_scale`. Raises ValueError as that does."""

    name: str
    scorer: Scorer
    center: float = CENTER
    spread: float = SPREAD

    def __post_init__(self) -> None:
        on_scale(0.0, center=self.center, spread=self.spread)

    @property
    def scale(self) -> tuple[float, float]:
        return SCALE

    async def grade(self, shown: Exhibit, *, rng: random.Random, repeat: int = 0) -> Grade:
        """Grade the last answer in its conversation. Raises what the scorer raises; `rng`, `repeat` change nothing."""
        asked = {"center": self.center, "spread": self.spread}
        conversation = replace(shown.prompt, turns=shown.prompt.turns[: shown.turn])
        raw = await self.scorer.score(conversation, shown.answers)
        if not math.isfinite(raw):
            reply = f"the reward is not a finite number ({raw})"
            return Grade(score=None, status="invalid_parse", reply=reply, asked=asked)
        score = on_scale(raw, center=self.center, spread=self.spread)
        return Grade(score=score, status="ok", raw=raw, asked=asked)
