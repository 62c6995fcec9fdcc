"""What the figures allow to be said: better, worse, equivalent or inconclusive, and why.

Reads the contract's rules in their order. Judges with a known bias, humans beside models, and judges that fail
their control pairs do not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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


def counting(judges: Iterable[str], unusable: Iterable[str]) -> tuple[str, ...]:
    """The judges a decision may rest on, in the order given: not control/…, not unusable, human/… only where alone."""
    real = [name for name in judges if not name.startswith("control/")]
    models = [name for name in real if not name.startswith("human/")]
    bad = set(unusable)
    return tuple(name for name in (models or real) if name not in bad)


def decide(
    result: Result | None, *, complete: bool, equivalence: float, consistencies: Iterable[float | None] = ()
) -> tuple[Decision, str]:
    """The decision that `result` (the panel's, or the one counting judge's) allows, and the reason in words.

    `result` is None where no judge counts. `consistencies` are those of a panel's judges: where every one of them
    contradicts itself on more than half of the prompts, their majority decides nothing either.
    """
    if result is None:
        return "inconclusive", "no judge counts"
    estimate = result.estimate
    if estimate.ci is None:
        return "inconclusive", "n = 1: one prompt gives no interval" if estimate.n else "no prompt has a usable verdict"
    if not complete:
        return "inconclusive", "the run is incomplete"
    if result.consistency is not None and result.consistency < 0.5:
        return "inconclusive", "the judge's two orders agree on fewer than half of the prompts"
    shares = list(consistencies)
    if shares and all(share is not None and share < 0.5 for share in shares):
        return "inconclusive", "every judge's two orders agree on fewer than half of the prompts"
    low, high = estimate.ci
    if 0.5 - equivalence <= low and high <= 0.5 + equivalence:
        return "equivalent", f"the interval lies inside 1/2 ± {equivalence:g}"
    if (low > 0.5 or high < 0.5) and result.p_value <= 0.05:
        return ("better" if low > 0.5 else "worse"), "the interval excludes 1/2 and the sign test agrees"
    if low > 0.5 or high < 0.5:
        return "inconclusive", "the interval excludes 1/2 but the sign test does not agree"
    return "inconclusive", "the interval holds 1/2"


def control_counts(rights: Mapping[str, Iterable[bool | None]]) -> dict[str, ControlCount]:
    """Counts per judge from its control verdicts (True: the whole response was named, None: neither)."""
    counts = {}
    for judge, values in rights.items():
        listed = list(values)
        counts[judge] = ControlCount(n=len(listed), right=listed.count(True), wrong=listed.count(False))
    return counts
