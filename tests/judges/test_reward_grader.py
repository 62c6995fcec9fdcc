"""The reward grader: a documented monotone map, fixed by two given numbers, of an answer within its conversation."""

import asyncio
import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from judges.reward import RewardGrader, on_scale
from judges.types import Exhibit, Prompt

FINITE = st.floats(allow_nan=False, allow_infinity=False)
SPREAD = st.floats(1e-300, 1e300)
PROMPT = Prompt(id="p", turns=("one?", "two?"), reference=("r1", "r2"), system="s")


@dataclass
class Remembering:
    raw: float
    asked: list[tuple[Prompt, tuple[str, ...]]] = field(default_factory=list)

    async def score(self, prompt, answer):
        self.asked.append((prompt, answer))
        return self.raw


def graded(raw, *answers, **numbers):
    scorer = Remembering(raw)
    grader = RewardGrader(name="reward/x", scorer=scorer, **numbers)
    shown = Exhibit(prompt=PROMPT, answers=answers or ("a",))
    return asyncio.run(grader.grade(shown, rng=random.Random(0))), scorer.asked[0], grader


def test_a_worked_example():
    # logistic(ln 2) = 2/3, so that 3 + 2 ln 2 is 1 + 9 x 2/3.
    found, _, grader = graded(3 + 2 * 0.6931471805599453, center=3.0, spread=2.0)
    assert found.score == pytest.approx(7, abs=1e-12)
    assert (found.status, found.raw, found.mode) == ("ok", 3 + 2 * 0.6931471805599453, None)
    assert (found.asked, grader.scale) == ({"center": 3.0, "spread": 2.0}, (1.0, 10.0))
    assert graded(3.0, center=3.0)[0].score == 5.5
    assert on_scale(1.0) == pytest.approx(7.58, abs=0.005)
    assert on_scale(-1.0) == pytest.approx(3.42, abs=0.005)


def test_an_answer_is_scored_in_its_conversation_up_to_the_graded_turn():
    _, (prompt, answer), _ = graded(0.0, "a1")
    assert (prompt.turns, prompt.system, answer) == (("one?",), "s", ("a1",))
    _, (prompt, answer), _ = graded(0.0, "a1", "")
    assert (prompt.turns, answer) == (("one?", "two?"), ("a1", ""))


@given(FINITE, FINITE, FINITE, SPREAD)
def test_the_map_keeps_the_order_and_the_scale(one, other, center, spread):
    low, high = (on_scale(raw, center=center, spread=spread) for raw in sorted((one, other)))
    assert 1 <= low <= high <= 10


@given(st.floats(-30, 30), st.floats(-30, 30))
def test_rewards_that_can_be_told_apart_stay_apart(one, other):
    if abs(one - other) > 0.01:
        assert (one < other) == (on_scale(one) < on_scale(other))


@given(st.floats(-50, 50), st.floats(-10, 10), st.floats(0.01, 100))
def test_the_map_is_scipy_s_logistic(raw, center, spread):
    assert on_scale(raw, center=center, spread=spread) == pytest.approx(
        1 + 9 * expit((raw - center) / spread), abs=1e-12
    )


@pytest.mark.parametrize(
    ("center", "spread"), [(0, 0), (0, -1), (0, float("nan")), (0, float("inf")), (float("nan"), 1), (float("inf"), 1)]
)
def test_a_map_that_is_none_is_refused_before_anyone_is_asked(center, spread):
    with pytest.raises(ValueError, match="a finite center and a spread above 0"):
        RewardGrader(name="reward/x", scorer=Remembering(0.0), center=center, spread=spread)


@pytest.mark.parametrize("raw", [float("nan"), float("inf"), float("-inf")])
def test_a_reward_that_is_no_number_is_named_and_no_score(raw):
    found, _, _ = graded(raw)
    assert (found.score, found.raw, found.status) == (None, None, "invalid_parse")
    assert found.reply == f"the reward is not a finite number ({raw})"
