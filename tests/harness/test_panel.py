"""Panels over prompts: every rule, and weights that come from other prompts than those they weigh."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.panel import FOLDS, Panel, fold, votes, weights_of
from judges.panel import RULES, SCORE
from tests.command import environment, harness, world
from tests.published import write_lines

NAMES = [f"p{place}" for place in range(200)]
TRUTH = {name: ("win", "loss")[place % 2] for place, name in enumerate(NAMES)}
FLIP = {"win": "loss", "loss": "win", "tie": "tie"}


def right(share, seed=0):
    """A judge that agrees with the truth on a share of the prompts."""
    rng = random.Random(seed)
    found = {}
    for name in NAMES:
        outcome = TRUTH[name] if rng.random() < share else FLIP[TRUTH[name]]
        found[name] = (outcome, SCORE[outcome])
    return found


def test_a_good_judge_outweighs_two_bad_ones():
    judges = [right(0.95, 1), right(0.55, 2), right(0.55, 3)]
    panel = Panel(gold="human/a", truth=TRUTH)
    plain, weighed = (votes(judges, NAMES, how) for how in (Panel(), panel))
    hits = [sum(found[name].outcome == TRUTH[name] for name in NAMES) for found in (plain, weighed)]
    assert hits[1] > hits[0] + 20


def test_a_judge_that_agrees_by_chance_weighs_next_to_nothing_and_one_against_the_truth_nothing():
    panel = Panel(gold="human/a", truth=TRUTH)
    assert max(weights_of(right(0.5), panel)) < 0.4
    assert weights_of(right(0.1), panel) == [0.0] * FOLDS


def test_a_weight_is_the_log_odds_of_agreement_on_the_other_folds():
    import math

    panel, judge = Panel(truth=TRUTH), right(0.8)
    for place in range(FOLDS):
        others = [name for name in NAMES if fold(name, panel) != place]
        agreed = sum(judge[name][0] == TRUTH[name] for name in others)
        share = (agreed + 1) / (len(others) + 2)
        assert weights_of(judge, panel)[place] == pytest.approx(math.log(share / (1 - share)))


def test_a_prompt_never_weighs_itself():
    panel, judge = Panel(truth=TRUTH), right(0.8)
    place = fold("p7", panel)
    turned = {**judge, "p7": (FLIP[judge["p7"][0]], 0.5)}
    here, there = weights_of(judge, panel), weights_of(turned, panel)
    assert here[place] == there[place]
    assert all(here[other] != there[other] for other in range(FOLDS) if other != place)


def test_a_cluster_is_never_split_between_folds():
    panel = Panel(truth=TRUTH, clusters={name: str(place // 10) for place, name in enumerate(NAMES)})
    for place in range(0, 200, 10):
        assert len({fold(name, panel) for name in NAMES[place : place + 10]}) == 1


def test_too_few_prompts_to_weigh_leave_all_the_same():
    few = dict(list(TRUTH.items())[:10])
    assert weights_of(right(0.9), Panel(truth=few)) == [1.0] * FOLDS


OPINIONS = st.dictionaries(st.sampled_from(NAMES[:8]), st.sampled_from([0.0, 0.2, 0.5, 0.8, 1.0]), max_size=8)


@given(st.lists(OPINIONS, max_size=5), st.sampled_from(RULES), st.booleans(), st.randoms())
def test_permuting_the_judges_changes_nothing(given_scores, rule, weighed, rng):
    judges = [
        {name: ("win" if score > 0.5 else "loss" if score < 0.5 else "tie", score) for name, score in scores.items()}
        for scores in given_scores
    ]
    mixed = judges[:]
    rng.shuffle(mixed)
    panel = Panel(rule=rule, truth=TRUTH if weighed else None)
    assert votes(mixed, NAMES[:8], panel) == votes(judges, NAMES[:8], panel)


def verdicts(folder, suite_n):
    """Three recorded judges and a human: alpha is always right, the others always wrong."""
    rows = []
    for place in range(suite_n):
        truth = "candidate" if place % 2 else "baseline"
        other = "baseline" if place % 2 else "candidate"
        for judge, winner in (("alpha", truth), ("beta", other), ("gamma", other), ("human/anna", truth)):
            rows.append({"id": f"p{place:03d}", "judge": judge, "winner": winner})
    write_lines(folder / "verdicts.jsonl", rows)


def test_a_suite_names_its_panel(tmp_path):
    suite = world(tmp_path, 40, judges="[recorded/verdicts.jsonl]")
    verdicts(tmp_path, 40)
    env = environment(tmp_path)
    whole = suite.read_text()
    found = {}
    for name, text in (("majority", ""), ("unanimous", "panel: unanimous\n"), ("gold", "panel: {gold: human/anna}\n")):
        suite.write_text(whole + text)
        found[name] = harness("run", suite, "--out", tmp_path / name, "--json", env=env).json
    assert found["unanimous"]["panel"]["split"] == 40
    assert (found["majority"]["panel"]["split"], found["majority"]["panel_rule"]) == (0, "majority")
    assert found["gold"]["panel_gold"] == "human/anna"
    # Two of three say the reverse of alpha, which alone agrees with the human and so alone has a weight.
    for name in ("majority", "gold"):
        assert (found[name]["panel"]["wins"], found[name]["panel"]["losses"]) == (20, 20)
    ids = {name: found[name]["categories"] for name in ("majority", "gold")}
    assert ids["majority"]["odd"]["wins"] == ids["gold"]["odd"]["losses"] == 0
    assert ids["gold"]["odd"]["wins"] == ids["majority"]["odd"]["losses"] == 20


def test_a_run_s_panel_may_be_named_on_the_command_line(tmp_path):
    suite = world(tmp_path, 10, judges="[control/longest, recorded/verdicts.jsonl]")
    verdicts(tmp_path, 10)
    done = harness("run", suite, "--panel", "mean", "--out", tmp_path / "run", env=environment(tmp_path))
    assert "by the mean of 3 judges" in " ".join(done.out.split())
    assert "panel mean" in " ".join(done.out.split())


def test_a_gold_judge_that_is_not_there_is_refused(tmp_path):
    suite = world(tmp_path, 10, judges="[recorded/verdicts.jsonl]")
    verdicts(tmp_path, 10)
    suite.write_text(suite.read_text() + "panel: {gold: human/zoe}\n")
    done = harness("run", suite, env=environment(tmp_path))
    assert done.code == 2
    assert "the panel's gold judge 'human/zoe' is not among the judges: alpha, beta, gamma, human/anna" in done.err


def test_a_unanimous_panel_is_not_weighed_on_the_command_line_either(tmp_path):
    suite = world(tmp_path, 10, judges="[recorded/verdicts.jsonl]")
    verdicts(tmp_path, 10)
    suite.write_text(suite.read_text() + "panel: {gold: human/anna}\n")
    done = harness("run", suite, "--panel", "unanimous", env=environment(tmp_path))
    assert done.code == 2
    assert "a unanimous panel has no weights" in done.err


def test_two_runs_with_their_own_rule_are_compared_by_it(tmp_path):
    suite = world(tmp_path, 40, judges="[recorded/verdicts.jsonl]")
    verdicts(tmp_path, 40)
    suite.write_text(suite.read_text() + "panel: {gold: human/anna}\n")
    env = environment(tmp_path)
    for name in ("a", "b"):
        harness("run", suite, "--out", tmp_path / name, env=env)
    found = harness("compare", tmp_path / "a", tmp_path / "b", "--json", env=env)
    assert (found.code, found.json["difference"], found.json["n"]) == (0, 0.0, 40)


def test_weights_are_shown_and_a_gold_judge_that_weighs_nobody_is_named(tmp_path):
    suite = world(tmp_path, 40, judges="[recorded/verdicts.jsonl]")
    verdicts(tmp_path, 40)
    suite.write_text(suite.read_text() + "panel: {gold: human/anna}\n")
    env = environment(tmp_path)
    whole = " ".join(harness("run", suite, "--out", tmp_path / "a", env=env).out.split())
    assert "by the weighed majority of 3 judges" in whole
    assert "alpha: weight 3.3" in whole
    assert "beta: weight 0.00 (on 40 prompts that both judged)" in whole
    few = " ".join(harness("run", suite, "--limit", "12", "--out", tmp_path / "b", env=env).out.split())
    assert "the gold judge human/anna weighs nobody: all judges count the same" in few
    assert "by the majority of 3 judges" in few


def test_bare_preferences_that_count_as_whole_wins_are_named(tmp_path):
    suite = world(tmp_path, 30, judges="[recorded/soft.jsonl]")
    rows = [{"id": f"p{k:03d}", "judge": judge, "preference": 0.51} for k in range(30) for judge in ("m", "n")]
    write_lines(tmp_path / "soft.jsonl", rows)
    env = environment(tmp_path)
    plain = " ".join(harness("run", suite, "--out", tmp_path / "a", env=env).out.split())
    assert "one of 51 % counts as a whole win" in plain
    mean = harness("run", suite, "--panel", "mean", "--out", tmp_path / "b", env=env)
    assert "counts as a whole win" not in " ".join(mean.out.split())
