"""`harness validate` of classify suites: every problem with its line, of the suite, its task's files and what fits."""

import json

import pytest

from tests.command import environment, harness
from tests.harness.classify.test_runs import made
from tests.published import write_lines

TASK = """name: warmth
kind: classify
task:
  files: {train: train.jsonl, test: test.jsonl}
  text: text
  label: label
  id: id
"""


def checked(tmp_path, *more):
    """The problems of the suite `made` makes, written line by line, with `more` at its end."""
    path = made(tmp_path / "suite")
    path.write_text(TASK + "".join(f"{line}\n" for line in more))
    done = harness("validate", path, env=environment(tmp_path))
    assert done.code == (2 if done.out else 0)
    return [line.replace(f"{path.parent}/", "") for line in done.out.splitlines()], done.err


def test_a_suite_without_a_problem(tmp_path):
    found, said = checked(tmp_path, "candidate: openai/x", "method: {shots: 4}", "goal: accuracy >= 0.5")
    assert (found, said) == ([], "1 file checked: no problem found\n")


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["head: mood"], ["suite.yaml:8: head: 'mood' is no label of test; it has label"]),
        (["thresholds: [warm]"], ["suite.yaml:8: 'warm' is no label; the labels are cold, hot"]),
        (["on: validation"], ["suite.yaml:3: there are no validation items; give a file as 'validation', or a share"]),
        (["split: {holdout: 0.5}"], ["suite.yaml:8: holdout: test items are given already"]),
        (["method: {mode: likelihood}", "candidate: openai/x"], ["suite.yaml:8: 'openai/x': an API does not show"]),
        (["candidate: recipe/none.yaml"], ["suite.yaml:8: there is no file 'none.yaml'; check the path"]),
        (["candidate: recorded/none.jsonl"], ["suite.yaml:8: there is no file 'none.jsonl'; check the path"]),
        (["candidate: reward/x"], ["suite.yaml:8: 'reward/x' cannot be a candidate"]),
        (
            ["method:", "  template: rte", "  shots: 60", "thresholds: [warm]"],
            [
                "suite.yaml:11: 'warm' is no label",
                "suite.yaml:9: method.template: the template 'rte' names the label 'entailment'; the task has cold,",
                "suite.yaml:10: test: 60 examples are to stand before each question, and the training split has 40",
            ],
        ),
    ],
)
def test_problems_come_together_each_with_its_line(tmp_path, lines, found):
    problems, _ = checked(tmp_path, *lines)
    assert len(problems) == len(found)
    # The task's name is that of its first file.
    for problem, begins in zip(problems, found, strict=True):
        assert problem.replace("of train;", "of test;").replace(" train: ", " test: ").startswith(begins)


def test_problems_of_the_task_s_files_have_their_own_lines(tmp_path):
    path = made(tmp_path / "suite", candidate="openai/x")
    write_lines(
        path.parent / "test.jsonl",
        [{**row, "slices": []} for row in ({"id": "a", "text": "", "label": "hot"}, {"id": "b", "text": "t"})],
    )
    done = harness("validate", path, env=environment(tmp_path))
    assert done.code == 2
    where = path.parent / "test.jsonl"
    assert f"{where}:1: the text 'text' is empty; write it, or remove the row" in done.out.splitlines()
    assert any(line.startswith(f"{where}:2: has no label in 'label'") for line in done.out.splitlines())


def test_recorded_predictions_are_held_against_the_items(tmp_path):
    path = made(tmp_path / "suite", candidate="recorded/said.jsonl")
    write_lines(path.parent / "said.jsonl", [{"id": "d00", "label": "cold", "prediction": "tepid"}])
    done = harness("validate", path, env=environment(tmp_path))
    assert done.code == 2
    assert "said.jsonl: lacks 39 items of 40" in done.out
    assert "the prediction 'tepid' is no label" in done.out


def test_what_lies_on_the_hub_is_not_checked_and_that_is_said(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text(json.dumps({"name": "s", "kind": "classify", "task": {"glue": "rte"}, "method": {"shots": 5}}))
    done = harness("validate", path, env=environment(tmp_path))
    assert (done.code, done.out) == (0, "")
    assert "the items of rte are on the hub and not on this machine; what depends on them was not checked" in done.err


def test_a_template_is_held_against_the_layout_of_what_lies_on_the_hub(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text("name: s\nkind: classify\ntask: {glue: rte}\nmethod:\n  template: sst2\n")
    done = harness("validate", path, env=environment(tmp_path))
    assert done.out == (
        f"{path}:5: method.template: the template 'sst2' names the label 'negative'; the task has entailment, "
        "not_entailment\n"
    )


def test_predictions_files_are_checked_line_by_line(tmp_path):
    path = tmp_path / "said.jsonl"
    rows = [
        {"id": "a", "label": "x", "prediction": "x"},
        {"id": "a", "label": "x", "prediction": "y"},
        {"id": "b", "label": "x", "prediction": "x", "probabilities": {"x": 0.7, "y": 0.7}},
        {"id": "c", "label": "x", "prediction": "x", "latency_s": -1},
        {"id": "d", "prediction": "x"},
    ]
    write_lines(path, rows)
    done = harness("validate", path, env=environment(tmp_path))
    assert done.code == 2
    assert [line.split(": ")[0] for line in done.out.splitlines()] == [f"{path}:{line}" for line in (2, 3, 4, 5)]
