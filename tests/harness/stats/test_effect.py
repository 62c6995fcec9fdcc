"""Effect sizes against the logs' own figures and formulas."""

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_effectsize

from harness.stats.effect import cohens_d, cohens_dz, cohens_h


@pytest.mark.parametrize(("a", "b", "h"), [(249, 329, 0.326), (328, 338, 0.042)])
def test_h_of_the_logs(a, b, h):
    assert cohens_h(a / 500, b / 500) == pytest.approx(h, abs=5e-4)
    assert cohens_h(b / 500, a / 500) == pytest.approx(-h, abs=5e-4)
    assert cohens_h(a / 500, b / 500) == pytest.approx(proportion_effectsize(b / 500, a / 500), abs=1e-12)


def test_h_of_all_and_nothing():
    assert cohens_h(0, 1) == pytest.approx(np.pi)
    with pytest.raises(ValueError, match="rate"):
        cohens_h(0.5, 1.1)


def test_d_is_the_mean_over_the_spread():
    assert cohens_dz(np.array([0.0, 1.0, 1.0, 2.0])) == pytest.approx(1 / np.sqrt(2 / 3))
    a, b = np.array([1.0, 2, 3]), np.array([2.0, 4, 6, 8])
    assert cohens_d(a, b) == pytest.approx(3 / np.sqrt((2 * 1 + 3 * 20 / 3) / 5))


def test_without_a_spread_there_is_no_d():
    assert cohens_dz(np.ones(9)) is None
    assert cohens_dz(np.array([1.0])) is None
    assert cohens_d(np.ones(3), np.ones(4)) is None
    assert cohens_d(np.ones(1), np.arange(4.0)) is None
