"""Predictions that were made elsewhere, as a classifier: `recorded/predictions.jsonl`.

Refuses a file that lacks an item, that holds another label for one than the task does, or that predicts no label.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from harness.classify.guess import Done, Guess, Status
from harness.errors import InputError, Problem
from harness.records import PredictionRecord, gather
from harness.report.numerals import listed, plural
from harness.tasks.values import LETTERS, Item


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedPredictions:
    """Predictions by item id."""

    by_id: Mapping[str, PredictionRecord]

    async def ready(self) -> None:
        """Nothing: they are read."""

    async def classify(self, items: Sequence[Item], done: Done) -> None:
        """Hand out what is recorded; a prediction of null is one that could not be read."""
        for item in items:
            found = self.by_id[item.id]
            given = getattr(found, "latency_s", None)
            timed = isinstance(given, int | float) and not isinstance(given, bool) and given >= 0
            details = {"latency_s": given} if timed else {}
            done(
                item,
                Guess(
                    label=found.prediction,
                    status=_status(found),
                    probabilities=found.probabilities,
                    details=details,
                ),
            )


def _status(found: PredictionRecord) -> Status:
    """Its own status where it has one; a prediction of null without one could not be read."""
    given = getattr(found, "status", None)
    known: Mapping[str, Status] = {name: name for name in get_args(Status)}
    return known.get(str(given), "ok" if found.prediction is not None else "invalid_parse")


def load(path: Path, items: Sequence[Item], head: str, labels: Sequence[str]) -> RecordedPredictions:
    """The predictions of a file for these items. Raises InputError with every problem."""
    asked = {item.id: item for item in items}

    def check(found: PredictionRecord) -> Iterator[str]:
        if found.id in asked:
            yield from _wrong(found, asked[found.id], head, labels)

    records, problems = gather(path, PredictionRecord, check=check)
    by_id = {record.id: record for record in records}
    missing = [item.id for item in items if item.id not in by_id]
    if missing:
        what = f"lacks {plural(len(missing), 'item')} of {len(items):,}: {listed(missing, 5)}; give predictions for all"
        if len(missing) == len(items) and by_id:
            what += f" (its ids are {listed(list(by_id), 3)}: `id: COLUMN` of the task says where items have theirs)"
        problems.append(Problem(path=str(path), what=what))
    if problems:
        raise InputError(problems)
    return RecordedPredictions(by_id=by_id)


def _wrong(found: PredictionRecord, item: Item, head: str, labels: Sequence[str]) -> Iterator[str]:
    """Why a prediction is none of this item."""
    known = LETTERS[: len(item.options)] if item.options else labels
    foreign = sorted(name for name, share in (found.probabilities or {}).items() if share and name not in known)
    if found.label != item.labels[head]:
        what = f"item {found.id!r} has the label {found.label!r} here and {item.labels[head]!r} in {item.place}"
        yield f"{what}; these are other items, or other labels"
    elif found.prediction is not None and _status(found) != "ok":
        yield f"item {found.id!r} has a prediction and the status {_status(found)!r}; take one of them out"
    elif found.prediction is not None and found.prediction not in known:
        yield f"item {found.id!r}: the prediction {found.prediction!r} is no label; the labels are {', '.join(known)}"
    elif foreign:
        what = f"item {found.id!r} has a probability of {foreign[0]!r}, which is no label; the labels are"
        way = "" if item.options else "; where the task has more than its items show, name all in its 'labels'"
        yield f"{what} {', '.join(known)}{way}"
