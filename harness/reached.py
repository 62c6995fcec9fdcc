"""What became of a pairwise suite's goal: a win rate read from what the decision rests on.

A goal is a gate, so it goes by the more careful interval: of a run that stops as soon as it is decided, the one that
holds at every look; where prompts share clusters, theirs. It refuses what the decision would refuse: an incomplete run,
judges whose orders contradict each other; and judges of whom half or more follow the position reach no goal.
"""

from __future__ import annotations

from dataclasses import replace

from harness.decision import is_blind, no_interval, position_decides, unsound
from harness.figures import Result
from harness.goal import Goal, Reading, met
from harness.summary import Summary


def with_goal(summary: Summary, goal: Goal | None) -> Summary:
    """A summary with what became of a goal; itself where there is none."""
    if goal is None:
        return summary
    if summary.deciding is None:
        return replace(summary, goal=met(goal, (), undecided="no judge counts"))
    judges = [summary.judges[name] for name in summary.counting]
    undecided = unsound(summary.deciding, judges, complete=summary.complete)
    if undecided is None and position_decides(sum(map(is_blind, judges)), len(judges)):
        undecided = "the verdicts follow the position"
    return replace(summary, goal=met(goal, [_reading(summary, summary.deciding)], undecided=undecided))


def _reading(summary: Summary, result: Result) -> Reading:
    estimate, ci, reason = result.estimate, result.estimate.ci, no_interval(result)
    if summary.stopped is not None:
        ci = summary.stopped.interval
    elif result.clustered is not None:
        ci, reason = result.clustered.ci, "all prompts are of one cluster"
    count = len(summary.counting)
    by = f"the panel of {count} judges" if count > 1 else None
    return Reading(by=by, value=estimate.mean, ci=ci, n=estimate.n, reason=None if ci else reason)
