"""What is counted of a judgment, read from files of any size in one pass.

A plain line is checked here, for a fifth of what its record costs (pydantic's own parser takes no JSON that Python's
refuses); what its verdict means is asked of `JudgmentRecord`
once for every combination of order, verdict, winner and status. Any other line is the record's own to judge, and a file
with a line that the record refuses is read again by `harness.records`, which says what is wrong with all of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import from_json

from harness.errors import InputError, Problem
from harness.outcome import Order, Winner
from harness.records import Decimal, JudgmentRecord, PromptRecord, Record, kind_of, read, read_lines
from harness.yamlfile import read_text
from judges.types import Status

_Combination = tuple[Any, Any, Any, Any]
_OFF_THE_MENU = "off the menu"


class Row(NamedTuple):
    """One judgment: its key, what it says, and what its line says of its prompt."""

    id: str
    judge: str
    order: Order | None
    repeat: int
    winner: Winner | None
    status: Status
    preference: float | None
    reply: str | None
    category: str | None
    cluster: str | None
    contestants: tuple[str, str] | None

    def key(self) -> tuple[Any, ...]:
        """What may stand only once."""
        return self[:4]


def row_of(record: JudgmentRecord) -> Row:
    """What is counted of a record that was checked."""
    more = record.model_extra or {}
    return Row(
        record.id,
        record.judge,
        record.order,
        record.repeat,
        record.winner,
        record.status,
        record.preference,
        record.reply,
        record.category,
        record.cluster,
        _contestants(more),
    )


def read_rows(path: Path) -> list[Row]:
    """Every judgment of a file.

    Raises InputError with every problem of the file, as `harness.records.read` words them, or with one sentence where
    the file holds records of another kind.
    """
    rows = _in_one_pass(path)
    if rows is None:
        _refuse_other_kinds(path)
        rows = [row_of(record) for record in read(path, JudgmentRecord)]
    return rows


def _in_one_pass(path: Path) -> list[Row] | None:
    """The rows of a file without a problem; None where a line or a repeated key is one, or there is no line."""
    meant: dict[_Combination, Any] = {}
    rows: list[Row] = []
    for line in read_text(path).split("\n"):
        try:
            value = from_json(line, allow_inf_nan=False)
        except ValueError:
            if line.strip():
                return None
            continue
        row = (_plain(value, meant) or _checked(line)) if isinstance(value, dict) else None
        if row is None:
            return None
        rows.append(row)
    return rows if rows and len({row[:4] for row in rows}) == len(rows) else None


def _plain(value: Mapping[str, Any], meant: dict[_Combination, Any]) -> Row | None:
    """The row of a line of which every part is of the one type that is taken as it stands; None for any other."""
    get = value.get
    name, judge, repeat, reply = get("id"), get("judge"), get("repeat", 0), get("reply")
    if type(name) is not str or type(judge) is not str or type(repeat) is not int or repeat < 0:
        return None
    category, cluster, preference = get("category"), get("cluster"), get("preference")
    if not (name and judge and cluster != "" and _text(reply) and _text(category) and _text(cluster)):
        return None
    if not (_count(get("candidate_length")) and _count(get("baseline_length"))):
        return None
    if preference is not None:
        if not isinstance(preference, int | float) or isinstance(preference, bool) or not 0 <= preference <= 1:
            return None
        preference = float(preference)
    combination = (get("order"), get("verdict"), get("winner"), get("status", "ok"))
    try:
        winner = meant[combination]
    except KeyError:
        winner = meant[combination] = _meaning(combination)
    except TypeError:
        return None
    if winner is _OFF_THE_MENU:
        return None
    return Row(
        name,
        judge,
        combination[0],
        repeat,
        winner,
        combination[3],
        preference,
        reply,
        category,
        cluster,
        _contestants(value) if "candidate" in value else None,
    )


def _text(value: Any) -> bool:
    return value is None or type(value) is str


def _count(value: Any) -> bool:
    return value is None or (type(value) is int and value >= 0)


def _contestants(value: Mapping[str, Any]) -> tuple[str, str] | None:
    """Who is compared, where a line says so."""
    candidate, baseline = value.get("candidate"), value.get("baseline")
    return (candidate, baseline) if isinstance(candidate, str) and isinstance(baseline, str) else None


def _meaning(combination: _Combination) -> Any:
    """The winner that this combination means to a record, or the mark that a record refuses it."""
    order, verdict, winner, status = combination
    try:
        found = {"id": "-", "judge": "-", "order": order, "verdict": verdict, "winner": winner, "status": status}
        return JudgmentRecord.model_validate(found).winner
    except ValidationError:
        return _OFF_THE_MENU


def _checked(line: str) -> Row | None:
    """What the record itself makes of a line; ids keep the text of their numbers, as `read_lines` reads them."""
    try:
        return row_of(JudgmentRecord.model_validate(json.loads(line, parse_float=Decimal)))
    except ValidationError:
        return None


def _refuse_other_kinds(path: Path) -> None:
    """Raise InputError where no line of a file is a judgment, and its first is another record."""
    first: type[Record] | None = None
    for kind in _kinds(path):
        if kind is JudgmentRecord:
            return
        first = first or kind
    if first is not None:
        what = f"holds {first.__name__.removesuffix('Record').lower()}s; agree takes runs and files of judgments"
        raise InputError([Problem(path=str(path), what=what)])


def _kinds(path: Path) -> Iterator[type[Record]]:
    for _, value in read_lines(path):
        kind = JudgmentRecord if isinstance(value, Problem) else kind_of(value)
        # What is no JSON, or has the keys of no record, says of itself what it lacks.
        lost = kind is PromptRecord and isinstance(value, dict) and not {"prompt", "turns"} & value.keys()
        yield JudgmentRecord if lost else kind
