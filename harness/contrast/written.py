"""Predictions that are wrong by how they are written alone: "1.0" against "1", "Hot" against "hot"."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal, DecimalException

from harness.records import PredictionRecord
from harness.report.numerals import one_line, plural

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,6})?\s*", re.ASCII)
ROOM = 20


def remarks(records: Sequence[PredictionRecord]) -> Iterator[str]:
    """What of predictions is wrong by how it is written alone, a sentence each."""
    yield from filter(None, (written_otherwise(records), spelt_otherwise(records)))


def spelt_otherwise(records: Iterable[PredictionRecord]) -> str | None:
    """How many predictions differ from their label in capitals or spaces alone; None where none does."""
    found = Counter(
        (record.prediction, record.label)
        for record in records
        if record.prediction is not None
        and record.prediction != record.label
        and " ".join(record.prediction.split()).casefold() == " ".join(record.label.split()).casefold()
    )
    if not found:
        return None
    prediction, label = (repr(one_line(text, ROOM)) for text in found.most_common(1)[0][0])
    count = plural(sum(found.values()), "prediction")
    return f"{count} would be right but for capitals or spaces ({prediction} against {label}); counted as wrong"


def written_otherwise(records: Iterable[PredictionRecord]) -> str | None:
    """How many predictions differ from their label only in how a number is written; None where none does."""
    found = [
        (record.prediction, record.label)
        for record in records
        if record.prediction is not None
        and record.prediction != record.label
        and _equal(record.prediction, record.label)
    ]
    if not found:
        return None
    prediction, label = (one_line(text, ROOM) for text in found[0])
    how = f"only in how a number is written ({prediction} against {label})"
    if len(found) == 1:
        return f"1 prediction differs from its label {how}; it counts as wrong"
    return f"{len(found):,} predictions differ from their label {how}; they count as wrong"


def _equal(one: str, other: str) -> bool:
    if not (_NUMBER.fullmatch(one) and _NUMBER.fullmatch(other)):
        return False
    try:
        # Not as floats: two long numbers that differ in their last digit are two labels.
        return Decimal(one.strip()) == Decimal(other.strip())
    except DecimalException:
        return False
