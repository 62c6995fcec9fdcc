"""Padded copies: longer, the same words, seeded, and nothing where there is nothing to say again."""

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judges import probes
from judges.probes import PADDINGS, padded, sentences

ONES_OWN = set(
    re.findall(
        r"\w+",
        " ".join((*probes._OPENERS, *probes._CLOSERS, *probes._AGAIN, *probes._RECAPS, *probes._REPEATS)).casefold(),
    )
)
texts = st.lists(st.sampled_from(["Rain fell.", "it", "Why?", "a b c", "\n", "1. one", "2) two!"]), min_size=1).map(
    " ".join
)


def words(text):
    return set(re.findall(r"\w+", text.casefold()))


def test_sentences_are_parted_at_stops_and_line_breaks():
    assert sentences("One. Two? Three!\n- four\n\n five ") == ["One.", "Two?", "Three!", "- four", "five"]
    assert sentences(" \n ") == []


@pytest.mark.parametrize("kind", PADDINGS)
@pytest.mark.parametrize("text", ["Lucy", "Yes.", "One. Two.", "a\n\nb", "{x} <y>", "42"])
def test_a_padded_copy_holds_the_original_and_is_longer(kind, text):
    (found,) = padded((text,), kind, random.Random(1))
    assert len(found) > len(text)
    assert all(sentence in found for sentence in sentences(text))
    # Every kind but the restating one leaves the whole original as it is.
    assert kind == "restated" or text in found


@pytest.mark.parametrize("kind", PADDINGS)
@given(text=texts, seed=st.integers(0, 99))
def test_padding_adds_no_word_of_its_own_but_politeness(kind, text, seed):
    found = padded((text,), kind, random.Random(seed))
    if not text.strip():
        assert found is None
        return
    assert found == padded((text,), kind, random.Random(seed))
    assert words(text) <= words(found[0]) <= words(text) | ONES_OWN


@pytest.mark.parametrize("kind", PADDINGS)
def test_every_turn_that_says_something_is_padded(kind):
    one, two, three = padded(("Hello there.", "  ", "Goodbye."), kind, random.Random(0))
    assert len(one) > len("Hello there.")
    assert two == "  "
    assert len(three) > len("Goodbye.")


@pytest.mark.parametrize("kind", PADDINGS)
@pytest.mark.parametrize("empty", [(), ("",), (" ", "\n")])
def test_nothing_cannot_be_padded(kind, empty):
    assert padded(empty, kind, random.Random(0)) is None


def test_another_kind_is_unknown():
    with pytest.raises(KeyError):
        padded(("x",), "blown up", random.Random(0))
