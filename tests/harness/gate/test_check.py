"""`harness check` through the real command: the three outcomes and their exit codes, and every bad input."""

import json
import os
import shutil
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from scipy import stats

from tests.command import environment, harness, world
from tests.harness.contrast import made
from tests.harness.gate.files import predictions
from tests.loopback import policy
from tests.loopback.server import Loopback
from tests.published import lines, write_lines

CONTRACT = ["outcome", "difference", "ci", "margin", "p_value", "n", "n_needed"]


@pytest.fixture
def check(tmp_path):
    def run(*arguments, code=None, **more):
        done = harness("check", *arguments, env=environment(tmp_path, **more), cwd=tmp_path)
        assert code is None or done.code == code, (done.out, done.err)
        assert all(len(line) <= 80 for line in done.out.splitlines() if not line.startswith(("::", "{", " "))), done.out
        return done

    return run


def test_no_loss_passes_with_the_contracts_keys_first(check, tmp_path):
    old, new = predictions(tmp_path, {"a": (60, 1080, 60)})
    found = check(new, "--against", old, "--margin", 0.03, "--json", code=0).json
    assert list(found)[:7] == CONTRACT
    values = np.repeat([-1.0, 0.0, 1.0], [60, 1080, 60])
    wanted = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found["outcome"], found["difference"], found["margin"], found["n"]) == ("pass", 0.0, 0.03, 1200)
    assert found["ci"] == pytest.approx([wanted.low, wanted.high], abs=1e-9)
    assert found["p_value"] == pytest.approx(stats.ttest_1samp(values, -0.03, alternative="greater").pvalue, rel=0.05)
    z = stats.norm.ppf(0.95) + stats.norm.ppf(0.8)
    assert found["n_needed"] == int(np.ceil((z * values.std(ddof=1) / 0.03) ** 2))


def test_the_outcome_stands_first_in_a_sentence_with_its_figures(check, tmp_path):
    old, new = predictions(tmp_path, {"a": (60, 1080, 60)})
    said = check(new, "--against", old, "--margin", 0.03, code=0).out
    first = " ".join(said.split("\n\n")[0].split())
    assert first == (
        "PASS: NEW has lost less than 3 points against OLD: 0 points over 1,200 prompts (95 % −1.8 to +1.8; one-sided "
        "lower bound −1.5; margin 3, p < 0.001)."
    )


def test_a_loss_fails_with_exit_code_1(check, tmp_path):
    old, new = predictions(tmp_path, {"a": (40, 200, 10)})
    done = check(new, "--against", old, "--margin", 0.03, code=1)
    assert done.out.startswith("FAIL: NEW is worse than OLD")
    assert "−12 points over 250 prompts" in " ".join(done.out.split())
    found = check(new, "--against", old, "--margin", 0.03, "--json", code=1).json
    assert found["outcome"] == "fail" and found["upper_bound"] < 0 and found["lower_bound"] <= -0.03


def test_too_few_prompts_are_inconclusive_with_exit_code_3_and_the_number_that_would_do(check, tmp_path):
    old, new = predictions(tmp_path, {"a": (12, 33, 12)})
    found = check(new, "--against", old, "--margin", 0.03, "--json", code=3).json
    assert found["outcome"] == "inconclusive" and found["n_needed"] > 2000
    done = check(new, "--against", old, "--margin", 0.03, code=3)
    assert done.out.startswith("INCONCLUSIVE: 57 prompts cannot tell")
    assert f"About {found['n_needed']:,} prompts would pass" in " ".join(done.out.split())


def test_without_old_a_run_is_held_against_its_own_baseline(check, runs):
    good, bad = runs
    found = check(good, "--margin", 0.05, "--json", code=0).json
    rate = json.loads((good / "summary.json").read_text())["judges"]["openai/judge"]["win_rate"]
    assert found["difference"] == pytest.approx(rate - 0.5, abs=1e-12)
    assert (found["old"], found["scale"]) == (None, [-0.5, 0.5])
    assert check(bad, "--margin", 0.05, "--json").json["difference"] == pytest.approx(-0.1, abs=1e-12)


def test_a_win_rate_of_47_per_cent_is_a_loss_of_3_points(check, tmp_path):
    path = made.judgments(tmp_path / "j.jsonl", ["candidate"] * 47 + ["baseline"] * 53)
    found = check(path, "--margin", 0.2, "--json", code=0).json
    assert found["difference"] == pytest.approx(-0.03, abs=1e-12)
    assert "the baseline that it was run" in check(path, "--margin", 0.2).out


def test_two_runs_with_a_common_baseline_are_paired_by_prompt(check, runs):
    good, bad = runs
    found = check(bad, "--against", good, "--margin", 0.05, "--json", code=1).json
    assert (found["difference"], found["n"], found["scale"]) == (pytest.approx(-0.5), 40, [-1.0, 1.0])
    assert set(found["categories"]) == {"even", "odd"}
    assert check(good, "--against", bad, "--margin", 0.05, "--json", code=0).json["difference"] == pytest.approx(0.5)


def test_scores_are_held_against_scores_and_their_scale_is_what_was_seen(check, tmp_path):
    rng = np.random.default_rng(1)
    old = made.scores(tmp_path / "old.jsonl", rng.integers(5, 9, 300).tolist())
    new = made.scores(tmp_path / "new.jsonl", rng.integers(5, 9, 300).tolist())
    found = check(new, "--against", old, "--margin", 0.5, "--json", code=0).json
    assert found["scale"] == [-3.0, 3.0] and "scale of the scores is not given" in " ".join(found["notes"])
    assert "lost less than 0.5 against OLD" in check(new, "--against", old, "--margin", 0.5).out


def test_a_category_fails_after_holm_and_is_a_finding_that_decides_only_when_asked(check, tmp_path):
    old, new = predictions(tmp_path, {"easy": (60, 2880, 60), "hard": (30, 165, 5), "odd": (9, 85, 6)})
    given = [new, "--against", old, "--margin", 0.05]
    found = check(*given, "--json", code=0).json
    assert {name: one["outcome"] for name, one in found["categories"].items()} == {
        "easy": "pass",
        "hard": "fail",
        "odd": "inconclusive",
    }
    p = [found["categories"][name]["p_value"] for name in ("hard", "odd", "easy")]
    adjusted = [found["categories"][name]["p_adjusted"] for name in ("hard", "odd", "easy")]
    assert adjusted == pytest.approx([min(1, 3 * p[0]), min(1, 2 * p[1]), min(1, max(p[2], 2 * p[1]))])
    assert (found["failed_categories"], found["overall_outcome"]) == (["hard"], "pass")
    assert "FINDING: hard has lost, which is no part of this gate" in " ".join(check(*given, code=0).out.split())
    gated = check(*given, "--categories", "--json", code=1).json
    assert (gated["outcome"], gated["overall_outcome"], gated["gate_categories"]) == ("fail", "pass", True)
    assert check(*given, "--categories", code=1).out.startswith("FAIL: a category of this gate has lost too much: hard")


def test_holm_holds_back_what_one_category_in_many_shows_by_chance(check, tmp_path):
    # p = 0.031 by itself: 5 lost and none won.
    several = {f"c{place:02d}": (1, 18, 1) for place in range(11)} | {"unlucky": (5, 15, 0)}
    alone = predictions(tmp_path / "alone", {"unlucky": (5, 15, 0)})
    many = predictions(tmp_path / "many", several)
    one, other = (
        check(new, "--against", old, "--margin", 0.03, "--json").json["categories"]["unlucky"]
        for old, new in (alone, many)
    )
    assert one["p_value"] == other["p_value"] < 0.05
    assert (one["outcome"], other["outcome"]) == ("fail", "inconclusive")


def test_files_are_written_whatever_the_outcome(check, tmp_path):
    for name, counts, code in (("pass", (5, 990, 5), 0), ("fail", (40, 200, 10), 1), ("open", (12, 33, 12), 3)):
        old, new = predictions(tmp_path / name, {"a": counts})
        junit, markdown = tmp_path / name / "deep" / "gate.xml", tmp_path / name / "gate.md"
        check(new, "--against", old, "--margin", 0.03, "--junit", junit, "--markdown", markdown, code=code)
        assert ET.parse(junit).getroot().tag == "testsuites"
        assert markdown.read_text().startswith("### ")


def test_a_file_that_cannot_be_written_is_exit_code_2_with_a_sentence(check, tmp_path):
    old, new = predictions(tmp_path, {"a": (5, 990, 5)})
    done = check(new, "--against", old, "--margin", 0.03, "--junit", tmp_path, "--markdown", "m.md", "--json", code=2)
    assert f"{tmp_path}: cannot be written: Is a directory; give another path" in done.err
    assert done.out == "" and (tmp_path / "m.md").exists()


def test_on_github_the_outcome_is_an_annotation_and_json_stays_alone(check, tmp_path):
    old, new = predictions(tmp_path, {"hard": (40, 200, 10), "::error::boo": (0, 50, 0)})
    given = [new, "--against", old, "--margin", 0.03]
    done = check(*given, GITHUB_ACTIONS="true", code=1)
    commands = [line for line in done.out.splitlines() if line.lstrip().startswith("::")]
    assert commands[0].startswith("::error title=regression gate::FAIL")
    assert commands[1].startswith("::warning title=regression gate%3A hard::")
    assert len(commands) == 2 and "95 %25" in commands[0]
    assert "::" not in "".join(check(*given, code=1).out.split("::error::boo"))
    assert check(*given, "--json", GITHUB_ACTIONS="true", code=1).json["outcome"] == "fail"


def test_the_step_summary_is_added_to_and_only_when_asked(check, tmp_path):
    old, new = predictions(tmp_path, {"a": (5, 990, 5)})
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    given = [new, "--against", old, "--margin", 0.03]
    check(*given, GITHUB_STEP_SUMMARY=str(summary), code=0)
    assert summary.read_text() == "before\n"
    check(*given, "--markdown", summary, GITHUB_STEP_SUMMARY=str(summary), code=0)
    assert summary.read_text().startswith("before\n### ")


def test_missing_prompts_are_counted_named_and_may_be_too_many(check, tmp_path):
    winners = ["candidate", "baseline", "tie"] * 100
    old = made.judgments(tmp_path / "old.jsonl", winners)
    new = made.judgments(tmp_path / "new.jsonl", [None, *winners[1:-1], None])
    given = [new, "--against", old, "--margin", 0.03]
    found = check(*given, "--json", code=0).json
    assert (found["n"], found["missing"]) == (298, {"n": 2, "of": 300, "ids": ["p000", "p299"]})
    assert "2 of 300 prompts have no usable score" in " ".join(check(*given).out.split())
    (tmp_path / "gates.yaml").write_text("missing: 0.005\n")
    strict = check(*given, "--thresholds", "gates.yaml", "--json", code=3).json
    assert strict["outcome"] == "inconclusive" and "at most 0.5 % may" in strict["reason"]


def test_an_incomplete_run_is_inconclusive_whatever_its_figures(check, runs, tmp_path):
    good, bad = runs
    cut = shutil.copytree(bad, tmp_path / "cut")
    kept = lines(bad / "judgments.jsonl")[:70]
    write_lines(cut / "judgments.jsonl", kept)
    found = check(cut, "--against", good, "--margin", 0.05, "--categories", "--json", code=3).json
    assert found["outcome"] == "inconclusive" and "is incomplete" in found["reason"]
    assert found["difference"] < 0 and found["missing"]["n"] == 40 - len({row["id"] for row in kept}) > 0
    assert {one["outcome"] for one in found["categories"].values()} == {"inconclusive"}


def test_an_unusable_judge_is_inconclusive(check, runs, tmp_path):
    with Loopback(policy=policy.first) as server:
        suite = world(tmp_path / "biased", 40)
        made.same_baseline(tmp_path / "biased")
        env = environment(tmp_path, server.url)
        assert harness("run", suite, "--out", tmp_path / "biased" / "run", env=env).code == 3
    for given in ([], ["--against", runs[0]]):
        found = check(tmp_path / "biased" / "run", *given, "--margin", 0.05, "--json", code=3).json
        assert "no usable judge is left" in found["reason"]
        assert (found["n"], found["difference"], found["ci"], found["n_needed"]) == (0, None, None, None)


def test_a_judge_that_always_says_a_lets_nothing_pass(check, tmp_path):
    rows = [
        {"id": f"p{place}", "judge": "j", "order": order, "verdict": "A", "status": "ok"}
        for place in range(400)
        for order in ("candidate_first", "baseline_first")
    ]
    path = write_lines(tmp_path / "j.jsonl", rows)
    for given in ([], ["--against", path]):
        found = check(path, *given, "--margin", 0.1, "--json", code=3).json
        assert (found["outcome"], found["difference"]) == ("inconclusive", 0.0)
        assert "orders agree on fewer than half" in found["reason"]


def _always_a(path, prompts):
    """One random order a prompt, as `orders: random` asks: no consistency can be had."""
    rows = [
        {"id": f"p{place}", "judge": "j", "order": order, "verdict": "A", "status": "ok"}
        for place in range(prompts)
        for order in [("candidate_first", "baseline_first")[place % 2]]
    ]
    return write_lines(path, rows)


def test_a_judge_that_always_says_a_in_single_orders_lets_nothing_pass(check, tmp_path):
    path = _always_a(tmp_path / "j.jsonl", 2000)
    for given in ([], ["--against", path]):
        found = check(path, *given, "--margin", 0.1, "--json", code=3).json
        assert (found["outcome"], found["difference"], found["n"]) == ("inconclusive", 0.0, 2000)
        assert "the verdicts of j" in found["reason"] and "follow the position" in found["reason"]


def test_half_of_a_panel_that_follows_the_position_lets_nothing_pass_and_a_third_does(check, tmp_path):
    ties = [made.judgments(tmp_path / f"{name}.jsonl", ["tie"] * 2000, judge=name) for name in ("x", "y")]
    blind = write_lines(
        tmp_path / "blind.jsonl",
        [row | {"id": f"p{place:03d}"} for place, row in enumerate(lines(_always_a(tmp_path / "j.jsonl", 2000)))],
    )
    half = made.joined(tmp_path / "half.jsonl", blind, ties[0])
    third = made.joined(tmp_path / "third.jsonl", blind, *ties)
    assert "follow the position" in check(half, "--margin", 0.1, "--json", code=3).json["reason"]
    assert check(third, "--margin", 0.1, "--json", code=0).json["outcome"] == "pass"


def test_known_bias_judges_alone_decide_nothing(check, tmp_path):
    path = made.judgments(tmp_path / "j.jsonl", ["candidate"] * 200, judge="control/longest")
    assert "no judge counts" in check(path, "--margin", 0.1, "--json", code=3).json["reason"]


@pytest.mark.parametrize(("winners", "n"), [([None], 0), (["tie"], 1)])
def test_fewer_than_two_prompts_are_inconclusive(check, tmp_path, winners, n):
    path = made.judgments(tmp_path / "j.jsonl", winners)
    found = check(path, "--margin", 0.1, "--json", code=3).json
    assert (found["n"], found["ci"], found["p_value"], found["n_needed"]) == (n, None, None, None)
    assert found["reason"] and check(path, "--margin", 0.1).out.startswith("INCONCLUSIVE: ")


def test_all_ties_say_how_many_would_do(check, tmp_path):
    old, new = predictions(tmp_path, {"a": (0, 50, 0)})
    found = check(new, "--against", old, "--margin", 0.03, "--json", code=3).json
    assert (found["difference"], found["n_needed"], found["method"]) == (0.0, 99, "constant-bounded")


def test_leaked_prompts_of_new_are_named(check, runs, tmp_path):
    finding = {"exact": ["p003"], "near": ["p005"], "prompts": 40, "examples": 9, "unknown": []}
    finding |= {"checked": {"candidate": 9, "baseline": None}, "seen": {"candidate": ["p003", "p005"], "baseline": []}}
    leaky = made.changed(runs[0], tmp_path / "leaky", lambda manifest: manifest.update(leakage=finding))
    found = check(leaky, "--margin", 0.05, "--json", code=0).json
    assert found["leaked"] == ["p003", "p005"]
    assert "2 prompts of NEW stand in training data: p003 and p005" in " ".join(found["notes"])


def test_clusters_are_counted_as_such(check, tmp_path):
    rows = [
        {"id": f"p{place}", "label": "y", "prediction": "y" if place % 8 < 5 else "n", "cluster": f"c{place // 4}"}
        for place in range(400)
    ]
    old = write_lines(
        tmp_path / "old.jsonl", [row | {"prediction": "y" if int(row["id"][1:]) % 8 < 6 else "n"} for row in rows]
    )
    new = write_lines(tmp_path / "new.jsonl", rows)
    found = check(new, "--against", old, "--margin", 0.2, "--json").json
    assert (found["clusters"], found["method"]) == (100, "cluster-robust")
    assert "400 prompts in 100 clusters" in " ".join(found["notes"])


def test_another_baseline_is_refused_and_said_everywhere_when_allowed(check, runs, tmp_path):
    def other(manifest):
        manifest["fingerprints"]["template of openai/judge"] = "0" * 64

    mixed = made.changed(runs[1], tmp_path / "mixed", other)
    given = [mixed, "--against", runs[0], "--margin", 0.05]
    done = check(*given, code=2)
    assert "--allow-mixed" in done.err and "template" in done.err and done.out == ""
    files = ["--junit", tmp_path / "g.xml", "--markdown", tmp_path / "g.md"]
    done = check(*given, "--allow-mixed", *files, code=1)
    for said in (done.out, (tmp_path / "g.xml").read_text(), (tmp_path / "g.md").read_text()):
        assert "MIXED" in said
    assert "mixed (--allow-mixed)" in done.err
    assert check(*given, "--allow-mixed", "--json").json["mixed"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["new.jsonl", "--against", "old.jsonl"], "error: no margin is given; add --margin 0.03"),
        (["new.jsonl", "--against", "old.jsonl", "--margin", "0"], "--margin has to lie above 0, found 0"),
        (
            ["new.jsonl", "--against", "old.jsonl", "--margin", "1"],
            "error: --margin has to lie between 0 and 1, found 1; 0.03",
        ),
        (["new.jsonl", "--against", "old.jsonl", "--margin", "nan"], "--margin has to lie above 0, found nan"),
        (["new.jsonl", "--against", "old.jsonl", "--margin", "three"], "--margin"),
        (["new.jsonl", "--margin", "0.1"], "holds predictions, which are held against nothing; give the old ones"),
        (["scores.jsonl", "--margin", "0.1"], "holds scores, which are held against nothing"),
        (["judged.jsonl", "--margin", "0.5"], "error: --margin has to lie between 0 and 0.5, found 0.5; a win rate"),
        (["new.jsonl", "--against", "scores.jsonl", "--margin", "0.1"], "compare like with like"),
        (["new.jsonl", "--against", "less.jsonl", "--margin", "0.1"], "a gate needs the same prompts on both sides"),
        (["gone", "--against", "nowhere", "--margin", "0.1"], "gone: there is no such file"),
        (["gone", "--against", "nowhere", "--margin", "0.1"], "nowhere: there is no such file"),
        ([".", "--margin", "0.1"], "holds no run"),
        (["broken.jsonl", "--against", "old.jsonl", "--margin", "0.1"], "broken.jsonl:2: "),
        (["new.jsonl", "--against", "old.jsonl", "--thresholds", "gone.yaml"], "gone.yaml: there is no such file"),
        (["--margin", "0.1"], "NEW"),
    ],
)
def test_input_that_cannot_be_used_is_a_sentence_and_exit_code_2(check, tmp_path, arguments, said):
    old, _ = predictions(tmp_path, {"a": (5, 40, 5)})
    write_lines(tmp_path / "less.jsonl", lines(old)[:-1])
    made.scores(tmp_path / "scores.jsonl", [1, 2, 3])
    made.judgments(tmp_path / "judged.jsonl", ["candidate", "baseline"] * 20)
    (tmp_path / "broken.jsonl").write_text(json.dumps(lines(old)[0]) + '\n{"id": 1}\n')
    done = check(*arguments, code=2)
    assert said in " ".join(done.err.split()), done.err
    assert done.out == ""
    assert "--unpaired" not in done.err


def test_what_cannot_be_used_stands_in_the_files_too(check, tmp_path):
    files = ["--junit", "gate.xml", "--markdown", "gate.md"]
    done = check("gone.jsonl", "--margin", 0.1, *files, GITHUB_ACTIONS="true", code=2)
    error = ET.parse(tmp_path / "gate.xml").getroot().find("testsuite/testcase/error")
    assert error is not None and "gone.jsonl: there is no such file" in str(error.get("message"))
    assert "there is no such file" in (tmp_path / "gate.md").read_text()
    assert done.out.startswith("::error title=regression gate::gone.jsonl")


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write everywhere")
def test_a_folder_that_cannot_be_written_to_is_named(check, tmp_path):
    old, new = predictions(tmp_path, {"a": (5, 990, 5)})
    (tmp_path / "shut").mkdir(mode=0o500)
    done = check(new, "--against", old, "--margin", 0.03, "--junit", tmp_path / "shut" / "g.xml", code=2)
    assert "cannot be written: Permission denied" in done.err
