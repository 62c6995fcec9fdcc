"""From predictions to the figures of one model on one set of items. Values in, values out; no order of lines.

A prediction of null is wrong, and counted. An item may be in several slices: their counts do not add up to n.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from harness.records import PredictionRecord
from harness.stats import classerror
from harness.stats.classerror import ClassIntervals, Estimate, class_intervals, widened
from harness.stats.classes import ClassFigures, Confusion, confusion, majority, per_class
from harness.stats.clusters import Clustered, clustered_mean, no_narrower
from harness.stats.intervals import Mean, mean_score

# The means over classes, by the names that they have in summary.json.
MEASURES: Mapping[str, classerror.Measure] = {
    "macro_f1": classerror.macro,
    "micro_f1": classerror.micro,
    "weighted_f1": classerror.weighted,
    "balanced_accuracy": classerror.balanced,
    "mcc": classerror.correlation,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Slice:
    """The items of one slice: Wilson's interval, and what always saying its most frequent label would score.

    Where items share clusters the interval is no narrower than the clustered one.
    """

    accuracy: Mean
    majority_rate: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """All figures that labels and predictions alone allow.

    `accuracy` has Wilson's interval, `clustered` the one that counts clusters (None where no two items share one).
    `over_classes` holds the figures of `MEASURES`, `majority` the most frequent label and its share. `none` counts
    items without a prediction, by status.
    """

    counted: Confusion
    accuracy: Mean
    clustered: Clustered | None
    over_classes: Mapping[str, Estimate]
    classes: Mapping[str, ClassFigures]
    intervals: Mapping[str, ClassIntervals]
    slices: Mapping[str, Slice]
    majority: tuple[str, float] | None
    none: Mapping[str, int]

    @property
    def n(self) -> int:
        return self.counted.n

    @property
    def careful(self) -> tuple[float, float] | None:
        """The accuracy's interval, no narrower than the one that counts clusters; None where these give none."""
        return self.accuracy.ci if self.clustered is None else no_narrower(self.accuracy.ci, self.clustered.ci)


def figures_of(records: Sequence[PredictionRecord]) -> Figures:
    """The figures of one model's predictions, every id once."""
    ordered = sorted(records, key=lambda record: record.id)
    counted = confusion([record.label for record in ordered], [record.prediction for record in ordered])
    hits = counted.hits.astype(np.float64)
    clusters = clusters_of(ordered)
    return Figures(
        counted=counted,
        accuracy=mean_score(hits),
        clustered=clustered_mean(hits, clusters, against=0.0) if clusters is not None else None,
        over_classes={name: classerror.estimate(counted, measure, clusters) for name, measure in MEASURES.items()},
        classes=per_class(counted),
        intervals=class_intervals(counted, clusters),
        slices=_slices(ordered, hits, clusters),
        majority=majority(counted),
        none=dict(sorted(Counter(_status(record) for record in ordered if record.prediction is None).items())),
    )


def clusters_of(records: Sequence[PredictionRecord]) -> list[str] | None:
    """A cluster for every record (its own where it names none); None where no two share one."""
    given = [getattr(record, "cluster", None) for record in records]
    # The mark keeps an id from being another's cluster.
    named = [
        f"c {cluster}" if isinstance(cluster, str | int) else f"i {record.id}"
        for cluster, record in zip(given, records, strict=True)
    ]
    return named if len(set(named)) < len(named) else None


def _slices(
    records: Sequence[PredictionRecord], hits: NDArray[np.float64], clusters: Sequence[str] | None
) -> dict[str, Slice]:
    places: dict[str, list[int]] = defaultdict(list)
    for place, record in enumerate(records):
        for name in dict.fromkeys(record.slices or ()):
            places[name].append(place)
    found = {}
    for name in sorted(places):
        most = Counter(records[place].label for place in places[name]).most_common(1)[0][1]
        accuracy = mean_score(hits[places[name]])
        if clusters is not None:
            mask = np.zeros(len(records), dtype=bool)
            mask[places[name]] = True
            accuracy = replace(accuracy, ci=widened(accuracy.ci, hits[mask] > 0, mask, clusters))
        found[name] = Slice(accuracy=accuracy, majority_rate=most / len(places[name]))
    return found


def _status(record: PredictionRecord) -> str:
    """Why there is no prediction, as far as the file says."""
    status = getattr(record, "status", None)
    return status if isinstance(status, str) and status != "ok" else "none"
