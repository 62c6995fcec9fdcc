"""What of a run can differ when it is done again, and what is said of the rest."""

from dataclasses import replace

import pytest

from harness.launch import Options, plan_job
from harness.models.meter import Meter
from harness.models.spec import parse
from harness.rerun.noise import noise_of
from harness.suite import load
from judges.types import Sampling
from tests.command import world


@pytest.fixture
def job(tmp_path):
    suite = load(world(tmp_path, 4, judges="[control/first]"))
    return plan_job(suite, Options(), lambda spec: spec, meter=Meter(), say=print)[0]


def noise(job, *judges, candidate=None, temperature=0.75):
    specs = tuple(parse(judge, role="judge") for judge in judges)
    given = parse(candidate, role="candidate") if candidate else job.candidate
    suite = replace(job.suite, sampling=Sampling(temperature=temperature))
    return noise_of(replace(job, judges=specs, candidate=given, suite=suite))


def test_a_model_that_is_asked_may_differ_even_on_recorded_responses(job):
    found = noise(job, "openai/judge", "control/random")
    assert (found.any, found.asked, found.fresh) == (True, ("openai/judge",), ())
    assert "candidate and baseline: recorded and cannot be generated afresh" in found.notes


@pytest.mark.parametrize(
    "judges", [["rubric"], ["reward/x"], ["recorded/v.jsonl"], ["control/random"], ["rubric", "control/first"]]
)
def test_recorded_responses_and_steady_judges_leave_nothing_to_differ(job, judges):
    assert noise(job, *judges).any is False


def test_fresh_responses_differ_wherever_a_judge_reads_them(job):
    assert noise(job, "rubric", candidate="hf/x").any is True
    assert noise(job, "recorded/v.jsonl", candidate="hf/x").any is False
    assert noise(job, "rubric", candidate="openai/x", temperature=0.0).any is True


@pytest.mark.parametrize("temperature", [0.0, None])
def test_a_local_model_at_temperature_0_writes_the_same(job, temperature):
    found = noise(job, "rubric", candidate="hf/x", temperature=temperature)
    assert found.any is False
    assert "candidate: a local model at temperature 0, which writes the same every time" in found.notes


def test_a_prompts_own_temperature_counts(job):
    cold = replace(job.suite, sampling=Sampling(temperature=0.0))
    first, *rest = cold.prompts
    warm = replace(cold, prompts=(replace(first, sampling={"temperature": 1.0}), *rest))
    local = replace(job, candidate=parse("hf/x", role="candidate"), judges=(parse("rubric", role="judge"),))
    assert noise_of(replace(local, suite=cold)).any is False
    assert noise_of(replace(local, suite=warm)).any is True
