"""The gate's promise on grades from 1 to 10: a true loss of the margin seldom passes; `n_needed` has its power."""

import numpy as np
import pytest

from harness.stats.careful import exceeds, of_counts
from harness.stats.noninferiority import ALPHA, noninferiority, prompts_needed
from tests.bench.gate import Population

GRADES = np.arange(1.0, 11.0)
BOTH = (-9.0, 9.0)
# Grades that sit at the scale's ends, and those that do not.
OLD = {
    "ceiling": [0.01, 0.01, 0.02, 0.02, 0.03, 0.05, 0.06, 0.15, 0.25, 0.4],
    "nearly all 10": [0, 0, 0, 0, 0, 0, 0, 0.02, 0.08, 0.9],
    "middle": [0.02, 0.05, 0.1, 0.15, 0.2, 0.2, 0.13, 0.08, 0.05, 0.02],
    "floor": [0.5, 0.15, 0.1, 0.08, 0.06, 0.04, 0.03, 0.02, 0.01, 0.01],
}
MOVES = {
    "hardly": {0: 0.8, 1: 0.1, -1: 0.1},
    "by one": {0: 0.2, 1: 0.4, -1: 0.4},
    "widely": {0: 0.3, 1: 0.15, -1: 0.15, 2: 0.1, -2: 0.1, 4: 0.1, -4: 0.1},
}
LOSSES = {"a little": {-1: 1.0}, "all": {-9: 1.0}, "mixed": {-1: 0.6, -3: 0.3, -8: 0.1}}
DRAWS = 1500


def population(old, moves, lost=None, margin=0.0):
    """Differences of grades that move on the scale, cut off at its ends, and are lost so that the mean is −margin."""
    shares: dict[float, float] = {}
    for grade, share in zip(GRADES, old, strict=True):
        for step, weight in moves.items():
            value = float(np.clip(grade + step, 1, 10) - grade)
            shares[value] = shares.get(value, 0.0) + share * weight
    if lost is not None:
        mean, depth = (sum(value * share for value, share in own.items()) for own in (shares, lost))
        mixed = (mean + margin) / (mean - depth)
        if not 0 <= mixed <= 1:
            return None
        values = sorted({*shares, *map(float, lost)})
        shares = {value: (1 - mixed) * shares.get(value, 0.0) + mixed * lost.get(value, 0.0) for value in values}
    values = np.array(sorted(shares))
    return Population(name="", values=values, shares=np.array([shares[v] for v in values.tolist()]), lowest=-9.0)


def passes(found, n, margin, rng):
    drawn = rng.multinomial(n, found.shares / found.shares.sum(), size=DRAWS)
    distinct, times = np.unique(drawn, axis=0, return_counts=True)
    p = exceeds(of_counts(found.values, distinct.astype(np.float64)), -margin, -9.0)
    return float((p < ALPHA) @ times / DRAWS)


@pytest.mark.parametrize("old", OLD)
def test_a_true_loss_of_the_margin_seldom_passes(old):
    rng = np.random.default_rng(21)
    found = {}
    for moves in MOVES:
        for lost in LOSSES:
            for margin, n in ((0.1, 160), (0.3, 160), (0.5, 80), (0.5, 160)):
                one = population(OLD[old], MOVES[moves], LOSSES[lost], margin)
                if one is not None:
                    assert one.mean == pytest.approx(-margin)
                    found[moves, lost, margin, n] = passes(one, n, margin, rng)
    assert len(found) >= 18
    # 5.5 % and 2.8 standard errors of 1,500 draws.
    assert max(found.values()) <= 0.055 + 0.0165, max(found, key=found.get)


@pytest.mark.parametrize(("moves", "margin"), [("hardly", 0.3), ("by one", 0.5), ("by one", 0.1), ("widely", 0.3)])
def test_the_number_of_prompts_that_is_told_passes_with_the_power_that_is_told(moves, margin):
    rng = np.random.default_rng(22)
    middle = population(OLD["middle"], MOVES[moves])
    # Nothing lost: every move as likely up as down.
    shares = (middle.shares + middle.shares[::-1]) / 2
    even = Population(name="", values=middle.values, shares=shares, lowest=-9.0)
    assert even.mean == pytest.approx(0)
    told = [
        noninferiority(rng.choice(even.values, p=even.shares, size=80), margin=margin, scale=BOTH) for _ in range(9)
    ]
    n = int(np.median([one.n_needed for one in told if one.needed_for == "power"]))
    assert 0.72 <= passes(even, n, margin, rng) <= 0.88
    if prompts_needed(even.sd, margin) < 0.8 * n:
        # Where great losses might be unseen, the textbook's number would hardly ever pass.
        assert passes(even, prompts_needed(even.sd, margin), margin, rng) < 0.5


def test_where_grades_move_much_the_number_is_the_textbook_s():
    values = np.random.default_rng(23).choice([-4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0], size=300)
    found = noninferiority(values, margin=0.1, scale=BOTH)
    assert found.n_needed == prompts_needed(found.sd, 0.1) and not found.rare


def test_clusters_of_grades_ask_for_as_many_times_more_prompts():
    values = np.random.default_rng(24).choice([-1.0, 0.0, 1.0], p=[0.1, 0.8, 0.1], size=90)
    names = [str(place) for place in range(90)]
    once = noninferiority(values, margin=0.3, scale=BOTH)
    fourfold = noninferiority(np.repeat(values, 4), margin=0.3, scale=BOTH, clusters=list(np.repeat(names, 4)))
    assert once.n_needed > prompts_needed(once.sd, 0.3)
    assert fourfold.n_needed == pytest.approx(4 * once.n_needed, rel=0.03)
