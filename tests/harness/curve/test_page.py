"""The page of a curve: whole, inert, its figures those of the terminal, and nothing for a browser to complain of."""

from __future__ import annotations

import re
import subprocess

import numpy as np
import pytest

from harness.curve.charts import Axis
from harness.curve.losses import Losses, Trail, trail
from harness.curve.page import OPEN, pieces
from tests.harness.checkpoints import shelves
from tests.harness.curve.made import history, judged
from tests.harness.report.reading import read
from tests.harness.report.test_browser import BROWSER, FLAGS

STEPS = (100, 200, 290)
BAIT = "</div><script>document.title = 'hacked'</script><img src=x onerror=alert(1)> & \"'"


def table(k=3, n=24, rise=1.5):
    rng = np.random.default_rng(7)
    return np.clip(4 + rng.normal(size=n) + rise * np.arange(k)[:, None] + 0.8 * rng.normal(size=(k, n)), 1, 10)


@pytest.fixture
def training(tmp_path):
    """The folders of three saved steps with a history."""
    rows = [{"step": s, "epoch": 1.0, "loss": 3 - s / 200} for s in range(10, 291, 10)]
    rows += [{"step": s, "epoch": 1.0, "validation_loss": 3 - s / 250} for s in STEPS]
    places = {}
    for step in STEPS:
        places[step] = shelves.step(tmp_path / "soup", step)
        history(places[step], [row for row in rows if row["step"] <= step])
    return places


def found(training, **more):
    losses = {s: Losses(training=3 - s / 200, validation=3 - s / 250, logged=s) for s in STEPS}
    return judged(table(), STEPS, checkpoints=training, losses=losses, **more)


def page(*curves, notes=()):
    return "".join(pieces(curves, notes))


def test_every_part_is_on_the_page(training):
    text = page(found(training), notes=["only 24 of 80 prompts were asked"])
    root = read(text)
    assert root.one("h1").text == "Keep step 290"
    assert [e.text for e in root.all("h2")] == ["What can be told", "To keep that step", "What to know"]
    assert [e.text for e in root.all("figcaption")] == ["Score by step", "Loss by step"]
    assert "Step 100 cannot stand for steps 200 and 290" in root.text
    assert "Only 24 of 80 prompts were asked" in root.text
    assert f"harness checkpoints prune {training[290].parent} --keep step:290" in root.one("pre").text


def test_its_tables_hold_every_step_and_every_pair(training):
    one = found(training)
    root = read(page(one))
    rows = [[cell.text for cell in row.all("td")] for row in root.all("tr")]
    for point in one.points:
        low, high = point.score.ci_all
        assert any(row[:1] == [f"{point.score.mean:.2f}"] and f"{low:.2f}–{high:.2f}" in row for row in rows)
        assert any(f"{point.losses.validation:.4f}" in row for row in rows)
    assert sum("told apart" in row or "may be chance" in row for row in rows) == len(one.curve.gains) == 3


def test_a_mark_is_drawn_for_every_step_by_what_it_is_to_the_best(training):
    text = page(found(training)).partition('<p class="key">')[0]
    assert (text.count('class="mark best"'), text.count('class="mark told"')) == (1, 2)
    assert text.count('class="reach"') == text.count('class="alone"') == 3
    assert text.count('class="loss training"') == 19 and text.count('class="loss validation"') == 2


def test_what_is_not_known_is_not_drawn():
    text = page(judged(table(), STEPS))
    root = read(text)
    assert [e.text for e in root.all("figcaption")] == ["Score by step"]
    assert "No checkpoint of the chosen step is known here" in root.text and not list(root.all("pre"))
    nothing = read(page(judged(np.empty((3, 0)), STEPS)))
    assert nothing.one("h1").text == "No step can be chosen" and not list(nothing.all("figure"))
    assert read(page(judged(table(n=1), STEPS))).one("h1").text == "No step is shown to be the best"


def test_equal_scores_and_very_many_steps_have_a_picture():
    assert 'class="mark best"' in page(judged(np.full((3, 5), 2.0), STEPS))
    many = tuple(range(10, 410, 10))
    text = page(judged(table(40, 12, 0.1), many))
    names = re.findall(r'text-anchor="middle">(\d+)<', text)
    assert {"10", "400"} <= set(names) and len(names) <= 12
    assert "All 780 pairs of steps" in text and OPEN < 780


def test_several_curves_are_each_said(training):
    root = read(page(found(training), found(training, judge="reward/x")))
    assert root.one("h1").text == "Which step to keep"
    assert [e.text for e in root.all("h2")][:2] == ["openai/judge", "reward/x"]
    assert "2 curves, each corrected for its own steps alone" in root.text


def test_names_from_files_are_inert(training):
    text = page(found(training, judge=BAIT, suite=BAIT), notes=[f"{BAIT}\ud800"])
    root = read(text)
    assert not list(root.all("script")) and not list(root.all("img"))
    assert not any(name.startswith("on") for element in root.all() for name in element.attributes)
    assert "hacked" in root.one("title").text
    text.encode("utf-8")


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
def test_a_browser_has_nothing_to_complain_of(training, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(page(found(training, judge=BAIT)), encoding="utf-8")
    done = subprocess.run(
        [BROWSER, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", f"file://{path}"],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert not [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def test_an_axis_has_round_numbers_and_keeps_values_inside():
    for low, high in ((1.0, 10.0), (2.49, 2.84), (0.0, 0.05), (-3.0, 250.0)):
        axis = Axis(steps=(100, 290), values=(low, high), height=200.0)
        ticks = axis.ticks()
        assert 2 <= len(ticks) <= 6 and all(low - 1e-9 <= tick <= high + 1e-9 for tick in ticks)
        assert float(axis.y(high)) < float(axis.y(low)) <= 200
    assert (axis.x(100), axis.x(290)) == ("11%", "96%")


def test_a_trail_is_one_training_s_history_between_the_steps(training, tmp_path):
    known = {step: Losses(training=1.0, validation=2.0, logged=step) for step in STEPS}
    whole = trail([*training.values()], known)
    assert [step for step, _ in whole.training] == [*range(100, 291, 10)]
    assert dict(whole.training)[150] == 3 - 150 / 200
    other = shelves.step(tmp_path / "stew", 290)
    mixed = trail([training[100], training[200], other], known)
    assert mixed == Trail(training=tuple((s, 1.0) for s in STEPS), validation=tuple((s, 2.0) for s in STEPS))
    # A loss that was logged elsewhere is no loss of this step.
    assert trail([None], {290: Losses(training=1.0, logged=275)}) == Trail()
