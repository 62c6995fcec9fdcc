"""The betting confidence sequence: against its definition, and by simulation for what it promises."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from harness.stats.betting import SHARES, STEPS, Watch, capital, confidence_sequence, decide
from tests.bench.stopping import EVEN, asked, excluded, false_alarms

SCORES = st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), min_size=1, max_size=60)


def by_definition(scores: list[float], mean: float) -> float:
    """The capital of the bet on a mean above `mean`, multiplied out."""
    return math.fsum(math.prod(1 - f + f * x / mean for x in scores) for f in SHARES.tolist()) / len(SHARES)


def test_the_capital_is_what_its_definition_says() -> None:
    scores = np.random.default_rng(1).choice([0, 0.25, 1.0], size=(3, 40))
    for mean in (0.2, 0.5, 0.9):
        found = capital(scores, mean)
        for row, line in zip(scores, found, strict=True):
            for at in (1, 17, 40):
                assert line[at - 1] == pytest.approx(by_definition(row[:at].tolist(), mean), rel=1e-9)


@pytest.mark.parametrize("draw", EVEN.values(), ids=EVEN.keys())
def test_the_ends_are_the_roots_rounded_outward(draw) -> None:  # type: ignore[no-untyped-def]
    scores = draw(np.random.default_rng(5), (1, 80))[0]
    lows, highs = confidence_sequence(scores)
    best_low, best_high = 0.0, 1.0
    for at in range(1, 81):
        seen = scores[:at].tolist()
        best_low = max(best_low, root(seen))
        best_high = min(best_high, 1 - root([1 - x for x in seen]))
        assert best_low - 1 / STEPS - 1e-9 <= lows[at - 1] <= best_low + 1e-9
        assert best_high - 1e-9 <= highs[at - 1] <= best_high + 1 / STEPS + 1e-9


def root(scores: list[float]) -> float:
    """The mean at which the capital is 40: below it everything is excluded."""
    if max(scores) == 0 or by_definition(scores, 1 - 1e-9) >= 40:
        return 0.0
    return float(brentq(lambda m: math.log(by_definition(scores, m) / 40), 1e-7, 1 - 1e-9, xtol=1e-12))


@given(SCORES)
def test_the_interval_only_shrinks_and_mirrors(scores: list[float]) -> None:
    values = np.asarray(scores)
    lows, highs = confidence_sequence(values)
    assert (np.diff(lows) >= 0).all() and (np.diff(highs) <= 0).all() and (lows < highs).all()
    other_lows, other_highs = confidence_sequence(1 - values)
    assert other_lows == pytest.approx(1 - highs) and other_highs == pytest.approx(1 - lows)


@given(SCORES, st.integers(0, 60))
def test_the_start_of_a_sequence_does_not_know_its_end(scores: list[float], cut: int) -> None:
    whole, start = confidence_sequence(np.asarray(scores)), confidence_sequence(np.asarray(scores[:cut]))
    assert whole[0][:cut].tolist() == start[0].tolist() and whole[1][:cut].tolist() == start[1].tolist()


def test_one_look_at_a_time_is_the_same() -> None:
    scores = np.random.default_rng(2).random(50)
    watch = Watch()
    looks = [watch.look(float(x)) for x in scores]
    assert looks == list(zip(*(a.tolist() for a in confidence_sequence(scores)), strict=True))


def test_other_levels_hold_as_well_and_each_side_has_half() -> None:
    rng = np.random.default_rng(20)
    for draw in EVEN.values():
        above, below = excluded(draw(rng, (1000, 200)), 0.5, alpha=0.3)
        assert above.mean() <= 0.15 + 0.02 and below.mean() <= 0.15 + 0.02


@pytest.mark.chaos
def test_false_alarms_looking_after_every_prompt_stay_below_5_percent() -> None:
    rows = false_alarms(np.random.default_rng(7))
    assert len(rows) == len(EVEN) and max(row["excluded"] for row in rows) <= 0.05
    assert max(row["excluded"] for row in rows) >= 0.015, "so cautious that it cannot be what was meant"
    assert next(row for row in rows if row["scores"] == "all ties")["excluded"] == 0


def test_a_rate_of_65_percent_is_found_with_half_of_300_prompts() -> None:
    close, clear = asked(np.random.default_rng(8), (0.55, 0.65))
    assert clear["asked"] <= 120 and clear["better"] >= 0.97 and clear["worse"] == 0
    assert close["worse"] <= 0.005


def test_decisions_in_whole_runs_are_rarely_wrong_and_come_early() -> None:
    rng = np.random.default_rng(9)
    found = [decide((rng.random(300) < 0.65).astype(float), 0.05) for _ in range(60)]
    assert sum(f.said == "better" for f in found) >= 57
    assert np.mean([f.at or 300 for f in found]) <= 130
    even = [decide((rng.random(300) < 0.5).astype(float), 0.05) for _ in range(60)]
    assert sum(f.said is not None for f in even) <= 7


def test_a_judge_that_only_ties_is_never_called_better_or_worse() -> None:
    found = decide(np.full(2000, 0.5), 0.05)
    assert found.said == "equivalent" and found.at is not None and found.low < 0.5 < found.high
    lows, highs = confidence_sequence(np.full(2000, 0.5))
    assert (lows < 0.5).all() and (highs > 0.5).all()


def test_151_of_300_is_no_win() -> None:
    scores = np.random.default_rng(3).permutation([1.0] * 151 + [0.0] * 149)
    found = decide(scores, 0.05)
    assert found.said is None and found.at is None and found.low < 0.5 < found.high


def test_all_wins_are_decided_within_ten() -> None:
    found = decide(np.ones(40), 0.05)
    assert found.said == "better" and found.at is not None and 6 <= found.at <= 10
    assert decide(np.zeros(40), 0.05)._replace(said="better", low=0, high=0) == found._replace(low=0, high=0)


def test_nothing_seen_is_nothing_known() -> None:
    lows, highs = confidence_sequence(np.array([]))
    assert lows.shape == highs.shape == (0,)
    assert decide(np.array([]), 0.05) == (None, 0.0, 1.0, None)
    assert decide(np.array([1.0]), 0.05).said is None


@pytest.mark.parametrize("bad", [math.nan, -0.1, 1.1, math.inf])
def test_a_score_off_its_range_is_refused(bad: float) -> None:
    for refuse in (
        lambda: confidence_sequence(np.array([0.5, bad])),
        lambda: decide(np.array([bad]), 0.05),
        lambda: Watch().look(bad),
        lambda: capital(np.array([bad]), 0.5),
    ):
        with pytest.raises(ValueError, match="outside"):
            refuse()


@pytest.mark.parametrize("alpha", [0, 1, -1, math.nan])
def test_an_alpha_that_is_none_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        confidence_sequence(np.array([0.5]), alpha)


def test_a_long_sequence_takes_seconds_at_most() -> None:
    began = time.perf_counter()
    lows, highs = confidence_sequence(np.random.default_rng(5).random(10_000))
    assert time.perf_counter() - began < 5
    assert highs[-1] - lows[-1] < 0.03 and lows[-1] < 0.5 < highs[-1]
