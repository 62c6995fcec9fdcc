"""Predictions that are wrong by their text and right by their number: "1.0" against "1", as spreadsheets leave them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal, DecimalException

from harness.records import PredictionRecord
from harness.report.numerals import one_line

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,6})?\s*", re.ASCII)
ROOM = 20


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
