"""What a thresholds file may say, and every problem of one, with its line."""

import numpy as np
import pytest

from harness.errors import InputError
from harness.gate.measured import measure
from harness.gate.result import gate
from harness.gate.thresholds import thresholds
from tests.command import environment, harness
from tests.harness.gate.files import predictions


def written(tmp_path, text):
    path = tmp_path / "gates.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(path, **more):
    with pytest.raises(InputError) as error:
        thresholds(path, **({"margin": None, "gate_categories": False} | more))
    return str(error.value)


def test_all_keys_are_read(tmp_path):
    path = written(
        tmp_path,
        "margin: 0.03\nalpha: 0.05\ncategories: {code: 0.1, 7: 0.2}\ngate_categories: true\nmissing: 0.02\n".replace(
            "7:", '"7":'
        ),
    )
    found = thresholds(path, margin=None, gate_categories=False)
    assert (found.margin, found.gate_categories, found.missing) == (0.03, True, 0.02)
    assert (found.margin_of("code"), found.margin_of("7"), found.margin_of("other")) == (0.1, 0.2, 0.03)


def test_the_command_line_wins(tmp_path):
    path = written(tmp_path, "margin: 0.03\ncategories: {code: 0.1}\n")
    found = thresholds(path, margin=0.2, gate_categories=True)
    assert (found.margin, found.margin_of("code"), found.gate_categories) == (0.2, 0.1, True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("margin: 0.03\nmargins: 0.1\n", ":2: unknown key 'margins'; known keys: margin, alpha, categories"),
        ("margin: 0\n", ":1: margin: input should be greater than 0, found 0"),
        ("margin: .inf\n", ":1: margin: input should be"),
        ("margin: .nan\n", ":1: margin: input should be"),
        ("margin: '0.03'\n", ":1: margin: input should be a valid number, found '0.03'"),
        ("margin: true\n", ":1: margin: input should be a valid number, found True"),
        ("margin: 0.03\nalpha: 0.1\n", ":2: alpha: the gate decides at 0.05, one-sided; leave the key out"),
        ("margin: 0.03\ncategories:\n  code: -1\n", ":3: categories.code: input should be greater than 0"),
        ("margin: 0.03\ncategories: [code]\n", ":2: categories: input should be a valid dictionary"),
        ("margin: 0.03\ngate_categories: 'yes please'\n", ":2: gate_categories: input should be a valid boolean"),
        ("margin: 0.03\nmissing: 2\n", ":2: missing: input should be less than or equal to 1"),
        ("margin: 0.03\nmargin: 0.05\n", ":2: the key 'margin' stands twice"),
        ("- 0.03\n", "holds no `key: value` lines"),
        ("margin: {\n", "is not YAML"),
        ("gate_categories: true\n", ": no margin is given; add --margin 0.03"),
    ],
)
def test_a_problem_is_named_with_its_line_its_value_and_the_way_out(tmp_path, text, said):
    assert f"gates.yaml{said}" in problems(written(tmp_path, text)) or said in problems(tmp_path / "gates.yaml")


def test_all_problems_of_a_file_come_together(tmp_path):
    said = problems(written(tmp_path, "margin: -2\nmissing: -1\nfrob: 1\n")).splitlines()
    assert [line.split(":")[1] for line in said] == ["1", "2", "3"]


def test_a_category_that_no_prompt_is_in_would_gate_nothing(tmp_path):
    old, new = predictions(tmp_path, {"code": (5, 40, 5), "mathematics": (5, 40, 5)})
    path = written(tmp_path, "margin: 0.03\ncategories:\n  code: 0.1\n  maths: 0.1\n")
    done = harness("check", new, "--against", old, "--thresholds", path, env=environment(tmp_path))
    assert done.code == 2 and done.out == ""
    assert "gates.yaml:4: no prompt is in the category 'maths'; known: code, mathematics" in done.err


def test_margins_as_large_as_a_difference_can_be_are_named_with_their_lines(tmp_path):
    old, new = predictions(tmp_path, {"code": (5, 40, 5)})
    path = written(tmp_path, "margin: 3\ncategories:\n  code: 1.0\n  maths: 0.1\n")
    done = harness("check", new, "--against", old, "--thresholds", path, env=environment(tmp_path))
    assert (done.code, done.out) == (2, "")
    said = [line.partition("gates.yaml:")[2] for line in done.err.splitlines()]
    assert said[0] == "1: margin: has to lie between 0 and 1, found 3; 0.03 means: lose less than 3 points"
    assert said[1].startswith("3: categories.code: has to lie between 0 and 1, found 1;")
    assert said[2].startswith("4: no prompt is in the category 'maths'")
    given = harness("check", new, "--against", old, "--thresholds", path, "--margin", "2", env=environment(tmp_path))
    assert "harness check: --margin has to lie between 0 and 1, found 2" in given.err


def test_a_file_gates_by_categories_with_margins_of_their_own(tmp_path):
    old, new = predictions(tmp_path, {"code": (30, 165, 5), "rest": (60, 2880, 60)})
    loose, strict = tmp_path / "loose.yaml", tmp_path / "strict.yaml"
    loose.write_text("margin: 0.05\ngate_categories: true\ncategories: {code: 0.3}\n")
    strict.write_text("margin: 0.05\ngate_categories: true\n")
    env = environment(tmp_path)
    codes = [harness("check", new, "--against", old, "--thresholds", path, env=env).code for path in (loose, strict)]
    assert codes == [0, 1]


def test_a_category_s_margin_is_held_against_its_own_bound(tmp_path):
    old, new = predictions(tmp_path, {"code": (30, 165, 5), "rest": (60, 2880, 60)})
    path = written(tmp_path, "margin: 0.05\ncategories: {code: 0.3}\n")
    found = gate(measure(new, old, allow_mixed=False), thresholds(path, margin=None, gate_categories=False))
    code = found.categories["code"]
    values = np.repeat([-1.0, 0.0, 1.0], [30, 165, 5])
    assert (code.found.margin, code.outcome) == (0.3, "pass")
    assert code.found.difference == pytest.approx(values.mean())
    assert code.p_adjusted is not None and code.p_adjusted < 0.05
