"""Indexes joined into one find what an index over all the examples finds."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import InputError
from harness.leakage import TrainingExample, TrainingIndex, find, join, read
from judges.types import Prompt
from tests.published import write_lines

VOCABULARY = ("stew", "soup", "with", "lentils", "beans", "for", "a", "cold", "warm", "day", "which", "rice", "é", "字")
sentences = st.lists(st.sampled_from(VOCABULARY), min_size=1).map(" ".join)
examples = st.lists(
    st.builds(
        TrainingExample,
        file=st.sampled_from(["a.jsonl", "b.jsonl", "c.jsonl"]),
        line=st.integers(1, 99),
        turns=st.lists(sentences, max_size=3).map(tuple),
    ),
    max_size=6,
)


@given(st.lists(examples, max_size=3))
def test_joined_indexes_are_the_index_of_all_examples(parts):
    joined = join(TrainingIndex.build(part) for part in parts)
    whole = TrainingIndex.build(example for part in parts for example in part)
    assert joined.sha256 == whole.sha256


@given(examples, examples, st.lists(sentences, max_size=6))
def test_what_is_found_is_the_same(first, second, asked):
    prompts = [Prompt(id=str(place), turns=(text,)) for place, text in enumerate(asked)]
    joined = join([TrainingIndex.build(first), TrainingIndex.build(second)])
    assert find(joined, prompts) == find(TrainingIndex.build([*first, *second]), prompts)


def test_a_joined_index_is_saved_and_read_back_with_its_files(tmp_path):
    parts = [
        read(write_lines(tmp_path / name, [{"prompt": text, "response": "x"}]))
        for name, text in (("first.jsonl", "Which soup is warm?"), ("second.jsonl", "Which rice takes long?"))
    ]
    joined = join(parts)
    joined.save(tmp_path / "training_index.npz")
    loaded = read(tmp_path)
    assert (loaded.sha256, loaded.examples) == (joined.sha256, 2)
    assert loaded.files == (str(tmp_path / "first.jsonl"), str(tmp_path / "second.jsonl"))
    [match] = find(loaded, [Prompt(id="p", turns=("Which rice takes long?",))]).matches
    assert (match.file, match.line) == (str(tmp_path / "second.jsonl"), 1)


def test_indexes_of_different_permutations_are_not_joined():
    one = TrainingIndex.build([TrainingExample(file="a.jsonl", line=1, turns=("which soup",))])
    other = dataclasses.replace(one, files=("b.jsonl",), permutations=one.permutations + np.uint32(1))
    with pytest.raises(InputError, match=r"the indexes of a\.jsonl and of b\.jsonl were made with different permut"):
        join([one, other])
