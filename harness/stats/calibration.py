"""How far probabilities can be believed: temperature scaling, Brier score, log loss. (`reliability` has the bins.)

Arrays are one row an item and one column a class; `labels` holds each item's column, −1 where its label has none (and
so a probability of 0). Logits may be log-probabilities: what is added to a whole row changes nothing. A temperature is
fitted on validation items and applied to others, never fitted on what it is then judged by.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

Array = NDArray[np.float64]
Places = NDArray[np.intp]
# The inverse temperature is looked for between the first and the last of these doublings around 1.
_DOUBLINGS = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Temperature:
    """What logits are divided by, from `n` validation items: `value`, None with a `reason` where none is best.

    `before` and `after` are the mean log losses on these items; `after` is None where there is no temperature.
    """

    value: float | None
    n: int
    before: float | None
    after: float | None = None
    reason: str | None = None


def fit_temperature(logits: Array, labels: Places) -> Temperature:
    """The temperature with the smallest log loss (Guo et al. 2017, arXiv:1706.04599), where there is one.

    The loss is convex in 1/T. Its slope at 0 and at infinity says whether a minimum lies between: not where every label
    has its row's largest logit (T → 0 is ever better), nor where labels have no more than their row's mean (T → ∞ is).
    Raises ValueError on shapes that do not fit, NaN or +∞.
    """
    _checked(logits, labels)
    n, k = logits.shape
    if not n:
        return Temperature(value=None, n=0, before=None, reason="there are no validation items")
    if k < 2:
        return Temperature(value=None, n=n, before=0.0, reason="there is one class: its probability is always 1")
    own = _own(logits, labels)
    if not np.isfinite(own).all():
        lost = int(np.count_nonzero(~np.isfinite(own)))
        reason = f"{lost:,} of {n:,} validation labels have a probability of 0, which no temperature changes"
        return Temperature(value=None, n=n, before=None, reason=reason)
    before = float(-_own(log_softmax(logits, axis=1), labels).mean())
    finite = np.isfinite(logits)
    middle = np.where(finite, logits, 0.0).sum(axis=1) / finite.sum(axis=1)
    if not (logits.max(axis=1) - own).any():
        reason = f"all {n:,} validation predictions are right: the smaller the temperature, the better"
        return Temperature(value=None, n=n, before=before, reason=reason)
    if math.fsum((own - middle).tolist()) <= 0:
        reason = f"on {n:,} validation items the probabilities say nothing of the labels: the more even, the better"
        return Temperature(value=None, n=n, before=before, reason=reason)
    value = 1 / _best(logits, own)
    after = float(-_own(log_softmax(logits / value, axis=1), labels).mean())
    return Temperature(value=value, n=n, before=before, after=after)


def _best(logits: Array, own: Array) -> float:
    """The inverse temperature at which the slope of the loss is 0."""
    from scipy.optimize import brentq

    finite = np.where(np.isfinite(logits), logits, 0.0)

    def slope(log_inverse: float) -> float:
        return float(((softmax(logits * math.exp(log_inverse), axis=1) * finite).sum(axis=1) - own).mean())

    low = high = 0.0
    for _ in range(_DOUBLINGS):
        low -= math.log(2) * (slope(low) > 0)
        high += math.log(2) * (slope(high) < 0)
    if slope(low) >= 0 or slope(high) <= 0:
        # It is there already, or beyond what a temperature can be.
        return math.exp(low if slope(low) >= 0 else high)
    return math.exp(brentq(slope, low, high, xtol=1e-13))


def tempered(logits: Array, temperature: float) -> Array:
    """The probabilities (n, k) of logits (or log-probabilities) divided by a temperature above 0."""
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(f"a temperature is above 0, found {temperature:g}")
    return np.asarray(softmax(logits / temperature, axis=1))


def brier(probabilities: Array, labels: Places) -> Array:
    """Every item's Brier score (n,): the squared differences from the truth, summed over the classes (Brier 1950).

    From 0 to 2; of two classes it is twice the score that counts one class alone. Raises ValueError on what is no
    probability.
    """
    _probable(probabilities, labels)
    own = np.where(labels >= 0, _own(probabilities, labels), 0.0)
    return np.asarray((probabilities**2).sum(axis=1) - 2 * own + 1)


def log_loss(probabilities: Array, labels: Places) -> Array:
    """Every item's −log of the probability of its label (n,): infinite where that is 0."""
    _probable(probabilities, labels)
    own = np.where(labels >= 0, _own(probabilities, labels), 0.0)
    with np.errstate(divide="ignore"):
        return np.asarray(-np.log(own))


def _own(values: Array, labels: Places) -> Array:
    """Every item's value of its own label; −∞ where the label has no column."""
    if not labels.size:
        return np.empty(0)
    found = values[np.arange(labels.size), np.maximum(labels, 0)]
    return np.where(labels >= 0, found, -np.inf)


def _checked(values: Array, labels: Places) -> None:
    if values.ndim != 2 or labels.shape != values.shape[:1]:
        raise ValueError(f"one row an item and one label a row, found {values.shape} and {labels.shape}")
    if labels.size and (labels.min() < -1 or labels.max() >= values.shape[1]):
        raise ValueError(f"a label is a column from 0 to {values.shape[1] - 1}, or −1")
    if np.isnan(values).any() or np.isposinf(values).any() or (values.size and np.isneginf(values.max(axis=1)).any()):
        raise ValueError("a logit is a number, or −∞ where not all of its row are")


def _probable(probabilities: Array, labels: Places) -> None:
    _checked(probabilities, labels)
    if probabilities.size and (probabilities.min() < 0 or probabilities.max() > 1 + 1e-9):
        raise ValueError("a probability lies in [0, 1]")
