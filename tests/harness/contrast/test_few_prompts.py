"""What so few prompts, and numbers that are written in two ways, let a comparison say: by the real command."""

import pytest

from harness.contrast.written import written_otherwise
from harness.records import PredictionRecord
from tests.command import environment, harness
from tests.harness.contrast import made
from tests.published import write_lines


def compare(tmp_path, *arguments):
    done = harness("compare", *arguments, env=environment(tmp_path))
    assert done.code == 0, done.err
    return done


def sides(tmp_path, n, apart):
    """Two sides of n prompts; `apart` are right in B alone, and the next is right in A alone where there is one."""
    a = made.predictions(tmp_path / "a.jsonl", [place == apart for place in range(n)])
    return a, made.predictions(tmp_path / "b.jsonl", [place < apart for place in range(n)])


@pytest.mark.parametrize("n", [2, 3, 4])
def test_a_difference_larger_than_any_is_not_shown_as_visible(tmp_path, n):
    files = sides(tmp_path, n, n // 2)
    found = compare(tmp_path, *files, "--json").json
    assert found["visible_difference"] is None
    assert found["bca_ci"] is None
    assert sum(f"so few prompts ({n} prompts) can show nothing" in doubt for doubt in found["doubts"]) == 1
    text = compare(tmp_path, *files).out
    assert "To show here" not in text
    assert "100 points, would show with 80 %" in " ".join(text.split())
    assert all(len(line) <= 80 for line in text.splitlines())


def test_so_few_prompts_unpaired_show_nothing_either(tmp_path):
    a, _ = sides(tmp_path, 2, 1)
    b = made.predictions(tmp_path / "q.jsonl", [True, False], prefix="q")
    found = compare(tmp_path, a, b, "--unpaired", "--json").json
    assert (found["visible_difference"] or 0) <= 1
    one = made.predictions(tmp_path / "r.jsonl", [True, False, True], prefix="q")
    assert (compare(tmp_path, a, one, "--unpaired", "--json").json["visible_difference"] or 0) <= 1


def test_what_can_show_is_still_said(tmp_path):
    found = compare(tmp_path, *sides(tmp_path, 40, 8), "--json").json
    assert 0 < found["visible_difference"] < 1
    assert not any("can show nothing" in doubt for doubt in found["doubts"])


def test_the_bootstrap_needs_ten_prompts(tmp_path):
    nine = compare(tmp_path, *sides(tmp_path, 9, 4), "--json").json
    ten = compare(tmp_path, *sides(tmp_path, 10, 4), "--json").json
    assert nine["bca_ci"] is None
    assert any("too few for a bootstrap interval" in doubt for doubt in nine["doubts"])
    assert ten["bca_ci"][0] < ten["difference"] < ten["bca_ci"][1]
    assert not any("bootstrap" in doubt for doubt in ten["doubts"])


def test_one_and_none_are_singular(tmp_path):
    a = made.predictions(tmp_path / "a.jsonl", [True])
    b = made.predictions(tmp_path / "b.jsonl", [False])
    text = " ".join(compare(tmp_path, a, b).out.split())
    assert "This one prompt cannot tell A and B apart" in text
    assert "only 1 prompt told A and B apart: no p-value" in text
    text = " ".join(compare(tmp_path, a, a).out.split())
    assert "no prompt told A and B apart: no p-value" in text
    assert "only 0" not in text


def test_an_accuracy_of_100_per_cent_ends_at_1(tmp_path):
    for n in (3, 7, 30, 57):
        path = made.predictions(tmp_path / "a.jsonl", [True] * n)
        assert compare(tmp_path, path, path, "--json").json["a"]["ci"][1] == 1.0


def numbers(path, labels, predictions):
    rows = [
        {"id": f"{place}", "label": label, "prediction": prediction}
        for place, (label, prediction) in enumerate(zip(labels, predictions, strict=True))
    ]
    return write_lines(path, rows)


def test_numbers_that_are_only_written_otherwise_are_doubted_and_count_as_wrong(tmp_path):
    a = numbers(tmp_path / "a.jsonl", ["1", "0"] * 20, ["1", "1"] * 20)
    b = numbers(tmp_path / "b.jsonl", ["1", "0"] * 20, ["1.0", "1.0"] * 6 + ["1", "0"] * 14)
    found = compare(tmp_path, a, b, "--json").json
    assert found["b"]["accuracy"] == 28 / 40
    said = "6 predictions differ from their label only in how a number is written (1.0 against 1); they count as wrong"
    assert f"B: {said}" in found["doubts"]
    assert not any(doubt.startswith("A: ") for doubt in found["doubts"])
    done = harness("check", b, "--against", a, "--margin", "0.1", "--json", env=environment(tmp_path))
    assert f"{b}: {said}" in done.json["notes"]


@pytest.mark.parametrize(
    ("label", "prediction", "equal"),
    [
        ("1", "1.0", True),
        ("-0.5", "-.50", True),
        ("100", "1e2", True),
        ("1", " 1", True),
        ("1", "2.0", False),
        ("1", None, False),
        ("1", "1", False),
        ("yes", "Yes", False),
        ("nan", "NaN", False),
        ("1", "inf", False),
        ("1000", "1_000", False),
        ("1", "\u0661", False),
        ("100000000000000001", "100000000000000000.0", False),
        ("1", "1e999999999999999999", False),
        ("1e999999", "10e999998", True),
    ],
)
def test_what_is_the_same_number(label, prediction, equal):
    record = PredictionRecord(id="1", label=label, prediction=prediction)
    found = written_otherwise([record])
    assert (found is not None) == equal
    assert found is None or found.startswith("1 prediction differs from its label only")
