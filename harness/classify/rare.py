"""Offsets for rare classes, fitted on validation predictions and applied to others. (The rule: `stats/thresholds`.)

Refuses records without probabilities, and a class that none of them holds a probability for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.errors import InputError
from harness.records import PredictionRecord
from harness.report.numerals import listed, one_line
from harness.stats.thresholds import Aim, Offset, fit_offsets, predicted


@dataclass(frozen=True, kw_only=True, slots=True)
class RareOffsets:
    """Offsets by label; `labels` are all classes in order, `aim` what they were fitted for."""

    labels: tuple[str, ...]
    offsets: Mapping[str, Offset]
    aim: Aim

    def as_json(self) -> dict[str, Any]:
        """By label: the offset of its log-probability, from how many validation items, and what it did to them."""
        return {
            name: {
                "offset": own.value,
                "items": own.items,
                "aim": self.aim,
                "validation_before": own.before,
                "validation_after": own.after,
                "reason": own.reason,
            }
            for name, own in self.offsets.items()
        }


def fit(validation: Sequence[PredictionRecord], rare: Sequence[str], *, aim: Aim = "f1") -> RareOffsets:
    """The offsets of the `rare` classes from validation predictions with probabilities. Raises InputError."""
    labels = tuple(sorted({name for record in validation for name in record.probabilities or ()}))
    unknown = [one_line(name) for name in rare if name not in labels]
    if unknown:
        known = listed([one_line(name) for name in labels]) or "none"
        raise InputError(f"no validation prediction has a probability of {listed(unknown)}; known labels: {known}")
    ordered = sorted(validation, key=lambda record: record.id)
    outside = [record.id for record in ordered if record.label not in labels]
    if outside:
        raise InputError(f"the labels of {listed(outside)} have no probability in validation; give those of all labels")
    places = np.array([labels.index(record.label) for record in ordered], dtype=np.intp)
    found = fit_offsets(_logs(ordered, labels), places, [labels.index(name) for name in rare], aim=aim)
    return RareOffsets(labels=labels, offsets=dict(zip(rare, found, strict=True)), aim=aim)


def applied(records: Sequence[PredictionRecord], rare: RareOffsets) -> list[PredictionRecord]:
    """The records with the predictions that the offsets make, in their order. Raises InputError as `fit` does.

    Where no offset was fitted, the predictions stay what they were, however ties were broken.
    """
    if not any(own.value for own in rare.offsets.values()):
        return list(records)
    said = predicted(_logs(records, rare.labels), tuple(rare.offsets.values()))
    return [
        record.model_copy(update={"prediction": rare.labels[place]})
        for record, place in zip(records, said.tolist(), strict=True)
    ]


def _logs(records: Sequence[PredictionRecord], labels: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float64]]:
    bare = [record.id for record in records if record.probabilities is None]
    if bare:
        raise InputError(f"no probabilities for {listed(bare)}: an offset needs them; predict with probabilities")
    other = sorted({name for record in records for name in record.probabilities or ()} - {*labels})
    if other:
        raise InputError(f"the labels {listed(other)} had no probability in validation; use the same label set")
    values = np.array([[(record.probabilities or {}).get(name, 0.0) for name in labels] for record in records])
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(values.reshape(len(records), len(labels))))
