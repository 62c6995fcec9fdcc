"""One function turns slots into contestants; its inverse and its mirror hold."""

import itertools

from harness.outcome import ORDERS, preference_of, slots, winner_of

MIRROR = {"candidate": "baseline", "baseline": "candidate", "tie": "tie"}
FLIP = {"A": "B", "B": "A", "tie": "tie"}
OTHER = {"candidate_first": "baseline_first", "baseline_first": "candidate_first"}


def test_the_first_shown_is_a():
    assert slots("c", "b", "candidate_first") == ("c", "b")
    assert slots("c", "b", "baseline_first") == ("b", "c")
    assert winner_of("A", "candidate_first") == "candidate"
    assert winner_of("A", "baseline_first") == "baseline"
    assert winner_of("B", "candidate_first") == "baseline"
    assert winner_of("B", "baseline_first") == "candidate"
    assert {winner_of("tie", order) for order in ORDERS} == {"tie"}


def test_flipping_the_verdict_or_the_order_mirrors_the_winner():
    for verdict, order in itertools.product(("A", "B", "tie"), ORDERS):
        assert winner_of(FLIP[verdict], order) == MIRROR[winner_of(verdict, order)]
        assert winner_of(verdict, OTHER[order]) == MIRROR[winner_of(verdict, order)]


def test_the_slot_a_verdict_names_is_where_its_winner_stands():
    for verdict, order in itertools.product(("A", "B"), ORDERS):
        shown = dict(zip("AB", slots("candidate", "baseline", order), strict=True))
        assert shown[verdict] == winner_of(verdict, order)


def test_a_probability_follows_its_slot():
    assert preference_of(0.8, "candidate_first") == 0.8
    assert abs(preference_of(0.8, "baseline_first") - 0.2) < 1e-12
