"""A suite's `goal:`, the figure that a run has to reach: read from the suite, and held against the figures' intervals.

    goal: mean >= 7.0                                    or   goal: {metric: mean, target: 7.0, judge: openai/MODEL}

A goal is reached where the metric's whole 95 % interval lies on its right side, missed where all of it lies on the
wrong side, and undecided elsewhere. It refuses a metric that the suite's kind does not have, one whose figure has no
interval, and a target that the metric can never take.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from harness.report.numerals import one_line, plural

Outcome = Literal["pass", "fail", "inconclusive"]
Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """What a goal may name: the range of its values, and the relation that is meant where none is given."""

    low: float = -math.inf
    high: float = math.inf
    relation: str = ">="


_SHARE = Metric(low=0.0, high=1.0)
_LOSS = Metric(low=0.0, relation="<=")
_CLASSES = ("accuracy", "macro_f1", "micro_f1", "weighted_f1", "balanced_accuracy")
# The metrics that have an interval, by kind of suite; a new kind is a line here and a `Reading` of its figures.
METRICS: Mapping[str, Mapping[str, Metric]] = {
    "pairwise": {"win_rate": _SHARE},
    "score": {"mean": Metric(), "delta": Metric()},
    "perplexity": {"loss": _LOSS, "perplexity": Metric(low=1.0, relation="<="), "bits_per_byte": _LOSS},
    "classify": {**dict.fromkeys(_CLASSES, _SHARE), "mcc": Metric(low=-1.0, high=1.0)},
}
# Figures that stand in a summary without an interval: a goal on them could never be undecided.
WITHOUT_INTERVAL: Mapping[str, tuple[str, ...]] = {
    "pairwise": ("wins", "losses", "ties", "first_position_rate", "consistency", "p_value", "se"),
    "score": ("floor", "ceiling", "se", "n", "unscored"),
    "perplexity": ("se", "tokens", "documents"),
    "classify": ("n", "majority_rate", "latency_ms", "per_class"),
}
RELATIONS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_SPELLED = {"≥": ">=", "≤": "<=", "=>": ">=", "=<": "<="}
_FORM = re.compile(r"\s*(?P<metric>[A-Za-z]\w*)?\s*(?P<relation>[<>]=?|=[<>]|≥|≤)\s*(?P<target>[-+.\deE]+)\s*")
_EXAMPLES = {"pairwise": "win_rate >= 0.6", "perplexity": "loss <= 2.5", "classify": "accuracy >= 0.75"}
KEYS = ("metric", "target", "judge")


@dataclass(frozen=True, kw_only=True, slots=True)
class Goal:
    """`metric` `relation` `target`, such as mean >= 7. `judge` None: every judge that counts has to say so."""

    metric: str
    relation: str
    target: float
    judge: str | None = None

    def __str__(self) -> str:
        by = f" by {one_line(self.judge)}" if self.judge is not None else ""
        return f"{self.metric} {self.relation} {self.target:g}{by}"


def goal_of(given: Any, kind: str) -> Goal:
    """The goal that a suite of a kind names, as a text or as keys. Raises ValueError with what is wrong and a way out.

    A target without a relation is at least that, of a loss or a perplexity at most.
    """
    keys = dict(given) if isinstance(given, Mapping) else {"target": given}
    unknown = [str(key) for key in keys if key not in KEYS]
    if unknown:
        raise ValueError(f"unknown key {unknown[0]!r} in a goal; known keys: {', '.join(KEYS)}")
    metric, relation, target = _parts(keys, f"write {_EXAMPLES.get(kind, 'mean >= 7.0')!r}, or {{metric, target}}")
    known = METRICS.get(kind, {})
    if metric not in known:
        raise ValueError(_no_metric(metric, kind))
    found = known[metric]
    if not math.isfinite(target) or not found.low <= target <= found.high:
        raise ValueError(f"{metric} is a number {_range(found)}, so that a target of {target:g} says nothing; mend it")
    judge = keys.get("judge")
    if judge is not None and (kind != "score" or not isinstance(judge, str)):
        raise ValueError("'judge' names one judge of a score suite by its spec; leave it out")
    return Goal(metric=metric, relation=relation or found.relation, target=target, judge=judge)


def _parts(keys: Mapping[str, Any], way_out: str) -> tuple[str, str | None, float]:
    """Metric, relation and target of a goal's keys; the target may be a text that holds its relation."""
    metric, target = keys.get("metric"), keys.get("target")
    relation = None
    if isinstance(target, str):
        found = _FORM.fullmatch(target)
        if found is None:
            raise ValueError(f"{target!r} is no goal; {way_out}")
        metric = metric if metric is not None else found["metric"]
        relation = _SPELLED.get(found["relation"], found["relation"])
        if found["metric"] not in (None, metric):
            raise ValueError(f"the goal names {metric!r} and {found['metric']!r}; name one metric")
        target = _number(found["target"], way_out)
    if not isinstance(metric, str):
        raise ValueError(f"a goal needs its metric; {way_out}")
    if isinstance(target, bool) or not isinstance(target, int | float):
        raise ValueError(f"a goal needs its target, a number; {way_out}")
    return metric, relation, float(target)


def _number(text: str, way_out: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no number; {way_out}") from None


def _no_metric(metric: str, kind: str) -> str:
    known = METRICS.get(kind, {})
    if not known:
        return f"a suite of kind {kind!r} takes no goal; leave it out"
    offered = " or ".join(known)
    if metric in WITHOUT_INTERVAL.get(kind, ()):
        return f"{metric!r} has no interval here, so that a goal could not be read from it; use {offered}"
    return f"a suite of kind {kind!r} has no metric {metric!r}; use {offered}"


def _range(found: Metric) -> str:
    if found.high < math.inf:
        return f"from {found.low:g} to {found.high:g}"
    return f"of at least {found.low:g}" if found.low > -math.inf else "that is finite"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """A metric's value over `n` prompts (or documents) with its 95 % interval, or why there is none.

    `by` says whose it is: a judge, the panel; None where there is nobody to name.
    """

    value: float | None
    ci: Interval | None
    n: int
    by: str | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Met:
    """A goal and what became of it; `outcomes` are those of its readings, in their order."""

    goal: Goal
    outcome: Outcome
    readings: tuple[Reading, ...]
    outcomes: tuple[Outcome, ...]
    reason: str

    @property
    def code(self) -> int:
        """The exit code of a gate: 0 reached, 1 missed, 3 undecided."""
        return {"pass": 0, "fail": 1, "inconclusive": 3}[self.outcome]

    def as_json(self) -> dict[str, Any]:
        """The contract's object, with the keys this project adds at its end."""
        return {
            "metric": self.goal.metric,
            "target": self.goal.target,
            "outcome": self.outcome,
            "relation": self.goal.relation,
            "judge": self.goal.judge,
            "reason": self.reason,
            "readings": [
                {"by": own.by, "value": own.value, "ci": list(own.ci) if own.ci else None, "n": own.n, "outcome": said}
                for own, said in zip(self.readings, self.outcomes, strict=True)
            ],
        }

    def sentence(self) -> str:
        """What became of the goal, with every figure that it rests on."""
        begun = {"pass": "Goal reached", "fail": "Goal missed", "inconclusive": "Goal undecided"}[self.outcome]
        figures = "; ".join(self._figure(own) for own in self.readings)
        shown = f" It is {figures}." if figures else ""
        return f"{begun} ({self.goal}): {self.reason}.{shown}"

    def _figure(self, own: Reading) -> str:
        by = f" by {one_line(own.by)}" if own.by is not None else ""
        if own.value is None:
            return f"not known{by}"
        value = _beside(own.value, self.goal.target)
        if own.ci is None:
            return f"{value}{by} (no interval, n = {own.n:,})"
        low, high = (_beside(end, self.goal.target) for end in own.ci)
        return f"{value}{by} (95 % {low} to {high}, n = {own.n:,})"


def met(goal: Goal, readings: Sequence[Reading], *, undecided: str | None = None) -> Met:
    """What became of a goal: reached where every reading passes, missed where one fails, else undecided.

    `undecided` is why nothing can be said whatever the figures are: an incomplete run, judges that follow the place.
    """
    outcomes: tuple[Outcome, ...] = tuple("inconclusive" if undecided else _outcome(goal, own) for own in readings)
    if "fail" in outcomes:
        outcome: Outcome = "fail"
    else:
        outcome = "pass" if outcomes and set(outcomes) == {"pass"} else "inconclusive"
    reason = undecided or _reason(goal, readings, outcomes, outcome)
    return Met(goal=goal, outcome=outcome, readings=tuple(readings), outcomes=outcomes, reason=reason)


def _outcome(goal: Goal, own: Reading) -> Outcome:
    if own.ci is None:
        return "inconclusive"
    holds, (low, high) = RELATIONS[goal.relation], own.ci
    worst, best = (low, high) if goal.relation.startswith(">") else (high, low)
    if holds(worst, goal.target):
        return "pass"
    return "inconclusive" if holds(best, goal.target) else "fail"


def _reason(goal: Goal, readings: Sequence[Reading], outcomes: Sequence[Outcome], outcome: Outcome) -> str:
    if not readings:
        return "there is nothing to read it from"
    several = len(readings) > 1
    each = f"each of {plural(len(readings), 'judge')}"
    rule = f" ({each} has to reach it)" if several else ""
    if outcome == "pass":
        return f"the whole interval{f' of {each}' if several else ''} lies on the right side"
    who = [own for own, said in zip(readings, outcomes, strict=True) if said == outcome]
    named = f" of {' and of '.join(one_line(own.by) for own in who if own.by is not None)}" if several else ""
    if outcome == "fail":
        return f"the whole interval{named} lies on the wrong side{rule}"
    lacking = [own for own in who if own.ci is None]
    if lacking:
        named = f" of {' and of '.join(one_line(own.by) for own in lacking if own.by is not None)}" if several else ""
        return f"there is no interval{named}: {lacking[0].reason or 'none can be estimated'}{rule}"
    return f"the interval{named} holds {goal.target:g}{rule}"


def _beside(value: float, target: float) -> str:
    """A value with as many decimals, two to six, as show on which side of the target it lies."""
    digits = 2
    while digits < 6 and round(value, digits) == round(target, digits) and abs(value - target) > 1e-9:
        digits += 1
    return f"{value:.{digits}f}".replace("-", "−")


def said(found: Met | None) -> list[str]:
    """The sentence of a goal, where there is one."""
    return [] if found is None else [found.sentence()]


def gravest(codes: Iterable[int]) -> int:
    """The exit code where several gates have one each: 1 (failed) before 3 (inconclusive) before 0."""
    listed = set(codes)
    return 1 if 1 in listed else 3 if 3 in listed else 0


def exit_code(found: Met | None) -> int:
    """The exit code of a run's goal; 0 where it has none."""
    return 0 if found is None else found.code


def fits(goal: Goal | None, scales: Mapping[str, Interval | None], *, baseline: bool = True) -> str | None:
    """Why a goal cannot be read in a score run of these judges; None where it can.

    `scales` holds the scale of every judge, None where it is not known before one is asked.
    """
    if goal is None:
        return None
    if goal.judge is not None and goal.judge not in scales:
        return f"the goal names the judge {goal.judge!r}, which is not among {', '.join(scales)}; name one of them"
    if goal.metric == "delta" and not baseline:
        return "the goal is on delta, candidate minus baseline, and there is no baseline; add one"
    for name, scale in scales.items():
        if scale is None or goal.judge not in (None, name):
            continue
        low, high = scale if goal.metric != "delta" else (scale[0] - scale[1], scale[1] - scale[0])
        if not low <= goal.target <= high:
            more = "" if goal.judge else ", or name the judge that is meant: {metric, target, judge}"
            return (
                f"the goal's target {goal.target:g} is off what {goal.metric} can be by {name} ({low:g} to {high:g}); "
                f"mend it{more}"
            )
    return None
