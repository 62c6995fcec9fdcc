"""Parts of the variance of grades: by sequential linear models, by statsmodels' MixedLM, unbiased by simulation."""

import math
import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.stats.grades import TERMS, Design, advice, per_prompt, split

RNG = np.random.default_rng(4)
SDS = {
    "prompt": 1.0,
    "turn": 0.8,
    "sample": 0.6,
    "answer": 0.5,
    "judge": 0.7,
    "judge_turn": 0.3,
    "judge_prompt": 0.4,
    "judge_answer": 0.9,
    "noise": 0.35,
}
AXES = {name: sets[-1] for name, sets in TERMS.items()}


def drawn(rng, shape, sds=SDS):
    """A table of the model itself, with a level of every turn."""
    values = 5.0 + 3.0 * np.arange(shape[2])[None, None, :, None, None] + np.zeros(shape)
    for name, sd in sds.items():
        size = [n if axis in AXES[name] else 1 for axis, n in zip("pstja", shape, strict=True)]
        values = values + rng.normal(0, sd, size)
    return values


def raws(values):
    return {name: part.raw for name, part in split(values, rng=RNG, resamples=0).parts.items()}


def by_linear_models(values):
    """Sums of squares by adding one term after another to a linear model, expectations by traces; then solved."""
    p, s, t, j, _ = (index.ravel() for index in np.indices(values.shape))
    sample = p * values.shape[1] + s
    labels = {
        "turn's level": (t,),
        "prompt": (p,),
        "turn": (p, t),
        "sample": (sample,),
        "answer": (sample, t),
        "judge": (j,),
        "judge_turn": (j, t),
        "judge_prompt": (p, j),
        "judge_answer": (sample, t, j),
        "noise": (np.arange(values.size),),
    }
    effects, designs, before = {}, {}, np.full((values.size, values.size), 1 / values.size)
    so_far = np.ones((values.size, 1))
    for name, columns in labels.items():
        cell = np.unique(np.column_stack(columns), axis=0, return_inverse=True)[1].ravel()
        dummies = np.eye(cell.max() + 1)[cell]
        so_far = np.hstack([so_far, dummies])
        left, sizes, _ = np.linalg.svd(so_far, full_matrices=False)
        basis = left[:, sizes > 1e-9 * sizes[0]]
        effect, before = basis @ basis.T - before, basis @ basis.T
        if round(np.trace(effect)):
            effects[name], designs[name] = effect, dummies
    level, y = effects.pop("turn's level", None), values.ravel()
    designs.pop("turn's level", None)
    assert level is None or values.shape[2] > 1
    expected = [[np.trace(d.T @ effect @ d) for d in designs.values()] for effect in effects.values()]
    seen = [y @ effect @ y for effect in effects.values()]
    return dict(zip(effects, np.linalg.solve(expected, seen), strict=True))


@pytest.mark.parametrize(
    "shape",
    [(4, 2, 2, 2, 2), (5, 1, 2, 1, 3), (4, 3, 2, 1, 1), (6, 1, 1, 3, 1), (6, 1, 1, 1, 2), (4, 2, 1, 2, 1),
     (4, 1, 3, 2, 1), (5, 1, 2, 1, 1), (3, 2, 1, 1, 2)],
)  # fmt: skip
def test_it_is_what_linear_models_one_after_another_say(shape):
    values = drawn(np.random.default_rng(1), shape)
    assert raws(values) == pytest.approx(by_linear_models(values), abs=1e-9)


def test_two_prompts_graded_twice_by_hand():
    # Means 2 and 7, 4.5 over all: mean square of prompts 2 · (2.5² + 2.5²) = 25, within (2 · 1² + 2 · 1²) / 2 = 2.
    values = np.array([[1.0, 3.0], [6.0, 8.0]])[:, None, None, None, :]
    assert raws(values) == pytest.approx({"prompt": (25 - 2) / 2, "noise": 2.0})


@pytest.mark.filterwarnings("ignore")
def test_mixed_models_say_the_same_where_no_part_is_negative():
    from statsmodels.regression.mixed_linear_model import MixedLM

    values = drawn(np.random.default_rng(5), (40, 1, 2, 1, 3))
    p, _, t, _, _ = (index.ravel() for index in np.indices(values.shape))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MixedLM(
            values.ravel(),
            np.column_stack([np.ones(values.size), t]),
            groups=p,
            exog_re=np.ones((values.size, 1)),
            exog_vc={"turn": {g: np.eye(2)[t[p == g]] for g in range(40)}},
        ).fit(reml=True)
    found = raws(values)
    assert found["prompt"] == pytest.approx(float(np.asarray(model.cov_re)[0, 0]), rel=1e-3)
    assert found["turn"] == pytest.approx(float(model.vcomp[0]), rel=1e-3)
    assert found["noise"] == pytest.approx(float(model.scale), rel=1e-3)


def test_estimates_are_unbiased():
    rng = np.random.default_rng(6)
    rows = np.array([list(raws(drawn(rng, (12, 2, 2, 3, 2))).values()) for _ in range(400)])
    errors = (rows.mean(axis=0) - np.square(list(SDS.values()))) / (rows.std(axis=0, ddof=1) / math.sqrt(len(rows)))
    assert np.abs(errors).max() < 3.5


SIZES = st.tuples(st.integers(2, 6), *[st.integers(1, 3)] * 4).filter(lambda shape: math.prod(shape[1:]) > 1)


@settings(max_examples=60, deadline=None)
@given(shape=SIZES, seed=st.integers(0, 10_000))
def test_the_parts_make_up_the_standard_error_of_the_mean(shape, seed):
    # Whatever cannot be told apart: before anything is set to 0, a prompt's variance is that of the prompts' means.
    values = drawn(np.random.default_rng(seed), shape)
    found = split(values, rng=RNG, resamples=0)
    exact = replace(found, parts={name: replace(part, variance=part.raw) for name, part in found.parts.items()})
    scores = values.mean(axis=(1, 2, 3, 4))
    _, samples, _, judges, askings = shape
    assert per_prompt(exact, samples=samples, judges=judges, askings=askings) == pytest.approx(scores.var(ddof=1))


@settings(max_examples=30, deadline=None)
@given(shape=SIZES, seed=st.integers(0, 10_000))
def test_the_scale_s_place_and_the_order_of_prompts_and_askings_change_nothing(shape, seed):
    rng = np.random.default_rng(seed)
    values = drawn(rng, shape)
    other = rng.permutation(rng.permutation(values, axis=0), axis=4) + 100
    assert raws(other) == pytest.approx(raws(values), abs=1e-8)


def test_a_turn_s_level_is_no_part_of_it():
    values = drawn(np.random.default_rng(7), (20, 1, 2, 1, 2))
    harder = values - np.array([0.0, 4.0])[None, None, :, None, None]
    assert raws(harder) == pytest.approx(raws(values), abs=1e-9)


def test_intervals_hold_the_shares_they_were_drawn_with():
    rng, hits = np.random.default_rng(8), 0
    truth = 1.0 / (1.0 + 0.64 + 0.25)
    sds = {"prompt": 1.0, "turn": 0.8, "noise": 0.5}
    for _ in range(200):
        low, high = split(drawn(rng, (60, 1, 2, 1, 2), sds), rng=rng, resamples=100).parts["prompt"].ci
        hits += low <= truth <= high
    # A bootstrap over 60 prompts is a little too sure.
    assert hits / 200 >= 0.88


def test_what_does_not_differ_has_no_share():
    found = split(np.full((12, 1, 2, 1, 2), 7.0), rng=RNG)
    assert (found.total, {part.share for part in found.parts.values()}) == (0.0, {None})
    assert advice(found) is None


def test_one_prompt_or_one_grade_a_prompt_cannot_be_split():
    assert split(np.ones((1, 2, 2, 2, 2)), rng=RNG) is None
    assert split(np.arange(5.0)[:, None, None, None, None], rng=RNG) is None
    with pytest.raises(ValueError, match="five axes"):
        split(np.ones((2, 2)), rng=RNG)
    with pytest.raises(ValueError, match="finite"):
        split(np.full((2, 1, 2, 1, 1), np.nan), rng=RNG)


def test_few_prompts_have_no_interval():
    assert split(drawn(RNG, (9, 1, 2, 1, 1)), rng=RNG).parts["prompt"].ci is None


def test_more_prompts_help_most_and_askings_of_a_sure_judge_do_nothing():
    sds = {"prompt": 1.0, "turn": 0.5, "noise": 0.1}
    found = split(drawn(np.random.default_rng(9), (50, 1, 2, 1, 3), sds), rng=RNG)
    told = advice(found)
    assert (told.best, told.spread_prompts) == ("prompts", {"askings": 150})
    assert told.doubled["prompts"] == pytest.approx(told.se / math.sqrt(2))
    assert told.doubled["askings"] == pytest.approx(told.se, rel=0.01)
    assert (told.doubled["samples"], told.doubled["judges"]) == (None, None)
    assert told.spread["askings"] == pytest.approx(told.se / math.sqrt(3), rel=0.02)


def test_askings_of_a_judge_that_guesses_are_worth_prompts():
    sds = {"prompt": 0.1, "noise": 3.0}
    told = advice(split(drawn(np.random.default_rng(10), (400, 1, 1, 1, 4), sds), rng=RNG, resamples=0))
    assert told.spread["askings"] == pytest.approx(told.se, rel=0.1)


def test_counts_of_cells():
    design = Design(prompts=5, samples=2, turns=3, judges=4, askings=2)
    assert (design.grades, design.count("tj"), design.count("")) == (240, 12, 1)
