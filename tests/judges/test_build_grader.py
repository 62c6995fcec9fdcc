"""From a kind to a grader: each kind that can grade, and none that cannot."""

from dataclasses import replace

import pytest

from judges.build import GRADERS, LAST_TURN_ONLY, Wanted, build_grader
from judges.grading import LanguageGrader, TokenGrader
from judges.reward import RewardGrader
from judges.rubric import RubricGrader
from judges.template import load
from judges.types import Sampling

WANTED = Wanted(
    name="x/y", rest="y", sampling=Sampling(max_tokens=7), asked=object(), template=load("grade"), nonce="n"
)


def test_language_models_write_or_are_looked_at():
    for kind in ("openai", "anthropic", "hf"):
        grader = build_grader(kind, WANTED)
        assert isinstance(grader, LanguageGrader)
        assert (grader.name, grader.model, grader.sampling, grader.nonce) == ("x/y", WANTED.asked, WANTED.sampling, "n")
        looked = build_grader(kind, replace(WANTED, mode="verdict-token"))
        assert isinstance(looked, TokenGrader)
        assert (looked.name, looked.chooser, looked.nonce) == ("x/y", WANTED.asked, "n")


def test_a_reward_model_is_given_its_map():
    grader = build_grader("reward", replace(WANTED, center=2.0, spread=3.0))
    assert isinstance(grader, RewardGrader)
    assert (grader.name, grader.center, grader.spread) == ("x/y", 2.0, 3.0)
    with pytest.raises(ValueError, match="a spread above 0"):
        build_grader("reward", replace(WANTED, spread=0.0))


def test_the_rubric_needs_nobody():
    assert isinstance(build_grader("rubric", replace(WANTED, asked=None, template=None)), RubricGrader)


def test_known_biases_and_files_cannot_grade():
    assert set(GRADERS) == {"rubric", "openai", "anthropic", "hf", "reward"}
    assert set(GRADERS) >= LAST_TURN_ONLY
    with pytest.raises(KeyError):
        build_grader("control", WANTED)
