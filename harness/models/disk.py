"""How cached values lie on disk: JSON, compressed by zlib, under text keys. Nothing is ever unpickled.

The stock disk of diskcache turns a row of pickle mode back into objects, and so runs whatever it holds. This one
refuses every row whose mode is not raw bytes, a file of bytes or a file of text, every key that is no text, every
file outside the cache's folder, and a value that would unpack to more than 64 MiB.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

from diskcache import Disk
from diskcache.core import MODE_BINARY, MODE_RAW, MODE_TEXT, UNKNOWN

LARGEST = 64 * 1024 * 1024
LEVEL = 3


class RefusedRow(Exception):
    """A row of the cache that is not ours to read."""


class JsonDisk(Disk):  # type: ignore[misc]
    """Text keys, compressed JSON values."""

    def put(self, key: Any) -> tuple[str, bool]:
        """The stored form of a key. Raises RefusedRow where it is no text."""
        if type(key) is not str:
            raise RefusedRow(f"a key must be text, found {type(key).__name__}")
        return key, True

    def get(self, key: Any, raw: Any) -> str:
        """A key from its stored form. Raises RefusedRow where it is no text, or was pickled."""
        if raw not in (1, True) or type(key) is not str:
            raise RefusedRow("a key that is not plain text")
        return key

    def store(self, value: Any, read: bool, key: Any = UNKNOWN) -> Any:
        """Size, mode, file name and value of a row. Raises RefusedRow for a stream."""
        if read:
            raise RefusedRow("a stream cannot be stored")
        return super().store(encode(value), False, key=key)

    def fetch(self, mode: Any, filename: Any, value: Any, read: bool) -> Any:
        """The value of a row. Raises RefusedRow where its mode, its file or its content is not ours."""
        if read:
            raise RefusedRow("a value cannot be read as a stream")
        return decode(payload(Path(self._directory), mode, filename, value))

    def remove(self, file_path: Any) -> None:
        """Delete a value's file; one outside the folder stays."""
        if within(Path(self._directory), file_path) is not None:
            super().remove(file_path)


def encode(value: Any) -> bytes:
    """A value as it is stored."""
    return zlib.compress(json.dumps(value, separators=(",", ":")).encode("ascii"), LEVEL)


def decode(data: bytes) -> Any:
    """A stored value. Raises RefusedRow where it is no compressed JSON."""
    try:
        unpacker = zlib.decompressobj()
        text = unpacker.decompress(data, LARGEST)
        if not unpacker.eof:
            raise RefusedRow("a value that is cut off or too large")
        return json.loads(text)
    except (zlib.error, ValueError, RecursionError):
        raise RefusedRow("a value that is no compressed JSON") from None


def payload(folder: Path, mode: Any, filename: Any, value: Any) -> bytes:
    """A row's bytes, from the row or from its file. Raises RefusedRow for another kind, OSError for no file."""
    if mode == MODE_RAW and filename is None and isinstance(value, bytes):
        return value
    if mode in (MODE_BINARY, MODE_TEXT) and value is None:
        path = within(folder, filename)
        if path is None:
            raise RefusedRow("a file outside the cache's folder")
        return path.read_bytes()
    raise RefusedRow(f"a row of mode {mode!r} that is neither bytes nor text")


def within(folder: Path, filename: Any) -> Path | None:
    """The path of a value's file, where it lies inside the folder."""
    if not isinstance(filename, str) or "\0" in filename:
        return None
    path = (folder / filename).resolve()
    return path if path.is_relative_to(folder.resolve()) else None
