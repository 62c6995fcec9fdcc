"""The items that were not predicted right, the most confident first: for errors.csv and the page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.records import PredictionRecord
from harness.tasks.values import LETTERS, Item


@dataclass(frozen=True, kw_only=True, slots=True)
class Wrong:
    """One wrong item. `confidence` is the probability of what was predicted; texts are empty where they are unknown."""

    id: str
    label: str
    prediction: str | None
    confidence: float | None
    status: str
    slices: tuple[str, ...]
    texts: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


def wrong_of(records: Iterable[PredictionRecord], items: Iterable[Item] = ()) -> tuple[Wrong, ...]:
    """The wrong ones, the most confident first; those without a confidence, or without a prediction, come last."""
    known = {item.id: item for item in items}
    found = []
    for record in records:
        if record.prediction == record.label:
            continue
        item = known.get(record.id)
        found.append(
            Wrong(
                id=record.id,
                label=record.label,
                prediction=record.prediction,
                confidence=(record.probabilities or {}).get(record.prediction or ""),
                status=str(getattr(record, "status", None) or ""),
                slices=tuple(record.slices or ()),
                texts=item.texts if item is not None else (),
                options=item.options if item is not None else (),
            )
        )
    return tuple(sorted(found, key=lambda one: (-(one.confidence or 0.0), one.id)))


def lettered(options: Iterable[str]) -> list[str]:
    """Options of a question as they were shown: "A. …"."""
    return [f"{letter}. {text}" for letter, text in zip(LETTERS, options, strict=False)]
