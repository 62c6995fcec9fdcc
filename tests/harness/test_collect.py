"""Inputs taken together keep what each of them says: controls, completeness, identity."""

import json
import shutil

import pytest

from harness import several
from harness.errors import InputError
from tests.command import environment, harness, world
from tests.loopback import policy
from tests.loopback.faults import Fault
from tests.loopback.server import Loopback
from tests.published import lines, write_lines


def verdicts(n, winner="candidate", judge="human/ann", **more):
    return [{"id": f"p{k:03d}", "judge": judge, "winner": winner, "status": "ok"} | more for k in range(n)]


@pytest.fixture(scope="module")
def biased(tmp_path_factory):
    """A whole run whose one judge always names the first and is unusable."""
    folder = tmp_path_factory.mktemp("biased")
    with Loopback(policy=policy.first) as server:
        done = harness("run", world(folder, 30), "--out", folder / "run", env=environment(folder, server.url))
    assert done.code == 3
    return folder


def test_an_unusable_judge_stays_unusable_beside_other_inputs(biased, tmp_path):
    labels = write_lines(tmp_path / "labels.jsonl", verdicts(30))
    summary = several.together([biased / "run", labels], equivalence=0.05).summary
    assert summary.unusable == ("openai/judge",)
    assert (summary.decision, summary.counting) == ("inconclusive", ())
    assert summary.judges["human/ann"].wins == 30


def test_an_incomplete_run_stays_incomplete(biased, tmp_path):
    run = shutil.copytree(biased / "run", tmp_path / "run")
    write_lines(run / "judgments.jsonl", lines(run / "judgments.jsonl")[:11])
    labels = write_lines(tmp_path / "labels.jsonl", verdicts(30))
    assert several.together([run, labels], equivalence=0.05).summary.complete is False


def test_runs_of_other_contestants_are_not_counted_as_one(biased, tmp_path):
    env = environment(tmp_path)
    other = world(tmp_path, 30, better=0.2, judges="[control/longest]")
    assert harness("run", other, "--out", tmp_path / "run", env=env).code == 0
    with pytest.raises(InputError, match=r"its candidate is not that of .*take each alone"):
        several.together([biased / "run", tmp_path / "run"], equivalence=0.05)


def test_a_run_cut_short_while_recorded_verdicts_were_copied_is_incomplete(tmp_path):
    folder = tmp_path
    suite = world(folder, 24, judges="[recorded/judged.jsonl]")
    write_lines(folder / "judged.jsonl", verdicts(12, judge="gpt") + verdicts(24, "baseline", "gpt")[12:])
    env = environment(folder)
    assert harness("run", suite, "--out", folder / "run", "--json", env=env).json["complete"] is True
    path = folder / "run" / "judgments.jsonl"
    write_lines(path, lines(path)[:12])
    half = harness("analyze", folder / "run", "--json", env=env).json
    assert (half["complete"], half["decision"]) == (False, "inconclusive")
    again = harness("resume", folder / "run", "--json", env=env)
    assert again.json["complete"] is True


def test_a_run_is_never_overwritten_by_an_analysis(biased, tmp_path):
    labels = write_lines(tmp_path / "labels.jsonl", verdicts(30))
    before = (biased / "run" / "summary.json").read_bytes()
    done = harness("analyze", labels, "--out", biased / "run", env=environment(tmp_path))
    assert done.code == 2
    assert "holds a run already" in done.err
    assert (biased / "run" / "summary.json").read_bytes() == before


def test_judgments_added_to_a_run_by_hand_are_counted_or_named(biased, tmp_path):
    run = shutil.copytree(biased / "run", tmp_path / "run")
    added = verdicts(30) + verdicts(1, repeat=7) + [{"id": "nobody", "judge": "human/ann", "winner": "tie"}]
    write_lines(run / "judgments.jsonl", lines(run / "judgments.jsonl") + added)
    found = harness("analyze", run, "--json", env=environment(tmp_path)).json
    assert found["judges"]["human/ann"]["wins"] == 30
    assert any(
        note.startswith("2 judgments are about prompts or samples that are not in this run") for note in found["notes"]
    )


def test_control_pairs_do_not_drift_when_responses_arrive_late(tmp_path):
    def answer(request):
        if "<<<ANSWER A>>>" in json.dumps(request):
            return policy.longest(request)
        return f"An answer of {request['model']} to: {policy.texts(request)[-1]} It has some more words."

    def run(folder, faults):
        with Loopback(policy=answer, faults=faults) as server:
            arguments = ("--candidate", "openai/good", "--baseline", "openai/poor", "--out", folder / "run", "--json")
            env = environment(folder, server.url)
            done = harness("run", world(folder, 40), *arguments, env=env)
            assert (done.code == 4) is bool(faults)
            for _ in faults:
                done = harness("resume", folder / "run", "--json", env=env)
            return done

    late = [Fault(kind="rate_limit", containing=f"dish {k} made", retry_after="61", times=1) for k in (3, 8, 20)]
    assert run(tmp_path / "late", late).out == run(tmp_path / "once", []).out


def test_categories_do_not_depend_on_the_order_of_lines(tmp_path):
    rows = verdicts(3, category="x") + verdicts(3, category="y", judge="b") + verdicts(3, category="y", judge="c")
    here = several.together([write_lines(tmp_path / "a.jsonl", rows)], equivalence=0.05).summary
    there = several.together([write_lines(tmp_path / "b.jsonl", rows[::-1])], equivalence=0.05).summary
    assert here.as_json() == there.as_json()
    assert set(here.categories) == {"y"}
    assert here.notes == ("3 prompts carry several categories; each counts in its most frequent one",)


@pytest.mark.parametrize("value", ["0", "0.5", "-0.1", "nan"])
def test_a_margin_out_of_range_is_refused(tmp_path, value):
    labels = write_lines(tmp_path / "labels.jsonl", verdicts(3))
    done = harness("analyze", labels, f"--equivalence={value}", env=environment(tmp_path))
    assert done.code == 2
    assert "--equivalence is a half-width around 1/2" in done.err


def test_a_number_keeps_its_decimal_text_as_an_id(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text('{"id": 1.10, "judge": "j", "winner": "tie"}\n{"id": 1.1, "judge": "j", "winner": "tie"}\n')
    assert several.together([path], equivalence=0.05).summary.n_prompts == 2


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"id": "p000", "response": "x"}, {"id": "p000", "response": "y", "role": "candidate"}], "two responses"),
        (
            [
                {"id": "p000", "response": "x", "role": "candidate"},
                {"id": "p000", "response": "y", "role": "baseline"},
                {"id": "p001", "response": "z"},
            ],
            "'p001' has no role in a file that holds both",
        ),
        ([{"id": "p000", "response": "x"}, {"id": "p000", "response": "y", "sample": 2}], "but no sample 1"),
    ],
)
def test_responses_that_could_be_read_in_two_ways_are_refused(tmp_path, rows, said):
    suite = world(tmp_path, 1, judges="[control/first]")
    path = write_lines(tmp_path / "other.jsonl", rows)
    done = harness("run", suite, "--candidate", f"recorded/{path}", env=environment(tmp_path), cwd=tmp_path)
    assert done.code == 2
    assert said in done.err


def test_a_panel_of_judges_that_contradict_themselves_decides_nothing(tmp_path):
    rows = [
        {"id": str(k), "judge": judge, "order": order, "verdict": "A", "status": "ok"}
        for k in range(400)
        for judge in ("a", "b")
        for order in ("candidate_first", "baseline_first")
    ]
    summary = several.together([write_lines(tmp_path / "x.jsonl", rows)], equivalence=0.05).summary
    assert (summary.decision, summary.counting) == ("inconclusive", ("a", "b"))


def test_clusters_stand_beside_what_takes_prompts_as_independent(tmp_path):
    rows = [
        {"id": f"p{n:02d}", "judge": "j", "winner": "candidate" if n < 30 else "baseline", "cluster": f"c{n // 6}"}
        for n in range(42)
    ]
    done = harness("analyze", write_lines(tmp_path / "j.jsonl", rows), "--json", env=environment(tmp_path))
    found = done.json
    assert found["judges"]["j"]["clusters"]["n"] == 7
    assert found["decision"] == "better"
    assert found["decision_clustered"] == "inconclusive"
    text = " ".join(harness("analyze", tmp_path / "j.jsonl", env=environment(tmp_path)).out.split())
    assert "what to doubt prompts share clusters, and over 7 clusters the interval holds 1/2" in text
    assert "42 prompts in 7 clusters; cluster-robust 95 %" in text


def test_few_prompts_have_their_exact_interval_beside_wilson_s(tmp_path):
    rows = [{"id": n, "judge": "j", "winner": "candidate" if n < 10 else "baseline"} for n in range(13)]
    done = harness("analyze", write_lines(tmp_path / "j.jsonl", rows), "--json", env=environment(tmp_path))
    found = done.json["judges"]["j"]
    assert found["ci"] == pytest.approx([0.4974, 0.9182], abs=5e-5)
    assert found["ci_exact"] == pytest.approx([0.4619, 0.9496], abs=5e-5)
    assert found["p_value"] == pytest.approx(0.0923, abs=5e-5)
    assert done.json["decision"] == "inconclusive"
    text = harness("analyze", tmp_path / "j.jsonl", env=environment(tmp_path)).out
    assert "Clopper–Pearson, 95 %, for fewer than 30 prompts: j 46–95" in text


@pytest.mark.parametrize(("wins", "n", "low", "high"), [(6, 15, 0.198, 0.643), (28, 57, 0.366, 0.617)])
def test_the_logs_other_counts(tmp_path, wins, n, low, high):
    rows = [{"id": k, "judge": "j", "winner": "candidate" if k < wins else "baseline"} for k in range(n)]
    done = harness("analyze", write_lines(tmp_path / "j.jsonl", rows), "--json", env=environment(tmp_path))
    assert done.json["judges"]["j"]["ci"] == pytest.approx([low, high], abs=5e-4)
    assert done.json["decision"] == "inconclusive"


def test_clusters_do_not_depend_on_the_order_of_lines(tmp_path):
    rows = [
        {
            "id": f"p{k:02d}",
            "judge": judge,
            "winner": "candidate" if k % 3 else "baseline",
            "cluster": f"{judge}{k % size}",
        }
        for k in range(20)
        for judge, size in (("m", 5), ("n", 2))
    ]
    found = [
        several.together([write_lines(tmp_path / f"{name}.jsonl", listed)], equivalence=0.05).summary
        for name, listed in (("here", rows), ("there", rows[::-1]))
    ]
    assert found[0].as_json() == found[1].as_json()
    assert any("several clusters" in note for note in found[0].notes)


def test_recorded_verdicts_keep_the_category_and_cluster_of_their_prompts(tmp_path):
    suite = world(tmp_path, 6, judges="[recorded/verdicts.jsonl]")
    prompts = [{**line, "cluster": f"c{place // 2}"} for place, line in enumerate(lines(tmp_path / "prompts.jsonl"))]
    write_lines(tmp_path / "prompts.jsonl", prompts)
    write_lines(tmp_path / "verdicts.jsonl", verdicts(6))
    harness("run", suite, "--out", tmp_path / "run", env=environment(tmp_path))
    rows = lines(tmp_path / "run" / "judgments.jsonl")
    assert [(row["category"], row["cluster"]) for row in rows[:2]] == [("even", "c0"), ("odd", "c0")]
