"""What reruns say of a run: each win rate and decision, their spread against chance, the prompts that flip, a verdict.

Values in, values out; reading the folders is `ran`'s alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from harness.collect import find, is_complete, panel_in, summary_of
from harness.decision import Decision
from harness.figures import deciding_scores, outcome_of
from harness.records import JudgmentRecord
from harness.report.numerals import listed, p_value, plural
from harness.rerun import sound
from harness.stats.intervals import Mean
from harness.stats.spread import Flips, Spread, flips, spread

Verdict = Literal["reproduced", "not reproduced", "nothing can differ", "cannot be told", "incomplete"]
ALPHA = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """One run as a comparison of reruns sees it; `scores` are those of the panel or the one judge that counts."""

    path: Path
    decision: Decision
    reason: str
    complete: bool
    estimate: Mean | None
    scores: Mapping[str, float]
    counting: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        estimate = self.estimate
        return {
            "path": str(self.path),
            "win_rate": estimate.mean if estimate else None,
            "ci": list(estimate.ci) if estimate and estimate.ci else None,
            "decision": self.decision,
            "n": estimate.n if estimate else 0,
            "complete": self.complete,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Rerun:
    """What reruns say of a run, which stands first in `runs`.

    `within` is how far two runs may lie apart (see `stats.spread`), None where the verdict is not "reproduced" and the
    spread is not known. `ids` are the prompts all runs scored, `flipping` those whose outcome is not always the same.
    `border`: reproduced, though some runs decide and some are inconclusive; the first note says how many.
    """

    verdict: Verdict
    reason: str
    within: float | None
    runs: tuple[Ran, ...]
    ids: tuple[str, ...]
    spread: Spread | None
    flips: Flips | None
    notes: tuple[str, ...]
    border: bool = False

    @property
    def flipping(self) -> tuple[str, ...]:
        """The prompts whose outcome differs between runs, most flipping first."""
        return tuple(self.ids[place] for place in self.flips.places) if self.flips else ()

    def outcomes(self, prompt: str) -> list[str]:
        """A prompt's outcome in every run."""
        return [outcome_of(run.scores[prompt]) for run in self.runs]

    def as_json(self) -> dict[str, Any]:
        found = self.spread
        complete = all(run.complete for run in self.runs)
        return {
            "kind": "rerun",
            "verdict": self.verdict,
            "reason": self.reason,
            "within": self.within,
            "complete": complete,
            "decision": self.runs[0].decision if complete else "inconclusive",
            "decisions": _decisions(self.runs),
            "runs": [run.as_json() for run in self.runs],
            "spread": None
            if found is None
            else {
                "n": found.prompts,
                "sd": found.sd,
                "range": found.reach,
                "expected_sd": found.expected_sd,
                "ratio": found.ratio,
                "p_value": found.p_value,
            },
            "flips": None
            if self.flips is None
            else {
                "n": len(self.ids),
                "prompts": len(self.flips.places),
                "decisive": self.flips.decisive,
                "ids": list(self.flipping),
            },
            "notes": list(self.notes),
        }


def ran(path: Path) -> Ran:
    """A run from its folder. Raises InputError where it is none, or was edited into something that is none."""
    sound.require(path)
    found = find(path)
    complete = is_complete(found)
    summary = summary_of(found, complete=complete)
    by_judge: dict[str, list[JudgmentRecord]] = {name: [] for name in summary.counting}
    for judgment in found.judgments:
        if judgment.judge in by_judge:
            by_judge[judgment.judge].append(judgment)
    ids = [prompt.id for prompt in found.prompts]
    return Ran(
        path=path,
        decision=summary.decision,
        reason=summary.reason,
        complete=complete,
        estimate=summary.deciding.estimate if summary.deciding else None,
        scores=deciding_scores(by_judge, ids, panel_in(found)) if by_judge else {},
        counting=summary.counting,
    )


def compared(runs: Sequence[Ran], *, can_differ: bool, notes: Sequence[str] = ()) -> Rerun:
    """The run (first) against its reruns. `can_differ` False: nothing in it is drawn or asked afresh.

    "not reproduced" is what chance does not explain: two runs decide clear things that are not the same (better against
    worse, or either against equivalent), or the F test of `stats.spread` finds the win rates further apart than chance
    puts them (p <= 0.05). Where some runs are inconclusive, the others all decide the same, and the spread is chance,
    the figure is reproduced and lies at the border of a decision: that is said first among the notes.
    """
    ids = tuple(prompt for prompt in runs[0].scores if all(prompt in run.scores for run in runs))
    table = np.array([[run.scores[prompt] for prompt in ids] for run in runs]).reshape(len(runs), len(ids))
    # Scores of other judges are other scores: their spread would not be noise.
    found = None if _counted_apart(runs) else spread(table)
    verdict, reason = _verdict(runs, found, can_differ=can_differ)
    border = _border(runs) if verdict == "reproduced" else None
    first = [] if border is None or found is None else [f"Reproduced within ±{_points(found.within)} points; {border}"]
    return Rerun(
        verdict=verdict,
        reason=reason,
        within=found.within if found is not None and verdict in ("reproduced", "not reproduced") else None,
        runs=tuple(runs),
        ids=ids,
        spread=found,
        flips=flips(table) if found is not None else None,
        notes=(*first, *notes, *_notes(runs, ids)),
        border=border is not None,
    )


def _verdict(runs: Sequence[Ran], found: Spread | None, *, can_differ: bool) -> tuple[Verdict, str]:
    if not can_differ:
        return (
            "nothing can differ",
            "everything in this run is recorded or always the same, so a rerun would be this run",
        )
    unfinished = [run.path.name for run in runs if not run.complete]
    if unfinished:
        return "incomplete", f"{listed(unfinished)} is not finished"
    apart = _counted_apart(runs)
    if apart:
        return "not reproduced", f"other judges count: {'; '.join(apart)}"
    if found is None:
        return "cannot be told", "no prompt has a usable verdict in every run"
    if found.prompts < 2:
        return "cannot be told", "one prompt says nothing of how far win rates spread"
    said = _contradictions(runs)
    if found.p_value is not None and found.p_value <= ALPHA:
        # Where the runs lie apart by more than chance, any other decision belongs to that.
        said = said or _others(runs)
        said.append(
            f"the win rates spread more than chance gives (SD {_points(found.sd)} points where "
            f"{_points(found.expected_sd)} are expected, p {p_value(found.p_value)})"
        )
    elif said:
        said.append(f"yet {_chance(found)}")
    if said:
        return "not reproduced", "; ".join(said)
    border = _border(runs)
    if border is not None:
        return "reproduced", f"{border}; {_chance(found)}"
    return "reproduced", f"every run says {runs[0].decision}, and {_chance(found)}"


def _contradictions(runs: Sequence[Ran]) -> list[str]:
    """What the runs say where two of them decide clear things that are not the same; empty where none do."""
    clear = {run.decision for run in runs} - {"inconclusive"}
    return _others(runs) if len(clear) > 1 else []


def _others(runs: Sequence[Ran]) -> list[str]:
    other = [f"{run.path.name} says {run.decision}" for run in runs[1:] if run.decision != runs[0].decision]
    return [f"the run says {runs[0].decision}, {listed(other)}"] if other else []


def _border(runs: Sequence[Ran]) -> str | None:
    """How often one clear decision and "inconclusive" were said; None where every run says the same."""
    (first, times), *rest = _decisions(runs).items()
    if not rest:
        return None
    others = ", ".join(f"{count} {name}" for name, count in rest)
    says = "says" if times == 1 else "say"
    return f"the decision is at the border: {times} of {len(runs)} runs {says} {first}, {others}"


def _decisions(runs: Sequence[Ran]) -> dict[str, int]:
    """How many complete runs decide what, clear decisions first."""
    counts = Counter(run.decision for run in runs if run.complete)
    return {name: counts[name] for name in get_args(Decision) if counts[name]}


def _chance(found: Spread) -> str:
    if found.p_value is None:
        times = plural(found.prompts * (found.runs - 1), "repetition")
        return f"no prompt's score changed in {times}"
    return (
        f"the win rates spread no more than chance gives (SD {_points(found.sd)} points where "
        f"{_points(found.expected_sd)} are expected, p {p_value(found.p_value)})"
    )


def _points(size: float) -> str:
    return f"{100 * size:.1f}"


def _notes(runs: Sequence[Ran], ids: Sequence[str]) -> list[str]:
    said = []
    scored = {prompt for run in runs for prompt in run.scores}
    if len(scored) > len(ids):
        said.append(
            f"{len(scored) - len(ids)} of {plural(len(scored), 'prompt')} are not scored in every run, and left out of "
            "spread and flips"
        )
    return said


def _counted_apart(runs: Sequence[Ran]) -> list[str]:
    """Reruns in which other judges count than in the run: one that failed the control pairs in one of them, say."""
    first = runs[0].counting
    return [
        f"in {run.path.name} {listed(run.counting) or 'no judge'}, in the run itself {listed(first) or 'none'}"
        for run in runs[1:]
        if run.complete and run.counting != first
    ]
