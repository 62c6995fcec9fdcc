"""Figures as they are printed: no false precision, no rounding across 1/2."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report.numerals import (
    brief,
    clean,
    decimals,
    in_percent,
    listed,
    margin,
    one_line,
    p_value,
    percent,
    plural,
    points,
    span,
)

rates = st.floats(min_value=0, max_value=1)
sizes = st.integers(min_value=1, max_value=10**6)


@pytest.mark.parametrize(
    ("rate", "n", "text"),
    [
        (0.6641, 64, "66"),
        (0.6641, 2000, "66.4"),
        (0.5, 10, "50"),
        (0.5, 5000, "50"),
        (0.504, 64, "50.4"),
        (0.49996, 64, "49.996"),
        (0.9981, 500, "99.8"),
        (1.0, 8, "100"),
        (0.0, 8, "0"),
        (0.002, 64, "0.2"),
    ],
)
def test_percentages_are_whole_below_a_thousand_and_never_land_on_half_by_rounding(rate, n, text):
    assert in_percent(rate, n) == text


@given(rates, sizes)
def test_a_printed_rate_lies_on_the_side_of_half_where_the_rate_lies(rate, n):
    shown = float(in_percent(rate, n))
    if abs(rate - 0.5) > 1e-6:
        assert (shown > 50) == (rate > 0.5) and (shown < 50) == (rate < 0.5)
    assert abs(shown - 100 * rate) <= 0.5


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.0104, "= 0.01"),
        (0.01, "= 0.01"),
        (0.00043, "< 0.001"),
        (0.0, "< 0.001"),
        (0.007, "= 0.007"),
        (0.0496, "= 0.0496"),
        (0.0504, "= 0.0504"),
        (0.05, "= 0.05"),
        (0.45, "= 0.45"),
        (0.999, "> 0.99"),
        (1.0, "= 1"),
    ],
)
def test_p_values(p, text):
    assert p_value(p) == text


@given(st.floats(min_value=0.001, max_value=0.99))
def test_a_printed_p_value_keeps_its_side_of_one_in_twenty(p):
    shown = float(p_value(p).removeprefix("= "))
    if abs(p - 0.05) > 1e-5:
        assert (shown <= 0.05) == (p <= 0.05)
    assert shown == pytest.approx(p, rel=0.06)


def test_ranges_points_and_margins():
    assert span(0.541, 0.762, 64) == "54–76"
    assert span(0.5, 0.5, 64) == "50"
    assert (percent(0.66, 64), points(0.1203), points(-0.0061), points(0)) == ("66 %", "12", "0.6", "0")
    assert (margin(0.05), margin(0.025)) == ("5", "2.5")


def test_counted_nouns_and_lists():
    assert (plural(1, "prompt"), plural(1200, "prompt")) == ("1 prompt", "1,200 prompts")
    assert listed([]) == ""
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(list("abcdefgh"), most=3) == "a, b, c and 5 more"


@given(st.text(alphabet=st.characters(codec=None)))
def test_clean_text_can_be_written_and_cannot_steer(text):
    kept = clean(text)
    kept.encode()
    assert not set(kept) & {"\x1b", "\x00", "\r", "\x9b", "\u202e"}
    assert "\n" not in one_line(text) and len(one_line(text, 20)) <= 20


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.9996, "0.9996"),
        (1.0, "1.000"),
        (-0.0004, "−0.0004"),
        (0.0, "0.000"),
        (-0.0, "0.000"),
        (0.25, "0.250"),
        (0.99999999, "1.000000"),
    ],
)
def test_a_figure_beside_a_landmark_shows_that_it_is_not_there(value, text):
    assert decimals(value, 3) == text


@pytest.mark.parametrize(("value", "text"), [(12.51, "12.5"), (1751.0, "1,751"), (0.01234, "0.0123"), (99.96, "100")])
def test_sizes_are_brief_and_have_no_exponent(value, text):
    assert brief(value) == text
