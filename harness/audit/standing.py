"""How a judge stands towards order and length, from its judgments: the figures of every run's report, and of an audit.

Pure: judgments in, values out. What was never shown has no figure: a judge with one order a prompt has no consistency.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from harness.outcome import ORDERS
from harness.records import JudgmentRecord
from harness.stats.intervals import wilson
from harness.stats.position import FirstShown, Lean, first_shown, lean
from harness.stats.spread import Rate, clustered_rate

# What a judge answered without a usable verdict; the other statuses are no answer of its own.
UNREAD = ("invalid_parse", "truncated", "refused")


@dataclass(frozen=True, kw_only=True, slots=True)
class Mass:
    """How much of all probability a verdict-token judge puts on its letters: the mean over `n` verdicts, the least."""

    n: int
    mean: float
    least: float


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgeStanding:
    """One judge's standing. `agree` counts repeats whose two orders name the same winner or both say tie.

    `longer` counts decisive verdicts for the longer of two responses of unlike length, with the interval by prompt;
    `statuses` every judgment. `mass` is None where no verdict was read from probabilities that are known.
    """

    first: FirstShown
    agree: Rate
    lean: Lean
    longer: Rate
    statuses: Mapping[str, int]
    mass: Mass | None = None

    @property
    def unread(self) -> dict[str, int]:
        """Answers without a usable verdict, by status; every one of the three is named."""
        return {status: self.statuses.get(status, 0) for status in UNREAD}

    @property
    def answered(self) -> int:
        """Judgments that were answered at all."""
        return self.statuses.get("ok", 0) + sum(self.unread.values())

    def as_json(self) -> dict[str, Any]:
        """The judge's entry under "judging" in `summary.json`."""
        known: dict[str, Any] = {
            "first_shown": first_json(self.first),
            "consistency": rate_json(self.agree),
            "lean": lean_json(self.lean),
            "longer": rate_json(self.longer),
            "answered": self.answered,
            **self.unread,
        }
        if self.mass is not None:
            known["letter_mass"] = {"n": self.mass.n, "mean": self.mass.mean, "least": self.mass.least}
        return known


def first_json(found: FirstShown) -> dict[str, Any]:
    """A first-shown rate as JSON; `unsafe` and `reason` only where they say something."""
    known: dict[str, Any] = {
        "rate": found.rate,
        "ci": list(found.ci) if found.ci else None,
        "first": found.first,
        "decisive": found.decisive,
        "prompts": found.prompts,
    }
    return known | {name: said for name, said in (("unsafe", found.unsafe), ("reason", found.reason)) if said}


def lean_json(found: Lean) -> dict[str, Any]:
    """Which way the inconsistent pairs lean, as JSON."""
    return {
        "n": found.n,
        "toward_first": found.toward_first,
        "toward_second": found.toward_second,
        "share": found.share,
        "ci": list(found.ci) if found.ci else None,
        "p_value": found.p_value,
    }


def rate_json(found: Rate) -> dict[str, Any]:
    """A share with its counts, as JSON."""
    return {"n": found.n, "count": found.count, "rate": found.rate, "ci": list(found.ci) if found.ci else None}


def standings(
    by_judge: Mapping[str, Sequence[JudgmentRecord]], clusters: Mapping[str, str] | None = None
) -> dict[str, JudgeStanding]:
    """Every judge's standing. `clusters` holds the cluster of the prompts that have one."""
    return {name: standing(rows, clusters or {}) for name, rows in by_judge.items()}


def standing(rows: Sequence[JudgmentRecord], clusters: Mapping[str, str]) -> JudgeStanding:
    """One judge's standing from its judgments; the order of lines tells nothing."""
    # Identical responses are ties that nobody was asked about.
    rows = [row for row in rows if not (row.model_extra or {}).get("identical")]
    pairs = sorted(_pairs(rows))
    return JudgeStanding(
        first=_first(rows, clusters),
        agree=rate_of([(prompt, winners[0] == winners[1]) for prompt, _, winners in pairs], clusters),
        lean=_lean(pairs, clusters),
        longer=rate_of(sorted(_longer(rows)), clusters),
        statuses=dict(sorted(Counter(row.status for row in rows).items())),
        mass=_mass(rows),
    )


def rate_of(hits: Sequence[tuple[str, bool]], clusters: Mapping[str, str]) -> Rate:
    """The share of hits, each of a prompt: Wilson's interval where every prompt stands once, else one by cluster."""
    units = [unit_of(prompt, clusters) for prompt, _ in hits]
    n, count = len(hits), sum(hit for _, hit in hits)
    if n and len(set(units)) == n:
        return Rate(n=n, count=count, clusters=n, rate=count / n, ci=wilson(count / n, n))
    return clustered_rate(np.array([hit for _, hit in hits], dtype=bool), np.array(units, dtype=str))


def unit_of(prompt: str, clusters: Mapping[str, str]) -> str:
    """The cluster of a prompt, or the prompt itself; the mark keeps its id from being another's cluster."""
    return f"c {clusters[prompt]}" if prompt in clusters else f"p {prompt}"


def _first(rows: Iterable[JudgmentRecord], clusters: Mapping[str, str]) -> FirstShown:
    first: Counter[str] = Counter()
    decisive: Counter[str] = Counter()
    for row in rows:
        if row.order is not None and row.winner not in (None, "tie"):
            decisive[row.id] += 1
            first[row.id] += row.order == f"{row.winner}_first"
    prompts = sorted(decisive)
    return first_shown(
        np.array([first[prompt] for prompt in prompts], dtype=np.int64),
        np.array([decisive[prompt] for prompt in prompts], dtype=np.int64),
        np.array([unit_of(prompt, clusters) for prompt in prompts], dtype=str),
    )


def _pairs(rows: Iterable[JudgmentRecord]) -> Iterable[tuple[str, int, tuple[str, str]]]:
    """The winners of both orders, candidate first at first, of every repeat that has both."""
    found: dict[tuple[str, int], dict[str, str]] = defaultdict(dict)
    for row in rows:
        if row.order is not None and row.winner is not None:
            found[row.id, row.repeat][row.order] = row.winner
    for (prompt, repeat), by_order in found.items():
        if len(by_order) == len(ORDERS):
            yield prompt, repeat, (by_order[ORDERS[0]], by_order[ORDERS[1]])


def _followed(one: str, two: str) -> str:
    """The place that two orders follow where they name different winners; else ""."""
    return {("candidate", "baseline"): "first", ("baseline", "candidate"): "second"}.get((one, two), "")


def _lean(pairs: Iterable[tuple[str, int, tuple[str, str]]], clusters: Mapping[str, str]) -> Lean:
    toward = Counter((prompt, _followed(*winners)) for prompt, _, winners in pairs)
    prompts = sorted({prompt for prompt, _ in toward})
    first, second = (
        np.array([toward[prompt, place] for prompt in prompts], dtype=np.int64) for place in ("first", "second")
    )
    return lean(first, second, np.array([unit_of(prompt, clusters) for prompt in prompts], dtype=str))


def _longer(rows: Iterable[JudgmentRecord]) -> Iterable[tuple[str, bool]]:
    for row in rows:
        a, b = row.candidate_length, row.baseline_length
        if row.winner not in (None, "tie") and a is not None and b is not None and a != b:
            yield row.id, row.winner == ("candidate" if a > b else "baseline")


def _mass(rows: Iterable[JudgmentRecord]) -> Mass | None:
    """Of the records that carry it: how the verdict was got stands in them."""
    held: list[float] = []
    for row in rows:
        extra = row.model_extra or {}
        asked = extra.get("asked")
        mass = asked.get("mass") if isinstance(asked, Mapping) else None
        if isinstance(mass, int | float) and not isinstance(mass, bool):
            held.append(float(mass))
    return Mass(n=len(held), mean=fmean(sorted(held)), least=min(held)) if held else None
