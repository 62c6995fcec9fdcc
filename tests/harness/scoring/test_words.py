"""What a score report says: never a bare figure, never a finding that chance explains, everything that is missing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.leakage.guard import Finding
from harness.scoring import words
from harness.scoring.report import ScoreReport
from harness.scoring.summary import summarize
from harness.scoring.text import render
from tests.harness.scoring.figures_made import GRADE, ONE_TO_TEN, row, setting


def summary(candidate, baseline=(), *, scale=ONE_TO_TEN, full=None, turns=1, last=(), judges=("j",), **rest):
    """Grades by prompt (a list by turn where there are several) as the summary of a run."""

    def rows(given):
        return [
            row(name, grade, judge=judge, turn=turn)
            for judge in judges
            for name, grades in dict(given).items()
            for turn, grade in enumerate(grades if isinstance(grades, list) else [grades], 1)
        ]

    known = {name: "odd" if place % 2 else "even" for place, name in enumerate(dict(candidate))}
    asked = setting(known, dict.fromkeys(judges, scale), turns=turns, last=last, full=full)
    return summarize(rows(candidate), rows(baseline), asked, judges=judges, complete=rest.pop("complete", True), **rest)


def names(*grades):
    return {f"p{place:02d}": grade for place, grade in enumerate(grades)}


def test_a_difference_that_chance_explains_is_not_called_one():
    found = summary(names(2.0, 6.0, 4.0, 9.0), names(3.0, 4.0, 5.0, 6.0))
    (said,) = words.headline(found)
    assert "0.75 more than the baseline on 4 prompts" in said
    assert said.endswith("these prompts cannot tell the two apart.")
    (doubt,) = [text for text in words.doubts(found) if "no finding" in text]
    # The interval reaches as far as Student's half-width: t of 3 degrees of freedom times the error.
    half = 3.182446 * (4.25 / 4) ** 0.5
    assert doubt == (
        "j: +17 % against the baseline is no finding: chance alone moves the mean of 4 prompts by up to "
        f"{half:.2f} either way"
    )


def test_a_difference_that_chance_does_not_explain_is_told_by_its_direction():
    better, base = names(*[7.0, 8.0, 7.5, 9.0] * 3), names(*[5.0, 5.5, 6.0, 6.5] * 3)
    assert words.headline(summary(better, base))[0].endswith("better than chance explains.")
    assert words.headline(summary(base, better))[0].endswith("worse than chance explains.")
    assert not [text for text in words.doubts(summary(better, base)) if "no finding" in text]


def test_interval_and_test_must_agree():
    # Five prompts, all better: Student's interval excludes nothing, and no sign-flip p of five is below 1/16.
    found = summary(names(6.0, 6.1, 6.2, 6.3, 6.4), names(5.0, 5.0, 5.0, 5.0, 5.0))
    assert found.deltas["j"].difference.ci[0] > 0
    assert found.deltas["j"].p_value == pytest.approx(1 / 16)
    assert "cannot tell the two apart" in words.headline(found)[0]
    assert any("+24 % against the baseline is no finding" in text for text in words.doubts(found))


def test_one_prompt_is_no_finding_either():
    said = list(words.doubts(summary(names(6.0), names(3.0))))
    assert "j: +100 % against the baseline is no finding: n = 1: one prompt gives no interval" in said
    assert any(text.startswith("small n (1 prompt)") for text in said)


@pytest.mark.parametrize("change", [0.0, 0.05])
def test_a_change_that_nobody_would_quote_is_not_doubted(change):
    assert not any("no finding" in t for t in words.doubts(summary(names(5.0 + change, 4.0), names(5.0, 4.0))))


def test_a_drop_has_a_minus_sign():
    assert any("j: −50 % against" in text for text in words.doubts(summary(names(1.0, 2.0), names(1.0, 5.0))))


def test_what_moved_most_is_listed_both_ways():
    moved = [4.0, -3.0, 2.0, 0.0, -1.0, 0.5, 0.25, 3.0, 1.0]
    found = summary(names(*[5.0 + change for change in moved]), names(*[5.0] * 9))
    gained, dropped = words.movers(found)
    assert gained == "j: 6 of 9 gained, most of all p00 +4.00, p07 +3.00, p02 +2.00, p08 +1.00, p05 +0.50"
    assert dropped == "j: 2 of 9 dropped, most of all p01 −3.00, p04 −1.00"


def test_floor_and_ceiling_are_told_of_both():
    found = summary(names(1.0, 1.0, 10.0, 5.0), names(1.0, 5.0, 5.0, 5.0))
    assert list(words.scale_ends(found)) == [
        "j: 50 % of 4 prompts at 1, 25 % at 10 (baseline: 25 % and 0 % of 4)"
    ]  # fmt: skip
    assert list(words.scale_ends(summary(names(1.0, 2.0), scale=None))) == []


def test_what_is_missing_is_counted_by_what_came_instead():
    found = summary(names([5.0, None], [4.0, 5.0]), names([5.0, 5.0], [4.0, 5.0]), turns=2)
    said = list(words.doubts(found))
    assert "j: 1 prompt of the candidate unscored (1 invalid parse)" in said
    assert not [text for text in said if "of the baseline unscored" in text]


def test_no_score_at_all_has_a_reason():
    found = summary(names(None, None))
    assert words.headline(found) == ["j: no score; no prompt has a score of every turn."]
    assert not found.graded


def test_a_baseline_without_a_score_is_no_difference():
    found = summary(names(5.0, 6.0), names(None, None))
    assert "nothing stands beside it (no prompt was scored on both sides)" in words.headline(found)[0]


def test_an_incomplete_run_finds_nothing():
    better, base = names(*[7.0, 8.0, 7.5, 9.0] * 3), names(*[5.0, 5.5, 6.0, 6.5] * 3)
    found = summary(better, base, complete=False)
    assert words.headline(found)[0].endswith("; the run is incomplete.")
    assert next(iter(words.doubts(found))) == "the run is incomplete: these figures are of what is there so far"


def test_leaked_prompts_are_doubted():
    leaked = Finding(exact=("p00",), near=("p01",), prompts=2, checked={}, seen={}, examples=9)
    found = summary(names(5.0, 6.0), leakage=leaked)
    assert any(t.startswith("2 prompts stood in training data (p00 and p01)") for t in words.doubts(found))
    assert found.as_json()["leakage"] == {"exact": 1, "near": 1, "ids": ["p00", "p01"]}


def test_a_draw_that_misses_a_category_says_so():
    found = summary(names(5.0, 6.0), full={"even": 4, "odd": 4, "rare": 1})
    said = " ".join(words.whole(found))
    assert "2 of the suite's 9 prompts were asked" in said
    assert "cannot be told: nothing was drawn of 1 category" in said


def test_a_judge_of_last_turns_is_not_said_to_have_missed_the_first():
    found = summary(names([None, 1.0], [None, 0.5]), turns=2, last=("j",), scale=(0.0, 1.0))
    assert (found.judges["j"].n, found.judges["j"].unscored) == (2, 0)
    assert not [text for text in words.doubts(found) if "unscored" in text or "gave no score" in text]


GRADES = st.dictionaries(st.sampled_from([f"p{place:02d}" for place in range(7)]), GRADE, min_size=1)


@given(GRADES, st.data(), st.booleans())
def test_whatever_is_there_can_be_shown_in_80_columns(candidate, data, drawn):
    baseline = data.draw(st.one_of(st.just({}), st.fixed_dictionaries(dict.fromkeys(candidate, GRADE))))
    full = {"even": 9, "odd": 9} if drawn else None
    found = summary(candidate, baseline, full=full, judges=("j", "a judge with quite a long name, as specs have it"))
    text = render(ScoreReport(title=("t",), summary=found))
    assert max(map(len, text.splitlines())) <= 80
    assert "nan" not in text.lower().replace("explanan", "")
    json.dumps(found.as_json(), allow_nan=False)


@pytest.mark.parametrize(
    ("value", "said", "with_sign"),
    [(0.75, "0.75", "+0.75"), (-0.0042, "−0.004", "−0.004"), (0.0, "0.00", "0.00"), (-1e-17, "0.00", "0.00")],
)
def test_what_is_not_0_is_not_printed_as_0_and_0_has_no_sign(value, said, with_sign):
    assert (words.number(value), words.signed(value)) == (said, with_sign)


def test_the_last_bit_of_a_difference_is_no_difference():
    found = summary(names(0.3, 0.1, 0.6, 0.4), names(0.2, 0.2, 0.5, 0.5), scale=(0.0, 1.0))
    assert found.deltas["j"].difference.mean != 0
    assert "the same as the baseline on 4 prompts" in words.headline(found)[0]
