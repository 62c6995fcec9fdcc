"""report.html of a score run: whole, self-contained, inert whatever an answer holds, and readable in a real browser."""

import base64
import dataclasses
import hashlib
import json
import re
import subprocess

import pytest

from harness.leakage.guard import Finding
from harness.scoring import words
from harness.scoring.page import pieces, render
from harness.scoring.report import ScoreReport
from tests.harness.report.reading import data_of, read
from tests.harness.report.sample import HOSTILE, HOSTILE_NAMES
from tests.harness.report.test_browser import BROWSER, FLAGS, listener
from tests.harness.scoring.figures_made import ONE_TO_TEN
from tests.harness.scoring.reports_made import EIGHT, made

__all__ = ["listener"]

TWO = {"openai/judge": ONE_TO_TEN, "anthropic/claude": ONE_TO_TEN}
MIXED = {"openai/judge": ONE_TO_TEN, "rubric": (0.0, 1.0)}
LOST = {("p1", "candidate", 2): "invalid_parse", ("p4", "baseline", 1): "provider_error"}
browsed = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")


@pytest.fixture(scope="module")
def report():
    return made(32, judges=TWO, lost=LOST, gone=[("p7", "candidate")])


@pytest.fixture(scope="module")
def page(report):
    return render(report)


@pytest.fixture(scope="module")
def root(page):
    return read(page)


def lines(table):
    """The rows of a table by what they are called."""
    return {row.one("bdi").text: row for row in table.all("tr") if list(row.all("bdi"))}


def hostile():
    found = made(
        6,
        judges=dict.fromkeys(HOSTILE_NAMES[:2], ONE_TO_TEN),
        categories=HOSTILE_NAMES,
        name=HOSTILE_NAMES[0] + "{}",
        text=" ".join(HOSTILE_NAMES),
        lost={(f"{HOSTILE_NAMES[0]}1", "candidate", 1): "refused"},
        notes=HOSTILE,
    )
    items = []
    for item in found.items:
        answers = {role: dataclasses.replace(answer, texts=HOSTILE[2:]) for role, answer in item.answers.items()}
        items.append(dataclasses.replace(item, answers=answers))
    return dataclasses.replace(found, items=tuple(items))


def test_the_first_screen_holds_contestants_every_judges_sentence_and_the_doubts(root, report):
    assert root.one("h1").text == "made"
    assert "openai/candidate" in root.one("dl", kind="contestants").text
    assert [p.text for p in root.all("p", kind="basis")] == words.headline(report.summary)
    doubts = [item.text for item in root.one("section", kind="doubts").all("li")]
    assert doubts == list(words.doubts(report.summary)) and len(doubts) >= 2
    assert f"{len(doubts)} reasons to doubt this" in root.one("header").text


def test_every_judge_stands_with_both_means_the_change_their_intervals_and_n(root, report):
    table = lines(next(root.all("table", kind="grades")))
    assert set(table) == set(TWO)
    for name, own in report.summary.judges.items():
        beside, found = report.summary.baseline[name], report.summary.deltas[name].difference
        candidate, baseline, change = (cell.text for cell in table[name].all("td", kind="stack"))
        assert candidate == f"{own.mean:.2f} {own.ci[0]:.2f}–{own.ci[1]:.2f} n = {own.n} of 32" and own.n == 30
        assert baseline == f"{beside.mean:.2f} {beside.ci[0]:.2f}–{beside.ci[1]:.2f} n = 31 of 32"
        ends = [f"{end:+.2f}".replace("-", "−") for end in (found.mean, *found.ci)]
        assert change == f"{ends[0]} {ends[1]} to {ends[2]} n = 29"


def test_every_category_has_bars_and_every_judge_a_radar(root):
    assert [one.one("bdi").text for one in root.all("figure") if list(one.all("svg", kind="radar"))] == [
        "all judges",
        *TWO,
    ]
    tables = [lines(table) for table in root.all("table", kind="grades")]
    panels = [table for table in tables if set(table) == set(EIGHT)]
    assert len(panels) == 3
    assert all(len(list(row.all("rect", kind="bar"))) == 2 for table in panels for row in table.values())


def test_the_baselines_means_by_category_are_those_of_its_own_summary(root, report):
    name = "openai/judge"
    means = report.summary.baseline[name].categories
    table = [lines(table) for table in root.all("table", kind="grades") if set(lines(table)) == set(EIGHT)][1]
    for category, row in table.items():
        assert list(row.all("td", kind="stack"))[1].text.startswith(f"{means[category]:.2f} ")


def test_turns_have_their_interval_and_n(root, report):
    means = report.summary.judges["anthropic/claude"].turns
    tables = [lines(table) for table in root.all("table", kind="grades")]
    turns = [table for table in tables if set(table) == {"turn 1", "turn 2"}]
    assert len(turns) == 2
    first, second = (next(iter(turns[1][f"turn {turn}"].all("td", kind="stack"))).text for turn in (1, 2))
    assert first.startswith(f"{means['1']:.2f} ") and first.endswith("n = 31 of 32")
    assert second.startswith(f"{means['2']:.2f} ") and second.endswith("n = 30 of 32")


def test_judges_on_scales_of_their_own_have_axes_of_their_own():
    root = read(render(made(8, judges=MIXED)))
    axes = [table.one("svg", kind="axis").text for table in root.all("table", kind="grades")]
    assert {"1 4 7 10".replace(" ", ""), "00.250.50.751"} == {axis.replace(" ", "") for axis in axes}
    assert "all judges" not in {bdi.text for bdi in root.all("bdi")}


def test_one_category_has_bars_and_says_why_no_radar():
    root = read(render(made(8, categories=["cooking"])))
    assert not list(root.all("svg", kind="radar"))
    assert "Bars alone: a radar needs 3 categories." in root.text


def test_forty_categories_fold_away():
    root = read(render(made(80, categories=[f"c{i:02}" for i in range(40)])))
    assert "40 categories are too many spokes to read" in root.text
    assert "24 more categories" in root.text and "c39" in root.text


def test_without_a_baseline_no_change_is_spoken_of():
    text = read(render(made(8, baseline=False))).text
    assert "baseline" not in text and "biggest change" not in text and "What moved most" not in text
    assert "lowest grade" in text


@pytest.mark.parametrize("n", [1, 2])
def test_almost_nothing_is_a_page(n):
    text = read(render(made(n, categories=["x"]))).text
    assert not re.search(r"\b(None|nan|NaN|inf|Undefined)\b", text)
    assert ("no interval" in text) == (n == 1)


def test_a_report_without_any_grade_says_so():
    keys = [(f"p{i}", role, turn) for i in range(2) for role in ("candidate", "baseline") for turn in (1, 2)]
    root = read(render(made(2, lost=dict.fromkeys(keys, "refused"))))
    assert "no score; no prompt has a score of every turn" in root.text
    assert "n = 0 of 2" in root.text


def test_figures_without_answers_show_bare_means_as_such():
    text = read(render(ScoreReport(title=("scores.jsonl",), summary=made(8, baseline=False).summary))).text
    assert "No answers stand in what was analyzed." in text
    assert "Means over those of 8 prompts that have such a grade; no interval of them is known here." in text


def test_leaked_prompts_are_linked():
    found = Finding(exact=("p1",), near=("p 2",), prompts=8, examples=9, checked={"candidate": 9}, seen={})
    root = read(render(made(8, leakage=found)))
    assert [link.attributes["href"] for link in root.one("p", kind="leaked").all("a")] == ["#id=p1", "#id=p%202"]


def test_the_policy_admits_this_style_and_this_script_alone(page, root):
    policy = root.one("meta", **{"http-equiv": "Content-Security-Policy"}).attributes["content"]
    assert policy.startswith("default-src 'none'; ") and "unsafe" not in policy and "http" not in policy
    for name, kind in (("style", "style-src"), ("script", "script-src")):
        (text,) = re.findall(rf"<{name}>(.*?)</{name}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy


def test_nothing_in_the_page_can_ask_for_anything(page):
    for text in (page, render(hostile())):
        for element in read(text).all():
            assert element.tag not in {"img", "iframe", "object", "embed", "base", "video", "audio", "source", "use"}
            assert not set(element.attributes) & {"src", "srcset", "action", "formaction", "style", "background"}
            assert not any(name.startswith("on") for name in element.attributes)
            assert (element.attributes.get("href") or "#").startswith(("#", "data:,"))
        assert len(list(read(text).all("script"))) == 2
        assert "url(" not in text.split("<body>")[0] and "@import" not in text.split("<body>")[0]


def test_hostile_text_is_text_and_nothing_is_lost():
    text = render(hostile())
    text.encode()
    root = read(text)
    answer = data_of(root)["items"][0][5][0][0]
    assert answer == [one.replace("\ud800", "\N{REPLACEMENT CHARACTER}") for one in HOSTILE[2:]]
    assert "<" not in root.one("script", id="data").inside[0]
    assert "hacked" in root.one("title").text and "<script>" in root.one("title").text


def test_the_data_holds_every_grade_with_its_reply(root, report):
    data = data_of(root)
    assert [one["name"] for one in data["judges"]] == list(TWO) and data["judges"][0]["scale"] == [1, 10]
    for item, held in zip(report.items, data["items"], strict=True):
        assert held[0] == item.id
        for role, answer in zip(("candidate", "baseline"), held[5], strict=True):
            grades = sorted(item.answers[role].grades, key=lambda g: (g.turn, list(TWO).index(g.judge)))
            assert [(list(TWO)[g[0]], g[1], g[3], g[4], g[5]) for g in answer[1]] == [
                (g.judge, g.turn, g.score if g.score is None else round(g.score, 6), g.status, g.reply) for g in grades
            ]
        for name, (_, _, change) in zip(TWO, held[6], strict=True):
            known = report.summary.deltas[name].by_prompt.get(item.id)
            assert change == (None if known is None else round(known, 6))


def test_a_planned_grade_that_is_not_on_record_is_named():
    found = made(2)
    first = found.items[0]
    own = first.answers["candidate"]
    cut = {**first.answers, "candidate": dataclasses.replace(own, grades=own.grades[:1])}
    items = (dataclasses.replace(first, answers=cut), found.items[1])
    grades = data_of(read(render(dataclasses.replace(found, items=items))))["items"][0][5][0][1]
    assert [(grade[1], grade[4]) for grade in grades] == [(1, "ok"), (2, "absent")]


def test_written_piece_by_piece_it_is_the_same_page(page, report):
    assert "".join(pieces(report)) == page


def test_every_control_has_a_name(root):
    labelled = [element for label in root.all("label") for element in (*label.all("select"), *label.all("input"))]
    assert len(labelled) == len([*root.all("select"), *root.all("input")]) == 5
    for section in root.all("section"):
        assert root.one(id=section.attributes["aria-labelledby"]).text


def test_no_colour_of_its_own_stands_in_the_style():
    from harness.report.html import source
    from harness.scoring import page as module

    own = source("page.css", module._HERE)
    assert not re.search(r"#[0-9a-f]{3,8}\b|rgb|hsl", own)


# In a browser


@pytest.fixture
def visit(tmp_path):
    """Opens a page, which must leave the console silent: what stands in it once its script has run."""

    def open_page(text, address="", name="report.html"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        done = subprocess.run(
            [BROWSER, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", f"file://{path}{address}"],
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
        return read(done.stdout)

    return open_page


def ids(root):
    return [element.text for element in root.one(id="list").all(kind="id")]


@browsed
def test_prompts_come_in_the_order_of_their_change(visit, page, report):
    moved = report.summary.deltas["openai/judge"].by_prompt
    seen = ids(visit(page, "#judge=openai%2Fjudge&sort=drop"))
    changes = [round(moved[name], 6) for name in seen if name in moved]
    assert len(seen) == 32 and changes == sorted(changes)
    assert {*seen[len(changes) :]} == {"p1", "p4", "p7"}


@pytest.mark.chaos
@browsed
def test_gained_missing_and_unanswered_can_be_found(visit, page, report):
    moved = report.summary.deltas["openai/judge"].by_prompt
    gained = visit(page, "#judge=openai%2Fjudge&want=gained&category=math")
    assert ids(gained) == [item.id for item in report.items if item.category == "math" and moved.get(item.id, 0) > 0]
    assert ids(visit(page, "#want=ungraded")) == ["p1", "p4", "p7"]
    assert ids(visit(page, "#want=unanswered")) == ["p7"]


@browsed
def test_one_prompt_opens_turn_by_turn_with_grades_and_reasons(visit, page):
    root = visit(page, "#id=p1")
    exchanges = list(root.all("div", kind="exchange"))
    assert ids(root) == ["p1"] and len(exchanges) == 2
    assert "candidate says 1.0" in exchanges[0].text and "baseline says 1.1" in exchanges[1].text
    assert len(list(exchanges[0].all("div", kind="grade"))) == 4
    assert "no grade (invalid: the reply names no grade of the scale)" in exchanges[1].text
    assert "what went wrong" in exchanges[1].text and "The reply to p1." in exchanges[1].text


@browsed
def test_an_answer_that_failed_is_named(visit, page):
    text = visit(page, "#id=p7").one("div", kind="body").text
    assert text.count("— no answer: the model failed, or was not asked") == 2
    assert "no grade (not asked)" in text


@browsed
def test_hostile_answers_run_nothing_and_ask_for_nothing(visit, listener):
    port, heard = listener
    bait = (
        f'<img src="http://127.0.0.1:{port}/x" onerror="document.title = 1">',
        f"</script><script>fetch('http://127.0.0.1:{port}/x'); document.title = 'gone'</script>",
    )
    found = made(3, text="".join(bait), judges={bait[0]: ONE_TO_TEN}, categories=[bait[1]])
    root = visit(render(found), "#id=p1")
    assert bait[0] in root.one("div", kind="body").text
    assert not list(root.all("img")) and heard == []
    assert root.one("title").text.startswith("made <img")


DRIVER = """<iframe src="report.html"></iframe><pre id="seen"></pre><script>
  const frame = document.querySelector("iframe"), seen = {};
  const wait = () => new Promise((done) => setTimeout(done, 400));
  frame.onload = async () => {
    const page = frame.contentDocument, form = page.getElementById("filters");
    const listed = () => page.querySelectorAll("#list > li").length;
    const change = (name, value) => {
      form[name].value = value;
      form[name].dispatchEvent(new Event("input", { bubbles: true }));
      return wait();
    };
    seen.first = listed();
    page.getElementById("more").click();
    seen.more = listed();
    await change("sort", "change");
    await change("q", "question 17,");
    seen.search = [listed(), page.querySelector("#list .id").textContent, frame.contentWindow.location.hash];
    page.getElementById("open").click();
    await wait();
    seen.bodies = page.querySelectorAll("#list .body").length;
    form.querySelector("[type=reset]").click();
    await wait();
    seen.reset = listed();
    document.getElementById("seen").textContent = JSON.stringify(seen);
  };
</script>"""


@browsed
def test_pressing_choosing_and_typing(visit, tmp_path):
    (tmp_path / "report.html").write_text(render(made(60)), encoding="utf-8")
    seen = json.loads(visit(DRIVER, name="driver.html").one(id="seen").text)
    search = [1, "p17", "#q=question+17%2C&sort=change"]
    assert seen == {"first": 50, "more": 60, "search": search, "bodies": 1, "reset": 50}
