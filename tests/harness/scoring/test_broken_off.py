"""Score runs that break off, and contestants and judges that fail: kept, counted, resumed to the same bytes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.command import command, environment, harness, interruptible
from tests.harness.scoring.made import MIX, SIDES, Kitchen, flat, policy, suite
from tests.loopback import Fault, Loopback
from tests.published import lines, write_lines

RESULTS = ("summary.json", "report.md", "report.html")


@pytest.mark.parametrize("cut", [0.3, *(pytest.param(cut, marks=pytest.mark.chaos) for cut in (0.0, 0.77))])
def test_a_run_cut_anywhere_is_resumed_to_the_same_bytes(kitchen, tmp_path, cut):
    run = Path(shutil.copytree(kitchen.folder / "first", tmp_path / "run"))
    for name in ("responses.jsonl", "scores.jsonl", "scores_baseline.jsonl"):
        whole = (run / name).read_bytes()
        (run / name).write_bytes(whole[: int(cut * len(whole))])
    for name in RESULTS:
        (run / name).unlink()
    before = kitchen.asked
    done = kitchen("resume", run, "--json")
    # What the torn lines held comes from the cache.
    assert (done.code, done.json, kitchen.asked) == (0, kitchen.first, before)
    for name in RESULTS:
        assert (run / name).read_bytes() == (kitchen.folder / "first" / name).read_bytes(), name
    assert json.loads((run / "manifest.json").read_text())["complete"]


@pytest.mark.parametrize("after", [50, pytest.param(10, marks=pytest.mark.chaos)])
def test_a_run_killed_after_some_requests_ends_as_if_it_had_not_been(kitchen, tmp_path, after):
    suite(tmp_path, judges=MIX)
    with Loopback(policy=policy(), latency_s=0.03) as server:
        env = environment(tmp_path, server.url)
        given = ("run", tmp_path / "suite.yaml", *SIDES, "--out", tmp_path / "run", "--concurrency", "4")
        process = subprocess.Popen(command(*given), env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while len(server.requests) < after and process.poll() is None:
            time.sleep(0.002)
        process.kill()
        process.wait()
        killed = len(server.requests)
        assert killed < 96
        assert not json.loads((tmp_path / "run/manifest.json").read_text())["complete"]
        done = harness("resume", tmp_path / "run", "--json", env=env)
        assert (done.code, done.json) == (0, kitchen.first)
        # At most what was under way, or was not on disk yet, is asked again.
        assert len(server.requests) <= 96 + 24
    for name in ("summary.json", "report.md"):
        assert (tmp_path / "run" / name).read_bytes() == (kitchen.folder / "first" / name).read_bytes()


def test_an_interrupted_run_is_kept_and_says_how_to_go_on(kitchen, tmp_path):
    suite(tmp_path, judges=MIX)
    with Loopback(policy=policy(), latency_s=0.05) as server:
        env = environment(tmp_path, server.url)
        given = ("run", tmp_path / "suite.yaml", *SIDES, "--out", tmp_path / "run", "--concurrency", "4")
        process = subprocess.Popen(
            command(*given),
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=interruptible,
        )
        while len(server.requests) < 40 and process.poll() is None:
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, "Traceback" in err) == (130, False)
        assert f"interrupted; `harness resume {tmp_path / 'run'}` goes on" in err
        assert "the run is incomplete" in flat(out)
        assert not json.loads((tmp_path / "run/summary.json").read_text())["complete"]
        done = harness("resume", tmp_path / "run", "--json", env=env)
    assert (done.code, done.json) == (0, kitchen.first)


def test_a_judge_that_fails_for_good_leaves_a_run_that_can_go_on(kitchen, tmp_path):
    suite(tmp_path, judges=MIX)
    faults = [Fault(kind="too_large", containing="<<<ANSWER TO GRADE>>>", times=20)]
    with Loopback(policy=policy(), faults=faults) as server:
        made = Kitchen(tmp_path, server)
        done = made.run("run", *SIDES, "--json")
        assert (done.code, done.json["complete"]) == (4, False)
        assert "`harness resume" in done.err
        failed = [
            r for n in ("scores", "scores_baseline") for r in lines(tmp_path / f"run/{n}.jsonl") if r["score"] is None
        ]
        assert {row["status"] for row in failed} == {"provider_error"}
        assert all(row["error"] for row in failed)
        lost = sum(own["statuses"].get("provider_error", 0) for own in done.json["judges"].values())
        assert sum(own["unscored"] for own in done.json["judges"].values()) > 0 < lost
        asked = len(server.requests)
        whole = made("resume", "run", "--json")
        assert (whole.code, whole.json) == (0, kitchen.first)
        # Exactly what had failed is asked again.
        assert len(server.requests) - asked == len(failed)


@pytest.mark.chaos
def test_a_provider_that_cannot_be_reached_is_named_within_seconds(tmp_path):
    suite(tmp_path)
    env = environment(tmp_path, "http://127.0.0.1:9")
    started = time.monotonic()
    done = harness("run", tmp_path / "suite.yaml", *SIDES, "--out", tmp_path / "run", "--json", env=env)
    assert (done.code, done.json["complete"]) == (4, False)
    assert time.monotonic() - started < 25
    assert "http://127.0.0.1:9" in done.err
    assert done.json["judges"]["openai/judge"]["mean"] is None


def test_a_response_that_failed_is_asked_again_and_graded_then(kitchen, tmp_path):
    suite(tmp_path, judges=MIX)
    faults = [Fault(kind="too_large", containing="How is dish 3 made?", times=1)]
    with Loopback(policy=policy(), faults=faults) as server:
        made = Kitchen(tmp_path, server)
        done = made.run("run", *SIDES, "--json")
        assert (done.code, done.json["complete"]) == (4, False)
        skipped = [row for row in lines(tmp_path / "run/scores.jsonl") if row["status"] == "skipped"]
        assert {(row["id"], row["error"]) for row in skipped} == {("p03", "the response is missing")}
        assert len(skipped) == 4
        assert "candidate: 1 of 8 conversations failed, and no judge was asked about them" in done.json["notes"]
        assert (made("resume", "run", "--json").json) == kitchen.first


def test_a_refusal_is_an_answer_that_is_never_asked_for_again(tmp_path):
    suite(tmp_path)
    with Loopback(policy=policy(), faults=[Fault(kind="refusal", containing='"How is dish 3 made?"')]) as server:
        made = Kitchen(tmp_path, server)
        done = made.run("run", "--candidate", "openai/new", "--json")
        assert (done.code, done.json["complete"]) == (0, True)
        assert (done.json["judges"]["openai/judge"]["n"], done.json["judges"]["openai/judge"]["unscored"]) == (7, 1)
        asked = len(server.requests)
        assert made("resume", "run", "--json").json == done.json
        assert len(server.requests) == asked


def test_recorded_answers_that_failed_are_counted(kitchen, tmp_path):
    path = suite(tmp_path, 3)
    rows = [{"id": f"p{place:02d}", "responses": ["Bake it.", "Salad."]} for place in range(3)]
    write_lines(tmp_path / "old.jsonl", [{"id": "p00", "finish": "error"}, *rows[1:]])
    done = kitchen("run", path, "--candidate", f"recorded/{tmp_path}/old.jsonl", "--out", tmp_path / "run", "--json")
    assert (done.code, done.json["complete"]) == (0, True)
    own = done.json["judges"]["openai/judge"]
    assert (own["n"], own["unscored"], own["statuses"]) == (2, 1, {"ok": 4, "skipped": 2})


def test_no_usable_grade_at_all_exits_3(tmp_path):
    suite(tmp_path, 2)
    with Loopback(policy=policy(), faults=[Fault(kind="off_menu", containing="ANSWER TO GRADE")]) as server:
        done = Kitchen(tmp_path, server).run("run", "--candidate", "openai/new", "--json")
    own = done.json["judges"]["openai/judge"]
    assert (done.code, done.json["complete"]) == (3, True)
    assert (own["n"], own["mean"], own["ci"], own["statuses"]) == (0, None, None, {"invalid_parse": 4})


def test_the_mean_of_categories_is_of_judges_that_graded_both_sides(tmp_path):
    # One judge graded the candidate alone: its level must not pass for a difference.
    suite(tmp_path, judges="[openai/judge, openai/harsh]")
    with Loopback(policy=policy(lambda request, _: {"rating": 1 if request["model"] == "harsh" else 8})) as server:
        made = Kitchen(tmp_path, server)
        assert made.run("run", *SIDES).code == 0
        rows = lines(tmp_path / "run/scores_baseline.jsonl")
        lost = [row | ({"score": None, "status": "truncated"} if "harsh" in row["judge"] else {}) for row in rows]
        write_lines(tmp_path / "run/scores_baseline.jsonl", lost)
        found = made("analyze", "run", "--json").json
    assert found["categories"]["odd"]["mean"] == 4.5
    assert found["delta"]["openai/harsh"]["n"] == 0
    assert {name: moved["difference"] for name, moved in found["category_delta"].items()} == {"even": 0.0, "odd": 0.0}
