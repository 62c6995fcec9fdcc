"""report.md: the same figures as tables, and nothing in it but what this program wrote as markup."""

import dataclasses

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from harness.report.data import Side
from harness.report.markdown import escape, render
from harness.report.words import basis, report_doubts
from tests.harness.report.sample import HOSTILE, HOSTILE_NAMES, kitchen, simple

GITHUB = MarkdownIt("commonmark").enable(["table", "strikethrough"])
OURS = {"heading", "paragraph", "table", "thead", "tbody", "tr", "th", "td", "bullet_list", "list_item", "strong"}


def kinds(text):
    """Every kind of markup in a Markdown text, without what only holds text."""
    tokens = GITHUB.parse(text)
    every = [token for outer in tokens for token in (outer, *(outer.children or ()))]
    found = {token.type.removesuffix("_open").removesuffix("_close") for token in every}
    return found - {"inline", "text", "softbreak", "text_special"}


def plain(text):
    """What a reader sees of a Markdown text."""
    return "\n".join(
        "".join(child.content for child in token.children) for token in GITHUB.parse(text) if token.type == "inline"
    )


def test_the_decision_the_figures_and_the_doubts_stand_in_it():
    report = kitchen()
    seen = plain(render(report))
    assert seen.splitlines()[:2] == ["in_domain", f"Candidate better: {basis(report.summary)}"]
    assert all(sentence in seen for sentence in report_doubts(report))
    titles = ("By judge", "What to doubt", "By category", "How far length goes", "Control pairs", "Verdicts by status")
    for title in titles:
        assert f"\n## {title}\n" in render(report)


def test_contested_comparisons_are_listed_in_brief_and_no_response_in_full():
    report = kitchen()
    text = render(report)
    assert "## Contested comparisons\n\nOn 30 of 60 comparisons, judges name different winners" in text
    assert "… and 10 more; all of them stand in report.html." in text
    assert all(item.candidate[0] not in text for item in report.comparisons)


def test_uncontested_results_have_no_such_list():
    assert "Contested" not in render(simple({"rubric": "wwl", "gpt-4o": "wwl"}))


def test_a_split_by_order_contests_and_a_known_bias_does_not():
    assert "tie, split by order" in render(simple({"rubric": "wws"}))
    assert "Contested" not in render(simple({"rubric": "www", "control/first": "sss"}))


def test_missing_figures_are_dashes_with_their_reasons():
    text = render(simple({"rubric": "w", "gpt-4o": "u"}))
    assert "| rubric | 1 | 100 % | — | 1–0–0 |" in text
    assert "| gpt-4o | 0 of 1 | — | — | 0–0–0 | — | — | — | — | — |" in text
    assert "n = 1 gives no interval; no usable verdict" in text or "no usable verdict" in text
    assert "None" not in text and "nan" not in text


def test_hostile_texts_stay_text():
    lines = dict.fromkeys(HOSTILE_NAMES, "wls")
    report = dataclasses.replace(
        simple(lines, notes=[*HOSTILE, "# heading", "1. item", "http://evil.example <b>"]),
        title=HOSTILE[0],
        candidate=Side(spec=HOSTILE[3]),
        facts={HOSTILE[1]: HOSTILE[2]},
    )
    report = dataclasses.replace(
        report, comparisons=tuple(dataclasses.replace(item, turns=HOSTILE) for item in report.comparisons)
    )
    text = render(report)
    text.encode()
    assert kinds(text) <= OURS


def test_every_row_of_a_table_has_its_heads_cells():
    lines = {f"a|b{text}": "wls" for text in HOSTILE_NAMES}
    heads = cells = 0
    for token in GITHUB.parse(render(simple(lines))):
        match token.type:
            case "thead_open":
                heads = 0
            case "th_open":
                heads += 1
            case "tr_open":
                cells = 0
            case "td_open":
                cells += 1
            case "tr_close":
                assert cells in (0, heads)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
def test_escaped_text_reads_as_itself(text):
    line = " ".join(text.split())
    if line and not any("\u202a" <= c <= "\u202e" or "\u2066" <= c <= "\u2069" for c in line):
        assert kinds(escape(text)) <= {"paragraph"}
        assert plain(escape(text)) == line


@given(st.text(alphabet="abw.:/#*_`|<>[]()!~$&;-+=1 \\@'\"", max_size=30))
def test_escaped_markup_reads_as_itself(text):
    line = " ".join(text.split())
    if line:
        assert kinds(escape(text)) <= {"paragraph"}
        assert plain(escape(text)) == line
