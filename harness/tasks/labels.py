"""Labels and answers as files write them: names, numbers that stand for names, letters, places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.records import Decimal
from harness.tasks.values import LETTERS


@dataclass(frozen=True, slots=True)
class Strange:
    """What cannot be a label."""

    value: Any


def label_of(value: Any, labels: Sequence[str], names: Sequence[str] = ()) -> str | Strange | None:
    """A label as text; None where there is none (empty, or −1 of a dataset that names its labels).

    An integer is the place in `names`, or in `labels` where none of these is a number itself; else its decimal text.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value != value:
        return None
    if isinstance(value, float) and value.is_integer() and not isinstance(value, Decimal):
        # A column of integers with a gap in it comes back from Parquet as floats.
        value = int(value)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, Decimal):
        return value.text
    if not isinstance(value, str | int):
        return Strange(value)
    if isinstance(value, str) and value in labels:
        return value
    sets = names or (() if any(_number(label) is not None for label in labels) else labels)
    place = value if isinstance(value, int) else _number(value)
    if place is None or not sets:
        return str(value)
    if 0 <= place < len(sets):
        return sets[place]
    return None if names and place < 0 else str(value)


def answer_place(value: Any, keys: Sequence[str], options: Sequence[str]) -> int | None:
    """Which option an answer names: by its key, its text, its letter, or its place counted from 0, in this order."""
    if value is None or isinstance(value, bool | list | dict):
        return None
    text = str(value)
    for among in (keys, options, [option.strip() for option in options]):
        if text in among or text.strip() in among:
            return list(among).index(text if text in among else text.strip())
    text = text.strip()
    letter = text.upper()
    place = LETTERS.index(letter) if len(letter) == 1 and letter in LETTERS else _number(text)
    return place if place is not None and 0 <= place < len(options) else None


def _number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None
