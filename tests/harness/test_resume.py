"""Resuming equals running once, wherever the journals were torn."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import verbs
from harness.launch import Options
from tests.command import world
from tests.published import lines, write_lines

JOURNALS = ("responses.jsonl", "judgments.jsonl", "controls.jsonl")
RESULTS = ("summary.json", "report.md")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run by judges that ask nobody: two known biases, a coin, and the rubric."""
    folder = tmp_path_factory.mktemp("finished")
    suite = world(folder, 10, judges="[rubric, control/longest, control/random]")
    checks = [{"kind": "length", "min": 6}, {"kind": "form", "pattern": r"Dish \d+ (simmers slowly|is cooked).*\."}]
    rows = [row | {"checks": checks} for row in lines(folder / "prompts.jsonl")]
    write_lines(folder / "prompts.jsonl", rows)
    code = verbs.run(str(suite), Options(), out=folder / "run", as_json=True, resolve=lambda spec, _: spec)
    assert code in (0, 3)
    return folder / "run"


@given(cuts=st.tuples(*[st.floats(0, 1)] * 3))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_resuming_equals_running_once(finished, cuts, capsys):
    with tempfile.TemporaryDirectory() as place:
        run = Path(shutil.copytree(finished, Path(place) / "run"))
        for name, share in zip(JOURNALS, cuts, strict=True):
            whole = (run / name).read_bytes()
            (run / name).write_bytes(whole[: int(share * len(whole))])
        for name in RESULTS:
            (run / name).unlink()
        verbs.resume(run, concurrency=4, as_json=True)
        for name in RESULTS:
            assert (run / name).read_bytes() == (finished / name).read_bytes()
        for name in JOURNALS:
            assert sorted((run / name).read_text().splitlines()) == sorted((finished / name).read_text().splitlines())


def test_a_finished_run_is_left_as_it_is(finished, tmp_path, capsys):
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    verbs.resume(run, concurrency=4, as_json=True)
    for name in (*JOURNALS, *RESULTS, "report.html"):
        assert (run / name).read_bytes() == (finished / name).read_bytes()


def test_swapping_the_contestants_mirrors_the_run(finished, tmp_path, capsys):
    import json

    source = finished.parent
    arguments = Options(candidate=f"recorded/{source}/baseline.jsonl", baseline=f"recorded/{source}/candidate.jsonl")
    verbs.run(str(source / "suite.yaml"), arguments, out=tmp_path / "run", as_json=True, resolve=lambda spec, _: spec)
    here, there = (json.loads((run / "summary.json").read_text())["judges"] for run in (finished, tmp_path / "run"))
    for judge in ("rubric", "control/longest"):
        assert (there[judge]["wins"], there[judge]["losses"]) == (here[judge]["losses"], here[judge]["wins"])
        assert there[judge]["win_rate"] == pytest.approx(1 - here[judge]["win_rate"])
