"""report.html of a matrix: answers, every cell with its interval, what failed; inert whatever a reason holds."""

import re
import subprocess

import pytest

from harness.matrix import text, words
from harness.matrix.page import pieces, render
from harness.matrix.tables import write_results
from tests.harness.matrix.made import made, suite_of
from tests.harness.report.reading import read
from tests.harness.report.sample import HOSTILE
from tests.harness.report.test_browser import BROWSER, FLAGS, listener

__all__ = ["listener"]


@pytest.fixture(scope="module")
def matrix():
    return made()


@pytest.fixture(scope="module")
def root(matrix):
    return read(render(matrix))


def test_the_answers_stand_first_each_below_what_was_asked(root, matrix):
    shown = list(root.all("div", kind="question"))
    assert [one.one("h3").text for one in shown] == [each.asked for each in matrix.questions]
    for one, each in zip(shown, matrix.questions, strict=True):
        assert [item.text for item in one.all("li")] == [" ".join(line.split()) for line in text.asked(matrix, each)]
    assert shown[1].has(kind="no") and "few-shot is within 2 points of fine-tuning: no" in shown[1].text


def test_every_contrast_stands_in_a_table(root, matrix):
    for one, each in zip(root.all("div", kind="question"), matrix.questions, strict=True):
        names = [row.one("bdi").text for table in one.all("table") for row in table.one("tbody").all("tr")]
        assert names == [f"{contrast.a} − {contrast.b}" for contrast in each.contrasts]


def test_every_cell_has_its_interval_drawn_beside_its_majority_and_leads_to_its_own_report(root, matrix):
    rows = {row.one("a").attributes["href"]: row for row in root.all("tr") if list(row.all("a"))}
    assert len(rows) == len(matrix.rows) == len(matrix.standings) - 1
    for own in matrix.rows:
        row = rows[f"cells/{own.cell.name}/run/report.html"]
        assert row.one("bdi").text == f"{own.cell.model} {own.cell.mode}"
        assert row.has(kind=own.result.family)
        low, high = own.figures["ci"]
        (whisker,) = row.all("line", kind="whisker")
        assert [float(whisker.attributes[end].rstrip("%")) for end in ("x1", "x2")] == pytest.approx(
            [100 * low, 100 * high], abs=1e-3
        )
        assert len(list(row.all("line", kind="half"))) == 1
        assert re.search(r"^[\d.]+ % [\d.]+–[\d.]+$", next(row.all("td", kind="score")).text)


def test_cells_that_failed_stand_with_their_reason(root, matrix):
    (cell,) = matrix.failed
    assert root.one("dl", kind="failed").one("dt").text == str(cell)
    assert root.one("dl", kind="failed").one("dd").text == "out of memory on one item"
    doubts = [item.text for item in root.one("section", kind="doubts").all("li")]
    assert doubts == ["1 cell failed: why stands below", *list(words.doubts(matrix))[1:]]
    assert "13 of 14 cells done, 1 failed." in root.one("header").text


def test_a_matrix_that_has_hardly_begun_is_a_page():
    found = read(render(made(waiting=range(14), failed=())))
    assert "0 of 14 cells done, 14 still to come." in found.text
    assert "the matrix is incomplete: 14 cells of 14 still to come" in found.text
    assert not list(found.all("table"))


@pytest.mark.parametrize("n", [1, 2])
def test_almost_nothing_is_a_page(n):
    shown = read(render(made(n))).text
    assert not re.search(r"\b(None|nan|NaN|inf|Undefined)\b", shown)


def hostile():
    models = {"bert": {"encoder": f"hf/{HOSTILE[0]}"}, "big": {"language": f"hf/{HOSTILE[1]}"}}
    return made(20, suite=suite_of(models=models), failed=(0,), reason=" ".join(HOSTILE), slices=HOSTILE)


def test_reasons_slices_and_specs_are_inert():
    page = "".join(pieces(hostile()))
    page.encode("utf-8")
    found = read(page)
    assert not list(found.all("script")) and not list(found.all("img"))
    assert not [name for element in found.all() for name in element.attributes if name.startswith("on")]
    assert "script-src 'sha256-" in page.replace("&#39;", "'")


def test_it_is_written_beside_the_other_reports(tmp_path, matrix):
    write_results(tmp_path, matrix)
    assert read((tmp_path / "report.html").read_text()).one("h1").text == "made"
    assert {"report.md", "summary.json", "comparison_table.csv"} <= {path.name for path in tmp_path.iterdir()}


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
def test_a_browser_has_nothing_to_complain_of(tmp_path, listener):
    port, heard = listener
    path = tmp_path / "report.html"
    path.write_text(render(hostile()).replace("127.0.0.1:9", f"127.0.0.1:{port}"), encoding="utf-8")
    done = subprocess.run(
        [BROWSER, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", f"file://{path}"],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    assert heard == [] and "hacked" not in read(done.stdout).one("title").text
