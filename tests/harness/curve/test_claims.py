"""What a curve claims, where the truth is known: steps that are equal, and the two experiment logs it was made for."""

from __future__ import annotations

import re

import numpy as np
import pytest

from harness.curve.words import headline, told, verdict
from tests.harness.curve.made import judged

RUNS = 200


def grades(rng, levels, n, *, own=1.3):
    """Grades from 1 to 10 in halves, many at the floor, of steps that share what a prompt is like."""
    prompt = rng.exponential(1.6, size=n)
    return np.clip(np.round(2 * (1 + prompt + levels[:, None] + own * rng.normal(size=(len(levels), n)))) / 2, 1, 10)


def claims(found):
    """The pairs of steps of which the words say that one cannot stand for the other, or fell behind it."""
    pairs = set()
    for sentence in told(found):
        match = re.match(r"Step (\d+) (?:cannot stand for|fell behind) steps? (.*?):", sentence)
        if match:
            pairs |= {(int(match[1]), int(step)) for step in re.findall(r"\d+", match[2])}
    return pairs


def test_of_equal_steps_hardly_ever_is_anything_claimed():
    rng, steps, claimed, kept = np.random.default_rng(1), (100, 200, 290), 0, 0
    for _ in range(RUNS):
        found = judged(grades(rng, np.full(3, 1.0), 32), steps)
        claimed += bool(claims(found))
        kept += verdict(found).startswith("Keep")
    assert claimed / RUNS <= 0.08 and kept / RUNS <= 0.08


def test_what_a_half_trained_step_says_of_the_end_is_told():
    """Log 003: step 100 won about one prompt in ten, step 290 three in four, on 13 prompts."""
    rng, right, wrong = np.random.default_rng(2), 0, 0
    for _ in range(RUNS):
        wins = np.array([rng.random(13) < 0.1, rng.random(13) < 0.77]).astype(float)
        found = judged(wins, (100, 290), scale=(0.0, 1.0))
        right += (100, 290) in claims(found)
        wrong += "fell behind" in " ".join(told(found))
    assert right / RUNS >= 0.9 and wrong == 0


def test_thirteen_prompts_are_said_in_words():
    wins = np.zeros((2, 13))
    wins[0, :1], wins[1, 3:] = 1.0, 1.0
    found = judged(wins, (100, 290), scale=(0.0, 1.0))
    assert verdict(found) == "Keep step 290"
    assert "Step 100 cannot stand for step 290: 0.69 lower" in " ".join(told(found))


def test_a_best_of_a_draw_is_not_called_better():
    """Log 004: of steps that hardly differ the best on 16 questions had 2.84, and 2.49 at the end."""
    rng, best, overlaps = np.random.default_rng(3), 0, 0
    levels = np.array([1.0, 1.1, 1.1])
    for _ in range(RUNS):
        found = judged(grades(rng, levels, 16), (500, 750, 967))
        best += verdict(found) == "No step is shown to be the best"
        overlaps += len(found.like_best) == 2
    assert best / RUNS >= 0.92 and overlaps / RUNS >= 0.92


def test_a_later_gain_that_may_be_chance_is_named_and_a_real_one_is_not_missed():
    rng, sound, found_all = np.random.default_rng(4), 0, 0
    levels = np.array([0.0, 2.0, 2.0, 2.0])
    for _ in range(RUNS):
        found = judged(grades(rng, levels, 80), (100, 200, 250, 290))
        own = claims(found)
        sound += own <= {(100, 200), (100, 250), (100, 290)}
        found_all += own >= {(100, 200), (100, 250), (100, 290)}
    assert sound / RUNS >= 0.93 and found_all / RUNS >= 0.97
    assert "cannot be told from it on 80 prompts" in " ".join(told(found))


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_prompts_claim_nothing(n):
    found = judged(np.random.default_rng(5).uniform(1, 10, (3, n)), (1, 2, 3))
    assert not claims(found)
    assert headline(found) and not verdict(found).startswith("Keep")
