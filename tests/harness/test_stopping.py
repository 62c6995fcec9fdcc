"""Asking only until the question is decided: what is asked, what is saved, and that resuming equals running once."""

import json
import re
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stopping import asking_order, boundaries, looked
from judges.types import Prompt
from tests.command import environment, harness, world
from tests.loopback import policy
from tests.loopback.server import Loopback
from tests.published import lines, write_lines

PROMPTS = tuple(Prompt(id=str(place), turns=("?",)) for place in range(300))


@given(st.integers(1, 20_000))
def test_the_waves_grow_slowly_and_end_at_the_last_prompt(n):
    ends = list(boundaries(n))
    assert ends[-1] == n
    assert all(b - a <= max(8, a // 16) for a, b in zip([0, *ends], ends, strict=False))
    assert ends == sorted(set(ends))


def test_the_order_is_drawn_by_the_seed():
    assert asking_order(PROMPTS, 1) == asking_order(PROMPTS, 1)
    assert asking_order(PROMPTS, 1) != asking_order(PROMPTS, 2)
    assert sorted(p.id for p in asking_order(PROMPTS, 1)) == sorted(p.id for p in PROMPTS)


def test_winning_always_is_decided_soon():
    found = looked(PROMPTS, {prompt.id: 1.0 for prompt in PROMPTS}, 16, equivalence=0.05)
    assert (found.decision, found.decided_at) == ("better", 16)
    assert found.low > 0.5


def test_prompts_without_a_score_are_passed_over():
    found = looked(PROMPTS, {PROMPTS[0].id: 1.0, PROMPTS[5].id: 0.0}, 40, equivalence=0.05)
    assert (found.scored, found.decision) == (2, None)


def test_half_of_the_wins_decide_nothing():
    scores = {prompt.id: float(place % 2) for place, prompt in enumerate(PROMPTS)}
    assert looked(PROMPTS, scores, 300, equivalence=0.05).decision is None


def test_nothing_scored_decides_nothing():
    found = looked(PROMPTS, {}, 40, equivalence=0.05)
    assert (found.scored, found.decision, found.low, found.high) == (0, None, 0.0, 1.0)


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), min_size=1, max_size=80))
def test_swapping_the_contestants_mirrors_the_decision(values):
    order = PROMPTS[: len(values)]
    here = looked(order, {p.id: v for p, v in zip(order, values, strict=True)}, len(order), equivalence=0.05)
    there = looked(order, {p.id: 1 - v for p, v in zip(order, values, strict=True)}, len(order), equivalence=0.05)
    mirror = {"better": "worse", "worse": "better", "equivalent": "equivalent", None: None}
    assert there.decision == mirror[here.decision]
    assert (there.low, there.high) == pytest.approx((1 - here.high, 1 - here.low), abs=2e-3)


FULL = "Dish {} simmers slowly with onions, carrots and thyme until everything is tender, then rests."
THIN = "Dish {} is cooked."


def knows_the_dish(request):
    """A judge that tells the full answer from the thin one, and both from a damaged copy or another dish."""
    dish = re.search(r"How is dish (\d+) made", policy.texts(request)[-1])[1]
    worth = {FULL.format(dish): 2, THIN.format(dish): 1}
    a, b = (worth.get(text, 0) for text in policy.shown_answers(request))
    return {"winner": "A" if a > b else "B" if b > a else "tie"}


@pytest.fixture(scope="module")
def server():
    with Loopback(policy=knows_the_dish) as running:
        yield running


def test_a_clear_question_asks_fewer_calls(tmp_path, server):
    suite = world(tmp_path, 120, better=0.9)
    env = environment(tmp_path, server.url)
    done = harness("run", suite, "--stop-early", "--out", tmp_path / "run", "--json", env=env)
    assert done.code == 0, done.err
    found = done.json
    stopped = found["sequential"]
    assert found["decision"] == stopped["decision"] == "better"
    assert found["complete"]
    assert found["n_prompts"] == stopped["asked"] < 60
    assert stopped["calls_saved"] == 2 * (120 - stopped["asked"])
    asked = lines(tmp_path / "run" / "judgments.jsonl")
    assert len(asked) == 2 * stopped["asked"]
    assert stopped["ci"][0] > 0.5
    text = harness("analyze", tmp_path / "run", env=env).out
    assert f"judges were asked about {stopped['asked']} of 120 prompts" in text
    assert "the run stopped as soon as it was decided" in " ".join(text.split())


def test_resuming_equals_running_once(tmp_path, server):
    suite = world(tmp_path, 120, better=0.8)
    env = environment(tmp_path, server.url)
    harness("run", suite, "--stop-early", "--out", tmp_path / "run", env=env)
    for keep in (0.3,):
        torn = tmp_path / f"torn-{keep}"
        shutil.copytree(tmp_path / "run", torn)
        whole = (torn / "judgments.jsonl").read_bytes()
        (torn / "judgments.jsonl").write_bytes(whole[: int(keep * len(whole))])
        (torn / "summary.json").unlink()
        assert harness("resume", torn, env=env).code == 0
        assert (torn / "summary.json").read_bytes() == (tmp_path / "run" / "summary.json").read_bytes()


def test_an_open_question_asks_all(tmp_path, server):
    suite = world(tmp_path, 24, better=0.5)
    done = harness(
        "run", suite, "--stop-early", "--out", tmp_path / "run", "--json", env=environment(tmp_path, server.url)
    )
    assert done.json["decision"] == "inconclusive"
    assert done.json["n_prompts"] == 24
    assert done.json["sequential"]["calls_saved"] == 0


def test_what_the_plain_rule_would_deny_is_not_decided(tmp_path):
    """All ties: the interval that allows for looking is inside ±5 points long before Wilson's at a constant is."""
    suite = world(tmp_path, 130, judges="[rubric]")
    checks = [{"kind": "form", "pattern": r"Dish \d+ (simmers slowly|is cooked).*\."}]
    write_lines(tmp_path / "prompts.jsonl", [row | {"checks": checks} for row in lines(tmp_path / "prompts.jsonl")])
    done = harness("run", suite, "--stop-early", "--out", tmp_path / "run", "--json", env=environment(tmp_path))
    found = done.json
    assert found["decision"] == "inconclusive"
    assert found["sequential"]["decision"] is None
    assert found["sequential"]["asked"] == 130


def test_prompts_in_clusters_are_refused(tmp_path, server):
    suite = world(tmp_path, 12)
    rows = [row | {"cluster": str(place // 3)} for place, row in enumerate(lines(tmp_path / "prompts.jsonl"))]
    write_lines(tmp_path / "prompts.jsonl", rows)
    done = harness("run", suite, "--stop-early", "--out", tmp_path / "run", env=environment(tmp_path, server.url))
    assert done.code == 2
    assert "share 4 clusters" in done.err
    assert not (tmp_path / "run").exists()


def test_where_no_judge_is_asked_there_is_nothing_to_save(tmp_path):
    suite = world(tmp_path, 12, judges="[control/longest]")
    done = harness("run", suite, "--stop-early", env=environment(tmp_path), cwd=tmp_path)
    assert done.code == 2
    assert "no judge here is asked" in done.err


def test_an_unusable_judge_is_not_asked_on(tmp_path):
    with Loopback(policy=policy.second) as address:
        suite = world(tmp_path, 80)
        done = harness(
            "run", suite, "--stop-early", "--out", tmp_path / "run", "--json", env=environment(tmp_path, address.url)
        )
    found = json.loads(done.out)
    assert found["decision"] == "inconclusive"
    assert found["sequential"]["asked"] <= 80
    assert np.isfinite(found["sequential"]["ci"]).all()
