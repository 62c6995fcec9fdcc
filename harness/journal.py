"""The append-only journal of a run: every response and judgment as it arrives, by one writer.

Lines reach the operating system at most 0.2 s after they arrive, so `kill -9` loses only what was in flight. A line
torn by a crash or a full disk is repaired when the journal is opened again, never fatal.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import RunStopped

FLUSH_S = 0.1


def repair(path: Path) -> bool:
    """Mend a torn last line: complete it where it is whole JSON, else cut it off. True where something was mended."""
    if not path.exists() or path.stat().st_size == 0:
        return False
    with path.open("rb+") as file:
        start = _last_line(file)
        file.seek(start)
        tail = file.read()
        if tail.endswith(b"\n"):
            return False
        try:
            whole = isinstance(json.loads(tail), dict)
        except ValueError:
            whole = False
        if whole:
            file.write(b"\n")
        else:
            file.truncate(start)
    return True


def _last_line(file: Any) -> int:
    """Where the last line of a binary file begins (a final newline belongs to the line it ends)."""
    end = file.seek(0, os.SEEK_END)
    position = end - 1
    while position > 0:
        step = min(65536, position)
        file.seek(position - step)
        at = file.read(step).rfind(b"\n")
        if at >= 0:
            return int(position - step + at + 1)
        position -= step
    return 0


class Journal:
    """Appends JSON lines to a run's files. One writer: every append goes through this object's buffer.

    A write that fails (full disk) stops the run with RunStopped; what was written before stays.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting: dict[str, list[bytes]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._files: dict[str, int] = {}
        self._failed: RunStopped | None = None

    def append(self, name: str, record: Mapping[str, Any]) -> None:
        """Queue one record for the file `name`; it is on disk within 0.2 s. Needs a running event loop."""
        if self._failed is not None:
            raise self._failed
        line = json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(", ", ": "))
        # A lone surrogate cannot be UTF-8; a model's reply may hold one.
        self._waiting.setdefault(name, []).append(line.encode("utf-8", "replace") + b"\n")
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_S, self._tick)

    def _tick(self) -> None:
        self._timer = None
        try:
            self.flush()
        except RunStopped:
            # The next append raises it where somebody can hear it.
            return

    def flush(self) -> None:
        """Write everything queued. Raises RunStopped where the disk refuses."""
        if self._failed is not None:
            raise self._failed
        for name, lines in self._waiting.items():
            if lines:
                self._write(name, b"".join(lines))
                lines.clear()

    def _write(self, name: str, data: bytes) -> None:
        try:
            if name not in self._files:
                flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
                self._files[name] = os.open(self._folder / name, flags, 0o644)
            while data:
                data = data[os.write(self._files[name], data) :]
        except OSError as error:
            self._failed = RunStopped(
                f"{self._folder / name}: cannot be written: {error.strerror}; what was written before is kept, "
                f"free some space and run `harness resume {self._folder}`"
            )
            raise self._failed from None

    def close(self) -> None:
        """Write what is queued, force it to disk and close. Raises RunStopped where the disk refuses."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        try:
            if self._failed is None:
                self.flush()
                for descriptor in self._files.values():
                    os.fsync(descriptor)
        finally:
            for descriptor in self._files.values():
                os.close(descriptor)
            self._files.clear()
