"""From judgments to the figures of `summary.json`. Values in, values out: no file, no clock, no order of lines.

The prompt is the unit. A prompt's score is the mean over repeats of the mean over orders of 1 (candidate),
1/2 (tie), 0 (baseline) or the judge's `preference`, over what has a usable verdict. What is missing is counted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.outcome import Order, Winner
from harness.panel import MAJORITY, Panel, votes
from harness.records import JudgmentRecord
from harness.stats.clusters import Clustered, clustered_mean
from harness.stats.intervals import SMALL, TOLERANCE, Mean, clopper_pearson, mean_score, sign_test
from harness.stats.length import LengthControlled
from judges.panel import Outcome, PanelVote, Rule

NO_CLUSTERS: Mapping[str, str] = MappingProxyType({})
VALUE: dict[Winner, float] = {"candidate": 1.0, "baseline": 0.0, "tie": 0.5}


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
    the way results are often published; it decides nothing. `led_by_position`: the slot decided more than the answers
    did, so that a rate of 1/2 says nothing of the contestants. `clustered` is there where prompts share clusters,
    `exact` (Clopper–Pearson) where few scores are all 0 or 1, `equal_length` where lengths are known.
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
    led_by_position: bool = False
    clustered: Clustered | None = None
    exact: tuple[float, float] | None = None
    equal_length: LengthControlled | None = None

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
        if self.exact is not None:
            known["ci_exact"] = list(self.exact)
        if self.clustered is not None:
            known["clusters"] = _clustered_json(self.clustered)
        if self.equal_length is not None:
            known["length_controlled"] = _length_json(self.equal_length)
        return known


def _length_json(found: LengthControlled) -> dict[str, Any]:
    return {
        "n": found.n,
        "win_rate": found.rate,
        "se": found.se,
        "ci": list(found.ci) if found.ci else None,
        "slope": found.slope,
        "slope_ci": list(found.slope_ci) if found.slope_ci else None,
        "reason": found.reason,
    }


def _clustered_json(found: Clustered) -> dict[str, Any]:
    return {
        "n": found.clusters,
        "se": found.se,
        "ci": list(found.ci) if found.ci else None,
        "p_value": found.p_value,
        "design_effect": found.design_effect,
    }


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


def judge_result(
    judgments: Sequence[JudgmentRecord],
    prompts: Sequence[str],
    clusters: Mapping[str, str] = NO_CLUSTERS,
    known: Mapping[str, PromptScore] | None = None,
) -> tuple[Result, dict[str, PromptScore]]:
    """One judge over `prompts` (ids): its result, and its score per scored prompt.

    `clusters` holds the cluster of the prompts that have one; every other prompt is a cluster of its own. `known` are
    the judge's scores where they were counted before, over more prompts.
    """
    wanted = set(prompts)
    by_prompt: dict[str, list[JudgmentRecord]] = defaultdict(list)
    for judgment in judgments:
        if judgment.id in wanted:
            by_prompt[judgment.id].append(judgment)
    scores: dict[str, PromptScore] = {}
    for prompt in prompts:
        score = prompt_score(by_prompt.get(prompt, ())) if known is None else known.get(prompt)
        if score is not None:
            scores[prompt] = score
    pairs = sum(score.pairs for score in scores.values())
    agreeing = sum(score.agreeing for score in scores.values())
    usable = [judgment for rows in by_prompt.values() for judgment in rows if judgment.winner is not None]
    result = _result(
        {prompt: score.score for prompt, score in scores.items()},
        clusters,
        total=len(prompts),
        one_order=sum(len(score.orders - {None}) == 1 for score in scores.values()),
        inconsistent=sum(score.inconsistent for score in scores.values()),
        first_position_rate=first_position_rate(usable),
        consistency=agreeing / pairs if pairs else None,
        pairs=pairs,
        led_by_position=_led_by_position(by_prompt, pairs),
        judgments=_single_verdicts(usable),
    )
    return result, scores


def panel_of(
    rule: Rule,
    gold: str | None,
    judgments: Iterable[JudgmentRecord],
    prompts: Sequence[str],
    clusters: Mapping[str, str] = NO_CLUSTERS,
) -> Panel:
    """A panel whose judges are weighed by the `gold` judge's judgments among these; unweighed where none is named."""
    if gold is None:
        return Panel(rule=rule)
    rows = [judgment for judgment in judgments if judgment.judge == gold]
    truth = {prompt: score.outcome for prompt, score in judge_result(rows, prompts)[1].items()}
    return Panel(rule=rule, gold=gold, truth=truth, clusters=dict(clusters))


def panel_votes(
    judges: Sequence[Mapping[str, PromptScore]], prompts: Sequence[str], panel: Panel = MAJORITY
) -> dict[str, PanelVote]:
    """What several judges say together, for every prompt that any of them scored."""
    opinions = [{prompt: (score.outcome, score.score) for prompt, score in scores.items()} for scores in judges]
    return votes(opinions, prompts, panel)


def deciding_scores(
    by_judge: Mapping[str, Sequence[JudgmentRecord]], prompts: Sequence[str], panel: Panel = MAJORITY
) -> dict[str, float]:
    """The score of every scored prompt: the one judge's, or that of the panel of all judges given."""
    found = [judge_result(rows, prompts)[1] for rows in by_judge.values()]
    if len(found) == 1:
        return {prompt: score.score for prompt, score in found[0].items()}
    return {prompt: vote.score for prompt, vote in panel_votes(found, prompts, panel).items()}


def panel_result(
    judges: Sequence[Mapping[str, PromptScore]],
    prompts: Sequence[str],
    clusters: Mapping[str, str] = NO_CLUSTERS,
    panel: Panel = MAJORITY,
) -> Result:
    """What several judges say together over a set of prompts, by the panel's rule."""
    cast = panel_votes(judges, prompts, panel)
    orders = [
        frozenset().union(*(scores[prompt].orders for scores in judges if prompt in scores)) for prompt in prompts
    ]
    return _result(
        {prompt: vote.score for prompt, vote in cast.items()},
        clusters,
        total=len(prompts),
        one_order=sum(len(seen - {None}) == 1 for seen in orders),
        inconsistent=sum(any(s[prompt].inconsistent for s in judges if prompt in s) for prompt in prompts),
        split=sum(vote.split for vote in cast.values()),
    )


def _result(scores: Mapping[str, float], clusters: Mapping[str, str], *, total: int, **more: Any) -> Result:
    array = np.asarray(list(scores.values()), dtype=np.float64)
    outcomes = [outcome_of(score) for score in scores.values()]
    wins, losses = outcomes.count("win"), outcomes.count("loss")
    estimate = mean_score(array)
    few = estimate.method == "wilson" and estimate.n < SMALL
    return Result(
        estimate=estimate,
        exact=clopper_pearson(wins, estimate.n) if few else None,
        clustered=_clustered(array, list(scores), clusters),
        wins=wins,
        losses=losses,
        ties=outcomes.count("tie"),
        unscored=total - len(scores),
        p_value=sign_test(wins, losses),
        sd=float(array.std(ddof=1)) if array.size > 1 else None,
        **more,
    )


def _clustered(scores: NDArray[np.float64], prompts: Sequence[str], clusters: Mapping[str, str]) -> Clustered | None:
    """The cluster-robust error, where two scored prompts share a cluster."""
    if not clusters:
        return None
    # A prompt without a cluster is one of its own; the mark keeps its id from being another's cluster.
    named = [f"c {clusters[prompt]}" if prompt in clusters else f"p {prompt}" for prompt in prompts]
    return clustered_mean(scores, named) if len(set(named)) < len(named) else None


def _single_verdicts(usable: Sequence[JudgmentRecord]) -> dict[str, int]:
    counts = Counter(judgment.winner for judgment in usable)
    return {name: counts[name] for name in VALUE}


def _led_by_position(by_prompt: Mapping[str, Sequence[JudgmentRecord]], pairs: int) -> bool:
    """Whether the slot decided more than the answers did.

    Where more than half of the verdicts it was asked for are decisive, and all of those name one slot; or where most
    comparisons were judged in one order alone, and more than 3/4 of the decisive verdicts on them name one slot: a
    judge that follows the slot on half of the prompts and has no preference on the others names it that often.
    Identical responses are ties that no judge was asked about.
    """
    whole, alone = _Slots(), _Slots()
    for rows in by_prompt.values():
        asked = [j for j in rows if j.winner and j.order and not (j.model_extra or {}).get("identical")]
        seen = Counter(judgment.repeat for judgment in asked)
        for judgment in asked:
            whole.see(judgment)
            if seen[judgment.repeat] == 1:
                alone.see(judgment)
    always = whole.first in (0, whole.decisive) and 2 * whole.decisive > whole.asked and whole.decisive > 1
    mostly = abs(2 * alone.first - alone.decisive) * 2 > alone.decisive and 2 * alone.decisive > alone.asked
    return always or (mostly and alone.asked > pairs)


@dataclass(slots=True)
class _Slots:
    """Verdicts that were asked for, the decisive ones among them, and those for whichever was shown first."""

    asked: int = 0
    decisive: int = 0
    first: int = 0

    def see(self, judgment: JudgmentRecord) -> None:
        self.asked += 1
        if judgment.winner != "tie":
            self.decisive += 1
            self.first += judgment.order == f"{judgment.winner}_first"


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
