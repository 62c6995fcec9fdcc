"""The terminal report: eighty columns whatever the names, plain where nobody looks, and dashes with reasons."""

import dataclasses
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from harness.report.data import Side
from harness.report.text import render
from tests.harness.report.sample import HOSTILE, HOSTILE_NAMES, kitchen, simple

judge_names = st.text(min_size=1, max_size=120, alphabet=st.characters(exclude_categories=["Cs"]))


def columns(text):
    return max(cell_len(line) for line in text.splitlines())


def test_the_decision_comes_first_and_the_rest_follows():
    text = render(kitchen())
    assert re.search(r"^Candidate better: scores \d+ % over 60 prompts \(", text, re.MULTILINE)
    parts = ("Candidate better", "score ", "by category", "how far length goes", "what to doubt")
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert "baseline: 40 of 200 planned steps done" in text


def test_every_judge_has_a_line_of_figures_under_its_part():
    text = render(kitchen())
    line = r"^openai/gpt-4o-mini +\d+ % +\d+–\d+ +\d+–\d+–\d+ +(< )?[\d.]+ +\d+ % +\d+ % +8 of 8$"
    assert re.search(line, text, re.MULTILINE)
    assert text.index("known bias, decides nothing:") < text.index("\ncontrol/longest ")
    assert text.index("unusable, decides nothing:") < text.index("\nopenai@LOCAL/meta-llama/Llama-3.3")


def test_missing_figures_are_dashes_with_their_reasons():
    text = render(simple({"rubric": "w", "gpt-4o": "u"}))
    assert re.search(r"^rubric +100 % +— +1–0–0", text, re.MULTILINE)
    assert re.search(r"^gpt-4o +— +— +0–0–0 +— +— +— +—$", text, re.MULTILINE)
    notes = " ".join(text.split())
    whys = (
        "n = 1 gives no interval",
        "no usable verdict",
        "a panel has no order of its own",
        "no control pairs (recorded)",
    )
    assert all(why in notes for why in whys)


@pytest.mark.parametrize("lines", [{}, {"control/tie": "tt"}])
def test_nothing_to_show_is_said(lines):
    assert "Inconclusive: " in render(simple(lines))


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(judge_names, st.text(alphabet="wltus", min_size=3, max_size=3), max_size=4))
def test_no_name_breaks_the_table(lines):
    text = render(simple(lines, notes=list(lines)))
    assert columns(text) <= 80
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)


def test_a_recorded_path_stands_on_its_own_line_whole():
    path = "recorded/" + "/".join(["a-very-long-folder"] * 6) + "/judge.jsonl"
    text = render(simple({path: "wwl" * 12, "rubric": "wwl" * 12}))
    assert path in text.replace("\n", "")
    assert columns(text) <= 80


def test_hostile_names_cannot_steer_the_terminal():
    report = simple(dict.fromkeys(HOSTILE_NAMES, "wwl"))
    report = dataclasses.replace(report, title=HOSTILE[2], candidate=Side(spec=HOSTILE[3]))
    text = render(report)
    assert "\x1b" not in text and "\u202e" not in text
    text.encode()


def test_colour_only_where_someone_looks(monkeypatch):
    report = simple({"rubric": "wwl" * 12})
    assert "\x1b[1mCandidate better\x1b[0m" in render(simple({"rubric": "w" * 40}), colour=True)
    assert "\x1b" not in render(report)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in render(report)


def test_colour_changes_no_word():
    report = kitchen()
    assert re.sub(r"\x1b\[\d+m", "", render(report, colour=True)) == render(report, colour=False)
