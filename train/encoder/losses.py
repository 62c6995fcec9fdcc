"""Losses of classification heads: cross-entropy, focal, smoothed, weighted by class, and several heads together.

A row's loss is that of torch's cross_entropy (class weights and label smoothing included) times (1 − p)^γ, where p is
the probability of its true label (focal loss; Lin et al. 2017, 1708.02002). At γ = 0 it is torch's to the last bit that
float32 keeps. A label of −100 is missing: its row counts neither above nor below the line. Computed in float32.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

MISSING = -100


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadLoss:
    """How one head's errors count: γ of the focal loss, label smoothing, class weights in the order of its labels
    (None: all alike), and the head's weight among the others.
    """

    gamma: float = 0.0
    smoothing: float = 0.0
    class_weights: tuple[float, ...] | None = None
    weight: float = 1.0

    def tensor(self, like: Tensor) -> Tensor | None:
        """The class weights where the logits are."""
        if self.class_weights is None:
            return None
        return torch.tensor(self.class_weights, dtype=torch.float32, device=like.device)


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """A head's summed loss, and the weight of its labelled rows that the sum is to be divided by."""

    total: Tensor
    weight: Tensor

    def mean(self, over: Tensor | None = None) -> Tensor:
        """The mean loss, over another weight where one is given; 0 where nothing is labelled."""
        weight = self.weight if over is None else over.to(self.total.device)
        return self.total / torch.where(weight > 0, weight, torch.ones_like(weight))


def per_row(logits: Tensor, labels: Tensor, how: HeadLoss, class_weights: Tensor | None = None) -> Tensor:
    """The loss of every row (rows,), of missing labels 0; `logits` (rows, labels), `labels` (rows,)."""
    given = how.tensor(logits) if class_weights is None else class_weights
    scores = logits.float()
    losses = functional.cross_entropy(
        scores, labels, weight=given, label_smoothing=how.smoothing, ignore_index=MISSING, reduction="none"
    )
    if how.gamma == 0:
        return losses
    likely = scores.log_softmax(dim=-1).gather(1, labels.clamp_min(0).unsqueeze(1)).squeeze(1)
    # 1 − p without cancellation; kept off 0, where a power below 1 has no slope.
    missed = -torch.expm1(likely)
    return losses * missed.clamp_min(torch.finfo(torch.float32).tiny ** 0.25).pow(how.gamma)


def row_weights(labels: Tensor, class_weights: Tensor | None) -> Tensor:
    """What each row weighs in the mean (rows,): its label's class weight, of missing labels 0."""
    there = labels != MISSING
    if class_weights is None:
        return there.float()
    return torch.where(there, class_weights[labels.clamp_min(0)], torch.zeros((), device=labels.device))


def counted(logits: Tensor, labels: Tensor, how: HeadLoss, class_weights: Tensor | None = None) -> Counted:
    """A head's loss over a batch; its `mean()` is torch's weighted mean where γ is 0."""
    given = how.tensor(logits) if class_weights is None else class_weights
    return Counted(total=per_row(logits, labels, how, given).sum(), weight=row_weights(labels, given).sum())


def together(means: Sequence[Tensor], hows: Sequence[HeadLoss]) -> Tensor:
    """The sum of the heads' mean losses, each times its weight."""
    return torch.stack([mean * how.weight for mean, how in zip(means, hows, strict=True)]).sum()


@dataclass(frozen=True, kw_only=True, slots=True)
class Weighing:
    """How a head's class weights come about: inverse frequency or 1 each, times a label's multiplier, at most `cap`."""

    inverse_frequency: bool = False
    multipliers: Mapping[str, float] = field(default_factory=dict)
    cap: float | None = None

    @property
    def any(self) -> bool:
        """Whether labels weigh differently at all."""
        return self.inverse_frequency or bool(self.multipliers)


def class_weights(counts: Mapping[str, int], how: Weighing) -> tuple[float, ...] | None:
    """The weight of every label, in the order of `counts` (training examples by label); None where all are alike.

    Inverse frequency is n ÷ (labels × n of this label), scikit-learn's "balanced". Raises ValueError where a label has
    no example, or a multiplier's label is unknown.
    """
    unknown = sorted(how.multipliers.keys() - counts.keys())
    if unknown:
        raise ValueError(f"there is no label {unknown[0]!r}; the labels are {', '.join(counts)}")
    if not how.any:
        return None
    empty = [label for label, count in counts.items() if count == 0]
    if how.inverse_frequency and empty:
        raise ValueError(f"the label {empty[0]!r} has no training example, so it has no frequency to weigh it by")
    total = sum(counts.values())
    found = []
    for label, count in counts.items():
        base = total / (len(counts) * count) if how.inverse_frequency else 1.0
        weight = base * how.multipliers.get(label, 1.0)
        found.append(weight if how.cap is None else min(weight, how.cap))
    return tuple(found)
