"""Lengths from judgments: which stood against each other, and what is said where they are missing."""

import pytest

from harness.lengths import at_equal_length, length_differences
from tests.command import environment, harness
from tests.harness.report.sample import record
from tests.published import write_lines


def test_repeats_are_averaged_and_orders_are_not_counted_twice():
    rows = [
        record("a", "candidate", candidate_length=100, baseline_length=40),
        record("a", "candidate", order="baseline_first", candidate_length=100, baseline_length=40),
        record("a", "baseline", repeat=1, candidate_length=20, baseline_length=40),
        record("b", "tie"),
    ]
    assert length_differences(rows) == {"a": 20}


def test_no_length_no_rate():
    assert at_equal_length({"a": 1.0}, {}) is None


def test_few_prompts_say_why_there_is_no_rate():
    found = at_equal_length({"a": 1.0, "b": 0.0}, {"a": 5.0, "b": -3.0})
    assert found.rate is None
    assert "2 prompts are too few" in found.reason


def judged(n):
    """The longer answer wins four times in five; the candidate wrote more on three prompts in four."""
    rows = []
    for place in range(n):
        longer = place % 4 != 0
        wins = longer if place % 5 else not longer
        lengths = (300 + 7 * (place % 11), 100 + place % 13) if longer else (90 + place % 7, 250 + place % 17)
        rows.append(
            {"id": f"p{place}", "judge": "j", "winner": "candidate" if wins else "baseline"}
            | {"candidate_length": lengths[0], "baseline_length": lengths[1]}
        )
    return rows


def test_a_win_by_length_is_told_from_a_win(tmp_path):
    file = write_lines(tmp_path / "j.jsonl", judged(200))
    found = harness("analyze", file, "--json", env=environment(tmp_path)).json["judges"]["j"]
    equal = found["length_controlled"]
    assert found["win_rate"] == pytest.approx(0.65)
    assert equal["n"] == 200
    assert equal["ci"][0] < 0.5 < equal["ci"][1]
    assert equal["slope_ci"][0] > 0
    text = " ".join(harness("analyze", file, env=environment(tmp_path)).out.split())
    assert "j: at equal length the candidate would score" in text
    assert "longer answers score more" in text


def test_the_same_judgments_in_another_order_give_the_same_figures(tmp_path):
    rows = judged(60)
    outs = [
        harness("analyze", write_lines(tmp_path / f"{name}.jsonl", listed), "--json", env=environment(tmp_path)).out
        for name, listed in (("a", rows), ("b", rows[::-1]))
    ]
    assert outs[0] == outs[1]
