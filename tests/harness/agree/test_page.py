"""The page: whole, inert, and readable in a browser that runs no script of it."""

import shutil
import subprocess

import pytest

from harness.agree.measured import measure
from harness.agree.page import SHOWN, pieces
from harness.agree.reading import load
from tests.harness.agree.sample import judgments
from tests.harness.report.reading import read
from tests.harness.report.test_browser import FLAGS
from tests.published import write_lines

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
BAIT = "</div><script>document.title = 'hacked'</script><img src=x onerror=alert(1)> & \"'"


@pytest.fixture
def page(tmp_path):
    def render(records, gold=None):
        return "".join(pieces(measure(load([write_lines(tmp_path / "judgments.jsonl", records)]), gold)))

    return render


def hostile():
    records = judgments({f"a{BAIT}": "wwlt", "b": "wlll", "human/x": "wwww"}, category=lambda place: BAIT, prefix=BAIT)
    return [{**record, "reply": f"{BAIT}\ud800 Winner: A"} for record in records]


def test_every_part_is_on_the_page(page):
    root = read(page(judgments({"a": "wwlt", "b": "wltt", "human/x": "wlll"}), gold="human/x"))
    titles = [element.text for element in root.all("h2")]
    assert titles == [
        "Judges",
        "Against human/x",
        "Kappa of every two",
        "Pairs",
        "What to doubt",
        "What to know",
        "Disagreements",
    ]
    ids = [element.text for element in root.one(id="list").all(kind="id")]
    assert ids == ["p1", "p2", "p3"]
    chips = [element.attributes["title"] for element in root.one(id="list").all(kind="chip")]
    assert chips[:3] == ["a: win", "b: loss", "human/x: loss"]


def test_replies_and_names_are_inert(page):
    text = page(hostile(), gold="human/x")
    root = read(text)
    assert "hacked" not in root.one("title").text
    assert not list(root.all("script")) and not list(root.all("img"))
    assert not any(name.startswith("on") for element in root.all() for name in element.attributes)
    assert any("<img src=x onerror=alert(1)>" in element.text for element in root.all(kind="text"))
    text.encode("utf-8")


def test_the_policy_forbids_scripts_and_requests(page):
    root = read(page(judgments({"a": "wl", "b": "ll"})))
    policy = next(e for e in root.all("meta") if "http-equiv" in e.attributes).attributes["content"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-") and "script-src" not in policy


def test_many_disagreements_are_cut_and_said(page):
    text = page(judgments({"a": "w" * 300, "b": "l" * 300}))
    assert text.count("<li><details>") == SHOWN == 200
    assert "300 prompts, the most contested first; the first 200 are here, all are named in --json" in text


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
def test_a_browser_has_nothing_to_complain_of(page, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(page(hostile(), gold="human/x"), encoding="utf-8")
    done = subprocess.run(
        [BROWSER, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", f"file://{path}"],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert not [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert "hacked" not in read(done.stdout).one("title").text
