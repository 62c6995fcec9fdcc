"""The one object a perplexity run ends in: both models' figures, what moved, by category, and what to doubt.

`summarize` is pure; `LossSummary.as_json` is `summary.json`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.goal import Goal, Met, Reading, met
from harness.leakage.guard import Finding
from harness.perplexity.figures import Delta, Measured, Records, delta, exp, measured


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """A set of documents: the candidate on it, and where there is one the baseline and the difference."""

    candidate: Measured
    baseline: Measured | None = None
    delta: Delta | None = None

    def as_json(self) -> dict[str, Any]:
        """`candidate`, `baseline`? and `delta`?."""
        parts = {"candidate": self.candidate, "baseline": self.baseline, "delta": self.delta}
        return {name: part.as_json() for name, part in parts.items() if part is not None}


@dataclass(frozen=True, kw_only=True, slots=True)
class LossSummary:
    """Everything a perplexity report says. `in_suite` is how many documents the suite has, drawn ones and others.

    `without_leaked` are the figures of those documents alone that stand in no known training data, where any do.
    """

    n_prompts: int
    in_suite: int
    complete: bool
    whole: Figures
    categories: Mapping[str, Figures]
    lost: Mapping[str, Mapping[str, tuple[str, ...]]]
    notes: tuple[str, ...] = ()
    leakage: Finding | None = None
    without_leaked: Figures | None = None
    goal: Met | None = None

    def as_json(self) -> dict[str, Any]:
        """`summary.json`."""
        found: dict[str, Any] = {
            "kind": "perplexity",
            "n_prompts": self.n_prompts,
            "complete": self.complete,
            **self.whole.as_json(),
            "categories": {name: figures.as_json() for name, figures in self.categories.items()},
        }
        if self.in_suite > self.n_prompts:
            found["prompts_in_suite"] = self.in_suite
        if self.leakage is not None:
            found["leakage"] = {
                "exact": len(self.leakage.exact),
                "near": len(self.leakage.near),
                "ids": list(self.leakage.ids),
                "without_leaked": (self.without_leaked or self.whole).as_json(),
            }
        if self.goal is not None:
            found["goal"] = self.goal.as_json()
        return found | {"notes": list(self.notes)}


def summarize(
    candidate: Records,
    baseline: Records | None,
    categories: Mapping[str, str | None],
    *,
    complete: bool,
    in_suite: int,
    notes: Sequence[str] = (),
    leakage: Finding | None = None,
    goal: Goal | None = None,
) -> LossSummary:
    """All figures of a perplexity run; `categories` names every planned document with its category, if it has one."""
    held: dict[str, list[str]] = defaultdict(list)
    for name, category in categories.items():
        if category is not None:
            held[category].append(name)
    whole = _figures(candidate, baseline, list(categories))
    # One unit for all: a category in which two tokenizers happen to agree has no other.
    same = whole.delta.same_tokens if whole.delta is not None else None
    sides = {"candidate": candidate, **({"baseline": baseline} if baseline is not None else {})}
    leaked = set(leakage.ids) if leakage is not None else set()
    clean = [name for name in categories if name not in leaked]
    return LossSummary(
        n_prompts=len(categories),
        in_suite=in_suite,
        complete=complete,
        whole=whole,
        categories={name: _figures(candidate, baseline, held[name], same) for name in sorted(held)},
        lost={role: _lost(records, list(categories)) for role, records in sides.items()},
        notes=tuple(notes),
        leakage=leakage,
        without_leaked=_figures(candidate, baseline, clean, same) if leaked else None,
        goal=_met(goal, whole.candidate, complete=complete),
    )


def _met(goal: Goal | None, own: Measured, *, complete: bool) -> Met | None:
    """What became of a goal on the candidate's losses."""
    if goal is None:
        return None
    found = own.bits if goal.metric == "bits_per_byte" else own.loss
    value, ci = found.value, found.ci
    if ci is not None:
        # No loss lies below 0.
        ci = (max(0.0, ci[0]), ci[1])
    if goal.metric == "perplexity":
        ends = [size for end in ci or () if (size := exp(end)) is not None]
        value, ci = exp(value), (ends[0], ends[1]) if len(ends) == 2 else None
    reason = found.reason or (None if ci else "the perplexity is too large to write down")
    reading = Reading(value=value, ci=ci, n=found.n, reason=reason)
    return met(goal, [reading], undecided=None if complete else "the run is incomplete")


def _figures(candidate: Records, baseline: Records | None, ids: Sequence[str], same: bool | None = None) -> Figures:
    ours = measured(candidate, ids)
    if baseline is None:
        return Figures(candidate=ours)
    return Figures(candidate=ours, baseline=measured(baseline, ids), delta=delta(candidate, baseline, ids, same=same))


def _lost(records: Records, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The documents without a loss, by what became of them."""
    found: dict[str, list[str]] = defaultdict(list)
    for name in ids:
        if name in records and records[name].status != "ok":
            found[records[name].status].append(name)
    return {status: tuple(names) for status, names in found.items()}
