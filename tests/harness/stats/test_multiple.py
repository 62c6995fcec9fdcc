"""Adjusted p-values against statsmodels, and the rate they promise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from harness.stats.multiple import benjamini_hochberg, holm

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=30)


# statsmodels takes 60 ms for one Holm.
@settings(max_examples=20)
@given(P_VALUES)
def test_they_are_statsmodels(p_values):
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1], abs=1e-9)
    assert benjamini_hochberg(p_values) == pytest.approx(multipletests(p_values, method="fdr_bh")[1], abs=1e-9)


def test_nothing_and_one_are_left_as_they_are():
    assert holm([]).size == benjamini_hochberg([]).size == 0
    assert holm([0.03]).tolist() == benjamini_hochberg([0.03]).tolist() == [0.03]


@pytest.mark.parametrize("bad", [-0.1, 1.1, float("nan")])
def test_what_is_no_p_value_is_refused(bad):
    for adjust in (holm, benjamini_hochberg):
        with pytest.raises(ValueError, match="p-value"):
            adjust([0.5, bad])


def test_holm_keeps_the_rate_of_the_whole_family():
    found = np.random.default_rng(0).random((20_000, 5))
    alarms = np.mean([holm(row).min() <= 0.05 for row in found])
    assert alarms == pytest.approx(0.05, abs=0.005)
