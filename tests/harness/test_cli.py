"""What a user meets at the command line: one clear sentence, the contract's exit code, nothing half done."""

import json
import os
import subprocess
import sys

import pytest

from tests.command import KEY, environment, harness, world
from tests.published import lines, write_lines


@pytest.fixture
def suite(tmp_path):
    return world(tmp_path, 6, judges="[control/longest]")


@pytest.fixture
def env(tmp_path):
    return environment(tmp_path)


def refused(done, *said, code=2):
    assert done.code == code, done.err
    assert done.out == ""
    for part in said:
        assert part in done.err, done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "nothing.yaml"], "nothing.yaml: there is no such suite; give a path, or one of:"),
        (["run", "SUITE", "--judge", "gpt-4o"], "error: 'gpt-4o' is no judge that is known; use openai/<model>"),
        (
            ["run", "SUITE", "--judge", "control/loudest"],
            "there is no such known-bias judge; use control/ with longest",
        ),
        (["run", "SUITE", "--judge", "openai/"], "nothing follows 'openai/'"),
        (["run", "SUITE", "--candidate", "rubric"], "'rubric' cannot be a candidate"),
        (["run", "SUITE", "--candidate", "recorded/missing.jsonl"], "missing.jsonl: there is no such file"),
        (["run", "SUITE", "--candidate", "hf/./no/where"], "there is no checkpoint folder './no/where'"),
        (["run", "SUITE", "--judge", "control/first", "--judge", "control/first"], "'control/first' is given twice"),
        (["run", "SUITE", "--judge", "openai/gpt"], "OPENAI_API_KEY is not set"),
        (["run", "SUITE", "--judge", "anthropic/x"], "ANTHROPIC_API_KEY is not set"),
        (["run", "SUITE", "--judge", "openai@LOCAL/x"], "LOCAL_API_KEY is not set"),
        (["run", "SUITE", "--judge", "rubric"], "the rubric judge needs prompts with 'checks'"),
        (["run", "SUITE", "--limit", "0"], "--limit"),
        (["run", "SUITE", "--frob"], "No such option"),
        (["frob"], "No such command"),
        (["resume", "."], "holds no run (no manifest.json)"),
        (["analyze", "missing.jsonl"], "missing.jsonl: there is no such file"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_code_2(tmp_path, suite, env, arguments, said):
    given = [suite if argument == "SUITE" else argument for argument in arguments]
    before = sorted(tmp_path.rglob("*"))
    refused(harness(*given, env=env, cwd=tmp_path), said)
    assert [path for path in sorted(tmp_path.rglob("*")) if path not in before and "cache" not in path.parts] == []


def test_candidate_and_baseline_must_answer_the_same_prompts(tmp_path, suite, env):
    path = tmp_path / "baseline.jsonl"
    write_lines(path, [row for row in lines(path) if row["id"] != "p003"])
    refused(harness("run", suite, env=env, cwd=tmp_path), f"{path}: answers no prompt 'p003'; the suite asks it")


def test_broken_responses_are_named_line_by_line(tmp_path, suite, env):
    path = tmp_path / "candidate.jsonl"
    rows = path.read_text().splitlines()
    path.write_text(
        "\n".join(
            [*rows, '{"id": "p001", "response": "again"}', '{"response": "x"}', "{", '{"id": "z", "response": 3}']
        )
    )
    done = harness("run", suite, env=env, cwd=tmp_path)
    refused(
        done,
        f"{path}:7: the key (p001, 0) stands already on line 2",
        f"{path}:8: the key 'id' is missing",
        f"{path}:9: is not JSON",
        f"{path}:10: response: input should be a valid string, found 3",
    )


def test_a_folder_that_cannot_be_written_is_said(tmp_path, suite, env):
    refused(
        harness("run", suite, "--out", "/proc/nothing/run", env=env, cwd=tmp_path),
        "/proc/nothing/run: cannot be written",
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_said(tmp_path, suite, env):
    (tmp_path / "locked").mkdir(mode=0o555)
    refused(
        harness("run", suite, "--out", tmp_path / "locked" / "run", env=env), "cannot be written: Permission denied"
    )


def test_a_run_is_never_overwritten(tmp_path, suite, env):
    out = tmp_path / "run"
    assert harness("run", suite, "--out", out, env=env).code == 0
    before = {path: path.read_bytes() for path in out.iterdir()}
    refused(
        harness("run", suite, "--out", out, env=env),
        f"{out}: holds a run already; `harness resume {out}` goes on with it",
    )
    assert before == {path: path.read_bytes() for path in out.iterdir()}


def test_json_stands_alone_on_stdout(tmp_path, suite, env):
    done = harness("run", suite, "--json", "--out", tmp_path / "run", env=env)
    assert json.loads(done.out)["kind"] == "pairwise"
    assert harness("analyze", tmp_path / "run", "--json", env=env).out == done.out
    assert harness("resume", tmp_path / "run", "--json", env=env).out == done.out


def test_analyze_writes_nothing_into_a_run(tmp_path, suite, env):
    out = tmp_path / "run"
    harness("run", suite, "--out", out, env=env)
    before = {path: path.read_bytes() for path in out.iterdir()}
    harness("analyze", out, env=env)
    assert before == {path: path.read_bytes() for path in out.iterdir()}


def test_analyze_takes_files_together_and_refuses_a_key_twice(tmp_path, env):
    rows = [{"id": n, "judge": "human/x", "winner": "candidate", "status": "ok"} for n in range(6)]
    one, two = write_lines(tmp_path / "a.jsonl", rows), write_lines(tmp_path / "b.jsonl", rows[:1])
    refused(harness("analyze", one, two, env=env), f"{two}: the judgment (0, human/x, 0) stands already in {one}")
    found = harness("analyze", one, "--json", "--out", tmp_path / "report", env=env)
    assert found.json["decision"] == "better"
    assert {path.name for path in (tmp_path / "report").iterdir()} == {"summary.json", "report.md", "report.html"}


def test_a_dry_run_asks_and_writes_nothing(tmp_path, suite, env):
    done = harness("run", suite, "--dry-run", "--json", "--judge", "openai/x", env=env, cwd=tmp_path)
    assert done.code == 0
    assert (done.json["presentations"], done.json["control_verdicts"], done.json["calls"]) == (12, 8, 20)
    assert not (tmp_path / "runs").exists()


def test_validate_prints_every_problem_one_a_line_and_never_wrapped(tmp_path, env):
    prompts = write_lines(tmp_path / "p.jsonl", [{"id": "a", "prompt": "x" * 300}, {"id": "a", "prompt": ""}])
    suite = tmp_path / "s.yaml"
    suite.write_text(f"name: s\nprompts: p.jsonl\n{'k' * 200}: 1\n")
    done = harness("validate", suite, prompts, env=env | {"COLUMNS": "40"})
    found = done.out.splitlines()
    assert done.code == 2
    assert len(found) == 3
    assert found[0].startswith(f"{suite}:3: unknown key '{'k' * 200}'")
    assert found[1] == found[2]
    assert found[1].startswith(f"{prompts}:2: the prompt is empty")


def test_validate_misses_no_file_that_a_suite_names(tmp_path, env):
    suite = world(tmp_path, 3)
    (tmp_path / "baseline.jsonl").unlink()
    done = harness("validate", suite, env=env)
    assert done.code == 2
    assert done.out == (
        f"{suite}:4: baseline: there is no file 'baseline.jsonl'; check the path (it is relative to the suite)\n"
    )


def test_validate_is_content_with_whole_files(tmp_path, suite, env):
    assert harness("validate", suite, tmp_path / "candidate.jsonl", env=env).code == 0


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"id": "1", "judge": "j", "verdict": "C", "order": "candidate_first", "status": "ok"}, "verdict"),
        ({"id": "1", "judge": "j", "turn": 0, "score": 3, "status": "ok"}, "turn: input should be greater than"),
        ({"id": "1", "label": "a", "prediction": "b", "probabilities": {"a": 2}}, "probabilities.a"),
        ({"prompt": "x", "chosen": "y"}, "the key 'rejected' is missing"),
    ],
)
def test_validate_knows_every_kind_of_file(tmp_path, env, row, said):
    path = write_lines(tmp_path / "x.jsonl", [row])
    done = harness("validate", path, env=env)
    assert done.code == 2
    assert done.out.startswith(f"{path}:1: ")
    assert said in done.out


def test_the_cache_can_be_counted_checked_and_cleared(tmp_path, env):
    assert harness("cache", "stats", "--json", env=env).json["entries"] == 0
    assert harness("cache", "verify", env=env).code == 0
    assert "0 cached answers removed" in harness("cache", "clear", env=env).out


def test_a_key_in_an_address_is_never_shown(tmp_path, suite):
    env = environment(tmp_path, "http://127.0.0.1:9") | {
        "OPENAI_BASE_URL": f"http://me:{KEY}@127.0.0.1:9/v1?token={KEY}"
    }
    done = harness("run", suite, "--judge", "openai/x", "--out", tmp_path / "run", env=env)
    assert done.code == 4
    assert KEY not in done.err + done.out
    assert all(KEY not in path.read_text() for path in (tmp_path / "run").iterdir())


def test_the_version_is_shown(env):
    assert harness("--version", env=env).out.startswith("judge-harness 0.")


def test_a_closed_pipe_is_no_failure(tmp_path, suite, env):
    harness("run", suite, "--out", tmp_path / "run", env=env)
    line = f"{sys.executable} -m harness.cli analyze {tmp_path / 'run'} | head -1"
    done = subprocess.run(["bash", "-c", line], env=env, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout == "dishes\n"


def test_the_command_line_starts_without_anything_heavy(env):
    program = (
        "import sys, harness.cli; print({'numpy', 'pydantic', 'torch', 'openai', 'yaml', 'rich'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
