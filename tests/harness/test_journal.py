"""Lines arrive soon, torn lines are mended, and a full disk stops the run without losing what was written."""

import asyncio
import json
import subprocess
import sys
import textwrap
import time

from hypothesis import given
from hypothesis import strategies as st

from harness.journal import Journal, repair


def test_lines_are_on_disk_within_the_promised_time(tmp_path):
    async def work():
        journal = Journal(tmp_path)
        journal.append("a.jsonl", {"id": "1"})
        started = time.monotonic()
        while not (tmp_path / "a.jsonl").exists():
            assert time.monotonic() - started < 0.2
            await asyncio.sleep(0.01)
        journal.close()

    asyncio.run(work())
    assert (tmp_path / "a.jsonl").read_text() == '{"id": "1"}\n'


def test_what_was_queued_is_written_at_the_end(tmp_path):
    async def work():
        journal = Journal(tmp_path)
        for number in range(1000):
            journal.append("a.jsonl", {"id": number, "text": "ü\n\ud800"})
        journal.close()

    asyncio.run(work())
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == list(range(1000))


@given(st.lists(st.integers(0, 9), max_size=5), st.integers(0, 60))
def test_whatever_is_torn_off_the_rest_is_whole(tmp_path_factory, ids, kept):
    path = tmp_path_factory.mktemp("torn") / "a.jsonl"
    whole = "".join(json.dumps({"id": number, "text": "x" * number}) + "\n" for number in ids).encode()
    path.write_bytes(whole[: len(whole) - min(kept, len(whole))])
    before = path.read_bytes()
    repair(path)
    after = path.read_bytes()
    assert after == b"" or after.endswith(b"\n")
    lines = after.decode().splitlines()
    assert [json.loads(line)["id"] for line in lines] == ids[: len(lines)]
    assert len(lines) >= before.count(b"\n")
    assert not repair(path)


def test_a_file_that_is_one_torn_line_becomes_empty(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": "1", "te')
    assert repair(path)
    assert path.read_text() == ""
    assert not repair(tmp_path / "missing.jsonl")


def test_a_long_last_line_is_found(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": "1"}\n{"id": "' + "x" * 300_000)
    assert repair(path)
    assert path.read_text() == '{"id": "1"}\n'


def test_a_full_disk_is_one_sentence_and_keeps_what_was_written(tmp_path):
    program = f"""
        import asyncio, resource, signal
        from pathlib import Path
        from harness.errors import RunStopped
        from harness.journal import Journal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))

        async def work():
            journal = Journal(Path({str(tmp_path)!r}))
            try:
                for number in range(1000):
                    journal.append("a.jsonl", {{"id": number, "text": "y" * 50}})
                    await asyncio.sleep(0.005)
            finally:
                journal.close()

        try:
            asyncio.run(work())
        except RunStopped as error:
            print(error)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert "cannot be written: File too large; what was written before is kept" in done.stdout
    repair(tmp_path / "a.jsonl")
    rows = [json.loads(line)["id"] for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert rows == list(range(len(rows)))
    assert len(rows) > 50
