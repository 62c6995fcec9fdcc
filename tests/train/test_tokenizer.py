"""The tokenizer of the embedded models: any text survives it, and chats are marked turn by turn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("transformers")

from train import tokenizer as bpe

TOKENIZER = bpe.train(["a stew with lentils", "count the jars: jar, lid, jar"] * 20, 320, 64)


@given(st.text())
def test_any_text_survives(text):
    ids = TOKENIZER(text, add_special_tokens=False)["input_ids"]
    assert TOKENIZER.decode(ids, clean_up_tokenization_spaces=False) == text


def test_the_same_texts_give_the_same_tokens():
    texts = ["plum, fig", "fig, plum"] * 30
    assert bpe.train(texts, 300, 64).get_vocab() == bpe.train(texts, 300, 64).get_vocab()


def test_a_chat_is_marked_turn_by_turn():
    turns = [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Yes?"}]
    assert TOKENIZER.apply_chat_template(turns, tokenize=False) == "<|user|>Hi.<|end|><|assistant|>Yes?<|end|>"
    asked = TOKENIZER.apply_chat_template(turns[:1], tokenize=False, add_generation_prompt=True)
    assert asked == "<|user|>Hi.<|end|><|assistant|>"
    assert TOKENIZER.decode([TOKENIZER.pad_token_id, TOKENIZER.eos_token_id]) == bpe.PAD + bpe.END
