"""YAML as people write it: keys are the text that stands there, changes and problems find their lines."""

import pytest

from harness.errors import InputError
from harness.yamlfile import changed, load_yaml, problem


def written(tmp_path, text):
    path = tmp_path / "s.yaml"
    path.write_text(text)
    return path


def test_a_key_that_yaml_reads_as_true_is_its_text(tmp_path):
    text = "on: all\nlabels: {yes: 1, No: [on, 'on'], 3: x}\nbase: &base {off: 1}\nown: {<<: *base, e: 2}\n"
    values, line_of = load_yaml(written(tmp_path, text))
    assert values == {
        "on": "all",
        "labels": {"yes": 1, "No": [True, "on"], 3: "x"},
        "base": {"off": 1},
        "own": {"off": 1, "e": 2},
    }
    assert (line_of(["on"]), line_of(["labels", "yes"]), line_of(["own"])) == (1, 2, 4)


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n", "word\n"])
def test_what_is_no_mapping_is_refused(tmp_path, text):
    with pytest.raises(InputError, match="holds no `key: value` lines"):
        load_yaml(written(tmp_path, text))


@pytest.mark.parametrize(
    "text", ["a: !!python/object:os.system {}\n", "a: [1\n", "a: 2\na: 3\n", "a: &a {b: *a}\n", "d: 2026-13-45\n"]
)
def test_broken_yaml_is_one_problem(tmp_path, text):
    with pytest.raises(InputError) as caught:
        load_yaml(written(tmp_path, text))
    assert len(caught.value.problems) == 1


def test_a_problem_stands_at_its_line_or_at_the_change_that_brought_it(tmp_path):
    path = written(tmp_path, "a:\n  b: 1\n")
    values, line_of = load_yaml(path)
    assert changed(values, ["a.b=2", "a.c=[x]"]) == {"a": {"b": 2, "c": ["x"]}}
    assert values == {"a": {"b": 1}}
    assert str(problem("is odd", ["a", "b"], path, line_of)) == f"{path}:2: is odd"
    assert str(problem("is odd", ["a", "b"], path, line_of, ["a=3"])) == "--set a=3: is odd"
    assert str(problem("is odd", ["a", "bc"], path, line_of, ["a.b=3"])) == f"{path}:1: is odd"
