"""Text in columns: nothing is wider than the terminal, nothing is lost."""

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from harness.report.columns import listing, note, table, wrap

WORDS = st.text("abcdefghij-é中文字ま", min_size=1, max_size=120)


@given(st.lists(WORDS, min_size=1, max_size=12), st.sampled_from([("", ""), ("- ", "  "), ("  ", "    ")]))
def test_no_line_is_wider_and_no_letter_is_lost(words, ends):
    text = wrap(" ".join(words), 40, first=ends[0], rest=ends[1])
    assert all(cell_len(line) <= 40 for line in text.split("\n"))
    assert "".join(text.split()) == "".join([*ends[0].split(), *words])


def test_a_bullet_is_followed_by_one_space():
    assert wrap("one two", first="- ", rest="  ") == "- one two"
    assert note("one") == "  one"


def test_a_figure_stays_with_its_sign():
    assert wrap("it scores 84 % over", 13) == "it scores\n84 % over"


def test_nothing_to_list_is_nothing():
    assert listing("title", []) == ""
    assert listing("title", ["a"]) == "title\n  a"


def test_a_long_name_has_a_line_of_its_own():
    lines = table("", ["n"], [("a" * 30, ["1"]), ("b", ["22"])], 20)
    assert lines[1] == "a" * 20
    assert lines[2] == "a" * 10
    assert lines[3].endswith(" 1")
    assert lines[4] == "b" + lines[4][1:-2] + "22"
