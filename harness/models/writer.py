"""Writes to the cache behind the caller's back: a thread gathers what was put and stores it in batches.

What is pending can be read at once in this process; other processes see it within a fraction of a second. The first
failure is reported and ends the writing; it refuses nothing and loses no reply, since the caller has it.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable
from typing import Any

import diskcache

GATHER_S = 0.05
BATCH = 500
FLUSH_LIMIT_S = 60.0


class Writer:
    """One thread that writes rows into a cache. `pending` holds what is not there yet."""

    def __init__(self, cache: Any, failed: Callable[[Exception], None]) -> None:
        self._cache, self._failed = cache, failed
        self.pending: dict[str, Any] = {}
        self._state = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = self._broken = False

    def put(self, key: str, row: Any) -> None:
        """Have a row written soon; after a failure or after closing it is dropped."""
        with self._state:
            if self._broken or self._closing:
                return
            self.pending[key] = row
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="reply-cache", daemon=True)
                self._thread.start()
            elif len(self.pending) == 1:
                self._state.notify_all()

    def flush(self) -> None:
        """Wait until nothing is pending."""
        with self._state:
            self._state.wait_for(lambda: not self.pending, timeout=FLUSH_LIMIT_S)

    def close(self) -> None:
        """Write what is pending and end the thread."""
        with self._state:
            self._closing = True
            self._state.notify_all()
        if self._thread is not None:
            self._thread.join(FLUSH_LIMIT_S)

    def _work(self) -> None:
        try:
            while self._wait():
                self._write(self._batch())
        except (sqlite3.Error, diskcache.Timeout, OSError) as error:
            self._give_up(error)
        finally:
            with contextlib.suppress(sqlite3.Error):
                # Each thread has a connection of its own.
                self._cache.close()

    def _wait(self) -> bool:
        """Wait for work, and a moment longer for more of it. False where there will be none."""
        with self._state:
            self._state.wait_for(lambda: self.pending or self._closing)
            if not self._closing:
                self._state.wait_for(lambda: self._closing, timeout=GATHER_S)
            return bool(self.pending)

    def _batch(self) -> list[tuple[str, Any]]:
        with self._state:
            return list(self.pending.items())[:BATCH]

    def _write(self, batch: list[tuple[str, Any]]) -> None:
        with self._cache.transact():
            for key, row in batch:
                self._cache.set(key, row)
        with self._state:
            for key, row in batch:
                if self.pending.get(key) is row:
                    del self.pending[key]
            self._state.notify_all()

    def _give_up(self, error: Exception) -> None:
        with self._state:
            self._broken = True
            self.pending.clear()
            self._state.notify_all()
        self._failed(error)
