"""The only place that turns slots (A, B) into candidate and baseline. Nothing else may."""

from __future__ import annotations

from typing import Literal, TypeVar

from judges.types import Verdict

Order = Literal["candidate_first", "baseline_first"]
Winner = Literal["candidate", "baseline", "tie"]
ORDERS: tuple[Order, Order] = ("candidate_first", "baseline_first")

T = TypeVar("T")


def slots(candidate: T, baseline: T, order: Order) -> tuple[T, T]:
    """What stands in slots A and B: A is whatever is shown first."""
    return (candidate, baseline) if order == "candidate_first" else (baseline, candidate)


def winner_of(verdict: Verdict, order: Order) -> Winner:
    """Who a verdict in slots names, given who was shown first."""
    if verdict == "tie":
        return "tie"
    in_a, in_b = slots("candidate", "baseline", order)
    return in_a if verdict == "A" else in_b  # type: ignore[return-value]


def verdict_of(winner: Winner, order: Order) -> Verdict:
    """The verdict in slots that names this winner (the inverse of `winner_of`)."""
    if winner == "tie":
        return "tie"
    in_a, _ = slots("candidate", "baseline", order)
    return "A" if winner == in_a else "B"


def preference_of(probability_a: float, order: Order) -> float:
    """The probability that the candidate is better, from the probability that slot A is."""
    return probability_a if order == "candidate_first" else 1.0 - probability_a
