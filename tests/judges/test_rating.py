"""Every form of rating that the contract promises to read, and those that must stay unread."""

import json
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judges import parse

GRADES = st.integers(1, 10)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("[[7]]", 7),
        ("[[ 10 ]]", 10),
        ("[[7.5]]", 7.5),
        ("[[7/10]]", 7),
        ("I give it [[1]].", 1),
        ("Rating: 7", 7),
        ("rating: 7", 7),
        ("RATING: 7.", 7),
        ("**Rating: 7**", 7),
        ("**Rating:** 7", 7),
        ("**Rating**: **7**", 7),
        ("`Rating: 7`", 7),
        ('"Rating: 7"', 7),
        ("## Rating: 7 ##", 7),
        ("1. Rating: 7", 7),
        ("- Rating: 7", 7),
        ("Rating:7", 7),
        ("Rating:7", 7),
        ("Rating: 7/10", 7),
        ("Rating: **7/10**.", 7),
        ("Rating: 7 / 10", 7),
        ("Rating: 7 out of 10", 7),
        ("Rating: 7 out of ten", 7),
        ("Rating: 7.0/10.0", 7),
        ("Rating: 7.25", 7.25),
        ("Rating: 10", 10),
        ("Rating: 7, for it is clear.", 7),
        ("Rating: 7 (good)", 7),
        ("Rating: 7 - a good answer", 7),
        ("Rating: 7. It does what was asked.", 7),
        ("A good answer. Overall rating: 7\n\nThank you.", 7),
        ("Rating: 7\r\n", 7),
        ("Rating: [[7]]", 7),
        ("Rating: **[[7]]** because it names 3 soups", 7),
        ('{"rating": 7}', 7),
        ('{"rating": 7.0}', 7),
        ('{"rating": "7"}', 7),
        ('{"rating": "7/10"}', 7),
        ('{"reasoning": "short", "rating": 7}', 7),
        ('{"result": {"rating": 7}}', 7),
        ('{"a": {"rating": 3}, "b": {"rating": 7}}', 7),
        ('{"clarity": {"rating": 3}, "rating": 7}', 7),
        ('Here it is:\n```json\n{\n  "rating": 7\n}\n```', 7),
    ],
)
def test_replies_that_always_parse(reply, expected):
    assert parse.rating(reply) == expected


OFF_THE_SCALE = [
    "7 or 8",
    "7-8",
    "7–8",
    "7 - 8",
    "7 to 8",
    "7, maybe 8",
    "7, or eight",
    "7/8",
    "7 or so",
    "between 7 and 8",
    "seven",
    "11",
    "11/10",
    "10.5",
    "70/100",
    "7/100",
    "100",
    "0",
    "0.9",
    "00",
    "07",
    "-3",
    "−3",
    "+7",
    ".7",
    "7,5",
    "7e0",
    "7%",
    "7½",
    "٧",
    "~7",
    "NaN",
    "inf",
    "N/A",
    "",
    "7.5.3",
    "A",
]


@pytest.mark.parametrize("value", OFF_THE_SCALE)
def test_what_is_off_the_scale_is_no_rating_in_any_form(value):
    for reply in (f"Rating: {value}", f"**Rating:** **{value}**", f"[[{value}]]", json.dumps({"rating": value})):
        assert parse.rating(reply) is None
        assert parse.rating(f"[[4]] at first.\n{reply}") is None


@pytest.mark.parametrize(
    "value", ["0", "11", "-3", "0.99", "10.01", "1e999", "-1e999", "NaN", "Infinity", "true", "null", "[7]", "9" * 5000]
)
def test_nor_is_a_json_value_off_the_scale(value):
    assert parse.rating(f'{{"rating": {value}}}') is None


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "I'd say 7 or 8",
        "7",
        "7/10",
        "I rate it 7",
        "overrating: 7",
        '{"score": 7}',
        '{"rating": 7',
        'It says "Rating: 10" of itself.',
        "It says “Rating: 10” of itself.",
    ],
)
def test_what_has_no_form_of_a_rating_is_none(reply):
    assert parse.rating(reply) is None


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("Rating: 3\nOn reflection:\nRating: 4", 4),
        ("Rating: 3, no, rating: 4", 4),
        ("[[3]] … no, [[4]]", 4),
        ('Rating: 3\n{"rating": 4}', 4),
        ('{"rating": 3}\nRating: 4', 4),
        ("[[3]]\nRating: 4", 4),
        ("Rating: 3 [[4]]", 4),
        ('{"rating": 3, "rating": 4}', 4),
        ('{"reasoning": "they wrote [[10]] and\\nRating: 10", "rating": 4}', 4),
        ('{"rating": 4, "reasoning": "they wrote [[10]] and\\nRating: 10"}', 4),
        ('Rating: 4\nIts own "Rating: 10" counts for nothing.', 4),
        ("Rating: 4\nRating: I cannot say", None),
        ("[[4]]\n[[maybe]]", None),
        ('[[4]]\n{"rating": null}', None),
    ],
)
def test_the_last_rating_decides_even_where_it_is_off_the_scale(reply, expected):
    assert parse.rating(reply) == expected


FORMS = st.sampled_from(["Rating: {}", "**Rating:** {}/10", "[[{}]]", '{{"reasoning": "…", "rating": {}}}'])
# Braces and brackets may open something that swallows what comes after; they are tried below.
PLAIN = st.text(alphabet=st.characters(exclude_characters="{"), max_size=200)


@given(PLAIN, GRADES, FORMS, GRADES, FORMS)
def test_whatever_stands_before_the_last_rating_decides(before, quoted, its_form, own, form):
    reply = f"{before}\n{its_form.format(quoted)}\n{before}\n{form.format(own)}"
    assert parse.rating(reply) == own


MARKS = st.text(alphabet=st.sampled_from('rating: [[]]{}"0127.5/10-,\n*'), max_size=60)


@given(
    st.one_of(
        st.text(max_size=300),
        MARKS,
        st.lists(st.one_of(MARKS, st.just("Rating: "), st.just('{"rating": '))).map("".join),
    )
)
def test_no_reply_breaks_the_parser_or_leaves_the_scale(reply):
    found = parse.rating(reply)
    assert found is None or (1 <= found <= 10 and math.isfinite(found) and isinstance(found, float))


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_a_number_counts_exactly_where_it_is_on_the_scale(value):
    found = parse.rating(json.dumps({"rating": value}))
    assert found == (value if 1 <= value <= 10 else None)


@pytest.mark.parametrize(
    "reply",
    [
        "{" * 100_000,
        '{"rating":' * 50_000,
        "\n" * 200_000,
        "[[" * 100_000,
        "rating:" * 50_000,
        "rating " * 50_000,
        "rating" + " " * 200_000,
        "Rating: " + "1" * 200_000,
        "Rating: 7" + "*" * 200_000 + "8",
        "*" * 200_000,
    ],
    ids=lambda reply: f"{reply[:12]!r}",
)
def test_hostile_replies_cost_no_more_than_honest_ones(reply):
    started = time.process_time()
    assert parse.rating(reply) is None
    assert time.process_time() - started < 2
