"""The default as a newcomer runs it: real checkpoints, made on the spot, in a contest and not a walkover."""

import json

import pytest

from harness import suite as suites
from judges import rubric
from tests.command import environment, harness
from tests.published import lines

pytest.importorskip("torch")
# Training the embedded checkpoints from nothing takes minutes on a slow machine.
pytestmark = [pytest.mark.embedded, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def runs(embedded_checkpoints, tmp_path_factory):
    """Both suites by name, from a folder of their own."""
    folder = tmp_path_factory.mktemp("embedded")
    env = environment(folder) | {"HARNESS_CHECKPOINTS": str(embedded_checkpoints)}
    for name in ("in_domain", "out_of_domain"):
        done = harness("run", name, "--out", folder / name, "--json", env=env, cwd=folder, timeout=800)
        assert done.code == 0, done.err
    return folder


def summary(runs, name):
    return json.loads((runs / name / "summary.json").read_text())


def test_in_domain_the_candidate_is_better_and_it_was_a_contest(runs):
    found = summary(runs, "in_domain")
    result = found["judges"]["rubric"]
    assert found["decision"] == "better"
    assert found["n_prompts"] >= 60
    assert result["losses"] + result["ties"] >= found["n_prompts"] / 10


def test_nothing_that_is_asked_was_trained_on(runs):
    for name in ("in_domain", "out_of_domain"):
        leakage = summary(runs, name)["leakage"]
        assert (leakage["exact"], leakage["near"], leakage["ids"]) == (0, 0, [])
        assert leakage["examples"] > 30_000


def test_the_reward_model_judges_beside_the_rubric(runs):
    found = summary(runs, "in_domain")
    (reward,) = set(found["judges"]) - {"rubric"}
    assert reward.endswith("kitchen_reward.yaml")
    assert found["judges"][reward]["win_rate"] > 0.5
    assert found["controls"][reward]["n"] == 8


def test_out_of_domain_it_is_not_better(runs):
    found = summary(runs, "out_of_domain")
    result = found["judges"]["rubric"]
    assert found["decision"] != "better"
    assert found["n_prompts"] >= 60
    assert result["ties"] < found["n_prompts"] / 2


@pytest.mark.parametrize("name", ["in_domain", "out_of_domain"])
def test_the_base_passes_a_third_of_the_checks(runs, name):
    checks = {prompt.id: prompt.checks for prompt in suites.load(suites.locate(name)).prompts}
    answers = [row for row in lines(runs / name / "responses.jsonl") if row["role"] == "baseline"]
    counts = [rubric.passed(checks[row["id"]], row["response"]) for row in answers]
    assert sum(passed for passed, _ in counts) >= 0.3 * sum(total for _, total in counts)


@pytest.mark.parametrize("name", ["in_domain", "out_of_domain"])
def test_the_rubric_passes_its_own_control_pairs(runs, name):
    control = summary(runs, name)["controls"]["rubric"]
    assert control["wrong"] * 4 <= control["right"] + control["wrong"]
    assert (control["right"] + control["wrong"]) * 2 >= control["n"]
    assert "rubric" not in summary(runs, name)["unusable"]


def test_a_second_run_says_the_same_and_generates_nothing(runs, embedded_checkpoints):
    env = environment(runs) | {"HARNESS_CHECKPOINTS": str(embedded_checkpoints)}
    again = harness("run", "in_domain", "--out", runs / "again", "--json", env=env, cwd=runs)
    assert again.code == 0, again.err
    assert again.json == summary(runs, "in_domain")
    assert "140 cached" in again.err
