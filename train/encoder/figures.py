"""How well heads do: loss, accuracy, macro F1 and Matthews' correlation of each, and their means. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.models.encoder.form import Form
from harness.stats import classes

Floats = NDArray[np.float64]
OF_HEADS = ("accuracy", "macro_f1", "mcc")


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """A head's probabilities (items, labels), and the places of the true labels (items,)."""

    probabilities: Floats
    labels: NDArray[np.int64]


def figures(told: Mapping[str, Told], form: Form, loss: float | None = None) -> dict[str, float]:
    """The mean over heads of each metric; of several heads each head's too, as in "sentiment.accuracy".

    A correlation that does not exist (all labels or all predictions are one) counts as 0.
    """
    by_head = {head.name: _of_head(told[head.name], head.labels) for head in form.heads}
    found = {} if loss is None else {"loss": loss}
    found |= {metric: float(np.mean([each[metric] for each in by_head.values()])) for metric in OF_HEADS}
    if len(by_head) > 1:
        found |= {f"{name}.{metric}": each[metric] for name, each in by_head.items() for metric in OF_HEADS}
    return found


def _of_head(told: Told, labels: Sequence[str]) -> dict[str, float]:
    gold = [labels[place] for place in told.labels.tolist()]
    chosen = [labels[place] for place in told.probabilities.argmax(axis=1).tolist()]
    counted = classes.confusion(gold, chosen)
    values = classes.accuracy(counted), classes.macro_f1(counted), classes.mcc(counted)
    return {name: value or 0.0 for name, value in zip(OF_HEADS, values, strict=True)}


def floor(labels: NDArray[np.int64], metric: str) -> float:
    """What always answering the most frequent label scores: its share, or the macro F1 over the labels that occur."""
    from train.encoder.collapse import majority_macro_f1

    counts = np.unique(labels, return_counts=True)[1]
    share = float(counts.max() / counts.sum())
    return majority_macro_f1(share, len(counts)) if metric == "macro_f1" else share
