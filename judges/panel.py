"""Several judges as one: the majority of their outcomes on a prompt. Who is listed first never matters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["win", "loss", "tie"]
SCORE: dict[Outcome, float] = {"win": 1.0, "tie": 0.5, "loss": 0.0}


@dataclass(frozen=True, kw_only=True, slots=True)
class PanelVote:
    """The panel's outcome on one prompt. A split (no outcome has more than half of the votes) is a tie, and said."""

    outcome: Outcome
    split: bool


def majority(outcomes: Iterable[Outcome]) -> PanelVote | None:
    """The outcome that more than half of the voting judges name; a judge without one does not vote.

    None where no judge votes.
    """
    votes = Counter(outcomes)
    if not votes:
        return None
    outcome, count = max(votes.items(), key=lambda item: item[1])
    if 2 * count > votes.total():
        return PanelVote(outcome=outcome, split=False)
    return PanelVote(outcome="tie", split=True)
