"""`harness rerun`: really asked again, with new seeds; gone on with where it broke off; honest in what it says."""

import json
import signal
import subprocess
import time

import pytest

from tests.command import command, environment, interruptible, world
from tests.harness.rerun.made import again, answering, contents, finished, harness, manifest, steady, wavering
from tests.harness.test_run import judge
from tests.loopback import policy
from tests.loopback.faults import Fault
from tests.loopback.server import Loopback
from tests.published import ended_lines, lines, write_lines


def test_a_judge_that_never_wavers_is_reproduced_with_a_margin_and_really_asked_again(tmp_path):
    with steady() as server:
        run = finished(tmp_path, server)
        once = len(server.requests)
        before = contents(run)
        done = again(run, server, "--times", "2")
        assert done.code == 0, done.err
        assert len(server.requests) == 3 * once
    assert (done.json["verdict"], done.json["complete"], done.json["decision"]) == ("reproduced", True, "better")
    assert done.json["within"] > 0.03
    spread = {"n": 24, "sd": 0, "range": 0, "expected_sd": 0, "ratio": None, "p_value": None}
    assert done.json["spread"] == spread
    assert done.json["flips"] == {"n": 24, "prompts": 0, "decisive": 0, "ids": []}
    assert [row["win_rate"] for row in done.json["runs"]] == [0.75] * 3
    assert [row["n"] for row in done.json["runs"]] == [24] * 3
    assert contents(run) == before


def test_a_rerun_is_a_run_of_its_own_with_the_next_seed_and_a_nonce(tmp_path):
    with steady() as server:
        run = finished(tmp_path, server, 6)
        done = again(run, server, "--times", "2")
    paths = [tmp_path / "run-rerun-1", tmp_path / "run-rerun-2"]
    assert [row["path"] for row in done.json["runs"]] == [str(run), *map(str, paths)]
    original = manifest(run)
    nonces = set()
    for index, path in enumerate(paths, 1):
        found = manifest(path)
        assert found["complete"] is True
        assert found["seeds"] == {"suite": original["seeds"]["suite"] + index}
        assert found["suite"]["seed"] == original["suite"]["seed"] + index
        assert found["rerun_of"] == {
            "name": "run", "created": original["created"], "nonce": found["nonce"], "index": index
        }  # fmt: skip
        assert found["fingerprints"] == original["fingerprints"]
        assert {p.name for p in path.iterdir()} >= {"summary.json", "report.html", "judgments.jsonl"}
        nonces.add(found["nonce"])
    assert original["nonce"] == ""
    assert len(nonces) == 2


@pytest.mark.chaos
def test_a_wavering_judge_shows_spread_and_flips(tmp_path):
    with wavering(0.25) as server:
        run = finished(tmp_path, server, 40)
        done = again(run, server, "--times", "3")
        text = again(run, server, "--times", "3", json=False)
    assert done.code == 0
    spread, flips = done.json["spread"], done.json["flips"]
    assert spread["sd"] > 0
    assert spread["expected_sd"] > 0
    assert 0 < spread["p_value"] <= 1
    assert flips["prompts"] == len(flips["ids"]) > 0
    assert done.json["within"] >= spread["range"]
    assert done.json["verdict"] in ("reproduced", "not reproduced")
    said = f"The outcome is not the same in every run for {flips['prompts']} of 40 prompts"
    assert said in " ".join(text.out.split())
    assert max(map(len, text.out.splitlines())) <= 80


def mind_changed(*dishes):
    """A judge that has come to prefer the thin answer on these dishes."""

    def answer(request):
        shown = policy.shown_answers(request)
        thin = [f"Dish {dish} is cooked." for dish in dishes]
        if any(text in thin for text in shown) and all("simmers" in text or text in thin for text in shown):
            return {"winner": "A" if shown[0] in thin else "B"}
        return judge(request)

    return Loopback(policy=answer)


def test_a_decision_that_comes_and_goes_with_chance_is_at_the_border(tmp_path):
    with steady() as server:
        run = finished(tmp_path, server)
    with mind_changed(3, 5, 8) as server:
        done = again(run, server, "--times", "1")
        text = again(run, server, "--times", "1", json=False).out
    assert (done.code, done.json["verdict"]) == (0, "reproduced")
    assert done.json["decisions"] == {"better": 1, "inconclusive": 1}
    assert done.json["spread"]["p_value"] > 0.05
    first = f"Reproduced within ±{100 * done.json['within']:.1f} points; the decision is at the border: "
    assert done.json["notes"][0] == f"{first}1 of 2 runs says better, 1 inconclusive"
    assert f"{done.json['notes'][0]}; the win rates spread no more than chance gives" in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 80


def test_the_opposite_decision_is_not_reproduced(tmp_path):
    with steady() as server:
        run = finished(tmp_path, server)
    with mind_changed(*range(24)) as server:
        done = again(run, server, "--times", "1")
    assert (done.code, done.json["verdict"]) == (0, "not reproduced")
    assert done.json["reason"].startswith("the run says better, run-rerun-1 says worse; ")
    assert done.json["decisions"] == {"better": 1, "worse": 1}


def test_a_run_whose_manifest_was_edited_is_refused_before_anybody_is_asked(tmp_path):
    with steady() as server:
        run = finished(tmp_path, server, 6)
        value = manifest(run)
        value["suite"]["prompts"][2]["turns"], value["repeats"]["p003"] = [], 10**9
        (run / "manifest.json").write_text(json.dumps(value))
        before = len(server.requests)
        for arguments in (["--times", "1"], ["--rejudge", "2"]):
            done = again(run, server, *arguments)
            assert (done.code, done.out) == (2, "")
            assert "suite.prompts p002: it has no turn" in done.err
        assert len(server.requests) == before
    assert not (tmp_path / "run-rerun-1").exists()


def test_reruns_that_are_there_count_and_are_not_paid_for_again(tmp_path):
    with steady() as server:
        run = finished(tmp_path, server, 6)
        again(run, server, "--times", "1")
        before = len(server.requests)
        same = again(run, server, "--times", "1")
        assert len(server.requests) == before
        more = again(run, server, "--times", "2")
        assert len(server.requests) > before
    assert "1 rerun of" in same.err
    assert [len(one.json["runs"]) for one in (same, more)] == [2, 3]


def test_a_broken_off_series_is_gone_on_with_and_pays_for_nothing_twice(tmp_path):
    with steady() as server:
        run = finished(tmp_path, server)
        once = len(server.requests)
    with Loopback(policy=judge, faults=[Fault(kind="bad_key", at=[once + 20])]) as server:
        # The address is part of the fingerprint of no judge, and a nonce asks anew anyway.
        broken = again(run, server, "--times", "2", "--concurrency", "1")
        assert broken.code == 4
        assert (broken.json["complete"], broken.json["verdict"]) == (False, "incomplete")
        assert broken.json["decision"] == "inconclusive"
        assert f"`harness rerun {run} --times 2` goes on" in broken.err
        assert "401" in broken.err
        kept = len(lines(tmp_path / "run-rerun-2" / "judgments.jsonl"))
        assert kept >= 15
        answered = sum(not seen.fault for seen in server.requests)
        done = again(run, server, "--times", "2")
        assert done.code == 0, done.err
        assert sum(not seen.fault for seen in server.requests) - answered == 2 * once - answered
    assert done.json["verdict"] == "reproduced"
    assert "was cut off; going on in" in done.err


@pytest.mark.parametrize("sent", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.chaos)])
def test_a_killed_series_is_gone_on_with(tmp_path, sent):
    with Loopback(policy=judge, latency_s=0.02) as server:
        run = finished(tmp_path, server, 40)
        once, place = len(server.requests), tmp_path / "run-rerun-1"
        process = subprocess.Popen(
            command("rerun", run, "--times", "1", "--concurrency", "4"),
            env=environment(tmp_path, server.url),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=interruptible,
        )
        deadline = time.monotonic() + 60
        while len(server.requests) < once + 40 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(sent)
        _, err = process.communicate(timeout=30)
        assert "Traceback" not in err
        if sent == signal.SIGINT:
            assert process.returncode == 130
            assert f"interrupted; `harness rerun {run} --times 1` goes on" in err
        before, kept = len(server.requests), len(ended_lines(place / "judgments.jsonl"))
        assert kept > 10
        again_verified = harness("rerun", place, "--verify", "--json", env=environment(tmp_path, server.url))
        assert (again_verified.code, again_verified.json["complete"]) == (0, False)
        done = again(run, server, "--times", "1")
        assert done.code == 0, done.err
        assert len(server.requests) - before <= once - kept
    assert done.json["verdict"] == "reproduced"


@pytest.mark.chaos
def test_resume_goes_on_with_a_rerun_and_keeps_its_nonce(tmp_path):
    with steady() as server:
        run = finished(tmp_path, server)
        once = len(server.requests)
    with Loopback(policy=judge, faults=[Fault(kind="bad_key", at=[9])]) as server:
        assert again(run, server, "--times", "1", "--concurrency", "1").code == 4
        place = tmp_path / "run-rerun-1"
        nonce = manifest(place)["nonce"]
        done = harness("resume", place, env=environment(tmp_path, server.url))
        assert done.code == 0, done.err
        assert sum(not seen.fault for seen in server.requests) == once
        assert (manifest(place)["nonce"], manifest(place)["complete"]) == (nonce, True)
        assert len(again(run, server, "--times", "1").json["runs"]) == 2


def test_models_that_answer_are_asked_again_too(tmp_path):
    with answering() as server:
        env = environment(tmp_path, server.url)
        arguments = ("--candidate", "openai/good", "--baseline", "anthropic/poor", "--out", tmp_path / "run")
        assert harness("run", world(tmp_path, 8), *arguments, env=env).code == 0
        once = len(server.requests)
        done = again(tmp_path / "run", server, "--times", "1")
        assert done.code == 0, done.err
        assert len(server.requests) == 2 * once
        assert done.json["notes"] == []


def test_a_run_in_which_nothing_can_differ_says_so_and_makes_nothing(tmp_path):
    with steady() as server:
        run = finished(tmp_path, server, 12, judges="[rubric, control/random]")
    found = again(run, None)
    assert (found.code, found.json["verdict"], found.json["within"]) == (0, "nothing can differ", None)
    assert "rubric: it checks the same text the same way every time" in " ".join(found.json["notes"])
    assert [path.name for path in tmp_path.glob("run-rerun-*")] == []
    text = again(run, None, json=False).out
    assert "Nothing can differ" in text
    assert "±" not in text


def test_out_and_taken_names(tmp_path):
    with steady() as server:
        run = finished(tmp_path, server, 6)
        (tmp_path / "run-rerun-1").mkdir()
        (tmp_path / "run-rerun-1" / "notes.txt").write_text("mine")
        first = again(run, server, "--times", "1")
        other = again(run, server, "--times", "1", "--out", tmp_path / "elsewhere")
    assert first.json["runs"][1]["path"] == str(tmp_path / "run-rerun-2")
    assert other.json["runs"][1]["path"] == str(tmp_path / "elsewhere" / "run-rerun-1")
    assert (tmp_path / "run-rerun-1" / "notes.txt").read_text() == "mine"


def test_a_changed_contestant_is_refused(tmp_path):
    with steady() as server:
        run = finished(tmp_path, server, 6)
        path = tmp_path / "candidate.jsonl"
        path.write_text(path.read_text().replace("tender", "soft"))
        before = len(server.requests)
        done = again(run, server, "--times", "1")
        assert (done.code, done.out) == (2, "")
        assert "candidate has changed since the run began" in done.err
        assert len(server.requests) == before
    assert not (tmp_path / "run-rerun-1").exists()


def test_an_incomplete_run_is_resumed_first(tmp_path):
    with Loopback(policy=judge, faults=[Fault(kind="bad_key", at=[5])]) as server:
        env = environment(tmp_path, server.url)
        assert harness("run", world(tmp_path), "--out", tmp_path / "run", env=env).code == 4
        done = again(tmp_path / "run", server)
    assert done.code == 2
    assert f"`harness resume {tmp_path / 'run'}` first" in done.err


def test_one_prompt_run_again_once_tells_nothing(tmp_path):
    with steady() as server:
        suite = world(tmp_path, 1, judges="[openai/judge]", better=1)
        env = environment(tmp_path, server.url)
        assert harness("run", suite, "--out", tmp_path / "run", env=env).code in (0, 3)
        done = again(tmp_path / "run", server, "--times", "1")
    assert (done.code, done.json["verdict"]) == (0, "cannot be told")


def test_ties_all_over_are_reproduced(tmp_path):
    with Loopback(policy=policy.by_answers(lambda a, b: "tie")) as server:
        suite = world(tmp_path, 6, judges="[openai/judge]")
        env = environment(tmp_path, server.url)
        harness("run", suite, "--out", tmp_path / "run", env=env)
        done = again(tmp_path / "run", server, "--times", "1")
    assert done.code == 0
    assert done.json["within"] is None or done.json["within"] > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--times", "0"], "--times"),
        (["--verify", "--times", "2"], "--verify replays what is there"),
        (["--rejudge", "2", "--times", "2"], "--rejudge asks the judges of RUN alone"),
        (["--seed", "2"], "--seed draws the prompts of --rejudge"),
    ],
)
def test_wrong_usage_is_one_sentence(tmp_path, arguments, said):
    done = harness("rerun", tmp_path, *arguments, env=environment(tmp_path))
    assert (done.code, done.out) == (2, "")
    assert said in done.err


@pytest.mark.parametrize("arguments", [[], ["--verify"], ["--rejudge", "3"]])
def test_a_folder_that_holds_no_run_is_refused(tmp_path, arguments):
    done = harness("rerun", tmp_path, *arguments, env=environment(tmp_path))
    assert (done.code, done.out) == (2, "")
    assert "holds no run" in done.err


def test_a_run_that_stopped_early_is_asked_again_about_the_prompts_it_had_asked(tmp_path):
    with steady() as server:
        env = environment(tmp_path, server.url)
        suite = world(tmp_path, 80, better=0.95, judges="[openai/judge, recorded/verdicts.jsonl]")
        rows = [{"id": f"p{n:03d}", "judge": "old", "winner": "candidate"} for n in range(80)]
        write_lines(tmp_path / "verdicts.jsonl", rows)
        assert harness("run", suite, "--stop-early", "--out", tmp_path / "run", env=env).code == 0
        done = again(tmp_path / "run", server, "--times", "1")
    first, second = done.json["runs"]
    assert first["n"] == second["n"] == done.json["spread"]["n"] < 80
    assert (done.code, done.json["verdict"]) == (0, "reproduced")
    asked = [
        {row["id"] for row in lines(tmp_path / name / "judgments.jsonl") if row["judge"] == "openai/judge"}
        for name in ("run", "run-rerun-1")
    ]
    assert asked[0] == asked[1]
