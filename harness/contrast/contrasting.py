"""From a pair of sides to what differs: the mean difference, its test, its size, by slice and by judge.

Pure: the same pair and seed give the same value, in whatever order files held their prompts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.contrast.results import FEWEST_FOR_BOOTSTRAP, SEED, Contrast, Level, Part, Test, level_of
from harness.contrast.sides import Pair, Side
from harness.stats import classes
from harness.stats.bootstrap import RESAMPLES, bca_interval, resampled_means
from harness.stats.classpair import ClassDifference, f1_difference
from harness.stats.clusters import Clustered, no_narrower
from harness.stats.effect import cohens_d, cohens_dz, cohens_h
from harness.stats.intervals import mean_score, sign_test, visible_difference
from harness.stats.multiple import benjamini_hochberg, holm
from harness.stats.paired import Difference, McNemar, clustered_difference, mcnemar_of, mean_difference
from harness.stats.signflip import RESAMPLES as FLIPS
from harness.stats.signflip import SignFlip, sign_flip, wilcoxon
from harness.stats.unpaired import rates, welch

Array = NDArray[np.float64]
ALPHA = 0.05
# Where prompts are very many, fewer resamples: a cross-check may not take longer than all the rest.
MOST_DRAWS = 100_000_000
FEWEST_RESAMPLES = 1_999


@dataclass(frozen=True, kw_only=True, slots=True)
class _Tested:
    """A difference with the test that goes with it."""

    difference: Difference
    test: Test
    p_value: float | None
    mcnemar: McNemar | None = None
    permutation: SignFlip | None = None


def contrast(pair: Pair, *, seed: int = SEED) -> Contrast:
    """All that one comparison of two sides says; `seed` is of the resampling."""
    found = _tested(pair, pair.a, pair.b, seed)
    a, b = _level(pair.side_a, pair.ids, pair.a, pair.scale), _level(pair.side_b, pair.ids_b, pair.b, pair.scale)
    clusters = None
    if pair.difference is not None and pair.clusters is not None:
        clusters = clustered_difference(pair.difference, pair.clusters, bounds=_bounds(pair))
    whole = Contrast(
        pair=pair,
        a=a,
        b=b,
        difference=found.difference,
        test=found.test,
        p_value=found.p_value,
        better=None,
        effect=_effect(pair),
        visible=_visible(found.difference, _bounds(pair)),
        slices=_slices(pair, seed),
        judges=_judges(pair, seed),
        mcnemar=found.mcnemar,
        permutation=found.permutation,
        wilcoxon=wilcoxon(pair.difference) if pair.difference is not None and pair.kind != "predictions" else None,
        bca=_bca(pair, seed),
        clusters=clusters,
        macro_f1=_macro(pair),
    )
    return replace(whole, better=_better(whole))


def family(pairs: Sequence[Pair], *, seed: int = SEED) -> tuple[Contrast, ...]:
    """Several comparisons with one side, declared together: p-values, clusters counted, adjusted after Holm."""
    found = [contrast(pair, seed=seed) for pair in pairs]
    adjusted = _adjusted([_of_family(one) for one in found], holm)
    whole = [replace(one, p_adjusted=p) for one, p in zip(found, adjusted, strict=True)]
    return tuple(replace(one, better=_better(one)) for one in whole)


def _of_family(one: Contrast) -> float | None:
    """The p-value that a family adjusts: of one cluster alone nothing can be told."""
    careful = _counting(one.clusters, one.p_value)
    return 1.0 if careful is None and one.p_value is not None else careful


def _tested(pair: Pair, a: Array, b: Array, seed: int) -> _Tested:
    """The difference of two score arrays of a pair (all of it, or a slice) and its test."""
    binary = pair.kind == "predictions"
    if not pair.paired:
        difference, p_value = rates(a, b) if binary else welch(a, b)
        return _Tested(difference=difference, test="fisher" if binary else "welch", p_value=p_value)
    difference = mean_difference(b - a, bounds=_bounds(pair))
    if binary:
        counts = mcnemar_of(a, b)
        p_value = counts.p_value if a.size else None
        return _Tested(difference=difference, test="mcnemar", p_value=p_value, mcnemar=counts)
    flipped = sign_flip(b - a, np.random.default_rng(seed), resamples=_resamples(a.size, FLIPS))
    p_value = flipped.p_value if a.size else None
    return _Tested(difference=difference, test="permutation", p_value=p_value, permutation=flipped)


def _bounds(pair: Pair) -> tuple[float, float] | None:
    """The range of a difference of two scores."""
    if pair.scale is None:
        return None
    low, high = pair.scale
    return low - high, high - low


def _level(side: Side, ids: Sequence[str], scores: Array, scale: tuple[float, float] | None) -> Level:
    """A side's own figures, all of them over the same prompts."""
    if side.kind == "scores":
        own = mean_difference(scores, bounds=scale)
        return Level(n=own.n, mean=own.mean, ci=own.ci)
    level = level_of(mean_score(scores))
    if side.kind != "predictions":
        return level
    compared = {*ids}
    kept = [record for record in side.predictions if record.id in compared]
    counted = classes.confusion([record.label for record in kept], [record.prediction for record in kept])
    return replace(level, macro_f1=classes.macro_f1(counted), mcc=classes.mcc(counted))


def _macro(pair: Pair) -> ClassDifference | None:
    """The difference of macro F1, of predictions of the same items."""
    if pair.kind != "predictions" or not pair.paired or not pair.ids:
        return None
    sides = [{record.id: record for record in side.predictions} for side in (pair.side_a, pair.side_b)]
    gold = [sides[0][name].label for name in pair.ids]
    a, b = ([side[name].prediction for name in pair.ids] for side in sides)
    return f1_difference(gold, a, b, clusters=pair.clusters)


def _effect(pair: Pair) -> float | None:
    if pair.kind == "predictions":
        return cohens_h(float(pair.a.mean()), float(pair.b.mean()))
    return cohens_dz(pair.difference) if pair.difference is not None else cohens_d(pair.a, pair.b)


def _visible(difference: Difference, bounds: tuple[float, float] | None) -> float | None:
    """None where nothing varies, as a spread of 0 does not say it, and where no difference that can be would show."""
    if not difference.se or difference.n < 2:
        return None
    found = visible_difference(difference.se * math.sqrt(difference.n), difference.n)
    return found if bounds is None or found <= bounds[1] else None


def _bca(pair: Pair, seed: int) -> tuple[float, float] | None:
    if pair.difference is None or pair.difference.size < FEWEST_FOR_BOOTSTRAP:
        return None
    resamples = _resamples(pair.difference.size, RESAMPLES)
    return bca_interval(pair.difference, resampled_means(pair.difference, np.random.default_rng(seed), resamples))


def _resamples(n: int, wanted: int) -> int:
    return max(FEWEST_RESAMPLES, min(wanted, MOST_DRAWS // max(n, 1)))


def _better(found: Contrast) -> Literal["a", "b"] | None:
    """The side that interval and test agree on, and the clusters too where there are any."""
    ends, p_value = found.difference.ci, found.p_final
    if ends is None or p_value is None or p_value > ALPHA or not _excludes(ends):
        return None
    if found.clusters is not None and not _holds(found.clusters, ends[0] > 0):
        return None
    return "b" if ends[0] > 0 else "a"


def _excludes(ends: tuple[float, float]) -> bool:
    return ends[0] > 0 or ends[1] < 0


def _holds(clusters: Clustered, above: bool) -> bool:
    return clusters.ci is not None and (clusters.ci[0] > 0 if above else clusters.ci[1] < 0)


def _counting(clusters: Clustered | None, p_value: float | None) -> float | None:
    """The more careful p-value of two: the one that takes prompts as independent, and the one that counts clusters.

    Clusters that do not differ at all have the sign test of as many, one alone has none.
    """
    if clusters is None or p_value is None:
        return p_value
    if clusters.p_value is not None:
        return max(p_value, clusters.p_value)
    return max(p_value, sign_test(clusters.clusters, 0)) if clusters.clusters > 1 else None


def _clustered(pair: Pair, a: Array, b: Array, ids: Sequence[str], tested: _Tested) -> _Tested:
    """A part's interval and p-value where its prompts share clusters: no narrower, and no smaller, than theirs."""
    known = {**pair.side_b.clusters, **pair.side_a.clusters}
    names = [f"c {known[name]}" if name in known else f"p {name}" for name in ids]
    own, ends = tested.difference, tested.difference.ci
    if not pair.paired or len(set(names)) == len(names):
        return tested
    rough = clustered_difference(b - a, names, bounds=_bounds(pair))
    if ends is None:
        return replace(tested, p_value=_counting(rough, tested.p_value))
    ci = no_narrower(ends, rough.ci)
    if ci is None:
        reason = "its prompts are all of one cluster" if rough.clusters < 2 else "its clusters do not differ"
        return replace(tested, difference=replace(own, se=None, ci=None, reason=reason), p_value=None)
    return replace(tested, difference=replace(own, ci=ci), p_value=_counting(rough, tested.p_value))


def _slices(pair: Pair, seed: int) -> dict[str, Part]:
    found = {}
    for name in sorted(pair.slices.keys() | pair.slices_b.keys()):
        nothing = np.empty(0, dtype=np.intp)
        places = pair.slices.get(name, nothing)
        a, b = pair.a[places], pair.b[pair.slices_b.get(name, nothing)]
        own = [pair.ids[place] for place in places.tolist()]
        found[name] = _part(a, b, _clustered(pair, a, b, own, _tested(pair, a, b, seed)))
    return _with_adjusted(found, benjamini_hochberg)


def _judges(pair: Pair, seed: int) -> dict[str, Part]:
    """The difference by each judge that counts on both sides, where two or more do."""
    names = sorted({*pair.side_a.facts.counting} & {*pair.side_b.facts.counting})
    if len(names) < 2:
        return {}
    found = {}
    for name in names:
        a, b = (side.by_judge[name] for side in (pair.side_a, pair.side_b))
        common = sorted(a.keys() & b.keys())
        arrays = [
            np.array([scores[prompt] for prompt in (common if pair.paired else sorted(scores))], dtype=np.float64)
            for scores in (a, b)
        ]
        tested = _tested(pair, arrays[0], arrays[1], seed)
        found[name] = _part(arrays[0], arrays[1], _clustered(pair, arrays[0], arrays[1], common, tested))
    return _with_adjusted(found, holm)


def _part(a: Array, b: Array, tested: _Tested) -> Part:
    return Part(
        n=tested.difference.n,
        a=math.fsum(a.tolist()) / a.size if a.size else None,
        b=math.fsum(b.tolist()) / b.size if b.size else None,
        difference=tested.difference,
        p_value=tested.p_value,
    )


def _with_adjusted(
    parts: Mapping[str, Part], adjust: Callable[[Sequence[float]], NDArray[np.float64]]
) -> dict[str, Part]:
    adjusted = _adjusted([part.p_value for part in parts.values()], adjust)
    return {name: replace(part, p_adjusted=p) for (name, part), p in zip(parts.items(), adjusted, strict=True)}


def _adjusted(
    p_values: Sequence[float | None], adjust: Callable[[Sequence[float]], NDArray[np.float64]]
) -> list[float | None]:
    """Adjusted p-values over those that are there."""
    there = iter(adjust([p for p in p_values if p is not None]).tolist())
    return [None if p is None else next(there) for p in p_values]
