"""Every form of reply that the contract promises to read, and those that must stay unread."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judges import parse
from judges.template import without_thinking
from judges.types import Criterion

XY = (Criterion(name="x"), Criterion(name="y"))


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("Winner: A", "A"),
        ("winner: b", "B"),
        ("**Winner: Tie**", "tie"),
        ("**Winner:** B", "B"),
        ("Some thoughts.\n\nWinner: **A**.\n", "A"),
        ("## Winner: Response B", "B"),
        ("### Winner: B ###", "B"),
        ("1. Winner: B", "B"),
        ('{"result": {"winner": "B"}}', "B"),
        ("I prefer [[A]]", "A"),
        ("[[B]]", "B"),
        ("[[C]]", "tie"),
        ('{"winner": "A"}', "A"),
        ('{"reasoning": "short", "winner": "Tie"}', "tie"),
        ('Here it is:\n```json\n{\n  "winner": "B"\n}\n```', "B"),
    ],
)
def test_replies_that_always_parse(reply, expected):
    assert parse.verdict(reply) == expected


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "A is better",
        "Winner: Neither",
        "Winner: A or B",
        "[[D]]",
        '{"winner": null}',
        '{"winner": ["A"]}',
        '{"verdict": "A"}',
        "the winner: A",
    ],
)
def test_replies_off_the_menu_are_no_verdict(reply):
    assert parse.verdict(reply) is None


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("Winner: A\nOn reflection:\nWinner: B", "B"),
        ("[[A]] … no, [[B]]", "B"),
        ('Winner: B\n{"winner": "A"}', "A"),
        ('{"winner": "A"}\nWinner: tie', "tie"),
        ("Winner: A\nWinner: I cannot say", None),
        ("[[A]]\n[[maybe]]", None),
        ('{"reasoning": "they wrote [[B]] and\\nWinner: B", "winner": "A"}', "A"),
    ],
)
def test_the_last_verdict_decides_even_where_it_is_off_the_menu(reply, expected):
    assert parse.verdict(reply) == expected


@given(st.text(alphabet=st.characters(exclude_characters="[]{}:："), max_size=200), st.sampled_from(["A", "B", "Tie"]))
def test_whatever_stands_before_a_winner_line_it_decides(before, winner):
    expected = "tie" if winner == "Tie" else winner
    assert parse.verdict(f"{before}\nWinner: {winner}") == expected


@given(st.text(max_size=300))
def test_no_reply_breaks_the_parser(reply):
    assert parse.verdict(reply) in ("A", "B", "tie", None)


@pytest.mark.parametrize("reply", ["{" * 100_000, '{"a":' * 50_000, "\n" * 200_000, "[[" * 100_000, "<think>" * 50_000])
def test_hostile_replies_cost_no_more_than_honest_ones(reply):
    started = time.perf_counter()
    text, _ = without_thinking(reply)
    assert parse.verdict(text) is None
    assert time.perf_counter() - started < 2


def test_scores_are_read_whole_or_not_at_all():
    whole = '{"scores": {"A": {"x": 1, "y": 5}, "B": {"x": 2, "y": 3}}, "winner": "B"}'
    assert parse.scores(whole, XY) == {"A": {"x": 1, "y": 5}, "B": {"x": 2, "y": 3}}
    assert parse.scores(whole.replace("5", "6"), XY) is None
    assert parse.scores(whole.replace('"y": 3', '"z": 3'), XY) is None
    assert parse.scores("Winner: A", XY) is None


def test_thinking_is_no_part_of_a_reply():
    assert without_thinking("<think>Winner: B</think>Winner: A") == ("Winner: A", False)
    assert without_thinking("a<thinking>x</thinking>b<THINK>y</THINK>c") == ("abc", False)
    assert without_thinking("before <think>Winner: B") == ("before", True)
