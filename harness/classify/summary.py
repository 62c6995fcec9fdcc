"""The one object a classification ends in: figures, slices, calibration, how fast. Written as the contract's object.

`summarize` is pure: the same records, in whatever order, give the same summary.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.classify.calibrated import Believed, Calibrated, calibrated
from harness.classify.figures import MEASURES, Figures, figures_of
from harness.records import PredictionRecord
from harness.stats.classerror import Estimate
from harness.stats.paired import Difference
from harness.stats.reliability import BINS, CalibrationError

# A matrix of more labels than this is not written out; the pairs that were confused most often always are.
WRITTEN_OUT = 100
CONFUSED = 20
# Statuses of predictions that are still to come.
UNANSWERED = ("provider_error", "skipped")


@dataclass(frozen=True, kw_only=True, slots=True)
class Latency:
    """Milliseconds that `n` single items took: median and 95 % quantile, None where nothing was timed."""

    p50: float | None
    p95: float | None
    n: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Confused:
    """Items of one label that were predicted as another."""

    label: str
    prediction: str
    n: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassifySummary:
    """Everything a classification report says.

    `labels` are those of the task, where it is known; `grave` are the sentences to doubt the figures by before all
    others (leaks), `remarks` those on predictions that are wrong by their spelling; `notes` what else must be known.
    """

    figures: Figures
    calibration: Calibrated | None
    latency: Latency
    complete: bool
    labels: tuple[str, ...]
    confused: tuple[Confused, ...]
    grave: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        return self.figures.n

    def estimate(self, metric: str) -> Estimate:
        """`accuracy`, or one of `figures.MEASURES`, with its interval. Raises KeyError on another name."""
        if metric != "accuracy":
            return self.figures.over_classes[metric]
        own = self.figures.accuracy
        reason = None if own.ci is not None else "n = 1: one item gives no interval" if own.n else "there is no item"
        return Estimate(value=own.mean, ci=own.ci, se=own.se, reason=reason)

    def as_json(self, doubts: Sequence[str] = ()) -> dict[str, Any]:
        """`summary.json`: the contract's keys first, then those this project adds."""
        own = self.figures
        known: dict[str, Any] = {
            "kind": "classify",
            "n": own.n,
            "accuracy": own.accuracy.mean,
            "ci": _ends(own.accuracy.ci),
            "macro_f1": own.over_classes["macro_f1"].value,
            "mcc": own.over_classes["mcc"].value,
            "per_class": {name: _class(own, name) for name in own.classes},
            "slices": {
                name: {
                    "n": part.accuracy.n,
                    "accuracy": part.accuracy.mean,
                    "ci": _ends(part.accuracy.ci),
                    "majority_rate": part.majority_rate,
                }
                for name, part in own.slices.items()
            },
            "majority_rate": own.majority[1] if own.majority else None,
            "latency_ms": {"p50": self.latency.p50, "p95": self.latency.p95, "n": self.latency.n},
            "complete": self.complete,
            "majority_label": own.majority[0] if own.majority else None,
            "no_prediction": {"n": sum(own.none.values()), "statuses": dict(own.none)},
        }
        known |= {name: own.over_classes[name].value for name in ("micro_f1", "weighted_f1", "balanced_accuracy")}
        known["intervals"] = {name: _estimate(self.estimate(name)) for name in ("accuracy", *MEASURES)}
        if own.clustered is not None:
            rough = own.clustered
            known["clusters"] = {
                "n": rough.clusters,
                "se": rough.se,
                "ci": _ends(rough.ci),
                "design_effect": rough.design_effect,
            }
        known["confusion"] = _matrix(own)
        known["confused"] = [{"label": c.label, "prediction": c.prediction, "n": c.n} for c in self.confused]
        known["calibration"] = _calibration(self.calibration) if self.calibration is not None else None
        return known | {"notes": [*self.grave, *self.remarks, *self.notes], "doubts": list(doubts)}


def summarize(
    records: Sequence[PredictionRecord],
    *,
    validation: Sequence[PredictionRecord] = (),
    labels: Sequence[str] = (),
    latencies_ms: Sequence[float] | None = None,
    complete: bool = True,
    remarks: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> ClassifySummary:
    """All figures of one model's predictions; every id stands once.

    `validation` are its predictions for validation items, from which the temperature comes; `latencies_ms` what single
    items took, else what the records themselves say (`latency_s`). It is complete where the caller says so and no
    record is unanswered.
    """
    figures = figures_of(records)
    return ClassifySummary(
        figures=figures,
        calibration=calibrated(records, validation),
        latency=latency_of(latencies_of(records) if latencies_ms is None else latencies_ms),
        complete=complete and not any(getattr(record, "status", None) in UNANSWERED for record in records),
        labels=tuple(labels),
        confused=confused(figures),
        remarks=tuple(remarks),
        notes=tuple(notes),
    )


def latencies_of(records: Iterable[PredictionRecord]) -> list[float]:
    """The milliseconds that records carry as `latency_s`; what is no such number is passed over."""
    given = (getattr(record, "latency_s", None) for record in records)
    return [
        1000 * float(value)
        for value in given
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf
    ]


def latency_of(milliseconds: Sequence[float]) -> Latency:
    """Median and 95 % quantile (linear between the nearest two) of what single items took."""
    if not milliseconds:
        return Latency(p50=None, p95=None, n=0)
    p50, p95 = np.quantile(np.asarray(milliseconds, dtype=np.float64), [0.5, 0.95]).tolist()
    return Latency(p50=p50, p95=p95, n=len(milliseconds))


def confused(figures: Figures, most: int = CONFUSED) -> tuple[Confused, ...]:
    """The pairs of label and wrong prediction that occur most often, of equals by name."""
    counted = figures.counted
    wrong = ~counted.hits & (counted.predicted < counted.k)
    pairs, counts = np.unique(
        np.stack([counted.gold[wrong], counted.predicted[wrong]], axis=1), axis=0, return_counts=True
    )
    rows = sorted(zip((-counts).tolist(), pairs.tolist(), strict=True))[:most]
    names = counted.labels
    return tuple(Confused(label=names[pair[0]], prediction=names[pair[1]], n=-count) for count, pair in rows)


def _ends(ci: tuple[float, float] | None) -> list[float] | None:
    return list(ci) if ci is not None else None


def _class(figures: Figures, name: str) -> dict[str, Any]:
    own, ends = figures.classes[name], figures.intervals[name]
    return {
        "precision": own.precision,
        "recall": own.recall,
        "f1": own.f1,
        "support": own.support,
        "predicted": own.predicted,
        "precision_ci": _ends(ends.precision),
        "recall_ci": _ends(ends.recall),
        "f1_ci": _ends(ends.f1),
    }


def _estimate(found: Estimate) -> dict[str, Any]:
    return {"ci": _ends(found.ci), "se": found.se, "reason": found.reason, "unsafe": found.unsafe}


def _matrix(figures: Figures) -> dict[str, Any] | None:
    counted = figures.counted
    if counted.k > WRITTEN_OUT:
        return None
    counts = counted.counts
    return {
        "labels": list(counted.labels),
        "counts": counts[:, :-1].tolist(),
        "no_prediction": counts[:, -1].tolist(),
    }


def _calibration(found: Calibrated) -> dict[str, Any]:
    fitted = found.temperature
    return {
        "n": found.n,
        "without_probabilities": found.without,
        "overruled": found.overruled,
        "bins": BINS,
        "temperature": {
            "value": fitted.value,
            "n": fitted.n,
            "log_loss_before": fitted.before,
            "log_loss_after": fitted.after,
            "reason": fitted.reason,
        }
        if fitted is not None
        else None,
        "before": _believed(found.before),
        "after": _believed(found.after) if found.after is not None else None,
    }


def _believed(found: Believed) -> dict[str, Any]:
    return {
        "confidence": found.confidence,
        "accuracy": found.accuracy,
        "ece": _error(found.ece),
        "ece_equal_mass": _error(found.ece_mass),
        "brier": _mean(found.brier),
        "log_loss": _mean(found.log_loss),
        "reliability": [
            {
                "low": each.low,
                "high": each.high,
                "n": each.n,
                "confidence": each.confidence,
                "accuracy": each.accuracy,
                "ci": _ends(each.ci),
            }
            for each in found.table
        ],
    }


def _error(found: CalibrationError) -> dict[str, Any]:
    return {
        "value": found.value,
        "ci": _ends(found.ci),
        "by_chance": found.by_chance,
        "p_value": found.p_value,
        "reason": found.reason,
    }


def _mean(found: Difference) -> dict[str, Any]:
    return {"value": found.mean, "ci": _ends(found.ci), "se": found.se, "reason": found.reason}
