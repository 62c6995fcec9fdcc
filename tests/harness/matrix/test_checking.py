"""`harness validate` of matrix suites: the problems of tasks, methods and recipes, cell by cell, with their lines."""

import pytest

from tests.command import environment, harness
from tests.published import write_lines

SUITE = """name: m
kind: matrix
tasks:
  one:
    task: {files: items.jsonl, text: text, label: label}
    split: {holdout: 0.25, seed: 7}
models:
  bert: {encoder: hf/none/bert}
  big: {language: hf/none/big}
modes:
  fine-tune:
    recipe: {training: {epochs: 1, batch_size: 8, learning_rate: 0.001}}
  zero-shot: {}
  few-shot:
    method: {shots: 3}
  lora:
    recipe: {lora: {rank: 4, alpha: 8}, training: {epochs: 1, batch_size: 8, learning_rate: 0.001}}
"""


def checked(tmp_path, *changes, rows=24):
    path = tmp_path / "m.yaml"
    text = SUITE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    write_lines(tmp_path / "items.jsonl", [{"text": f"text {n}", "label": "xy"[n % 2]} for n in range(rows)])
    done = harness("validate", path, env=environment(tmp_path))
    assert done.code == (2 if done.out else 0)
    return [line.replace(f"{tmp_path}/", "") for line in done.out.splitlines()], done.err


def test_a_matrix_without_a_problem(tmp_path):
    assert checked(tmp_path) == ([], "1 file checked: no problem found\n")


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (
            "learning_rate: 0.001}}\n  zero",
            "rate: 1}}\n  zero",
            "m.yaml:12: bert · one · fine-tune: the key 'training.le",
        ),
        ("rank: 4", "rank: 0", "m.yaml:17: big · one · lora: lora.rank: input should be greater than or equal to 1"),
        ("shots: 3", "shots: 30", "m.yaml:15: items: 30 examples are to stand before each question"),
        ("shots: 3", "mode: head", "m.yaml:15: big · one · few-shot: method: mode head asks nothing in words"),
        ("hf/none/big", "openai/big", "m.yaml:16: big · one · lora: 'openai/big' can be asked, not trained"),
        (
            "seed: 7}\n",
            "seed: 7}\n    template: rte\n",
            "m.yaml:7: method.template: the template 'rte' names the label",
        ),
        ("seed: 7}\n", "seed: 7}\n    head: mood\n", "m.yaml:7: head: 'mood' is no label of items; it has label"),
        ("holdout: 0.25", "folds: 25", "m.yaml:6: folds: 25 need as many different texts, found 24"),
        ("items.jsonl", "none.jsonl", "m.yaml:5: there is no file 'none.jsonl'; check the path"),
        ("label: label", "label: mood", "items.jsonl:1: has no column 'mood' (label); its columns are text, label"),
    ],
)
def test_every_problem_has_its_line(tmp_path, old, new, found):
    problems, _ = checked(tmp_path, (old, new))
    assert any(problem.startswith(found) for problem in problems), problems


def test_what_holds_for_several_models_is_said_once_and_all_cells_are_looked_at(tmp_path):
    problems, _ = checked(
        tmp_path,
        ("  big: {", "  small: {language: hf/none/small}\n  big: {"),
        ("shots: 3", "shots: 30"),
        ("rank: 4", "rank: 0"),
    )
    assert sum("30 examples" in problem for problem in problems) == 1
    assert [problem.split(": ")[1] for problem in problems if "lora.rank" in problem] == [
        "small · one · lora",
        "big · one · lora",
    ]


def test_tasks_on_the_hub_are_named_as_not_looked_at(tmp_path):
    old = "task: {files: items.jsonl, text: text, label: label}\n    split: {holdout: 0.25, seed: 7}"
    problems, said = checked(tmp_path, (old, "task: {glue: rte}\n    split: {validation: 0.1}"), ("rank: 4", "rank: 0"))
    assert problems == []
    assert "the items of one are on the hub and not on this machine" in said


@pytest.mark.parametrize("name", ["glue_matrix", "tiny_matrix"])
def test_bundled_matrices_are_whole(tmp_path, name):
    from harness.suite import BUNDLED

    done = harness("validate", BUNDLED / f"{name}.yaml", env=environment(tmp_path))
    assert (done.code, done.out) == (0, "")
