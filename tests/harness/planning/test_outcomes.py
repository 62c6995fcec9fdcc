"""What runs end as: against the rule in its own words, by simulation, and where enumeration gives way."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.planning.outcomes import ENUMERATED, chances
from harness.stats.intervals import mean_score, sign_test
from harness.stats.power import power_of, prompts_needed


def ends(wins, ties, losses, equivalence):
    """The contract's decision in its order, from the functions that runs use."""
    scores = np.array([1.0] * wins + [0.5] * ties + [0.0] * losses)
    low, high = mean_score(scores).ci
    if 0.5 - equivalence <= low and high <= 0.5 + equivalence:
        return "equivalent"
    decided = (low > 0.5 or high < 0.5) and sign_test(wins, losses) <= 0.05
    return ("better" if low > 0.5 else "worse") if decided else "inconclusive"


@pytest.mark.parametrize("equivalence", [0.2, 0.3, 0.45])
@pytest.mark.parametrize(("n", "effect", "sd"), [(30, 0.1, 0.25), (30, 0.2, None), (30, 0.1, 0.01), (8, 0.02, 0.2)])
def test_chances_are_those_of_the_rule_itself(n, effect, sd, equivalence):
    decisive = 1.0 if sd is None else max(4 * sd**2, 2 * effect)
    shares = [decisive / 2 + effect, 1 - decisive, max(0.0, decisive / 2 - effect)]
    by_hand = {"better": 0.0, "equivalent": 0.0, "worse": 0.0, "inconclusive": 0.0}
    for wins, ties in itertools.product(range(n + 1), repeat=2):
        if wins + ties <= n:
            counts = (wins, ties, n - wins - ties)
            by_hand[ends(*counts, equivalence)] += float(stats.multinomial.pmf(counts, n, shares))
    found = chances(n, effect, equivalence=equivalence, sd=sd)
    assert (found.better, found.equivalent) == pytest.approx((by_hand["better"], by_hand["equivalent"]), abs=1e-9)


@pytest.mark.parametrize(
    ("effect", "better", "equivalent"), [(0.04, 0.8075, 0.103), (0.03, 0.523, 0.477), (0.02, 0.011, 0.989)]
)
def test_small_effects_end_as_equivalent_before_they_are_better(effect, better, equivalent):
    n = prompts_needed(effect)
    found = chances(n, effect, equivalence=0.05)
    assert (found.better, found.equivalent) == pytest.approx((better, equivalent), abs=5e-4)
    assert found.shown == pytest.approx(float(power_of(np.asarray([n]), effect)[0]), abs=1e-9)


@pytest.mark.parametrize(("effect", "sd", "design"), [(0.03, 0.4, 1.0), (0.015, 0.2, 1.0), (0.03, None, 3.0)])
def test_chances_are_those_of_drawn_runs(effect, sd, design):
    rng = np.random.default_rng(5)
    d = 1.0 if sd is None else 4 * sd**2
    # Clusters of `size` prompts that are all alike multiply the variance by their size.
    size = int(design)
    n = prompts_needed(effect, sd=sd) // size * size
    drawn = size * rng.multinomial(n // size, [d / 2 + effect, 1 - d, d / 2 - effect], size=40_000)
    wins, losses = drawn[:, 0], drawn[:, 2]
    off = (wins - losses) / (2 * n)
    half = stats.t.ppf(0.975, n - 1) * np.sqrt(((wins + losses) / (4 * n) - off**2) / (n - 1))
    equivalent = np.abs(off) + half <= 0.05
    better = (off > half) & (2 * stats.binom.cdf(losses, wins + losses, 0.5) <= 0.05) & ~equivalent
    found = chances(n, effect, equivalence=0.05, sd=sd, design=design)
    assert found.equivalent == pytest.approx(equivalent.mean(), abs=0.01)
    assert found.better == pytest.approx(better.mean(), abs=0.01 if design == 1 else 0.025)


@pytest.mark.parametrize("sd", [None, 0.3, 0.1])
@pytest.mark.parametrize("equivalence", [0.03, 0.022])
def test_enumeration_gives_way_without_a_step(sd, equivalence):
    effect = 2.4 * (0.5 if sd is None else sd) / math.sqrt(ENUMERATED)
    exact, about = (chances(n, effect, equivalence=equivalence, sd=sd) for n in (ENUMERATED, ENUMERATED + 1))
    assert (about.better, about.equivalent, about.shown) == pytest.approx(
        (exact.better, exact.equivalent, exact.shown), abs=6e-3
    )


@given(
    n=st.integers(2, 3000),
    effect=st.floats(1e-6, 0.49),
    sd=st.one_of(st.none(), st.floats(0.0, 0.5)),
    equivalence=st.floats(1e-3, 0.49),
    design=st.sampled_from([1.0, 2.5]),
)
@settings(max_examples=60, deadline=None)
def test_chances_are_probabilities_and_equivalent_only_takes(n, effect, sd, equivalence, design):
    found = chances(n, effect, equivalence=equivalence, sd=sd, design=design)
    assert 0 <= found.better <= found.shown + 1e-12 <= 1 + 1e-9
    assert -1e-12 <= found.equivalent <= 1 + 1e-9
    assert found.better + found.equivalent <= 1 + 1e-9


@pytest.mark.chaos
@given(effect=st.floats(0.01, 0.4), sd=st.one_of(st.none(), st.floats(0.0, 0.5)), power=st.floats(0.5, 0.99))
@settings(max_examples=20, deadline=None)
def test_half_the_effect_is_an_equivalence_that_takes_nothing(effect, sd, power):
    n = prompts_needed(effect, sd=sd, power=power)
    found = chances(n, effect, equivalence=effect / 2, sd=sd)
    assert found.better > found.shown - 0.005


def test_fewer_than_two_prompts_decide_nothing():
    for n in (0, 1):
        found = chances(n, 0.4, equivalence=0.05)
        assert (found.better, found.equivalent, found.shown) == (0, 0, 0)


@pytest.mark.parametrize("wrong", [{"n": -1}, {"effect": 0.5}, {"effect": 0.0}, {"equivalence": 0.0}, {"design": 0.5}])
def test_what_has_no_chances_is_refused(wrong):
    asked = {"n": 10, "effect": 0.1, "equivalence": 0.05} | wrong
    with pytest.raises(ValueError, match="have no chances at"):
        chances(asked.pop("n"), asked.pop("effect"), **asked)
