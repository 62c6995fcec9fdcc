"""Leakage is told once, with the figures it bears on; where it turns the decision, before every other doubt."""

import dataclasses
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from harness.report import html, markdown, text
from harness.report.data import Side
from harness.report.doubts import doubts, report_doubts
from harness.report.leakage import clean_line, leaked_ids, leaked_line
from tests.harness.report.reading import read
from tests.harness.report.sample import HOSTILE_NAMES, leaked, simple

# Twenty wins that leaked, and sixteen prompts on which neither side is better.
TURNED = {"rubric": "w" * 20 + "wl" * 8}
FIRST = [f"p{i}" for i in range(20)]
WINS = {"rubric": "wwwl" * 9}


def summary(lines, finding):
    return simple(lines, leakage=finding).summary


def test_a_turned_decision_comes_before_every_other_doubt():
    report = simple(TURNED, leakage=leaked(FIRST[:12], FIRST[12:], of=36), notes=["a note"])
    report = dataclasses.replace(report, baseline=Side(spec="hf/b", warnings=("40 of 200 planned steps done",)))
    assert report_doubts(report) == [
        "without the 20 of 36 prompts that stand in training data, the decision would be “inconclusive” "
        "(the interval holds 1/2), not “better”",
        "baseline: 40 of 200 planned steps done",
        "a note",
    ]


def test_a_decision_that_bears_it_is_said_to():
    assert doubts(summary(WINS, leaked(["p0"], ["p2"], of=36))) == [
        "2 of 36 prompts stand in training data; without them the decision is “better” as well"
    ]
    assert doubts(summary(WINS, leaked(["p3"], of=36))) == [
        "1 of 36 prompts stands in training data; without it the decision is “better” as well"
    ]


def test_a_panel_is_counted_without_what_leaked():
    found = summary({"rubric": "wwl", "openai/x": "wll", "openai/y": "wwl"}, leaked(["p0"], of=3))
    without = found.leakage.without
    assert (without.estimate.n, without.wins, without.losses) == (2, 1, 1)
    assert without.split == 0


def test_where_no_judge_counts_what_leaked_is_still_named():
    found = summary({"control/tie": "ttt"}, leaked(["p0"], of=3))
    assert (found.leakage.without.estimate.n, found.leakage.without.unscored) == (0, 2)
    shown = text.render(simple({"control/tie": "ttt"}, leakage=leaked(["p0"], of=3)))
    assert "1 of 3 prompts stands in training data" in shown
    assert "without the leaked" not in shown


def test_the_line_counts_contestants_and_closeness():
    found = summary(WINS, leaked(["p0"], ["p2", "p3"], of=36))
    assert leaked_line(found) == [
        "3 of 36 prompts stand in training data (the candidate's 3, the baseline's 1; 1 exactly, 2 nearly; "
        "30,400 examples compared)"
    ]
    assert leaked_ids(found) == "p0, p2 and p3"
    assert clean_line(found) == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "the training data of candidate or baseline (30,400 examples compared)"),
        (
            {"checked": {"candidate": 1, "baseline": None}, "examples": 1},
            "the training data of the candidate (1 example compared)",
        ),
        (
            {"unknown": ("the baseline's base",)},
            "what is known of the training data of candidate or baseline (30,400 examples compared)",
        ),
    ],
)
def test_where_nothing_leaked_one_line_says_what_was_compared(more, said):
    report = simple(WINS, leakage=leaked(of=36, **more))
    line = f"no prompt of 36 stands in {said}"
    assert clean_line(report.summary) == [line]
    assert line in " ".join(text.render(report).split())
    assert line in markdown.render(report)
    assert line in read(html.render(report)).one("header").text
    assert doubts(report.summary) == []


def test_where_nothing_is_known_nothing_is_said():
    report = simple(WINS)
    for page in (text.render(report), markdown.render(report), read(html.render(report)).text):
        assert "training data" not in page and "leak" not in page.lower()


def test_every_report_shows_the_figures_with_and_without():
    report = simple(TURNED, leakage=leaked(FIRST, of=36))
    rows = (r"all prompts +78 % +62–88 +28–8–0 +0\.001\d* +36$", r"without the leaked +50 % +28–72 +8–8–0 +1 +16$")
    shown = text.render(report)
    assert all(re.search(f"^{row}", shown, re.MULTILINE) for row in rows), shown
    assert "| without the leaked | 16 | 50 % | 28–72 | 8–8–0 | 1 |" in markdown.render(report)
    section = read(html.render(report)).one("section", **{"aria-labelledby": "leakage"})
    assert [row.text for row in section.all("tr")][1:][1].startswith("without the leaked 50 % 28–72 8–8–0 16")


def test_a_page_links_the_first_leaked_prompts_and_counts_the_rest():
    root = read(html.render(simple(TURNED, leakage=leaked(FIRST, of=36))))
    section = root.one("section", **{"aria-labelledby": "leakage"})
    assert [link.attributes["href"] for link in section.all("a")] == [f"#id=p{i}" for i in range(12)]
    assert "p11 and 8 more." in section.text


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=90, alphabet=st.characters(exclude_categories=["Cs"])), unique=True))
def test_no_id_breaks_eighty_columns(ids):
    shown = text.render(simple(WINS, leakage=leaked(ids, of=36)))
    assert max(cell_len(line) for line in shown.splitlines()) <= 80
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", shown)


def test_hostile_ids_stay_text():
    report = simple(WINS, leakage=leaked(HOSTILE_NAMES, of=36))
    page = html.render(report)
    assert "<img" not in page and page.count("</script>") == 2
    section = read(page).one("section", **{"aria-labelledby": "leakage"})
    assert all(link.attributes["href"].startswith("#id=") for link in section.all("a"))
    assert "[link](" not in markdown.render(report)
