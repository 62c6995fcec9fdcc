"""Strided windows: every token is foretold once, with as much before it as the window holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.perplexity.windows import windows


def contexts(ids, counted, max_length, stride):
    """(place in the text, tokens before it in its window) of everything that is counted."""
    found = []
    for window in windows(ids, counted, max_length=max_length, stride=stride):
        begin = window.ids[0]
        assert list(window.ids) == list(range(begin, begin + len(window.ids)))
        found += [(begin + place, place) for place in window.counted]
    return found


def by_the_book(length, max_length, stride):
    """The loop of the transformers documentation, written out: (token, tokens before it in its window)."""
    found, previous = [], 0
    for begin in range(0, length, stride):
        end = min(begin + max_length, length)
        fresh = end - previous
        # Labels are shifted inside the model: the first token of a window is never foretold.
        found += [(place, place - begin) for place in range(end - fresh, end) if place > begin]
        previous = end
        if end == length:
            break
    return found


SHAPES = st.integers(2, 12).flatmap(lambda longest: st.tuples(st.just(longest), st.integers(1, longest - 1)))


@given(length=st.integers(0, 60), shape=SHAPES)
def test_all_tokens_but_the_first_count_once_as_the_book_has_it(length, shape):
    found = contexts(list(range(length)), list(range(1, length)), *shape)
    assert [place for place, _ in found] == list(range(1, length))
    assert found == by_the_book(length, *shape)


@given(length=st.integers(1, 60), shape=SHAPES, data=st.data())
def test_what_is_left_out_changes_nothing_for_what_counts(length, shape, data):
    some = sorted(data.draw(st.sets(st.integers(1, max(1, length - 1)))) & set(range(1, length)))
    whole = dict(contexts(list(range(length)), list(range(1, length)), *shape))
    assert contexts(list(range(length)), some, *shape) == [(place, whole[place]) for place in some]


@given(length=st.integers(0, 60), shape=SHAPES)
def test_a_token_has_at_least_the_overlap_before_it(length, shape):
    longest, stride = shape
    for place, before in contexts(list(range(length)), list(range(1, length)), longest, stride):
        assert min(place, longest - stride) <= before <= longest - 1


@given(length=st.integers(0, 40), longest=st.integers(2, 12))
def test_a_stride_of_one_gives_every_token_all_that_the_window_holds(length, longest):
    found = contexts(list(range(length)), list(range(1, length)), longest, 1)
    assert found == [(place, min(place, longest - 1)) for place in range(1, length)]


def test_windows_without_anything_to_count_are_left_out():
    found = windows(list(range(40)), [30, 31], max_length=8, stride=4)
    assert [(window.ids, list(window.counted)) for window in found] == [([24, 25, 26, 27, 28, 29, 30, 31], [6, 7])]


@pytest.mark.parametrize(("longest", "stride"), [(8, 8), (8, 9), (8, 0)])
def test_a_stride_that_loses_tokens_is_refused(longest, stride):
    with pytest.raises(ValueError, match="the stride has to be from 1 to max_length - 1"):
        windows([1, 2], [1], max_length=longest, stride=stride)


def test_the_first_token_cannot_count():
    with pytest.raises(ValueError, match="nothing before it"):
        windows([1, 2], [0, 1], max_length=4, stride=2)
