"""The panel decides by its rule, a split is a tie and said, and who is listed first never matters."""

from math import fsum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judges.panel import RULES, SCORE, PanelVote, Vote, decided, majority

SCORES = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0])
VOTES = st.lists(st.tuples(SCORES, st.sampled_from([0.0, 0.3, 1.0, 2.5])), max_size=6)
OUTCOMES = st.lists(st.sampled_from(["win", "loss", "tie"]), max_size=7)


SPLIT = PanelVote(outcome="tie", split=True, score=0.5)


def cast(*votes):
    """Votes from (score, weight) pairs."""
    named = [(score, "win" if score > 0.5 else "loss" if score < 0.5 else "tie", weight) for score, weight in votes]
    return [Vote(outcome=outcome, score=score, weight=weight) for score, outcome, weight in named]


def vote(*outcomes):
    return majority(outcomes)


def test_more_than_half_decides():
    assert vote("win", "win", "loss") == PanelVote(outcome="win", split=False, score=1.0)
    assert vote("tie", "tie", "loss") == PanelVote(outcome="tie", split=False, score=0.5)
    assert vote("loss") == PanelVote(outcome="loss", split=False, score=0.0)


def test_a_split_is_a_tie_and_said():
    assert vote("win", "loss") == SPLIT
    assert vote("win", "tie") == SPLIT
    assert vote("win", "loss", "tie") == SPLIT
    assert vote("win", "win", "loss", "tie") == SPLIT


def test_nobody_voting_is_no_vote():
    assert vote() is None


@given(OUTCOMES, st.randoms())
def test_the_order_of_judges_never_matters(outcomes, rng):
    mixed = outcomes[:]
    rng.shuffle(mixed)
    assert majority(mixed) == majority(outcomes)


@given(OUTCOMES)
def test_swapping_the_contestants_mirrors_the_panel(outcomes):
    mirror = {"win": "loss", "loss": "win", "tie": "tie"}
    here, there = majority(outcomes), majority([mirror[o] for o in outcomes])
    assert (here is None) == (there is None)
    if here and there:
        assert (there.outcome, there.split) == (mirror[here.outcome], here.split)


def test_unanimous_means_all_of_them():
    same, other = cast((0.9, 1), (1.0, 1)), cast((0.9, 1), (1.0, 1), (0.5, 1))
    assert decided(same, "unanimous") == PanelVote(outcome="win", split=False, score=1.0)
    assert decided(other, "unanimous") == SPLIT
    assert decided(cast((0.5, 1), (0.5, 1)), "unanimous") == PanelVote(outcome="tie", split=False, score=0.5)


def test_the_mean_keeps_how_sure_the_judges_are():
    assert decided(cast((0.9, 1), (0.2, 1)), "mean") == PanelVote(outcome="win", split=False, score=0.55)
    assert decided(cast((1.0, 1), (0.0, 1)), "mean") == SPLIT
    assert decided(cast((0.5, 1), (0.5, 1)), "mean") == PanelVote(outcome="tie", split=False, score=0.5)


def test_weights_decide_where_heads_would_not():
    assert decided(cast((1.0, 3), (0.0, 1), (0.0, 1))).outcome == "win"
    assert decided(cast((1.0, 2), (0.0, 1), (0.0, 1))) == SPLIT
    assert decided(cast((1.0, 3), (0.0, 1)), "mean").score == 0.75


def test_judges_without_any_weight_all_count_the_same():
    assert decided(cast((1.0, 0), (1.0, 0), (0.0, 0))).outcome == "win"


@given(VOTES, st.sampled_from(RULES), st.randoms())
def test_no_rule_looks_at_who_is_listed_first(votes, rule, rng):
    mixed = votes[:]
    rng.shuffle(mixed)
    assert decided(cast(*mixed), rule) == decided(cast(*votes), rule)


@given(VOTES, st.sampled_from(RULES))
def test_swapping_the_contestants_mirrors_every_rule(votes, rule):
    here, there = decided(cast(*votes), rule), decided(cast(*((1 - score, weight) for score, weight in votes)), rule)
    assert (here is None) == (there is None)
    if here and there:
        assert (here.score + there.score, here.split) == (pytest.approx(1), there.split)


@given(VOTES)
def test_equal_weights_change_nothing(votes):
    plain, weighed = cast(*((s, 1) for s, _ in votes)), cast(*((s, 3) for s, _ in votes))
    assert [decided(plain, rule) for rule in ("majority", "unanimous")] == [
        decided(weighed, rule) for rule in ("majority", "unanimous")
    ]
    if votes:
        assert decided(weighed, "mean").score == pytest.approx(fsum(s for s, _ in votes) / len(votes))
        assert set(SCORE.values()) >= {decided(weighed).score}
