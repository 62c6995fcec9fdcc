"""From judgments to the figures of `summary.json`. Values in, values out: no file, no clock, no order of lines.

The prompt is the unit. A prompt's score is the mean over repeats of the mean over orders of 1 (candidate),
1/2 (tie), 0 (baseline) or the judge's `preference`, over what has a usable verdict. What is missing is counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from harness.outcome import Order, Winner
from harness.records import JudgmentRecord
from harness.stats.intervals import TOLERANCE, Mean, mean_score, sign_test
from judges.panel import SCORE, Outcome, majority

VALUE: dict[Winner, float] = {"candidate": 1.0, "tie": 0.5, "baseline": 0.0}


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptScore:
    """One judge on one prompt, over all its usable verdicts. `score` in [0, 1], 1 for the candidate.

    `orders` are the orders with a usable verdict; `pairs` the repeats that have both, `agreeing` those whose two
    orders name the same winner or both say tie, `inconsistent` whether any repeat's two orders name different winners.
    """

    score: float
    orders: frozenset[Order | None]
    pairs: int
    agreeing: int
    inconsistent: bool

    @property
    def outcome(self) -> Outcome:
        """A win above 1/2, a loss below, a tie at 1/2 (within 1e-9)."""
        return outcome_of(self.score)


def outcome_of(score: float) -> Outcome:
    """A win above 1/2, a loss below, a tie at 1/2 (within 1e-9)."""
    if abs(score - 0.5) <= TOLERANCE:
        return "tie"
    return "win" if score > 0.5 else "loss"


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """The contract's R: what one judge, or the panel, says over a set of prompts.

    `pairs` is what `consistency` is a share of: repeats with both orders. `judgments` counts single verdicts (rows),
    the way results are often published; it decides nothing.
    """

    estimate: Mean
    wins: int
    losses: int
    ties: int
    unscored: int
    one_order: int
    inconsistent: int
    p_value: float
    first_position_rate: float | None = None
    consistency: float | None = None
    pairs: int | None = None
    split: int | None = None
    judgments: Mapping[str, int] | None = None
    sd: float | None = None

    def as_json(self) -> dict[str, Any]:
        """The object of the contract, with the keys this project adds at its end."""
        estimate = self.estimate
        known: dict[str, Any] = {
            "n": estimate.n,
            "wins": self.wins,
            "losses": self.losses,
            "ties": self.ties,
            "unscored": self.unscored,
            "one_order": self.one_order,
            "win_rate": estimate.mean,
            "se": estimate.se,
            "ci": list(estimate.ci) if estimate.ci else None,
            "p_value": self.p_value,
            "first_position_rate": self.first_position_rate,
            "consistency": self.consistency,
            "inconsistent": self.inconsistent,
            "ci_method": estimate.method,
        }
        if self.pairs is not None:
            known["pairs"] = self.pairs
        if self.split is not None:
            known["split"] = self.split
        if self.judgments is not None:
            known["judgments"] = dict(self.judgments)
        return known


def prompt_score(judgments: Iterable[JudgmentRecord]) -> PromptScore | None:
    """One judge's score on one prompt from all its judgments there; None where none is usable."""
    by_repeat: dict[int, dict[Order | None, JudgmentRecord]] = defaultdict(dict)
    for judgment in judgments:
        if judgment.winner is not None:
            by_repeat[judgment.repeat][judgment.order] = judgment
    if not by_repeat:
        return None
    both = [
        (orders["candidate_first"].winner, orders["baseline_first"].winner)
        for orders in by_repeat.values()
        if _both(orders)
    ]
    # Sorted, so that the order of lines cannot change the last bit of a mean.
    means = sorted(fmean(sorted(_value(judgment) for judgment in orders.values())) for orders in by_repeat.values())
    return PromptScore(
        score=fmean(means),
        orders=frozenset(order for orders in by_repeat.values() for order in orders),
        pairs=len(both),
        agreeing=sum(first == second for first, second in both),
        inconsistent=any(first != second and "tie" not in (first, second) for first, second in both),
    )


def _both(orders: Mapping[Order | None, JudgmentRecord]) -> bool:
    return "candidate_first" in orders and "baseline_first" in orders


def _value(judgment: JudgmentRecord) -> float:
    if judgment.preference is not None:
        return judgment.preference
    return VALUE[judgment.winner]  # type: ignore[index]


def judge_result(judgments: Sequence[JudgmentRecord], prompts: Sequence[str]) -> tuple[Result, dict[str, PromptScore]]:
    """One judge over `prompts` (ids): its result, and its score per scored prompt."""
    wanted = set(prompts)
    by_prompt: dict[str, list[JudgmentRecord]] = defaultdict(list)
    for judgment in judgments:
        if judgment.id in wanted:
            by_prompt[judgment.id].append(judgment)
    scores: dict[str, PromptScore] = {}
    for prompt in prompts:
        score = prompt_score(by_prompt.get(prompt, ()))
        if score is not None:
            scores[prompt] = score
    pairs = sum(score.pairs for score in scores.values())
    agreeing = sum(score.agreeing for score in scores.values())
    usable = [judgment for rows in by_prompt.values() for judgment in rows if judgment.winner is not None]
    result = _result(
        [score.score for score in scores.values()],
        total=len(prompts),
        one_order=sum(len(score.orders - {None}) == 1 for score in scores.values()),
        inconsistent=sum(score.inconsistent for score in scores.values()),
        first_position_rate=first_position_rate(usable),
        consistency=agreeing / pairs if pairs else None,
        pairs=pairs,
        judgments={name: sum(j.winner == name for j in usable) for name in ("candidate", "baseline", "tie")},
    )
    return result, scores


def panel_result(judges: Sequence[Mapping[str, PromptScore]], prompts: Sequence[str]) -> Result:
    """The majority of several judges' outcomes, prompt by prompt."""
    votes = [majority(scores[prompt].outcome for scores in judges if prompt in scores) for prompt in prompts]
    cast = [vote for vote in votes if vote is not None]
    orders = [
        frozenset().union(*(scores[prompt].orders for scores in judges if prompt in scores)) for prompt in prompts
    ]
    return _result(
        [SCORE[vote.outcome] for vote in cast],
        total=len(prompts),
        one_order=sum(len(seen - {None}) == 1 for seen in orders),
        inconsistent=sum(any(s[prompt].inconsistent for s in judges if prompt in s) for prompt in prompts),
        split=sum(vote.split for vote in cast),
    )


def _result(scores: list[float], *, total: int, **more: Any) -> Result:
    array = np.asarray(scores, dtype=np.float64)
    outcomes = [outcome_of(score) for score in scores]
    wins, losses = outcomes.count("win"), outcomes.count("loss")
    return Result(
        estimate=mean_score(array),
        wins=wins,
        losses=losses,
        ties=outcomes.count("tie"),
        unscored=total - len(scores),
        p_value=sign_test(wins, losses),
        sd=float(array.std(ddof=1)) if array.size > 1 else None,
        **more,
    )


def first_position_rate(judgments: Iterable[JudgmentRecord]) -> float | None:
    """Decisive verdicts for whichever was shown first, of all decisive verdicts whose order is known."""
    first = decisive = 0
    for judgment in judgments:
        if judgment.order is None or judgment.winner in (None, "tie"):
            continue
        decisive += 1
        first += judgment.order == f"{judgment.winner}_first"
    return first / decisive if decisive else None


def longer_wins(judgments: Iterable[JudgmentRecord]) -> tuple[int, int]:
    """How many decisive verdicts named the longer response, and how many had a longer one to name."""
    longer = decisive = 0
    for judgment in judgments:
        a, b = judgment.candidate_length, judgment.baseline_length
        if judgment.winner in (None, "tie") or a is None or b is None or a == b:
            continue
        decisive += 1
        longer += judgment.winner == ("candidate" if a > b else "baseline")
    return longer, decisive
