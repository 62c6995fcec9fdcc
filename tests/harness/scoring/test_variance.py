"""Where grades differ: the balanced core, what is left out, plain sentences, and nothing where there is too little."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

from harness.scoring.further import with_further
from harness.scoring.summary import summarize
from harness.scoring.variance import sentences, variances
from tests.harness.scoring.figures_made import ONE_TO_TEN, row, setting


def graded(prompts=40, *, turns=2, judges=("a",), askings=1, samples=1, shift=0.0, noise=0.5, seed=0, role="candidate"):
    """Lines as a run writes them: prompts differ by 1, turns within them by 0.8."""
    rng, lines = np.random.default_rng(seed), []
    for p in range(prompts):
        level = 5.5 + shift + rng.normal(0, 1)
        for s in range(samples):
            for t in range(1, turns + 1):
                answer = level + rng.normal(0, 0.8)
                for j, judge in enumerate(judges):
                    for a in range(askings):
                        extra = {name: n for name, n in (("sample", s), ("asking", a)) if n}
                        score = float(np.clip(answer + 0.3 * j + rng.normal(0, noise), 1, 10))
                        line = {"judge": judge, "turn": t, "repeat": s * askings + a, "role": role, **extra}
                        lines.append(row(f"p{p:03d}", score, **line))
    return lines


def split_of(lines, baseline=(), *, turns=2, scales=None, last=()):
    judges = sorted({line.judge for line in lines})
    asked = setting(
        {line.id: None for line in lines}, scales or dict.fromkeys(judges, ONE_TO_TEN), turns=turns, last=last
    )
    return variances(lines, baseline, asked.turns, asked.scales)


def said(found):
    return " ".join(sentences(found))


def test_prompts_turns_and_the_judge_s_own_noise_are_told_apart():
    (found,) = split_of(graded(200, askings=3))
    parts = {name: part.variance for name, part in found.split.parts.items()}
    assert list(parts) == ["prompt", "turn", "noise"]
    assert list(parts.values()) == pytest.approx([1.0, 0.64, 0.25], rel=0.3)
    text = said([found])
    assert "Why single grades by a differ (200 prompts × 2 turns × 3 askings; shares of the variance, about 95" in text
    assert "turns within prompts 41 % (" in text and "the judge's own noise 13 % (" in text
    assert "more prompts help most" in text and "add prompts, not askings" in text
    assert "There is one judge" in text and "There is one sample a prompt" in text


def test_its_standard_error_is_the_mean_s():
    lines = graded(60, askings=2)
    (found,) = split_of(lines)
    asked = setting({line.id: None for line in lines}, {"a": ONE_TO_TEN}, turns=2)
    assert found.advice.se == pytest.approx(summarize(lines, (), asked, judges=["a"], complete=True).judges["a"].se)


def test_samples_and_judges_have_parts_of_their_own():
    (found,) = split_of(graded(50, judges=("a", "b"), samples=2, askings=2))
    assert list(found.split.parts) == [
        "prompt", "turn", "sample", "answer", "judge", "judge_turn", "judge_prompt", "judge_answer", "noise",
    ]  # fmt: skip
    text = said([found])
    assert "From judge to judge the mean differs by about 0." in text
    assert "twice as many samples" in text and "twice as many judges" in text and "twice as many askings" in text
    assert "the judges' own noise" in text


def test_one_asking_says_how_the_noise_could_be_told():
    assert "`judge_repeats: 3` would tell it" in said(split_of(graded(40)))


def test_a_baseline_splits_the_changes_and_the_advice_is_of_them():
    ours, theirs = graded(40, shift=0.5), graded(40, seed=1, role="baseline")
    grade, change = split_of(ours, theirs)
    assert (grade.of, change.of, change.used) == ("grade", "change", 80)
    text = said([grade, change])
    assert "Why single grades by a differ" in text and "Why single changes (candidate minus baseline) by a" in text
    assert text.count("By these parts the standard error of the mean") == 1
    assert "standard error of the mean change over 40 prompts" in text
    # What both sides have alike is in no change.
    assert change.advice.se == pytest.approx(
        np.std(_means(ours) - _means(theirs), ddof=1) / np.sqrt(40)
    )  # fmt: skip


def _means(lines):
    return np.array([np.mean([x.score for x in lines if x.id == name]) for name in sorted({x.id for x in lines})])


def test_small_tables_say_that_nothing_can_be_told():
    found = split_of(graded(8, askings=2), graded(8, askings=2, role="baseline"))
    (text,) = sentences(found)
    assert "Where the differences between single grades by a come from cannot be told: 32 of 32 grades" in text
    assert "it takes 10 prompts and half of them all" in text
    assert all(one.as_json()["parts"] is None and one.as_json()["reason"] for one in found)


def test_one_grade_a_prompt_has_no_split_at_all():
    assert split_of(graded(40, turns=1), turns=1) == ()
    assert variances([], [], {}, {}) == ()


def test_what_is_unbalanced_is_left_out_and_counted():
    lines = [line for line in graded(30, askings=2) if not (line.id == "p004" and line.turn == 2 and line.repeat == 1)]
    (found,) = split_of(lines)
    assert (found.split.design.prompts, found.used, found.dropped) == (29, 29 * 4, 3)
    assert "every prompt has as many samples, turns and askings: 3 of 119 grades" in said([found])


def test_a_judge_with_few_grades_stands_aside():
    lines = graded(30, judges=("a", "b"))
    few = [line for line in lines if line.judge == "a" or line.id < "p010"]
    (found,) = split_of(few)
    assert (found.judges, found.left_out) == (("a",), ("b",))
    assert "Left out here for too few grades: b." in said([found])


def test_judges_on_other_scales_or_other_turns_have_tables_of_their_own():
    lines = graded(30, judges=("a", "b", "c"))
    apart = split_of(lines, scales={"a": ONE_TO_TEN, "b": None, "c": None})
    assert [found.judges for found in apart] == [("a",), ("b",), ("c",)]
    last = [line for line in lines if line.judge != "c" or line.turn == 2]
    # One grade a prompt of the one that grades the last turn alone.
    assert [found.judges for found in split_of(last, last=("c",))] == [("a", "b")]


def test_lines_in_any_order_say_the_same():
    lines = graded(30, judges=("a", "b"), askings=2)
    once = split_of(lines)
    random.Random(1).shuffle(lines)
    assert [one.as_json() for one in split_of(lines)] == [one.as_json() for one in once]


def test_it_stands_in_the_summary_and_is_plain_json():
    lines = graded(20, askings=2)
    asked = setting({line.id: None for line in lines}, {"a": ONE_TO_TEN}, turns=2)
    found = with_further(summarize(lines, (), asked, judges=["a"], complete=True), lines, ()).as_json()
    (own,) = json.loads(json.dumps(found, allow_nan=False))["variance"]
    assert (own["of"], own["judges"], own["prompts"], own["turns"], own["askings"]) == ("grade", ["a"], 20, 2, 2)
    assert sum(part["share"] for part in own["parts"].values()) == pytest.approx(1)
    assert own["advice"]["best"] == "prompts"
    assert own["advice"]["as_many_gradings"]["askings"]["prompts"] == 40


def test_all_the_same_grade_says_so():
    lines = [line.model_copy(update={"score": 7.0}) for line in graded(20, askings=2)]
    (found,) = split_of(lines)
    assert "Single grades by a do not differ at all (20 prompts × 2 turns × 2 askings)." in said([found])
