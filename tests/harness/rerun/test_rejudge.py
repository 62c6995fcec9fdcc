"""`harness rerun --rejudge K`: how often a judge wavers, the cache off, the run untouched, what was paid for kept."""

import math

import numpy as np
import pytest

from harness.records import JudgmentRecord
from harness.rerun.rejudge import waver
from tests.command import environment, harness
from tests.harness.rerun.made import again, contents, finished, steady, wavering
from tests.harness.test_run import judge
from tests.loopback.faults import Fault
from tests.loopback.server import Loopback
from tests.published import lines


def record(prompt, order, verdict, status="ok", repeat=0):
    return JudgmentRecord(id=prompt, judge="gpt", order=order, verdict=verdict, status=status, repeat=repeat)


FIRST, SECOND = "candidate_first", "baseline_first"


def test_flips_are_counted_in_slots_and_outcomes_by_prompt():
    before = [record("a", FIRST, "A"), record("a", SECOND, "B"), record("b", FIRST, "A"), record("b", SECOND, "tie")]
    after = [record("a", FIRST, "B"), record("a", SECOND, "B"), record("b", FIRST, "tie"), record("b", SECOND, "tie")]
    found = waver(before, after)
    # a: won twice, then lost and won, a tie; b: won and tied, then a tie.
    assert (found.flips.n, found.flips.count, found.decisive) == (4, 2, 1)
    assert (found.outcomes, found.prompts) == (2, 2)
    assert found.flips.rate == 0.5


def test_what_has_no_verdict_in_one_of_the_two_is_counted_apart():
    before = [record("a", FIRST, "A"), record("b", FIRST, None, "invalid_parse"), record("c", FIRST, "B")]
    after = [record("a", FIRST, "A"), record("b", FIRST, "A"), record("c", FIRST, None, "refused")]
    found = waver(before, after)
    assert (found.flips.n, found.unusable, found.prompts) == (1, 2, 1)


def test_nothing_answered_has_no_rate():
    found = waver([], [])
    assert (found.flips.rate, found.flips.ci, found.as_json()["flip_rate"]) == (None, None, None)


def test_a_judge_that_never_wavers_still_has_an_interval(tmp_path):
    with steady() as server:
        run = finished(tmp_path, server)
        before, asked = contents(run), len(server.requests)
        done = again(run, server, "--rejudge", "10")
        assert done.code == 0, done.err
        assert len(server.requests) == asked + 20
    found = done.json["judges"]["openai/judge"]
    assert (found["n"], found["flips"], found["flip_rate"], found["decisive_flips"]) == (20, 0, 0.0, 0)
    assert found["ci"][0] == 0
    assert found["ci"][1] > 0.25
    assert (done.json["kind"], done.json["prompts"], done.json["of"]) == ("rejudge", 10, 24)
    assert {name: body for name, body in contents(run).items() if not name.startswith("rejudged-")} == before


def test_a_wavering_judge_has_its_flip_rate_and_its_answers_are_kept(tmp_path):
    with wavering(0.4) as server:
        run = finished(tmp_path, server)
        done = again(run, server, "--rejudge", "99")
        text = again(run, server, "--rejudge", "99", json=False)
    found = done.json["judges"]["openai/judge"]
    assert "--rejudge 99: the run has 24 prompts, and all are asked about" in done.err
    kept = lines(run / next(path.name for path in run.glob("rejudged-*.jsonl") if str(path) == done.json["kept"]))
    before = {(row["id"], row["order"]): row["verdict"] for row in lines(run / "judgments.jsonl")}
    flips = [row["verdict"] != before[row["id"], row["order"]] for row in kept]
    assert (found["n"], found["flips"]) == (len(kept), sum(flips)) == (48, sum(flips))
    assert found["flips"] > 0
    assert found["ci"][0] < found["flip_rate"] < found["ci"][1]
    assert found["decisive_flips"] <= found["flips"]
    assert "48 verdicts changed" in " ".join(text.out.split())
    assert max(map(len, text.out.splitlines())) <= 80


def test_the_draw_is_seeded_and_stratified(tmp_path):
    with steady() as server:
        run = finished(tmp_path, server, 12)
        drawn = []
        for seed in ("1", "1", "2"):
            done = again(run, server, "--rejudge", "6", "--seed", seed)
            rows = lines(tmp_path / "run" / done.json["kept"].rpartition("/")[2])
            drawn.append({row["id"] for row in rows})
            assert sum(int(name[1:]) % 2 for name in drawn[-1]) == 3
    assert drawn[0] == drawn[1] != drawn[2]


def test_more_than_there_are_means_all_and_is_said(tmp_path):
    with steady() as server:
        run = finished(tmp_path, server, 4)
        done = again(run, server, "--rejudge", "9")
    assert (done.json["prompts"], done.json["of"]) == (4, 4)
    assert "all are asked about" in done.err


@pytest.mark.parametrize("wanted", ["0", "-3"])
def test_fewer_than_one_is_refused_before_anyone_is_asked(tmp_path, wanted):
    env = environment(tmp_path)
    done = harness("rerun", tmp_path, "--rejudge", wanted, env=env)
    assert done.code == 2
    assert "--rejudge" in done.err


def test_steady_judges_are_named_and_have_no_figure(tmp_path):
    with steady() as server:
        run = finished(tmp_path, server, 6, judges="[rubric, control/longest]")
        done = again(run, None, "--rejudge", "3")
    assert (done.code, done.json["judges"], done.json["kept"]) == (0, {}, None)
    assert set(done.json["deterministic"]) == {"rubric", "control/longest"}
    assert "nothing was asked" in again(run, None, "--rejudge", "3", json=False).out


def test_a_provider_that_fails_leaves_what_was_answered(tmp_path):
    with steady() as server:
        run = finished(tmp_path, server)
    with Loopback(policy=judge, faults=[Fault(kind="bad_key", at=[12])]) as server:
        done = again(run, server, "--rejudge", "24", "--concurrency", "1")
    assert (done.code, done.json["complete"]) == (4, False)
    assert done.json["judges"]["openai/judge"]["n"] == 12
    assert "401" in done.err
    assert "the figures are of what was answered, which is kept in" in done.err


def test_an_interval_by_prompt_is_no_narrower_than_the_verdicts_alone():
    rng = np.random.default_rng(0)
    before = [record(f"p{n}", order, "A") for n in range(40) for order in (FIRST, SECOND)]
    flipped = {f"p{n}" for n in range(40) if rng.random() < 0.3}
    after = [row.model_copy(update={"verdict": "B"}) if row.id in flipped else row for row in before]
    found = waver(before, after).flips
    alone = 1.96 * math.sqrt(found.rate * (1 - found.rate) / found.n)
    assert (found.ci[1] - found.ci[0]) / 2 > alone
