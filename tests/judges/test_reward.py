"""The reward judge: the higher reward wins, order cannot matter, and the probability is the logistic."""

import asyncio
import math
import random
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from judges.reward import RewardJudge, logistic
from judges.types import Presentation, Prompt

REWARD = st.floats(-50, 50)
FLIP = {"A": "B", "B": "A", "tie": "tie"}


@dataclass
class Table:
    rewards: dict[str, float]

    async def score(self, prompt, answer):
        return self.rewards[answer[0]]


def rule(a, b, rewards):
    shown = Presentation(prompt=Prompt(id="p", turns=("q",)), a=(a,), b=(b,))
    return asyncio.run(RewardJudge(name="reward/x", scorer=Table(rewards)).judge(shown, rng=random.Random(0)))


def test_a_worked_example():
    ruling = rule("x", "y", {"x": 1.5, "y": 0.5})
    assert (ruling.verdict, ruling.scores, ruling.asked) == ("A", {"A": 1.5, "B": 0.5}, {"order_blind": True})
    assert ruling.probability_a == pytest.approx(1 / (1 + math.exp(-1)))


@given(REWARD, REWARD)
def test_order_cannot_matter(x, y):
    here, there = rule("x", "y", {"x": x, "y": y}), rule("y", "x", {"x": x, "y": y})
    assert there.verdict == FLIP[here.verdict]
    assert there.probability_a == pytest.approx(1 - here.probability_a, abs=1e-12)


@given(st.floats(-800, 800))
def test_the_logistic_is_scipy_s(difference):
    assert logistic(difference) == pytest.approx(expit(difference), abs=1e-15)


@given(REWARD, REWARD, st.floats(0, 10))
def test_rewards_within_the_margin_tie_and_count_as_one_half(x, y, margin):
    shown = Presentation(prompt=Prompt(id="p", turns=("q",)), a=("x",), b=("y",))
    judge = RewardJudge(name="reward/x", scorer=Table({"x": x, "y": y}), margin=margin)
    ruling = asyncio.run(judge.judge(shown, rng=random.Random(0)))
    assert (ruling.verdict == "tie") == (abs(x - y) <= margin)
    assert ruling.probability_a == (None if margin and ruling.verdict == "tie" else logistic(x - y))
