"""A judge's own noise: how far its grades of one and the same answer lie apart, and what that adds to an error.

Known only where each answer was graded more than once (`judge_repeats`): lines of repeats that do not say which asking
they are may be of other answers, and are left out. Pooled within answers: a one-way analysis of variance with the
answer as its group.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.records import ScoreRecord


@dataclass(frozen=True, kw_only=True, slots=True)
class Noise:
    """`sd` of one judge's grades of one answer, on its scale, from `answers` graded again; `changed` share moved.

    `of_variance` is the share of the variance of single grades that is the judge's own noise, in [0, 1]; None where
    answers do not differ at all.
    """

    sd: float
    answers: int
    changed: float
    of_variance: float | None

    def as_json(self) -> dict[str, Any]:
        """The further keys of a judge in `summary.json`."""
        return {"sd": self.sd, "answers": self.answers, "changed": self.changed, "share_of_variance": self.of_variance}


def noise_of(records: Iterable[ScoreRecord], judge: str) -> Noise | None:
    """A judge's noise; None where no answer was graded twice."""
    held: dict[tuple[str, int, Any, int], list[float]] = defaultdict(list)
    again = set()
    for record in records:
        if record.judge == judge and record.score is not None:
            extra = record.model_extra or {}
            key = (record.id, record.turn, extra.get("role", ""), int(extra.get("sample", 0) or 0))
            held[key].append(record.score)
            again.update([key] if extra.get("asking") else [])
    # Sorted, so that the order of lines cannot change the last bit.
    groups = [np.sort(np.asarray(held[key])) for key in sorted(again) if len(held[key]) > 1]
    if not groups:
        return None
    squares = math.fsum(float(((scores - scores.mean()) ** 2).sum()) for scores in groups)
    freedom = sum(scores.size - 1 for scores in groups)
    within = squares / freedom
    return Noise(
        sd=math.sqrt(within),
        answers=len(groups),
        changed=sum(float(np.ptp(scores)) > 0 for scores in groups) / len(groups),
        of_variance=_share(groups, within),
    )


def _share(groups: list[Any], within: float) -> float | None:
    """The noise's share of a single grade's variance: within over within plus between, the latter at least 0."""
    if len(groups) < 2:
        return None
    sizes = np.asarray([scores.size for scores in groups], dtype=float)
    means = np.asarray([scores.mean() for scores in groups])
    grand = float((sizes * means).sum() / sizes.sum())
    between_ms = float((sizes * (means - grand) ** 2).sum()) / (len(groups) - 1)
    each = (sizes.sum() - (sizes**2).sum() / sizes.sum()) / (len(groups) - 1)
    between = max(0.0, (between_ms - within) / each)
    return within / (within + between) if within + between > 0 else None
