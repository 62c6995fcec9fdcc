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
    """What n prompts with this effect end as, where a run's decision falls short of the power; None where it does not.

    `found` gives the chances at an equivalence.
    """
    ends = found(equivalence)
    if ends.better >= power - _SLIGHT:
        return None
    subject = f"a win rate of {rate} over {plural(n, 'prompt')} ends as"
    if _lost(ends):
        return (
            f"with equivalence \N{PLUS-MINUS SIGN}{100 * equivalence:g} points {subject} `equivalent` in "
            f"{of_100(ends.equivalent)} runs and as `better` in {of_100(ends.better)}; set "
            f"`equivalence: {_narrower(effect, equivalence, found):g}` in the suite"
        )
    return None


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


def on_ties(rate: str, effect: float, sd: float) -> str | None:
    """That a pilot had more ties than the effect allows; None where it had not."""
    if not impossible(effect, sd):
        return None
    return (
        f"a win rate of {rate} needs fewer ties than the pilot had: at least {200 * effect:.3g} % of the prompts "
        f"decisive, where the pilot's spread is that of {400 * sd**2:.3g} %; planned with the least spread that such "
        f"a rate can have, {least_sd(effect):.2f}"
    )


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
