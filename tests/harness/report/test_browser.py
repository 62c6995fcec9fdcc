"""report.html in a real browser: filters work, nothing leaves the page, no script but its own runs.

Skips where no Chromium is installed.
"""

import dataclasses
import json
import shutil
import socket
import subprocess
import threading
from urllib.parse import quote

import pytest

from harness.report.html import render
from tests.harness.report.reading import read
from tests.harness.report.sample import kitchen, simple

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--virtual-time-budget=4000",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--allow-file-access-from-files",
    "--dump-dom",
]
# A second page that uses the report as a person would: it presses, chooses and types, and notes what is listed then.
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
    page.getElementById("more").click();
    seen.more = listed();
    page.querySelector("#list summary").click();
    await wait();
    seen.bodies = page.querySelectorAll("#list .body").length;
    await change("judge", "control/longest");
    await change("outcome", "loss");
    seen.loss = listed();
    seen.address = frame.contentWindow.location.hash;
    page.getElementById("open").click();
    await wait();
    seen.open = page.querySelectorAll("#list .body").length;
    form.querySelector("[type=reset]").click();
    await wait();
    seen.reset = listed();
    await change("q", "KITCHEN-017");
    seen.search = listed();
    frame.contentWindow.location.hash = "#id=kitchen-020";
    await wait();
    seen.link = page.querySelector("#list .id").textContent;
    document.getElementById("seen").textContent = JSON.stringify(seen);
  };
</script>"""
LLAMA = "openai@LOCAL/meta-llama/Llama-3.3-70B-Instruct-AWQ-INT4"


@pytest.fixture
def listener():
    """A port of this machine, and the requests that reached it."""
    heard = []
    server = socket.create_server(("127.0.0.1", 0))

    def listen():
        while True:
            try:
                heard.append(server.accept()[1])
            except OSError:
                return

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    yield server.getsockname()[1], heard
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join(timeout=5)


@pytest.fixture
def visit(tmp_path):
    """Opens a page: what stands in it once its script has run, and what the console said."""

    def open_page(page, address="", name="report.html"):
        path = tmp_path / name
        path.write_text(page, encoding="utf-8")
        done = subprocess.run(
            [BROWSER, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", f"file://{path}{address}"],
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        return read(done.stdout), [line for line in done.stderr.splitlines() if "CONSOLE" in line]

    return open_page


@pytest.fixture
def browse(visit):
    """Opens a report, which must leave the console silent."""

    def open_report(report, address=""):
        root, console = visit(render(report), address)
        assert console == []
        return root

    return open_report


def ids(root):
    return [element.text for element in root.one(id="list").all(kind="id")]


def test_a_page_that_asks_or_fails_would_be_noticed(visit, listener):
    port, heard = listener
    _, console = visit(f'<img src="http://127.0.0.1:{port}/leak"><script>throw new Error("seen")</script>')
    assert heard and any("seen" in line for line in console)


def test_hostile_responses_run_nothing_and_ask_for_nothing(browse, listener):
    port, heard = listener
    leak = f"http://127.0.0.1:{port}/leak"
    bait = (
        f'<img src="{leak}" onerror="document.title = 1">',
        f"</script><script>fetch('{leak}'); document.title = 'hacked'</script>",
        f'"><iframe src="{leak}"></iframe><link rel="stylesheet" href="{leak}"><style>@import "{leak}";</style>',
    )
    report = kitchen(6)
    items = tuple(dataclasses.replace(item, turns=bait, candidate=bait, baseline=bait) for item in report.comparisons)
    controls = tuple(dataclasses.replace(control, whole=bait, reply=bait[1]) for control in report.controls)
    report = dataclasses.replace(report, comparisons=items, controls=controls)
    root = browse(report, "#id=kitchen-001")
    body = root.one("div", kind="body")
    assert bait[0] in body.text and bait[1] in body.text
    assert "hacked" not in root.one("title").text
    assert not list(root.all("img")) and not list(root.all("iframe"))
    assert heard == []


def test_all_comparisons_are_listed_fifty_at_a_time(browse):
    root = browse(kitchen())
    assert root.one(id="status").text == "60 comparisons"
    assert ids(root) == [f"kitchen-{i:03}" for i in range(1, 51)]
    assert root.one(id="more").text == "Show 10 more"
    assert "hidden" not in root.one(id="filters").attributes


def test_an_address_chooses_judge_and_outcome(browse):
    report = kitchen()
    root = browse(report, f"#judge={quote(LLAMA, safe='')}&outcome=inconsistent")
    count = report.summary.judges[LLAMA].inconsistent
    assert root.one(id="status").text == f"{count} of 60 comparisons"
    assert len(ids(root)) == count
    assert all(chip.has(kind="split") for chip in root.one(id="list").all(kind="chip"))


def test_category_outcome_and_search_narrow_together(browse):
    report = kitchen()
    root = browse(report, "#category=negated&outcome=win&judge=mistral-large&q=PLUM%20cake")
    wins = [
        item.id
        for item in report.comparisons
        if item.category == "negated" and "plum cake" in item.turns[0]
        and {row.winner for row in item.judgments if row.judge == "mistral-large"} == {"candidate"}
    ]  # fmt: skip
    assert wins and ids(root) == wins


@pytest.mark.chaos
def test_unscored_split_and_contested_can_be_found(browse):
    report = simple({"rubric": "wlstu", "gpt-4o": "wwlww", "control/first": "sssss"})
    found = {want: ids(browse(report, f"#outcome={want}")) for want in ("unscored", "inconsistent", "contested")}
    assert found == {"unscored": ["p4"], "inconsistent": ["p2"], "contested": ["p1", "p2"]}


def test_one_comparison_opens_with_both_responses_and_every_reason(browse):
    report = kitchen()
    item = report.comparisons[3]
    root = browse(report, f"#id={item.id}")
    body = root.one("div", kind="body")
    text = body.text
    assert ids(root) == [item.id]
    assert item.turns[0] in text and "Both read well." in text and "relevance" in text
    assert " ".join(item.baseline[0].split()) in text
    assert len(list(body.all("div", kind="order"))) == len(item.judgments)
    for judgment in item.judgments:
        assert f"{judgment.judge} · " in text
    assert text.count("candidate shown first: ") == text.count("baseline shown first: ") == 6


@pytest.mark.chaos
def test_an_unknown_judge_in_the_address_is_no_filter(browse):
    assert browse(kitchen(), "#judge=nobody&outcome=nothing").one(id="status").text == "60 comparisons"


def test_pressing_choosing_and_typing(visit, tmp_path):
    report = kitchen()
    (tmp_path / "report.html").write_text(render(report), encoding="utf-8")
    root, console = visit(DRIVER, name="driver.html")
    seen = json.loads(root.one(id="seen").text)
    losses = report.summary.judges["control/longest"].losses
    assert console == []
    assert seen == {
        "more": 60,
        "bodies": 1,
        "loss": losses,
        "address": "#judge=control%2Flongest&outcome=loss",
        "open": losses,
        "reset": 50,
        "search": 1,
        "link": "kitchen-020",
    }
