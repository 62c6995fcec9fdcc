"""`harness judge`: saved outputs are judged without a suite file, as in any run, and never without their prompts."""

import pytest

from tests.command import environment, harness, world
from tests.loopback import Loopback, policy
from tests.published import lines, write_lines


def outputs(folder, n=12, **more):
    """Two files of saved outputs that carry their prompts."""
    world(folder, n)
    prompts = {line["id"]: line for line in lines(folder / "prompts.jsonl")}
    for side in ("candidate", "baseline"):
        rows = [{**prompts[row["id"]], **row, **more} for row in lines(folder / f"{side}.jsonl")]
        write_lines(folder / f"{side}.jsonl", rows)
    return f"recorded/{folder}/candidate.jsonl", f"recorded/{folder}/baseline.jsonl"


def judged(folder, *more, judge="openai/judge", env=None):
    candidate, baseline = f"recorded/{folder}/candidate.jsonl", f"recorded/{folder}/baseline.jsonl"
    given = ["--candidate", candidate, "--baseline", baseline, "--judge", judge, *more]
    return harness("judge", *given, env=env or environment(folder))


def test_saved_outputs_are_judged_as_a_suite_s_would_be(tmp_path):
    suite = world(tmp_path / "suite")
    outputs(tmp_path / "saved")
    with Loopback(policy=policy.longest) as server:
        env = environment(tmp_path, server.url)
        here = judged(tmp_path / "saved", "--json", "--seed", "3", "--out", tmp_path / "a", env=env)
        asked = len(server.requests)
        there = harness("run", suite, "--json", "--out", tmp_path / "b", env=env)
        # Every reply comes from the cache: the judge was asked the very same questions.
        assert len(server.requests) == asked
    assert (here.code, here.json) == (there.code, there.json)
    assert harness("analyze", tmp_path / "a", "--json", env=env).json == here.json


def test_prompts_may_lie_in_a_file_of_their_own(tmp_path):
    world(tmp_path)
    with Loopback(policy=policy.longest) as server:
        env = environment(tmp_path, server.url)
        for prompts in ("prompts.jsonl", "suite.yaml"):
            done = judged(tmp_path, "--prompts", tmp_path / prompts, "--json", "--out", tmp_path / prompts[:4], env=env)
            assert done.json["n_prompts"] == 12


def test_a_judge_is_not_asked_about_answers_to_nobody_knows_what(tmp_path):
    world(tmp_path)
    with Loopback() as server:
        done = judged(tmp_path, env=environment(tmp_path, server.url))
    assert (done.code, server.requests) == (2, [])
    assert "12 of 12 responses do not say what they answer (first: 'p000')" in done.err
    assert "give --prompts FILE" in done.err


def test_judges_that_look_at_no_prompt_need_none(tmp_path):
    world(tmp_path)
    done = judged(tmp_path, "--json", "--out", tmp_path / "run", judge="control/longest")
    assert (done.code, done.json["judges"]["control/longest"]["wins"]) == (0, 9)


def test_one_file_may_hold_both_sides(tmp_path):
    outputs(tmp_path)
    rows = [{**row, "role": side} for side in ("candidate", "baseline") for row in lines(tmp_path / f"{side}.jsonl")]
    write_lines(tmp_path / "both.jsonl", rows)
    both = f"recorded/{tmp_path}/both.jsonl"
    given = ["--candidate", both, "--baseline", both, "--judge", "control/longest", "--json"]
    done = harness("judge", *given, "--out", tmp_path / "run", env=environment(tmp_path))
    assert done.json["judges"]["control/longest"]["wins"] == 9


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"prompt": "What else?"}, "'prompt' is not what another line says of it"),
        ({"turns": ["a", "b"]}, "give either 'prompt' or 'turns'"),
        ({"reference": ["a", "b"]}, "'reference' has 2 texts for 1 turns"),
        ({"checks": [{"kind": "guess"}]}, "unknown kind 'guess'"),
    ],
)
def test_lines_that_contradict_each_other_are_named(tmp_path, change, says):
    outputs(tmp_path)
    first, *rest = lines(tmp_path / "baseline.jsonl")
    write_lines(tmp_path / "baseline.jsonl", [{**first, **change}, *rest])
    done = judged(tmp_path)
    assert done.code == 2
    assert says in done.err


def test_a_model_is_no_file_of_saved_outputs(tmp_path):
    done = harness(
        "judge", "--candidate", "openai/x", "--baseline", "openai/y", "--judge", "rubric", env=environment(tmp_path)
    )
    assert done.code == 2
    assert "'openai/x' is no file of saved outputs; give recorded/FILE, or let `harness run` ask it" in done.err


def test_a_response_without_a_counterpart_is_named(tmp_path):
    outputs(tmp_path)
    write_lines(tmp_path / "baseline.jsonl", lines(tmp_path / "baseline.jsonl")[1:])
    done = judged(tmp_path)
    assert done.code == 2
    assert "baseline.jsonl: answers no prompt 'p000'" in done.err


def test_thinking_is_taken_out_before_anyone_judges(tmp_path):
    outputs(tmp_path)
    rows = lines(tmp_path / "candidate.jsonl")
    thought = [{**row, "response": f"<think>{'long ' * 99}</think>{row['response']}"} for row in rows]
    write_lines(tmp_path / "candidate.jsonl", [{**thought[0], "response": "<think>and so on"}, *thought[1:]])
    done = judged(tmp_path, "--out", tmp_path / "run", judge="control/longest")
    text = " ".join(done.out.split())
    assert "thinking was taken out of 12 of 12 answers before they were judged; 1 never came to an end of it" in text
    found = {line["id"]: line for line in lines(tmp_path / "run" / "judgments.jsonl")}
    assert found["p000"]["candidate_length"] == 0
    assert found["p001"]["candidate_length"] == len(rows[1]["response"])
    assert "<think>" in lines(tmp_path / "run" / "responses.jsonl")[0]["response"]


def test_a_judge_of_a_contestant_s_family_is_flagged(tmp_path):
    outputs(tmp_path, model="openai/gpt-4o-mini")
    with Loopback(policy=policy.longest) as server:
        env = environment(tmp_path, server.url)
        done = judged(tmp_path, "--out", tmp_path / "run", judge="openai/gpt-4o", env=env)
    text = " ".join(done.out.split())
    assert "the judge openai/gpt-4o is of the same family as the candidate (GPT)" in text
    assert "the judge openai/gpt-4o is of the same family as the baseline (GPT)" in text
