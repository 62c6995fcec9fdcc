"""report.md of a score run: its figures as tables, and nothing in it but what this program wrote as markup."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.scoring import words
from harness.scoring.markdown import MOST, render
from harness.scoring.report import ScoreReport
from tests.harness.report.sample import HOSTILE, HOSTILE_NAMES
from tests.harness.report.test_markdown import GITHUB, OURS, kinds, plain
from tests.harness.scoring.figures_made import ONE_TO_TEN
from tests.harness.scoring.reports_made import EIGHT, made

TWO = {"openai/judge": ONE_TO_TEN, "anthropic/claude": ONE_TO_TEN}


def tables(text):
    """Every table as its rows of cells."""
    found, inside = [], False
    for token in GITHUB.parse(text):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type in ("th_open", "td_open", "th_close", "td_close"):
            inside = token.nesting > 0
        elif token.type == "inline" and inside:
            found[-1][-1].append("".join(child.content for child in token.children))
    return found


def test_the_finding_the_figures_and_the_doubts_stand_in_it():
    report = made(32, judges=TWO)
    text = render(report)
    seen = plain(text)
    assert seen.splitlines()[:2] == ["made", "candidate: openai/candidate, baseline: openai/baseline"]
    for sentence in (*words.headline(report.summary), *words.doubts(report.summary), *words.movers(report.summary)):
        assert sentence in seen
    for title in ("By judge", "What to doubt", "By category", "By turn", "What moved most", "Ends of the scale"):
        assert f"\n## {title}\n" in text


def test_every_judge_has_a_row_with_intervals_and_n():
    report = made(32, judges=TWO)
    head, *rows = tables(render(report))[0]
    assert head == ["judge", "candidate", "baseline", "change", "p"]
    for (name, candidate, baseline, change, p), own in zip(rows, report.summary.judges.values(), strict=True):
        beside = report.summary.baseline[name]
        assert candidate == f"{own.mean:.2f} ({own.ci[0]:.2f}–{own.ci[1]:.2f}; n = 32)"
        assert baseline == f"{beside.mean:.2f} ({beside.ci[0]:.2f}–{beside.ci[1]:.2f}; n = 32)"
        assert " to " in change and change.endswith("; n = 32)")
        assert p


def test_every_category_stands_together_and_by_each_judge():
    text = render(made(32, judges=TWO))
    assert [[row[0] for row in table[1:]] for table in tables(text)[1:4]] == [list(EIGHT)] * 3
    assert all(f"\n**{label}, scale 1 to 10**\n" in text for label in ("all judges", *TWO))


def test_without_a_baseline_there_are_no_columns_for_one():
    assert tables(render(made(8, baseline=False)))[0][0] == ["judge", "candidate"]


def test_missing_grades_are_named_by_their_status():
    text = render(made(8, lost={("p1", "candidate", 2): "invalid_parse"}, gone=[("p3", "baseline")]))
    counts, lost = tables(text)[-2:]
    assert counts == [
        ["judge", "of", "invalid parse", "ok", "skipped"],
        ["openai/judge", "candidate", "1", "15", "0"],
        ["openai/judge", "baseline", "0", "14", "2"],
    ]
    assert [row[:4] for row in lost[1:]] == [
        ["p1", "candidate", "openai/judge", "2"],
        ["p3", "baseline", "openai/judge", "1"],
        ["p3", "baseline", "openai/judge", "2"],
    ]
    assert lost[1][4].startswith("invalid parse: what went wrong")


def test_where_no_grade_is_missing_none_is_listed_and_many_are_cut_and_counted():
    assert "Missing grades" not in render(made(8))
    text = render(made(40, gone=[(f"p{i}", "candidate") for i in range(15)]))
    assert len(tables(text)[-1]) == 1 + MOST and "… and 10 more; all of them stand in report.html." in text


def test_a_planned_grade_that_is_not_on_record_is_listed():
    found = made(2)
    own = found.items[0].answers["candidate"]
    cut = {**found.items[0].answers, "candidate": dataclasses.replace(own, grades=own.grades[:1])}
    items = (dataclasses.replace(found.items[0], answers=cut), found.items[1])
    assert "| p0 | candidate | openai/judge | 2 | not on record |" in render(dataclasses.replace(found, items=items))


def test_figures_of_files_alone_are_bare_means_and_say_so():
    report = ScoreReport(title=("scores.jsonl",), summary=made(8, baseline=False).summary)
    text = render(report)
    assert "Means over those of 8 prompts that have such a grade; no interval is known here." in text
    assert "report.html has" not in text


@pytest.mark.parametrize("n", [1, 2])
def test_almost_nothing_is_a_report(n):
    text = render(made(n, categories=["x"]))
    assert "None" not in text and "nan" not in text
    assert ("(no interval; n = 1)" in text) == (n == 1)


def test_no_answer_and_no_reply_is_printed():
    text = render(made(8))
    assert "says" not in text and "The reply to" not in text


def test_hostile_texts_stay_text():
    report = made(
        4,
        judges=dict.fromkeys(HOSTILE_NAMES, ONE_TO_TEN),
        categories=HOSTILE_NAMES,
        name=HOSTILE_NAMES[1] + "{}",
        text=" ".join(HOSTILE_NAMES),
        lost={(f"{HOSTILE_NAMES[1]}0", "candidate", 1): "refused"},
        notes=[*HOSTILE, "# heading", "1. item", "http://evil.example <b>"],
    )
    text = render(report)
    text.encode()
    assert kinds(text) <= OURS


@settings(max_examples=30, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30))
def test_no_name_breaks_a_table(name):
    prompts = name.replace("{", "{{").replace("}", "}}") + "{}"
    lost = {(f"{name}0", "candidate", 1): "refused"}
    report = made(3, judges={name: ONE_TO_TEN}, categories=[f"{name}|"], name=prompts, lost=lost)
    found = tables(render(report))
    assert [len(table) for table in found] == [2, 2, 3, 3, 2]
    assert all(len(row) == len(table[0]) for table in found for row in table)
