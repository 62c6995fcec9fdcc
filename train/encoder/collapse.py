"""The collapse alarm: has training thrown away what the model could do? Pure: from the evaluations alone.

It speaks where a head's figure is at or below what always answering the most frequent label would get, or a third
below its own best, two evaluations running. The first fifth of the planned steps is passed over: it may lie anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """One evaluation: the step it was taken at, and the watched figure."""

    step: int
    figure: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Alarm:
    """When to speak: after this share of the planned steps, at this share of the best lost, so many looks running."""

    after: float = 0.2
    drop: float = 1 / 3
    looks: int = 2


def majority_macro_f1(share: float, labels: int) -> float:
    """The macro F1 over so many labels of always answering the one with this share: its F1 is 2s ÷ (1 + s)."""
    return 2 * share / (1 + share) / labels


def reasons(looks: Sequence[Look], floor: float, planned: int, alarm: Alarm) -> Iterator[str | None]:
    """For every look in order what is wrong at it, None where nothing is or it is still early."""
    best = -1.0
    for look in looks:
        best = max(best, look.figure)
        if look.step <= alarm.after * planned:
            yield None
        elif look.figure <= floor + 1e-12:
            yield f"at or below the {floor:.1%} that always answering the most frequent label would get"
        elif look.figure <= best * (1 - alarm.drop) + 1e-12:
            yield f"{1 - look.figure / best:.0%} below its best of {best:.1%}"
        else:
            yield None


def collapsed(looks: Sequence[Look], floor: float, planned: int, alarm: Alarm, named: str) -> str | None:
    """The sentence that stops a training, None where nothing is wrong. `named` is the figure, in words."""
    found = list(reasons(looks, floor, planned, alarm))
    last = found[-alarm.looks :]
    if len(last) < alarm.looks or any(reason is None for reason in last):
        return None
    here = looks[-1]
    return (
        f"collapse: {named} is {here.figure:.1%} at step {here.step} of {planned}, {last[-1]}, "
        f"{alarm.looks} evaluations running"
    )
