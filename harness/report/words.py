"""What a result says, in words: the decision first, with what it rests on, and then what to doubt.

It refuses a bare win rate: n, won–lost–tied and the interval, or why there is none, stand in the same sentence.
"""

from __future__ import annotations

from harness.figures import Result
from harness.goal import said
from harness.report.doubts import doubts, report_doubts
from harness.report.further import sections
from harness.report.leakage import clean_line, leaked_ids, leaked_line
from harness.report.numerals import margin
from harness.report.phrases import (
    all_single_verdicts,
    control_figures,
    counted,
    equal_length,
    group_of,
    length_alone,
    order_figures,
    power,
    scored,
    sign_test,
    single_verdicts,
)
from harness.summary import Summary
from judges.panel import Rule

_RULES: dict[Rule, str] = {"majority": "majority", "mean": "mean", "unanimous": "unanimous vote"}

__all__ = [
    "all_single_verdicts",
    "basis",
    "clean_line",
    "counted",
    "doubts",
    "equal_length",
    "goal_line",
    "headline",
    "judge_line",
    "leaked_ids",
    "leaked_line",
    "length_alone",
    "report_doubts",
    "sections",
    "single_verdicts",
    "verdict",
]


def headline(summary: Summary) -> str:
    """The decision and what it rests on, as one or two sentences."""
    return f"{verdict(summary)}: {basis(summary)}"


def goal_line(summary: Summary) -> list[str]:
    """What became of the suite's goal, where it has one."""
    return said(summary.goal)


def verdict(summary: Summary) -> str:
    """The decision in two or three words."""
    match summary.decision:
        case "better":
            return "candidate better"
        case "worse":
            return "candidate worse"
        case "equivalent":
            return f"equivalent within ±{margin(summary.equivalence)} points"
        case _:
            return "inconclusive"


def basis(summary: Summary) -> str:
    """What the decision rests on: score, n, outcomes, interval, test, orders, control pairs; or what is missing."""
    deciding = summary.deciding
    if deciding is None:
        return f"{summary.reason}."
    figures = _figures(deciding, summary)
    if summary.decision == "inconclusive":
        return f"{_why_not(deciding, summary)}. The candidate {figures}."
    if summary.decision == "equivalent":
        return f"the interval lies inside 50 ± {margin(summary.equivalence)} %. The candidate {figures}."
    return f"{figures}."


def _figures(deciding: Result, summary: Summary) -> str:
    names = summary.counting
    by = names[0] if len(names) == 1 else f"the {_weighed(summary)}{_RULES[summary.rule]} of {len(names)} judges"
    first = f"{scored(deciding, summary.n_prompts, judges=len(names))} by {by}"
    if not deciding.estimate.n:
        return first
    rest = [*order_figures(names, summary), control_figures(names, summary)]
    return f"{first}, {sign_test(deciding)}; {'; '.join(rest)}"


def _weighed(summary: Summary) -> str:
    return "weighed " if summary.weighing is not None and not summary.weighing.even else ""


def _why_not(deciding: Result, summary: Summary) -> str:
    """The reason, and where the interval holds 1/2, what this many prompts could have shown at all."""
    ci = deciding.estimate.ci
    can_show = power(deciding) if ci and ci[0] <= 0.5 <= ci[1] else None
    return "; ".join([summary.reason, *([can_show] if can_show else [])])


def judge_line(name: str, result: Result, summary: Summary) -> str:
    """One judge's figures as a sentence, with its part in the decision where it has none."""
    group = group_of(name, summary)
    part = {"counts": "", "unusable": " (unusable)", "human": " (human labels)", "known bias": " (known bias)"}[group]
    said = [scored(result, summary.n_prompts)]
    if result.estimate.n:
        said[0] += f", {sign_test(result)}"
        said += order_figures([name], summary)
    said.append(control_figures([name], summary) if group != "known bias" else "no control pairs (known bias)")
    rows = single_verdicts(result)
    return f"{name}{part} {'; '.join([*said, *([rows] if rows else [])])}"
