"""What judges grade beside the verdict: on each criterion the candidate's mean grade against the baseline's.

The prompt is the unit: a prompt's grade is the mean over its repeats and orders, and only presentations on which both
answers were graded count. Grades decide nothing; they say where a difference may come from.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from harness.figures import NO_CLUSTERS
from harness.outcome import slots
from harness.records import JudgmentRecord
from harness.stats.paired import Difference, clustered_difference, mean_difference
from judges.types import Criterion


@dataclass(frozen=True, kw_only=True, slots=True)
class Graded:
    """One judge on one criterion: both mean grades over the prompts it graded, and their paired difference."""

    candidate: float
    baseline: float
    difference: Difference

    def as_json(self) -> dict[str, Any]:
        """The further keys of a criterion in `summary.json`."""
        return {
            "n": self.difference.n,
            "candidate": self.candidate,
            "baseline": self.baseline,
            "difference": self.difference.mean,
            "ci": list(self.difference.ci) if self.difference.ci else None,
        }


def graded(
    judgments: Iterable[JudgmentRecord],
    judges: Sequence[str],
    criteria: Sequence[Criterion] = (),
    clusters: Mapping[str, str] = NO_CLUSTERS,
) -> dict[str, dict[str, Graded]]:
    """Every judge's grades by criterion, for those that gave any; `criteria` tell the scales, where they are known.

    `clusters` holds the cluster of the prompts that have one: where two share one, the interval is over clusters.
    """
    scales: dict[str, float] = {each.name: float(each.high - each.low) for each in criteria}
    grades: dict[tuple[str, str], dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    for judgment in judgments:
        for name, both in _both(judgment):
            grades[judgment.judge, name][judgment.id].append(both)
    found: dict[str, dict[str, Graded]] = {}
    for judge in judges:
        of = {name: by_prompt for (who, name), by_prompt in grades.items() if who == judge}
        if of:
            found[judge] = {
                name: _over(of[name], scales.get(name), clusters) for name in sorted(of, key=_place(criteria))
            }
    return found


def _place(criteria: Sequence[Criterion]) -> Any:
    """The suite's own order, then by name."""
    order = {each.name: place for place, each in enumerate(criteria)}
    return lambda name: (order.get(name, len(order)), name)


def _both(judgment: JudgmentRecord) -> Iterable[tuple[str, tuple[float, float]]]:
    """The candidate's grade and the baseline's on every criterion that one presentation graded for both."""
    scores = judgment.scores
    written = (judgment.model_extra or {}).get("mode") == "generation" and judgment.status == "ok"
    if not written or judgment.order is None or not isinstance(scores, Mapping):
        return
    candidate, baseline = slots(scores.get("A"), scores.get("B"), judgment.order)
    if not isinstance(candidate, Mapping) or not isinstance(baseline, Mapping):
        return
    for name in candidate:
        one, other = candidate[name], baseline.get(name)
        if _is_grade(one) and _is_grade(other):
            yield name, (float(one), float(other))


def _is_grade(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _over(
    by_prompt: Mapping[str, Sequence[tuple[float, float]]], width: float | None, clusters: Mapping[str, str]
) -> Graded:
    # Sorted, so that the order of lines cannot change the last bit of a mean.
    means = [
        (fmean(sorted(one for one, _ in rows)), fmean(sorted(other for _, other in rows)))
        for _, rows in sorted(by_prompt.items())
    ]
    differences = np.asarray([one - other for one, other in means], dtype=np.float64)
    bounds = (-width, width) if width is not None and float(np.abs(differences).max()) <= width else None
    return Graded(
        candidate=fmean(one for one, _ in means),
        baseline=fmean(other for _, other in means),
        difference=_clustered(mean_difference(differences, bounds=bounds), differences, sorted(by_prompt), clusters),
    )


def _clustered(
    found: Difference, differences: NDArray[np.float64], prompts: Sequence[str], clusters: Mapping[str, str]
) -> Difference:
    """The same difference with its interval over clusters, where two of the prompts share one."""
    units = [f"c {clusters[prompt]}" if prompt in clusters else f"p {prompt}" for prompt in prompts]
    if len(set(units)) == len(units):
        return found
    robust = clustered_difference(differences, units)
    return replace(found, se=robust.se, ci=robust.ci, method=None)
