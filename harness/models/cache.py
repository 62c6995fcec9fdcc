"""The cache of replies: what was answered once is never asked, or paid, again. Shared by any number of processes.

Nothing is evicted and nothing is unpickled (see `disk`). Writes go through a thread of their own, so that neither a
slow disk nor another process holds up a run. A cache that cannot be opened is refused with the way out; one that
fails later is reported once and done without, for a reply that was paid for must not be lost over it.
"""

from __future__ import annotations

import atexit
import os
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import diskcache

from harness.errors import InputError
from harness.models.cacheaudit import problems
from harness.models.disk import JsonDisk, RefusedRow
from harness.models.keys import cache_key, provenance
from harness.models.writer import Writer
from judges.types import Json, Reply, Usage

__all__ = ["ReplyCache", "cache_key", "default_folder", "provenance"]

INLINE = 1024 * 1024
LOCK_WAIT_S = 20.0
UNBOUNDED = 2**62


def default_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """HARNESS_CACHE_DIR, or judge-harness in the user's cache folder."""
    given = environ.get("HARNESS_CACHE_DIR", "").strip()
    if given:
        return Path(given).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("judge-harness", appauthor=False)


class ReplyCache:
    """Replies by key.

    `say` gets a sentence, once, where the cache stops working, on whichever thread noticed; `warnings` keeps it.
    """

    def __init__(self, folder: Path, *, say: Callable[[str], None] | None = None) -> None:
        """Open the cache in a folder, made where it is missing. Raises InputError where that cannot be done."""
        self.folder, self._say = folder, say
        self.warnings: list[str] = []
        self._cache = _open(folder)
        self._writer = Writer(self._cache, self._write_failed)
        # A program that ends without closing still writes what is pending.
        atexit.register(self.close)

    @classmethod
    def open(cls, *, environ: Mapping[str, str] = os.environ, say: Callable[[str], None] | None = None) -> Self:
        """Open the user's cache. Raises InputError where that cannot be done."""
        return cls(default_folder(environ), say=say)

    def get(self, key: str) -> Reply | None:
        """The reply stored under a key, marked as cached; None where there is none that can be trusted."""
        try:
            row = self._writer.pending.get(key) or self._cache.get(key)
            return None if row is None else _reply(key, row)
        except (RefusedRow, KeyError, TypeError, AttributeError):
            self._warn(f"{self.folder}: the cache holds an answer that cannot be trusted; run `harness cache verify`")
        except (sqlite3.Error, diskcache.Timeout, OSError) as error:
            self._warn(f"{self.folder}: the cache cannot be read ({error}); going on without what it holds")
        return None

    def put(self, key: str, reply: Reply, *, source: Mapping[str, Json] | None = None) -> None:
        """Store a reply, soon. `source` is its provenance, kept so that `verify` can recompute the key."""
        row = {"key": key, "reply": _row(reply), **({"source": dict(source)} if source else {})}
        self._writer.put(key, row)

    def flush(self) -> None:
        """Wait until everything stored so far is on disk, or has failed to get there."""
        self._writer.flush()

    def close(self) -> None:
        """Write what is pending and close. Closing twice does nothing."""
        atexit.unregister(self.close)
        self._writer.close()
        self._cache.close()

    def stats(self) -> dict[str, Json]:
        """Entries, bytes on disk, and the folder. Raises InputError where the database cannot be read."""
        self.flush()
        try:
            return {"entries": len(self._cache), "bytes": int(self._cache.volume()), "folder": str(self.folder)}
        except sqlite3.Error as error:
            raise InputError(f"{self.folder}: the cache cannot be read ({error}); run `harness cache clear`") from None

    def clear(self) -> int:
        """Remove every entry; how many there were. Raises InputError where the disk refuses."""
        self.flush()
        try:
            return int(self._cache.clear())
        except diskcache.Timeout:
            raise InputError(f"{self.folder}: another process is writing to the cache; try again later") from None
        except (sqlite3.Error, OSError) as error:
            raise InputError(f"{self.folder}: the cache cannot be cleared ({error}); remove the folder") from None

    def verify(self) -> list[str]:
        """Every problem found in every row, one sentence each; nothing is changed and nothing unpickled."""
        self.flush()
        return problems(self.folder)

    def _write_failed(self, error: Exception) -> None:
        self._warn(f"{self.folder}: answers can no longer be cached ({error}); going on without, nothing is lost")

    def _warn(self, text: str) -> None:
        if text in self.warnings:
            return
        self.warnings.append(text)
        if self._say is not None:
            self._say(text)


def _open(folder: Path) -> Any:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return diskcache.Cache(
            str(folder),
            timeout=LOCK_WAIT_S,
            disk=JsonDisk,
            disk_min_file_size=INLINE,
            eviction_policy="none",
            size_limit=UNBOUNDED,
            cull_limit=0,
            statistics=0,
            tag_index=0,
        )
    except (OSError, sqlite3.Error, diskcache.Timeout, TypeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(
            f"{folder}: the cache cannot be opened ({reason}); set HARNESS_CACHE_DIR to a folder that can be written"
        ) from None


def _row(reply: Reply) -> dict[str, Json]:
    usage = reply.usage
    row = {name: getattr(reply, name) for name in ("text", "finish", "model", "latency_s")}
    return {**row, "applied": dict(reply.applied), "usage": asdict(usage) if usage else None}


def _reply(key: str, row: Mapping[str, Json]) -> Reply:
    if row["key"] != key:
        raise RefusedRow("an answer under another question's key")
    reply = row["reply"]
    usage = Usage(**reply["usage"]) if reply["usage"] else None
    return Reply(**{**reply, "usage": usage, "cached": True})
