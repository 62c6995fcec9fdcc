"""Scores files, and what other verbs make of a score run: analyze, compare, check, judge, validate."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.scoring.files import of_files
from tests.command import environment, harness
from tests.harness.scoring.figures_made import GRADE, student
from tests.harness.scoring.made import Kitchen, flat, policy, suite
from tests.loopback import Loopback
from tests.published import lines, write_lines


def some(seed=0, n=12, judges=("openai/judge",), turns=2):
    rng = np.random.default_rng(seed)
    return [
        {"id": f"p{p}", "judge": judge, "turn": turn, "score": float(rng.integers(1, 11)), "status": "ok",
         "category": f"c{p % 3}"}
        for p in range(n) for judge in judges for turn in range(1, turns + 1)
    ]  # fmt: skip


def means(rows, judge):
    held = {}
    for row in rows:
        if row["judge"] == judge:
            held.setdefault(row["id"], []).append(row["score"])
    return {name: float(np.mean(scores)) for name, scores in held.items()}


def test_a_scores_file_of_one_judge(tmp_path):
    rows = some()
    done = harness("analyze", write_lines(tmp_path / "scores.jsonl", rows), "--json", env=environment(tmp_path))
    found, own = done.json, means(rows, "openai/judge")
    assert (done.code, found["kind"], found["n_prompts"], found["complete"]) == (0, "score", 12, True)
    figures = found["judges"]["openai/judge"]
    se, ci = student(list(own.values()), (1, 10))
    assert (figures["mean"], figures["se"]) == (pytest.approx(np.mean(list(own.values()))), pytest.approx(se))
    assert figures["ci"] == pytest.approx(list(ci))
    assert figures["floor"] == np.mean([mean == 1 for mean in own.values()])
    assert found["categories"].keys() == {"c0", "c1", "c2"}
    assert "delta" not in found
    for name in found["categories"]:
        values = [mean for prompt, mean in own.items() if f"c{int(prompt[1:]) % 3}" == name]
        assert found["categories"][name]["ci"] == pytest.approx(list(student(values, (1, 10))[1]))


def test_categories_are_of_the_mean_of_several_judges_over_prompts_that_all_scored(tmp_path):
    rows = some(judges=("openai/judge", "anthropic/x"))
    rows[0] |= {"score": None, "status": "refused"}
    found = of_files([write_lines(tmp_path / "scores.jsonl", rows)])
    a, b = means([row for row in rows if row["id"] != "p0"], "openai/judge"), means(rows, "anthropic/x")
    both = {name: (a[name] + b[name]) / 2 for name in a}
    assert (found.judges["openai/judge"].n, found.judges["openai/judge"].unscored) == (11, 1)
    for name in ("c0", "c1", "c2"):
        values = [mean for prompt, mean in both.items() if f"c{int(prompt[1:]) % 3}" == name]
        assert (found.categories[name].n, found.categories[name].unscored) == (len(values), 4 - len(values))
        assert found.categories[name].mean == pytest.approx(np.mean(values))


def test_several_files_are_taken_together(tmp_path):
    one = write_lines(tmp_path / "a.jsonl", some(1))
    other = write_lines(tmp_path / "b.jsonl", some(2, judges=("rubric",), turns=1))
    write_lines(other, [{**row, "score": row["score"] / 10} for row in lines(other)])
    found = of_files([one, other])
    assert {name: own.scale for name, own in found.judges.items()} == {"openai/judge": (1, 10), "rubric": (0, 1)}
    assert found.categories == {}


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_the_order_of_a_file_s_lines_changes_nothing(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("lines")
    categories = st.sampled_from(["a", "b", None])
    rows = [
        {"id": f"p{p}", "judge": judge, "turn": turn, "repeat": repeat, "score": data.draw(GRADE)}
        | {"status": "ok", "category": data.draw(categories)}
        for p in range(data.draw(st.integers(1, 4)))
        for judge in ("j", "k")
        for turn in (1, 2)
        for repeat in (0, 1)
    ]
    shuffled = data.draw(st.permutations(rows))
    here, there = (of_files([write_lines(folder / "s.jsonl", list(order))]) for order in (rows, shuffled))
    assert json.dumps(here.as_json(), sort_keys=True) == json.dumps(there.as_json(), sort_keys=True)


@pytest.mark.parametrize(
    ("scores", "judge", "scale", "says"),
    [
        ([1.0, 7.5], "openai/judge", (1, 10), None),
        ([1.0, 7.5], "reward/x", (1, 10), None),
        ([0.0, 1.0], "rubric", (0, 1), None),
        ([1.0, 7.5], "gpt-4", (1, 10), "gpt-4: its scale is taken to be 1 to 10, where all its scores lie"),
        ([0.5, 7.5], "gpt-4", None, "gpt-4: its scale is not known, so that no share at its ends can be told"),
        ([-3.0, 14.0], "openai/judge", None, "openai/judge: its scale is not known"),
        ([None], "gpt-4", None, "gpt-4: its scale is not known"),
    ],
)
def test_a_file_does_not_tell_a_scale_but_scores_and_names_do(tmp_path, scores, judge, scale, says):
    rows = [{"id": str(p), "judge": judge, "turn": 1, "score": score, "status": "ok"} for p, score in enumerate(scores)]
    found = of_files([write_lines(tmp_path / "s.jsonl", rows)])
    assert found.judges[judge].scale == scale
    assert [note for note in found.notes if says and says in note] == list(found.notes)


def test_repeats_that_may_be_other_answers_are_no_judge_s_noise(tmp_path):
    rows = [row | {"repeat": repeat, "score": row["score"] / (1 + repeat)} for row in some() for repeat in (0, 1)]
    assert of_files([write_lines(tmp_path / "s.jsonl", rows)]).noise == {}
    asked = [row | ({"asking": row["repeat"]} if row["repeat"] else {}) for row in rows]
    found = of_files([write_lines(tmp_path / "s.jsonl", asked)]).noise["openai/judge"]
    pairs = [(row["score"], row["score"] / 2) for row in some()]
    assert found.answers == 24
    assert found.sd == pytest.approx(np.sqrt(np.mean([np.var(pair, ddof=1) for pair in pairs])))


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([some()[0]] * 2, "s.jsonl:2: the key (p0, openai/judge, 1, 0) stands already on line 1"),
        ([some()[0] | {"score": 1e300}], "the score of 'p0' (turn 1) by openai/judge is 1e+300"),
        ([some()[0] | {"turn": 0}], "s.jsonl:1: "),
        ([some()[0] | {"score": "seven"}], "s.jsonl:1: "),
        ([some()[0] | {"status": "fine"}], "s.jsonl:1: "),
        ([some()[0], {"id": "x"}], "s.jsonl:2: "),
    ],
)
def test_a_broken_scores_file_is_one_sentence_a_line(tmp_path, rows, says):
    path = write_lines(tmp_path / "s.jsonl", rows)
    done = harness("analyze", path, env=environment(tmp_path))
    assert (done.code, done.out) == (2, "")
    assert says in done.err


def test_the_same_score_in_two_files_is_said(tmp_path):
    a, b = (write_lines(tmp_path / name, some()[:1]) for name in ("a.jsonl", "b.jsonl"))
    done = harness("analyze", a, b, env=environment(tmp_path))
    assert done.code == 2
    assert "b.jsonl: the score p0, openai/judge, 1 and 0 stands twice; keep one of them" in done.err


def test_comparisons_keys_do_not_apply(tmp_path):
    path = write_lines(tmp_path / "s.jsonl", some())
    done = harness("analyze", path, "--equivalence", "0.1", env=environment(tmp_path))
    assert (done.code, "belong to comparisons" in done.err) == (2, True)


def test_a_report_of_files_is_written_where_it_is_asked_for(tmp_path):
    path = write_lines(tmp_path / "s.jsonl", some())
    done = harness("analyze", path, "--out", tmp_path / "out", env=environment(tmp_path))
    assert done.code == 0
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"summary.json", "report.md", "report.html"}
    assert max(len(line) for line in done.out.splitlines()) <= 80


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of two contestants under one judge."""
    folder = tmp_path_factory.mktemp("run")
    suite(folder, 10)
    with Loopback(policy=policy()) as server:
        made = Kitchen(folder, server)
        made.done = made.run("run", "--candidate", "openai/new", "--baseline", "openai/old", "--json")
        assert made.done.code == 0
        yield made


def test_a_run_s_two_score_files_are_compared_to_its_own_difference(run):
    files = [run.folder / "run" / name for name in ("scores_baseline.jsonl", "scores.jsonl")]
    found = run("compare", *files, "--json").json
    moved = run.done.json["delta"]["openai/judge"]
    assert found["kind"] == "score"
    for key in ("n", "difference", "p_value"):
        assert found[key] == pytest.approx(moved[key])
    assert found["ci"] == pytest.approx(moved["ci"])
    assert found["slices"].keys() == {"even", "odd"}


def test_a_run_s_score_files_are_held_against_each_other_by_a_gate(run):
    new, old = (run.folder / "run" / name for name in ("scores.jsonl", "scores_baseline.jsonl"))
    copy = write_lines(run.folder / "copy.jsonl", lines(new))
    same = run("check", copy, "--against", new, "--margin", "0.9", "--json")
    assert (same.json["difference"], same.json["n"], same.code in (0, 3)) == (0, 10, True)
    found = run("check", new, "--against", old, "--margin", "0.5", "--json").json
    assert found["difference"] == pytest.approx(run.done.json["delta"]["openai/judge"]["difference"])


def test_a_run_s_files_are_valid(run):
    files = ["responses.jsonl", "scores.jsonl", "scores_baseline.jsonl"]
    done = run("validate", *(run.folder / "run" / name for name in files), "suite.yaml")
    assert (done.code, done.err) == (0, done.err)


def test_the_same_answers_are_judged_both_ways_without_a_second_generation(run, tmp_path):
    before = run.asked
    recorded = f"recorded/{run.folder}/run/responses.jsonl"
    given = ("--candidate", recorded, "--baseline", recorded, "--prompts", run.folder / "suite.yaml", "--json")
    done = run("judge", *given, "--judge", "control/longest", "--judge", "openai/judge", "--out", tmp_path / "pairs")
    assert done.json["n_prompts"] == 10
    assert done.json["judges"]["openai/judge"]["n"] == 10
    assert run.asked[0] - before[0] == len([b for b in run.server.bodies[sum(before) :] if "ANSWER A" in str(b)])
    answers = {(r["id"], r["role"]): r["responses"] for r in lines(run.folder / "run/responses.jsonl")}
    assert {(r["id"], r["role"]): r["responses"] for r in lines(tmp_path / "pairs/responses.jsonl")} == answers
    # Checked by hand: whose last answers are longer in all.
    longer = {p: sum(map(len, answers[p, "candidate"])) - sum(map(len, answers[p, "baseline"])) for p, _ in answers}
    longest = done.json["judges"]["control/longest"]
    assert longest["wins"] == sum(value > 0 for value in longer.values())
    assert longest["losses"] == sum(value < 0 for value in longer.values())


def test_an_earlier_run_of_one_contestant_is_judged_against_another_s(run, tmp_path):
    run.run(tmp_path / "alone", "--candidate", "openai/third", "--json")
    sides = (f"recorded/{tmp_path}/alone/responses.jsonl", f"recorded/{run.folder}/run/responses.jsonl")
    given = ("--candidate", sides[0], "--baseline", sides[1], "--prompts", run.folder / "suite.yaml")
    done = run("judge", *given, "--judge", "control/longest", "--out", tmp_path / "pairs", "--json")
    assert done.json["judges"]["control/longest"]["n"] == 10
    models = {(r["role"], r["recorded_model"]) for r in lines(tmp_path / "pairs/responses.jsonl")}
    assert models == {("candidate", "openai/third"), ("baseline", "openai/old")}


def test_a_terminal_shows_at_most_80_columns(run):
    done = run("analyze", "run")
    assert max(map(len, done.out.splitlines())) <= 80
    assert "openai/judge: the candidate scores" in flat(done.out)
