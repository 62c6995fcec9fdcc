"""A pilot run teaches spread, clusters and tokens; what it cannot teach is said."""

import numpy as np
import pytest
from scipy import stats

from harness.plan import control_count
from harness.stats.power import prompts_needed, visible_effect
from tests.command import environment, harness, world
from tests.harness.planning.planned import plan, planned
from tests.harness.test_run import judge
from tests.loopback import Loopback
from tests.published import lines, write_lines

N = 20


def verdicts(folder, wins, ties, n=N):
    """Recorded verdicts of one judge on a world: so many wins and ties, the rest losses."""
    winners = ["candidate"] * wins + ["tie"] * ties + ["baseline"] * (n - wins - ties)
    # Wins and losses alternate as far as they go, so that no cluster holds one kind alone.
    rng = np.random.default_rng(5)
    mixed = [winners[place] for place in rng.permutation(n)]
    rows = [
        {"id": f"p{place:03d}", "judge": "human/one", "order": order, "winner": winner, "status": "ok"}
        for place, winner in enumerate(mixed)
        for order in ("candidate_first", "baseline_first")
    ]
    return write_lines(folder / "verdicts.jsonl", rows)


@pytest.fixture
def env(tmp_path):
    return environment(tmp_path)


def pilot(tmp_path, env, *, wins, ties, n=N, clusters=0):
    """A suite, and a run of it with these verdicts."""
    suite = world(tmp_path, n)
    if clusters:
        rows = [
            row | {"cluster": f"c{place % clusters}"} for place, row in enumerate(lines(tmp_path / "prompts.jsonl"))
        ]
        write_lines(tmp_path / "prompts.jsonl", rows)
    recorded = f"recorded/{verdicts(tmp_path, wins, ties, n)}"
    done = harness("run", suite, "--judge", recorded, "--out", tmp_path / "pilot", env=env)
    assert done.code == 0, done.err
    return suite


def test_the_spread_is_that_about_one_half(tmp_path, env):
    suite = pilot(tmp_path, env, wins=9, ties=8)
    found = planned(suite, "--effect", 0.1, "--pilot", tmp_path / "pilot", env=env)
    spread = float(np.sqrt(np.mean((np.array([1.0] * 9 + [0.5] * 8 + [0.0] * 3) - 0.5) ** 2)))
    assert found["sd"] == pytest.approx(spread, abs=1e-12)
    assert found["sd_source"] == f"pilot {tmp_path / 'pilot'}, 20 prompts"
    assert found["n_prompts"] == prompts_needed(0.1, sd=spread) < prompts_needed(0.1)
    assert found["upper"] is None
    assert planned(suite, "--pilot", tmp_path / "pilot", env=env)["effect"] == visible_effect(N, sd=spread)


def test_a_pilot_that_always_won_is_no_sign_of_little_spread(tmp_path, env):
    suite = pilot(tmp_path, env, wins=N, ties=0)
    found = planned(suite, "--effect", 0.1, "--pilot", tmp_path / "pilot", env=env)
    assert (found["sd"], found["n_prompts"]) == (0.5, prompts_needed(0.1, sd=0.5))


def test_nothing_but_ties_is_no_certainty(tmp_path, env):
    suite = pilot(tmp_path, env, wins=0, ties=N)
    found = planned(suite, "--effect", 0.1, "--pilot", tmp_path / "pilot", env=env)
    assert (found["sd"], found["sd_source"], found["n_prompts"]) == (None, "worst case", prompts_needed(0.1))
    assert any("scored all its 20 prompts as ties, and no spread is not certainty" in note for note in found["notes"])


def test_more_ties_than_the_effect_allows_are_said_and_not_planned_with(tmp_path, env):
    suite = pilot(tmp_path, env, wins=1, ties=18)
    found = planned(suite, "--effect", 0.3, "--pilot", tmp_path / "pilot", env=env)
    assert found["sd"] == pytest.approx(np.sqrt(0.1 / 4))
    assert found["n_prompts"] == prompts_needed(0.3, sd=np.sqrt(0.15)) == 20
    assert found["power_to_decide"] > 0.8
    said = (
        "a win rate of 80 % needs fewer ties than the pilot had (at least 60 % of prompts decisive, not the pilot's 10"
    )
    assert sum(note.startswith(said) for note in found["notes"]) == 1
    text = " ".join(plan(suite, "--effect", 0.3, "--pilot", tmp_path / "pilot", env=env).split())
    assert "raised to 0.39 as noted below" in text
    assert said in text


def test_ties_that_the_effect_allows_are_no_matter(tmp_path, env):
    suite = pilot(tmp_path, env, wins=5, ties=10)
    found = planned(suite, "--effect", 0.1, "--pilot", tmp_path / "pilot", env=env)
    assert not any("fewer ties" in note for note in found["notes"])
    assert "raised" not in plan(suite, "--effect", 0.1, "--pilot", tmp_path / "pilot", env=env)


def test_what_a_suite_shows_is_no_rate_that_the_pilots_ties_forbid(tmp_path, env):
    suite = pilot(tmp_path, env, wins=1, ties=18)
    found = planned(suite, "--pilot", tmp_path / "pilot", env=env)
    assert found["effect"] == visible_effect(N, sd=np.sqrt(0.1 / 4)) > 0.25
    assert any("needs fewer ties than the pilot had" in note for note in found["notes"])


def test_a_small_pilot_gives_the_upper_bound_of_its_spread_beside(tmp_path, env):
    suite = pilot(tmp_path, env, wins=3, ties=3, n=7)
    found = planned(suite, "--effect", 0.1, "--pilot", tmp_path / "pilot", env=env)
    spread = np.sqrt(4 / 7 / 4)
    bound = min(0.5, spread * np.sqrt(7 / stats.chi2.ppf(0.2, 7)))
    assert found["sd"] == pytest.approx(spread)
    assert found["upper"]["sd"] == pytest.approx(bound)
    assert found["upper"]["n_prompts"] == prompts_needed(0.1, sd=bound) > found["n_prompts"]
    assert any("fewer than 10 prompts were scored" in note for note in found["notes"])
    text = " ".join(plan(suite, "--effect", 0.1, "--pilot", tmp_path / "pilot", env=env).split())
    assert f"With the upper 80 % bound of that spread, {bound:.2f}: {found['upper']['n_prompts']} prompts" in text


def test_one_prompt_is_no_pilot(tmp_path, env):
    suite = pilot(tmp_path, env, wins=1, ties=0, n=1)
    found = planned(suite, "--effect", 0.1, "--pilot", tmp_path / "pilot", env=env)
    assert found["sd"] is None
    assert any("scored 1 prompt, and fewer than two show no spread" in note for note in found["notes"])


def test_a_pilot_of_known_biases_alone_teaches_nothing(tmp_path, env):
    suite = world(tmp_path, 8, judges="[control/first]")
    harness("run", suite, "--out", tmp_path / "pilot", env=env)
    found = planned(suite, "--effect", 0.1, "--pilot", tmp_path / "pilot", env=env)
    assert found["sd"] is None
    assert any("has no judge that counts" in note for note in found["notes"])


def test_the_design_effect_of_clusters_multiplies_the_prompts(tmp_path, env):
    suite = pilot(tmp_path, env, wins=8, ties=4, clusters=4)
    summary = harness("analyze", tmp_path / "pilot", "--json", env=env).json
    effect = summary["judges"]["human/one"]["clusters"]["design_effect"]
    found = planned(suite, "--effect", 0.1, "--pilot", tmp_path / "pilot", env=env)
    alone = prompts_needed(0.1, sd=found["sd"])
    expected = effect if effect > 1 else None
    assert found["design_effect"] == expected
    assert found["n_prompts"] == int(np.ceil(alone * (expected or 1)))
    assert any("20 of 20 prompts share 4 clusters" in note for note in found["notes"])


def test_clusters_that_hold_one_kind_alone_cost_much(tmp_path, env):
    suite = world(tmp_path, N)
    rows = [row | {"cluster": f"c{place // 5}"} for place, row in enumerate(lines(tmp_path / "prompts.jsonl"))]
    write_lines(tmp_path / "prompts.jsonl", rows)
    winners = [("candidate", "baseline", "candidate", "tie")[place // 5] for place in range(N)]
    records = [
        {"id": f"p{place:03d}", "judge": "human/one", "winner": winner, "status": "ok"}
        for place, winner in enumerate(winners)
    ]
    recorded = f"recorded/{write_lines(tmp_path / 'verdicts.jsonl', records)}"
    harness("run", suite, "--judge", recorded, "--out", tmp_path / "pilot", env=env)
    found = planned(suite, "--effect", 0.1, "--pilot", tmp_path / "pilot", env=env)
    assert found["design_effect"] > 4
    assert found["n_prompts"] == int(np.ceil(found["design_effect"] * prompts_needed(0.1, sd=found["sd"])))
    text = " ".join(plan(suite, "--pilot", tmp_path / "pilot", env=env).split())
    assert "in the pilot that multiplied the variance by" in text


def test_another_suite_judge_or_contestant_is_said(tmp_path, env):
    pilot(tmp_path, env, wins=9, ties=8)
    other = world(tmp_path / "other", 6)
    other.write_text(other.read_text().replace("name: dishes", "name: others"))
    more = ("--judge", "openai/x", "--candidate", "openai/y")
    found = planned(other, *more, "--pilot", tmp_path / "pilot", env=env)
    said = " ".join(found["notes"])
    assert "is of another suite ('dishes', 6 prompts shared with 'others')" in said
    assert "the pilot was judged by human/one, this plan names openai/x" in said
    assert "the pilot's candidate was recorded/candidate.jsonl, this plan's is openai/y" in said


def test_tokens_are_those_that_the_pilot_measured(tmp_path):
    suite = world(tmp_path, N)
    prices = tmp_path / "prices.yaml"
    prices.write_text("openai/judge: {input: 2, output: 10}\n")
    with Loopback(policy=judge) as server:
        env = environment(tmp_path, server.url, HARNESS_PRICES=str(prices))
        assert harness("run", suite, "--out", tmp_path / "pilot", env=env).code == 0
        usages = server.usages
        found = planned(suite, "--effect", 0.1, "--pilot", tmp_path / "pilot", env=env)
        assert len(server.usages) == len(usages)
    taken, written = (
        -(-sum(usage[name] for usage in usages) // len(usages)) for name in ("prompt_tokens", "completion_tokens")
    )
    calls = 2 * found["n_prompts"] + 2 * control_count(found["n_prompts"])
    assert found["tokens"] == {"input": calls * taken, "output": calls * written}
    assert found["token_source"] == "the pilot"
    assert found["cost_usd"] == pytest.approx(calls * (2 * taken + 10 * written) / 1e6)


def test_an_incomplete_pilot_is_said(tmp_path, env):
    suite = pilot(tmp_path, env, wins=9, ties=8)
    path = tmp_path / "pilot" / "judgments.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-4]))
    found = planned(suite, "--pilot", tmp_path / "pilot", env=env)
    assert any("is incomplete: its variance is of what is there so far" in note for note in found["notes"])
