"""Where the differences between single grades come from: prompts, turns, samples, judges, and a judge's own noise.

A balanced table in, method-of-moments (ANOVA) estimators out. Samples are nested in prompts and askings in everything;
turns and judges are crossed with prompts. A turn's level is fixed and no part of the variance (every prompt has these
turns); every other effect is random. What the design cannot tell apart is in the next coarser part, and said so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.stats.variance import RESAMPLES, Part, percentiles, resampled

Array = NDArray[np.float64]
# In simulations the intervals of fewer prompts are too narrow (see `split`).
FEWEST_FOR_INTERVAL = 40

_AXES = "pstja"
# The parts of a single grade's variance in the order in which they are told, by what they differ between: p(rompts),
# s(amples) of them, t(urns), j(udges), a(skings). The last set of each is its own; finer ones are pooled with it.
TERMS: Mapping[str, tuple[str, ...]] = {
    "prompt": ("p",),
    "turn": ("pt",),
    "sample": ("ps",),
    "answer": ("pst",),
    "judge": ("j",),
    "judge_turn": ("tj",),
    "judge_prompt": ("pj",),
    "judge_answer": ("ptj", "psj", "pstj"),
    "noise": ("pstja",),
}
# Every set of axes that has means of its own, coarser ones first; samples belong to a prompt, askings to a grading.
_SETS = ("", "t", "j", "tj", "p", "pt", "ps", "pj", "pst", "ptj", "psj", "pstj", "pstja")
_BY_PROMPT = tuple(axes for axes in _SETS if "p" in axes)
# Rounding of a variance that is zero, as a share of all variance.
_NOTHING = 1e-12


@dataclass(frozen=True, kw_only=True, slots=True)
class Design:
    """How many prompts, samples of each, turns, judges and askings of a judge a balanced table has."""

    prompts: int
    samples: int
    turns: int
    judges: int
    askings: int

    @property
    def grades(self) -> int:
        """Single grades."""
        return self.count(_AXES)

    def count(self, axes: str) -> int:
        """How many cells these axes have."""
        sizes = (self.prompts, self.samples, self.turns, self.judges, self.askings)
        return math.prod(size for axis, size in zip(_AXES, sizes, strict=True) if axis in axes)


@dataclass(frozen=True, kw_only=True, slots=True)
class GradeSplit:
    """The parts of a single grade's variance, `total` their sum; parts that cannot be told apart are not among them."""

    design: Design
    parts: Mapping[str, Part]
    total: float


def split(values: Array, *, rng: np.random.Generator, resamples: int = RESAMPLES) -> GradeSplit | None:
    """The variance of a single grade by its parts; None where no prompt has two grades, or there is one prompt.

    `values` has the shape (prompts, samples, turns, judges, askings). The estimators are unbiased before negative ones
    are set to 0 (Searle, Casella & McCulloch 1992, Variance Components, ch. 4–5). Intervals are of the Bayesian
    bootstrap over prompts (Rubin 1981, 10.1214/aos/1176345338); with 40 prompts they hold a share about 90 times in
    100, with 11 as seldom as 79, so that there are none below 40, nor of a part whose estimate was set to 0. Raises
    ValueError where a value is not finite, or the table has another shape.
    """
    if values.ndim != 5 or not np.isfinite(values).all():
        raise ValueError("a table of grades has five axes, and finite values without gaps")
    prompts, samples, turns, judges, askings = values.shape
    design = Design(prompts=prompts, samples=samples, turns=turns, judges=judges, askings=askings)
    if prompts < 2 or design.grades < 2 * prompts:
        return None
    centred = values - values.mean()
    columns, nothing = _columns(centred, design), _NOTHING * float((centred**2).mean())
    raw = {name: float(found) for name, found in _estimates(columns.sum(axis=0), design, nothing).items()}
    draws: dict[str, Array] = {}
    if prompts >= FEWEST_FOR_INTERVAL and resamples > 0:
        drawn = _estimates(resampled(columns, rng, resamples), design, nothing)
        draws = {name: np.maximum(found, 0) for name, found in drawn.items()}
    total = math.fsum(max(0.0, value) for value in raw.values())
    return GradeSplit(design=design, parts={name: _part(name, raw, total, draws) for name in raw}, total=total)


def _part(name: str, raw: Mapping[str, float], total: float, draws: Mapping[str, Array]) -> Part:
    variance = max(0.0, raw[name])
    if not total:
        return Part(variance=variance, raw=raw[name])
    ci = None
    if draws and variance:
        sums = np.sum(list(draws.values()), axis=0)
        ci = percentiles(draws[name][sums > 0] / sums[sums > 0])
    return Part(variance=variance, raw=raw[name], share=variance / total, ci=ci)


def _columns(values: Array, design: Design) -> Array:
    """What every prompt adds to the sums that all sums of squares are made of, a row a prompt."""
    found = []
    for axes in _BY_PROMPT:
        means = values.mean(axis=tuple(place for place, axis in enumerate(_AXES) if axis not in axes))
        squares = (means**2).reshape(design.prompts, -1).sum(axis=1)
        found.append(squares * design.grades / design.count(axes))
    return np.column_stack([*found, values.mean(axis=(1, 4)).reshape(design.prompts, -1)])


def _estimates(sums: Array, design: Design, nothing: float) -> dict[str, Array]:
    """Unclipped variance components from sums over prompts (last axis); any leading axes are kept."""
    squares, degrees = _squares(sums, design), _degrees(design)
    own = {name: sum(degrees[axes] for axes in sets) for name, sets in TERMS.items()}
    means = {
        name: np.sum([squares[axes] for axes in sets], axis=0) / own[name] for name, sets in TERMS.items() if own[name]
    }
    found: dict[str, Array] = {}
    # Finest first: each mean square holds its own part and those of everything finer.
    for name in sorted(means, key=lambda term: -len(TERMS[term][-1])):
        axes = TERMS[name][-1]
        finer = [other for other in found if set(axes) < set(TERMS[other][-1])]
        rest = sum((design.grades / design.count(TERMS[other][-1]) * found[other] for other in finer), np.zeros(()))
        found[name] = (means[name] - rest) * design.count(axes) / design.grades
    return {name: np.where(np.abs(found[name]) <= nothing, 0.0, found[name]) for name in TERMS if name in found}


def _squares(sums: Array, design: Design) -> dict[str, Array]:
    """The sum of squares of every set of axes, less that of the sets within it."""
    whole = {axes: sums[..., place] for place, axes in enumerate(_BY_PROMPT)}
    cells = sums[..., len(_BY_PROMPT) :].reshape(*sums.shape[:-1], design.turns, design.judges) / design.prompts
    for axes, away in (("", (-2, -1)), ("t", (-1,)), ("j", (-2,)), ("tj", ())):
        means = cells.mean(axis=away, keepdims=True) if away else cells
        whole[axes] = (means**2).sum(axis=(-2, -1)) * design.grades / design.count(axes)
    found: dict[str, Array] = {}
    for axes in _SETS:
        found[axes] = whole[axes] - sum((found[other] for other in found if set(other) < set(axes)), np.zeros(()))
    return found


def _degrees(design: Design) -> dict[str, int]:
    found: dict[str, int] = {}
    for axes in _SETS:
        found[axes] = design.count(axes) - sum(found[other] for other in found if set(other) < set(axes))
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class GradeAdvice:
    """What more of would help. Standard errors are of the mean over prompts (of the mean over these judges).

    `doubled` holds the standard error with twice the prompts, samples, judges or askings, None where this design cannot
    say. `spread` holds for samples and askings what as many gradings, one of each, on `spread_prompts` prompts give.
    """

    prompts: int
    se: float
    doubled: Mapping[str, float | None]
    spread: Mapping[str, float]
    spread_prompts: Mapping[str, int]

    @property
    def best(self) -> str:
        """What helps most when it is doubled; prompts where several help alike."""
        known = {name: value for name, value in self.doubled.items() if value is not None}
        return min(known, key=lambda name: known[name])


def advice(found: GradeSplit) -> GradeAdvice | None:
    """What the parts of the variance advise; None where the scores of prompts do not vary at all.

    The variance of a mean over n prompts is that of a prompt's score over n: every part over how many of it a prompt
    has (Searle, Casella & McCulloch 1992; as the decision studies of generalizability theory, Brennan 2001, ch. 3).
    What judges add alike to every prompt is not in it.
    """
    design = found.design
    counts = {"samples": design.samples, "judges": design.judges, "askings": design.askings}
    now = per_prompt(found, **counts)
    if now <= _NOTHING * found.total or not found.total:
        return None

    def se(prompts: int, **changed: int) -> float:
        return math.sqrt(per_prompt(found, **(counts | changed)) / prompts)

    n = design.prompts
    several = {name: count for name, count in counts.items() if count > 1}
    doubled = {name: se(n, **{name: 2 * count}) if count > 1 else None for name, count in counts.items()}
    alone = {name: count for name, count in several.items() if name != "judges"}
    return GradeAdvice(
        prompts=n,
        se=se(n),
        doubled={"prompts": se(2 * n), **doubled},
        spread={name: se(n * count, **{name: 1}) for name, count in alone.items()},
        spread_prompts={name: n * count for name, count in alone.items()},
    )


def per_prompt(found: GradeSplit, *, samples: int, judges: int, askings: int) -> float:
    """The variance of a prompt's score (its mean grade) over prompts drawn anew, with so many of each."""
    sizes = {"s": samples, "t": found.design.turns, "j": judges, "a": askings}
    return math.fsum(
        (part.variance or 0.0) / math.prod(sizes[axis] for axis in TERMS[name][-1] if axis != "p")
        for name, part in found.parts.items()
        if "p" in TERMS[name][-1]
    )
