"""What a score run's figures are further asked: the suite's goal, where grades differ, and whether reward maps hold.

Apart from `summarize`, which is asked again for every part of a report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.goal import Goal, Met, Reading, met
from harness.records import ScoreRecord
from harness.scoring import maps
from harness.scoring.summary import ScoreSummary
from harness.scoring.variance import variances


def with_further(
    summary: ScoreSummary,
    candidate: Sequence[ScoreRecord],
    baseline: Sequence[ScoreRecord],
    goal: Goal | None = None,
) -> ScoreSummary:
    """A summary with what its records say beside the figures."""
    both = [*candidate, *baseline]
    return replace(
        summary,
        goal=goal_met(summary, goal) if goal is not None else None,
        variance=variances(candidate, baseline, summary.setting.turns, summary.setting.scales),
        maps=maps.mapped(both),
        notes=(*summary.notes, *maps.mixed(both)),
    )


def goal_met(summary: ScoreSummary, goal: Goal) -> Met:
    """What became of a goal: by the judge that it names, else by every judge that counts, each of which has to say so.

    Human judges count where they stand alone, as in a comparison.
    """
    models = [name for name in summary.judges if not name.startswith("human/")]
    names = [goal.judge] if goal.judge is not None else models or list(summary.judges)
    readings = [_reading(summary, goal, name) for name in names]
    undecided = None if summary.complete else "the run is incomplete"
    return met(goal, readings, undecided=undecided)


def _reading(summary: ScoreSummary, goal: Goal, name: str) -> Reading:
    if goal.metric == "delta":
        if name not in summary.deltas:
            return Reading(by=name, value=None, ci=None, n=0, reason="there is no baseline")
        moved = summary.deltas[name].difference
        return Reading(by=name, value=moved.mean, ci=moved.ci, n=moved.n, reason=moved.reason)
    if name not in summary.judges:
        return Reading(by=name, value=None, ci=None, n=0, reason="the judge is not in this run")
    own = summary.judges[name]
    return Reading(by=name, value=own.mean, ci=own.ci, n=own.n, reason=own.reason)
