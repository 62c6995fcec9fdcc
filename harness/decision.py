"""What the figures allow to be said: better, worse, equivalent or inconclusive, and why.

Reads the contract's rules in their order. Judges with a known bias, humans beside models, and judges that fail
their control pairs do not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.figures import Result

Decision = Literal["better", "worse", "equivalent", "inconclusive"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ControlCount:
    """A judge's verdicts on control pairs: it named the whole response, the damaged copy, or neither."""

    n: int
    right: int
    wrong: int

    @property
    def undecided(self) -> int:
        return self.n - self.right - self.wrong

    @property
    def usable(self) -> bool:
        """Not usable: the damaged copy in more than a quarter of decisive verdicts, or fewer than half decided."""
        decided = self.right + self.wrong
        return 4 * self.wrong <= decided and 2 * decided >= self.n

    def as_json(self) -> dict[str, int]:
        return {"n": self.n, "right": self.right, "wrong": self.wrong, "undecided": self.undecided}


def counting(judges: Iterable[str], unusable: Iterable[str], gold: str | None = None) -> tuple[str, ...]:
    """The judges a decision may rest on, in the order given: not control/…, not unusable, human/… only where alone.

    `gold`, by which the others are weighed, does not vote beside them.
    """
    real = [name for name in judges if not name.startswith("control/") and name != gold]
    models = [name for name in real if not name.startswith("human/")]
    bad = set(unusable)
    return tuple(name for name in (models or real) if name not in bad)


def decide(
    result: Result | None, *, complete: bool, equivalence: float, judges: Iterable[Result] = ()
) -> tuple[Decision, str]:
    """The decision that `result` (the panel's, or the one counting judge's) allows, and the reason in words.

    `result` is None where no judge counts. `judges` are the results of those that count: where every one of them
    contradicts itself on more than half of the prompts, their majority decides nothing either; and where half of them
    do, or are led by position, a rate near 1/2 is the position's, not the contestants', and no `equivalent`.
    """
    if result is None:
        return "inconclusive", "no judge counts"
    estimate, listed = result.estimate, list(judges)
    if estimate.ci is None:
        return "inconclusive", no_interval(result)
    broken = unsound(result, listed, complete=complete)
    if broken is not None:
        return "inconclusive", broken
    low, high = estimate.ci
    if 0.5 - equivalence <= low and high <= 0.5 + equivalence:
        if position_decides(sum(map(is_blind, listed)), len(listed)):
            return "inconclusive", "the verdicts follow the position, so that their balance says nothing of the two"
        return "equivalent", f"the interval lies inside 1/2 ± {equivalence:g}"
    if (low > 0.5 or high < 0.5) and result.p_value <= 0.05:
        agrees = (result.wins > result.losses) == (low > 0.5)
        said = "the sign test agrees" if agrees else "the sign test is as clear, but for the other side"
        return ("better" if low > 0.5 else "worse"), f"the interval excludes 1/2 and {said}"
    if low > 0.5 or high < 0.5:
        return "inconclusive", "the interval excludes 1/2 but the sign test does not agree"
    return "inconclusive", "the interval holds 1/2"


def no_interval(result: Result) -> str:
    """Why a result has no interval."""
    return "n = 1: one prompt gives no interval" if result.estimate.n else "no prompt has a usable verdict"


def unsound(result: Result, judges: Sequence[Result], *, complete: bool) -> str | None:
    """Why nothing can be decided whatever the interval is; None where something can."""
    if not complete:
        return "the run is incomplete"
    if result.consistency is not None and result.consistency < 0.5:
        return "the judge's two orders agree on fewer than half of the prompts"
    if judges and all(judge.consistency is not None and judge.consistency < 0.5 for judge in judges):
        return "every judge's two orders agree on fewer than half of the prompts"
    return None


def nobody(judges: Sequence[str], unusable: Sequence[str]) -> str:
    """Why no judge counts."""
    if unusable:
        return f"no usable judge is left: {', '.join(unusable)} failed the control pairs"
    return "no judge counts: known-bias judges decide nothing" if judges else "there is no judge"


def is_blind(judge: Result) -> bool:
    """Whether a judge's verdicts come of the slots: it is led by position, or its two orders agree on under half."""
    return judge.led_by_position or (judge.consistency is not None and judge.consistency < 0.5)


def position_decides(blind: int, counting: int) -> bool:
    """Whether so many of the judges that count are blind (`is_blind`) that a balance of verdicts says nothing."""
    return counting > 0 and 2 * blind >= counting


def clustered_decision(decision: Decision, result: Result | None, *, equivalence: float) -> tuple[Decision, str] | None:
    """What would be left of a decision with cluster-robust errors; None where no two prompts share a cluster.

    The contract's decision takes every prompt as independent. This one takes the clusters' interval and test.
    """
    if result is None or result.clustered is None:
        return None
    if decision == "inconclusive":
        return decision, "the decision is inconclusive as it is"
    found = result.clustered
    if found.ci is None:
        return "inconclusive", "all prompts are of one cluster, which gives no interval"
    low, high = found.ci
    said = f"over {found.clusters} clusters the interval"
    if decision == "equivalent":
        inside = 0.5 - equivalence <= low and high <= 0.5 + equivalence
        return (decision, f"{said} lies inside as well") if inside else ("inconclusive", f"{said} is wider than that")
    if low > 0.5 or high < 0.5:
        return decision, f"{said} excludes 1/2 as well"
    return "inconclusive", f"{said} holds 1/2"


def control_counts(rights: Mapping[str, Iterable[bool | None]]) -> dict[str, ControlCount]:
    """Counts per judge from its control verdicts (True: the whole response was named, None: neither)."""
    counts = {}
    for judge, values in rights.items():
        listed = list(values)
        counts[judge] = ControlCount(n=len(listed), right=listed.count(True), wrong=listed.count(False))
    return counts
