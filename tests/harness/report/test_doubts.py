"""Every reason to doubt a result is said, and none that is not there."""

import dataclasses

import pytest

from harness.report.data import Side
from harness.report.doubts import doubts, report_doubts
from tests.harness.report.sample import record, report_of, simple

LONG = "wwl" * 12
CLEAN = {"rubric": LONG, "openai/x": LONG}


def said(lines, **more):
    return doubts(simple(lines, **more).summary)


def test_a_clean_result_has_no_doubts():
    assert said(CLEAN) == []


@pytest.mark.parametrize(
    ("lines", "more", "sentence"),
    [
        (CLEAN, {"complete": False}, "the run is incomplete"),
        ({"control/tie": "ttt"}, {}, "no judge counts"),
        ({"rubric": "wl" * 6}, {}, "small n: 12 prompts"),
        ({"rubric": "w"}, {}, "n = 1: one prompt gives no interval"),
        ({"rubric": "uu"}, {}, "no prompt has a usable verdict"),
        ({"rubric": "t" * 40}, {}, "rubric: all scores are equal (all 40 prompts tied); no spread is not certainty"),
        ({"rubric": "w" * 40}, {}, "rubric: all scores are equal (all 40 prompts won)"),
        ({"rubric": LONG + "uu"}, {}, "rubric: 4 of 76 verdicts are unusable (4 without a readable verdict); 2"),
        ({"rubric": LONG, "openai/x": LONG[:-1] + "-"}, {}, "openai/x: 1 prompt is unscored, with no judgment at all"),
        ({"rubric": LONG, "openai/x": "llw" * 12}, {}, "the judges disagree in direction: rubric (67 %, 95 %"),
        ({"rubric": LONG, "human/ann": "llw" * 12}, {}, "people see it the other way round: human/ann scores 33 %"),
        ({"rubric": "s" * 20 + "w" * 10}, {}, "rubric contradicts itself: its two orders agree on only 33 %"),
        ({"rubric": "s" * 20 + "w" * 20}, {}, "rubric leans on position: whatever was shown first won 75 % of"),
        ({"gpt-4o": LONG}, {}, "no control pairs (recorded) for gpt-4o"),
        ({"openai/x": LONG}, {"control_rights": {}}, "no control pairs for openai/x"),
        (CLEAN, {"identical": 3}, "3 comparisons had identical responses on both sides: ties without asking a judge"),
        (CLEAN, {"identical": 1}, "1 comparison had identical responses on both sides: a tie without asking a judge"),
        (CLEAN, {"notes": ["suite: the seed was changed on resume"]}, "suite: the seed was changed on resume"),
    ],
)  # fmt: skip
def test_each_doubt_is_said(lines, more, sentence):
    assert any(doubt.startswith(sentence) for doubt in said(lines, **more)), said(lines, **more)


def test_an_unusable_judge_is_named_with_its_control_verdicts():
    rights = {"rubric": [True] * 8, "openai/x": [True, False, False, None] * 2}
    assert (
        "openai/x is unusable and does not count: it cannot tell a response from its damaged copy "
        "(2 right, 4 wrong, 2 undecided of 8 control verdicts)"
    ) in said(CLEAN, control_rights=rights)


def test_verdicts_in_one_order_alone_are_counted():
    found = said({"rubric": "wl" * 20}, both=False)
    assert (
        "scored from one order alone, where a preference for a position cannot cancel out: rubric (40 of 40 prompts)"
        in found
    )


def test_a_position_that_one_order_cannot_tell_from_quality_is_hedged():
    found = said({"rubric": "w" * 30 + "l" * 6}, both=False)
    lean = "rubric leans on position: whatever was shown first won 83 % of its decisive verdicts"
    assert f"{lean}, unless the better responses happened to stand there" in found


def test_a_lean_on_length_is_said_only_where_it_is_clear():
    def lengths(long_wins):
        rows = [
            record(f"p{i}", "candidate", order=order, candidate_length=9 if i < long_wins else 1, baseline_length=5)
            for i in range(40)
            for order in ("candidate_first", "baseline_first")
        ]
        rights = {"rubric": [True] * 8}
        return doubts(
            report_of(
                rows, title="t", prompts={f"p{i}": None for i in range(40)}, judges=["rubric"],
                control_rights=rights, complete=True, equivalence=0.05,
            ).summary
        )  # fmt: skip

    lean = "the longer response won clearly more often, by bias or because it was better: rubric"
    assert f"{lean} (88 % of 80 decisive verdicts)" in lengths(35)
    assert not any(d.startswith(lean) for d in lengths(22))
    assert not any(d.startswith(lean) for d in lengths(5))


def test_known_bias_judges_raise_no_doubts():
    assert said({**CLEAN, "control/first": "s" * 36, "control/random": "u" * 36}) == []


def test_small_categories_are_named_unless_all_are_small():
    prompts = {f"p{i}": "big" if i < 32 else "tiny" for i in range(36)}
    hint = "small n in tiny (fewer than 30 prompts each): read these categories as hints"
    assert hint in said(CLEAN, prompts=prompts)
    halves = {f"p{i}": "ab"[i % 2] for i in range(36)}
    assert any(d.startswith("small n in every category") for d in said(CLEAN, prompts=halves))


def test_a_sides_warnings_come_first():
    report = dataclasses.replace(simple(CLEAN), baseline=Side(spec="hf/b", warnings=("40 of 200 planned steps done",)))
    assert report_doubts(report) == ["baseline: 40 of 200 planned steps done"]


def test_one_prompt_under_two_ids_is_said():
    report = simple(CLEAN)
    same = tuple(dataclasses.replace(item, turns=("the same",)) for item in report.comparisons[:2])
    report = dataclasses.replace(report, comparisons=(*same, *report.comparisons[2:]))
    assert report_doubts(report) == ["36 prompt ids hold only 35 different prompts: repeated ones are not independent"]
