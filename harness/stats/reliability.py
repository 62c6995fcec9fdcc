"""Confidence against accuracy, bin by bin: the reliability table and the expected calibration error.

The confidence is the largest probability of an item; it is right where that is the label's. An error in bins is never 0
by chance, not even of a perfect model, and a resampled one is larger still: each interval here is built for that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.stats.intervals import SMALL, wilson

Array = NDArray[np.float64]
Width = Literal["equal-width", "equal-mass"]
BINS = 15
RESAMPLES = 2_000
# Where items are very many, fewer resamples: they tell as much.
MOST_DRAWS = 20_000_000
FEWEST_RESAMPLES = 199
# Confidences nearer than this to an edge lie on it.
_LAST_BITS = 1e-12
# Items by resamples held at a time.
_CHUNK = 2_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Bin:
    """Items whose confidence lies in (low, high] (the first bin holds its lower end too), with Wilson's interval.

    `confidence` and `accuracy` are means; they and `ci` are None where there are no items, `ci` also for a single one.
    """

    low: float
    high: float
    n: int
    confidence: float | None
    accuracy: float | None
    ci: tuple[float, float] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class CalibrationError:
    """The expected calibration error of `n` items, in [0, 1]: the mean distance of accuracy and confidence over bins.

    `by_chance` is what a perfectly calibrated model of these confidences would show on average, `p_value` how often it
    would show as much. `reason` says why something is None.
    """

    n: int
    value: float | None
    ci: tuple[float, float] | None = None
    by_chance: float | None = None
    p_value: float | None = None
    reason: str | None = None


def edges_of(confidence: Array, *, bins: int = BINS, width: Width = "equal-width") -> Array:
    """The edges (bins + 1,): of one width over [0, 1], or at quantiles, so that equal confidences share a bin."""
    if bins < 1:
        raise ValueError(f"there is at least one bin, found {bins}")
    shares = np.linspace(0.0, 1.0, bins + 1)
    return shares if width == "equal-width" or not confidence.size else np.quantile(confidence, shares)


def reliability(
    confidence: Array, right: NDArray[np.bool_], *, bins: int = BINS, width: Width = "equal-width"
) -> tuple[Bin, ...]:
    """The reliability table of confidences (n,) in [0, 1] and whether each is right; bins of no width are left out.

    Raises ValueError where the lengths differ, or a confidence is none.
    """
    _checked(confidence, right)
    edges = edges_of(confidence, bins=bins, width=width)
    places = _places(confidence, edges)
    n = np.bincount(places, minlength=bins)
    sums = (np.bincount(places, weights=values, minlength=bins) for values in (confidence, right.astype(float)))
    rows = zip(edges[:-1].tolist(), edges[1:].tolist(), n.tolist(), *(s.tolist() for s in sums), strict=True)
    return tuple(_bin(*row) for row in rows if row[2] or row[1] > row[0])


def _bin(low: float, high: float, n: int, confidence: float, hits: float) -> Bin:
    if not n:
        return Bin(low=low, high=high, n=0, confidence=None, accuracy=None, ci=None)
    ends = wilson(hits / n, n) if n > 1 else None
    return Bin(low=low, high=high, n=n, confidence=confidence / n, accuracy=hits / n, ci=ends)


def calibration_error(
    confidence: Array,
    right: NDArray[np.bool_],
    rng: np.random.Generator,
    *,
    bins: int = BINS,
    width: Width = "equal-width",
    resamples: int = RESAMPLES,
) -> CalibrationError:
    """The expected calibration error (Naeini et al. 2015; Guo et al. 2017) with an interval that chance cannot fool.

    Its lower end is the error less what calibrated outcomes reach in 97.5 % of draws (consistency resampling: Bröcker &
    Smith 2007, 10.1175/WAF993.1), 0 at least: by the triangle inequality the true error is seldom smaller. Its upper
    end is the 97.5 % quantile over resampled items, which overstates the error. Both err on the safe side; the plain
    resampled interval never holds the 0 of a calibrated model. None below 30 items, or where all are right or wrong.
    """
    _checked(confidence, right)
    n = int(confidence.size)
    if not n:
        return CalibrationError(n=0, value=None, reason="no item has probabilities")
    # Sorted: the order of items cannot change what is drawn.
    order = np.lexsort((right, confidence))
    confidence, hits = confidence[order], right[order].astype(np.float64)
    places = _places(confidence, edges_of(confidence, bins=bins, width=width))
    value = float(_errors(places[None, :], (hits - confidence)[None, :], bins)[0])
    resamples = max(FEWEST_RESAMPLES, min(resamples, MOST_DRAWS // n))
    chance = _chance(confidence, places, bins, rng, resamples)
    p_value = (1 + int(np.count_nonzero(chance >= value - 1e-12))) / (1 + resamples)
    known = CalibrationError(n=n, value=value, by_chance=float(chance.mean()), p_value=p_value)
    reason = _no_interval(n, hits)
    if reason is not None:
        return replace(known, reason=f"no interval: {reason}")
    drawn = _resampled(confidence, hits, places, bins, rng, resamples)
    low, high = max(0.0, value - float(np.quantile(chance, 0.975))), float(np.quantile(drawn, 0.975))
    return replace(known, ci=(low, min(1.0, max(high, value))))


def _no_interval(n: int, hits: Array) -> str | None:
    if n < SMALL:
        return f"{n} items are fewer than {SMALL}"
    if np.ptp(hits) == 0:
        return f"all {n:,} predictions are {'right' if hits[0] else 'wrong'}, and no spread is no certainty"
    return None


def _chance(confidence: Array, places: NDArray[np.intp], bins: int, rng: np.random.Generator, resamples: int) -> Array:
    """The error (resamples,) of outcomes that are right as often as they are confident."""
    found = np.empty(resamples)
    for start, stop in _chunks(resamples, confidence.size):
        hits = rng.random((stop - start, confidence.size)) < confidence
        found[start:stop] = _errors(np.broadcast_to(places, hits.shape), hits - confidence, bins)
    return found


def _resampled(
    confidence: Array, hits: Array, places: NDArray[np.intp], bins: int, rng: np.random.Generator, resamples: int
) -> Array:
    """The error (resamples,) of items drawn with replacement, in the bins of all of them."""
    found, gaps = np.empty(resamples), hits - confidence
    for start, stop in _chunks(resamples, confidence.size):
        drawn = rng.integers(0, confidence.size, size=(stop - start, confidence.size))
        found[start:stop] = _errors(places[drawn], gaps[drawn], bins)
    return found


def _errors(places: NDArray[np.intp], gaps: Array, bins: int) -> Array:
    """The error of every row of items (rows, n): Σ over bins of |Σ gaps| over n."""
    rows, n = places.shape
    cells = (places + bins * np.arange(rows)[:, None]).ravel()
    sums = np.bincount(cells, weights=np.asarray(gaps, dtype=np.float64).ravel(), minlength=rows * bins)
    return np.asarray(np.abs(sums).reshape(rows, bins).sum(axis=1) / n)


def _chunks(resamples: int, n: int) -> list[tuple[int, int]]:
    size = max(1, _CHUNK // max(n, 1))
    return [(start, min(start + size, resamples)) for start in range(0, resamples, size)]


def _places(confidence: Array, edges: Array) -> NDArray[np.intp]:
    """Every item's bin (low, high]; what lies outside for rounding is in the first or the last.

    A sum's last bit does not tell two confidences apart: 0.6 of 0.9999999999999999 is the 0.6 that an edge may be.
    """
    return np.searchsorted(edges[1:-1] + _LAST_BITS, confidence, side="left").astype(np.intp)


def _checked(confidence: Array, right: NDArray[np.bool_]) -> None:
    if confidence.shape != right.shape or confidence.ndim != 1:
        raise ValueError(f"every confidence is right or wrong, found {confidence.shape} and {right.shape}")
    if confidence.size and not (confidence.min() >= 0 and confidence.max() <= 1 + 1e-9):
        raise ValueError("a confidence lies in [0, 1]")
    if confidence.size and not math.isfinite(float(confidence.sum())):
        raise ValueError("a confidence is a number")
