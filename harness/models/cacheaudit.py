"""Reads a whole cache and says what in it cannot be trusted. Changes nothing, unpickles nothing.

Looks at the database beneath diskcache directly and read-only, since the cache itself would hide such rows.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from diskcache.core import DBNAME

from harness.models.disk import RefusedRow, decode, payload
from harness.models.keys import key_of

_ROWS = "SELECT rowid, CASE typeof(key) WHEN 'text' THEN key END, raw, mode, filename, value FROM Cache ORDER BY rowid"


def problems(folder: Path) -> list[str]:
    """Every problem of a cache's folder, one sentence each."""
    database = folder / DBNAME
    try:
        with contextlib.closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            return [f"{database}: {what}" for what in _found(connection, folder)]
    except sqlite3.Error as error:
        return [f"{database}: the database cannot be read ({error}); `harness cache clear` or remove the folder"]


def _found(connection: sqlite3.Connection, folder: Path) -> Iterator[str]:
    for (said,) in connection.execute("PRAGMA integrity_check"):
        if said != "ok":
            yield f"the database is damaged ({said})"
    # A key that is no UTF-8 must be reported, not end the audit.
    connection.text_factory = bytes
    for row, key, raw, mode, filename, value in connection.execute(_ROWS):
        what = _problem(folder, key, raw, mode, filename, value)
        if what is not None:
            yield f"entry {row}: {what}"


def _problem(folder: Path, key: Any, raw: Any, mode: Any, filename: Any, value: Any) -> str | None:
    if raw != 1 or not isinstance(key, bytes):
        return "its key is not plain text, so it was not written by this program"
    name = filename.decode("utf-8", "replace") if isinstance(filename, bytes) else filename
    try:
        row = decode(payload(folder, mode, name, value))
    except RefusedRow as refused:
        return f"{refused}; it is never read"
    except OSError:
        return "its file is missing"
    return _mismatch(key.decode("ascii", "replace"), row)


def _mismatch(key: str, row: Any) -> str | None:
    if not isinstance(row, dict) or not isinstance(row.get("reply"), dict):
        return "it holds no reply"
    if row.get("key") != key or ("source" in row and key_of(row["source"]) != key):
        return f"it lies under the key {key[:12]}…, which is not that of its question"
    return None
