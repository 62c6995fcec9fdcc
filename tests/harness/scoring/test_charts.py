"""The pictures: every mark where its figure says, nothing drawn that is not there, no name that is markup."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scoring import charts
from harness.scoring.figures import delta
from harness.scoring.rows import category_panels, judge_rows
from tests.harness.report.reading import read
from tests.harness.report.sample import HOSTILE_NAMES
from tests.harness.scoring.reports_made import made

SIX = [f"category {i}" for i in range(6)]


def panel(**given):
    return category_panels(made(**given))[0]


def around(root, kind):
    """The corners of a contestant's outline."""
    points = root.one("polygon", kind=kind).attributes["points"].split()
    return [tuple(map(float, point.split(","))) for point in points]


def test_every_corner_of_the_radar_lies_as_far_out_as_its_mean():
    shown = panel()
    corners = around(read(charts.radar(shown)), "ours")
    assert len(corners) == 8
    for row, (x, y) in zip(shown.rows, corners, strict=True):
        assert math.hypot(x, y) / 118 == pytest.approx((row.candidate.mean - 1) / 9, abs=1e-3)
    x, y = corners[0]
    assert x == pytest.approx(0, abs=0.01) and y < 0


def test_both_contestants_are_told_apart_without_colour():
    root = read(charts.radar(panel()))
    assert len(list(root.all("circle", kind="mark"))) == len(list(root.all("rect", kind="mark"))) == 8
    assert root.one("polygon", kind="theirs").has(kind="shape")


def test_the_axis_runs_over_the_scale_and_says_so():
    root = read(charts.radar(panel()))
    assert [text.text for text in root.all("text", kind="tick")] == ["1", "4", "7", "10"]
    rows = judge_rows(made(judges={"rubric": (0.0, 1.0)}).summary)
    assert charts.axis_of((0.0, 1.0), rows).ticks() == [0, 0.25, 0.5, 0.75, 1]


def test_an_unknown_scale_spans_what_was_seen_and_has_no_bars():
    rows = judge_rows(made(judges={"a judge": None}).summary)
    axis = charts.axis_of(None, rows)
    (own,) = rows
    assert not axis.known
    assert axis.low < min(own.candidate.ci[0], own.baseline.ci[0])
    assert axis.high > max(own.candidate.ci[1], own.baseline.ci[1])
    root = read(charts.bars(own, axis, pair=True))
    assert not list(root.all("rect")) and len(list(root.all("circle"))) == 2


@pytest.mark.parametrize(("count", "why"), [(1, "a radar needs 3"), (2, "a radar needs 3"), (17, "17 categories are")])
def test_too_few_and_too_many_categories_have_no_radar(count, why):
    shown = panel(n=34, categories=[f"c{i:02}" for i in range(count)])
    assert charts.radar(shown) is None
    assert charts.why_no_radar(shown).startswith(why)


@pytest.mark.parametrize("count", [3, 16])
def test_the_fewest_and_the_most_categories_have_one(count):
    shown = panel(n=32, categories=[f"c{i:02}" for i in range(count)])
    assert charts.why_no_radar(shown) is None
    assert len(around(read(charts.radar(shown)), "ours")) == count


def test_a_category_without_a_mean_leaves_a_gap():
    shown = panel(n=6, categories=SIX, lost={("p2", "candidate", 1): "refused"})
    root = read(charts.radar(shown))
    assert [row.candidate.mean is None for row in shown.rows] == [False, False, True, False, False, False]
    assert len(list(root.all("circle", kind="mark"))) == 5
    assert root.one("path", kind="open").attributes["d"].count("M") == 4
    assert len(around(root, "theirs")) == 6


def test_a_bar_ends_at_its_mean_and_its_whisker_at_its_interval():
    (row,) = judge_rows(made().summary)
    root = read(charts.bars(row, charts.axis_of((1.0, 10.0), [row]), pair=True))
    bars, whiskers = list(root.all("rect")), list(root.all("line", kind="whisker"))
    for bar, whisker, side in zip(bars, whiskers, (row.candidate, row.baseline), strict=True):
        assert bar.attributes["x"] == "0"
        assert float(bar.attributes["width"].rstrip("%")) == pytest.approx(100 * (side.mean - 1) / 9, abs=1e-3)
        low, high = (100 * (end - 1) / 9 for end in side.ci)
        assert float(whisker.attributes["x1"].rstrip("%")) == pytest.approx(low, abs=1e-3)
        assert float(whisker.attributes["x2"].rstrip("%")) == pytest.approx(high, abs=1e-3)


def test_a_mean_without_an_interval_has_no_whisker_and_a_missing_mean_no_bar():
    (alone,) = judge_rows(made(1, baseline=False).summary)
    axis = charts.axis_of((1.0, 10.0), [alone])
    root = read(charts.bars(alone, axis, pair=False))
    assert len(list(root.all("rect"))) == 1 and not list(root.all("line", kind="whisker"))
    (none,) = judge_rows(made(1, baseline=False, lost={("p0", "candidate", 1): "refused"}).summary)
    assert not list(read(charts.bars(none, axis, pair=False)).all("rect"))
    assert charts.axis_of(None, [none]) is None


def moved(values):
    pairs = {f"p{i}": value for i, value in enumerate(values)}
    return delta(pairs, dict.fromkeys(pairs, 0.0), None)


def heights(strip):
    """What every column rises or falls by, from left to right."""
    paths = {path.attributes["class"]: path.attributes["d"] for path in read(strip.picture).all("path")}
    columns = [tuple(map(float, one)) for d in paths.values() for one in re.findall(r"M([\d.]+) 100v(-?[\d.]+)", d)]
    return [-height for _, height in sorted(columns)]


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=60))
def test_columns_stand_in_order_and_are_as_high_as_their_changes(values):
    strip = charts.changes(moved([value / 2 for value in values]))
    assert (strip.dropped, strip.same, strip.gained) == (
        sum(v < 0 for v in values), sum(v == 0 for v in values), sum(v > 0 for v in values),
    )  # fmt: skip
    if not any(values):
        assert strip.picture is None
        return
    reach = max(map(abs, values))
    assert strip.reach == reach / 2
    assert heights(strip) == pytest.approx([100 * v / reach for v in sorted(values) if v], rel=1e-3)


def test_no_prompt_at_all_has_no_picture():
    assert charts.changes(moved([])).picture is None


def test_many_prompts_are_thinned_with_both_ends_kept_and_every_one_counted():
    strip = charts.changes(moved(range(1, 1001)))
    found = heights(strip)
    assert strip.thinned and strip.gained == 1000 and len(found) == charts.COLUMNS
    assert found[0] == pytest.approx(0.1) and found[-1] == 100


@pytest.mark.parametrize("hostile", HOSTILE_NAMES)
def test_a_hostile_category_is_text_in_the_picture(hostile):
    shown = panel(n=6, categories=[hostile, *SIX[1:]])
    root = read(charts.radar(shown))
    assert {element.tag for element in root.all()} <= {"svg", "circle", "line", "text", "polygon", "rect"}
    assert charts.short(hostile) in {text.text for text in root.all("text", kind="name")}


@given(st.text(min_size=1))
def test_a_name_never_outgrows_its_room(name):
    from rich.cells import cell_len

    assert cell_len(charts.short(name)) <= 16


def test_the_legend_names_the_baseline_only_where_there_is_one():
    assert "baseline" in charts.legend(True) and "baseline" not in charts.legend(False, "radar")
