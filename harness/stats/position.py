"""Whether a judge follows the place at which a response is shown: counts in, rates with intervals out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from harness.stats.agreement import renumbered, too_few, unit_places
from harness.stats.intervals import sign_test, wilson

Counts = NDArray[np.integer[Any]]
# Prompts' worth of verdicts for either place: more than a rate of 0.1 leaves of 100 prompts (10), less than one of 0.3
# with a fifth of the verdicts tied (24).
FEW = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class FirstShown:
    """`first` of `decisive` verdicts, on the `prompts` that have any, were for whichever was shown first.

    `reason` says why `rate` is None, `unsafe` why `ci` should not be trusted or is None.
    """

    rate: float | None
    ci: tuple[float, float] | None
    first: int
    decisive: int
    prompts: int
    unsafe: str | None
    reason: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Lean:
    """Of the `n` pairs whose two orders name different winners, the share that both times names the first shown.

    A pair is one repeat of a prompt; `ci` and `p_value` are over prompts, or their clusters. `share` and `ci` are None
    where n = 0, `ci` also where one prompt is all there is; `p_value` is of a lean either way.
    """

    n: int
    toward_first: int
    toward_second: int
    share: float | None
    ci: tuple[float, float] | None
    p_value: float


def first_shown(first: Counts, decisive: Counts, clusters: NDArray[Any] | None = None) -> FirstShown:
    """The share of decisive verdicts for whichever was shown first, from counts (prompts,): for it, and of all.

    Its interval is over prompts, or their `clusters` (prompts,); prompts without a decisive verdict do not count.
    Raises ValueError where lengths differ, or a count is negative or above its `decisive`.
    """
    if first.shape != decisive.shape or first.ndim != 1:
        raise ValueError(f"{first.size} counts for the first shown stand beside {decisive.size} of decisive verdicts")
    if ((first < 0) | (first > decisive)).any():
        raise ValueError("of the decisive verdicts on a prompt, none or some or all are for the first shown")
    told = decisive > 0
    groups = renumbered(unit_places(clusters, first.size)[told])
    hits, total, prompts = int(first.sum()), int(decisive.sum()), int(told.sum())
    if not total:
        reason = "no verdict names one side"
        return FirstShown(rate=None, ci=None, first=0, decisive=0, prompts=0, unsafe=None, reason=reason)
    rate = hits / total
    sums = [np.bincount(groups, weights=counts[told]).astype(np.float64) for counts in (first, decisive)]
    return FirstShown(
        rate=rate,
        ci=_interval(sums[0], sums[1], rate),
        first=hits,
        decisive=total,
        prompts=prompts,
        unsafe=_unsafe(rate, prompts, int(sums[0].size)),
        reason=None,
    )


def _interval(first: NDArray[np.float64], decisive: NDArray[np.float64], rate: float) -> tuple[float, float] | None:
    """Of a ratio of sums over units (units,): two more units, one all for the first shown and one all against it.

    The error is the sandwich's, with Student's quantiles. The added units are mean in size; without them a judge that
    names each place once on every prompt, or always the first, would have a variance of zero, which is no certainty
    (after Agresti & Coull 1998, 10.1080/00031305.1998.10480550).
    """
    units = int(first.size)
    if units < 2:
        return None
    size = float(decisive.mean())
    of = np.append(decisive, [size, size])
    hit = np.append(first, [size, 0.0])
    centre = float(hit.sum() / of.sum())
    off = hit - centre * of
    se = math.sqrt(float(off @ off) * off.size / (off.size - 1)) / float(of.sum())
    half = float(stdtrit(units - 1, 0.975)) * se
    return max(0.0, min(rate, centre - half)), min(1.0, max(rate, centre + half))


def _unsafe(rate: float, prompts: int, units: int) -> str | None:
    if units < 2:
        return "one prompt alone gives no interval" if prompts == 1 else "all prompts are in one cluster: no interval"
    place = "second" if rate > 0.5 else "first"
    rest = round(prompts * min(rate, 1 - rate), 1)
    return too_few(rest, prompts, units, f"verdicts for the response shown {place} amount to only", FEW)


def lean(toward_first: Counts, toward_second: Counts, clusters: NDArray[Any] | None = None) -> Lean:
    """Which place pairs follow whose two orders name different winners, from counts by prompt (prompts,).

    The p-value is the exact sign test of the prompts (or `clusters`) that lean to the first place against those that
    lean to the second. The share's interval is Wilson's where every prompt has one such pair at most, and else the one
    of the first-shown rate. Raises ValueError where lengths differ or a count is negative.
    """
    if toward_first.shape != toward_second.shape or (toward_first < 0).any() or (toward_second < 0).any():
        raise ValueError("counts of prompts are not negative, and as many for either place")
    told = toward_first + toward_second > 0
    groups = renumbered(unit_places(clusters, toward_first.size)[told])
    first, second = (
        np.bincount(groups, weights=counts[told]).astype(np.float64) for counts in (toward_first, toward_second)
    )
    n, hits = int(toward_first.sum() + toward_second.sum()), int(toward_first.sum())
    share = hits / n if n else None
    ci = None
    if share is not None:
        single = first.size == n
        ci = wilson(share, n) if single else _interval(first, first + second, share)
    return Lean(
        n=n,
        toward_first=hits,
        toward_second=n - hits,
        share=share,
        ci=ci,
        p_value=sign_test(int((first > second).sum()), int((second > first).sum())),
    )
