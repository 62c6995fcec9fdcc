"""Where the differences between single verdicts come from: prompt, generation, judge, order, and what is left.

A balanced table in, method-of-moments (ANOVA) estimators out. Every effect is taken as random; a generation is nested
in its prompt, judges and orders are crossed with both. What the design cannot tell apart is not estimated, and said.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# The parts of a single verdict's variance, in the order in which they are told.
PARTS = (
    "prompt",
    "generation",
    "judge",
    "judge_prompt",
    "order",
    "order_prompt",
    "judge_order",
    "residual",
)
WITHIN_RESIDUAL = "too little was asked of each response pair: it is part of what is left"
RESAMPLES = 400
# Resampling fewer prompts than this says too little of others.
FEWEST_FOR_INTERVAL = 10
# More prompts than this are weighted in as many groups: what is drawn stays small, and so does its error.
MOST_GROUPS = 2000
# Rounding of a sum of squares that is zero, per verdict.
_NOTHING = 1e-12


@dataclass(frozen=True, kw_only=True, slots=True)
class Design:
    """How many prompts, repeats (generations a prompt), judges and orders a balanced table has."""

    prompts: int
    repeats: int
    judges: int
    orders: int

    @property
    def verdicts(self) -> int:
        return self.prompts * self.repeats * self.judges * self.orders


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One part of the variance. `variance` None: not told apart, for the `reason`. `raw` may be negative.

    A negative estimate counts as 0. `share` is of the sum of all parts, `ci` its 95 % bootstrap interval over prompts;
    both are None where nothing varies, `ci` also with fewer than 10 prompts.
    """

    variance: float | None
    raw: float | None = None
    share: float | None = None
    ci: tuple[float, float] | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """The parts of a single verdict's variance, `total` their sum. `draws` holds bootstrap draws of every part."""

    design: Design
    parts: Mapping[str, Part]
    total: float
    draws: Mapping[str, Array]


def split(values: Array, *, rng: np.random.Generator, resamples: int = RESAMPLES) -> Split | None:
    """The variance of a single verdict by its parts; None where no prompt has two verdicts, or there is one prompt.

    `values` has the shape (prompts, repeats, judges, orders) and lies in [0, 1], 1 for the candidate. The estimators
    are unbiased before negative ones are set to 0 (Searle, Casella & McCulloch 1992, Variance Components, ch. 4–5;
    expected mean squares as in Cornfield & Tukey 1956, 10.1214/aoms/1177728067). Intervals are of the Bayesian
    bootstrap over prompts (Rubin 1981, 10.1214/aos/1176345338): what other prompts would have shown, of these judges.
    Raises ValueError where a value is missing or outside [0, 1], or the table has another shape.
    """
    if values.ndim != 4 or not ((values >= 0) & (values <= 1)).all():
        raise ValueError("a table of verdicts has four axes, and values in [0, 1] without gaps")
    prompts, repeats, judges, orders = values.shape
    design = Design(prompts=prompts, repeats=repeats, judges=judges, orders=orders)
    if prompts < 2 or design.verdicts < 2 * prompts:
        return None
    sums = _sums(values - values.mean())
    raw = {name: float(value) for name, value in _estimates(sums.sum(axis=0), design).items()}
    draws: dict[str, Array] = {}
    if prompts >= FEWEST_FOR_INTERVAL and resamples > 0:
        drawn = _estimates(resampled(sums, rng, resamples), design)
        draws = {name: np.maximum(found, 0) for name, found in drawn.items()}
    total = sum(max(0.0, value) for value in raw.values())
    parts = {name: _part(name, raw, total, draws, design) for name in PARTS}
    return Split(design=design, parts=parts, total=total, draws=draws)


def _part(name: str, raw: Mapping[str, float], total: float, draws: Mapping[str, Array], design: Design) -> Part:
    if name not in raw:
        return Part(variance=None, reason=_reason(name, design))
    variance = max(0.0, raw[name])
    share = variance / total if total > 0 else None
    return Part(variance=variance, raw=raw[name], share=share, ci=_share_interval(name, draws))


def _share_interval(name: str, draws: Mapping[str, Array]) -> tuple[float, float] | None:
    if not draws:
        return None
    total = np.sum(list(draws.values()), axis=0)
    return percentiles(draws[name][total > 0] / total[total > 0])


def percentiles(draws: Array) -> tuple[float, float] | None:
    """The middle 95 % of bootstrap draws; None where there are none."""
    if draws.size == 0:
        return None
    low, high = np.quantile(draws, (0.025, 0.975))
    return float(low), float(high)


def _terms(design: Design) -> tuple[str, ...]:
    """The parts that this design can tell apart, without the residual.

    Where no degree of freedom would be left for the residual, the interaction within a prompt stands in its place.
    """
    several = {"repeat": design.repeats > 1, "judge": design.judges > 1, "order": design.orders > 1}
    crossed = sum(several.values())
    terms = ["prompt"]
    if several["repeat"] and crossed > 1:
        terms.append("generation")
    if several["judge"]:
        terms += ["judge", "judge_prompt"] if crossed > 1 else ["judge"]
    if several["order"]:
        terms += ["order", "order_prompt"] if crossed > 1 else ["order"]
    if several["judge"] and several["order"]:
        terms.append("judge_order")
    return tuple(terms)


def _reason(name: str, design: Design) -> str:
    if name == "judge_prompt" and design.judges == 1:
        return "there is one judge: it is part of the prompt's share"
    if "judge" in name and design.judges == 1:
        return "there is one judge"
    if "order" in name and design.orders == 1:
        return "every response pair was judged in one order"
    if name == "generation" and design.repeats == 1:
        return "there is one repeat: it is part of the prompt's share"
    return WITHIN_RESIDUAL


def _sums(values: Array) -> Array:
    """What every prompt adds to the sums that all mean squares are made of, a row a prompt."""
    prompts, _, judges, orders = values.shape
    by_judge, by_order = values.mean(axis=(1, 3)), values.mean(axis=(1, 2))
    columns = [
        (values**2).sum(axis=(1, 2, 3))[:, None],
        (values.mean(axis=(1, 2, 3)) ** 2)[:, None],
        (values.mean(axis=(2, 3)) ** 2).sum(axis=1)[:, None],
        (by_judge**2).sum(axis=1)[:, None],
        (by_order**2).sum(axis=1)[:, None],
        values.mean(axis=1).reshape(prompts, judges * orders),
    ]
    return np.concatenate(columns, axis=1)


def resampled(sums: Array, rng: np.random.Generator, resamples: int) -> Array:
    """The sums over prompts with random weights that add up to their number; of many prompts, group by group."""
    prompts = sums.shape[0]
    sizes = np.ones(prompts)
    if prompts > MOST_GROUPS:
        starts = np.linspace(0, prompts, MOST_GROUPS, endpoint=False).astype(np.int64)
        sums, sizes = np.add.reduceat(sums, starts, axis=0), np.diff(np.append(starts, prompts)).astype(np.float64)
    weights = rng.standard_exponential((resamples, sizes.size))
    weights *= prompts / (weights @ sizes)[:, None]
    return np.asarray(weights @ sums)


def _estimates(sums: Array, design: Design) -> dict[str, Array]:
    """Unclipped variance components from sums over prompts (last axis); any leading axes are kept."""
    p, r, j, o = design.prompts, design.repeats, design.judges, design.orders
    squares, by_prompt, by_generation, by_judge, by_order = (sums[..., place] for place in range(5))
    cells = sums[..., 5:].reshape(*sums.shape[:-1], j, o) / p
    correction = design.verdicts * cells.mean(axis=(-2, -1)) ** 2
    prompt = r * j * o * by_prompt
    judge = p * r * o * (cells.mean(axis=-1) ** 2).sum(axis=-1) - correction
    order = p * r * j * (cells.mean(axis=-2) ** 2).sum(axis=-1) - correction
    found = {
        "prompt": (prompt - correction, p - 1),
        "generation": (j * o * by_generation - prompt, p * (r - 1)),
        "judge": (judge, j - 1),
        "judge_prompt": (r * o * by_judge - prompt - judge, (p - 1) * (j - 1)),
        "order": (order, o - 1),
        "order_prompt": (r * j * by_order - prompt - order, (p - 1) * (o - 1)),
        "judge_order": (p * r * (cells**2).sum(axis=(-2, -1)) - correction - judge - order, (j - 1) * (o - 1)),
    }
    terms = _terms(design)
    left = squares - correction - sum(found[name][0] for name in terms)
    degrees = design.verdicts - 1 - sum(found[name][1] for name in terms)
    means = {name: found[name][0] / found[name][1] for name in terms} | {"residual": left / degrees}
    return _solved(means, design)


def _solved(means: Mapping[str, Array], design: Design) -> dict[str, Array]:
    """Components from mean squares: each mean square less what the finer effects add to it, over its count."""
    p, r, j, o = design.prompts, design.repeats, design.judges, design.orders
    rest = means["residual"]
    size = {"generation": j * o, "judge_prompt": r * o, "order_prompt": r * j, "judge_order": p * r}
    more = {name: means[name] - rest for name in size if name in means}
    found = {name: value / size[name] for name, value in more.items()}

    def above(name: str, finer: tuple[str, ...], count: int) -> None:
        if name in means:
            found[name] = (means[name] - rest - sum(more[part] for part in finer if part in more)) / count

    above("prompt", ("generation", "judge_prompt", "order_prompt"), r * j * o)
    above("judge", ("judge_prompt", "judge_order"), p * r * o)
    above("order", ("order_prompt", "judge_order"), p * r * j)
    found["residual"] = rest
    return {name: np.where(np.abs(value) < _NOTHING, 0.0, value) for name, value in found.items()}


def per_prompt(parts: Mapping[str, Array | float], *, repeats: int, judges: int, orders: int) -> Array | float:
    """The variance of a prompt's score (mean over repeats, judges and orders) over prompts drawn anew.

    What judges or orders add alike to every prompt does not differ between prompts, so that it is not in it. `parts`
    without one that the design could not tell apart holds it in another, where it is divided as that one is.
    """
    return (
        parts["prompt"]
        + parts.get("generation", 0.0) / repeats
        + parts.get("judge_prompt", 0.0) / judges
        + parts.get("order_prompt", 0.0) / orders
        + parts["residual"] / (repeats * judges * orders)
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Advice:
    """What more of would help. Standard errors are of the win rate (mean over these judges), 0.03 being three points.

    `worth` is how many prompts with one repeat tell as much as these with theirs, None where there is one repeat.
    `spread_out` is the standard error of as many calls on `spread_prompts` prompts with one repeat. `doubled` holds the
    standard error with twice the prompts, repeats or judges, None where this design cannot say; `best` of these is the
    lowest, `best_here` the lowest that needs no new prompt.
    """

    prompts: int
    repeats: int
    judges: int
    se: float
    worth: float | None
    worth_ci: tuple[float, float] | None
    spread_prompts: int
    spread_out: float | None
    doubled: Mapping[str, float | None]
    best: str
    best_here: str | None


def advice(found: Split) -> Advice | None:
    """What the parts of the variance advise; None where the scores of prompts do not vary at all.

    The variance of a win rate over n prompts is `per_prompt` / n (Searle, Casella & McCulloch 1992; as the decision
    studies of generalizability theory, Brennan 2001, ch. 3). A call is one verdict asked.
    """
    design = found.design
    n, r, j, o = design.prompts, design.repeats, design.judges, design.orders
    parts = {name: part.variance for name, part in found.parts.items() if part.variance is not None}

    def se(prompts: int, repeats: int = r, judges: int = j) -> float:
        return math.sqrt(float(per_prompt(parts, repeats=repeats, judges=judges, orders=o)) / prompts)

    now = se(n)
    if now**2 <= _NOTHING:
        return None
    doubled = {
        "prompts": se(2 * n),
        "repeats": se(n, repeats=2 * r) if r > 1 else None,
        "judges": se(n, judges=2 * j) if j > 1 else None,
    }
    here = {name: value for name, value in doubled.items() if value is not None and name != "prompts"}
    single = se(n, repeats=1) if r > 1 else None
    return Advice(
        prompts=n,
        repeats=r,
        judges=j,
        se=now,
        worth=n * single**2 / now**2 if single is not None else None,
        worth_ci=_worth_interval(found) if r > 1 else None,
        spread_prompts=n * r,
        spread_out=se(n * r, repeats=1) if r > 1 else None,
        doubled=doubled,
        best=min((name for name, value in doubled.items() if value is not None), key=lambda name: doubled[name] or 0.0),
        best_here=min(here, key=lambda name: here[name]) if here else None,
    )


def _worth_interval(found: Split) -> tuple[float, float] | None:
    if not found.draws:
        return None
    design = found.design
    now = np.asarray(
        per_prompt(found.draws, repeats=design.repeats, judges=design.judges, orders=design.orders), dtype=np.float64
    )
    single = np.asarray(per_prompt(found.draws, repeats=1, judges=design.judges, orders=design.orders))
    return percentiles(design.prompts * single[now > _NOTHING] / now[now > _NOTHING])
