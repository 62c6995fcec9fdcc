"""`harness check` on grades: score runs against each other and against their own baseline, and margins on a scale."""

import json
import shutil
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from scipy import stats

from tests.command import environment, harness
from tests.harness.contrast import made
from tests.published import lines, write_lines

N = 40


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Score runs of the rubric on 0–1, "base" and "good", beside one baseline, and "alone", which has none."""
    folder = tmp_path_factory.mktemp("runs")
    prompts = [
        {
            "id": f"p{place:02d}",
            "prompt": f"How is dish {place} made?",
            "category": "odd" if place % 2 else "even",
            "checks": [{"kind": "mention", "any": ["thyme"]}, {"kind": "mention", "any": [f"dish {place}"]}],
        }
        for place in range(N)
    ]
    write_lines(folder / "prompts.jsonl", prompts)
    (folder / "suite.yaml").write_text("name: dishes\nkind: score\nprompts: prompts.jsonl\njudges: [rubric]\n")
    for name, thyme in (("base", lambda place: place % 3), ("good", lambda place: place > 1), ("old", lambda place: 0)):
        rows = [
            {"id": f"p{place:02d}", "response": f"Bake dish {place}{' with thyme' if thyme(place) else ''}."}
            for place in range(N)
        ]
        write_lines(folder / f"{name}.jsonl", rows)
    for name, more in (("base", ["--baseline", "recorded/old.jsonl"]), ("good", ["--baseline", "recorded/old.jsonl"])):
        given = ["--candidate", f"recorded/{name}.jsonl", *more, "--out", folder / name]
        done = harness("run", folder / "suite.yaml", *given, env=environment(folder), cwd=folder)
        assert done.code == 0, done.err
    made.changed(folder / "base", folder / "alone", lambda manifest: manifest.update(baseline=None))
    return folder


@pytest.fixture
def check(tmp_path):
    def run(*arguments, code=None, **more):
        done = harness("check", *arguments, env=environment(tmp_path, **more), cwd=tmp_path)
        assert code is None or done.code == code, (done.out, done.err)
        assert all(len(line) <= 80 for line in done.out.splitlines() if not line.startswith(("::", "{", " "))), done.out
        return done

    return run


def grades(run, file="scores.jsonl"):
    return np.array([row["score"] for row in sorted(lines(run / file), key=lambda row: row["id"])])


def flat(text):
    return " ".join(text.split())


def test_two_score_runs_are_paired_by_prompt(check, runs):
    old, new = grades(runs / "base"), grades(runs / "good")
    given = [runs / "good", "--against", runs / "base", "--margin", 0.1]
    found = check(*given, "--json", code=0).json
    assert list(found)[:7] == ["outcome", "difference", "ci", "margin", "p_value", "n", "n_needed"]
    assert (found["difference"], found["n"]) == (pytest.approx((new - old).mean(), abs=1e-12), N)
    assert found["ci"] == pytest.approx(list(stats.ttest_rel(new, old).confidence_interval()), abs=1e-9)
    assert (found["old_mean"], found["new_mean"]) == (pytest.approx(old.mean()), pytest.approx(new.mean()))
    assert (found["scale"], found["grade_scale"], found["kind"]) == ([-1.0, 1.0], [0.0, 1.0], "scores")
    assert set(found["categories"]) == {"even", "odd"}
    said = flat(check(*given, code=0).out)
    assert said.startswith(
        f"PASS: NEW has lost less than 0.1 on 0–1 against OLD: {old.mean():.2f} → {new.mean():.2f}, "
        f"+{(new - old).mean():.2f} over 40 prompts (95 % +"
    )
    assert "points" not in said and "differences on 0–1" in said


def test_a_loss_of_grades_fails(check, runs):
    found = check(runs / "base", "--against", runs / "good", "--margin", 0.05, "--json", code=1).json
    assert found["outcome"] == "fail" and found["upper_bound"] < 0
    assert "NEW is worse than OLD" in check(runs / "base", "--against", runs / "good", "--margin", 0.05).out


def test_without_old_a_score_run_is_held_against_the_baseline_that_it_graded(check, runs):
    found = check(runs / "good", "--margin", 0.05, "--json", code=0).json
    own = json.loads((runs / "good" / "summary.json").read_text())["delta"]["rubric"]
    assert (found["difference"], found["ci"], found["n"]) == (
        pytest.approx(own["difference"]),
        pytest.approx(own["ci"]),
        own["n"],
    )
    assert found["old"] is None and found["old_mean"] == grades(runs / "good", "scores_baseline.jsonl").mean()
    said = check(runs / "good", "--margin", 0.05).out
    assert "OLD: the baseline of that run\n" in said and "against the baseline that it was run" in flat(said)


def test_a_score_run_without_a_baseline_needs_one_to_be_named(check, runs):
    done = check(runs / "alone", "--margin", 0.05, code=2)
    assert "holds scores, which are held against nothing; give the old ones with --against" in done.err
    assert check(runs / "alone", "--against", runs / "good", "--margin", 0.05, "--json").json["n"] == N


def test_prompts_without_a_grade_on_either_side_are_named(check, runs, tmp_path):
    cut = shutil.copytree(runs / "good", tmp_path / "cut")
    for name, gone in (("scores.jsonl", "p03"), ("scores_baseline.jsonl", "p05")):
        rows = lines(cut / name)
        write_lines(
            cut / name, [row | {"score": None, "status": "truncated"} if row["id"] == gone else row for row in rows]
        )
    found = check(cut, "--margin", 0.05, "--json").json
    assert found["missing"] == {"n": 2, "of": N, "ids": ["p03", "p05"]}
    assert "2 of 40 prompts have no usable score on every side and have been left out: p03 and p05" in " ".join(
        found["notes"]
    )


def test_an_incomplete_score_run_is_inconclusive(check, runs, tmp_path):
    cut = shutil.copytree(runs / "good", tmp_path / "cut")
    write_lines(cut / "scores.jsonl", lines(cut / "scores.jsonl")[:30])
    found = check(cut, "--against", runs / "base", "--margin", 0.05, "--json", code=3).json
    assert "is incomplete" in found["reason"]


def test_every_output_shows_grades_on_their_scale(check, runs, tmp_path):
    files = ["--junit", tmp_path / "g.xml", "--markdown", tmp_path / "g.md"]
    done = check(runs / "base", "--against", runs / "good", "--margin", 0.05, *files, GITHUB_ACTIONS="true", code=1)
    headline = flat(done.out.split("\n\n")[0])
    failure = ET.parse(tmp_path / "g.xml").getroot().find("testsuite/testcase/failure")
    assert failure is not None and failure.get("message") == headline
    assert headline in (tmp_path / "g.md").read_text()
    assert f"::error title=regression gate::{headline}".replace("95 %", "95 %25") in done.out


def files(tmp_path, old, new, judge="openai/judge", **more):
    """Two scores files; by a judge that this project knows, so on 1–10."""
    one, two = (
        made.scores(tmp_path / f"{name}.jsonl", [float(one) for one in values], judge=judge, **more)
        for name, values in (("old", old), ("new", new))
    )
    return two, "--against", one


def test_a_margin_lies_below_what_a_grade_can_lose(check, tmp_path):
    given = files(tmp_path, [5, 6, 7, 8] * 60, [5, 7, 7, 7] * 60, category="c")
    assert check(*given, "--margin", 1.5, "--json", code=0).json["scale"] == [-9.0, 9.0]
    done = check(*given, "--margin", 9, code=2)
    assert "error: --margin has to lie between 0 and 9, found 9; 0.3 means: lose less than 0.3 on 1–10" in done.err
    (tmp_path / "g.yaml").write_text("margin: 1.5\ncategories:\n  c: 12\n")
    done = check(*given, "--thresholds", "g.yaml", code=2)
    assert "g.yaml:3: categories.c: has to lie between 0 and 9, found 12" in done.err


def test_on_an_unknown_scale_a_margin_wider_than_all_that_was_seen_decides_nothing(check, tmp_path):
    given = files(tmp_path, [5, 6, 7, 8] * 60, [5, 7, 7, 7] * 60, judge="me")
    assert check(*given, "--margin", 2.9, "--json", code=0).json["scale"] == [-3.0, 3.0]
    found = check(*given, "--margin", 3, "--json", code=3).json
    assert "a margin of 3 is not below 3, by which the highest and the lowest score differ" in found["reason"]


def test_judges_of_different_scales_need_one_to_be_named(check, tmp_path):
    for name in ("old", "new"):
        parts = (
            made.scores(tmp_path / "1", [5, 6, 7, 8] * 60, judge="openai/judge"),
            made.scores(tmp_path / "2", [0.5, 1.0] * 120, judge="rubric"),
        )
        made.joined(tmp_path / f"{name}.jsonl", *parts)
    given = ["new.jsonl", "--against", "old.jsonl", "--margin", 0.2]
    done = check(*given, code=2)
    assert "openai/judge on 1–10; rubric on 0–1" in done.err and "--judge NAME" in done.err
    assert check(*given, "--judge", "rubric", "--json", code=0).json["grade_scale"] == [0.0, 1.0]
    assert "leave --judge out" in check(made.predictions(tmp_path / "p.jsonl", [True]), "--judge", "x", code=2).err


def test_one_verdict_s_judge_of_several_can_be_named(check, tmp_path):
    one = made.judgments(tmp_path / "1", ["candidate", "baseline"] * 100, judge="one")
    two = made.judgments(tmp_path / "2", ["candidate"] * 200, judge="two")
    path = made.joined(tmp_path / "j.jsonl", one, two)
    assert check(path, "--margin", 0.2, "--judge", "one", "--json").json["difference"] == 0.0
    assert check(path, "--margin", 0.2, "--judge", "two", "--json").json["difference"] == 0.5


def test_an_interval_below_0_that_is_no_certain_loss_says_why(check, tmp_path):
    rng = np.random.default_rng(2)
    old = rng.integers(4, 9, 20)
    found = check(*files(tmp_path, old, old - rng.integers(0, 3, 20)), "--margin", 0.3, "--json", code=3).json
    assert found["ci"][1] < 0 <= found["upper_bound"] and found["rare_gains"]
    assert any(note.startswith("all prompts: the interval lies below 0, and yet") for note in found["notes"])
