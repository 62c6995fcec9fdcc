"""What does not fit a model's context: how records carry it, and how reports say it.

A response whose conversation ends at a turn that does not fit carries `too_long`: that turn, and as far as they are
known the tokens of the conversation, the `max_tokens` its answer was to have, and the model's room. What was to be
said of a turn without an answer carries `unanswered`, that turn; a judge's own question that does not fit the judge
carries `too_long` itself. Each has an `error` in words, and nothing of it is asked again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.errors import CallFailed, TooLong
from harness.records import Record, ResponseRecord
from harness.report.numerals import one_line, plural
from judges.types import Status

# So many are named one by one, the others counted.
NAMED = 3
_SIZES = ("tokens", "max_tokens", "room")


def size_of(error: TooLong) -> dict[str, int]:
    """What is known of a size, as records carry it."""
    known = {name: getattr(error, name) for name in _SIZES}
    return {name: value for name, value in known.items() if value is not None}


def failed(error: CallFailed) -> tuple[Status, dict[str, Any]]:
    """The status of what a judge could not be asked, and what its record says of it."""
    if isinstance(error, TooLong):
        return "truncated", {"error": str(error), "too_long": size_of(error)}
    return "provider_error", {"error": str(error)}


def raised(record: Record) -> TooLong | None:
    """The error that a record of a question to a judge tells of; None where it tells of none."""
    found = too_long(record)
    return None if found is None else TooLong(str(_more(record).get("error", "")), **_sizes(found))


def too_long(record: Record) -> Mapping[str, Any] | None:
    """What a record says did not fit; None where it says nothing of the kind."""
    found = _more(record).get("too_long")
    return found if isinstance(found, Mapping) else None


def unanswered(record: Record) -> bool:
    """Whether a record is about a turn that has no answer, and never will have one."""
    return _more(record).get("unanswered") is not None


def without_answer(response: ResponseRecord) -> dict[str, Any]:
    """What a record says of a turn that this response, which ended too early for good, does not answer."""
    error = _more(response).get("error")
    turn = len(response.answered()) + 1
    return {"error": error if isinstance(error, str) else f"turn {turn} has no answer", "unanswered": turn}


def ends(records: Iterable[Record]) -> dict[str, int]:
    """How many records are about turns without an answer, and how many questions did not fit their judge."""
    listed = list(records)
    counts = {"unanswered": sum(map(unanswered, listed)), "too_long": sum(too_long(one) is not None for one in listed)}
    return {name: count for name, count in counts.items() if count}


def conversations(role: str, records: Sequence[Record], then: str) -> list[str]:
    """That some of a contestant's conversations ended early, which and by how much; `then` says what became of them."""
    cut = _sorted(record for record in records if too_long(record) is not None)
    if not cut:
        return []
    named = [f"{_name(record)} ({_place(too_long(record) or {})})" for record in cut]
    of = plural(len(records), "conversation")
    return [f"{role}: {len(cut):,} of {of} did not fit the model to the end, {then}: {_listed(named)}"]


def questions(judge: str, records: Iterable[Record]) -> list[str]:
    """That some of a judge's questions did not fit it, which and by how much."""
    asked = [record for record in records if not unanswered(record)]
    cut = _sorted(record for record in asked if too_long(record) is not None)
    if not cut:
        return []
    named = list(dict.fromkeys(f"{_name(record)} ({_place(too_long(record) or {})})" for record in cut))
    return [
        f"{one_line(judge)}: {len(cut):,} of {plural(len(asked), 'question')} did not fit what it reads: "
        f"{_listed(named)}; shorten the answers (max_tokens) or its template, or give a judge that reads more"
    ]


def _sorted(records: Iterable[Record]) -> list[Record]:
    """Records in an order that does not depend on when each arrived."""
    return sorted(records, key=lambda record: tuple(map(str, record.key())))


def _name(record: Record) -> str:
    turn = getattr(record, "turn", None)
    return one_line(record.id, 30) + (f", turn {turn}" if isinstance(turn, int) else "")


def _place(found: Mapping[str, Any]) -> str:
    turn = found.get("turn")
    said = [f"turn {turn}"] if isinstance(turn, int) else []
    size = _said(_sizes(found))
    return ": ".join([*said, *([size] if size else [])]) or "no size is known"


def _said(sizes: Mapping[str, int]) -> str:
    parts = [f"{sizes['tokens']:,} tokens"] if "tokens" in sizes else []
    parts += [f"max_tokens {sizes['max_tokens']:,}"] if "max_tokens" in sizes else []
    room = f"room for {sizes['room']:,}" if "room" in sizes else ""
    return ", ".join(part for part in (" and ".join(parts), room) if part)


def _sizes(found: Mapping[str, Any]) -> dict[str, int]:
    return {name: found[name] for name in _SIZES if type(found.get(name)) is int}


def _listed(named: Sequence[str]) -> str:
    more = f" and {len(named) - NAMED:,} more" if len(named) > NAMED else ""
    return "; ".join(named[:NAMED]) + more


def _more(record: Record) -> Mapping[str, Any]:
    return record.model_extra or {}
