"""Resampled means against their exact moments, scipy's BCa, and what they may cost."""

import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from harness.stats.bootstrap import bca_interval, resampled_means

FEW = np.repeat([0.0, 0.5, 1.0], [200, 300, 500])
MANY = np.random.default_rng(4).beta(0.7, 1.5, size=300)


def rng():
    return np.random.default_rng(11)


@pytest.mark.parametrize("values", [FEW, MANY], ids=["few values", "many values"])
def test_means_have_the_bootstrap_s_moments(values):
    means = resampled_means(values, rng(), 40_000)
    error = values.std() / np.sqrt(values.size)
    assert means.mean() == pytest.approx(values.mean(), abs=4 * error / np.sqrt(40_000))
    assert means.std() == pytest.approx(error, rel=0.02)


def test_drawing_counts_and_drawing_prompts_are_one_distribution():
    counted = resampled_means(FEW[::10], rng(), 20_000)
    drawn = rng().choice(FEW[::10], size=(20_000, 100)).mean(axis=1)
    assert stats.ks_2samp(counted, drawn).pvalue > 0.001


@pytest.mark.parametrize("values", [FEW, MANY, np.exp(MANY * 4)], ids=["few values", "many values", "skewed"])
def test_bca_is_scipy_s(values):
    means = resampled_means(values, rng())
    earlier = SimpleNamespace(bootstrap_distribution=means)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=0, bootstrap_result=earlier, method="BCa")
    assert bca_interval(values, means) == pytest.approx(tuple(theirs.confidence_interval), abs=1e-9)


def test_bca_covers():
    generator = np.random.default_rng(9)
    hits = 0
    for _ in range(1_000):
        sample = generator.choice([-1.0, -0.5, 0.0, 0.5, 1.0], p=[0.1, 0.15, 0.3, 0.25, 0.2], size=57)
        low, high = bca_interval(sample, resampled_means(sample, generator, 1_000))
        hits += low <= 0.15 <= high
    assert hits / 1_000 == pytest.approx(0.945, abs=0.025)


def test_nothing_to_resample():
    assert bca_interval(np.array([1.0]), np.array([1.0])) is None
    assert bca_interval(np.ones(9), np.ones(100)) is None
    for bad in ([], [float("nan")]):
        with pytest.raises(ValueError, match="at least one value"):
            resampled_means(np.array(bad), rng())


def test_ten_thousand_means_of_ten_thousand_prompts_take_little_memory():
    """The time is measured by the benchmarks, on a machine that does nothing else."""
    values = np.random.default_rng(0).random(10_000)
    tracemalloc.start()
    bca_interval(values, resampled_means(values, np.random.default_rng(1)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 250 * 1024**2
