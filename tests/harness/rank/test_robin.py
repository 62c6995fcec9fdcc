"""`harness rank --suite …`: everyone answers once, every pair is an ordinary run, and nothing is asked twice."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.command import Done, command, environment, harness, interruptible
from tests.loopback import policy
from tests.loopback.faults import Fault
from tests.loopback.server import Loopback
from tests.published import lines, write_lines

N = 8
SPECS = ("openai/short", "openai/middle", "openai/long")
SENTENCES = {"short": 2, "middle": 3, "long": 4}


def world(request: dict[str, Any]) -> Any:
    """Models say as much as their name promises; the judge takes the longer of two answers that are whole."""
    if request["model"] == "judge":
        asked = re.search(r"How is dish (\d+) made", "\n".join(policy.texts(request)))
        assert asked is not None
        a, b = (steps(text, asked[1]) for text in policy.shown_answers(request))
        return {"winner": "A" if a > b else "B" if b > a else "tie"}
    dish = policy.texts(request)[-1].split()[3]
    # On every fourth dish all say as much as each other, each in its own words.
    return said(dish, 3 if dish in "04" else SENTENCES[request["model"]], request["model"])


def said(dish: str, many: int, by: str) -> str:
    return " ".join(f"Dish {dish} needs step {step} with patience, as a {by} cook knows." for step in range(many))


def steps(text: str, dish: str) -> int:
    """How many steps an answer has; 0 where it is damaged or about another dish."""
    found = [sentence.split() for sentence in text.split(".")[:-1]]
    for step, words in enumerate(found):
        if [*words[:5], *words[-2:]] != ["Dish", dish, "needs", "step", str(step), "cook", "knows"]:
            return 0
    return len(found) if text.endswith(".") else 0


def suite_in(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write_lines(folder / "prompts.jsonl", [{"id": f"p{i}", "prompt": f"How is dish {i} made?"} for i in range(N)])
    (folder / "suite.yaml").write_text("name: dishes\nprompts: prompts.jsonl\nseed: 3\njudges: [openai/judge]\n")
    return folder / "suite.yaml"


def arguments(folder: Path, *more: str | Path, specs: Sequence[str] = SPECS) -> list[str | Path]:
    # One call at a time, so that nothing is in flight where another call fails: what the server answered is counted.
    given: list[str | Path] = ["rank", "--suite", suite_in(folder), "--out", folder / "out", "--concurrency", "1"]
    for spec in specs:
        given += ["--contestant", spec]
    return [*given, *more]


def play(folder: Path, server: Loopback, *more: str | Path, specs: Sequence[str] = SPECS, cache: str = "cache") -> Done:
    env = environment(folder, server.url, HARNESS_CACHE_DIR=str(folder / cache))
    return harness(*arguments(folder, *more, specs=specs), env=env)


def answered(server: Loopback) -> Counter[str]:
    """How often each model answered (a request that met a fault is no answer)."""
    return Counter(seen.body["model"] for seen in server.requests if not seen.fault)


def settled(folder: Path) -> dict[str, Any]:
    """What a ranking ends with, but for times."""
    kept: dict[str, Any] = {"ranking": json.loads((folder / "out" / "ranking.json").read_text())}
    for place in (1, 2, 3):
        rows = lines(folder / "out" / "responses" / f"{place}.jsonl")
        kept[f"responses {place}"] = [{k: v for k, v in row.items() if k != "latency_s"} for row in rows]
    for pair in ("1-vs-2", "1-vs-3", "2-vs-3"):
        kept[pair] = json.loads((folder / "out" / pair / "summary.json").read_text())
    return kept


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Counter[str], dict[str, Any]]:
    """One uninterrupted round robin: its folder, who was asked how often, and what it printed."""
    folder = tmp_path_factory.mktemp("once")
    with Loopback(policy=world) as server:
        done = play(folder, server, "--json")
        assert done.code == 0, done.err
        return folder, answered(server), done.json


def test_everyone_answers_once_and_every_pair_is_judged(once: tuple[Path, Counter[str], dict[str, Any]]) -> None:
    folder, asked, found = once
    assert [asked[name] for name in SENTENCES] == [N, N, N]
    assert [one["spec"] for one in found["contestants"]] == ["openai/long", "openai/middle", "openai/short"]
    assert [(one["wins"], one["losses"], one["ties"]) for one in found["contestants"]] == [
        (12, 0, 4), (6, 6, 4), (0, 12, 4)
    ]  # fmt: skip
    assert found["complete"] is True and found["n_prompts"] == N and found["judges"] == ["openai/judge"]
    assert json.loads((folder / "out" / "ranking.json").read_text()) == found


def test_a_pair_is_an_ordinary_run(once: tuple[Path, Counter[str], dict[str, Any]]) -> None:
    folder, _, found = once
    done = harness("analyze", folder / "out" / "1-vs-3", "--json", env=environment(folder))
    assert done.code == 0 and done.json == json.loads((folder / "out" / "1-vs-3" / "summary.json").read_text())
    manifest = json.loads((folder / "out" / "1-vs-3" / "manifest.json").read_text())
    assert manifest["candidate"]["text"] == "openai/short" and manifest["baseline"]["text"] == "openai/long"
    assert manifest["complete"] is True and any("answered once" in note for note in manifest["notes"])
    runs = [folder / "out" / pair for pair in ("1-vs-2", "1-vs-3", "2-vs-3")]
    assert harness("rank", *runs, "--json", env=environment(folder)).json == found
    assert harness("rank", folder / "out", "--json", env=environment(folder)).json == found


def test_the_responses_are_in_the_contracts_format(once: tuple[Path, Counter[str], dict[str, Any]]) -> None:
    folder = once[0]
    rows = lines(folder / "out" / "responses" / "1.jsonl")
    assert [row["id"] for row in rows] == [f"p{i}" for i in range(N)]
    assert all(row["model"] == "openai/short" and row["sample"] == 0 and row["response"] for row in rows)
    files = sorted((folder / "out" / "responses").glob("*.jsonl"))
    assert harness("validate", *files, env=environment(folder)).code == 0


def test_the_same_command_again_asks_nothing(once: tuple[Path, Counter[str], dict[str, Any]]) -> None:
    folder, _, found = once
    with Loopback(policy=world) as server:
        done = play(folder, server, "--json", cache="another")
        assert done.code == 0 and done.json == found and not server.requests


@pytest.mark.parametrize(
    "at", [N + 2, *(pytest.param(at, marks=pytest.mark.chaos) for at in (3, 3 * N + 5, 3 * N + 2 * N + 7))]
)
def test_a_failing_provider_costs_nothing_twice(
    tmp_path: Path, once: tuple[Path, Counter[str], dict[str, Any]], at: int
) -> None:
    with Loopback(policy=world, faults=[Fault(kind="quota", at=range(at, 10_000), times=1)]) as server:
        stopped = play(tmp_path, server, "--json")
        assert stopped.code == 4 and stopped.json["complete"] is False and "same command goes on" in stopped.err
        done = play(tmp_path, server, "--json")
        assert done.code == 0, done.err
        assert answered(server) == once[1]
        assert done.json == once[2] and settled(tmp_path) == settled(once[0])


@pytest.mark.chaos
def test_a_killed_ranking_goes_on(tmp_path: Path, once: tuple[Path, Counter[str], dict[str, Any]]) -> None:
    with Loopback(policy=world, latency_s=0.05) as server:
        env = environment(tmp_path, server.url)
        running = subprocess.Popen(
            command(*arguments(tmp_path)), env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        ended = time.monotonic() + 60
        while len(server.requests) < 3 * N + 6 and time.monotonic() < ended:
            time.sleep(0.02)
        running.send_signal(signal.SIGKILL)
        running.communicate()
        before = len(server.requests)
        assert 3 * N + 6 <= before < sum(once[1].values())
        done = play(tmp_path, server, "--json")
        assert done.code == 0, done.err
        # What was in flight, and what came within the journal's last 0.2 s, may be asked again.
        assert sum(answered(server).values()) - sum(once[1].values()) <= 1 + 8
        assert [answered(server)[name] for name in SENTENCES] == [N, N, N]
        assert done.json == once[2]


@pytest.mark.chaos
def test_an_interrupted_ranking_says_how_it_goes_on(tmp_path: Path) -> None:
    with Loopback(policy=world, latency_s=0.1) as server:
        env = environment(tmp_path, server.url)
        running = subprocess.Popen(
            command(*arguments(tmp_path)),
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=interruptible,
        )
        ended = time.monotonic() + 60
        while len(server.requests) < 4 and time.monotonic() < ended:
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate()
        assert running.returncode == 130 and "the same command goes on" in err and "Traceback" not in err
        assert "No ranking: there is no comparison" in out and "3 of 3 pairs have not been judged" in " ".join(
            out.split()
        )


@pytest.mark.chaos
def test_a_lost_response_keeps_judges_from_being_asked(tmp_path: Path) -> None:
    with Loopback(policy=world, faults=[Fault(kind="too_large", containing="dish 5 made")]) as server:
        # The server answers the others; nobody knows yet what this one says.
        stopped = play(tmp_path, server, "--json")
        assert stopped.code == 4 and answered(server)["judge"] == 0
    assert "1 response of openai/short, 1 response of openai/middle" in stopped.err
    again = harness("rank", tmp_path / "out", env=environment(tmp_path))
    assert again.code == 2 and "is a ranking that is not complete" in again.err
    assert not (tmp_path / "out" / "1-vs-2").exists()


def test_another_command_on_the_folder_is_refused(once: tuple[Path, Counter[str], dict[str, Any]]) -> None:
    folder = once[0]
    with Loopback(policy=world) as server:
        for more, specs, said in (
            ((), SPECS[::-1], "it ranks the contestants openai/short, openai/middle, openai/long"),
            (("--judge", "openai/other"), SPECS, "begun with the judges openai/judge"),
            (("--limit", "4"), SPECS, "begun with no --limit"),
            (("--seed", "9"), SPECS, "begun with --seed 3"),
        ):
            done = play(folder, server, *more, specs=specs)
            assert done.code == 2 and said in done.err, done.err
        assert not server.requests


def test_a_suite_that_changed_is_refused(tmp_path: Path) -> None:
    with Loopback(policy=world, faults=[Fault(kind="quota", at=range(2, 99))]) as server:
        assert play(tmp_path, server).code == 4
        write_lines(tmp_path / "prompts.jsonl", [{"id": "p0", "prompt": "Another?"}])
        env = environment(tmp_path, server.url)
        again = ["rank", "--suite", tmp_path / "suite.yaml", "--out", tmp_path / "out"]
        done = harness(*again, *(x for spec in SPECS for x in ("--contestant", spec)), env=env)
        assert done.code == 2 and "another state of it ('dishes')" in done.err


def test_a_run_is_no_ranking_to_go_on_with(tmp_path: Path, once: tuple[Path, Counter[str], dict[str, Any]]) -> None:
    with Loopback(policy=world) as server:
        given = [x if x != tmp_path / "out" else once[0] / "out" / "1-vs-2" for x in arguments(tmp_path)]
        done = harness(*given, env=environment(tmp_path, server.url))
        assert done.code == 2 and "holds a run, not a ranking" in done.err


@pytest.mark.parametrize(
    ("specs", "more", "said"),
    [
        (("openai/a", "openai/b"), (), "needs 3 contestants, found 2"),
        (("openai/a", "openai/b", "openai/a"), (), "'openai/a' is given twice"),
        (("openai/a", "openai/b", "rubric"), (), "cannot be a candidate"),
        (SPECS, ("--judge", "recorded/x.jsonl"), "holds verdicts on one pair's responses"),
        (("openai/a", "openai/b", "recorded/nowhere.jsonl"), (), "no such file"),
    ],
)
def test_wrong_input_is_refused_before_any_call(
    tmp_path: Path, specs: tuple[str, ...], more: tuple[str, ...], said: str
) -> None:
    with Loopback(policy=world) as server:
        done = play(tmp_path, server, *more, specs=specs)
        assert done.code == 2 and said in done.err, done.err
        assert not server.requests and not (tmp_path / "out").exists()


@pytest.mark.chaos
def test_recorded_contestants_and_others_meet(tmp_path: Path) -> None:
    suite_in(tmp_path)
    rows = [{"id": f"p{i}", "response": said(str(i), 3, "recorded")} for i in range(N)]
    write_lines(tmp_path / "old.jsonl", rows)
    specs = ("openai/short", f"recorded/{tmp_path / 'old.jsonl'}", "openai/long")
    with Loopback(policy=world) as server:
        done = play(tmp_path, server, "--json", "--limit", "5", specs=specs)
        assert done.code == 0, done.err
        assert done.json["n_prompts"] == 5 and answered(server)["long"] == 5
        assert {one["spec"] for one in done.json["contestants"]} == set(specs)
        # A failed line of a recorded file is a fact: the ranking goes on without it.
        write_lines(tmp_path / "old.jsonl", [{"id": "p0", "finish": "error"}, *rows[1:]])
        other = [x if x != tmp_path / "out" else tmp_path / "out2" for x in arguments(tmp_path, "--json", specs=specs)]
        missing = harness(*other, env=environment(tmp_path, server.url))
        assert missing.code == 0, missing.err
        by_spec = {one["spec"]: one["missing"] for one in missing.json["contestants"]}
        assert by_spec == {specs[0]: 1, specs[1]: 2, specs[2]: 1}


def test_the_same_responses_twice_are_one_contestant(tmp_path: Path) -> None:
    suite_in(tmp_path)
    rows = [{"id": f"p{i}", "response": f"Words on dish {i}."} for i in range(N)]
    for name in ("one", "two"):
        write_lines(tmp_path / f"{name}.jsonl", rows)
    specs = ("openai/short", *(f"recorded/{tmp_path / name}.jsonl" for name in ("one", "two")))
    with Loopback(policy=world) as server:
        done = play(tmp_path, server, specs=specs)
        assert done.code == 2 and "are one contestant (equal fingerprints)" in done.err
