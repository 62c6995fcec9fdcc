"""Several judges as one, prompt by prompt. Who is listed first never matters.

Rules: `majority`, the outcome that more than half of the votes name; `unanimous`, the outcome that all of them name;
`mean`, the mean of their scores. Where the rule finds none of two sides the panel ties, and a tie that is no agreement
is a split. A judge without a usable verdict does not vote.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import fsum, isclose
from typing import Literal, get_args

Outcome = Literal["win", "loss", "tie"]
Rule = Literal["majority", "mean", "unanimous"]
RULES: tuple[Rule, ...] = get_args(Rule)
SCORE: dict[Outcome, float] = {"win": 1.0, "tie": 0.5, "loss": 0.0}
TOLERANCE = 1e-9


@dataclass(frozen=True, kw_only=True, slots=True)
class Vote:
    """One judge on one prompt: its outcome, its score in [0, 1], and its weight, 0 or more."""

    outcome: Outcome
    score: float
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class PanelVote:
    """The panel's outcome on one prompt, and its score. `split`: the judges do not agree, and it is a tie for that."""

    outcome: Outcome
    split: bool
    score: float


def decided(votes: Sequence[Vote], rule: Rule = "majority") -> PanelVote | None:
    """What the judges say together; None where none votes. Where all weights are 0 all count the same."""
    if not votes:
        return None
    if not any(vote.weight for vote in votes):
        votes = [Vote(outcome=vote.outcome, score=vote.score) for vote in votes]
    return _mean(votes) if rule == "mean" else _named(votes, rule)


def _named(votes: Sequence[Vote], rule: Rule) -> PanelVote:
    by_outcome: dict[Outcome, list[float]] = defaultdict(list)
    for vote in votes:
        by_outcome[vote.outcome].append(vote.weight)
    # fsum is exact: the order of judges cannot move a sum.
    total = fsum(vote.weight for vote in votes)
    shares = {outcome: fsum(weights) / total for outcome, weights in by_outcome.items()}
    outcome, share = max(shares.items(), key=lambda item: item[1])
    enough = len(by_outcome) == 1 if rule == "unanimous" else share > 0.5 and not isclose(share, 0.5, abs_tol=TOLERANCE)
    if enough:
        return PanelVote(outcome=outcome, split=False, score=SCORE[outcome])
    return PanelVote(outcome="tie", split=True, score=SCORE["tie"])


def _mean(votes: Sequence[Vote]) -> PanelVote:
    score = fsum(vote.weight * vote.score for vote in votes) / fsum(vote.weight for vote in votes)
    if abs(score - 0.5) <= TOLERANCE:
        return PanelVote(outcome="tie", split=any(vote.outcome != "tie" for vote in votes), score=0.5)
    return PanelVote(outcome="win" if score > 0.5 else "loss", split=False, score=score)


def majority(outcomes: Iterable[Outcome]) -> PanelVote | None:
    """The outcome that more than half of the voting judges name; None where no judge votes."""
    return decided([Vote(outcome=outcome, score=SCORE[outcome]) for outcome in outcomes])
