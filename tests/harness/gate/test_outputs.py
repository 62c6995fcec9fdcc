"""JUnit, Markdown and annotations: read back, and safe whatever names hold."""

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.gate import github, junit, markdown, text, words
from tests.harness.gate.files import result

MIXED = {"easy": (60, 2880, 60), "hard": (30, 165, 5), "odd": (9, 85, 6)}
NASTY = "::error::x]]><a>&\x1b[31m\x00\ud800|*`\n%0A"


def cases(xml):
    root = ET.fromstring(xml.encode("utf-8", "strict"))
    suite = root.find("testsuite")
    found = suite.findall("testcase")
    assert int(suite.get("tests")) == len(found)
    for tag, count in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        assert int(suite.get(count)) == int(root.get(count)) == sum(case.find(tag) is not None for case in found)
    return {case.get("name"): case for case in found}


def kinds(xml):
    return {
        name: next((tag for tag in ("failure", "error", "skipped") if case.find(tag) is not None), "passed")
        for name, case in cases(xml).items()
    }


def test_junit_has_a_case_for_all_prompts_and_one_a_category():
    found = kinds(junit.render(result(MIXED, margin=0.05)))
    assert found == {
        "all prompts": "passed",
        "category easy": "passed",
        "category hard": "skipped",
        "category odd": "skipped",
    }


def test_junit_fails_where_the_exit_code_does():
    gated = result(MIXED, margin=0.05, categories=True)
    assert gated.code == 1
    assert [name for name, kind in kinds(junit.render(gated)).items() if kind == "failure"] == ["category hard"]
    whole = result({"a": (40, 200, 10)}, margin=0.03)
    assert kinds(junit.render(whole))["all prompts"] == "failure"
    assert kinds(junit.render(result({"a": (12, 33, 12)}, margin=0.03)))["all prompts"] == "skipped"


def test_a_failure_s_message_is_the_headline():
    found = result({"a": (40, 200, 10)}, margin=0.03)
    failure = cases(junit.render(found))["all prompts"].find("failure")
    assert failure.get("message") == words.headline(found)
    assert words.notes(found)[0] in failure.text


def test_markdown_is_a_table_with_all_prompts_and_every_category():
    found = markdown.render(result(MIXED, margin=0.05))
    rows = [line for line in found.splitlines() if line.startswith("|")]
    assert [row.split("|")[1].strip() for row in rows] == ["", "---", "all prompts", "easy", "hard", "odd"]
    assert len({row.count("|") for row in rows}) == 1
    assert found.startswith("### ✅ Regression gate: pass\n")


def test_annotations_are_an_error_a_warning_or_a_notice():
    told = {
        counts: github.render(result({"a": counts}, margin=0.03))[0].split(" ")[0]
        for counts in ((5, 990, 5), (40, 200, 10), (12, 33, 12))
    }
    assert list(told.values()) == ["::notice", "::error", "::warning"]


def test_an_annotation_s_parts_are_escaped_as_the_grammar_wants():
    assert github.command("error", "a:b,c%", "d:e,f%\ng") == "::error title=a%3Ab%2Cc%25::d:e,f%25%0Ag"


@pytest.mark.parametrize("line", ["::set-output name=a::b", "   ::error::x", "##[error]x"])
def test_no_line_of_the_text_is_a_command(line):
    assert not github.inert(f"a\n{line}\nb").split("\n")[1].lstrip().startswith(("::", "##["))
    assert github.inert("a :: b\n  c") == "a :: b\n  c"


def test_a_nasty_name_breaks_nothing():
    found = result({NASTY.replace("\ud800", ""): (40, 200, 10)}, margin=0.03)
    assert len(cases(junit.render(found))) == 2
    assert "\x1b" not in text.render(found) + markdown.render(found) + junit.render(found)
    assert all("\n" not in line and line.startswith("::") for line in github.render(found))
    rows = [line for line in markdown.render(found).splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1


@given(st.text(st.characters(codec="utf-8"), max_size=30))
@settings(max_examples=200)
def test_any_text_is_xml(said):
    root = ET.fromstring(junit.refusal([said]).encode())
    assert root.find("testsuite/testcase/error") is not None


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_text_is_one_command(title, message):
    line = github.command("warning", title, message)
    assert "\n" not in line and "\r" not in line
    head, _, _ = line.removeprefix("::warning title=").partition("::")
    assert ":" not in head and "," not in head


COUNTS = st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40)).filter(any)


@given(st.dictionaries(st.sampled_from(["a", "a b", "漢字" * 20, "x" * 90]), COUNTS, min_size=1), st.floats(0.001, 0.9))
@settings(max_examples=60, deadline=None)
def test_the_text_fits_eighty_columns_and_begins_with_the_outcome(by_category, margin):
    from rich.cells import cell_len

    found = result(by_category, margin=margin)
    said = text.render(found)
    assert said.startswith(words.WORD[found.outcome])
    assert max(map(cell_len, said.splitlines())) <= 80, said


@pytest.mark.chaos
@given(COUNTS, st.floats(0.001, 0.9))
@settings(max_examples=100, deadline=None)
def test_the_printed_bound_lies_on_the_side_of_the_margin_that_the_outcome_says(counts, margin):
    found = result({"a": counts}, margin=margin)
    if found.found.lower is not None and abs(found.found.lower + margin) > 1e-6:
        shown = float(words.lower(found, found.found).replace("−", "-"))
        assert (shown > -100 * margin) == (found.outcome == "pass")
