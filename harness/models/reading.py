"""Small readings that both wire formats need: text that can be sent, numbers that may be missing."""

from __future__ import annotations

from judges.types import Json


def clean(text: str) -> str:
    """Text that UTF-8 can carry: halves of surrogate pairs, which JSON files can hold, become question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def count(values: Json, name: str) -> int:
    """A non-negative whole number under a name; 0 where there is none."""
    value = values.get(name) if isinstance(values, dict) else None
    return value if isinstance(value, int) and value > 0 else 0


def is_object(text: str) -> bool:
    """Whether a text looks like a JSON object, which is what structured output promises."""
    return text.lstrip().startswith("{")
