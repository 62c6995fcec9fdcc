"""A judge's own noise against a one-way analysis of variance, and what it has nothing to say about."""

from __future__ import annotations

import numpy as np
import pytest

from harness.scoring.noise import noise_of
from tests.harness.scoring.figures_made import row


def asked(grades, role="candidate", sample=0):
    """Records of one answer a row, graded as often as it has columns."""
    return [
        row(f"p{place}", float(grade), repeat=sample * 10 + asking, role=role, sample=sample, asking=asking)
        for place, own in enumerate(grades)
        for asking, grade in enumerate(own)
    ]


@pytest.mark.parametrize("noise", [0.3, 1.0, 3.0])
def test_the_split_is_that_of_the_analysis_of_variance(noise):
    from scipy import stats

    rng = np.random.default_rng(5)
    grades = rng.normal(5, 1.5, (30, 1)) + rng.normal(0, noise, (30, 3))
    found = noise_of(asked(grades), "j")
    within = np.mean(grades.var(axis=1, ddof=1))
    assert found.sd == pytest.approx(np.sqrt(within), abs=1e-9)
    assert (found.answers, found.changed) == (30, 1.0)
    # F is 1 + 3 · between / within.
    between = max(0.0, (stats.f_oneway(*grades).statistic - 1) * within / 3)
    assert found.of_variance == pytest.approx(within / (within + between), abs=1e-9)


def test_it_estimates_the_noise_that_there_is():
    rng = np.random.default_rng(6)
    grades = rng.normal(5, 2, (2_000, 1)) + rng.normal(0, 1, (2_000, 2))
    found = noise_of(asked(grades), "j")
    assert found.sd == pytest.approx(1.0, abs=0.04)
    assert found.of_variance == pytest.approx(1 / 5, abs=0.03)


def test_a_judge_that_says_the_same_again_has_none():
    found = noise_of(asked([[3, 3], [8, 8]]), "j")
    assert (found.sd, found.changed, found.of_variance) == (0.0, 0.0, 0.0)
    # Where answers do not differ either, there is no variance to have a share of.
    assert noise_of(asked([[3, 3], [3, 3]]), "j").of_variance is None


def test_other_samples_and_the_other_side_are_other_answers():
    rows = [*asked([[3, 4]]), *asked([[9, 10]], sample=1), *asked([[6, 7]], role="baseline")]
    found = noise_of(rows, "j")
    assert (found.answers, found.sd) == (3, pytest.approx(np.sqrt(0.5)))


def test_without_a_second_asking_nothing_is_known():
    assert noise_of([], "j") is None
    assert noise_of(asked([[3], [4]]), "j") is None
    assert noise_of(asked([[3, 4]]), "another") is None
    lost = [one if one.repeat else one.model_copy(update={"score": None}) for one in asked([[3, 4]])]
    assert noise_of(lost, "j") is None


def test_one_answer_tells_the_noise_but_not_its_share():
    found = noise_of(asked([[3, 5]]), "j")
    assert (found.answers, found.sd, found.of_variance) == (1, pytest.approx(np.sqrt(2)), None)
