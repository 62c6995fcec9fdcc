"""The exact test of singled-out members, against counting every case, a library, and its promised size."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, hypergeom

from harness.stats.exchangeable import as_few

groups = st.lists(
    st.tuples(st.integers(1, 4), st.integers(0, 4), st.booleans()).map(
        lambda g: (g[0], max(int(g[2]), min(g[1], g[0] - (not g[2]))), g[2])
    ),
    max_size=5,
)


def arrays(drawn):
    sizes, hits, single = (np.array([g[k] for g in drawn]) for k in range(3))
    return single.astype(bool), hits.astype(np.int64), sizes.astype(np.int64)


@given(groups)
def test_it_is_the_share_of_all_ways_to_single_one_out(drawn):
    single, hits, sizes = arrays(drawn)
    ways = [
        sum(place < hit for place, hit in zip(chosen, hits, strict=True))
        for chosen in product(*(range(size) for size in sizes))
    ]
    expected = sum(count <= single.sum() for count in ways) / len(ways)
    assert as_few(single, hits, sizes) == pytest.approx(expected, abs=1e-12)


def test_one_group_is_hypergeometric_and_equal_groups_are_binomial():
    assert as_few(np.array([False]), np.array([3]), np.array([13])) == pytest.approx(hypergeom.cdf(0, 13, 3, 1))
    single = np.arange(24) < 2
    p = as_few(single, np.full(24, 5), np.full(24, 13))
    assert p == pytest.approx(binom.cdf(2, 24, 5 / 13), abs=1e-12)


def test_no_group_and_no_difference_say_nothing():
    empty = np.array([], dtype=np.int64)
    assert as_few(empty.astype(bool), empty, empty) == 1.0
    assert as_few(np.zeros(9, dtype=bool), np.zeros(9, dtype=np.int64), np.full(9, 13)) == 1.0
    assert as_few(np.ones(9, dtype=bool), np.full(9, 13), np.full(9, 13)) == 1.0


@pytest.mark.parametrize(("single", "hits", "size"), [(True, 0, 3), (False, 3, 3), (False, -1, 3), (True, 4, 3)])
def test_hits_that_do_not_fit_are_refused(single, hits, size):
    with pytest.raises(ValueError, match="fit into it"):
        as_few(np.array([single]), np.array([hits]), np.array([size]))


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.3])
def test_it_keeps_its_level_where_the_groups_rates_differ(rate):
    rng = np.random.default_rng(3)
    rates = rng.beta(1, 1 / rate - 1, (2000, 24, 1))
    drawn = rng.random((2000, 24, 13)) < rates
    alarms = [
        as_few(one[:, 0], one.sum(axis=1).astype(np.int64), np.full(24, 13, dtype=np.int64)) <= 0.025 for one in drawn
    ]
    assert np.mean(alarms) <= 0.025 + 3 * np.sqrt(0.025 * 0.975 / 2000)
