"""How far a model's probabilities can be believed, as they are and after temperature scaling fitted on validation.

Items without probabilities are left out and counted. The confidence is the largest probability, whatever was predicted:
thresholds may overrule it, and how often they do is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.records import PredictionRecord
from harness.report.numerals import plural
from harness.stats.calibration import Temperature, brier, fit_temperature, log_loss, tempered
from harness.stats.paired import Difference, mean_difference
from harness.stats.reliability import BINS, Bin, CalibrationError, calibration_error, reliability

Array = NDArray[np.float64]
SEED = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """Probabilities of n items: rows padded with 0 to the longest, the column of every label (−1: it has none).

    Each row's columns are its own labels by name, so that items may have options of their own. `overruled` counts items
    whose prediction is not their most probable label, `without` those that carry no probabilities.
    """

    probabilities: Array
    labels: NDArray[np.intp]
    top: NDArray[np.intp]
    overruled: int
    without: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Believed:
    """How probabilities fared: errors in bins of equal width and of equal mass, Brier score, log loss, the table.

    `brier` and `log_loss` are means with Student's interval; the first is summed over the classes (0 to 2).
    """

    confidence: float
    accuracy: float
    ece: CalibrationError
    ece_mass: CalibrationError
    brier: Difference
    log_loss: Difference
    table: tuple[Bin, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibrated:
    """Probabilities before and, where validation gave a temperature, after it. `temperature` None: no validation."""

    n: int
    without: int
    overruled: int
    before: Believed
    temperature: Temperature | None = None
    after: Believed | None = None


def calibrated(
    records: Sequence[PredictionRecord], validation: Sequence[PredictionRecord] = (), *, seed: int = SEED
) -> Calibrated | None:
    """The calibration of `records`, the temperature from `validation` records alone; None without any probabilities."""
    table = table_of(records)
    if not table.labels.size:
        return None
    temperature = temperature_of(validation)
    after = None
    if temperature is not None and temperature.value is not None:
        after = _believed(scaled(table.probabilities, temperature.value), table, seed)
    return Calibrated(
        n=int(table.labels.size),
        without=table.without,
        overruled=table.overruled,
        before=_believed(table.probabilities, table, seed),
        temperature=temperature,
        after=after,
    )


def temperature_of(validation: Sequence[PredictionRecord]) -> Temperature | None:
    """The temperature that validation predictions call for; None where none carries probabilities."""
    table = table_of(validation)
    if not table.labels.size:
        return None
    if (table.labels < 0).any():
        lost = int(np.count_nonzero(table.labels < 0))
        reason = f"{plural(lost, 'validation label')} has no probability" if lost == 1 else None
        reason = reason or f"{lost:,} validation labels have no probability"
        return Temperature(value=None, n=int(table.labels.size), before=None, reason=reason)
    return fit_temperature(_logs(table.probabilities), table.labels)


def scaled(probabilities: Array, temperature: float) -> Array:
    """Probabilities (n, k) after a temperature: p^(1/T), made to sum to 1; 0 stays 0."""
    return tempered(_logs(probabilities), temperature)


def table_of(records: Sequence[PredictionRecord]) -> Table:
    """The probabilities of those records that carry them, made to sum to 1 exactly."""
    ordered = sorted(records, key=lambda record: record.id)
    held = [record for record in ordered if record.probabilities is not None]
    width = max((len(record.probabilities or ()) for record in held), default=0)
    values = np.zeros((len(held), width))
    labels, top = (np.full(len(held), -1, dtype=np.intp) for _ in range(2))
    overruled = 0
    for row, record in enumerate(held):
        own = sorted((record.probabilities or {}).items())
        names = [name for name, _ in own]
        values[row, : len(own)] = [value for _, value in own]
        labels[row] = names.index(record.label) if record.label in names else -1
        best = max(value for _, value in own)
        first = [name for name, value in own if value == best]
        overruled += record.prediction is not None and record.prediction not in first
        # Of equally probable labels the one that was predicted, else the first by name.
        top[row] = names.index(record.prediction if record.prediction in first else first[0])
    values = values / values.sum(axis=1, keepdims=True) if held else values
    return Table(probabilities=values, labels=labels, top=top, overruled=overruled, without=len(ordered) - len(held))


def _believed(probabilities: Array, table: Table, seed: int) -> Believed:
    rows = np.arange(table.labels.size)
    # A temperature keeps the order of a row, so that the most probable label is the same before and after.
    confidence, right = np.minimum(probabilities[rows, table.top], 1.0), table.top == table.labels
    rng = np.random.default_rng(seed)
    return Believed(
        confidence=float(confidence.mean()),
        accuracy=float(right.mean()),
        ece=calibration_error(confidence, right, rng),
        ece_mass=calibration_error(confidence, right, rng, width="equal-mass"),
        brier=mean_difference(brier(probabilities, table.labels), bounds=(0.0, 2.0)),
        log_loss=_mean_loss(log_loss(probabilities, table.labels)),
        table=reliability(confidence, right, bins=BINS),
    )


def _mean_loss(losses: Array) -> Difference:
    lost = int(np.count_nonzero(~np.isfinite(losses)))
    if not lost:
        return mean_difference(losses)
    reason = f"the label of {plural(lost, 'item')} has a probability of 0: the loss is infinite"
    return Difference(n=int(losses.size), mean=None, reason=reason)


def _logs(probabilities: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(probabilities))
