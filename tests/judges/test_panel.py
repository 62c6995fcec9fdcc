"""The panel is the majority, a split is a tie and said, and who is listed first never matters."""

from hypothesis import given
from hypothesis import strategies as st

from judges.panel import PanelVote, majority

OUTCOMES = st.lists(st.sampled_from(["win", "loss", "tie"]), max_size=7)


def vote(*outcomes):
    return majority(outcomes)


def test_more_than_half_decides():
    assert vote("win", "win", "loss") == PanelVote(outcome="win", split=False)
    assert vote("tie", "tie", "loss") == PanelVote(outcome="tie", split=False)
    assert vote("loss") == PanelVote(outcome="loss", split=False)


def test_a_split_is_a_tie_and_said():
    assert vote("win", "loss") == PanelVote(outcome="tie", split=True)
    assert vote("win", "tie") == PanelVote(outcome="tie", split=True)
    assert vote("win", "loss", "tie") == PanelVote(outcome="tie", split=True)
    assert vote("win", "win", "loss", "tie") == PanelVote(outcome="tie", split=True)


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
