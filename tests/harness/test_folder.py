"""A run's folder appears whole, is locked by the kernel, and is never overwritten."""

import subprocess
import sys
import textwrap

import pytest

from harness import folder
from harness.errors import HarnessError, InputError

MANIFEST = {"suite": {"name": "s"}, "complete": False}


def test_the_folder_appears_with_its_plan_inside(tmp_path):
    out = tmp_path / "deep" / "run"
    with folder.create(out, MANIFEST) as path:
        assert path == out
        assert folder.read_manifest(out) == MANIFEST
    assert sorted(p.name for p in out.parent.iterdir()) == ["run"]


def test_a_run_is_never_overwritten(tmp_path):
    with folder.create(tmp_path / "run", MANIFEST):
        pass
    with (
        pytest.raises(InputError, match=r"holds a run already; `harness resume .*run` goes on with it"),
        folder.create(tmp_path / "run", MANIFEST),
    ):
        pass


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(InputError, match="is there already and is no run"), folder.create(tmp_path, MANIFEST):
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_an_empty_folder_may_be_given(tmp_path):
    (tmp_path / "run").mkdir()
    with folder.create(tmp_path / "run", MANIFEST) as path:
        assert (path / "manifest.json").exists()


def test_a_second_process_is_refused_and_a_killed_one_leaves_no_lock(tmp_path):
    run = tmp_path / "run"
    with folder.create(run, MANIFEST):
        pass
    program = f"""
        import time
        from pathlib import Path
        from harness import folder
        with folder.reopen(Path({str(run)!r})):
            print("locked", flush=True)
            time.sleep(60)
    """
    holder = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "locked\n"
    with pytest.raises(HarnessError, match="another process is working on this run"), folder.reopen(run):
        pass
    holder.kill()
    holder.wait()
    with folder.reopen(run) as manifest:
        assert manifest == MANIFEST


def test_what_is_no_run_is_said(tmp_path):
    with pytest.raises(InputError, match=r"holds no run \(no manifest.json\)"):
        folder.read_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        folder.read_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text('{"kind": "sft"}')
    with pytest.raises(InputError, match="is not the manifest of a run"):
        folder.read_manifest(tmp_path)


def test_a_file_is_replaced_whole(tmp_path):
    folder.write_whole(tmp_path / "x", "one")
    folder.write_whole(tmp_path / "x", "two")
    assert (tmp_path / "x").read_text() == "two"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]
