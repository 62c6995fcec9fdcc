"""Rows part into batches with the least padding: held against every way there is."""

from hypothesis import given
from hypothesis import strategies as st

from harness.models.parts import parts


def every_way(n):
    """All ways to part n rows into batches, in order."""
    if n == 0:
        yield []
    for first in range(1, n + 1):
        for rest in every_way(n - first):
            yield [first, *rest]


def cost(lengths, sizes, *, most, tokens, each):
    """Tokens with padding and `each` a batch; None where a batch is too large."""
    total, start = 0, 0
    for size in sizes:
        padded = size * lengths[start]
        if size > 1 and (size > most or padded > tokens):
            return None
        total, start = total + padded + each, start + size
    return total


@given(
    st.lists(st.integers(1, 60), max_size=9),
    st.integers(1, 9),
    st.integers(1, 200),
    st.integers(0, 150),
)
def test_no_way_to_part_them_costs_less(lengths, most, tokens, each):
    lengths.sort(reverse=True)
    limits = {"most": most, "tokens": tokens, "each": each}
    found = parts(lengths, **limits)
    assert sum(found) == len(lengths)
    known = [value for way in every_way(len(lengths)) if (value := cost(lengths, way, **limits)) is not None]
    assert cost(lengths, found, **limits) == min(known)


def test_a_few_long_rows_stand_apart_where_a_batch_costs_less_than_their_company():
    lengths = [90] * 3 + [20] * 50
    assert parts(lengths, most=64, tokens=10_000, each=1_000) == [3, 50]
    assert parts(lengths, most=64, tokens=10_000, each=10_000) == [53]


def test_nothing_has_no_batches_and_a_row_too_long_stands_alone():
    assert parts([], most=4, tokens=10, each=1) == []
    assert parts([50, 50, 3, 3], most=4, tokens=10, each=1) == [1, 1, 2]
