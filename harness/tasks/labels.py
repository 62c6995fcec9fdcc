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


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """An answer that can be read in several ways, which name different options: the places of these."""

    places: tuple[int, ...]


def answer_place(value: Any, keys: Sequence[str], options: Sequence[str]) -> int | Ambiguous | None:
    """Which option an answer names, None where it names none.

    Options with keys are named by key, or by text. Of others a number is the place, counted from 0; a text is an
    option's text, its letter or the number of its place, and Ambiguous where it can be more than one of these.
    """
    if value is None or isinstance(value, bool | list | dict):
        return None
    text = str(value).strip()
    stripped = [option.strip() for option in options]
    if keys:
        among = keys if text in keys else stripped
        return list(among).index(text) if text in among else None
    place = _number(text)
    place = place if place is not None and 0 <= place < len(options) else None
    if isinstance(value, int):
        return place
    letter = LETTERS.index(text.upper()) if len(text) == 1 and text.upper() in LETTERS[: len(options)] else None
    named = (stripped.index(text) if text in stripped else None, letter, place)
    found = tuple(dict.fromkeys(each for each in named if each is not None))
    return Ambiguous(found) if len(found) > 1 else found[0] if found else None


def _number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None
