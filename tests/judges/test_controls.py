"""Damaged copies are visibly damaged, and judges with a known bias have exactly that bias."""

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judges.controls import ControlJudge, cut, shuffled, swapped
from judges.types import Presentation, Prompt

TEXTS = st.lists(st.text(max_size=60), min_size=1, max_size=3).map(tuple)


def words(texts):
    return [sorted(text.split()) for text in texts]


@given(TEXTS, st.integers())
def test_shuffled_words_are_the_same_words_in_another_order_or_nothing(texts, seed):
    damaged = shuffled(texts, random.Random(seed))
    if damaged is not None:
        assert words(damaged) == words(texts)
        assert [" ".join(t.split()) for t in damaged] != [" ".join(t.split()) for t in texts]


@given(TEXTS)
def test_a_cut_copy_is_the_first_half(texts):
    damaged = cut(texts)
    if damaged is None:
        assert all(len(text.split()) < 2 for text in texts)
    else:
        assert all(t.split()[: len(d.split())] == d.split() for t, d in zip(texts, damaged, strict=True))
        assert sum(map(len, map(str.split, damaged))) < sum(map(len, map(str.split, texts)))


def test_another_answer_must_be_another_answer():
    assert swapped(("a soup",), ("a stew",)) == ("a stew",)
    assert swapped(("a soup",), ("a  soup",)) is None
    assert swapped(("a soup",), (" ",)) is None
    assert swapped(("a soup",), ("a", "b")) is None


@pytest.mark.parametrize(
    ("bias", "a", "b", "verdict"),
    [
        ("first", "x", "longer", "A"),
        ("second", "x", "longer", "B"),
        ("tie", "x", "longer", "tie"),
        ("longest", "x", "longer", "B"),
        ("shortest", "x", "longer", "A"),
        ("longest", "same", "size", "tie"),
        ("shortest", "same", "size", "tie"),
    ],
)
def test_a_known_bias(bias, a, b, verdict):
    assert rule(bias, a, b).verdict == verdict


def rule(bias, a, b, seed=0):
    shown = Presentation(prompt=Prompt(id="p", turns=("q",)), a=(a,), b=(b,))
    return asyncio.run(ControlJudge(bias=bias).judge(shown, rng=random.Random(seed)))


def test_the_coin_is_fair():
    heads = sum(rule("random", "x", "y", seed).verdict == "A" for seed in range(2000))
    assert 900 < heads < 1100
