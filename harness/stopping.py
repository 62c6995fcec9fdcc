"""`--stop-early`: judges are asked until the question is decided. Pure: what is asked depends on the verdicts alone.

Prompts are asked in an order drawn by the seed, in waves; after each the anytime-valid interval of the win rate is
read. It holds at every look, so looking often costs no false alarms. It refuses prompts that share clusters: the
interval takes their scores as independent draws.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.decision import Decision, control_counts, counting, decide
from harness.figures import deciding_scores, judge_result, panel_of, panel_result
from harness.job import Job
from harness.panel import Panel
from harness.plan import presentations, seeded
from harness.records import JudgmentRecord
from judges.types import Prompt

ALPHA = 0.05
FIRST_WAVE = 8
# A wave is never smaller than the first, nor more than this share of what was asked before: overshoot stays small.
GROWTH = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Stopping:
    """Where a run stands that asks only until it is decided.

    `decision` is what the interval [`low`, `high`] says, and the plain rule with it; None where they say nothing yet.
    `decided_at` is the number of scored prompts at the look that decided. `asked` of the run's `prompts` were asked;
    `calls_saved` presentations were not shown to the `judges` that count and are asked.
    """

    decision: Decision | None
    low: float
    high: float
    scored: int
    decided_at: int | None
    asked: int
    prompts: int
    calls_saved: int
    judges: int

    @property
    def interval(self) -> tuple[float, float]:
        """The interval of the win rate that holds at every look."""
        return self.low, self.high

    @property
    def decided(self) -> bool:
        """Whether asking on could change nothing: the question is decided, or no judge counts."""
        return self.decision is not None or not self.judges

    def confirm(self, decision: Decision, reason: str) -> tuple[Decision, str]:
        """A decision that rests on a fixed number of prompts, as it stands after looking at every wave."""
        if decision in ("inconclusive", self.decision):
            return decision, reason
        return "inconclusive", "the interval that allows for looking after every wave decides nothing yet"

    def as_json(self) -> dict[str, Any]:
        return {
            "alpha": ALPHA,
            "decision": self.decision,
            "ci": [self.low, self.high],
            "n": self.scored,
            "decided_at": self.decided_at,
            "asked": self.asked,
            "prompts": self.prompts,
            "calls_saved": self.calls_saved,
        }


def asking_order(prompts: Sequence[Prompt], seed: int) -> tuple[Prompt, ...]:
    """The prompts in the random order in which their comparisons are judged."""
    return tuple(seeded(seed, "stop-early").sample(list(prompts), len(prompts)))


def boundaries(n: int) -> Iterator[int]:
    """After how many of n prompts the waves end: 8, 16, … and n last."""
    at = 0
    while at < n:
        at = min(n, at + max(FIRST_WAVE, at // GROWTH))
        yield at


def standing(
    job: Job,
    names: Sequence[str],
    judgments: Sequence[JudgmentRecord],
    rights: Mapping[str, Sequence[bool | None]],
) -> Stopping:
    """Where a job of --stop-early stands, from what is on disk: its judges, judgments and control verdicts.

    The look is taken at the end of the last wave that has a judgment of a judge that is asked.
    """
    controls = control_counts(rights)
    gold, rule = job.suite.panel_gold, job.suite.panel
    count = counting(names, [name for name, found in controls.items() if not found.usable], gold)
    asked_judges = {spec.text for spec in job.judges if spec.kind != "recorded"}
    order = asking_order(job.suite.prompts, job.suite.seed)
    rows: dict[str, list[JudgmentRecord]] = defaultdict(list)
    begun: set[str] = set()
    for judgment in judgments:
        rows[judgment.judge].append(judgment)
        if judgment.judge in asked_judges:
            begun.add(judgment.id)
    last = max((place for place, prompt in enumerate(order, 1) if prompt.id in begun), default=0)
    asked = next((end for end in boundaries(len(order)) if end >= last), 0)
    ids, counted = [prompt.id for prompt in order[:asked]], {name: rows[name] for name in count}
    panel = panel_of(rule, gold, judgments, ids)
    scores = deciding_scores(counted, ids, panel) if count else {}
    plain = _plainly(counted, ids, job.suite.equivalence, panel) if count else None
    left = len(presentations(order[asked:], job.repeats, job.suite.orders, job.suite.seed))
    judges = sum(name in asked_judges for name in count)
    found = looked(order, scores, asked, equivalence=job.suite.equivalence, calls_saved=left * judges, judges=judges)
    # Where the plain rule does not say the same, nothing is decided yet: to stop would be to end without an answer.
    return found if plain == found.decision else replace(found, decision=None, decided_at=None)


def _plainly(
    rows: Mapping[str, Sequence[JudgmentRecord]], prompts: Sequence[str], equivalence: float, panel: Panel
) -> Decision:
    """What the rule for a fixed number of prompts says of the judge or judges that count."""
    found = [judge_result(listed, prompts) for listed in rows.values()]
    results = [result for result, _ in found]
    deciding = results[0] if len(found) == 1 else panel_result([scores for _, scores in found], prompts, panel=panel)
    return decide(deciding, complete=True, equivalence=equivalence, judges=results)[0]


def looked(
    order: Sequence[Prompt],
    scores: Mapping[str, float],
    asked: int,
    *,
    equivalence: float,
    calls_saved: int = 0,
    judges: int = 1,
) -> Stopping:
    """Where the run stands after the first `asked` prompts of `order`; prompts without a score are passed over."""
    from harness.stats import betting

    drawn = np.asarray([scores[p.id] for p in order[:asked] if p.id in scores], dtype=np.float64)
    lows, highs = betting.confidence_sequence(drawn, ALPHA) if drawn.size else (np.zeros(1), np.ones(1))
    low, high = float(lows[-1]), float(highs[-1])
    said = betting.said_of(low, high, equivalence)
    return Stopping(
        decision=said,
        low=low,
        high=high,
        scored=int(drawn.size),
        decided_at=None if said is None else int(drawn.size),
        asked=asked,
        prompts=len(order),
        calls_saved=calls_saved,
        judges=judges,
    )
