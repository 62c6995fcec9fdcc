"""A folder of saved steps is evaluated first, by the real command with tiny models, and nothing is done twice."""

from __future__ import annotations

import json
import os
import pty
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from harness import checkpoint
from harness.checkpoint import Base
from harness.curve import verb
from harness.launch import Options
from tests import tiny
from tests.command import Done, command
from tests.harness.checkpoints import shelves
from tests.harness.scoring.made import Kitchen, flat, policy, suite
from tests.loopback import Fault, Loopback

STEPS = (100, 200)


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory):
    """A base, a training's saved adapters on it beside it, and the curve that was drawn of them."""
    folder = tmp_path_factory.mktemp("kitchen")
    suite(folder, 4, more="sampling: {max_tokens: 4}\n")
    base = tiny.checkpoint(folder / "checkpoints/broth", context=512)
    checkpoint.write(base, shelves.made(base, name="broth", kind="pretrain", base=None))
    made_on = Base(spec="recipe/broth.yaml", sha256=checkpoint.fingerprint(base))
    for step in STEPS:
        place = tiny.adapter(folder / f"checkpoints/soup/checkpoint-{step}", base, seed=step)
        checkpoint.write(place, shelves.made(place, base=made_on, steps_done=step))
    with Loopback(policy=policy()) as server:
        made = Kitchen(folder, server)
        made.call = ("curve", "checkpoints/soup", "--suite", "suite.yaml", "--out", "out")
        made.done = made(*made.call, "--json")
        made.whole = spent(made.done, server)
        yield made


def test_every_step_has_a_run_of_its_own(kitchen):
    assert kitchen.done.code == 0, kitchen.done.err
    found = kitchen.done.json
    assert [point["run"] for point in found["steps"]] == [f"out/dishes/step-{step}" for step in STEPS]
    for step, point in zip(STEPS, found["steps"], strict=True):
        summary = kitchen.read("out", "dishes", f"step-{step}", "summary.json")
        assert (point["step"], point["mean"]) == (step, pytest.approx(summary["judges"]["openai/judge"]["mean"]))
        assert point["path"].endswith(f"checkpoints/soup/checkpoint-{step}")
    assert kitchen.read("out", "curve.json") == found
    assert "<h1>" in (kitchen.folder / "out/report.html").read_text()


def test_the_same_command_asks_nothing_again(kitchen):
    before = kitchen.asked
    again = kitchen(*kitchen.call, "--json")
    assert (again.code, again.json, kitchen.asked) == (0, kitchen.done.json, before)
    assert "candidate answers" not in again.err


def test_a_step_that_is_not_whole_is_gone_on_with(kitchen):
    run = kitchen.folder / "out/dishes/step-200"
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps(manifest | {"complete": False}))
    (run / "scores.jsonl").write_text((run / "scores.jsonl").read_text()[:300])
    before = kitchen.asked
    again = kitchen(*kitchen.call, "--json")
    # What was cut off comes from the cache that all steps share.
    assert (again.code, again.json["steps"], kitchen.asked) == (0, kitchen.done.json["steps"], before)
    assert "step-200 goes on" in again.err and "step-100 goes on" not in again.err


def test_what_was_judged_once_is_not_judged_again(kitchen):
    before = kitchen.asked
    # Another folder, and a step whose weights are those of step 200: the same answers, and the same judge.
    shutil.copytree(kitchen.folder / "checkpoints/soup", kitchen.folder / "again/soup")
    place = kitchen.folder / "again/soup/checkpoint-300"
    shutil.copytree(kitchen.folder / "again/soup/checkpoint-200", place)
    made = json.loads((place / "manifest.json").read_text())
    (place / "manifest.json").write_text(json.dumps(made | {"steps_done": 300}))
    done = kitchen("curve", "again/soup", "--suite", "suite.yaml", "--out", "other", "--json")
    assert (done.code, kitchen.asked) == (0, before), done.err
    _, second, third = done.json["steps"]
    assert (third["step"], third["mean"]) == (300, second["mean"])


def test_the_command_it_prints_is_pasted_and_leaves_what_was_chosen_verified(kitchen):
    """The whole way: checkpoints are evaluated, one is chosen, and the printed line keeps that one alone."""
    out = kitchen(*kitchen.call).out
    (line,) = [line for line in out.splitlines() if "harness checkpoints prune" in line]
    kept = kitchen.done.json["best"]["step"]
    shelf = kitchen.folder / "copied/soup"
    shutil.copytree(kitchen.folder / "checkpoints/soup", shelf)
    _, *arguments = shlex.split(line.replace(str(kitchen.folder / "checkpoints/soup"), str(shelf)))
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command(*arguments), stdin=theirs, stdout=subprocess.PIPE, env=kitchen.env)
    os.write(ours, b"y\n")
    process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 0
    assert [path.name for path in shelf.glob("checkpoint-*")] == [f"checkpoint-{kept}"]
    verified = kitchen("checkpoints", "verify", shelf / f"checkpoint-{kept}")
    assert verified.code == 0, verified.err


@pytest.fixture
def here(kitchen, tmp_path, monkeypatch, capsys):
    """`harness curve` on the kitchen's steps in this process, which has torch already; its own cache and prices."""
    (tmp_path / "prices.yaml").write_text("openai/judge: {input: 10, output: 1}\n")
    monkeypatch.chdir(kitchen.folder)

    def run(server, max_cost):
        more = {"HARNESS_CACHE_DIR": str(tmp_path / "cache"), "HARNESS_PRICES": str(tmp_path / "prices.yaml")}
        for name, value in Kitchen(kitchen.folder, server, **more).env.items():
            monkeypatch.setenv(name, value)
        capsys.readouterr()
        code = verb.of_checkpoints(
            Path("checkpoints/soup"),
            ["suite.yaml"],
            Options(max_cost=max_cost),
            out=tmp_path / "paid",
            base=None,
            shelf=Path("checkpoints"),
            resolve=lambda spec, _: spec,
            wanted=verb.Wanted(as_json=True, as_html=False),
        )
        said = capsys.readouterr()
        return Done(code=code, out=said.out, err=said.err)

    return run


def test_all_steps_together_stay_below_max_cost_and_the_same_command_goes_on(kitchen, here):
    with Loopback(policy=policy()) as server:
        # Enough for the first step, not for both.
        done = here(server, 0.75 * kitchen.whole)
        first = spent(done, server)
        assert (done.code, done.out) == (4, ""), done.err
        assert 0.25 * kitchen.whole < first <= 0.75 * kitchen.whole
        assert "the same command with another --max-cost goes on" in flat(done.err)
        again = here(server, kitchen.whole)
        assert again.code == 0, again.err
        assert [one["mean"] for one in again.json["steps"]] == [one["mean"] for one in kitchen.done.json["steps"]]
        assert spent(again, server) == pytest.approx(kitchen.whole)


def spent(done, server):
    """What the server's answers cost so far, once a command has ended."""
    assert done.code in (0, 4), done.err
    return sum(10 * usage["prompt_tokens"] + usage["completion_tokens"] for usage in server.usages) / 1e6


def test_a_limit_that_is_no_amount_or_cannot_be_kept_is_refused(kitchen, tmp_path):
    call = (*kitchen.call[:-1], tmp_path / "refused")
    assert "--max-cost is an amount in US dollars above 0" in kitchen(*call, "--max-cost", "0").err
    done = kitchen(*call, "--max-cost", "1")
    assert (done.code, "openai/judge: its price is not known" in done.err) == (2, True)
    assert not (tmp_path / "refused").exists()


def test_its_runs_are_runs_like_any_other(kitchen):
    done = kitchen("curve", *(f"out/dishes/step-{step}" for step in reversed(STEPS)), "--json")
    assert (done.code, done.json["steps"]) == (0, kitchen.done.json["steps"])
    assert kitchen("run", "suite.yaml", "--candidate", "hf/checkpoints/broth", "--out", "zero").code == 0
    found = kitchen("curve", *(f"out/dishes/step-{step}" for step in STEPS), "zero", "--json").json
    assert [point["step"] for point in found["steps"]] == [0, *STEPS]


def test_other_settings_or_other_weights_need_another_folder(kitchen):
    done = kitchen(*kitchen.call, "--limit", "2")
    assert (done.code, done.out) == (2, "")
    assert "was begun with another suite, judge, --limit or --seed" in done.err
    place = kitchen.folder / "checkpoints/soup/checkpoint-100"
    kept = (place / "manifest.json").read_text()
    (place / "manifest.json").write_text(json.dumps(json.loads(kept) | {"sha256": "f" * 64}))
    done = kitchen(*kitchen.call)
    (place / "manifest.json").write_text(kept)
    assert (done.code, "was made with other weights" in done.err) == (2, True)


def test_a_judge_that_fails_leaves_no_curve_and_a_way_on(kitchen, tmp_path):
    call = (*kitchen.call[:-1], tmp_path / "other")
    with Loopback(policy=policy(), faults=[Fault(kind="quota", at=range(2, 99))]) as server:
        done = Kitchen(kitchen.folder, server, HARNESS_CACHE_DIR=str(tmp_path / "cache"))(*call)
    assert (done.code, done.out) == (4, ""), done.err
    assert "the runs are not whole" in flat(done.err) and "the same command goes on" in flat(done.err)
    assert not (tmp_path / "other/curve.json").exists()
    assert kitchen(*call).code == 0


def test_what_cannot_be_evaluated_is_refused_in_one_sentence(kitchen, tmp_path):
    shelf = tmp_path / "shelf"
    shelves.step(shelf / "one", 100)
    pairs = tmp_path / "pairs.yaml"
    pairs.write_text('name: pairs\nprompts: [{id: a, prompt: "How?"}]\ncandidate: openai/a\nbaseline: openai/b\n')
    rest = ("--suite", "suite.yaml", "--out", tmp_path / "out")
    for call, why in (
        ((shelf / "one", *rest), "holds only step 100"),
        ((tmp_path / "none", *rest), "no such folder"),
        ((kitchen.folder / "out", *rest), "holds no saved steps"),
        (("checkpoints", *rest), "holds 2 trainings"),
        (("checkpoints/soup", "checkpoints/broth", *rest), "one training, found 2 paths"),
        (("checkpoints/soup", "--suite", pairs, *rest[2:]), "is of kind 'pairwise'"),
        (("checkpoints/soup", *rest, "--suite", "suite.yaml"), "two suites are named 'dishes'"),
        (("checkpoints/soup", *rest, "--step", "1,2"), "leave it out"),
        (("checkpoints/soup", *rest[:2]), "--out DIR"),
        (("checkpoints/soup", "--out", "x"), "name the --suite"),
        (("checkpoints/soup", *rest[:3], "out/dishes/step-100"), "is a run's folder itself"),
    ):
        done = kitchen("curve", *call)
        assert (done.code, done.out) == (2, ""), (call, done)
        assert why in done.err, (call, done.err)
    assert not (tmp_path / "out").exists()
