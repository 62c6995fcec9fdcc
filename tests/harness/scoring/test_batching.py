"""Greedy answers that are written again alone: what is drawn, what is kept, what is said, and why not."""

from __future__ import annotations

import asyncio
import json
import re

import pytest
from statsmodels.stats.proportion import proportion_confint

from harness import verbs
from harness.errors import InputError
from harness.launch import Options
from harness.models.contestant import Question
from harness.models.spec import parse
from harness.records import ResponseRecord
from harness.scoring.batching import Alone, Compared, doubts, figures, planned, said
from harness.scoring.job import ScoreJob
from harness.suite import load
from judges.types import Prompt, Reply, Sampling
from tests import tiny
from tests.harness.scoring.made import suite
from tests.published import lines, write_lines

pytest.importorskip("torch")

SHORT = "sampling: {max_tokens: 12}\n"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny.checkpoint(tmp_path_factory.mktemp("model"), seed=1)


@pytest.fixture
def run(tmp_path, model, monkeypatch, capsys):
    """Runs a suite of six prompts, two turns each, in this process: the object, or what it says to a terminal."""
    monkeypatch.setenv("HARNESS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def made(out="run", more=SHORT, as_json=True, **options):
        given = Options(judges=("rubric",), candidate=f"hf/{model}", **options)
        path = suite(tmp_path, 6, more=more)
        assert verbs.run(str(path), given, out=tmp_path / out, as_json=as_json, resolve=lambda spec, _: spec) == 0
        written = capsys.readouterr().out
        return json.loads(written) if as_json else written

    return made


def test_the_share_of_equal_answers_stands_in_the_report(run, tmp_path):
    recorded = [{"id": f"p{place:02d}", "responses": ["one", "two"]} for place in range(6)]
    write_lines(tmp_path / "old.jsonl", recorded)
    found = run(check_batching=4, baseline=f"recorded/{tmp_path}/old.jsonl")
    own = found["batching"]["candidate"]
    assert (own["n"], own["equal"], own["share"], own["different"]) == (4, 4, 1.0, [])
    assert own["ci"] == pytest.approx(proportion_confint(4, 4, method="wilson"), abs=1e-9)
    why = "it is no local model, so that nothing of it was batched here"
    assert found["batching"]["baseline"] == {"n": 0, "reason": why}
    sentence = "candidate: 4 of 4 greedy answers written again alone are the same to the letter (100 %, 95 % 51–100)"
    for name in ("report.md", "report.html"):
        written = " ".join(re.sub("<[^>]+>", "", (tmp_path / "run" / name).read_text()).split())
        assert "Answers alone and in batches" in written
        assert sentence in written
        assert f"no answer was written again alone: {why}" in written
    assert len(lines(tmp_path / "run/batching.jsonl")) == 4


def test_it_is_said_to_a_terminal_and_not_where_nobody_asked(run):
    assert "written again alone" in run("one", as_json=False, check_batching=50)
    assert "alone" not in run("two", as_json=False)
    assert "batching" not in run("three")


def test_sampled_answers_are_not_compared_and_why_is_said(run):
    found = run(more="sampling: {max_tokens: 12, temperature: 0.8}\n", check_batching=3)
    why = "its answers are sampled, and greedy ones alone can be compared"
    assert found["batching"] == {"candidate": {"n": 0, "reason": why}}


def test_what_was_compared_is_kept_by_analyze_and_not_done_again_by_resume(run, tmp_path, capsys):
    whole = run(check_batching=4)
    folder = tmp_path / "run"
    written = {name: (folder / name).read_bytes() for name in ("summary.json", "report.md", "batching.jsonl")}
    assert verbs.analyze([folder], out=None, equivalence=None, as_json=True) == 0
    assert json.loads(capsys.readouterr().out) == whole
    (folder / "batching.jsonl").write_bytes(written["batching.jsonl"][:100])
    assert not verbs.resume(folder, concurrency=4, as_json=True)
    assert {name: (folder / name).read_bytes() for name in written} == written


def test_a_run_that_still_owes_answers_alone_is_incomplete(run, tmp_path, capsys):
    run(check_batching=4)
    (tmp_path / "run/batching.jsonl").unlink()
    verbs.analyze([tmp_path / "run"], out=None, equivalence=None, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert (found["complete"], found["batching"]["candidate"]["reason"]) == (False, "it was not asked again yet")


def test_an_answer_that_comes_out_otherwise_is_named(run, tmp_path, capsys):
    run(check_batching=6)
    folder = tmp_path / "run"
    rows = lines(folder / "responses.jsonl")
    rows[2]["responses"][1] += " and more"
    write_lines(folder / "responses.jsonl", rows)
    (folder / "batching.jsonl").unlink()
    verbs.resume(folder, concurrency=4, as_json=True)
    found = json.loads(capsys.readouterr().out)
    own = found["batching"]["candidate"]
    assert (own["n"], own["equal"], own["different"]) == (6, 5, [rows[2]["id"]])
    assert own["ci"] == pytest.approx(proportion_confint(5, 6, method="wilson"), abs=1e-9)
    kept = {row["id"]: row for row in lines(folder / "batching.jsonl")}[rows[2]["id"]]
    assert kept["alone"][1] == rows[2]["responses"][1].removesuffix(" and more")
    doubted = " ".join((folder / "report.md").read_text().split())
    assert "1 of 6 greedy answers came out otherwise when written alone" in doubted


def test_an_answer_alone_never_comes_from_the_cache(model):
    from harness.models.huggingface import LocalContestant
    from harness.models.meter import Meter

    class Lying:
        """A cache that holds the wrong reply to everything."""

        def get(self, key):
            return Reply(text="wrong")

        def put(self, key, reply, *, source=None):
            raise AssertionError("nothing is kept of it")

    parts = {"base": model, "adapter": None, "fingerprint": "f", "seed": 0, "meter": Meter()}
    prompt = Prompt(id="p", turns=("soup", "and rice?"))
    question = Question(prompt=prompt, sample=0, sampling=Sampling(temperature=0.0, max_tokens=8))
    true = asyncio.run(LocalContestant(**parts, cache=None).alone(question))
    assert asyncio.run(LocalContestant(**parts, cache=Lying()).alone(question)) == true
    assert len(true) == 2
    assert "wrong" not in true


def test_other_kinds_of_suites_refuse_it(tmp_path, model):
    write_lines(tmp_path / "p.jsonl", [{"id": "a", "prompt": "soup?"}])
    (tmp_path / "s.yaml").write_text("name: s\nprompts: p.jsonl\njudges: [control/first]\n")
    given = Options(candidate=f"hf/{model}", baseline=f"hf/{model}", check_batching=2)
    with pytest.raises(InputError, match="--check-batching belongs to score suites, and this suite is pairwise"):
        verbs.run(str(tmp_path / "s.yaml"), given, out=tmp_path / "run", as_json=True, resolve=lambda spec, _: spec)


def job(folder, n=20, check_batching=5):
    return ScoreJob(
        suite=load(suite(folder, n)),
        candidate=parse("hf/some/model", role="candidate"),
        baseline=None,
        judges=(),
        repeats={},
        full={},
        check_batching=check_batching,
    )


def responses(asked, **changed):
    made = [{"id": p.id, "role": "candidate", "responses": ["a", "b"], **changed} for p in asked.suite.prompts]
    return {(row["id"], "candidate", 0): ResponseRecord.model_validate(row) for row in made}


def test_the_draw_is_the_same_every_time_and_leaves_out_what_was_not_answered_whole(tmp_path):
    asked = job(tmp_path)
    drawn = planned(asked, "candidate", responses(asked))
    assert len(set(drawn)) == 5
    assert drawn == planned(asked, "candidate", responses(asked))
    assert planned(asked, "candidate", responses(asked, finish="error")) == ()
    assert planned(asked, "candidate", {}) == ()
    assert figures(asked, {}, ())["candidate"].reason == "it answered no greedy prompt whole"
    lines_of = [Compared(id=name, role="candidate", equal=place > 0) for place, name in enumerate(drawn)]
    found = figures(asked, responses(asked), lines_of)["candidate"]
    assert (found.n, found.equal, found.different) == (5, 4, drawn[:1])
    assert figures(job(tmp_path, check_batching=0), responses(asked), lines_of) == {}


def test_what_is_said_is_never_a_bare_share():
    some = {"candidate": Alone(n=200, equal=199, different=("p7",))}
    assert said(some) == [
        "candidate: 199 of 200 greedy answers written again alone are the same to the letter (99.5 %, 95 % 97–99.9)"
    ]
    assert list(doubts(some)) == [
        "candidate: 1 of 200 greedy answers came out otherwise when written alone (p7): rounding, which differs with "
        "the batch, decided there"
    ]
    assert list(doubts({"candidate": Alone(n=3, equal=3)})) == []
