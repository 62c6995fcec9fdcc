"""Padding is a tokenizer's own, on either side."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.models.padding import padded_rows
from tests import tiny

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    import transformers

    return transformers.AutoTokenizer.from_pretrained(tiny.checkpoint(tmp_path_factory.mktemp("tiny")))


@given(st.lists(st.lists(st.integers(1, 40), min_size=1, max_size=9), min_size=1, max_size=6), st.booleans())
def test_rows_are_padded_as_the_tokenizer_pads_them(tokenizer, rows, left):
    tokenizer.padding_side = "left" if left else "right"
    wanted = tokenizer.pad({"input_ids": rows}, padding=True, return_tensors="pt")
    found = padded_rows(rows, tokenizer.pad_token_id, left=left)
    assert set(found) == {"input_ids", "attention_mask"}
    for name, values in found.items():
        assert torch.equal(values, wanted[name]) and values.dtype == wanted[name].dtype
