"""Variance components: worked by hand, against statsmodels' MixedLM, unbiased by simulation, honest about designs."""

import math
import warnings

import numpy as np
import pytest

from harness.stats.variance import PARTS, WITHIN_RESIDUAL, advice, per_prompt, split

RNG = np.random.default_rng(4)
TRUE = {
    "prompt": 0.05,
    "generation": 0.03,
    "judge": 0.02,
    "judge_prompt": 0.025,
    "order": 0.015,
    "order_prompt": 0.02,
    "judge_order": 0.01,
    "residual": 0.04,
}
AXES = {
    "prompt": (0,),
    "generation": (0, 1),
    "judge": (2,),
    "judge_prompt": (0, 2),
    "order": (3,),
    "order_prompt": (0, 3),
    "judge_order": (2, 3),
    "residual": (0, 1, 2, 3),
}


def drawn(rng, shape, sds=TRUE):
    """A table of the model itself: every effect normal around 1/2 with its standard deviation."""
    values = np.full(shape, 0.5)
    for name, axes in AXES.items():
        values = values + rng.normal(0, sds[name], [size if axis in axes else 1 for axis, size in enumerate(shape)])
    return np.clip(values, 0, 1)


def raws(values):
    return {name: part.raw for name, part in split(values, rng=RNG, resamples=0).parts.items() if part.raw is not None}


def test_two_prompts_two_generations_two_orders_by_hand():
    # Means: prompts 3/4 and 0, generations 1, 1/2, 0, 0, orders 1/2 and 1/4, all 3/8. Mean squares: prompt 9/8 (1 df),
    # generation 1/8 (2), order 1/8 (1), order × prompt 1/8 (1), residual 1/4 over 2 df = 1/8.
    # So the residual is 1/8, the prompt (9/8 − 1/8) / 4 = 1/4, and the others are 0.
    table = np.array([[[[1, 1]], [[1, 0]]], [[[0, 0]], [[0, 0]]]], dtype=float)
    found = split(table, rng=RNG)
    assert {name: part.variance for name, part in found.parts.items() if part.variance is not None} == pytest.approx(
        {"prompt": 0.25, "generation": 0, "order": 0, "order_prompt": 0, "residual": 0.125}, abs=1e-12
    )
    assert (found.total, found.parts["prompt"].share) == pytest.approx((0.375, 2 / 3))


def test_three_prompts_two_judges_by_hand():
    # Mean squares: prompt 1/2 (2 df), judge 1/6 (1), residual 1/6 (2): prompt (1/2 − 1/6) / 2 = 1/6, judge 0.
    table = np.array([[1, 0], [1, 1], [0, 0]], dtype=float)[:, None, :, None]
    assert raws(table) == pytest.approx({"prompt": 1 / 6, "judge": 0, "residual": 1 / 6}, abs=1e-12)


def test_a_negative_estimate_is_taken_as_zero_and_kept_beside():
    # Prompt means are all 1/2: mean square 0; judge 1/6, total 3/2, so the residual is 4/3 over 2 df = 2/3, and the
    # prompt (0 − 2/3) / 2.
    table = np.array([[1, 0], [1, 0], [0, 1]], dtype=float)[:, None, :, None]
    prompt = split(table, rng=RNG).parts["prompt"]
    assert prompt.variance == 0
    assert prompt.raw == pytest.approx(-1 / 3)


def test_mean_squares_agree_with_plain_sums_of_squares():
    values = drawn(np.random.default_rng(3), (7, 2, 3, 2))
    p, r, j, o = values.shape
    by = {name: values.mean(axis=axes, keepdims=True) for name, axes in {
        "p": (1, 2, 3), "g": (2, 3), "j": (0, 1, 3), "pj": (1, 3), "o": (0, 1, 2), "po": (1, 2), "jo": (0, 1)
    }.items()}  # fmt: skip
    m = values.mean()
    effects = {
        "prompt": (by["p"] - m, p - 1),
        "generation": (by["g"] - by["p"], p * (r - 1)),
        "judge": (by["j"] - m, j - 1),
        "judge_prompt": (by["pj"] - by["p"] - by["j"] + m, (p - 1) * (j - 1)),
        "order": (by["o"] - m, o - 1),
        "order_prompt": (by["po"] - by["p"] - by["o"] + m, (p - 1) * (o - 1)),
        "judge_order": (by["jo"] - by["j"] - by["o"] + m, (j - 1) * (o - 1)),
    }
    left = values - m - sum(effect for effect, _ in effects.values())
    degrees = values.size - 1 - sum(df for _, df in effects.values())
    rest = float((left**2).sum()) / degrees
    ms = {name: float((np.broadcast_to(e, values.shape) ** 2).sum()) / df for name, (e, df) in effects.items()}
    expected = {
        "generation": (ms["generation"] - rest) / (j * o),
        "judge_prompt": (ms["judge_prompt"] - rest) / (r * o),
        "order_prompt": (ms["order_prompt"] - rest) / (r * j),
        "judge_order": (ms["judge_order"] - rest) / (p * r),
        "judge": (ms["judge"] - ms["judge_prompt"] - ms["judge_order"] + rest) / (p * r * o),
        "order": (ms["order"] - ms["order_prompt"] - ms["judge_order"] + rest) / (p * r * j),
        "prompt": (ms["prompt"] - ms["generation"] - ms["judge_prompt"] - ms["order_prompt"] + 2 * rest) / (r * j * o),
        "residual": rest,
    }
    assert raws(values) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("shape", "formulas"),
    [
        ((14, 3, 1, 2), {"generation": "0 + C(g)", "order": "0 + C(o)", "order_prompt": "0 + C(p):C(o)"}),
        ((14, 1, 3, 2), {"judge": "0 + C(j)", "judge_prompt": "0 + C(p):C(j)", "order": "0 + C(o)",
                         "order_prompt": "0 + C(p):C(o)", "judge_order": "0 + C(j):C(o)"}),
    ],
)  # fmt: skip
def test_mixed_model_agrees_where_no_estimate_is_negative(shape, formulas):
    """REML equals the ANOVA estimators on balanced data inside the parameter space (Searle et al. 1992, ch. 4.8)."""
    import pandas as pd
    import statsmodels.formula.api as smf

    values = next(v for seed in range(99) if min(raws(v := drawn(np.random.default_rng(seed), shape)).values()) > 2e-5)
    places = np.indices(shape).reshape(4, -1)
    frame = pd.DataFrame({"y": values.reshape(-1), "p": places[0], "j": places[2], "o": places[3], "all": 1})
    frame["g"] = places[0] * shape[1] + places[1]
    frame["y"] *= 10
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = smf.mixedlm("y ~ 1", frame, groups="all", vc_formula={"prompt": "0 + C(p)", **formulas})
        fitted = model.fit(reml=True, method=["bfgs", "powell"], maxiter=2000, gtol=1e-9)
    found = {name: float(value) / 100 for name, value in zip(model.exog_vc.names, fitted.vcomp, strict=True)}
    found["residual"] = float(fitted.scale) / 100
    mine = raws(values)
    assert set(found) == set(mine)
    for name, value in mine.items():
        assert found[name] == pytest.approx(value, rel=0.02, abs=5e-6), name


def test_the_estimators_are_unbiased():
    rng = np.random.default_rng(11)
    found = [raws(drawn(rng, (12, 3, 3, 2))) for _ in range(3000)]
    for name, sd in TRUE.items():
        values = np.array([one[name] for one in found])
        assert abs(values.mean() - sd**2) < 4 * values.std() / math.sqrt(values.size), name


def test_the_error_is_that_of_the_prompts_means():
    """The parts add up to what the prompts' scores themselves show, where no part was set to 0."""
    values = next(
        v for seed in range(99) if min(raws(v := drawn(np.random.default_rng(seed), (30, 3, 2, 2))).values()) > 0
    )
    means = values.mean(axis=(1, 2, 3))
    assert advice(split(values, rng=RNG)).se == pytest.approx(means.std(ddof=1) / math.sqrt(30), rel=1e-12)


def test_what_repeats_are_worth_by_hand():
    """60 prompts, 5 repeats; a prompt's part of 5 and a generation's of 1: 60 · (5 + 1) / (5 + 1/5) = 69.2 prompts."""
    parts = {"prompt": 5.0, "generation": 1.0, "residual": 0.0}
    single, five = (per_prompt(parts, repeats=n, judges=1, orders=2) for n in (1, 5))
    assert 60 * single / five == pytest.approx(69.23, abs=0.01)


def test_prompts_help_most_wherever_prompts_differ():
    found = advice(split(drawn(np.random.default_rng(2), (60, 4, 2, 2)), rng=RNG))
    assert found.best == "prompts"
    assert found.doubled["prompts"] == pytest.approx(found.se / math.sqrt(2))
    assert found.doubled["prompts"] <= min(found.doubled["repeats"], found.doubled["judges"])
    assert found.best_here in ("repeats", "judges")
    assert found.spread_out == pytest.approx(found.se * math.sqrt(found.worth / found.spread_prompts))
    assert found.worth_ci[0] <= found.worth <= found.worth_ci[1]
    assert 60 <= found.worth <= 240


def test_the_interval_of_what_repeats_are_worth_holds_it():
    rng = np.random.default_rng(21)
    sds = TRUE | {"judge_prompt": 0.0, "judge": 0.0, "judge_order": 0.0}
    parts = {name: sd**2 for name, sd in sds.items()}
    single, three = (per_prompt(parts, repeats=n, judges=1, orders=2) for n in (1, 3))
    truth, held = 80 * single / three, 0
    for _ in range(400):
        low, high = advice(split(drawn(rng, (80, 3, 1, 2), sds), rng=rng, resamples=200)).worth_ci
        held += low <= truth <= high
    assert held / 400 >= 0.91


@pytest.mark.parametrize(
    ("shape", "unknown"),
    [
        ((9, 2, 2, 2), set()),
        ((9, 2, 1, 2), {"judge", "judge_prompt", "judge_order"}),
        ((9, 1, 2, 2), {"generation"}),
        ((9, 2, 2, 1), {"order", "order_prompt", "judge_order"}),
        ((9, 3, 1, 1), {"generation", "judge", "judge_prompt", "order", "order_prompt", "judge_order"}),
        ((9, 1, 3, 1), {"generation", "judge_prompt", "order", "order_prompt", "judge_order"}),
        ((9, 1, 1, 2), {"generation", "judge", "judge_prompt", "order_prompt", "judge_order"}),
    ],
)
def test_what_a_design_cannot_tell_apart_has_a_reason_and_no_figure(shape, unknown):
    found = split(np.random.default_rng(1).random(shape), rng=RNG)
    assert {name for name, part in found.parts.items() if part.variance is None} == unknown
    assert all((part.reason is None) == (part.variance is not None) for part in found.parts.values())
    assert tuple(found.parts) == PARTS
    advised = advice(found)
    assert (advised.worth is None) == (shape[1] == 1)
    assert (advised.doubled["repeats"] is None) == (shape[1] == 1)
    assert (advised.doubled["judges"] is None) == (shape[2] == 1)


def test_one_verdict_of_each_generation_leaves_it_in_what_is_left():
    assert split(RNG.random((9, 3, 1, 1)), rng=RNG).parts["generation"].reason == WITHIN_RESIDUAL


@pytest.mark.parametrize("shape", [(1, 3, 2, 2), (9, 1, 1, 1), (0, 2, 1, 1)])
def test_one_prompt_or_one_verdict_a_prompt_is_not_split(shape):
    assert split(np.full(shape, 0.5) if shape[0] == 0 else RNG.random(shape), rng=RNG) is None


def test_verdicts_that_never_differ_give_no_share_and_no_advice():
    found = split(np.full((20, 2, 2, 2), 0.5), rng=RNG)
    assert found.total == 0
    assert all(part.variance == 0 and part.share is None and part.ci is None for part in found.parts.values())
    assert advice(found) is None


@pytest.mark.parametrize("bad", [np.nan, 1.2, -0.1, np.inf])
def test_a_value_that_is_no_verdict_is_refused(bad):
    values = np.full((4, 2, 1, 2), 0.5)
    values[1, 0, 0, 1] = bad
    with pytest.raises(ValueError, match="values in"):
        split(values, rng=RNG)


def test_swapping_candidate_and_baseline_changes_no_part():
    values = drawn(np.random.default_rng(5), (20, 2, 2, 2))
    assert raws(1 - values) == pytest.approx(raws(values), abs=1e-12)


def test_few_prompts_give_no_interval():
    found = split(RNG.random((9, 2, 1, 2)), rng=RNG)
    assert all(part.ci is None for part in found.parts.values())
    assert advice(found).worth_ci is None


def test_many_prompts_are_weighted_in_groups_with_as_wide_an_interval():
    values = drawn(np.random.default_rng(6), (3200, 2, 1, 2))
    ends = [split(part, rng=np.random.default_rng(1)).parts["prompt"].ci for part in (values, values[:800])]
    all_of_them, a_quarter = (high - low for low, high in ends)
    assert all_of_them == pytest.approx(a_quarter / 2, rel=0.2)
