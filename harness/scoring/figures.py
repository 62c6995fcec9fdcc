"""From scores to the figures of a score run. Values in, values out: no file, no clock, no order of lines.

The prompt is the unit and its turns are its cluster: a prompt's score is the mean over turns of the mean over repeats.
A prompt of which a turn has no score is unscored, for turns have levels of their own: counted, never averaged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Any

import numpy as np

from harness.records import ScoreRecord
from harness.stats.intervals import TOLERANCE
from harness.stats.paired import Difference, mean_difference
from harness.stats.signflip import sign_flip
from harness.toolong import ends

Scale = tuple[float, float]
Turns = Mapping[str, Sequence[int]]
SEED = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Scored:
    """The contract's S: what one judge says of one contestant over a set of prompts.

    `unscored` counts prompts that lack the score of a turn, `floor` and `ceiling` are the shares of scored prompts at
    the scale's ends (None where the scale is not known), `turns` the mean of every turn over the prompts that have it.
    `statuses` counts single gradings; `unfit` those that no context had room for (see `toolong.ends`).
    """

    n: int
    unscored: int
    mean: float | None
    se: float | None
    ci: tuple[float, float] | None
    reason: str | None
    scale: Scale | None
    floor: float | None
    ceiling: float | None
    turns: Mapping[str, float]
    categories: Mapping[str, float]
    statuses: Mapping[str, int]
    unfit: Mapping[str, int] = field(default_factory=dict)

    @property
    def endings(self) -> dict[str, int]:
        """`statuses`, in which what no context had room for is told apart from replies that were cut off."""
        beyond = {"no answer": self.unfit.get("unanswered", 0), "too long": self.unfit.get("too_long", 0)}
        cut = self.statuses.get("truncated", 0) - sum(beyond.values())
        found = {**self.statuses, **({"truncated": cut} if "truncated" in self.statuses else {}), **beyond}
        return {status.replace("_", " "): count for status, count in found.items() if count > 0}

    def as_json(self) -> dict[str, Any]:
        """The object of the contract, with the keys this project adds at its end."""
        return {
            "n": self.n,
            "unscored": self.unscored,
            "mean": self.mean,
            "se": self.se,
            "ci": list(self.ci) if self.ci else None,
            "floor": self.floor,
            "turns": dict(self.turns),
            "categories": dict(self.categories),
            "ceiling": self.ceiling,
            "scale": list(self.scale) if self.scale else None,
            "statuses": dict(self.statuses),
            **({"too_long": dict(self.unfit)} if self.unfit else {}),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Delta:
    """Candidate minus baseline by one judge, prompt by prompt. `by_prompt` holds every difference."""

    difference: Difference
    p_value: float | None
    by_prompt: Mapping[str, float]

    def as_json(self) -> dict[str, Any]:
        """The object of the contract."""
        found = self.difference
        return {
            "difference": found.mean,
            "ci": list(found.ci) if found.ci else None,
            "p_value": self.p_value,
            "n": found.n,
        }


def prompt_scores(records: Iterable[ScoreRecord], turns: Turns) -> dict[str, float]:
    """One judge's score of every prompt whose `turns` (those that it grades) it scored, all of them."""
    by_turn = turn_scores(records)
    return {
        prompt: fmean(by_turn[prompt, turn] for turn in wanted)
        for prompt, wanted in turns.items()
        if wanted and all((prompt, turn) in by_turn for turn in wanted)
    }


def graded_turns(records: Iterable[ScoreRecord], counts: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """Which turns of every prompt a judge grades, as its lines show; `counts` is how many turns each prompt has.

    A judge may grade the last turn alone. What it grades of one prompt it grades of all with as many turns, so that a
    line that is missing elsewhere is missed.
    """
    seen: dict[int, set[int]] = defaultdict(set)
    for record in records:
        if record.id in counts:
            seen[counts[record.id]].add(record.turn)
    return {prompt: tuple(sorted(seen[count])) for prompt, count in counts.items()}


def turn_scores(records: Iterable[ScoreRecord]) -> dict[tuple[str, int], float]:
    """One judge's score of every turn that it scored: the mean over repeats."""
    held: dict[tuple[str, int], list[float]] = defaultdict(list)
    for record in records:
        if record.score is not None:
            held[record.id, record.turn].append(record.score)
    # Sorted, so that the order of lines cannot change the last bit of a mean.
    return {key: fmean(sorted(scores)) for key, scores in held.items()}


def scored(
    records: Sequence[ScoreRecord],
    turns: Turns,
    categories: Mapping[str, str | None],
    scale: Scale | None,
) -> tuple[Scored, dict[str, float]]:
    """One judge over prompts: its figures, and its score of every scored prompt.

    `turns` names every prompt with the turns that the judge grades; other records are left out.
    """
    known = [record for record in records if record.turn in turns.get(record.id, ())]
    scores = prompt_scores(known, turns)
    # Sorted here too: a standard deviation's last bit depends on the order.
    found = mean_difference(np.sort(np.asarray(list(scores.values()), dtype=np.float64)), bounds=scale)
    by_turn = turn_scores(known)
    numbers = sorted({turn for _, turn in by_turn})
    statuses: dict[str, int] = defaultdict(int)
    for record in known:
        statuses[record.status] += 1
    return Scored(
        n=found.n,
        unscored=len(turns) - found.n,
        mean=found.mean,
        se=found.se,
        ci=_clipped(found.ci, scale),
        reason=found.reason if found.n else "no prompt has a score of every turn",
        scale=scale,
        floor=_share(scores.values(), scale[0]) if scale and scores else None,
        ceiling=_share(scores.values(), scale[1]) if scale and scores else None,
        turns={str(turn): fmean(sorted(s for (_, own), s in by_turn.items() if own == turn)) for turn in numbers},
        categories=_by_category(scores, categories),
        statuses=dict(sorted(statuses.items())),
        unfit=ends(known),
    ), scores


def _clipped(ci: tuple[float, float] | None, scale: Scale | None) -> tuple[float, float] | None:
    """An interval that ends where the scale (or what a difference can be) does."""
    if ci is None or scale is None:
        return ci
    return max(scale[0], ci[0]), min(scale[1], ci[1])


def _share(scores: Iterable[float], end: float) -> float:
    listed = list(scores)
    return sum(abs(score - end) <= TOLERANCE for score in listed) / len(listed)


def _by_category(scores: Mapping[str, float], categories: Mapping[str, str | None]) -> dict[str, float]:
    held: dict[str, list[float]] = defaultdict(list)
    for prompt, score in scores.items():
        category = categories.get(prompt)
        if category is not None:
            held[category].append(score)
    return {name: fmean(sorted(held[name])) for name in sorted(held)}


def delta(candidate: Mapping[str, float], baseline: Mapping[str, float], scale: Scale | None) -> Delta:
    """Candidate minus baseline over the prompts that both have a score of, with the paired permutation test."""
    both = sorted(candidate.keys() & baseline.keys())
    by_prompt = {prompt: candidate[prompt] - baseline[prompt] for prompt in both}
    differences = np.asarray(list(by_prompt.values()), dtype=np.float64)
    width = scale[1] - scale[0] if scale else None
    bounds = (-width, width) if width is not None else None
    found = mean_difference(differences, bounds=bounds)
    # No mean difference lies further out than one prompt's can; that end says nothing, the other stays as it is.
    found = replace(found, ci=_clipped(found.ci, bounds))
    tested = sign_flip(differences, np.random.default_rng(SEED)).p_value if differences.size else None
    return Delta(difference=found, p_value=tested, by_prompt=by_prompt)
