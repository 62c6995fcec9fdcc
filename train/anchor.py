"""How far a fine-tuned model has drifted from its frozen base: the divergence of their next-token distributions.

    kl      KL(base ‖ student)   the forward divergence: heavy where the student lost what the base finds likely
    kl_rev  KL(student ‖ base)   the reverse one, RLHF's penalty: heavy where the student says what the base would not
    js      Jensen-Shannon       ½ KL(student ‖ mean) + ½ KL(base ‖ mean), at most ln 2

Values are in nats. `divergence` takes logits; `total` takes last hidden states and output heads, and goes through the
tokens in chunks, so that neither model's logits ever stand whole in memory. The gradient reaches the student alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

Kind = Literal["kl", "kl_rev", "js"]
Decay = Literal["none", "linear", "cosine"]

# Logits of one chunk, of one model: 64 MiB in float32.
CHUNK_LOGITS = 2**24


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """What turns last hidden states into logits: `weight` (vocabulary, width), perhaps a bias, perhaps a soft cap."""

    weight: Tensor
    bias: Tensor | None = None
    softcap: float | None = None


def coefficient(
    step: int, planned: int, *, coef: float, start_step: int = 0, warmup_steps: int = 0, decay: Decay = "none"
) -> float:
    """The anchor's weight in the loss of optimizer step `step`, counted from 0, of `planned` steps.

    It is 0 before `start_step`, grows linearly to `coef` over `warmup_steps` steps, and stays there or decays, on a
    line or half a cosine, to exactly 0 at the last step.
    """
    if step < start_step:
        return 0.0
    full, last = start_step + warmup_steps, planned - 1
    warmed = min(1.0, (step - start_step) / warmup_steps) if warmup_steps else 1.0
    return coef * warmed * _left(step, full, last, decay)


def _left(step: int, full: int, last: int, decay: Decay) -> float:
    """The share of the weight that decay leaves, where it starts at step `full` and ends at step `last`."""
    if decay == "none":
        return 1.0
    if step >= last:
        return 0.0
    gone = max(0.0, (step - full) / max(1, last - full))
    return 1.0 - gone if decay == "linear" else (1.0 + math.cos(math.pi * gone)) / 2


def counted(mask: Tensor, tail_tokens: int | None = None, starts: Tensor | None = None) -> Tensor:
    """Which positions of `mask` (rows, positions) count: the last `tail_tokens` marked ones of each sequence, or all.

    A row is one sequence, unless `starts` marks where the packed sequences of a row begin.
    """
    marked = mask.bool()
    if tail_tokens is None:
        return marked
    backwards = marked.long().flip(-1)
    seen = backwards.cumsum(-1)
    if starts is not None:
        # Going backwards a sequence opens with its last position, which stands right before the next one's start.
        ends = functional.pad(starts.bool()[..., 1:], (0, 1), value=True).flip(-1)
        seen = seen - torch.where(ends, seen - backwards, 0).cummax(-1).values
    return marked & (seen.flip(-1) <= tail_tokens)


def divergence(student: Tensor, base: Tensor, kind: Kind) -> Tensor:
    """The divergence at every position, in nats: logits (…, vocabulary) in, (…) out, computed in float32 or wider."""
    return _FORMULAS[kind](_log_probabilities(student), _log_probabilities(base))[0]


def total(
    student: Tensor,
    base: Tensor,
    *,
    head: Head,
    base_head: Head | None = None,
    kind: Kind,
    chunk_tokens: int | None = None,
) -> Tensor:
    """The divergence summed over tokens, from last hidden states (tokens, width) and output heads, in nats.

    `base_head` is the student's own where it is not given; `chunk_tokens` tokens are worked on at a time. Gradients
    reach `student` and `head`. Under autocast the products are taken in its precision, everything after them in
    float32.
    """
    base_head = base_head or head
    chunk = chunk_tokens or max(1, CHUNK_LOGITS // len(head.weight))
    apply: Callable[..., Tensor] = _Total.apply
    return apply(student, head.weight, head.bias, base, (head, base_head), kind, chunk)


def logits_of(hidden: Tensor, head: Head) -> Tensor:
    """The logits (tokens, vocabulary) of hidden states (tokens, width), in float32 or wider."""
    if hidden.is_cuda and hidden.dtype in (torch.bfloat16, torch.float16):
        # Logits rounded to 16 bits would blur differences as small as those of a well-anchored student.
        logits = torch.mm(hidden, head.weight.t(), out_dtype=torch.float32)
    else:
        logits = _wide(hidden @ head.weight.t())
    if head.bias is not None:
        logits = logits + head.bias
    return logits if head.softcap is None else torch.tanh(logits / head.softcap) * head.softcap


class _Total(torch.autograd.Function):
    """Sums the divergence chunk by chunk; keeps its gradient, not the logits that both come from."""

    @staticmethod
    def forward(
        ctx: Any,
        student: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        base: Tensor,
        heads: tuple[Head, Head],
        kind: Kind,
        chunk: int,
    ) -> Tensor:
        dtype = _working_dtype(student)
        head = _cast(heads[0], dtype)
        base_head = head if heads[1].weight is heads[0].weight else _cast(heads[1], dtype)
        slopes = _Slopes(student, weight, bias, needed=ctx.needs_input_grad)
        summed = torch.zeros((), dtype=_wider(student), device=student.device)
        with torch.autocast(student.device.type, enabled=False):
            for start in range(0, len(student), chunk):
                place = slice(start, start + chunk)
                hidden = student[place].to(dtype)
                values, slope = _worked(
                    logits_of(hidden, head), logits_of(base[place].to(dtype), base_head), head, kind
                )
                summed += values.sum()
                slopes.add(place, slope.to(dtype), hidden, head.weight)
        ctx.save_for_backward(slopes.student, slopes.weight, slopes.bias)
        return summed

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> Any:
        scaled = (None if slope is None else slope * upstream[0] for slope in ctx.saved_tensors)
        return (*scaled, None, None, None, None)


class _Slopes:
    """The gradient of the sum so far, for those of the student's hidden states and its head that need one."""

    def __init__(self, student: Tensor, weight: Tensor, bias: Tensor | None, *, needed: Sequence[bool]) -> None:
        self.student = torch.zeros_like(student) if needed[0] else None
        self.weight = torch.zeros_like(weight, dtype=_wider(weight)) if needed[1] else None
        self.bias = torch.zeros_like(bias, dtype=_wider(bias)) if bias is not None and needed[2] else None

    def add(self, place: slice, slope: Tensor, hidden: Tensor, weight: Tensor) -> None:
        """Take in a chunk: its place, the gradient of its logits, its hidden states, and the head's weight."""
        if self.student is not None:
            self.student[place] = slope @ weight
        if self.weight is not None:
            self.weight += slope.t() @ hidden
        if self.bias is not None:
            self.bias += slope.sum(0)


def _worked(student: Tensor, base: Tensor, head: Head, kind: Kind) -> tuple[Tensor, Tensor]:
    """The divergence of a chunk's logits and its gradient by the student's, those before the soft cap."""
    values, slope = _FORMULAS[kind](_log_probabilities(student), _log_probabilities(base))
    if head.softcap is not None:
        slope = slope * (1 - (student / head.softcap).square())
    return values, slope


def _kl(student: Tensor, base: Tensor) -> tuple[Tensor, Tensor]:
    """KL(base ‖ student) from log-probabilities, and its gradient by the student's logits; so the next two."""
    probable = base.exp()
    return (probable * (base - student)).sum(-1), student.exp() - probable


def _kl_rev(student: Tensor, base: Tensor) -> tuple[Tensor, Tensor]:
    probable, gap = student.exp(), student - base
    values = (probable * gap).sum(-1)
    return values, probable * (gap - values[..., None])


def _js(student: Tensor, base: Tensor) -> tuple[Tensor, Tensor]:
    mean = torch.logaddexp(student, base) - math.log(2)
    probable, gap = student.exp(), student - mean
    half = (probable * gap).sum(-1)
    values = (half + (base.exp() * (base - mean)).sum(-1)) / 2
    return values, probable * (gap - half[..., None]) / 2


_FORMULAS: Mapping[Kind, Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]] = {"kl": _kl, "kl_rev": _kl_rev, "js": _js}


def _log_probabilities(logits: Tensor) -> Tensor:
    return functional.log_softmax(_wide(logits), dim=-1)


def _wide(values: Tensor) -> Tensor:
    return values.to(_wider(values))


def _wider(values: Tensor) -> torch.dtype:
    return torch.promote_types(values.dtype, torch.float32)


def _working_dtype(hidden: Tensor) -> torch.dtype:
    kind = hidden.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else hidden.dtype


def _cast(head: Head, dtype: torch.dtype) -> Head:
    return replace(head, weight=head.weight.to(dtype), bias=None if head.bias is None else head.bias.to(dtype))
