"""A suite's goal: how it is written, what its interval allows to be said, and the exit codes of a run that has one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.goal import METRICS, RELATIONS, Goal, Reading, exit_code, fits, goal_of, gravest, met
from harness.perplexity.records import LossRecord
from harness.perplexity.summary import summarize as of_losses
from harness.validate import problems_in
from tests.command import environment, harness, world
from tests.harness.scoring.figures_made import row, setting
from tests.harness.scoring.made import SIDES, Kitchen, flat, policy
from tests.harness.scoring.made import suite as score_suite
from tests.loopback import Fault, Loopback
from tests.published import lines, write_lines


@pytest.mark.parametrize(
    ("given", "kind", "wanted"),
    [("mean >= 7.0", "score", Goal(metric="mean", relation=">=", target=7.0)),
     ("  perplexity<=4", "perplexity", Goal(metric="perplexity", relation="<=", target=4.0)),
     ("win_rate ≥ 0.5", "pairwise", Goal(metric="win_rate", relation=">=", target=0.5)),
     ("delta > -0.5", "score", Goal(metric="delta", relation=">", target=-0.5)),
     ({"metric": "mean", "target": 7}, "score", Goal(metric="mean", relation=">=", target=7.0)),
     # Of a loss less is better, so that a bare target is at most that.
     ({"metric": "loss", "target": 1.5}, "perplexity", Goal(metric="loss", relation="<=", target=1.5)),
     ({"metric": "mean", "target": "<= 3", "judge": "rubric"}, "score",
      Goal(metric="mean", relation="<=", target=3.0, judge="rubric")),
     ({"target": "mean >= 3"}, "score", Goal(metric="mean", relation=">=", target=3.0))],
)  # fmt: skip
def test_a_goal_is_written_as_a_text_or_as_keys(given, kind, wanted):
    assert goal_of(given, kind) == wanted


@pytest.mark.parametrize(
    ("given", "kind", "says"),
    [("accuracy >= 0.7", "score", "a suite of kind 'score' has no metric 'accuracy'; use mean or delta"),
     ("floor <= 0.1", "score", "'floor' has no interval here, so that a goal could not be read from it; use mean"),
     ("consistency >= 0.9", "pairwise", "'consistency' has no interval here"),
     ("win_rate >= 55", "pairwise", "win_rate is a number from 0 to 1, so that a target of 55 says nothing"),
     ("perplexity <= 0.5", "perplexity", "perplexity is a number of at least 1"),
     ("mean >= inf", "score", "'mean >= inf' is no goal"),
     ({"metric": "mean", "target": float("nan")}, "score", "mean is a number that is finite"),
     ("mean >= 7e", "score", "'7e' is no number; write 'mean >= 7.0', or {metric, target}"),
     ("good", "score", "'good' is no goal; write 'mean >= 7.0'"),
     (7, "score", "a goal needs its metric"),
     ({"metric": "mean"}, "score", "a goal needs its target, a number"),
     ({"metric": "mean", "target": True}, "score", "a goal needs its target, a number"),
     ({"metric": "mean", "target": "loss >= 7"}, "score", "the goal names 'mean' and 'loss'; name one metric"),
     ({"metric": "mean", "goal": 7}, "score", "unknown key 'goal' in a goal; known keys: metric, target, judge"),
     ({"metric": "win_rate", "target": 0.5, "judge": "rubric"}, "pairwise", "'judge' names one judge of a score suite"),
     ("mean >= 7", "matrix", "a suite of kind 'matrix' takes no goal; leave it out")],
)  # fmt: skip
def test_what_is_no_goal_is_refused_with_the_way_out(given, kind, says):
    with pytest.raises(ValueError) as found:
        goal_of(given, kind)
    assert says in str(found.value)


TARGETS = st.floats(-100, 100)


def read(relation, target, low, high, mean=None):
    goal = Goal(metric="mean", relation=relation, target=target)
    return met(goal, [Reading(value=(low + high) / 2 if mean is None else mean, ci=(low, high), n=9)])


@given(relation=st.sampled_from(sorted(RELATIONS)), target=TARGETS, ends=st.tuples(TARGETS, TARGETS).map(sorted))
def test_the_whole_interval_decides(relation, target, ends):
    holds = [RELATIONS[relation](end, target) for end in ends]
    wanted = "pass" if all(holds) else "fail" if not any(holds) else "inconclusive"
    found = read(relation, target, *ends)
    assert (found.outcome, found.code) == (wanted, {"pass": 0, "fail": 1, "inconclusive": 3}[wanted])
    # Whatever the mean is.
    assert read(relation, target, *ends, mean=ends[0]).outcome == wanted


@given(target=TARGETS, ends=st.tuples(TARGETS, TARGETS).map(sorted))
def test_the_mirror_of_a_goal_says_the_same_of_the_mirrored_figures(target, ends):
    low, high = ends
    assert read(">=", target, low, high).outcome == read("<=", -target, -high, -low).outcome


def readings(*pairs):
    return [Reading(by=f"judge/{place}", value=7.0, ci=ci, n=9, reason="n = 1") for place, ci in enumerate(pairs)]


def test_every_judge_has_to_reach_it_and_one_that_misses_it_is_enough():
    goal = Goal(metric="mean", relation=">=", target=5.0)
    above, below, across = (6.0, 8.0), (2.0, 4.0), (4.0, 8.0)
    assert met(goal, readings(above, above)).outcome == "pass"
    assert met(goal, readings(above, across)).outcome == "inconclusive"
    assert met(goal, readings(above, across, below)).outcome == "fail"
    said = met(goal, readings(above, below)).sentence()
    assert "Goal missed (mean >= 5): the whole interval of judge/1 lies on the wrong side" in said
    assert "(each of 2 judges has to reach it)" in said
    assert "7.00 by judge/0 (95 % 6.00 to 8.00, n = 9)" in said


def test_without_an_interval_nothing_is_decided_and_the_reason_is_said():
    found = met(Goal(metric="mean", relation=">=", target=5.0), readings(None))
    assert found.outcome == "inconclusive"
    assert found.reason == "there is no interval: n = 1"
    assert met(found.goal, []).outcome == "inconclusive"
    stopped = met(found.goal, readings((6.0, 8.0)), undecided="the run is incomplete")
    assert (stopped.outcome, stopped.reason) == ("inconclusive", "the run is incomplete")


def test_a_figure_beside_its_target_is_never_rounded_onto_it():
    assert "95 % 4.9996 to 6.00" in read(">=", 5.0, 4.9996, 6.0).sentence()


def test_of_several_gates_the_gravest_counts():
    assert [gravest(codes) for codes in ([0, 3, 1], [3, 0], [0, 0], [])] == [1, 3, 0, 0]
    assert exit_code(None) == 0


def test_a_goal_that_the_judges_cannot_be_asked_about_is_refused():
    scales = {"openai/judge": (1.0, 10.0), "rubric": (0.0, 1.0)}
    goal = goal_of("mean >= 7", "score")
    assert "target 7 is off what mean can be by rubric (0 to 1); mend it, or name the judge" in fits(goal, scales)
    named = goal_of({"metric": "mean", "target": 7, "judge": "openai/judge"}, "score")
    assert fits(named, scales) is None
    other = goal_of({"metric": "mean", "target": 7, "judge": "openai/other"}, "score")
    assert "'openai/other', which is not among openai/judge, rubric" in fits(other, scales)
    moved = goal_of("delta >= 9.5", "score")
    assert "off what delta can be by openai/judge (-9 to 9)" in fits(moved, {"openai/judge": (1.0, 10.0)})
    assert "there is no baseline" in fits(goal_of("delta >= 0", "score"), {}, baseline=False)


def test_every_metric_of_every_kind_can_be_named():
    for kind, metrics in METRICS.items():
        for name, metric in metrics.items():
            target = 1.0 if metric.high >= 1 else metric.high
            assert goal_of({"metric": name, "target": target}, kind).relation == metric.relation


# Suites and runs.

# What a damaged copy of an answer fails.
CHECKS = [{"kind": "length", "min": 6}, {"kind": "form", "pattern": r"Dish \d+ (simmers slowly|is cooked).*\."}]


def test_validate_names_the_line_of_a_goal(tmp_path):
    path = world(tmp_path, judges="[rubric]")
    path.write_text(path.read_text() + "goal: floor >= 1\n")
    (problem,) = [p for p in problems_in(path, lambda _: None) if "goal" in str(p)]
    assert (problem.line, "has no metric 'floor'; use win_rate, found 'floor >= 1'" in problem.what) == (7, True)


def test_validate_names_a_judge_that_is_not_there(tmp_path):
    path = score_suite(tmp_path, more="goal: {metric: mean, target: 7, judge: openai/other}\n")
    (problem,) = problems_in(path, lambda _: None)
    assert "the goal names the judge 'openai/other', which is not among openai/judge" in problem.what


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """A pairwise world that the rubric judges: 11 of 12 prompts for the candidate."""
    folder = tmp_path_factory.mktemp("world")
    path = world(folder, 12, better=11 / 12, judges="[rubric]")
    prompts = [row | {"checks": CHECKS} for row in lines(folder / "prompts.jsonl")]
    write_lines(folder / "prompts.jsonl", prompts)
    return path


@pytest.mark.parametrize(
    ("goal", "code", "outcome", "says"),
    [("win_rate >= 0.5", 0, "pass", "Goal reached (win_rate >= 0.5)"),
     ("win_rate <= 0.5", 1, "fail", "Goal missed (win_rate <= 0.5)"),
     ("win_rate >= 0.8", 3, "inconclusive", "Goal undecided (win_rate >= 0.8): the interval holds 0.8")],
)  # fmt: skip
def test_a_pairwise_run_exits_by_its_goal(checked, tmp_path, goal, code, outcome, says):
    path = checked.with_name(f"{outcome}.yaml")
    path.write_text(f"{checked.read_text()}goal: {goal}\n")
    env = environment(tmp_path)
    done = harness("run", path, "--out", tmp_path / "run", env=env)
    assert (done.code, says in flat(done.out)) == (code, True)
    found = json.loads((tmp_path / "run/summary.json").read_text())
    assert list(found["goal"])[:3] == ["metric", "target", "outcome"]
    assert (found["goal"]["target"], found["goal"]["outcome"]) == (float(goal.split()[-1]), outcome)
    assert found["goal"]["readings"][0]["ci"] == found["judges"]["rubric"]["ci"]
    for name in ("report.md", "report.html"):
        assert says.split(" (")[0] in (tmp_path / "run" / name).read_text()
    # Looking at it later is no gate.
    again = harness("analyze", tmp_path / "run", "--json", env=env)
    assert (again.code, again.json["goal"]) == (0, found["goal"])


def test_a_run_that_shows_nothing_of_its_judges_reaches_no_goal(checked, tmp_path):
    path = checked.with_name("blind.yaml")
    path.write_text(checked.read_text().replace("[rubric]", "[control/first]") + "goal: win_rate >= 0.1\n")
    done = harness("run", path, "--out", tmp_path / "run", "--json", env=environment(tmp_path))
    assert (done.code, done.json["goal"]["outcome"], done.json["goal"]["reason"]) == (
        3, "inconclusive", "no judge counts",
    )  # fmt: skip


def test_a_score_run_exits_by_its_goal_and_an_incomplete_one_by_what_it_lacks(tmp_path):
    rate = {"rating": 8, "reasoning": "As it is."}
    score_suite(tmp_path, more="goal: mean >= 9.5\n")
    with Loopback(policy=policy(lambda *_: rate)) as server:
        kitchen = Kitchen(tmp_path, server)
        done = kitchen.run("missed", *SIDES, "--json")
        # All 8 everywhere: the interval of a constant, of which the upper end lies below 9.5 on 8 prompts.
        assert (done.code, done.json["goal"]["outcome"]) == (1, "fail")
        score_suite(tmp_path, more="goal: delta >= 0.5\n")
        assert kitchen.run("undecided", *SIDES).code == 3
        alone = kitchen.run("alone", "--candidate", "openai/new")
        assert (alone.code, "there is no baseline" in alone.err) == (2, True)
        score_suite(tmp_path, more="goal: mean >= 11\n")
        off = kitchen.run("off", *SIDES)
        assert (off.code, "off what mean can be by openai/judge (1 to 10)" in off.err) == (2, True)


def test_an_incomplete_run_is_told_as_such_before_its_goal(tmp_path):
    score_suite(tmp_path, more="goal: mean <= 1.5\n")
    with Loopback(policy=policy(), faults=[Fault(kind="bad_key", at=[45])]) as server:
        done = Kitchen(tmp_path, server).run("stopped", *SIDES, "--json")
    assert (done.code, done.json["goal"]["outcome"], done.json["goal"]["reason"]) == (
        4, "inconclusive", "the run is incomplete",
    )  # fmt: skip


def losses(values):
    return {
        f"d{place}": LossRecord(
            id=f"d{place}", nll=value * 10, loss=value, tokens=10, bytes=40, targets="x", windows=1, status="ok"
        )
        for place, value in enumerate(values)
    }


@pytest.mark.parametrize(
    ("goal", "outcome"),
    [("loss <= 2", "pass"), ("perplexity <= 4", "pass"), ("perplexity <= 2", "fail"),
     ("bits_per_byte <= 0.36", "inconclusive")],
)  # fmt: skip
def test_a_perplexity_is_held_against_its_own_interval(goal, outcome):
    held = losses([0.9, 1.0, 1.1, 1.2, 0.8, 1.0])
    found = of_losses(
        held, None, dict.fromkeys(held), complete=True, in_suite=6, goal=goal_of(goal, "perplexity")
    ).as_json()
    assert found["goal"]["outcome"] == outcome
    names = {"loss": "ci", "perplexity": "perplexity_ci", "bits_per_byte": "bits_per_byte_ci"}
    assert found["goal"]["readings"][0]["ci"] == pytest.approx(found["candidate"][names[goal.split()[0]]])


def test_of_one_document_no_goal_is_reached():
    held = losses([1.0])
    found = of_losses(held, None, {"d0": None}, complete=True, in_suite=1, goal=goal_of("loss <= 2", "perplexity"))
    assert (found.goal.outcome, "one document gives no interval" in found.goal.reason) == ("inconclusive", True)


def test_human_labels_beside_judges_are_asked_for_no_goal():
    from harness.scoring.further import with_further
    from harness.scoring.summary import summarize

    rows = [row(f"p{p}", 8.0 + p % 2, judge="j") for p in range(8)] + [row("p0", 1.0, judge="human/ann")]
    asked = setting({f"p{p}": None for p in range(8)}, {"j": (1.0, 10.0), "human/ann": None})
    summary = summarize(rows, (), asked, judges=["j", "human/ann"], complete=True)
    found = with_further(summary, rows, (), goal_of("mean >= 7", "score"))
    assert (found.goal.outcome, [own.by for own in found.goal.readings]) == ("pass", ["j"])


def test_only_the_judges_without_an_interval_are_said_to_lack_one():
    found = met(Goal(metric="mean", relation=">=", target=5.0), readings((4.0, 6.0), None))
    assert found.outcome == "inconclusive"
    assert found.reason.startswith("there is no interval of judge/1: n = 1")
