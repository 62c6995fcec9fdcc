"""The plot: places as shares of the width, and nothing drawn that does not exist."""

from xml.etree import ElementTree

import pytest

from harness.report.chart import axis, strip
from tests.harness.report.sample import simple


def drawn(votes, equivalence=0.05):
    result = simple({"rubric": votes}).summary.judges["rubric"]
    root = ElementTree.fromstring(strip(result, equivalence))
    return result, {element.get("class"): element for element in root}


def share(element, name):
    return float(element.get(name).removesuffix("%")) / 100


def test_mean_and_interval_stand_where_they_are():
    result, parts = drawn("wwwl" * 10)
    assert share(parts["dot"], "cx") == pytest.approx(result.estimate.mean)
    low, high = result.estimate.ci
    assert share(parts["whisker"], "x1") == pytest.approx(low, abs=1e-6)
    assert share(parts["whisker"], "x2") == pytest.approx(high, abs=1e-6)
    assert share(parts["half"], "x1") == share(parts["half"], "x2") == 0.5


def test_the_equivalence_band_is_as_wide_as_the_suite_says():
    _, parts = drawn("wl" * 10, equivalence=0.08)
    assert share(parts["band"], "x") == pytest.approx(0.42)
    assert share(parts["band"], "width") == pytest.approx(0.16)


def test_one_prompt_has_a_hollow_mean_and_no_whisker():
    _, parts = drawn("w")
    assert "whisker" not in parts and "dot hollow" in parts


def test_no_verdict_draws_only_the_scale():
    _, parts = drawn("uu")
    assert set(parts) == {"band", "half"}


def test_the_axis_reads_in_percent():
    assert [text.text for text in ElementTree.fromstring(axis())] == ["0", "25", "50 %", "75", "100"]
