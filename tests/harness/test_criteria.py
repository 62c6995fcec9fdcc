"""Grades beside the verdict: by prompt, in candidate terms, from presentations that graded both."""

import numpy as np
import pytest
from scipy import stats

from harness.criteria import graded
from harness.records import JudgmentRecord
from judges.types import Criterion

DEPTH = (Criterion(name="depth"),)


def judgment(prompt, a, b, order="candidate_first", repeat=0, **more):
    values = {"id": prompt, "judge": "j", "order": order, "verdict": "A", "repeat": repeat, "mode": "generation"}
    scores = {"A": {"depth": a}, "B": {"depth": b}}
    return JudgmentRecord.model_validate({**values, "scores": scores, **more})


def test_slots_are_turned_into_candidate_and_baseline():
    rows = [judgment("p", 5, 1), judgment("p", 2, 4, "baseline_first"), judgment("q", 3, 3)]
    found = graded(rows, ["j"], DEPTH)["j"]["depth"]
    assert (found.candidate, found.baseline) == ((4.5 + 3) / 2, (1.5 + 3) / 2)
    assert (found.difference.n, found.difference.mean) == (2, 1.5)


def test_the_interval_is_student_s_over_prompts():
    rng = np.random.default_rng(3)
    grades = rng.integers(1, 6, size=(40, 2))
    rows = [judgment(f"p{place}", int(a), int(b)) for place, (a, b) in enumerate(grades)]
    found = graded(rows, ["j"], DEPTH)["j"]["depth"].difference
    test = stats.ttest_rel(grades[:, 0], grades[:, 1])
    assert found.ci == pytest.approx(tuple(test.confidence_interval()))


def test_equal_differences_are_no_certainty():
    rows = [judgment(f"p{place}", 4, 3) for place in range(10)]
    found = graded(rows, ["j"], DEPTH)["j"]["depth"].difference
    assert found.ci is not None
    assert found.ci[0] < 1 < found.ci[1]


@pytest.mark.parametrize(
    "row",
    [
        judgment("p", 5, 1, mode="verdict-token"),
        judgment("p", 5, 1, scores={"A": {"passed": 3, "of": 4}, "B": {"passed": 1, "of": 4}}, mode=None),
        judgment("p", 5, None),
        judgment("p", 5, 1, scores=None),
        judgment("p", 5, 1, verdict=None, status="invalid_parse"),
    ],
)
def test_what_is_no_grade_of_both_counts_nowhere(row):
    assert graded([row], ["j"], DEPTH) == {}
