"""Rows of CSV, JSONL, JSON (a list) and Parquet files, each with the line it begins on.

It says what a row holds, not what that means. Every problem of a file is found at once: bad UTF-8, torn lines, rows of
another width, no rows at all. In Parquet the "line" is the row, counted from 1.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import InputError, Problem
from harness.records import Decimal, read_lines
from harness.tasks.values import Split
from harness.yamlfile import read_text

Line = tuple[int, dict[str, Any]]
_LONGEST_CELL = 2**31 - 1
SUFFIXES = (".csv", ".jsonl", ".json", ".parquet")


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """The rows of a file, or of one split of a dataset.

    `path` is how problems name it, `name` how places do; `columns` are all that any row has; `names` the labels that
    integers of a column stand for, where the file says so. `split` is what it was given as.
    """

    path: str
    name: str
    sha256: str
    rows: tuple[Line, ...]
    split: Split | None = None
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for _, row in self.rows for name in row))


def read(path: Path, split: Split | None = None) -> Table:
    """The rows of a file, by its suffix. Raises InputError with every problem of it, also where it holds no row."""
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        what = f"ends in {path.suffix or 'nothing'}; give a file that ends in {', '.join(SUFFIXES)}"
        raise InputError([Problem(path=str(path), what=what)])
    rows: list[Line] = []
    problems: list[Problem] = []
    for line, found in reader(path):
        if isinstance(found, str):
            problems.append(Problem(path=str(path), line=line, what=found))
        elif isinstance(found, Problem):
            problems.append(found)
        else:
            rows.append((line, found))
    if not rows and not problems:
        problems.append(Problem(path=str(path), what="holds no rows; it needs at least one"))
    if problems:
        raise InputError(problems)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return Table(path=str(path), name=path.name, sha256=sha256, rows=tuple(rows), split=split)


Found = Iterator[tuple[int, dict[str, Any] | str | Problem]]


def _jsonl(path: Path) -> Found:
    yield from read_lines(path)


def _json(path: Path) -> Found:
    """The objects of a JSON list, one by one, so that each has its line."""
    text = read_text(path)
    at = _blank(text, 0)
    if text[at : at + 1] != "[":
        what = "holds no JSON list" if text.strip() else "is empty"
        yield _line(text, at), f"{what}; write a list of objects, or save one object a line as .jsonl"
        return
    at = _blank(text, at + 1)
    while text[at : at + 1] != "]":
        try:
            value, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            place = getattr(error, "pos", at)
            yield _line(text, place), f"is not JSON: {getattr(error, 'msg', error)}; mend the line"
            return
        yield _line(text, at), value if isinstance(value, dict) else f"is no JSON object; found {value!r:.60}"
        at = _blank(text, end)
        if text[at : at + 1] == ",":
            at = _blank(text, at + 1)
        elif text[at : at + 1] != "]":
            yield _line(text, at), "is not JSON: a comma or the end of the list is missing; the file may be torn"
            return
    if text[at + 1 :].strip():
        yield _line(text, _blank(text, at + 1)), "is not JSON: something follows the list; remove it"


def _csv(path: Path) -> Found:
    text = read_text(path)
    # The library's own limit of a cell, 128 KiB, is less than a document may have.
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] | None = None
    begin = 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield begin, f"is not CSV: {error}; look for a quotation mark that is not closed"
            return
        if cells is None:
            return
        line, begin = begin, reader.line_num + 1
        if not cells:
            continue
        if header is None:
            header = cells
            twice = sorted({name for name in header if header.count(name) > 1})
            if twice:
                yield line, f"the column {twice[0]!r} stands twice in the header; rename one"
                return
        elif len(cells) != len(header):
            yield line, f"has {len(cells)} cells, and the header {len(header)}; quote cells that hold commas"
        else:
            yield line, dict(zip(header, cells, strict=True))


def _parquet(path: Path) -> Found:
    # What cannot be opened is said as of every other file.
    try:
        path.open("rb").close()
    except OSError as error:
        raise InputError([Problem(path=str(path), what=f"cannot be read: {error.strerror or error}")]) from None
    try:
        import pyarrow.lib
        import pyarrow.parquet
    except ImportError:
        what = "Parquet files need pyarrow; install judge-harness[train], or save the file as CSV or JSONL"
        raise InputError([Problem(path=str(path), what=what)]) from None
    try:
        # A folder's name must not become a column.
        rows = pyarrow.parquet.read_table(path, partitioning=None).to_pylist()
    except (pyarrow.lib.ArrowException, OSError) as error:
        detail = str(error).splitlines()[0][:120]
        raise InputError([Problem(path=str(path), what=f"is not Parquet: {detail}; write it again")]) from None
    yield from enumerate(rows, 1)


_READERS = {".jsonl": _jsonl, ".json": _json, ".csv": _csv, ".parquet": _parquet}


def _blank(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON; use null")


_DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_float=Decimal)
