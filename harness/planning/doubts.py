"""What a run's decision makes of a plan, and what a pilot's ties make impossible: sentences, and why."""

from __future__ import annotations

from collections.abc import Callable

from harness.planning.outcomes import Chances
from harness.report.numerals import plural
from harness.stats.power import least_sd

# A run decides at this alpha, whatever a plan was asked for.
RUNS_ALPHA = 0.05
# Less than this of the runs is no matter for a warning.
_SLIGHT = 0.005


def on_decision(
    rate: str, n: int, effect: float, power: float, equivalence: float, found: Callable[[float], Chances]
) -> str | None:
    """What n prompts with this effect end as, where `equivalent` takes decisions below the power; None elsewhere.

    `found` gives the chances at an equivalence.
    """
    ends = found(equivalence)
    if ends.better >= power - _SLIGHT or not _lost(ends):
        return None
    return (
        f"with equivalence ±{100 * equivalence:g} points a win rate of {rate} over {plural(n, 'prompt')} ends as "
        f"`equivalent` in {of_100(ends.equivalent)} runs and as `better` in {of_100(ends.better)}; set "
        f"`equivalence: {_decimal(_narrower(effect, equivalence, found))}` in the suite"
    )


def on_alpha(rate: str, n: int, alpha: float, ends: Chances) -> str | None:
    """What becomes of a plan at a larger alpha than a run decides at; None where alpha is no larger."""
    if alpha <= RUNS_ALPHA:
        return None
    return (
        f"a run decides at alpha {RUNS_ALPHA:g}, not {alpha:g}: a win rate of {rate} over {plural(n, 'prompt')} ends "
        f"as `better` in {of_100(ends.better)} runs"
    )


def impossible(effect: float, sd: float) -> bool:
    """Whether prompts that spread by `sd` about 1/2 have too many ties for a win rate of 1/2 + effect."""
    return sd < least_sd(effect) * (1 - 1e-9)


def on_ties(rate: str, effect: float, sd: float, decisive: float | None) -> str | None:
    """That a pilot with this share of decisive prompts had more ties than the effect allows; None where it had not.

    Where scores lie between a tie and a win the share may do, and it is the spread alone that is too small.
    """
    if not impossible(effect, sd):
        return None
    tied = decisive is not None and decisive < 2 * effect
    why = (
        f"needs fewer ties than the pilot had (at least {200 * effect:.3g} % of prompts decisive, not the pilot's "
        f"{100 * (decisive or 0):.3g} %)"
        if tied
        else "takes prompts that differ more than the pilot's, if they are won, tied or lost whole"
    )
    return f"a win rate of {rate} {why}: planned with the least spread that such a rate has, {least_sd(effect):.2f}"


def of_100(chance: float) -> str:
    """A chance as runs of 100, never as certainty or as none: "99 of 100"."""
    if chance < _SLIGHT:
        return "fewer than 1 of 100"
    return "more than 99 of 100" if chance > 1 - _SLIGHT else f"{round(100 * chance)} of 100"


def _lost(ends: Chances) -> bool:
    return ends.better < ends.shown - _SLIGHT


def _narrower(effect: float, equivalence: float, found: Callable[[float], Chances]) -> float:
    """An equivalence that loses no decision: half the effect, or as often halved as the interval's width takes."""
    tried = float(f"{min(effect, equivalence) / 2:.2g}")
    while _lost(found(tried)):
        tried = float(f"{tried / 2:.2g}")
    return tried


def _decimal(value: float) -> str:
    """As YAML reads it: 5e-07 would be text there."""
    return f"{value:.12f}".rstrip("0")
