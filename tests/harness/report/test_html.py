"""report.html as a file: self-contained, inert whatever a response holds, whole without its script."""

import base64
import dataclasses
import hashlib
import re

import pytest

from harness.report.data import Comparison
from harness.report.html import pieces, render
from harness.report.words import basis, headline, report_doubts
from tests.harness.report.reading import data_of, read
from tests.harness.report.sample import HOSTILE, HOSTILE_NAMES, kitchen, record, simple


@pytest.fixture(scope="module")
def page():
    return render(kitchen())


@pytest.fixture(scope="module")
def root(page):
    return read(page)


def hostile():
    """A report with hostile text in every place that takes text."""
    report = simple(dict.fromkeys(HOSTILE_NAMES, "wls"), notes=list(HOSTILE))
    comparisons = tuple(
        dataclasses.replace(item, category=HOSTILE[1], turns=HOSTILE, candidate=HOSTILE, baseline=HOSTILE)
        for item in report.comparisons
    )
    worse = kitchen(8)
    controls = tuple(
        dataclasses.replace(c, id=HOSTILE[0], damage=HOSTILE[1], whole=HOSTILE, damaged=HOSTILE, reply=HOSTILE[2])
        for c in worse.controls
    )
    return dataclasses.replace(
        report,
        title=HOSTILE[0],
        comparisons=comparisons,
        controls=controls,
        candidate=dataclasses.replace(worse.candidate, spec=HOSTILE[0], warnings=HOSTILE),
        facts={HOSTILE[0]: HOSTILE[1]},
        manifest={HOSTILE[0]: list(HOSTILE)},
    )


def test_the_first_screen_holds_decision_basis_contestants_and_doubts(root):
    report = kitchen()
    assert root.one("h1").text == "Candidate better"
    assert root.one("p", kind="basis").text.lower() == basis(report.summary).lower()
    assert root.one("meta", name="description").attributes["content"] == headline(report.summary)
    assert "hf/checkpoints/kitchen-base" in root.one("dl", kind="contestants").text
    doubts = [item.text for item in root.one("section", kind="doubts").all("li")]
    assert doubts == report_doubts(report)
    assert f"{len(doubts)} reasons to doubt this" in root.one("header").text


@pytest.mark.parametrize(
    ("votes", "title"),
    [("wwwl" * 12, "Candidate better"), ("lllw" * 12, "Candidate worse"), ("wl" * 9, "Inconclusive"),
     ("wl" + "t" * 300, "Equivalent within ±5 points")],
)  # fmt: skip
def test_each_decision_has_its_words(votes, title):
    page = read(render(simple({"rubric": votes})))
    assert page.one("h1").text == title
    assert page.one("title").text == f"{title} · simple"


def test_every_judge_and_category_is_plotted_with_its_figures(root):
    judges, categories = root.all("table", kind="plot")
    rows = {row.one("bdi").text: row for row in judges.all("tr") if list(row.all("bdi"))}
    assert set(rows) == {"panel of 3", *kitchen().summary.judges}
    for name, result in kitchen().summary.judges.items():
        row = rows[name]
        assert f"{result.wins}–{result.losses}–{result.ties} 60 " in row.text + " "
        low, high = result.estimate.ci
        assert row.one("line", kind="whisker").attributes["x1"] == f"{100 * low:.6g}%"
        assert row.one("line", kind="whisker").attributes["x2"] == f"{100 * high:.6g}%"
    assert "unusable, decides nothing" in rows["openai@LOCAL/meta-llama/Llama-3.3-70B-Instruct-AWQ-INT4"].text
    assert "known bias, decides nothing" in rows["control/longest"].text
    assert [row.one("bdi").text for row in categories.all("tr") if list(row.all("bdi"))] == list(
        kitchen().summary.categories
    )


def test_position_length_controls_and_unscored_have_their_sections(root):
    titles = {heading.text for heading in root.all("h2")}
    assert {"Position", "Length", "Control pairs", "Unscored", "Single verdicts", "Every comparison"} <= titles
    assert "Length alone (control/longest, which reads nothing) scores" in root.text
    pairs = list(root.all("details", kind="pair"))
    assert len(pairs) == 4
    assert all(len(list(pair.all("li"))) == 6 for pair in pairs)
    assert "named the damaged copy" in root.text


def test_missing_figures_are_dashes_with_reasons_never_none():
    page = read(render(simple({"rubric": "w", "gpt-4o": "u"})))
    judges = next(page.all("table", kind="plot"))
    rows = {row.one("bdi").text: row.text for row in judges.all("tr") if list(row.all("bdi"))}
    assert rows["rubric"] == "rubric n = 1 gives no interval 100 % — 1–0–0 1 1"
    assert rows["gpt-4o"] == "gpt-4o no usable verdict — — 0–0–0 0 of 1 —"
    assert "— no control pairs (recorded)" in page.text
    assert "— No decisive verdict stands on responses of known and different length." in page.text
    assert not re.search(r"\b(None|nan|NaN|inf|Undefined)\b", page.text)


@pytest.mark.parametrize("lines", [{}, {"control/tie": "tt"}, {"rubric": "uu"}])
def test_a_report_of_almost_nothing_is_a_page(lines):
    page = read(render(simple(lines)))
    assert page.one("h1").text == "Inconclusive"
    assert not re.search(r"\b(None|nan)\b", page.text)


def test_the_policy_admits_this_style_and_this_script_alone(page, root):
    policy = root.one("meta", **{"http-equiv": "Content-Security-Policy"}).attributes["content"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy and "http" not in policy
    for name, kind in (("style", "style-src"), ("script", "script-src")):
        text = re.findall(rf"<{name}>(.*?)</{name}>", page, re.DOTALL)
        assert len(text) == 1
        digest = base64.b64encode(hashlib.sha256(text[0].encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy


def test_nothing_in_the_page_can_ask_for_anything():
    for page in (render(kitchen()), render(hostile())):
        root = read(page)
        for element in root.all():
            assert element.tag not in {
                "img",
                "iframe",
                "object",
                "embed",
                "base",
                "video",
                "audio",
                "source",
                "use",
                "image",
            }
            assert not set(element.attributes) & {
                "src",
                "srcset",
                "action",
                "formaction",
                "style",
                "background",
                "poster",
            }
            assert not any(name.startswith("on") for name in element.attributes)
            assert (element.attributes.get("href") or "#").startswith(("#", "data:,"))
        assert len(list(root.all("script"))) == 2
        assert "url(" not in page.split("<body>")[0] and "@import" not in page


def test_hostile_text_is_text_and_nothing_is_lost():
    page = render(hostile())
    page.encode()
    root = read(page)
    item = data_of(root)["items"][0]
    shown = [text.replace("\ud800", "\N{REPLACEMENT CHARACTER}") for text in HOSTILE]
    assert item[3] == item[4] == item[5] == shown
    assert root.one("p", kind="kicker").text == HOSTILE[0]
    assert "<" not in root.one("script", id="data").inside[0]
    assert "{{ 7 * 7 }}" in root.text


def test_the_data_holds_every_judgment_with_its_reasons(root):
    data, report = data_of(root), kitchen()
    assert [one["name"] for one in data["judges"]] == list(report.summary.judges)
    assert [item[0] for item in data["items"]] == [item.id for item in report.comparisons]
    for item, comparison in zip(data["items"], report.comparisons, strict=True):
        rows = [tuple(row) for ruled in item[6] for row in ruled[3]]
        assert len(rows) == len(comparison.judgments)
        for row, judgment in zip(rows, comparison.judgments, strict=True):
            assert row[:4] == (judgment.order, judgment.verdict, judgment.winner, judgment.status)
            assert row[5] == judgment.reply
    assert data["slots"]["baseline_first"] == {"A": "baseline", "B": "candidate"}


def test_outcomes_in_the_data_are_those_of_the_figures(root):
    data, report = data_of(root), kitchen()
    for place, name in enumerate(report.summary.judges):
        result = report.summary.judges[name]
        ruled = [one for item in data["items"] for one in item[6] if one[0] == place]
        outcomes = [one[1] for one in ruled]
        assert (outcomes.count("win"), outcomes.count("loss"), outcomes.count("tie")) == (
            result.wins, result.losses, result.ties,
        )  # fmt: skip
        assert sum(one[2] for one in ruled) == result.inconsistent


def test_scores_that_are_no_json_are_shown_as_words():
    row = record("p0", "candidate", scores={"A": {"x": float("nan")}, "B": {"x": 1.5}})
    report = simple({"rubric": "w"})
    report = dataclasses.replace(report, comparisons=(Comparison(id="p0", repeat=0, judgments=(row,)),))
    assert data_of(read(render(report)))["items"][0][6][0][3][0][4] == {"A": {"x": "nan"}, "B": {"x": 1.5}}


def test_responses_that_are_not_there_are_null():
    report = simple({"rubric": "w"})
    report = dataclasses.replace(report, comparisons=(dataclasses.replace(report.comparisons[0], baseline=None),))
    item = data_of(read(render(report)))["items"][0]
    assert item[4] == ["yes p0"] and item[5] is None


def test_without_script_the_page_says_where_the_comparisons_are(root):
    assert "Reading the 60 comparisons here needs JavaScript" in root.one("noscript").text


def test_many_categories_fold_away():
    prompts = {f"p{i}": f"category {i:02}" for i in range(40)}
    page = read(render(simple({"rubric": "wl" * 20}, prompts=prompts)))
    assert "24 more categories" in page.text
    assert "category 39" in page.text


def test_every_control_has_a_name(root):
    for name in ("select", "input"):
        assert list(root.all(name))
    labelled = [element for label in root.all("label") for element in (*label.all("select"), *label.all("input"))]
    assert len(labelled) == len([*root.all("select"), *root.all("input")])
    for section in root.all("section"):
        assert root.one(id=section.attributes["aria-labelledby"]).text


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_text_has_the_contrast_of_wcag_aa_in_both_themes(page):
    themes = [
        dict(re.findall(r"--(\w+): (#\w{6})\b", block)) for block in re.findall(r":root \{(.*?)\}", page, re.DOTALL)
    ]
    assert len(themes) == 2
    for theme in themes:
        for ink in ("ink", "soft", "candidate", "baseline", "doubt"):
            for paper in ("paper", "raised"):
                light, dark = sorted((luminance(theme[ink]), luminance(theme[paper])), reverse=True)
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, paper)


def test_written_piece_by_piece_it_is_the_same_page(page):
    assert "".join(pieces(kitchen())) == page
