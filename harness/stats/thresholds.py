"""A larger or smaller say for single classes, fitted on validation: an offset added to their log-probabilities.

The prediction is the class with the largest log-probability plus offset. For a rare class the offset is the one that
maximises its F1 (or macro F1) on validation items; of equally good ones, that nearest to 0. What it gains must be
measured on other items than these: nothing here looks at them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Places = NDArray[np.intp]
Aim = Literal["f1", "macro_f1"]
# With fewer validation items of a class than this, an offset would fit their accidents.
FEWEST = 5
_ROUNDS = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Offset:
    """The offset of one class, from `items` validation items of it; `value` is 0 where there is a `reason` not to fit.

    `before` and `after` are what was aimed at, on the validation items: fitted, so that `after` flatters.
    """

    place: int
    value: float
    items: int
    before: float | None
    after: float | None
    reason: str | None = None


def fit_offset(scores: Array, labels: Places, place: int, *, aim: Aim = "f1") -> Offset:
    """The offset of the class at `place`, from log-probabilities (n, k), −∞ allowed, and labels (n,).

    Every value at which a prediction changes is tried: exact, in O(n log n + nk). Raises ValueError on shapes that do
    not fit, NaN, or a place that is no class.
    """
    _checked(scores, labels, place)
    items = int(np.count_nonzero(labels == place))
    if items < FEWEST:
        found = f"{items} validation item{'' if items == 1 else 's'} of this class: no offset from fewer than {FEWEST}"
        return Offset(place=place, value=0.0, items=items, before=None, after=None, reason=found)
    others = scores.copy()
    others[:, place] = -np.inf
    rivals = others.argmax(axis=1)
    # From this offset on an item goes to the class; −∞ against anything never does, anything against −∞ always.
    needed = _needed(scores[:, place], others.max(axis=1))
    reached, values = _paths(needed, rivals, labels, place, scores.shape[1], aim)
    best, now = float(values.max()), _reached(scores, labels, place, aim)
    good = [offset for offset, value in zip(_between(reached), values.tolist(), strict=True) if value >= best - 1e-12]
    value = 0.0 if now >= best - 1e-12 else min(good, key=lambda offset: (abs(offset), offset))
    return Offset(place=place, value=value, items=items, before=now, after=max(best, now))


def _reached(scores: Array, labels: Places, place: int, aim: Aim) -> float:
    """What is aimed at, of the predictions as they are."""
    said = predicted(scores)
    right, true, given = (
        np.bincount(places, minlength=scores.shape[1]) for places in (labels[said == labels], labels, said)
    )
    below = true + given
    f1 = np.divide(2 * right, below, out=np.zeros(right.size), where=below > 0)
    return float(f1[place] if aim == "f1" else f1[below > 0].mean())


def _needed(own: Array, rival: Array) -> Array:
    with np.errstate(invalid="ignore"):
        return np.where(np.isneginf(own), np.inf, np.where(np.isneginf(rival), -np.inf, rival - own))


def _paths(needed: Array, rivals: Places, labels: Places, place: int, k: int, aim: Aim) -> tuple[Array, Array]:
    """The sorted finite values at which predictions change, and the aim before, between and after them."""
    order = np.argsort(needed, kind="stable")
    finite = needed[order][np.isfinite(needed[order])]
    reached = np.unique(finite)
    # How many items have gone over after each of the values, those that always do counted from the start.
    always = int(np.count_nonzero(np.isneginf(needed)))
    gone = np.append(always, always + np.searchsorted(finite, reached, side="right"))
    is_class = labels[order] == place
    right = np.append(0, np.cumsum(is_class))[gone]
    total = int(is_class.sum())
    own = 2 * right / (gone + total)
    if aim == "f1":
        return reached, own
    rest = _others(order, rivals, labels, gone, place, k)
    return reached, np.asarray((own + rest[0]) / (1 + rest[1]))


def _others(order: Places, rivals: Places, labels: Places, gone: Places, place: int, k: int) -> tuple[Array, Array]:
    """Σ F1 of the other classes after each step, and how many of them are a label or predicted."""
    total, classes = np.zeros(gone.size), np.zeros(gone.size)
    for other in range(k):
        if other == place:
            continue
        said, is_label = rivals[order] == other, labels == other
        given = int(said.sum()) - np.append(0, np.cumsum(said))[gone]
        both = said & is_label[order]
        right = int(both.sum()) - np.append(0, np.cumsum(both))[gone]
        below = given + int(is_label.sum())
        total += np.divide(2 * right, below, out=np.zeros(gone.size), where=below > 0)
        classes += below > 0
    return total, classes


def _between(reached: Array) -> list[float]:
    """One offset for every stretch without a change: 0 where it lies inside, else the middle, or a step outside."""
    if not reached.size:
        return [0.0]
    middles = ((reached[1:] + reached[:-1]) / 2).tolist()
    found = [float(reached[0]) - 1.0, *middles, float(reached[-1]) + 1.0]
    ends = [-math.inf, *reached.tolist(), math.inf]
    return [0.0 if ends[i] < 0 < ends[i + 1] else value for i, value in enumerate(found)]


def fit_offsets(scores: Array, labels: Places, places: Sequence[int], *, aim: Aim = "f1") -> tuple[Offset, ...]:
    """The offsets of several classes, one after the other, the rarest first, with those before in force.

    Aimed at macro F1 they go round until nothing moves (at most 20 rounds). Aimed at each class's own F1, one round.
    """
    counts = [int(np.count_nonzero(labels == place)) for place in places]
    ordered = [place for _, place in sorted(zip(counts, places, strict=True))]
    values = np.zeros(scores.shape[1])
    found: dict[int, Offset] = {}
    for _ in range(_ROUNDS if aim == "macro_f1" else 1):
        moved = False
        for place in ordered:
            step = fit_offset(scores + values, labels, place, aim=aim)
            values[place] += step.value
            moved = moved or step.value != 0
            first = found.get(place, step)
            found[place] = Offset(
                place=place,
                value=float(values[place]),
                items=step.items,
                before=first.before,
                after=step.after,
                reason=step.reason,
            )
        if not moved:
            break
    return tuple(found[place] for place in places)


def predicted(scores: Array, offsets: Sequence[Offset] = ()) -> Places:
    """The predicted place of every item (n,): the largest score plus offset, of equals the first."""
    values = np.zeros(scores.shape[1])
    for offset in offsets:
        values[offset.place] = offset.value
    return np.asarray((scores + values).argmax(axis=1), dtype=np.intp)


def _checked(scores: Array, labels: Places, place: int) -> None:
    if scores.ndim != 2 or labels.shape != scores.shape[:1]:
        raise ValueError(f"one row of scores an item and one label a row, found {scores.shape} and {labels.shape}")
    if scores.shape[1] < 2 or not 0 <= place < scores.shape[1]:
        raise ValueError(f"there is no class {place} beside another among {scores.shape[1]}")
    if labels.size and not (labels.min() >= 0 and labels.max() < scores.shape[1]):
        raise ValueError(f"a label is a class from 0 to {scores.shape[1] - 1}")
    if np.isnan(scores).any() or np.isposinf(scores).any():
        raise ValueError("a log-probability is a number, or −∞")
