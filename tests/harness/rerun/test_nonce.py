"""A nonce reaches every question, and an ordinary run's keys stay what they were."""

import asyncio
import random
from dataclasses import replace

from harness.job import from_manifest, to_manifest
from harness.launch import Options, plan_job
from harness.models.contestant import ModelContestant, Question, request_of
from harness.models.keys import cache_key
from harness.models.meter import Meter
from harness.rerun.again import rerun_job
from harness.suite import load
from judges import template
from judges.build import Wanted, build
from judges.types import Presentation, Prompt, Reply, Sampling
from tests.command import world
from tests.scripted import ScriptedModel

PROMPT = Prompt(id="p", turns=("Name a soup.", "And another."))
QUESTION = Question(prompt=PROMPT, sample=1, sampling=Sampling(temperature=0.75, max_tokens=64))
IDENTITY = {"provider": "openai", "url": "http://127.0.0.1/v1", "model": "m"}
KEY = "20244ea3f5ebcba46cb2611dd47a299bac189818aa6acd1a78ecbfd968a24a2d"


def asked_of_judge(**more):
    model = ScriptedModel([Reply(text="hm"), Reply(text='{"winner": "A"}')])
    asking = {"asked": model, "sampling": Sampling(max_tokens=9), "template": template.load()}
    judge = build("openai", Wanted(name="openai/m", rest="m", **asking, **more))
    asyncio.run(judge.judge(Presentation(prompt=PROMPT, a=("leek",), b=("rock",)), rng=random.Random(0)))
    return model


def test_every_question_to_a_judge_carries_the_nonce():
    model = asked_of_judge(nonce="again")
    assert [request.nonce for request in model.asked] == ["again", "again"]
    assert model.kept[0][0].nonce == "again"
    assert {request.nonce for request in asked_of_judge().asked} == {""}


def test_every_question_to_a_contestant_carries_the_nonce():
    model = ScriptedModel([Reply(text="leek"), Reply(text="pea")])
    asker = ModelContestant(model=model, concurrency=1, nonce="again")
    asyncio.run(asker.answer([QUESTION], lambda question, answer: None))
    assert [request.nonce for request in model.asked] == ["again", "again"]


def test_the_keys_of_an_ordinary_run_are_what_they_always_were():
    # Worked out by an earlier version of this program: a key that moved would make everybody pay again.
    assert cache_key(IDENTITY, request_of(QUESTION, ["leek"])) == KEY
    assert cache_key(IDENTITY, request_of(QUESTION, ["leek"], "again")) != KEY


def planned(tmp_path):
    suite = load(world(tmp_path, 4, judges="[control/first]"))
    return plan_job(suite, Options(), lambda spec: spec, meter=Meter(), say=print)[0]


def test_a_manifest_keeps_the_nonce(tmp_path):
    job = planned(tmp_path)
    assert job.nonce == ""
    made = to_manifest(replace(job, nonce="again"), fingerprints={})
    assert made["nonce"] == "again"
    assert from_manifest({**made}).nonce == "again"
    del made["nonce"]
    assert from_manifest(made).nonce == ""


def test_a_rerun_moves_every_seed_by_its_index(tmp_path):
    job = planned(tmp_path)
    first, *rest = job.suite.prompts
    own = replace(first, sampling={"seed": 40, "temperature": 0.5})
    suite = replace(job.suite, sampling=Sampling(seed=7), prompts=(own, *rest))
    found = rerun_job(replace(job, suite=suite), 2, "n").suite
    assert (found.seed, found.sampling.seed, found.judge_sampling.seed) == (job.suite.seed + 2, 9, None)
    assert found.prompts[0].sampling == {"seed": 42, "temperature": 0.5}
    assert found.prompts[1:] == tuple(rest)
