"""Divergences against distributions worked by hand, a second library, and calculus; the schedule against log 004."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from torch import Tensor

from train.anchor import Decay, Head, Kind, coefficient, counted, divergence, logits_of, total

KINDS: tuple[Kind, ...] = ("kl", "kl_rev", "js")
LN2, LN3, LN5 = math.log(2), math.log(3), math.log(5)


def logits(*probabilities: float) -> Tensor:
    return torch.tensor(probabilities, dtype=torch.float64).log()


def random_logits(seed: int, *shape: int, scale: float = 3.0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * scale


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        # Base (1/2, 1/2), student (1/4, 3/4): ½ ln 2 + ½ ln ⅔.
        ("kl", LN2 - LN3 / 2),
        # ¼ ln ½ + ¾ ln 3/2.
        ("kl_rev", 3 / 4 * LN3 - LN2),
        # The mean is (3/8, 5/8): ½ (¼ ln ⅔ + ¾ ln 6/5) + ½ (½ ln 4/3 + ½ ln ⅘).
        ("js", ((LN2 - LN3) / 4 + 3 / 4 * (LN2 + LN3 - LN5) + (2 * LN2 - LN3) / 2 + (2 * LN2 - LN5) / 2) / 2),
    ],
)
def test_two_tokens_by_hand(kind: Kind, expected: float) -> None:
    assert divergence(logits(1 / 4, 3 / 4), logits(1 / 2, 1 / 2), kind).item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        # Base (1/2, 1/4, 1/4), student (1/4, 5/8, 1/8): ½ ln 2 + ¼ ln ⅖ + ¼ ln 2.
        ("kl", LN2 - LN5 / 4),
        # ¼ ln ½ + ⅝ ln 5/2 + ⅛ ln ½.
        ("kl_rev", 5 / 8 * LN5 - LN2),
    ],
)
def test_three_tokens_by_hand(kind: Kind, expected: float) -> None:
    found = divergence(logits(1 / 4, 5 / 8, 1 / 8), logits(1 / 2, 1 / 4, 1 / 4), kind).item()
    assert found == pytest.approx(expected, abs=1e-12)


def test_a_student_that_says_what_the_base_never_does_costs_ln_2_in_js() -> None:
    assert divergence(logits(1, 1e-300), logits(1e-300, 1), "js").item() == pytest.approx(LN2, abs=1e-12)


@given(st.integers(0, 2**32 - 1), st.integers(2, 50), st.floats(0.01, 20))
def test_as_torch_and_scipy_have_it(seed: int, vocabulary: int, scale: float) -> None:
    student, base = random_logits(seed, 2, vocabulary, scale=scale)
    ours, theirs = (torch.distributions.Categorical(logits=logits) for logits in (student, base))
    apart = torch.distributions.kl_divergence
    assert divergence(student, base, "kl").item() == pytest.approx(apart(theirs, ours).item(), abs=1e-9)
    assert divergence(student, base, "kl_rev").item() == pytest.approx(apart(ours, theirs).item(), abs=1e-9)
    scipys = jensenshannon(ours.probs.numpy(), theirs.probs.numpy()) ** 2
    assert divergence(student, base, "js").item() == pytest.approx(scipys, abs=1e-9)


@given(st.sampled_from(KINDS), st.integers(0, 2**32 - 1), st.floats(-50, 50))
def test_laws(kind: Kind, seed: int, shift: float) -> None:
    student, base = random_logits(seed, 2, 7)
    found = divergence(student, base, kind).item()
    assert found >= 0
    assert divergence(student + shift, base, kind).item() == pytest.approx(found, abs=1e-9)
    assert divergence(base, base + shift, kind).item() == pytest.approx(0, abs=1e-12)


@given(st.integers(0, 2**32 - 1))
def test_turning_round(seed: int) -> None:
    student, base = random_logits(seed, 2, 7)
    assert torch.equal(divergence(student, base, "kl"), divergence(base, student, "kl_rev"))
    there, back = divergence(student, base, "js"), divergence(base, student, "js")
    assert there.item() == pytest.approx(back.item(), abs=1e-12)
    assert there.item() <= LN2


@pytest.mark.parametrize("kind", KINDS)
def test_sixteen_bit_logits_are_worked_in_32(kind: Kind) -> None:
    student, base = (random_logits(seed, 4, 50).bfloat16() for seed in (1, 2))
    found = divergence(student, base, kind)
    assert found.dtype == torch.float32
    assert torch.allclose(found.double(), divergence(student.double(), base.double(), kind), atol=1e-5)


def model(
    *, tokens: int = 7, width: int = 4, vocabulary: int = 5, softcap: float | None = None, bias: bool = True
) -> tuple[Tensor, Tensor, Head, Head]:
    """A student's and a base's hidden states and heads."""

    def head(seed: int) -> Head:
        own = random_logits(seed, vocabulary, scale=1.0) if bias else None
        return Head(weight=random_logits(seed + 1, vocabulary, width, scale=1.0), bias=own, softcap=softcap)

    return random_logits(1, tokens, width, scale=1.0), random_logits(2, tokens, width, scale=1.0), head(3), head(5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("softcap", [None, 2.0])
def test_the_total_is_the_sum_over_the_logits(kind: Kind, softcap: float | None) -> None:
    student, base, head, base_head = model(softcap=softcap)
    found = total(student, base, head=head, base_head=base_head, kind=kind, chunk_tokens=2)
    whole = divergence(logits_of(student, head), logits_of(base, base_head), kind).sum()
    assert found.item() == pytest.approx(whole.item(), abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("softcap", [None, 2.0])
def test_gradients_are_the_slopes_of_the_values(kind: Kind, softcap: float | None) -> None:
    student, base, head, base_head = model(softcap=softcap)

    def value(student: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        moved = Head(weight=weight, bias=bias, softcap=softcap)
        return total(student, base, head=moved, base_head=base_head, kind=kind, chunk_tokens=3)

    assert head.bias is not None
    inputs = tuple(given.clone().requires_grad_() for given in (student, head.weight, head.bias))
    assert torch.autograd.gradcheck(value, inputs)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_plain_autograd(kind: Kind) -> None:
    student, base, head, base_head = (
        part.float() if isinstance(part, Tensor) else Head(weight=part.weight.float())
        for part in model(tokens=9, bias=False)
    )
    chunked, plain = student.clone().requires_grad_(), student.clone().requires_grad_()
    (3 * total(chunked, base, head=head, base_head=base_head, kind=kind, chunk_tokens=4)).backward()
    (3 * divergence(plain @ head.weight.t(), base @ base_head.weight.t(), kind).sum()).backward()
    assert torch.allclose(chunked.grad, plain.grad, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chunk", [1, 3, 64, None])
def test_chunks_change_nothing(kind: Kind, chunk: int | None) -> None:
    student, base, head, _ = model(tokens=40, width=16, vocabulary=300, bias=False)
    single = Head(weight=head.weight.float())

    def worked(chunk_tokens: int | None) -> tuple[Tensor, Tensor]:
        moved = student.float().requires_grad_()
        value = total(moved, base.float(), head=single, kind=kind, chunk_tokens=chunk_tokens) / len(moved)
        value.backward()
        return value.detach(), moved.grad

    for found, expected in zip(worked(chunk), worked(40), strict=True):
        assert torch.allclose(found, expected, atol=1e-6, rtol=1e-6)


def test_no_logits_are_kept_for_the_way_back() -> None:
    student, base, head, _ = model(tokens=64, width=4, vocabulary=1000, bias=False)
    sizes: list[int] = []

    def kept(tensor: Tensor) -> Tensor:
        sizes.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(kept, lambda tensor: tensor):
        total(student.requires_grad_(), base, head=head, kind="kl", chunk_tokens=8)
    assert max(sizes) == student.numel()


def test_the_base_gets_no_gradient() -> None:
    student, base, head, base_head = model(bias=False)
    for tensor in (student, base, head.weight, base_head.weight):
        tensor.requires_grad_()
    total(student, base, head=head, base_head=base_head, kind="kl").backward()
    assert student.grad is not None and head.weight.grad is not None
    assert base.grad is None and base_head.weight.grad is None


def test_no_token_counts_nothing() -> None:
    student, base, head, _ = model()
    empty = student[:0].requires_grad_()
    found = total(empty, base[:0], head=head, kind="js")
    found.backward()
    assert found.item() == 0


def test_sixteen_bits_in_thirty_two_out() -> None:
    student, base, head, _ = model(tokens=20, width=16, vocabulary=50, bias=False)
    half = Head(weight=head.weight.bfloat16().requires_grad_())
    moved = student.bfloat16().requires_grad_()
    found = total(moved, base.bfloat16(), head=half, kind="kl", chunk_tokens=6)
    exact = total(
        moved.detach().double(), base.bfloat16().double(), head=Head(weight=half.weight.detach().double()), kind="kl"
    )
    found.backward()
    assert found.dtype == torch.float32 and moved.grad.dtype == half.weight.grad.dtype == torch.bfloat16
    assert found.item() == pytest.approx(exact.item(), rel=0.01)
    assert total(moved, moved.detach(), head=half, kind="kl").item() == pytest.approx(0, abs=1e-6)


def test_autocast_sets_the_precision_of_the_products() -> None:
    student, base, head, _ = model(tokens=20, width=16, vocabulary=50, bias=False)
    single, moved = Head(weight=head.weight.float()), student.float().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = total(moved, base.float(), head=single, kind="kl")
    rounded = total(moved.bfloat16(), base.bfloat16(), head=Head(weight=single.weight.bfloat16()), kind="kl")
    found.backward()
    assert found.dtype == moved.grad.dtype == torch.float32
    assert found.item() == rounded.item()


def naive_tail(mask: list[list[bool]], tail: int, starts: list[list[bool]]) -> list[list[bool]]:
    kept = [[False] * len(row) for row in mask]
    for place, (row, begins) in enumerate(zip(mask, starts, strict=True)):
        cuts = sorted({0, len(row)} | {at for at, begin in enumerate(begins) if begin})
        for begin, end in pairwise(cuts):
            for at in [at for at in range(begin, end) if row[at]][-tail:]:
                kept[place][at] = True
    return kept


@given(st.integers(1, 5), st.integers(1, 12).flatmap(lambda width: rows(width)), st.booleans())
def test_the_tail_of_each_sequence(tail: int, drawn: list[list[tuple[bool, bool]]], packed: bool) -> None:
    mask = [[counts for counts, _ in row] for row in drawn]
    starts = [[begins and packed for _, begins in row] for row in drawn]
    found = counted(torch.tensor(mask), tail, torch.tensor(starts) if packed else None)
    assert found.tolist() == naive_tail(mask, tail, starts)


def rows(width: int) -> st.SearchStrategy[list[list[tuple[bool, bool]]]]:
    row = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=width, max_size=width)
    return st.lists(row, min_size=1, max_size=4)


def test_without_a_tail_everything_marked_counts() -> None:
    mask = torch.tensor([[1, 0, 1], [0, 0, 1]])
    assert counted(mask).tolist() == [[True, False, True], [False, False, True]]


@pytest.mark.parametrize(
    ("step", "expected"),
    [(0, 0), (199, 0), (200, 0), (201, 0.0001), (350, 0.015), (500, 0.03), (501, 0.03), (966, 0.03)],
)
def test_the_fourth_experiment_of_the_log(step: int, expected: float) -> None:
    found = coefficient(step, 967, coef=0.03, start_step=200, warmup_steps=300)
    assert found == pytest.approx(expected, abs=1e-15)


def test_without_a_warm_up_it_sets_in_at_once() -> None:
    assert [coefficient(step, 300, coef=0.02, start_step=150) for step in (149, 150, 299)] == [0, 0.02, 0.02]


@pytest.mark.parametrize(
    ("decay", "expected"),
    [("linear", [0.5, 1, 0.75, 0.5, 0.25, 0]), ("cosine", [0.5, 1, (2 + 2**0.5) / 4, 0.5, (2 - 2**0.5) / 4, 0])],
)
def test_decay(decay: Decay, expected: list[float]) -> None:
    found = [coefficient(step, 7, coef=1, warmup_steps=2, decay=decay) for step in range(1, 7)]
    assert found == pytest.approx(expected, abs=1e-15)


@given(
    planned=st.integers(1, 60),
    coef=st.floats(0, 10),
    start=st.integers(0, 70),
    warmup=st.integers(0, 70),
    decay=st.sampled_from(["none", "linear", "cosine"]),
)
def test_the_schedule_keeps_its_bounds(planned: int, coef: float, start: int, warmup: int, decay: Decay) -> None:
    found = [
        coefficient(step, planned, coef=coef, start_step=start, warmup_steps=warmup, decay=decay)
        for step in range(planned)
    ]
    assert all(0 <= value <= coef for value in found)
    assert not any(found[:start])
    if decay != "none":
        assert found[-1] == 0
        assert all(a >= b for a, b in pairwise(found[start + warmup :]))
