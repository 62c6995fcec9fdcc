"""The decision in words: each kind of decision, what it rests on, and what cannot be said."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.report.words import all_single_verdicts, counted, headline, judge_line, length_alone, report_doubts
from tests.harness.report.sample import kitchen, record, report_of, simple

NAMES = ["rubric", "openai/x", "gpt-4o", "control/first", "human/a"]
votes = st.text(alphabet="wltus-", max_size=40)


def line_of(report, name):
    return judge_line(name, report.summary.judges[name], report.summary)


def test_better_says_what_it_rests_on():
    report = simple({"rubric": "w" * 38 + "l" * 18 + "t" * 5 + "s" * 3})
    assert headline(report.summary) == (
        "candidate better: scores 66 % over 64 prompts (38 won, 18 lost, 8 tied; 3 split by order; "
        "95 % 55–77) by rubric, sign test p = 0.01; first shown won 53 %; orders agree on 95 %; "
        "control pairs 8 of 8 verdicts right."
    )


def test_worse_is_the_mirror_of_better():
    better, worse = (headline(simple({"rubric": line}).summary) for line in ("wwwl" * 12, "lllw" * 12))
    assert better.startswith("candidate better: scores 75 % over 48 prompts (36 won, 12 lost, 0 tied")
    assert worse.startswith("candidate worse: scores 25 % over 48 prompts (12 won, 36 lost, 0 tied")


def test_equivalent_names_its_margin():
    words = headline(simple({"rubric": "wl" + "t" * 300}).summary)
    assert words.startswith("equivalent within ±5 points: the interval lies inside 50 ± 5 %. The candidate scores 50 %")
    narrow = headline(simple({"rubric": "wl" + "t" * 300}, equivalence=0.025).summary)
    assert "±2.5 points" in narrow


def test_inconclusive_says_what_this_n_could_have_shown():
    report = simple({"rubric": "w" * 22 + "l" * 18})
    n, rate = 40, 22 / 40
    sd = (n / (n - 1) * rate * (1 - rate)) ** 0.5
    seen, later = (
        sum(stats.t.ppf(q, m - 1) for q in (0.975, 0.8)) * sd / m**0.5 for m in (n, 4 * n)
    )  # worked from the textbook formula
    words = headline(report.summary)
    assert words.startswith(
        "inconclusive: the interval holds 1/2; at this n only differences of about "
        f"±{100 * seen:.0f} points or more can be seen (80 % power); "
        f"about 4 times as many prompts would show ±{100 * later:.0f}. The candidate scores 55 % over 40 prompts"
    )


def test_too_few_prompts_to_see_anything_is_said():
    words = headline(simple({"rubric": "wl"}).summary)
    assert "at this n no difference at all can be seen (80 % power)" in words


def test_equal_scores_promise_no_visible_difference():
    words = headline(simple({"rubric": "t" * 40}).summary)
    assert words.startswith("inconclusive: the interval holds 1/2. The candidate scores 50 % over 40 prompts")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ({"rubric": "w"}, "inconclusive: n = 1: one prompt gives no interval. The candidate scores 100 %"),
        ({"rubric": "uuu"}, "has no usable verdict on any of 3 prompts by rubric."),
        ({}, "inconclusive: there is no judge."),
        ({"control/longest": "www"}, "inconclusive: no judge counts: known-bias judges decide nothing."),
    ],
)
def test_what_cannot_be_decided_says_why(lines, said):
    assert said in headline(simple(lines).summary)


def test_an_incomplete_run_decides_nothing():
    words = headline(simple({"rubric": "w" * 60}, complete=False).summary)
    assert words.startswith("inconclusive: the run is incomplete. The candidate scores 100 % over 60 prompts")


def test_no_usable_judge_is_named():
    report = simple({"openai/x": "w" * 20}, control_rights={"openai/x": [False] * 8})
    words = headline(report.summary)
    assert words == "inconclusive: no usable judge is left: openai/x failed the control pairs."


def test_a_panel_shows_its_split_votes_and_its_judges_ranges():
    words = headline(simple({"openai/a": "wwwwl" * 8, "openai/b": "wwwlt" * 8}).summary)
    assert "by the majority of 2 judges" in words
    assert re.search(r"\d+ tied, \d+ of them a split panel", words)
    assert "control pairs 16 of 16 verdicts right" in words


def test_unscored_prompts_stand_in_the_headline():
    words = headline(simple({"rubric": "w" * 40 + "u" * 3}).summary)
    assert "over 40 of 43 prompts (40 won, 0 lost, 0 tied; 3 unscored;" in words


def test_one_order_alone_is_no_agreement():
    report = simple({"rubric": "wwl" * 12}, both=False)
    assert "no prompt was judged in both orders" in headline(report.summary)
    assert "split by order" not in headline(report.summary)


def test_a_judge_line_marks_judges_that_decide_nothing():
    report = simple({"gpt-4o": "wwl" * 10, "control/first": "s" * 30, "human/ann": "w" * 30})
    assert line_of(report, "control/first").startswith("control/first (known bias) scores 50 % over 30 prompts")
    assert line_of(report, "human/ann").startswith("human/ann (human labels) scores 100 %")
    assert "no control pairs (recorded)" in line_of(report, "gpt-4o")
    assert "no control pairs (known bias)" in line_of(report, "control/first")


def test_row_counts_stand_beside_and_decide_nothing():
    rows = [record("p0", "candidate", judge="gpt-4o", repeat=r) for r in range(43)]
    rows += [record("p1", "baseline", judge="gpt-4o", repeat=r) for r in range(13)]
    rows.append(record("p2", "tie", judge="gpt-4o"))
    prompts = {"p0": None, "p1": None, "p2": None}
    report = report_of(
        rows, title="t", prompts=prompts, judges=["gpt-4o"], control_rights={}, complete=True, equivalence=0.05
    )
    assert (
        "single verdicts: 43 for the candidate, 13 for the baseline, 1 tie "
        "(as often published; the decision does not rest on them)" in line_of(report, "gpt-4o")
    )
    assert "gpt-4o 43–13–1" in all_single_verdicts(report.summary)[0]


def test_row_counts_that_say_nothing_new_are_left_out():
    report = simple({"rubric": "wwl" * 4}, both=False)
    assert "single verdicts" not in line_of(report, "rubric")
    assert all_single_verdicts(report.summary) == []


def test_judgments_response_pairs_and_prompts_are_counted_apart():
    report = simple({"rubric": "wwl", "gpt-4o": "ww-"})
    assert counted(report.comparisons) == [
        "rubric: 6 judgments of 3 response pairs on 3 distinct prompts",
        "gpt-4o: 4 judgments of 2 response pairs on 2 distinct prompts",
    ]
    twice = (*report.comparisons, *report.comparisons[:1])
    assert counted(twice)[0] == "rubric: 8 judgments of 3 response pairs on 3 distinct prompts"


def test_length_is_set_beside_what_counting_characters_would_score():
    said = length_alone(kitchen().summary)
    assert re.match(r"openai/gpt-4o-mini: the longer response won \d+ % of \d+ decisive verdicts\.", said[0])
    assert said[-1].startswith("Length alone (control/longest, which reads nothing) scores")
    assert not any(line.startswith("control/") for line in said)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), votes), st.booleans())
def test_no_figure_is_ever_nan_none_or_bare(lines, complete):
    report = simple(lines, complete=complete)
    names = report.summary.judges
    said = [headline(report.summary), *report_doubts(report), *(line_of(report, name) for name in names)]
    for sentence in said:
        assert not re.search(r"\b(nan|inf|None)\b", sentence)
        for bare in re.finditer(r"scores [\d.]+ %", sentence):
            assert re.match(r" over [\d,]+( of [\d,]+)? prompts? \(\d", sentence[bare.end() :])
