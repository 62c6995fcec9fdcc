"""Curves of score runs by the real command: the figures of the journals, the words they allow, and what is refused."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from harness import checkpoint
from tests.harness.checkpoints import shelves
from tests.harness.curve.made import STEPS, drifting, history, runs, said_of
from tests.harness.scoring.made import Kitchen, flat, policy, suite
from tests.loopback import Loopback
from tests.published import lines, write_lines

JUDGE, OTHER = "openai/judge", "anthropic/claude-x"


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory):
    """Runs of three steps by two judges, each said to be of a saved step of a training."""
    folder = tmp_path_factory.mktemp("kitchen")
    suite(folder, 20, judges=f"[{JUDGE}, {OTHER}]")
    with Loopback(policy=policy(drifting)) as server:
        made = Kitchen(folder, server)
        made.bare = []
        for run, step in zip(runs(made), STEPS, strict=True):
            made.bare.append(Path(shutil.copytree(run, folder / f"bare-{step}")))
            place = shelves.step(folder / "soup", step, validation_loss=2 - step / 500)
            said_of(run, place)
            rows = [{"step": 0, "epoch": 0.0, "validation_loss": 9.5}]
            rows += [{"step": s, "epoch": 1.0, "loss": 3 - s / 200} for s in range(25, step + 1, 25)]
            history(place, [*rows, {"step": step, "epoch": 1.0, "validation_loss": 2 - step / 500}])
        made.runs = [folder / f"run-{step}" for step in STEPS]
        yield made


@pytest.fixture
def copies(kitchen, tmp_path):
    """The same runs, free to be changed."""
    return [Path(shutil.copytree(run, tmp_path / run.name)) for run in kitchen.runs]


def table(found, judge):
    """Mean scores by step and prompt, read from the journals by hand."""
    every = []
    for run in found:
        by_prompt = {}
        for line in lines(run / "scores.jsonl"):
            if line["judge"] == judge:
                by_prompt.setdefault(line["id"], []).append(line["score"])
        every.append([np.mean(by_prompt[name]) for name in sorted(by_prompt)])
    return np.array(every)


def refused(done, *words):
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1), done.err
    for word in words:
        assert word in done.err, done.err


def test_scores_intervals_and_tests_are_those_of_the_journals(kitchen):
    done = kitchen("curve", *kitchen.runs, "--judge", JUDGE, "--json")
    scores, found = table(kitchen.runs, JUDGE), done.json
    assert (done.code, found["kind"], found["judge"], done.err) == (0, "curve", JUDGE, "")
    assert [point["step"] for point in found["steps"]] == [*STEPS]
    for own, point in zip(scores, found["steps"], strict=True):
        ends = stats.t.interval(0.95, 19, own.mean(), stats.sem(own))
        assert (point["n"], point["mean"], point["ci"]) == (20, pytest.approx(own.mean()), pytest.approx(list(ends)))
        assert point["ci_all"][0] < point["ci"][0] < point["ci"][1] < point["ci_all"][1]
    for gain in found["gains"]:
        a, b = (scores[STEPS.index(gain[which])] for which in ("earlier", "later"))
        assert gain["difference"] == pytest.approx((b - a).mean())
        assert gain["p_value"] == pytest.approx(stats.ttest_rel(b, a).pvalue, abs=1e-12)
        assert gain["p_value"] <= gain["p_adjusted"] and gain["told"] == (gain["p_adjusted"] <= 0.05)
    best = int(scores.mean(axis=1).argmax())
    assert found["best"]["step"] == STEPS[best]
    assert found["best"]["ci_all"] == found["steps"][best]["ci_all"]
    assert found["keep"] == [found["steps"][best]["path"]] == [str(kitchen.folder / f"soup/checkpoint-{STEPS[best]}")]


def test_it_says_what_to_keep_and_which_step_cannot_stand_for_which(kitchen):
    done = kitchen("curve", *kitchen.runs, "--judge", JUDGE)
    found = kitchen("curve", *kitchen.runs, "--judge", JUDGE, "--json").json
    best, (like,) = found["best"]["step"], found["best"]["like_best"]
    assert {best, like} == {200, 290}
    said = flat(done.out)
    assert f"Keep step {best}:" in said and "allows for having looked at all 3" in said
    assert f"Step {like} cannot be told from it on 20 prompts" in said
    assert "Step 100 cannot stand for steps 200 and 290:" in said
    assert all(len(line) <= 80 for line in done.out.splitlines() if "harness checkpoints" not in line)


def test_where_nothing_is_told_no_step_is_called_the_best(kitchen, tmp_path):
    suite(tmp_path, 3, judges=f"[{JUDGE}]")
    own = Kitchen(tmp_path, kitchen.server)
    made = runs(own)[1:]
    found, said = own("curve", *made, "--step", "200,290", "--json").json, flat(own("curve", *made).out)
    assert len(found["best"]["like_best"]) == 1 and not found["gains"][0]["told"]
    assert "No step is shown to be the best" in said and "3 prompts are few" in said and "Keep step" not in said


def test_losses_stand_beside_the_scores(kitchen):
    points = kitchen("curve", *kitchen.runs, "--judge", JUDGE, "--json").json["steps"]
    # 290 is saved between two logged steps: the last before it is shown.
    assert [point["training_loss"] for point in points] == [2.5, 2.0, 3 - 275 / 200]
    assert [point["validation_loss"] for point in points] == [1.8, 1.6, pytest.approx(1.42)]
    text = flat(kitchen("curve", *kitchen.runs, "--judge", JUDGE).out)
    assert "loss by step (t training, v validation)" in text and "(275 for 290)" in text


def test_the_command_that_is_printed_keeps_the_chosen_step(kitchen):
    found = kitchen("curve", *kitchen.runs, "--judge", JUDGE, "--json").json
    out = kitchen("curve", *kitchen.runs, "--judge", JUDGE).out
    (line,) = [line for line in out.splitlines() if "harness checkpoints prune" in line]
    copy = Path(shutil.copytree(kitchen.folder / "soup", kitchen.folder / "copied"))
    arguments = shlex.split(line.replace(str(kitchen.folder / "soup"), str(copy)))[1:]
    assert arguments[-2:] == ["--keep", f"step:{found['best']['step']}"]
    assert kitchen(*arguments, "--yes").code == 0
    left = {path.name for path in copy.glob("checkpoint-*")}
    assert left == {Path(path).name for path in found["keep"]}


def test_the_page_is_printed_instead(kitchen):
    done = kitchen("curve", *kitchen.runs, "--judge", JUDGE, "--html")
    best = kitchen("curve", *kitchen.runs, "--judge", JUDGE, "--json").json["best"]["step"]
    assert done.code == 0 and done.out.startswith("<!DOCTYPE html>") and f"<h1>Keep step {best}</h1>" in done.out
    refused(kitchen("curve", *kitchen.runs, "--html", "--json"), "--json and --html both go to stdout")
    refused(kitchen("curve", *kitchen.runs, "--max-cost", "3"), "--max-cost", "name the --suite")


def test_prompts_that_share_clusters_count_together(kitchen, copies):
    for run in copies:
        manifest = json.loads((run / "manifest.json").read_text())
        for place, prompt in enumerate(manifest["suite"]["prompts"]):
            prompt["cluster"] = str(place % 10)
        (run / "manifest.json").write_text(json.dumps(manifest))
    done = kitchen("curve", *copies, "--judge", JUDGE, "--json").json
    assert any("20 prompts stand in 10 clusters; intervals and tests are over clusters" in n for n in done["notes"])
    by_cluster = table(kitchen.runs, JUDGE).reshape(3, 2, 10).mean(axis=1)
    for own, point in zip(by_cluster, done["steps"], strict=True):
        assert point["ci"] == pytest.approx(list(stats.t.interval(0.95, 9, own.mean(), stats.sem(own))))


def test_the_order_in_which_runs_are_given_changes_nothing(kitchen):
    done = kitchen("curve", *kitchen.runs, "--json").json
    assert kitchen("curve", *reversed(kitchen.runs), "--json").json == done


def test_several_judges_have_a_curve_each(kitchen):
    found = kitchen("curve", *kitchen.runs, "--json").json
    assert (found["kind"], [one["judge"] for one in found["curves"]]) == ("curves", [JUDGE, OTHER])
    for one in found["curves"]:
        assert one["steps"][0]["mean"] == pytest.approx(table(kitchen.runs, one["judge"])[0].mean())
    assert found["keep"] == list(dict.fromkeys(path for one in found["curves"] for path in one["keep"]))
    assert "2 curves, each corrected for its own steps alone" in flat(kitchen("curve", *kitchen.runs).out)


def test_a_prompt_without_a_score_at_one_step_is_left_out_of_all_and_named(kitchen, copies):
    rows = lines(copies[1] / "scores.jsonl")
    (lost, *_) = [row for row in rows if (row["id"], row["judge"], row["turn"]) == ("p03", JUDGE, 2)]
    lost |= {"score": None, "status": "invalid_parse"}
    write_lines(copies[1] / "scores.jsonl", rows)
    found = kitchen("curve", *copies, "--judge", JUDGE, "--json").json
    assert ({point["n"] for point in found["steps"]}, found["unscored"]) == ({19}, {"200": ["p03"]})
    whole = np.delete(table(kitchen.runs, JUDGE), 3, axis=1)
    assert [point["mean"] for point in found["steps"]] == pytest.approx(list(whole.mean(axis=1)))
    said = flat(kitchen("curve", *copies, "--judge", JUDGE).out)
    assert "1 prompt of 20 left out of every step, where a score is missing (1 at step 200): p03" in said
    assert "step 200: scores.jsonl was edited or cut after the run" in said


def test_no_prompt_scored_at_every_step_is_no_curve(kitchen, copies):
    rows = [row | {"score": None, "status": "invalid_parse"} for row in lines(copies[0] / "scores.jsonl")]
    write_lines(copies[0] / "scores.jsonl", rows)
    done = kitchen("curve", *copies, "--judge", JUDGE, "--json")
    assert (done.code, done.json["best"], done.json["keep"]) == (3, None, [])
    assert [point["mean"] for point in done.json["steps"]] == [None] * 3
    assert "No step can be chosen" in kitchen("curve", *copies, "--judge", JUDGE).out


def test_steps_that_nothing_tells_are_the_order_given_or_named(kitchen):
    done = kitchen("curve", *kitchen.bare, "--judge", JUDGE, "--json").json
    assert [point["step"] for point in done["steps"]] == [1, 2, 3]
    assert any("numbered in the order given" in note for note in done["notes"])
    named = kitchen("curve", *kitchen.bare, "--judge", JUDGE, "--step", "100,200,290", "--json").json
    assert [point["step"] for point in named["steps"]] == [*STEPS]
    assert (named["notes"], named["keep"]) == ([], [])


def test_what_training_began_with_is_step_0_with_the_losses_before_training(kitchen, copies):
    prints = {"fingerprints": {"candidate": "b" * 64}}
    whole = shelves.whole(copies[0].parent / "broth", steps_done=700, steps_planned=700)
    manifest = json.loads((copies[0] / "manifest.json").read_text())
    said_of(copies[0], whole, fingerprints=manifest["fingerprints"] | prints["fingerprints"])
    points = kitchen("curve", *copies, "--judge", JUDGE, "--json").json["steps"]
    assert [point["step"] for point in points] == [0, 200, 290]
    assert (points[0]["training_loss"], points[0]["validation_loss"]) == (None, 9.5)


def test_a_put_back_step_counts_as_the_step_of_its_weights(kitchen, copies):
    end = shelves.adapter(copies[0].parent / "end", steps_done=290, weights_step=150)
    said_of(copies[2], end)
    points = kitchen("curve", *copies, "--judge", JUDGE, "--json").json["steps"]
    assert [point["step"] for point in points] == [100, 150, 200]


def test_what_is_no_curve_is_refused_in_one_sentence(kitchen, copies, tmp_path):
    a, b, _ = kitchen.runs
    refused(kitchen("curve", a), "one step alone has no curve")
    refused(kitchen("curve", a, a), "is given twice")
    refused(kitchen("curve", a, b, "--step", "5,5"), "step 5 is there twice")
    refused(kitchen("curve", a, b, "--step", "5"), "--step names 1 step for 2 runs")
    refused(kitchen("curve", a, b, "--step", "5,x"), "whole numbers with commas")
    refused(kitchen("curve", a, kitchen.bare[1]), "the step is not known of", "bare-200")
    refused(kitchen("curve", a, b, "--judge", "nobody"), "has no judge 'nobody'")
    refused(kitchen("curve", a, kitchen.folder / "soup"), "holds checkpoints and no run", "--suite")
    refused(kitchen("curve", a, tmp_path / "none"), "none", "no run")
    manifest = json.loads((copies[2] / "manifest.json").read_text())
    same = manifest["candidate"] | {"rest": str(kitchen.folder / "soup/checkpoint-200")}
    (copies[2] / "manifest.json").write_text(json.dumps(manifest | {"candidate": same}))
    refused(kitchen("curve", *copies), "step 200 is there twice")


def test_a_run_that_is_not_complete_is_refused(kitchen, copies):
    whole = (copies[1] / "scores.jsonl").read_text().splitlines(keepends=True)
    (copies[1] / "scores.jsonl").write_text("".join(whole[:-1]))
    refused(kitchen("curve", *copies), "run-200: is not complete", "harness resume")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda m: m["suite"].update(name="drinks"), "the suites differ"),
        (lambda m: m["suite"]["prompts"][0].update(turns=["Else?", "And?"]), "another text"),
        (lambda m: m["suite"]["sampling"].update(temperature=0.7), "the sampling differs"),
        (lambda m: m["suite"]["judge_sampling"].update(temperature=0.7), "the judge sampling differs"),
        (lambda m: m["fingerprints"].update({f"template of {JUDGE}": "f" * 64}), "another version of"),
        (lambda m: m["judges"][0]["asking"].update(mode="verdict-token"), "the way of asking"),
        (lambda m: m["scales"].update({JUDGE: [0.0, 10.0]}), "another scale"),
    ],
)
def test_runs_that_measure_something_else_are_refused(kitchen, copies, change, why):
    manifest = json.loads((copies[1] / "manifest.json").read_text())
    change(manifest)
    (copies[1] / "manifest.json").write_text(json.dumps(manifest))
    refused(kitchen("curve", *copies), "run-200: ", why, "a curve needs the same at every step")


def test_steps_of_two_trainings_are_refused_unless_they_are_named(kitchen, copies):
    other = shelves.step(copies[0].parent / "stew", 150)
    checkpoint.write(other, shelves.made(other, name="stew", steps_done=150))
    said_of(copies[1], other)
    refused(kitchen("curve", *copies), "is step 150 of another training (stew")
    assert kitchen("curve", *copies, "--step", "1,2,3").code == 0
