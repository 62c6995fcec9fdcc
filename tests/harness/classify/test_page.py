"""report.html of a classification: whole, self-contained, inert whatever a text holds, usable in a browser."""

import base64
import hashlib
import json
import re
import subprocess

import pytest

from harness.classify import words
from harness.classify.page import SHOWN, pieces, render
from harness.classify.pagecharts import MOST
from tests.command import environment, harness
from tests.harness.classify.pages_made import LABELS, made
from tests.harness.classify.test_runs import made as made_suite
from tests.harness.report.reading import read
from tests.harness.report.sample import HOSTILE, HOSTILE_NAMES
from tests.harness.report.test_browser import BROWSER, FLAGS, listener
from tests.published import write_lines

__all__ = ["listener"]

browsed = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")


@pytest.fixture(scope="module")
def report():
    return made(goal="accuracy >= 0.5", notes=["--limit: 120 of 400 items were drawn"])


@pytest.fixture(scope="module")
def root(report):
    return read(render(report))


def table(root, first):
    """The rows of the table whose first column is called so, by what they are called."""
    found = next(one for one in root.all("table") if [cell.text for cell in one.all("th")][:1] == [first])
    return {row.one("bdi").text: row for row in found.all("tr") if list(row.all("bdi"))}


def cells(row):
    return [cell.text for cell in row.all("td")]


def test_the_first_screen_holds_the_finding_the_goal_and_the_doubts(root, report):
    assert root.one("h1").text == "films"
    assert [p.text for p in root.all("p", kind="basis")] == words.headline(report.summary)
    assert "always saying 'positive' would be right on" in root.one("header").text
    assert root.one("p", kind="goal").has(kind="pass")
    doubts = [item.text for item in root.one("section", kind="doubts").all("li")]
    assert [text.casefold() for text in doubts] == [text.casefold() for text in words.doubts(report.summary)]
    assert len(doubts) >= 2
    assert f"{len(doubts)} reasons to doubt this" in root.one("header").text


def test_every_class_has_its_figures_with_intervals(root, report):
    own, rows = report.summary.figures, table(root, "label")
    assert set(rows) == set(LABELS)
    for label, row in rows.items():
        each, ends = own.classes[label], own.intervals[label]
        figures = zip((each.f1, each.precision, each.recall), (ends.f1, ends.precision, ends.recall), strict=True)
        shown = [f"{value:.3f} {low:.3f}–{high:.3f}" for value, (low, high) in figures]
        assert cells(row)[1:] == [*shown, str(each.support), str(each.predicted)]
        assert len(list(row.all("circle", kind="dot"))) == 1


def test_accuracy_is_drawn_beside_what_the_most_frequent_label_would_score(root, report):
    own = report.summary.figures
    row = table(root, "figure")["right"]
    (mark,) = row.all("line", kind="half")
    assert float(mark.attributes["x1"].rstrip("%")) == pytest.approx(100 * own.majority[1], abs=1e-3)
    ends = [float(line.attributes["x1"].rstrip("%")) for line in row.all("line", kind="end")]
    assert ends == pytest.approx([100 * end for end in own.accuracy.ci], abs=1e-3)
    assert not list(table(root, "figure")["MCC"].all("svg"))


def test_the_matrix_holds_every_count_and_its_shade_is_the_share_of_the_row(root, report):
    counted = report.summary.figures.counted
    grid = root.one("table", kind="confusion")
    rows = [row for row in grid.all("tr") if list(row.all("td")) and list(row.all("th"))][-len(LABELS) :]
    for row, name, counts in zip(rows, counted.labels, counted.counts.tolist(), strict=True):
        assert row.one("th").text == name
        *own, total = row.all("td")
        assert [int(cell.text) for cell in own] == counts
        assert int(total.text) == sum(counts)
        for place, (cell, n) in enumerate(zip(own, counts, strict=True)):
            level = next((kind for kind in (cell.attributes["class"] or "").split() if kind[0] == "s"), "s0")
            assert int(level[1:]) == -(-10 * n // sum(counts))
            assert cell.has(kind="right" if place == counted.labels.index(name) else "wrong") == (n > 0)


def test_slices_stand_with_n_and_their_own_majority(root, report):
    rows = table(root, "slice")
    for name, part in report.summary.figures.slices.items():
        assert cells(rows[name])[-1] == str(part.accuracy.n)
        assert len(list(rows[name].all("line", kind="half"))) == 1


def test_reliability_is_drawn_before_and_after_with_every_bin_in_a_table(root, report):
    own = report.summary.calibration
    picture = root.one("svg", kind="reliability")
    for kind, side in (("before", own.before), ("after", own.after)):
        held = [each for each in side.table if each.n]
        assert len(list(picture.all("circle", kind=kind))) == len(held)
        assert len(list(picture.all("line", kind=kind))) == sum(each.ci is not None for each in held)
        assert f"Reliability {kind} scaling" in root.text
    assert "fitted on 200 validation items alone" in root.text


def test_wrong_items_stand_with_the_most_confident_first(root, report):
    entries = list(root.one(id="list").all("li"))
    assert [entry.one("bdi", kind="id").text for entry in entries] == [one.id for one in report.wrong]
    sure = [one.confidence or 0.0 for one in report.wrong]
    assert sure == sorted(sure, reverse=True)
    lost = [one for one in report.wrong if one.prediction is None]
    assert lost and entries[-1].attributes.get("data-prediction") is None
    assert "invalid parse" in entries[-1].text
    assert "a second text" in entries[0].text


def test_more_wrong_items_than_a_page_holds_are_counted():
    root = read(render(made(3000, validation=0)))
    total = len(made(3000, validation=0).wrong)
    assert total > SHOWN == len(list(root.one(id="list").all("li")))
    assert f"The {SHOWN} most confident of {total:,}" in root.text


def test_how_fast_and_how_made(root):
    assert "Half of 3 items took at most 4 ms" in root.text
    assert "Together 12 items a second" in root.text
    assert "films, test" in root.one("section", kind="made").text


def test_very_many_labels_fold_away_and_more_are_not_drawn():
    some = read(render(made(300, labels=[f"intent {n:02}" for n in range(20)])))
    assert "The matrix of 20 labels" in some.text
    many = read(render(made(300, labels=[f"intent {n:02}" for n in range(MOST + 1)], validation=0)))
    assert not list(many.all("table", kind="confusion"))
    assert "taken for" in many.text and "the first 30 of" in many.text.casefold()


@pytest.mark.parametrize("n", [0, 1, 2])
def test_almost_nothing_is_a_page(n):
    text = read(render(made(n, validation=0))).text
    assert not re.search(r"\b(None|nan|NaN|inf|Undefined)\b", text.replace("None: every item", ""))
    assert ("There is no prediction" in text) == (n == 0)
    assert ("n = 1: one item gives no interval" in text) == (n == 1)


def test_without_probabilities_nothing_is_said_of_calibration():
    root = read(render(made(sure=False)))
    assert "believed" not in root.text and not list(root.all("svg", kind="reliability"))
    assert not list(root.all("option", value="None"))


def hostile(port=9):
    swap = [text.replace("127.0.0.1:9", f"127.0.0.1:{port}") for text in HOSTILE]
    names = [text.replace("127.0.0.1:9", f"127.0.0.1:{port}") for text in HOSTILE_NAMES]
    return made(labels=names, slices=names, texts=swap, title=names[0] + "{}", notes=swap)


def test_no_text_becomes_markup_and_the_page_can_be_written():
    text = "".join(pieces(hostile()))
    text.encode("utf-8")
    root = read(text)
    assert len(list(root.all("script"))) == 1 and not list(root.all("img"))
    assert not [name for element in root.all() for name in element.attributes if name.startswith("on")]
    assert not [element for element in root.all() if "style" in element.attributes]
    assert all(link.attributes["href"].startswith("#") for link in root.all("a"))


def test_the_policy_admits_this_style_and_this_script_alone(report):
    text = render(report)
    rule = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)[1].replace("&#39;", "'")
    assert rule.startswith("default-src 'none';")
    for kind in ("style", "script"):
        inside = re.search(rf"<{kind}>(.*?)</{kind}>", text, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in rule


def browse(path, folder):
    done = subprocess.run(
        [BROWSER, *FLAGS, f"--user-data-dir={folder / 'profile'}", f"file://{path}"],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return read(done.stdout), [line for line in done.stderr.splitlines() if "CONSOLE" in line]


DRIVER = """<iframe src="report.html"></iframe><pre id="seen"></pre><script>
  const frame = document.querySelector("iframe"), seen = {};
  const wait = () => new Promise((done) => setTimeout(done, 200));
  frame.onload = async () => {
    const page = frame.contentDocument, form = page.getElementById("filters");
    const listed = () => [...page.querySelectorAll("#list > li")].filter((entry) => !entry.hidden).length;
    const change = (name, value) => {
      form[name].value = value;
      form[name].dispatchEvent(new Event("input", { bubbles: true }));
      return wait();
    };
    seen.all = listed();
    await change("label", "negative");
    seen.label = listed();
    await change("slice", "Negated");
    seen.both = listed();
    seen.address = frame.contentWindow.location.hash;
    form.querySelector("[type=reset]").click();
    await wait();
    await change("q", "FILM 17");
    seen.search = listed();
    page.querySelector(".confusion a[href$='none=1']").click();
    await wait();
    seen.none = listed();
    seen.status = page.getElementById("status").textContent;
    const wide = page.documentElement;
    seen.fits = wide.scrollWidth <= wide.clientWidth;
    document.getElementById("seen").textContent = JSON.stringify(seen);
  };
</script>"""


@browsed
def test_choosing_typing_and_following_a_number_of_the_matrix(report, tmp_path):
    (tmp_path / "report.html").write_text(render(report), encoding="utf-8")
    (tmp_path / "driver.html").write_text(DRIVER.replace("<iframe", '<iframe width="390"'), encoding="utf-8")
    root, console = browse(tmp_path / "driver.html", tmp_path)
    assert console == []
    wrong = report.wrong
    link = next(iter(a for a in read(render(report)).all("a") if a.attributes["href"].endswith("none=1")))
    label = re.search("label=([^&]+)", link.attributes["href"])[1]
    none = [one for one in wrong if one.prediction is None and one.label == label]
    assert json.loads(root.one(id="seen").text) == {
        "all": len(wrong),
        "label": sum(one.label == "negative" for one in wrong),
        "both": sum(one.label == "negative" and "Negated" in one.slices for one in wrong),
        "address": "#label=negative&slice=Negated",
        "search": sum("film 17" in " ".join(one.texts).casefold() for one in wrong),
        "none": len(none),
        "status": f"{len(none)} of {len(wrong)} wrong",
        "fits": True,
    }


@browsed
def test_hostile_texts_run_nothing_and_ask_for_nothing(tmp_path, listener):
    port, heard = listener
    path = tmp_path / "report.html"
    path.write_text("".join(pieces(hostile(port))), encoding="utf-8")
    root, console = browse(path, tmp_path)
    assert (console, heard) == ([], [])
    assert "hidden" not in root.one(id="filters").attributes
    assert root.one(id="status").text.endswith("wrong")


def test_a_run_and_an_analysis_write_it(tmp_path):
    suite = made_suite(tmp_path / "suite", candidate="recorded/said.jsonl")
    rows = [
        {"id": f"d{place:02d}", "label": ("cold", "hot")[place % 8 >= 4], "prediction": "hot"} for place in range(40)
    ]
    said = write_lines(suite.parent / "said.jsonl", rows)
    env = environment(tmp_path)
    assert harness("run", suite, "--out", tmp_path / "run", env=env).code == 0
    assert harness("analyze", tmp_path / "run", "--out", tmp_path / "again", env=env).code == 0
    assert harness("analyze", said, "--out", tmp_path / "file", env=env).code == 0
    pages = {name: read((tmp_path / name / "report.html").read_text()) for name in ("run", "again", "file")}
    for name, root in pages.items():
        assert "Collapsed: every prediction is 'hot'" in root.text
        assert len(list(root.one(id="list").all("li"))) == 20
        assert ("ice cream number 0" in root.text) == (name != "file")
