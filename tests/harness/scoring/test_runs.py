"""Score runs by the real command on the loopback server: asked once, resumed to the byte, paired, named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.harness.scoring.figures_made import student
from tests.harness.scoring.made import MIX, SIDES, Kitchen, flat, grading, policy, suite, usual
from tests.loopback import Loopback
from tests.published import lines, write_lines


def judged(folder, name, judge):
    """Every prompt's scores of a judge by turn, read from the journal by hand."""
    found = {}
    for line in lines(folder / name):
        if line["judge"] == judge:
            found.setdefault(line["id"], {}).setdefault(line["turn"], []).append(line["score"])
    return found


def test_each_answer_is_asked_for_once_and_graded_once_by_each(kitchen):
    # 8 prompts, 2 turns, 2 contestants; every answer by 2 judges.
    assert kitchen.first_asked == (32, 64)


def test_later_turns_are_asked_with_one_s_own_earlier_answers(kitchen):
    responses = {(r["id"], r["role"]): r["responses"] for r in lines(kitchen.folder / "first/responses.jsonl")}
    second = [b for b in kitchen.server.bodies[:96] if not grading(b) and len(b["messages"]) == 3]
    assert len(second) == 16
    for body in second:
        said = [message["content"] for message in body["messages"]]
        role = {"new": "candidate", "old": "baseline"}[body["model"]]
        prompt = f"p{int(said[0].split()[3]):02d}"
        assert (said[1], said[2]) == (responses[prompt, role][0], "And what goes with it?")
        assert body["temperature"] == 0


def test_a_later_turn_is_graded_within_the_whole_conversation_and_with_its_reference(kitchen):
    seen = 0
    for body in kitchen.server.bodies[:96]:
        text = json.dumps(body["messages"])
        if "EARLIER ANSWER 1" in text:
            assert "And what goes with it?" in text
            seen += 1
        if grading(body):
            dish = int(text.split("How is dish ")[1].split()[0])
            assert ("<<<REFERENCE ANSWER" in text) == (dish % 2 == 1)
    assert seen == 32


def test_the_summary_is_the_contract_s_and_alone_on_stdout(kitchen):
    found = kitchen.first
    assert found == kitchen.read("first", "summary.json")
    assert list(found)[:5] == ["kind", "n_prompts", "complete", "judges", "categories"]
    assert (found["kind"], found["n_prompts"], found["complete"]) == ("score", 8, True)
    for name in ("openai/judge", "anthropic/claude-x"):
        scores = judged(kitchen.folder, "first/scores.jsonl", name)
        theirs = judged(kitchen.folder, "first/scores_baseline.jsonl", name)
        means = {p: np.mean([np.mean(t) for t in turns.values()]) for p, turns in scores.items()}
        own = found["judges"][name]
        assert {"n", "unscored", "mean", "se", "ci", "floor", "turns", "categories"} <= own.keys()
        assert (own["n"], own["unscored"], own["mean"]) == (8, 0, pytest.approx(np.mean(list(means.values()))))
        se, ci = student(list(means.values()), (1, 10))
        assert (own["se"], own["ci"]) == (pytest.approx(se), pytest.approx(list(ci)))
        for turn in (1, 2):
            assert own["turns"][str(turn)] == pytest.approx(np.mean([t[turn][0] for t in scores.values()]))
        for category, rest in (("even", 0), ("odd", 1)):
            of = [mean for prompt, mean in means.items() if int(prompt[1:]) % 2 == rest]
            assert own["categories"][category] == pytest.approx(np.mean(of))
        differences = [means[p] - np.mean([np.mean(t) for t in theirs[p].values()]) for p in means]
        moved = found["delta"][name]
        assert list(moved) == ["difference", "ci", "p_value", "n"]
        assert (moved["difference"], moved["n"]) == (pytest.approx(np.mean(differences)), 8)
        assert moved["ci"] == pytest.approx(list(student(differences)[1]))
    # Both are on 1-10, so a category is of the mean of both judges.
    both = [found["judges"][name]["categories"]["odd"] for name in found["judges"]]
    assert found["categories"]["odd"]["mean"] == pytest.approx(np.mean(both))


def test_a_second_run_asks_nothing_again(kitchen):
    before = kitchen.asked
    done = kitchen.run("again", *SIDES, "--json")
    assert (done.code, done.json, kitchen.asked) == (0, kitchen.first, before)
    for name in ("scores.jsonl", "scores_baseline.jsonl"):
        own, other = (sorted((kitchen.folder / run / name).read_text().splitlines()) for run in ("first", "again"))
        assert own == other


def test_an_earlier_run_is_a_baseline_of_which_nothing_is_generated_again(kitchen, tmp_path):
    suite(tmp_path, judges=MIX)
    before = kitchen.asked
    sides = ("--candidate", "openai/newer", "--baseline", kitchen.folder / "first")
    done = kitchen.run(tmp_path / "run", *sides, "--json", suite=tmp_path / "suite.yaml")
    assert done.code == 0
    # The newer one's 16 answers and their 32 grades; the old candidate's answers and grades are there.
    assert (kitchen.asked[0] - before[0], kitchen.asked[1] - before[1]) == (16, 32)
    assert done.json["baseline"] == kitchen.first["judges"]
    assert not [note for note in done.json["notes"] if "sampling" in note]
    texts = {(r["id"], r["role"]): r["responses"] for r in lines(tmp_path / "run/responses.jsonl")}
    for record in lines(kitchen.folder / "first/responses.jsonl"):
        if record["role"] == "candidate":
            assert texts[record["id"], "baseline"] == record["responses"]


def test_a_baseline_sampled_otherwise_is_named(kitchen, tmp_path):
    path = suite(tmp_path, more="sampling: {max_tokens: 99, temperature: 0.5}\n")
    sides = ("--candidate", "openai/newer", "--baseline", kitchen.folder / "first")
    done = kitchen.run(tmp_path / "run", *sides, "--json", suite=path)
    there = "temperature 0, max_tokens 512 there, temperature 0.5, max_tokens 99 here"
    assert f"baseline: its answers are of an earlier run, with other sampling ({there})" in done.json["notes"]


@pytest.mark.parametrize(
    ("changed", "n", "says"),
    [({}, 9, "never answered prompt 'p08'; give a whole run of this suite"),
     ({"system": "Be short."}, 8, "was asked another text as 'p00'; give a run of this suite")],
)  # fmt: skip
def test_a_baseline_run_of_other_prompts_is_refused(kitchen, tmp_path, changed, n, says):
    path = suite(tmp_path, n, **changed)
    before = kitchen.asked
    done = kitchen("run", path, "--candidate", "openai/newer", "--baseline", kitchen.folder / "first")
    assert (done.code, kitchen.asked) == (2, before)
    assert says in done.err


def test_the_same_answers_by_two_names_are_told_apart_from_a_model_against_itself(kitchen, tmp_path):
    done = kitchen.run("itself", "--candidate", "openai/new", "--baseline", "openai/new", "--json")
    assert "candidate and baseline are the same model; any difference is chance" in done.json["notes"]
    assert done.json["delta"]["openai/judge"]["difference"] == 0


def test_a_limit_draws_by_category_and_speaks_of_the_whole_suite(kitchen):
    before = kitchen.asked
    done = kitchen.run("limited", *SIDES, "--limit", "4")
    assert (done.code, kitchen.asked) == (0, before)
    found = kitchen.read("limited", "summary.json")
    drawn = {line["id"]: line["category"] for line in lines(kitchen.folder / "limited/scores.jsonl")}
    assert sorted(drawn.values()) == ["even", "even", "odd", "odd"]
    whole = found["whole_suite"]
    assert (whole["prompts"], found["n_prompts"]) == (8, 4)
    for name, own in whole["judges"].items():
        assert own["mean"] == pytest.approx(found["judges"][name]["mean"])
        scores = judged(kitchen.folder, "limited/scores.jsonl", name)
        means = {p: np.mean([np.mean(t) for t in turns.values()]) for p, turns in scores.items()}
        groups = [[m for p, m in means.items() if drawn[p] == c] for c in ("even", "odd")]
        assert own["se"] == pytest.approx(np.sqrt(sum(0.25 * 0.5 * np.var(g, ddof=1) / 2 for g in groups)))
    said = flat(done.out)
    assert "4 of the suite's 8 prompts were asked, drawn by category" in said
    assert flat((kitchen.folder / "limited/report.md").read_text()).count("of the suite's 8 prompts") >= 1


def test_a_limit_draws_the_same_prompts_in_a_comparison(kitchen, tmp_path):
    # The same seeded draw in every kind.
    path = suite(tmp_path)
    path.write_text(
        path.read_text().replace("kind: score", "kind: pairwise").replace("openai/judge", "control/longest")
    )
    kitchen("run", path, *SIDES, "--limit", "4", "--out", tmp_path / "pairs")
    one, other = (
        {line["id"] for line in lines(folder / name)}
        for folder, name in ((tmp_path / "pairs", "judgments.jsonl"), (kitchen.folder / "limited", "scores.jsonl"))
    )
    assert one == other


def test_a_finished_run_is_analyzed_to_the_same_figures(kitchen):
    done = kitchen("analyze", "first", "--json")
    assert (done.code, done.json) == (0, kitchen.first)


def test_nothing_is_overwritten(kitchen):
    for given in (("run", "suite.yaml", *SIDES), ("analyze", "first")):
        done = kitchen(*given, "--out", kitchen.folder / "first")
        assert (done.code, "holds a run already" in done.err) == (2, True)


def test_an_edited_journal_is_named(kitchen, tmp_path):
    run = Path(shutil.copytree(kitchen.folder / "first", tmp_path / "run"))
    rows = lines(run / "scores.jsonl")
    write_lines(run / "scores.jsonl", [{**row, "score": 10.0} for row in rows])
    done = kitchen("analyze", run, "--json")
    assert done.json["judges"]["openai/judge"]["ceiling"] == 1.0
    assert "scores.jsonl was edited or cut after the run, and figures rest on it as it is" in done.json["notes"]
    assert "was edited or cut after the run" in flat(kitchen("analyze", run).out)


@pytest.mark.parametrize(
    ("score", "says"), [(10.5, "is 10.5, off the scale from 1 to 10"), (-3, "is -3, off the scale")]
)
def test_a_score_off_the_scale_was_not_written_by_a_run(kitchen, tmp_path, score, says):
    run = Path(shutil.copytree(kitchen.folder / "first", tmp_path / "run"))
    first, *rest = lines(run / "scores.jsonl")
    write_lines(run / "scores.jsonl", [{**first, "score": score}, *rest])
    for verb in ("analyze", "resume"):
        done = kitchen(verb, run)
        assert done.code == 2
        assert says in done.err


def test_scores_by_another_judge_may_be_added_to_a_journal(kitchen, tmp_path):
    run = Path(shutil.copytree(kitchen.folder / "first", tmp_path / "run"))
    rows = lines(run / "scores.jsonl")
    added = [
        {**row, "judge": "human/ann", "score": 3.0 + row["turn"]} for row in rows if row["judge"] == "openai/judge"
    ]
    write_lines(run / "scores.jsonl", [*rows, *added])
    found = kitchen("analyze", run, "--json").json["judges"]
    assert (found["human/ann"]["n"], found["human/ann"]["mean"]) == (8, 4.5)
    assert found["openai/judge"] == kitchen.first["judges"]["openai/judge"]


def test_what_would_be_asked_is_told_without_asking(kitchen):
    before = kitchen.asked
    found = kitchen("run", "suite.yaml", *SIDES, "--dry-run", "--json").json
    assert (found["responses"], found["answers"], found["gradings"], found["calls"]) == (16, 32, 64, 64)
    alone = kitchen("run", "suite.yaml", "--candidate", "openai/new", "--judge", "rubric", "--dry-run")
    assert kitchen.asked == before
    assert flat(alone.out).startswith("suite dishes n prompts 8 candidate openai/new baseline none judges rubric")
    assert "gradings 8 calls 0" in flat(alone.out)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("--judge", "openai/judge"), "the suite 'dishes' names no candidate; add --candidate SPEC"),
        ((*SIDES, "--judge", "control/longest"), "'control/longest' compares two answers and grades none"),
        ((*SIDES, "--judge", "openai/x", "--judge", "openai/x"), "the judge 'openai/x' is given twice"),
        ((*SIDES, "--stop-early"), "--stop-early and --panel belong to pairwise suites"),
        ((*SIDES, "--judge", "anthropic/x", "--judge-mode", "verdict-token"), "gives no probabilities of tokens"),
        ((*SIDES, "--max-cost", "1"), "price"),
    ],
)
def test_what_cannot_be_run_is_said_before_anything_is_asked(kitchen, given, says):
    before = kitchen.asked
    done = kitchen("run", "suite.yaml", *given)
    assert (done.code, kitchen.asked) == (2, before)
    assert says in done.err


def test_sampling_is_named(kitchen, tmp_path):
    path = suite(tmp_path, 2, more="sampling: {temperature: 0.8}\nrepeats: 2\n")
    done = kitchen("run", path, "--candidate", "openai/new", "--out", tmp_path / "run")
    said = flat(done.out)
    assert "answers were sampled at temperature 0.8: another run has others" in said
    assert "samples a prompt 2" in said
    rows = lines(tmp_path / "run/scores.jsonl")
    assert sorted({row["repeat"] for row in rows}) == [0, 1]
    assert len(rows) == 2 * 2 * 2
    greedy = flat(kitchen("analyze", "first").out)
    assert "sampling temperature 0, max_tokens 512" in greedy
    assert "were sampled" not in greedy


def test_a_judge_that_is_asked_three_times_is_really_asked_and_its_noise_is_told(tmp_path):
    path = suite(tmp_path, 6, more="judge_repeats: 3\n")
    counts = {}

    def moody(request, text):
        counts[text] = counts.get(text, 0) + 1
        return {"rating": 4 + counts[text], "reasoning": "x"}

    with Loopback(policy=policy(moody)) as server:
        made = Kitchen(tmp_path, server)
        done = made.run("run", *SIDES, suite=path)
        assert (done.code, made.asked) == (0, (24, 72))
        again = made.run("again", *SIDES, "--json", suite=path)
        assert made.asked == (24, 72)
    assert set(counts.values()) == {3}
    rows = lines(tmp_path / "run/scores.jsonl")
    assert {row["repeat"] for row in rows} == {0, 1, 2}
    found = again.json["judge_noise"]["openai/judge"]
    # 5, 6 and 7 for every answer: a standard deviation of 1, all of it the judge's own.
    assert found == {"sd": pytest.approx(1.0), "answers": 24, "changed": 1.0, "share_of_variance": pytest.approx(1.0)}
    assert again.json["judges"]["openai/judge"]["mean"] == 6.0
    said = flat(done.out)
    assert "graded 24 answers more than once: standard deviation of its grades of one answer 1.00, 100 % of" in said
    assert "askings a judge 3" in said


def test_the_server_gives_the_same_grade_to_the_same_question():
    body = {"model": "m", "messages": [{"role": "user", "content": "x <<<ANSWER TO GRADE>>>"}]}
    assert usual(body) == usual(dict(body))
