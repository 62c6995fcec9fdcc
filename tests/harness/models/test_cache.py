"""The reply cache: what it keeps, what it refuses to read, and that processes may share it."""

from __future__ import annotations

import contextlib
import os
import pickle
import sqlite3
import subprocess
import sys
import textwrap
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from diskcache.core import DBNAME, MODE_BINARY, MODE_PICKLE, MODE_RAW, MODE_TEXT
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import InputError
from harness.models.cache import ReplyCache, cache_key, default_folder, provenance
from harness.models.disk import JsonDisk, RefusedRow, decode, encode
from judges.types import Message, Reply, Request, Sampling, Usage

REQUEST = Request(messages=(Message(role="user", content="Hi"),), sampling=Sampling())
IDENTITY = {"provider": "openai", "url": "http://h/v1", "model": "m"}
KEY = cache_key(IDENTITY, REQUEST)
REPLY = Reply(text="Hello", usage=Usage(input_tokens=3, output_tokens=2), applied={"max_tokens": 5}, model="m-1")


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[ReplyCache]:
    with contextlib.closing(ReplyCache(tmp_path)) as opened:
        yield opened


def stored(cache: ReplyCache, key: str = KEY, reply: Reply = REPLY) -> None:
    cache.put(key, reply, source=provenance(IDENTITY, REQUEST))
    cache.flush()


def change(folder: Path, statement: str, *values: object) -> None:
    """Change the database beneath the cache, as somebody else might."""
    with contextlib.closing(sqlite3.connect(folder / DBNAME, isolation_level=None)) as connection:
        assert connection.execute(statement, values).rowcount


class Trap:
    """What runs where it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.mkdir, (str(self.target),)


def test_what_is_put_is_read_back_marked_as_cached(cache: ReplyCache) -> None:
    stored(cache)
    found = cache.get(KEY)
    assert found is not None
    assert (found.text, found.usage, found.applied, found.cached) == ("Hello", REPLY.usage, {"max_tokens": 5}, True)
    assert cache.get("0" * 64) is None


def test_what_is_pending_can_be_read_at_once(cache: ReplyCache) -> None:
    cache.put(KEY, REPLY)
    found = cache.get(KEY)
    assert found is not None
    assert found.text == "Hello"


def test_the_last_one_put_counts(cache: ReplyCache) -> None:
    for text in ("one", "two", "three"):
        cache.put(KEY, Reply(text=text))
    cache.flush()
    found = cache.get(KEY)
    assert found is not None
    assert found.text == "three"


@settings(max_examples=15, deadline=None)
@given(
    text=st.text() | st.text(min_size=1).map(lambda text: text * 100_000),
    applied=st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text()),
)
def test_any_reply_survives(tmp_path_factory: pytest.TempPathFactory, text: str, applied: dict[str, object]) -> None:
    reply = Reply(text=text, applied=applied, latency_s=0.25)
    folder = tmp_path_factory.mktemp("cache")
    with contextlib.closing(ReplyCache(folder)) as cache:
        cache.put(KEY, reply)
    with contextlib.closing(ReplyCache(folder)) as cache:
        found = cache.get(KEY)
        assert cache.verify() == []
    assert found is not None
    assert (found.text, found.applied, found.latency_s) == (text, applied, 0.25)


def test_a_program_that_ends_without_closing_loses_nothing(tmp_path: Path) -> None:
    script = f"""
        from pathlib import Path
        from harness.models.cache import ReplyCache
        from judges.types import Reply
        ReplyCache(Path({str(tmp_path)!r})).put({KEY!r}, Reply(text="kept"))
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, timeout=60)
    with contextlib.closing(ReplyCache(tmp_path)) as cache:
        found = cache.get(KEY)
    assert found is not None
    assert found.text == "kept"


@pytest.mark.parametrize("in_a_file", [False, True])
def test_a_pickled_value_is_never_unpickled(tmp_path: Path, cache: ReplyCache, in_a_file: bool) -> None:
    sprung = tmp_path / "sprung"
    payload = pickle.dumps(Trap(sprung))
    stored(cache)
    if in_a_file:
        (tmp_path / "poison.val").write_bytes(payload)
        change(tmp_path, "UPDATE Cache SET mode = ?, filename = ?, value = NULL", MODE_PICKLE, "poison.val")
    else:
        change(tmp_path, "UPDATE Cache SET mode = ?, value = ?", MODE_PICKLE, payload)
    assert cache.get(KEY) is None
    assert "cannot be trusted" in cache.warnings[0]
    assert "neither bytes nor text" in cache.verify()[0]
    assert not sprung.exists()
    # The trap is a real one: the stock disk would have walked into it.
    pickle.loads(payload)  # noqa: S301
    assert sprung.exists()


def test_a_pickled_key_is_never_unpickled(tmp_path: Path, cache: ReplyCache) -> None:
    sprung = tmp_path / "sprung"
    stored(cache)
    change(tmp_path, "UPDATE Cache SET key = ?, raw = 0", pickle.dumps(Trap(sprung)))
    assert cache.get(KEY) is None
    assert "its key is not plain text" in cache.verify()[0]
    with pytest.raises(RefusedRow):
        list(cache._cache)
    assert cache.clear() == 1
    assert not sprung.exists()


@pytest.mark.parametrize("mode", [MODE_BINARY, MODE_TEXT])
def test_a_file_outside_the_folder_is_neither_read_nor_removed(tmp_path: Path, mode: int) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(encode({"key": KEY, "reply": {}}))
    with contextlib.closing(ReplyCache(tmp_path / "cache")) as cache:
        stored(cache)
        change(cache.folder, "UPDATE Cache SET mode = ?, filename = ?, value = NULL", mode, "../outside")
        assert cache.get(KEY) is None
        assert "outside the cache's folder" in cache.verify()[0]
        cache.clear()
    assert outside.exists()


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"no zlib", "no compressed JSON"),
        (zlib.compress(b"{broken"), "no compressed JSON"),
        (encode({"key": KEY})[:-4], "cut off or too large"),
        (encode("a text"), "holds no reply"),
        (encode({"key": "another", "reply": {}}), "not that of its question"),
        (encode({"key": KEY, "reply": {}, "source": provenance({}, REQUEST)}), "not that of its question"),
    ],
)
def test_a_damaged_row_is_missing_and_found_by_verify(
    tmp_path: Path, cache: ReplyCache, data: bytes, found: str
) -> None:
    stored(cache)
    change(tmp_path, "UPDATE Cache SET mode = ?, value = ?", MODE_RAW, data)
    assert found in cache.verify()[0]
    assert cache.get(KEY) is None
    stored(cache)
    assert cache.verify() == []
    assert cache.get(KEY) is not None


def test_a_bomb_is_not_unpacked() -> None:
    with pytest.raises(RefusedRow, match="too large"):
        decode(zlib.compress(b"0" * (80 * 1024 * 1024)))


@pytest.mark.parametrize("key", [b"bytes", 5, 1.5, ("a", "tuple"), None])
def test_a_key_that_is_no_text_is_refused(tmp_path: Path, key: object) -> None:
    with pytest.raises(RefusedRow):
        JsonDisk(str(tmp_path)).put(key)


def test_statistics_and_clearing(cache: ReplyCache) -> None:
    for number in range(300):
        cache.put(f"{number:064d}", REPLY)
    stats = cache.stats()
    assert (stats["entries"], stats["folder"]) == (300, str(cache.folder))
    assert stats["bytes"] > 300 * 50
    assert cache.clear() == 300
    assert cache.stats()["entries"] == 0


def test_a_large_reply_lies_in_a_file_and_goes_with_clearing(tmp_path: Path, cache: ReplyCache) -> None:
    stored(cache, reply=Reply(text=os.urandom(1_500_000).hex()))
    assert [path.suffix for path in tmp_path.rglob("*.val")] == [".val"]
    assert cache.verify() == []
    cache.clear()
    assert list(tmp_path.rglob("*.val")) == []


def test_a_full_disk_loses_no_reply_and_is_said_once(tmp_path: Path) -> None:
    with contextlib.closing(ReplyCache(tmp_path)) as cache:
        stored(cache)
    # SQLite itself reports a full disk where a database may not grow.
    change(tmp_path, "INSERT INTO Settings VALUES ('sqlite_max_page_count', 1)")
    said: list[str] = []
    with contextlib.closing(ReplyCache(tmp_path, say=said.append)) as cache:
        for number in range(200):
            cache.put(f"{number:064d}", Reply(text=os.urandom(500).hex()))
            cache.flush()
        assert cache.get(KEY) is not None
    assert len(said) == 1
    assert "full" in said[0]


def test_a_folder_that_cannot_be_made_is_refused_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match=r"cannot be opened .*; set HARNESS_CACHE_DIR"):
        ReplyCache(tmp_path / "file" / "cache")


def test_a_database_that_is_none_is_refused_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / DBNAME).write_bytes(b"this is no database at all, but long enough to be looked at" * 50)
    with pytest.raises(InputError, match=r"cannot be opened \(file is not a database\); set HARNESS_CACHE_DIR"):
        ReplyCache(tmp_path)


def test_verify_reports_a_damaged_database(tmp_path: Path) -> None:
    with contextlib.closing(ReplyCache(tmp_path)) as cache:
        for number in range(500):
            cache.put(f"{number:064d}", REPLY)
    with (tmp_path / DBNAME).open("r+b") as file:
        file.seek(20 * 4096)
        file.write(os.urandom(8 * 4096))
    with contextlib.closing(ReplyCache(tmp_path)) as cache:
        assert cache.verify()


def test_the_folder_comes_from_the_environment(tmp_path: Path) -> None:
    assert default_folder({"HARNESS_CACHE_DIR": str(tmp_path)}) == tmp_path
    assert default_folder({}).name == "judge-harness"


def test_two_processes_share_a_cache(tmp_path: Path) -> None:
    script = """
        import sys
        from pathlib import Path
        from harness.models.cache import ReplyCache
        from judges.types import Reply
        folder, mine, other = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
        cache = ReplyCache(folder)
        for number in range(400):
            cache.put(f"{mine}{number}", Reply(text=f"{mine} wrote {number}"))
            cache.put(f"both{number}", Reply(text="the same"))
            seen = cache.get(f"{other}{number}")
            assert seen is None or seen.text == f"{other} wrote {number}", seen
        cache.close()
        assert not cache.warnings, cache.warnings
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)]
    both = [subprocess.Popen([*command, *names]) for names in (("a", "b"), ("b", "a"))]
    assert [process.wait(60) for process in both] == [0, 0]
    with contextlib.closing(ReplyCache(tmp_path)) as cache:
        assert cache.stats()["entries"] == 1200
        assert cache.verify() == []
        found = cache.get("b399")
    assert found is not None
    assert found.text == "b wrote 399"
