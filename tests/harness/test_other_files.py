"""A file of another kind altogether ends in one sentence that says what it is and what belongs there."""

import json

import pytest

from harness.errors import InputError
from harness.records import JudgmentRecord, PromptRecord, ResponseRecord, ScoreRecord, gather, read
from harness.validate import problems_in
from tests.command import environment, harness, world
from tests.harness.contrast import made
from tests.published import lines, write_lines

SUMMARY = {"kind": "pairwise", "judges": {"gpt": {"n": 40, "ci": [0.4, 0.6]}}, "categories": {}}
OTHERS = {
    "summary.json": (json.dumps(SUMMARY, indent=2), "'{'"),
    "list.json": (json.dumps([{"id": f"p{place}"} for place in range(30)], indent=1), "'['"),
    "scores.csv": ("id,judge,score\n" + "p1,gpt,7\n" * 50, "'id,judge,score'"),
    "suite.yaml": ("name: dishes\nprompts: prompts.jsonl\n" * 20, "'name: dishes'"),
}
VERBS = (["compare", "FILE", "FILE"], ["check", "FILE", "--margin", "0.1"], ["analyze", "FILE"])


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_what_holds_no_lines_is_one_sentence_with_its_first_line(tmp_path, name, verb):
    text, first = OTHERS[name]
    (tmp_path / name).write_text(text)
    done = harness(*(name if word == "FILE" else word for word in verb), env=environment(tmp_path), cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    said = done.err.splitlines()
    assert len(said) == 1 and said[0].startswith(f"{name}: is no JSON Lines file: its first line is {first}; give ")
    assert "folder" in said[0] and "judgments" in said[0]


def test_a_kind_is_told_from_another_in_one_sentence(tmp_path):
    judged = made.judgments(tmp_path / "judged.jsonl", ["candidate"] * 60)
    scores = made.scores(tmp_path / "scores.jsonl", [3] * 60)
    answers = write_lines(tmp_path / "answers.jsonl", [{"id": f"p{n}", "response": "x"} for n in range(60)])
    asked = write_lines(tmp_path / "asked.jsonl", [{"id": f"p{n}", "prompt": "x"} for n in range(60)])
    for path, wanted, said in (
        (judged, ResponseRecord, "holds judgments, where responses belong; give a run's responses.jsonl"),
        (answers, JudgmentRecord, "holds responses, where judgments belong; give the run's folder or its judgments"),
        (scores, JudgmentRecord, "holds scores, where judgments belong"),
        (asked, ScoreRecord, "holds prompts, where scores belong"),
        (answers, PromptRecord, "holds responses, where prompts belong; give a prompts file"),
    ):
        with pytest.raises(InputError) as refused:
            read(path, wanted)
        (problem,) = refused.value.problems
        assert str(problem).startswith(f"{path}: {said}")


def test_a_run_and_an_analysis_say_it_too(tmp_path):
    suite = world(tmp_path, 12)
    judged = made.judgments(tmp_path / "judged.jsonl", ["candidate"] * 12)
    done = harness("run", suite, "--candidate", f"recorded/{judged}", env=environment(tmp_path), cwd=tmp_path)
    assert done.code == 2 and len(done.err.splitlines()) == 1 and "holds judgments, where responses belong" in done.err
    done = harness("analyze", tmp_path / "candidate.jsonl", env=environment(tmp_path))
    assert done.code == 2 and len(done.err.splitlines()) == 1 and "holds responses, where judgments" in done.err


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (SUMMARY, "holds nothing to compare (its first line has the keys kind, judges and categories); give a run's"),
        ({"id": "p1", "response": "x"}, "holds responses; give a run's folder, or a file of judgments, scores or"),
    ],
)
def test_what_cannot_be_compared_is_not_called_by_a_wrong_name(tmp_path, record, said):
    path = write_lines(tmp_path / "x.jsonl", [record])
    done = harness("compare", path, path, env=environment(tmp_path))
    assert (done.code, len(done.err.splitlines())) == (2, 1) and said in done.err


def test_every_problem_of_a_file_of_the_right_kind_is_still_said(tmp_path):
    path = made.judgments(tmp_path / "judged.jsonl", ["candidate"] * 5)
    rows = [json.dumps(row) for row in lines(path)]
    torn = rows[0][:20]
    path.write_text("\n".join([torn, *rows[1:3], rows[3].replace("candidate", "brie"), "[1]"]))
    assert [problem.line for problem in problems_in(path, str)] == [1, 4, 5]
    # No line is whole, and yet each is one of a judgments file.
    path.write_text("\n".join(row.replace("candidate", "brie") for row in rows))
    assert len(problems_in(path, str)) == 5
    path.write_text("\n".join(row[:20] for row in rows))
    assert len(problems_in(path, str)) == len(gather(path, JudgmentRecord)[1]) == 5


def test_lines_that_merely_lack_a_key_are_named_one_by_one(tmp_path):
    path = write_lines(tmp_path / "x.jsonl", [{"id": f"p{n}", "winner": "tie", "status": "ok"} for n in range(4)])
    said = [str(problem) for problem in gather(path, JudgmentRecord)[1]]
    assert said == [f"{path}:{n}: the key 'judge' is missing; add it" for n in range(1, 5)]
