"""Davidson's model and the ranks: against libraries and brute force, and by simulation for what they promise."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness.stats.ranking import PSEUDO, davidson, ranking

Floats = NDArray[np.float64]
THREE = [(0, 1), (0, 2), (1, 2)]


def drawn(rng: np.random.Generator, n: int, strengths: Floats, ties: float) -> tuple[list[tuple[int, int]], Floats]:
    """Outcomes (3, n, pairs) of prompts on which every pair meets."""
    pairs = list(combinations(range(len(strengths)), 2))
    outcomes = np.zeros((3, n, len(pairs)))
    for place, (i, j) in enumerate(pairs):
        d = strengths[i] - strengths[j]
        weights = np.array([math.exp(d / 2), math.exp(-d / 2), ties])
        outcomes[rng.choice(3, size=n, p=weights / weights.sum()), np.arange(n), place] = 1
    return pairs, outcomes


def minus_log_likelihood(strengths: Floats, log_ties: float, pairs: list[tuple[int, int]], counts: Floats) -> float:
    """Davidson's, pair by pair, from its definition."""
    total = 0.0
    for (i, j), (win, loss, tie) in zip(pairs, counts.T, strict=True):
        terms = [strengths[i], strengths[j], log_ties + (strengths[i] + strengths[j]) / 2]
        largest = max(terms)
        all_of_them = largest + math.log(math.fsum(math.exp(term - largest) for term in terms))
        total -= math.fsum(n * (term - all_of_them) for n, term in zip((win, loss, tie), terms, strict=True) if n)
    return total


def test_without_ties_it_is_a_logistic_regression() -> None:
    import statsmodels.api as sm

    pairs, outcomes = drawn(np.random.default_rng(1), 80, np.array([0.7, 0.1, -0.2, -0.6]), 0.0)
    wins, losses, ties = outcomes.sum(axis=1)
    design = np.array([[float(p == i) - float(p == j) for p in range(4)] for i, j in pairs])[:, :3]
    glm = sm.GLM(np.column_stack([wins, losses]), design, family=sm.families.Binomial()).fit(tol=1e-14, maxiter=200)
    expected = np.append(glm.params, 0.0)
    found = davidson(4, pairs, wins, losses, ties)
    assert found.ties == 0 and not found.regularised
    assert found.strengths == pytest.approx(expected - expected.mean(), abs=1e-9)


@pytest.mark.parametrize("fractions", [False, True])
def test_a_general_optimiser_finds_no_better_likelihood(fractions: bool) -> None:
    from scipy.optimize import minimize

    rng = np.random.default_rng(2)
    pairs, outcomes = drawn(rng, 60, np.array([0.5, 0.2, -0.7]), 0.8)
    counts = outcomes.sum(axis=1) * (rng.random((3, 3)) if fractions else 1)
    found = davidson(3, pairs, *counts)
    assert found.strengths is not None and found.ties is not None

    def lacking(free: Floats) -> float:
        return minus_log_likelihood(np.array([free[0], free[1], -free[0] - free[1]]), free[2], pairs, counts)

    best = minimize(
        lacking, np.zeros(3), method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-13, "maxfev": 5000}
    )
    assert [*found.strengths[:2], math.log(found.ties)] == pytest.approx(best.x, abs=1e-6)
    assert lacking(np.array([*found.strengths[:2], math.log(found.ties)])) <= best.fun + 1e-9


def test_at_the_estimate_every_player_has_the_score_that_is_expected() -> None:
    pairs, outcomes = drawn(np.random.default_rng(3), 40, np.array([0.9, 0.0, -0.3, -0.6]), 0.5)
    wins, losses, ties = outcomes.sum(axis=1)
    found = davidson(4, pairs, wins, losses, ties)
    assert found.strengths is not None and found.ties is not None
    for player in range(4):
        scored = expected = 0.0
        for place, (i, j) in enumerate(pairs):
            if player not in (i, j):
                continue
            mine, other = (i, j) if player == i else (j, i)
            odds = math.exp(found.strengths[mine]), math.exp(found.strengths[other])
            middle = found.ties * math.sqrt(odds[0] * odds[1])
            scored += (wins if player == i else losses)[place] + ties[place] / 2
            expected += 40 * (odds[0] + middle / 2) / (odds[0] + odds[1] + middle)
        assert scored == pytest.approx(expected, abs=1e-9)


def test_three_players_by_brute_force() -> None:
    counts = np.array([[6.0, 7.0, 5.0], [3.0, 2.0, 4.0], [1.0, 1.0, 1.0]])
    found = davidson(3, THREE, *counts)
    assert found.strengths is not None and found.ties is not None
    grid = np.linspace(-1.5, 1.5, 31)
    best = min(
        (minus_log_likelihood(np.array([a, b, -a - b]), c, THREE, counts), a, b, c)
        for a in grid
        for b in grid
        for c in np.linspace(-2.5, 0, 26)
    )
    assert [*found.strengths[:2], math.log(found.ties)] == pytest.approx(best[1:], abs=0.1)


def test_two_players_have_the_closed_form() -> None:
    found = davidson(2, [(0, 1)], np.array([12.0]), np.array([3.0]), np.array([6.0]))
    assert found.strengths == pytest.approx([math.log(4) / 2, -math.log(4) / 2], abs=1e-10)
    assert found.ties == pytest.approx(6 / math.sqrt(36), abs=1e-10)


@pytest.mark.parametrize(
    ("wins", "losses", "ties", "regularised"),
    [
        ([5, 5, 3], [0, 0, 2], [0, 0, 0], True),  # the first won everything
        ([5, 5, 3], [0, 0, 0], [5, 0, 1], True),  # … or tied, as did the next two
        ([5, 5, 3], [0, 0, 2], [5, 0, 1], False),  # … where the others' ties say how rare ties are
        ([5, 0, 5], [0, 5, 0], [0, 0, 0], False),  # each beats the next
        ([5, 0, 5], [0, 0, 0], [0, 5, 0], False),  # … and the last ties with the first: more defeats than ties
        ([5, 0, 0], [0, 0, 0], [0, 5, 5], True),  # one defeat, two ties
        ([5, 0, 0], [0, 0, 0], [5, 5, 5], True),
        ([5, 5, 3], [1, 1, 2], [1, 0, 0], False),
    ],
)
def test_strengths_without_a_bound_are_bounded_openly(
    wins: list[int], losses: list[int], ties: list[int], regularised: bool
) -> None:
    counts = np.array([wins, losses, ties], dtype=np.float64)
    found = davidson(3, THREE, *counts)
    assert found.regularised is regularised
    assert found.strengths is not None and np.isfinite(found.strengths).all() and np.abs(found.strengths).max() < 6
    # An optimiser that is let run finds a bound exactly where one is claimed.
    assert _bounded(counts) is not regularised


def _bounded(counts: Floats) -> bool:
    from scipy.optimize import minimize

    def lacking(free: Floats) -> float:
        log_ties = free[2] if counts[2].any() else -60.0
        return minus_log_likelihood(np.array([free[0], free[1], -free[0] - free[1]]), log_ties, THREE, counts)

    best = minimize(lacking, np.zeros(3), method="Nelder-Mead", options={"xatol": 1e-12, "fatol": 0, "maxfev": 3000})
    return bool(np.abs(best.x[: 3 if counts[2].any() else 2]).max() < 6)


def test_the_half_comparison_is_what_is_said() -> None:
    counts = np.array([[5.0, 5.0, 3.0], [0.0, 0.0, 2.0], [0.0, 0.0, 1.0]])
    one, other = davidson(3, THREE, *counts), davidson(3, THREE, *(counts + PSEUDO / 3))
    assert one.strengths is not None and other.strengths == pytest.approx(one.strengths, abs=1e-12)
    assert one.regularised and not other.regularised


def test_players_that_never_met_are_refused() -> None:
    found = davidson(4, [(0, 1), (2, 3), (1, 2)], np.array([3.0, 2, 0]), np.array([1.0, 1, 0]), np.zeros(3))
    assert found.strengths is None and found.reason == "some never met, even by way of others"


def test_ties_alone_tell_no_strengths() -> None:
    found = ranking(3, THREE, np.zeros((9, 3)), np.zeros((9, 3)), np.ones((9, 3)), np.random.default_rng(0))
    assert found.places == () and found.ties is None and "every comparison is a tie" in str(found.reason)


def test_a_chain_of_meetings_is_enough() -> None:
    found = davidson(3, [(0, 1), (1, 2)], np.array([6.0, 6]), np.array([3.0, 3]), np.zeros(2))
    assert found.strengths == pytest.approx([math.log(2), 0, -math.log(2)], abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(4)), st.integers(0, 1000))
def test_names_and_sides_decide_nothing(order: list[int], seed: int) -> None:
    pairs, outcomes = drawn(np.random.default_rng(seed), 15, np.array([0.4, 0.2, 0, -0.6]), 0.6)
    wins, losses, ties = outcomes.sum(axis=1)
    one = davidson(4, pairs, wins, losses, ties)
    # The others' view: players renamed, every pair turned round.
    other = davidson(4, [(order[j], order[i]) for i, j in pairs], losses, wins, ties)
    assert one.strengths is not None and other.strengths is not None
    assert [other.strengths[order[player]] for player in range(4)] == pytest.approx(one.strengths.tolist(), abs=1e-8)
    assert other.ties == pytest.approx(one.ties, abs=1e-8)


@pytest.mark.parametrize(
    ("n", "ties"), [(60, 0.0), *(pytest.param(*cell, marks=pytest.mark.chaos) for cell in ((30, 0.5), (120, 1.0)))]
)
def test_intervals_hold_the_strengths_and_ranks(n: int, ties: float) -> None:
    truth, runs = np.array([0.6, 0.2, -0.2, -0.6]), 250
    rng = np.random.default_rng(13)
    held = ranks = 0.0
    for _ in range(runs):
        pairs, outcomes = drawn(rng, n, truth, ties)
        found = ranking(4, pairs, *outcomes, rng, resamples=300)
        held += np.mean([p.ci[0] <= s <= p.ci[1] for p, s in zip(found.places, truth, strict=True) if p.ci])
        ranks += all(p.rank_ci[0] <= i + 1 <= p.rank_ci[1] for i, p in enumerate(found.places) if p.rank_ci)
    assert 0.92 <= held / runs <= 0.975
    assert ranks / runs >= 0.95


@pytest.mark.chaos
def test_equal_players_are_rarely_told_apart() -> None:
    rng, runs = np.random.default_rng(14), 600
    apart = 0
    for _ in range(runs):
        pairs, outcomes = drawn(rng, 40, np.zeros(4), 0.5)
        found = ranking(4, pairs, *outcomes, rng, resamples=250)
        assert found.apart is not None
        apart += bool(found.apart.any())
    # 5 % with a standard error of 0.9 points; never telling anything apart would be no test either.
    assert 0.025 <= apart / runs <= 0.07


def test_the_prompt_is_the_unit() -> None:
    pairs, outcomes = drawn(np.random.default_rng(15), 30, np.array([0.5, 0, -0.5]), 0.4)
    once = ranking(3, pairs, *outcomes, np.random.default_rng(0))
    # Four verdicts of one and the same kind on every prompt are no four prompts.
    repeated = ranking(3, pairs, *(4 * outcomes), np.random.default_rng(0))
    for a, b in zip(once.places, repeated.places, strict=True):
        assert a.ci is not None and b.ci is not None
        assert b.ci[1] - b.ci[0] == pytest.approx(a.ci[1] - a.ci[0], rel=0.1)


def test_a_clear_order_is_told() -> None:
    pairs, outcomes = drawn(np.random.default_rng(16), 200, np.array([1.5, 0.0, -1.5]), 0.4)
    found = ranking(3, pairs, *outcomes, np.random.default_rng(0))
    assert [p.rank for p in found.places] == [1, 2, 3] and [p.rank_ci for p in found.places] == [(1, 1), (2, 2), (3, 3)]
    assert [p.best for p in found.places] == [1, 0, 0]
    assert found.apart is not None and found.apart.tolist() == (~np.eye(3, dtype=bool)).tolist()


def test_the_chances_of_being_best_add_up() -> None:
    pairs, outcomes = drawn(np.random.default_rng(17), 25, np.zeros(5), 0.5)
    found = ranking(5, pairs, *outcomes, np.random.default_rng(0))
    assert sum(p.best for p in found.places if p.best is not None) == pytest.approx(1)


def test_equal_strengths_share_a_rank() -> None:
    outcomes = np.zeros((3, 2, 3))
    outcomes[0, 0], outcomes[1, 1] = 1, 1
    found = ranking(3, THREE, *outcomes, np.random.default_rng(0))
    assert [p.rank for p in found.places] == [1, 1, 1] and [p.rank_ci for p in found.places] == [(1, 3)] * 3


def test_one_prompt_gives_ranks_without_intervals_and_none_gives_none() -> None:
    outcomes = np.zeros((3, 1, 3))
    outcomes[0] = 1
    found = ranking(3, THREE, *outcomes, np.random.default_rng(0))
    assert found.n == 1 and found.regularised and found.apart is None
    assert [(p.rank, p.ci, p.rank_ci, p.best) for p in found.places] == [(r, None, None, None) for r in (1, 2, 3)]
    nothing = ranking(3, THREE, *np.zeros((3, 0, 3)), np.random.default_rng(0))
    assert nothing.n == 0 and nothing.reason == "there is no comparison" and nothing.places == ()


def test_prompts_on_which_nobody_met_do_not_count() -> None:
    pairs, outcomes = drawn(np.random.default_rng(18), 20, np.array([0.5, 0, -0.5]), 0.5)
    empty = np.concatenate([outcomes, np.zeros((3, 7, 3))], axis=1)
    assert ranking(3, pairs, *empty, np.random.default_rng(0)).n == 20


@pytest.mark.parametrize(
    ("players", "pairs", "count"),
    [(1, [], 1.0), (3, [(0, 3)], 1.0), (3, [(1, 1)], 1.0), (2, [(0, 1)], -1.0), (2, [(0, 1)], math.nan)],
)
def test_what_is_no_table_is_refused(players: int, pairs: list[tuple[int, int]], count: float) -> None:
    counts = np.full((4, len(pairs)), count)
    with pytest.raises(ValueError, match=r"two players|names a player|negative"):
        ranking(players, pairs, counts, counts, counts, np.random.default_rng(0))
    with pytest.raises(ValueError, match="column"):
        davidson(2, [(0, 1)], np.ones(2), np.ones(1), np.ones(1))
