"""The length-controlled rate: against statsmodels, by simulation, and where it cannot be told."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from harness.stats.length import FEWEST, length_controlled
from tests.command import environment, harness
from tests.published import write_lines


def drawn(
    rng: np.random.Generator, n: int, quality: float, bias: float, *, longer: float = 1.0, halves: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of a judge that follows length by `bias`; the candidate is longer by `longer` · 100 characters."""
    differences = rng.normal(100 * longer, 200, n)
    rates = expit(quality + bias * np.tanh(differences / differences.std(ddof=1)))
    wins = rng.random((2 if halves else 1, n)) < rates
    return wins.mean(axis=0), differences


@pytest.mark.parametrize("halves", [False, True])
def test_statsmodels_finds_the_same_model(halves: bool) -> None:
    import statsmodels.api as sm
    from scipy import stats

    scores, differences = drawn(np.random.default_rng(1), 200, 0.4, 1.2, halves=halves)
    terms = np.tanh(differences / np.std(differences, ddof=1))
    glm = sm.GLM(scores, sm.add_constant(terms), family=sm.families.Binomial()).fit(tol=1e-14, maxiter=200)
    found = length_controlled(scores, differences, np.random.default_rng(0))
    assert found.rate == pytest.approx(expit(glm.params[0]), abs=1e-9)
    assert found.slope == pytest.approx(glm.params[1], abs=1e-9)
    assert found.raw == pytest.approx(scores.mean(), abs=1e-12)
    robust = glm.model.fit(cov_type="HC0").bse[0]
    assert found.rate is not None and found.se == pytest.approx(robust * found.rate * (1 - found.rate), rel=0.15)
    half = stats.t.ppf(0.975, 198) * np.sqrt(200 / 198) * glm.model.fit(cov_type="HC0", tol=1e-14).bse
    ends = [*expit(glm.params[0] + np.array([-1, 1]) * half[0]), *(glm.params[1] + np.array([-1, 1]) * half[1])]
    assert [*found.ci, *found.slope_ci] == pytest.approx(ends, abs=1e-9)  # type: ignore[misc]


def test_a_refit_is_what_statsmodels_fits_to_the_resample() -> None:
    import statsmodels.api as sm

    scores, differences = drawn(np.random.default_rng(2), 300, 0.2, 0.8)
    found = length_controlled(scores, differences, np.random.default_rng(5), resamples=200)
    terms = np.tanh(differences / np.std(differences, ddof=1))
    places = np.random.default_rng(5).integers(0, 300, (200, 300))
    refits = [
        sm.GLM(scores[at], sm.add_constant(terms[at]), family=sm.families.Binomial()).fit().params[0] for at in places
    ]
    # The refits carry a ridge penalty that weighs next to nothing at this size.
    assert found.se == pytest.approx(expit(np.array(refits)).std(ddof=1), rel=1e-3)


def test_pure_length_bias_is_taken_out() -> None:
    rng = np.random.default_rng(3)
    found = [length_controlled(*drawn(rng, 400, 0.0, 2.5, longer=2), rng, resamples=200) for _ in range(40)]
    assert np.mean([f.raw for f in found]) > 0.7
    assert np.mean([f.rate for f in found]) == pytest.approx(0.5, abs=0.03)
    assert all(f.slope_ci is not None and f.slope_ci[0] > 0 for f in found)


@pytest.mark.parametrize(
    ("n", "quality", "bias", "halves"),
    [
        (20, 0.0, 1.0, False),
        (30, 0.5, 1.0, True),
        pytest.param(30, 1.0, 0.0, False, marks=pytest.mark.chaos),
        pytest.param(100, 0.0, 1.0, False, marks=pytest.mark.chaos),
        pytest.param(100, 1.0, 2.0, False, marks=pytest.mark.chaos),
    ],
)
def test_the_interval_holds_the_controlled_rate(n: int, quality: float, bias: float, halves: bool) -> None:
    rng = np.random.default_rng(11)
    runs = 1000
    held = slopes = 0
    for _ in range(runs):
        found = length_controlled(*drawn(rng, n, quality, bias, halves=halves), rng, resamples=2)
        # Where nothing is estimated nothing is wrong; it must be rare.
        held += found.ci is None or found.ci[0] <= expit(quality) <= found.ci[1]
        slopes += found.slope_ci is None or found.slope_ci[0] <= bias <= found.slope_ci[1]
    assert 0.935 <= held / runs <= 0.985
    assert 0.92 <= slopes / runs <= 0.985


def test_turning_the_sides_round_turns_the_figures_round() -> None:
    scores, differences = drawn(np.random.default_rng(4), 80, 0.6, 0.7)
    one = length_controlled(scores, differences, np.random.default_rng(9))
    other = length_controlled(1 - scores, -differences, np.random.default_rng(9))
    assert one.rate is not None and other.rate == pytest.approx(1 - one.rate, abs=1e-9)
    assert other.slope == pytest.approx(one.slope, abs=1e-9)
    assert one.ci is not None and other.ci == pytest.approx((1 - one.ci[1], 1 - one.ci[0]), abs=1e-9)
    assert other.se == pytest.approx(one.se, abs=1e-6)


def test_where_length_does_not_matter_the_rates_agree() -> None:
    scores = np.tile([1.0, 1.0, 0.0, 0.5], 25)
    differences = np.repeat(np.arange(-12.0, 13.0), 4)
    found = length_controlled(scores, differences, np.random.default_rng(0))
    assert found.rate == pytest.approx(0.625, abs=1e-9) and found.slope == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("scores", "differences", "said"),
    [
        (np.array([]), np.array([]), "0 prompts are too few"),
        (np.array([1.0]), np.array([4.0]), "1 prompts are too few"),
        (np.tile([0.0, 1.0], 9), np.arange(18.0), "18 prompts are too few"),
        (np.tile([0.0, 1.0], 20), np.full(40, 7.0), "all length differences are equal"),
        (np.tile([0.0, 1.0], 20), np.arange(1.0, 41.0), "the longer one on every prompt"),
        (np.tile([0.0, 1.0], 20), -np.arange(1.0, 41.0), "the shorter one on every prompt"),
        (np.ones(40), np.arange(40.0) - 9, "one side won every prompt"),
        (np.zeros(40), np.arange(40.0) - 9, "one side won every prompt"),
        (np.repeat([0.0, 1.0], 20), np.arange(40.0) - 9, "length alone separates"),
        (np.repeat([1.0, 0.0], 20), np.arange(40.0) - 9, "length alone separates"),
        (np.repeat([0.0, 0.5, 1.0], [15, 5, 20]), np.repeat([-3.0, 0.0, 2.0], [15, 5, 20]), "length alone separates"),
    ],
)
def test_what_cannot_be_told_has_a_reason(scores: np.ndarray, differences: np.ndarray, said: str) -> None:
    found = length_controlled(scores, differences, np.random.default_rng(0))
    assert found.reason is not None and said in found.reason
    assert (found.rate, found.se, found.ci, found.slope, found.slope_ci) == (None,) * 5
    assert found.n == scores.size and (found.raw is None) == (scores.size == 0)


def test_all_ties_are_no_certainty() -> None:
    found = length_controlled(np.full(40, 0.5), np.arange(40.0) - 9, np.random.default_rng(0))
    assert (found.raw, found.rate) == (0.5, None)
    assert "all scores are equal" in found.reason


def test_nearly_separated_scores_still_have_finite_figures_or_none() -> None:
    scores = np.repeat([0.0, 1.0], 20)
    scores[[19, 20]] = scores[[20, 19]]
    found = length_controlled(scores, np.arange(40.0) - 12, np.random.default_rng(0))
    assert found.rate is not None and found.ci is not None and 0 <= found.ci[0] <= found.rate <= found.ci[1] <= 1
    assert found.slope is not None and math.isfinite(found.slope)
    assert found.slope_ci is None or all(map(math.isfinite, found.slope_ci))


@pytest.mark.parametrize(
    ("scores", "differences"),
    [([0.5], [math.nan]), ([0.5], [math.inf]), ([1.2], [1.0]), ([math.nan], [1.0]), ([0.5], [])],
)
def test_what_is_no_number_is_refused(scores: list[float], differences: list[float]) -> None:
    with pytest.raises(ValueError, match=r"finite|outside|needs"):
        length_controlled(np.array(scores), np.array(differences), np.random.default_rng(0))


def test_one_resample_is_refused() -> None:
    with pytest.raises(ValueError, match="two resamples"):
        length_controlled(np.full(40, 0.5), np.arange(40.0) - 9, np.random.default_rng(0), resamples=1)


def test_a_thousand_refits_of_a_thousand_prompts_are_fast() -> None:
    scores, differences = drawn(np.random.default_rng(6), 1000, 0.3, 0.9)
    began = time.perf_counter()
    length_controlled(scores, differences, np.random.default_rng(0))
    assert time.perf_counter() - began < 2


def test_the_fewest_prompts_are_enough() -> None:
    scores, differences = drawn(np.random.default_rng(8), FEWEST, 0.0, 0.0)
    assert length_controlled(scores, differences, np.random.default_rng(0)).reason is None


def test_preferences_of_alpacaevals_kind_have_its_mean_and_standard_error(tmp_path: Path) -> None:
    # An annotation's preference lies in [1, 2], 2 for the evaluated model; its win rate is the mean of preference − 1,
    # its standard error pandas' sem.
    annotated = np.round(1 + np.random.default_rng(12).beta(0.4, 0.3, 805), 6)
    lines = [
        {"id": str(place), "judge": "alpaca_eval", "preference": float(value - 1), "status": "ok"}
        for place, value in enumerate(annotated)
    ]
    write_lines(tmp_path / "annotations.jsonl", lines)
    done = harness("analyze", tmp_path / "annotations.jsonl", "--json", env=environment(tmp_path))
    assert done.code == 0, done.err
    found = done.json["judges"]["alpaca_eval"]
    preferences = [value["preference"] for value in lines]
    mean = math.fsum(preferences) / 805
    sem = math.sqrt(math.fsum((value - mean) ** 2 for value in preferences) / 804) / math.sqrt(805)
    assert found["n"] == 805 and found["win_rate"] == mean
    assert found["se"] == pytest.approx(sem, rel=1e-13)
