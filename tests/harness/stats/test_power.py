"""Numbers of prompts: by brute force, by simulation of the decision itself, and by statsmodels."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import TTestPower

from harness.stats.intervals import sign_test, visible_difference, wilson
from harness.stats.power import (
    least_sd,
    mean_needed,
    power_of,
    prompts_needed,
    upper_sd,
    visible_effect,
    wins_needed,
)


def decides(wins: int, n: int, alpha: float) -> bool:
    """The contract's rule in its own words, from the functions that runs use."""
    return wilson(wins / n, n, 1 - alpha)[0] > 0.5 and sign_test(wins, n - wins) <= alpha


def power_by_hand(n: int, effect: float, alpha: float) -> float:
    return float(sum(stats.binom.pmf(wins, n, 0.5 + effect) for wins in range(n + 1) if decides(wins, n, alpha)))


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.2])
def test_the_fewest_wins_are_those_of_the_rule_itself(alpha):
    n = np.arange(1, 250)
    by_hand = [min([wins for wins in range(m + 1) if decides(wins, m, alpha)], default=m + 1) for m in n]
    assert wins_needed(n, alpha).tolist() == by_hand


@pytest.mark.parametrize("effect", [0.03, 0.1, 0.3])
def test_power_is_the_enumerated_probability_of_the_decision(effect):
    n = np.arange(1, 120)
    found = power_of(n, effect)
    assert found == pytest.approx([power_by_hand(m, effect, 0.05) for m in n], abs=1e-9)


@pytest.mark.parametrize(
    ("effect", "power"),
    [(0.45, 0.95), pytest.param(0.3, 0.5, marks=pytest.mark.chaos), pytest.param(0.1, 0.8, marks=pytest.mark.chaos)],
)
def test_prompts_needed_is_where_the_power_begins_to_stay(effect, power):
    n = prompts_needed(effect, power=power)
    tried = [power_by_hand(m, effect, 0.05) for m in range(1, 2 * n)]
    assert n == max(m for m, found in enumerate(tried, 1) if found < power) + 1


def test_a_win_rate_of_60_percent_takes_210_prompts_and_some_luck_199():
    assert prompts_needed(0.1) == 210
    assert power_by_hand(199, 0.1, 0.05) > 0.8 > power_by_hand(209, 0.1, 0.05)


def test_small_effects_go_over_into_the_normal_approximation_without_a_step():
    # 0.0031 is enumerated, 0.0030 is not: n times effect squared must not jump between them.
    exact, about = (prompts_needed(effect) * effect**2 for effect in (0.0031, 0.0030))
    assert about == pytest.approx(exact, rel=2e-3)


@given(n=st.integers(6, 400), power=st.floats(0.3, 0.99))
@settings(max_examples=50, deadline=None)
def test_what_is_visible_has_exactly_the_power_wanted(n, power):
    effect = visible_effect(n, power=power)
    assert effect is not None
    assert float(power_of(np.asarray([n]), effect)[0]) == pytest.approx(power, abs=1e-9)


@given(effect=st.floats(0.02, 0.45), sd=st.one_of(st.none(), st.floats(0.05, 0.5)))
@settings(max_examples=60, deadline=None)
def test_the_prompts_needed_show_the_effect_they_were_needed_for(effect, sd):
    n = prompts_needed(effect, sd=sd)
    shown = visible_effect(n, sd=sd)
    assert shown is not None and shown <= effect + 1e-9
    fewer = visible_effect(int(0.8 * n) - 3, sd=sd)
    assert fewer is None or fewer > shown


def decided(wins, ties, n):
    """The contract's rule on counts of wins and ties, vectorised; Student's interval where there are ties."""
    losses = n - wins - ties
    mean = (wins + ties / 2) / n
    squares = wins * (1 - mean) ** 2 + ties * (0.5 - mean) ** 2 + losses * mean**2
    student = mean - stats.t.ppf(0.975, n - 1) * np.sqrt(squares / (n - 1) / n)
    z2 = stats.norm.ppf(0.975) ** 2
    half = np.sqrt(z2 * (mean * (1 - mean) + z2 / 4 / n) / n) / (1 + z2 / n)
    low = np.where(ties == 0, (mean + z2 / 2 / n) / (1 + z2 / n) - half, student)
    p = 2 * stats.binom.cdf(np.minimum(wins, losses), wins + losses, 0.5)
    return (low > 0.5) & (p <= 0.05) & (wins > losses)


@pytest.mark.parametrize("ties", [0.0, 0.2, 0.4, 0.6])
@pytest.mark.parametrize("effect", [0.05, 0.1, 0.15])
def test_with_a_measured_spread_the_decision_has_the_power_promised(effect, ties):
    rng = np.random.default_rng(7)
    wins = (1 - ties) / 2 + effect
    n = prompts_needed(effect, sd=math.sqrt((1 - ties) / 4))
    drawn = rng.multinomial(n, [wins, ties, 1 - wins - ties], size=40_000)
    # Above what was promised where ties are many, for the spread about 1/2 is larger than that about the win rate.
    assert 0.79 <= decided(drawn[:, 0], drawn[:, 1], n).mean() <= 0.85 + 0.15 * ties


@pytest.mark.parametrize("power", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("effect", [0.02, 0.1, 0.3])
def test_more_ties_than_the_effect_allows_plan_no_fewer_prompts_than_it_takes(effect, power):
    # Where ties are as many as they can be every decisive prompt is won; the pilots had these ties or more.
    n = prompts_needed(effect, sd=least_sd(effect), power=power)
    assert [prompts_needed(effect, sd=sd, power=power) for sd in (0.0, least_sd(effect) / 3)] == [n, n]
    rng = np.random.default_rng(9)
    for decisive in (2 * effect, 3 * effect):
        n = prompts_needed(effect, sd=math.sqrt(decisive) / 2, power=power)
        wins = decisive / 2 + effect
        drawn = rng.multinomial(n, [wins, 1 - decisive, max(0.0, decisive - wins)], size=10_000)
        assert decided(drawn[:, 0], drawn[:, 1], n).mean() >= power - 0.015


def test_a_pilot_of_nine_ties_in_ten_plans_what_the_effect_takes():
    pilot = math.sqrt(0.1) / 2
    assert [prompts_needed(effect, sd=pilot) for effect in (0.3, 0.1)] == [20, 52]
    shown = visible_effect(52, sd=pilot)
    assert shown is not None and 0.09 < shown <= 0.1


@given(wins=st.integers(1, 200), ties=st.integers(0, 200), losses=st.integers(0, 200))
def test_no_wins_ties_and_losses_spread_less_than_the_least(wins, ties, losses):
    scores = np.array([1.0] * wins + [0.5] * ties + [0.0] * losses)
    spread, effect = float(np.sqrt(np.mean((scores - 0.5) ** 2))), float(scores.mean()) - 0.5
    if effect > 0:
        assert spread >= least_sd(effect) - 1e-12
        assert (losses > 0) == (spread > least_sd(effect) + 1e-12)


@pytest.mark.parametrize(("effect", "sd"), [(0.05, 0.4), (0.1, 0.35), (0.1, 0.5), (0.2, 0.5), (0.5, 1.0)])
@pytest.mark.parametrize("power", [0.7, 0.8, 0.9])
def test_means_take_what_statsmodels_says(effect, sd, power):
    n = mean_needed(effect, sd, power=power)
    solved = TTestPower().solve_power(effect_size=effect / sd, power=power, alpha=0.05)
    assert n == pytest.approx(solved, abs=1.1)
    assert visible_difference(sd, n, power) <= effect < visible_difference(sd, n - 1, power)


@pytest.mark.parametrize("n", [3, 5, 9])
def test_the_upper_spread_is_above_the_true_one_in_four_pilots_of_five(n):
    rng = np.random.default_rng(11)
    measured = rng.normal(0, 0.2, size=(20_000, n)).std(axis=1, ddof=1)
    above = np.mean([upper_sd(sd, n, most=math.inf) > 0.2 for sd in measured])
    assert above == pytest.approx(0.8, abs=0.01)
    assert upper_sd(0.3, n, most=math.inf) == pytest.approx(0.3 * math.sqrt((n - 1) / stats.chi2.ppf(0.2, n - 1)))
    assert upper_sd(0.49, n) == 0.5


@pytest.mark.chaos
@given(effect=st.floats(0.02, 0.45), sd=st.floats(0.01, 0.5), n=st.integers(6, 2000))
@settings(max_examples=60, deadline=None)
def test_ties_only_help(effect, sd, n):
    assert prompts_needed(effect, sd=sd) <= prompts_needed(effect)
    assert visible_effect(n, sd=sd) <= visible_effect(n)


def test_few_prompts_show_nothing():
    assert [visible_effect(n) for n in range(6)] == [None] * 6
    assert visible_effect(6) == pytest.approx(0.8 ** (1 / 6) - 0.5)
    assert [visible_effect(n, sd=0.2) for n in range(6)] == [None] * 6


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: prompts_needed(0.0), "an effect is between 0.000001 and 0.5, found 0"),
        (lambda: prompts_needed(0.5), "found 0.5"),
        (lambda: prompts_needed(float("nan")), "found nan"),
        (lambda: prompts_needed(0.1, power=1.0), r"power lies between alpha \(0.05\) and 1, found 1"),
        (lambda: prompts_needed(0.1, power=0.04), "found 0.04"),
        (lambda: prompts_needed(0.1, alpha=0.0), "alpha lies between 0 and 1, found 0"),
        (lambda: prompts_needed(0.1, sd=float("nan")), "a standard deviation is a number"),
        (lambda: visible_effect(-1), "not negative, found -1"),
        (lambda: mean_needed(-0.1, 0.3), "an effect is at least"),
        (lambda: mean_needed(0.03, -1), "a standard deviation"),
        (lambda: upper_sd(0.3, 1), "at least 2 prompts"),
    ],
)
def test_what_has_no_answer_is_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()
