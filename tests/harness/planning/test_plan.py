"""`harness plan` through the real command: the contract's figures, and nothing opened or asked."""

import json
import math

import pytest

from harness.errors import InputError
from harness.plan import control_count
from harness.stats.power import prompts_needed, visible_effect
from tests.command import environment, harness, world
from tests.harness.planning.planned import plan, planned
from tests.published import lines, write_lines

JUDGES = ("--judge", "openai/gpt-4o", "--judge", "anthropic/claude-sonnet-4-5")


@pytest.fixture
def suite(tmp_path):
    return world(tmp_path, 30)


@pytest.fixture
def env(tmp_path):
    return environment(tmp_path)


@pytest.fixture
def priced(tmp_path, env):
    path = tmp_path / "prices.yaml"
    path.write_text("openai/judge: {input: 2, output: 10}\nopenai/model: {input: 1, output: 5}\n")
    return env | {"HARNESS_PRICES": str(path)}


def test_an_effect_is_answered_by_prompts(suite, env):
    done = harness("plan", suite, "--effect", 0.1, "--json", env=env)
    found = done.json
    assert (done.code, done.err) == (0, "")
    assert list(found)[:6] == ["n_prompts", "effect", "power", "alpha", "calls", "cost_usd"]
    assert (found["n_prompts"], found["effect"], found["power"], found["alpha"]) == (210, 0.1, 0.8, 0.05)
    assert (found["in_suite"], found["enough"]) == (30, False)
    assert found["visible_effect"] == visible_effect(30)
    assert (found["sd"], found["sd_source"]) == (None, "worst case")
    assert found["calls"] == found["judge_calls"] == 2 * 210 + 2 * control_count(210)


def test_without_an_effect_it_says_what_the_suite_can_show(suite, env):
    found = planned(suite, env=env)
    assert (found["n_prompts"], found["effect"], found["enough"]) == (30, visible_effect(30), True)
    more = planned(suite, "--power", 0.9, "--alpha", 0.01, env=env)
    assert more["effect"] == visible_effect(30, power=0.9, alpha=0.01) > found["effect"]


def test_calls_are_those_of_a_dry_run(suite, env):
    for more in ([], ["--limit", 9], ["--repeats", 3], ["--judge", "openai/a", "--judge", "rubric"]):
        found = planned(suite, *more, env=env)
        dry = harness("run", suite, "--dry-run", "--json", *more, env=env).json
        assert (found["judge_calls"], found["in_suite"]) == (dry["calls"], dry["n_prompts"])


def test_contestants_behind_an_api_are_asked_every_turn_and_repeat(tmp_path, env):
    suite = world(tmp_path, 3)
    rows = [
        {"id": "a", "prompt": "One?"},
        {"id": "b", "turns": ["One?", "And two?"], "repeats": 3},
        {"id": "c", "prompt": "Three?", "sampling": {"max_tokens": 100}},
    ]
    write_lines(tmp_path / "prompts.jsonl", rows)
    found = planned(suite, "--candidate", "openai/model", "--baseline", "hf/nowhere", env=env)
    assert found["response_calls"] == 1 + 3 * 2 + 1
    assert found["judge_calls"] == 2 * (1 + 3 + 1) + 2 * control_count(3)
    beyond = planned(suite, "--candidate", "openai/model", "--baseline", "hf/nowhere", "--effect", 0.1, env=env)
    assert beyond["response_calls"] == 8 * 210 // 3
    assert beyond["judge_calls"] == math.ceil(10 * 210 / 3) + 2 * control_count(210)


def test_random_orders_ask_half_as_much(tmp_path, suite, env):
    suite.write_text(suite.read_text() + "orders: random\n")
    assert planned(suite, env=env)["judge_calls"] == 30 + 2 * control_count(30)


def test_dollars_are_tokens_times_prices(suite, priced):
    found = planned(suite, "--candidate", "openai/model", env=priced)
    shares = found["cost_by_spec"]
    assert shares["recorded/baseline.jsonl"] == 0.0
    assert found["cost_usd"] == pytest.approx(shares["openai/judge"] + shares["openai/model"])
    # The texts by hand: a question is 19 or 20 characters, so 5 tokens; an answer has 512 at most.
    assert shares["openai/model"] == pytest.approx(30 * (5 * 1 + 512 * 5) / 1e6)
    assert found["token_source"].startswith("the texts, 4 characters a token")
    assert found["price_source"] == "your file (HARNESS_PRICES)"


def test_list_prices_hold_at_the_providers_own_address_alone(tmp_path, suite, env):
    found = planned(suite, *JUDGES, env=env)
    assert found["cost_usd"] > 0
    assert found["price_source"].startswith("list prices of genai-prices 0.")
    elsewhere = planned(suite, *JUDGES, env=env | {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"})
    assert elsewhere["cost_usd"] is None
    assert elsewhere["cost_by_spec"]["openai/gpt-4o"] is None
    assert elsewhere["known_cost_usd"] == elsewhere["cost_by_spec"]["anthropic/claude-sonnet-4-5"] > 0


def test_an_unknown_price_is_unknown_and_never_nothing(suite, priced):
    found = planned(suite, "--judge", "openai/judge", "--judge", "openai/other", env=priced)
    assert found["cost_usd"] is None
    assert found["cost_by_spec"]["openai/other"] is None
    assert found["cost_by_spec"]["openai/judge"] == found["known_cost_usd"] > 0
    text = plan(suite, "--judge", "openai/judge", "--judge", "openai/other", env=priced)
    assert "cost unknown ($0." in text
    assert "price unknown" in text


def test_what_runs_here_costs_nothing(suite, env):
    found = planned(suite, "--judge", "control/longest", "--judge", "recipe/none.yaml", env=env)
    assert (found["calls"], found["cost_usd"], found["token_source"]) == (0, 0.0, None)
    assert set(found["cost_by_spec"].values()) == {0.0}


def test_who_is_not_named_has_no_known_cost(env):
    found = planned("general", env=env)
    assert (found["calls"], found["cost_usd"]) == (0, None)
    text = plan("general", env=env)
    assert "depends on who is not named yet" in text
    assert "names no candidate, baseline and judge" in " ".join(text.split())


def test_few_prompts_can_show_nothing(suite, env):
    found = planned(suite, "--limit", 5, env=env)
    assert (found["n_prompts"], found["effect"], found["enough"]) == (5, None, False)
    assert found["power_to_decide"] is None
    assert plan(suite, "--limit", 5, env=env).startswith("5 prompts can show nothing with 80 % power")


def test_clusters_without_a_pilot_are_said(tmp_path, suite, env):
    rows = [row | {"cluster": f"c{place // 3}"} for place, row in enumerate(lines(tmp_path / "prompts.jsonl"))]
    write_lines(tmp_path / "prompts.jsonl", rows)
    found = planned(suite, "--effect", 0.2, env=env)
    assert found["n_prompts"] == prompts_needed(0.2)
    assert any(note.startswith("30 of 30 prompts share 10 clusters; what that costs") for note in found["notes"])


def test_what_a_run_would_end_as_comes_before_the_answer(suite, env):
    done = harness("plan", suite, "--effect", 0.02, "--json", env=env)
    assert done.json["n_prompts"] == prompts_needed(0.02) == 4984
    assert done.json["power_to_decide"] == pytest.approx(0.011, abs=5e-4)
    said = (
        "ith equivalence ±5 points a win rate of 52 % over 4,984 prompts ends as `equivalent` in 99 of 100 runs and as "
        "`better` in 1 of 100; set `equivalence: 0.01` in the suite"
    )
    assert done.json["notes"][0] == f"w{said}"
    text = harness("plan", suite, "--effect", 0.02, env=env).out
    assert " ".join(text.split()).startswith(f"W{said}. To see a win rate of 52 % with 80 % power you need 4,984")
    assert text.count("equivalence") == 2


def test_the_equivalence_it_names_is_enough(tmp_path, suite, env):
    suite.write_text(suite.read_text() + "equivalence: 0.01\n")
    found = planned(suite, "--effect", 0.02, env=env)
    assert (found["n_prompts"], found["power_to_decide"]) == (4984, pytest.approx(0.804, abs=5e-4))
    assert not any("equivalen" in note for note in found["notes"])


@pytest.mark.parametrize(
    ("effect", "chance", "warned"), [(0.1, 0.82, False), (0.04, 0.8075, False), (0.03, 0.523, True)]
)
def test_where_runs_decide_with_the_power_wanted_nothing_is_said(suite, env, effect, chance, warned):
    found = planned(suite, "--effect", effect, env=env)
    assert found["power_to_decide"] == pytest.approx(chance, abs=5e-3)
    assert any("equivalen" in note for note in found["notes"]) == warned


def test_what_a_large_suite_shows_may_end_as_equivalent_too(tmp_path, env):
    rows = [{"id": f"p{place}", "prompt": f"What is {place}?"} for place in range(6000)]
    write_lines(tmp_path / "many.jsonl", rows)
    (tmp_path / "many.yaml").write_text("name: many\nprompts: many.jsonl\n")
    found = planned(tmp_path / "many.yaml", env=env)
    assert found["power_to_decide"] < 0.01
    assert found["notes"][0].startswith("with equivalence ±5 points a win rate of 51.9 % over 6,000 prompts ends as")
    # Beside an effect that needs no warning it is a note like others, not the first thing said.
    asked = planned(tmp_path / "many.yaml", "--effect", 0.1, env=env)
    assert asked["power_to_decide"] > 0.8
    assert any("51.9 % over 6,000 prompts ends as `equivalent`" in note for note in asked["notes"])
    assert plan(tmp_path / "many.yaml", "--effect", 0.1, env=env).startswith("To see a win rate of 60 %")


def test_an_equivalence_is_named_as_yaml_reads_numbers(suite, env):
    assert "set `equivalence: 0.0000005` in" in planned(suite, "--effect", 0.000001, env=env)["notes"][0]


def test_a_run_decides_at_its_own_alpha(suite, env):
    found = planned(suite, "--effect", 0.1, "--alpha", 0.2, env=env)
    assert found["power_to_decide"] == pytest.approx(0.5815, abs=5e-4)
    assert found["notes"][0].startswith(
        "a run decides at alpha 0.05, not 0.2: a win rate of 60 % over 126 prompts ends"
    )
    stricter = planned(suite, "--effect", 0.1, "--alpha", 0.01, env=env)
    assert stricter["power_to_decide"] > 0.9
    assert not any("alpha" in note for note in stricter["notes"])


def test_the_sentence_comes_first_and_fits(suite, priced):
    more = ("--candidate", "hf/" + "a-long-name/" * 9, "--judge", "openai/" + "x" * 90, "--judge", "openai/judge")
    for effect in ([], ["--effect", 0.1]):
        text = plan(suite, *more, *effect, env=priced)
        assert all(len(line) <= 80 for line in text.splitlines()), text
    whole = " ".join(text.split())
    assert whole.startswith(
        "To see a win rate of 60 % with 80 % power you need 210 prompts; this suite has 30, which can show 75 % or "
        "more: 180 too few."
    )
    assert "prices: your file (HARNESS_PRICES)" in whole


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--effect", "0"], "--effect is a win rate's distance from 1/2, at least 0.000001 and less than 0.5"),
        (["--effect", "1e-7"], "at least 0.000001 and less than 0.5 (0.1: a win rate of 60 %), found 1e-07"),
        (["--effect", "0.5"], "found 0.5"),
        (["--effect", "-0.1"], "found -0.1"),
        (["--effect", "nan"], "found nan"),
        (["--power", "1"], "--power is a probability between 0 and 1 (0.8), found 1"),
        (["--power", "nan"], "found nan"),
        (["--power", "0.04"], "--power 0.04 is no more than --alpha 0.05"),
        (["--alpha", "0"], "--alpha is a probability between 0 and 1 (0.05), found 0"),
        (["--judge", "gpt"], "'gpt' is no judge that is known"),
        (["--judge", "openai/a", "--judge", "openai/a"], "is given twice"),
        (["--candidate", "rubric"], "'rubric' cannot be a candidate"),
        (["--candidate", "recorded/none.jsonl"], "none.jsonl: there is no such file"),
        (["--pilot", "."], "holds no run (no manifest.json)"),
    ],
)
def test_wrong_usage_is_refused_in_a_sentence(tmp_path, suite, env, more, said):
    with pytest.raises(InputError) as refused:
        plan(suite, *more, env=env, cwd=tmp_path)
    assert said in str(refused.value)


def test_every_wrong_figure_is_named_at_once(tmp_path, suite, env):
    done = harness("plan", suite, "--effect", "0.7", "--alpha", "0", env=env)
    assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 2)


def test_nothing_is_written(tmp_path, suite, env):
    before = sorted(tmp_path.rglob("*"))
    planned(suite, "--effect", 0.1, *JUDGES, env=env)
    assert sorted(tmp_path.rglob("*")) == before


def test_json_has_no_number_that_is_none(suite, env):
    value = planned(suite, "--effect", 0.000001, env=env)
    assert json.loads(json.dumps(value, allow_nan=False)) == value and value["effect"] == 0.000001
