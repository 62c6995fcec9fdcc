"""The main job against real SDKs and a server with the real wire formats: blind, resumable, honest about faults."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.command import KEY, command, environment, harness, interruptible, world
from tests.loopback import policy
from tests.loopback.faults import Fault
from tests.loopback.server import Loopback
from tests.published import ended_lines, lines


def quality(a: str, b: str) -> str:
    """A judge that can tell a whole answer from a damaged one: word order, ending, and being about this dish."""

    def worth(text: str) -> float:
        ordered = bool(re.match(r"Dish \d+ (simmers slowly with onions|is cooked)", text))
        return (2 if ordered and text.endswith((".", "rests.")) else 0) + min(len(text), 100) / 100

    return "A" if worth(a) > worth(b) else "B" if worth(b) > worth(a) else "tie"


def judge(request):
    return {"winner": quality_of(request)}


def quality_of(request) -> str:
    """Like `quality`, and an answer about another dish loses."""
    asked = re.search(r"How is dish (\d+) made", "\n".join(policy.texts(request)))
    assert asked is not None
    a, b = policy.shown_answers(request)
    about = [text.strip() and re.search(rf"\b{asked[1]}\b", text) is not None for text in (a, b)]
    if about[0] != about[1]:
        return "A" if about[0] else "B"
    return quality(a, b)


@pytest.fixture
def server():
    with Loopback(policy=judge) as running:
        yield running


def asked(server):
    return len(server.requests)


def test_a_run_ends_in_a_decision(tmp_path, server):
    suite = world(tmp_path, 24)
    done = harness("run", suite, "--out", tmp_path / "run", "--json", env=environment(tmp_path, server.url))
    assert done.code == 0, done.err
    summary = done.json
    assert summary == json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (summary["decision"], summary["complete"], summary["n_prompts"]) == ("better", True, 24)
    result = summary["judges"]["openai/judge"]
    assert (result["wins"], result["losses"], result["ties"], result["unscored"]) == (18, 6, 0, 0)
    assert (result["consistency"], result["first_position_rate"], result["one_order"]) == (1.0, 0.5, 0)
    assert summary["controls"]["openai/judge"] == {"n": 8, "right": 8, "wrong": 0, "undecided": 0}
    assert set(summary["categories"]) == {"even", "odd"}
    assert asked(server) == 24 * 2 + 8
    files = {path.name for path in (tmp_path / "run").iterdir()}
    journals = {"responses.jsonl", "judgments.jsonl", "controls.jsonl"}
    assert files >= journals | {"manifest.json", "summary.json", "report.md", "report.html"}
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["complete"] is True


@pytest.mark.parametrize("spec", ["openai/judge", "anthropic/judge"])
def test_a_judge_is_blind_and_sees_both_orders(tmp_path, server, spec):
    suite = world(tmp_path, 6)
    harness("run", suite, "--judge", spec, "--out", tmp_path / "run", env=environment(tmp_path, server.url))
    sent = [json.dumps({key: value for key, value in body.items() if key != "model"}) for body in server.bodies]
    for word in ("candidate", "baseline", "recorded", ".jsonl", "p000", "dishes"):
        assert not any(word in text for text in sent), word
    shown = [policy.shown_answers(body) for body in server.bodies]
    rows = lines(tmp_path / "run" / "judgments.jsonl")
    assert {row["order"] for row in rows} == {"candidate_first", "baseline_first"}
    assert sum((b, a) in shown for a, b in shown) >= 12
    assert all(row["winner"] == ("candidate" if int(row["id"][1:]) < 4.5 else "baseline") for row in rows)


def test_the_second_run_asks_nothing_and_says_the_same(tmp_path, server):
    suite = world(tmp_path)
    env = environment(tmp_path, server.url)
    first = harness("run", suite, "--out", tmp_path / "one", "--json", env=env)
    before = asked(server)
    second = harness("run", suite, "--out", tmp_path / "two", "--json", env=env)
    assert asked(server) == before
    assert second.out == first.out


def test_identical_responses_are_a_tie_without_a_call(tmp_path, server):
    suite = world(tmp_path, 4)
    env = environment(tmp_path, server.url)
    same = f"recorded/{tmp_path / 'candidate.jsonl'}"
    done = harness("run", suite, "--baseline", same, "--out", tmp_path / "run", "--json", env=env)
    assert done.json["judges"]["openai/judge"]["ties"] == 4
    assert done.json["identical"] == 4
    assert asked(server) == 8


def test_off_menu_cut_off_and_refused_replies_are_counted_by_name(tmp_path):
    faults = [
        Fault(kind="off_menu", containing="dish 0 made"),
        Fault(kind="cut_off", containing="dish 1 made"),
        Fault(kind="refusal", containing="dish 2 made"),
    ]
    with Loopback(policy=judge, faults=faults) as server:
        suite = world(tmp_path, 12)
        done = harness("run", suite, "--out", tmp_path / "run", "--json", env=environment(tmp_path, server.url))
        assert done.code == 0, done.err
        result = done.json["judges"]["openai/judge"]
        assert (result["n"], result["unscored"]) == (9, 3)
        assert done.json["statuses"]["openai/judge"] == {"invalid_parse": 2, "ok": 18, "refused": 2, "truncated": 2}
        rows = [row for row in lines(tmp_path / "run" / "judgments.jsonl") if row["status"] != "ok"]
        assert all(row["winner"] is None and row["verdict"] is None for row in rows)
        assert {row["asked"]["attempts"] for row in rows if row["status"] != "refused"} == {2}


def test_passing_faults_are_survived(tmp_path):
    kinds = ["rate_limit", "server_error", "overloaded", "reset", "html", "empty", "broken_json", "timeout"]
    faults = [Fault(kind=kind, at=[3 * place]) for place, kind in enumerate(kinds)]
    with Loopback(policy=judge, faults=faults) as server:
        done = harness(
            "run", world(tmp_path), "--out", tmp_path / "run", "--json", env=environment(tmp_path, server.url)
        )
        assert done.code == 0, done.err
        assert done.json["complete"] is True
        assert done.json["judges"]["openai/judge"]["unscored"] == 0


def test_a_refused_key_stops_at_once_keeps_the_work_and_is_never_printed(tmp_path):
    with Loopback(policy=judge, faults=[Fault(kind="bad_key", every=10)]) as server:
        done = harness(
            "run", world(tmp_path), "--out", tmp_path / "run", "--json", env=environment(tmp_path, server.url)
        )
        assert done.code == 4
        assert (done.json["complete"], done.json["decision"]) == (False, "inconclusive")
        assert "401" in done.err
        for path in (tmp_path / "run").iterdir():
            assert KEY not in path.read_text()
        assert KEY not in done.err + done.out


def test_resume_asks_only_what_is_missing_and_ends_the_same(tmp_path):
    whole = world(tmp_path / "a")
    with Loopback(policy=judge) as server:
        once = harness("run", whole, "--out", tmp_path / "once", "--json", env=environment(tmp_path / "a", server.url))
        all_calls = asked(server)
    with Loopback(policy=judge, faults=[Fault(kind="bad_key", at=[9])]) as server:
        env = environment(tmp_path / "b", server.url)
        broken = harness("run", whole, "--out", tmp_path / "run", "--concurrency", "2", env=env)
        assert broken.code == 4
        kept = len(lines(tmp_path / "run" / "judgments.jsonl"))
        assert kept >= 7
        before = asked(server)
        done = harness("resume", tmp_path / "run", "--json", env=env)
        assert done.code == 0, done.err
        assert asked(server) - before <= all_calls - kept
    assert done.out == once.out
    assert (tmp_path / "run" / "summary.json").read_bytes() == (tmp_path / "once" / "summary.json").read_bytes()


def test_what_a_provider_never_answered_is_asked_again_by_resume(tmp_path):
    with Loopback(
        policy=judge, faults=[Fault(kind="rate_limit", containing="dish 3 made", retry_after="61", times=2)]
    ) as server:
        env = environment(tmp_path, server.url)
        done = harness("run", world(tmp_path), "--out", tmp_path / "run", "--json", env=env)
        assert done.code == 4
        assert done.json["complete"] is False
        assert done.json["statuses"]["openai/judge"]["provider_error"] >= 1
        again = harness("resume", tmp_path / "run", "--json", env=env)
        assert again.code == 0, again.err
        assert again.json["statuses"]["openai/judge"] == {"ok": 24}


def test_kill_9_loses_only_what_was_in_flight(tmp_path):
    with Loopback(policy=judge, latency_s=0.02) as server:
        suite = world(tmp_path, 60)
        env = environment(tmp_path, server.url)
        once = harness("run", suite, "--out", tmp_path / "once", "--json", env=environment(tmp_path / "x", server.url))
        total = asked(server)
        run = tmp_path / "run"
        process = subprocess.Popen(
            command("run", suite, "--out", run, "--concurrency", "4"), env=env, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 60
        while asked(server) < total + 40 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        answered = asked(server) - total
        kept = len(ended_lines(run / "judgments.jsonl"))
        # In flight or not yet flushed: what 4 connections answer within 0.2 s.
        assert answered - kept <= 4 + 4 * 0.2 / 0.02
        before = asked(server)
        done = harness("resume", run, "--json", env=env)
        assert done.code == 0, done.err
        assert asked(server) - before <= total - kept
        assert done.out == once.out


@pytest.mark.parametrize("sent", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.chaos)])
def test_an_interrupt_is_kept_and_resumable(tmp_path, sent):
    with Loopback(policy=judge, latency_s=0.05) as server:
        env = environment(tmp_path, server.url)
        run = tmp_path / "run"
        process = subprocess.Popen(
            command("run", world(tmp_path, 60), "--out", run, "--concurrency", "2", "--json"),
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=interruptible,
        )
        deadline = time.monotonic() + 60
        while asked(server) < 10 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(sent)
        _, err = process.communicate(timeout=30)
        assert process.returncode == 130
        assert "Traceback" not in err
        assert f"harness resume {run}" in err
        assert len(lines(run / "judgments.jsonl")) >= 5
        assert json.loads((run / "summary.json").read_text())["complete"] is False
        assert harness("resume", run, env=env).code == 0


def test_an_endpoint_that_is_not_there_stops_within_15_s_and_is_named(tmp_path):
    env = environment(tmp_path, "http://127.0.0.1:9")
    started = time.monotonic()
    done = harness("run", world(tmp_path), "--out", tmp_path / "run", "--json", env=env)
    assert time.monotonic() - started < 18
    assert done.code == 4
    assert "http://127.0.0.1:9/v1" in done.err
    assert done.json["complete"] is False


def test_always_the_first_is_unusable_and_never_equivalent(tmp_path):
    with Loopback(policy=policy.first) as server:
        done = harness(
            "run", world(tmp_path, 40), "--out", tmp_path / "run", "--json", env=environment(tmp_path, server.url)
        )
        assert done.code == 3
        assert done.json["decision"] == "inconclusive"
        assert done.json["unusable"] == ["openai/judge"]
        result = done.json["judges"]["openai/judge"]
        assert (result["first_position_rate"], result["consistency"], result["win_rate"]) == (1.0, 0.0, 0.5)
        text = harness("analyze", tmp_path / "run", env=environment(tmp_path)).out
        assert "openai/judge is unusable" in " ".join(text.split())


def test_two_judges_make_a_panel_and_known_bias_stays_out(tmp_path, server):
    suite = world(tmp_path, 24, judges="[openai/judge, anthropic/judge, control/first]")
    done = harness("run", suite, "--out", tmp_path / "run", "--json", env=environment(tmp_path, server.url))
    assert done.json["counting"] == ["openai/judge", "anthropic/judge"]
    panel = done.json["panel"]
    assert (panel["wins"], panel["losses"], panel["split"]) == (18, 6, 0)
    assert (panel["first_position_rate"], panel["consistency"]) == (None, None)
    assert done.json["controls"]["control/first"] is None


def test_an_api_model_is_a_contestant_too(tmp_path):
    def both(request):
        return judge(request) if "<<<ANSWER A>>>" in json.dumps(request) else answer(request)

    def answer(request):
        number = re.findall(r"\d+", policy.texts(request)[-1])[0]
        return (
            f"Dish {number} simmers slowly with onions and rests."
            if request["model"] == "good"
            else f"Dish {number} is cooked."
        )

    with Loopback(policy=both) as server:
        suite = world(tmp_path, 8)
        arguments = ("--candidate", "openai/good", "--baseline", "anthropic/poor", "--repeats", "2")
        done = harness(
            "run", suite, *arguments, "--out", tmp_path / "run", "--json", env=environment(tmp_path, server.url)
        )
        assert done.code == 0, done.err
        assert done.json["judges"]["openai/judge"]["wins"] == 8
        rows = lines(tmp_path / "run" / "responses.jsonl")
        assert {(row["role"], row["sample"]) for row in rows} == {
            (r, s) for r in ("candidate", "baseline") for s in (0, 1)
        }
        assert len(rows) == 8 * 2 * 2
        assert all(row["finish"] == "stop" for row in rows)


def test_a_changed_file_is_not_gone_on_with(tmp_path):
    with Loopback(policy=judge, faults=[Fault(kind="bad_key", at=[5])]) as server:
        env = environment(tmp_path, server.url)
        suite = world(tmp_path)
        assert harness("run", suite, "--out", tmp_path / "run", env=env).code == 4
        path = tmp_path / "candidate.jsonl"
        path.write_text(path.read_text().replace("tender", "soft"))
        done = harness("resume", tmp_path / "run", env=env)
        assert done.code == 2
        assert "candidate has changed since the run began" in done.err


def test_a_torn_journal_is_mended(tmp_path, server):
    env = environment(tmp_path, server.url)
    once = harness("run", world(tmp_path), "--out", tmp_path / "run", "--json", env=env)
    path = tmp_path / "run" / "judgments.jsonl"
    path.write_bytes(path.read_bytes()[:-25])
    assert harness("analyze", tmp_path / "run", "--json", env=env).json["complete"] is False
    done = harness("resume", tmp_path / "run", "--json", env=env)
    assert done.out == once.out
    assert "the last line was torn; mended" in done.err


def test_a_full_disk_stops_with_one_sentence_and_can_be_gone_on_with(tmp_path, server):
    suite = world(tmp_path, 200)
    env = environment(tmp_path, server.url)
    assert harness("cache", "stats", env=env).code == 0
    limited = ["bash", "-c", 'trap "" XFSZ; ulimit -f 128; exec "$@"', "-"]
    run = tmp_path / "run"
    done = subprocess.run(
        [*limited, *command("run", suite, "--out", run)],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 4, done.stderr
    assert "Traceback" not in done.stderr
    assert "judgments.jsonl: cannot be written: File too large" in done.stderr
    kept = (run / "judgments.jsonl").read_text().count("\n")
    assert kept > 10
    again = harness("resume", run, "--json", env=env)
    assert again.code == 0, again.err
    assert again.json["complete"] is True


def test_a_run_with_api_judges_imports_no_torch_and_a_cached_one_no_sdk(tmp_path, server):
    suite = world(tmp_path)
    env = environment(tmp_path, server.url)
    program = (
        "import sys\nfrom harness.cli import main\nsys.argv = ['harness', *sys.argv[1:]]\n"
        "try:\n    main()\nfinally:\n    print(sorted({'torch', 'openai', 'anthropic', 'httpx2'} & set(sys.modules)))"
    )
    import sys

    for name, loaded in (("one", "['httpx2', 'openai']"), ("two", "[]")):
        arguments = [sys.executable, "-c", program, "run", str(suite), "--out", str(tmp_path / name)]
        done = subprocess.run(arguments, env=env, capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == loaded


def test_a_second_process_on_the_same_run_is_refused(tmp_path):
    with Loopback(policy=judge, latency_s=0.2) as server:
        env = environment(tmp_path, server.url)
        run = tmp_path / "run"
        process = subprocess.Popen(
            command("run", world(tmp_path, 30), "--out", run, "--concurrency", "1"), env=env, stderr=subprocess.DEVNULL
        )
        while asked(server) < 1:
            time.sleep(0.02)
        done = harness("resume", run, env=env)
        assert done.code == 2
        assert "another process is working on this run" in done.err
        os.kill(process.pid, signal.SIGKILL)
        process.wait()


def test_plain_progress_goes_to_stderr_and_figures_to_stdout(tmp_path, server):
    done = harness("run", world(tmp_path), "--out", tmp_path / "run", env=environment(tmp_path, server.url))
    assert "judgments: 24/24" in done.err
    assert str(Path(tmp_path / "run" / "report.html")) in done.err
    assert done.out.startswith("dishes\n")
    assert max(map(len, done.out.splitlines())) <= 80
