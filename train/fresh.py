"""A small Llama model and its tokenizer from nothing, for recipes of kind pretrain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from train import tokenizer as bpe
from train.examples import Example
from train.keys import PretrainKeys


def fresh(keys: PretrainKeys, examples: Sequence[Example]) -> tuple[Any, Any]:
    """An untrained model, drawn from torch's generator as it stands, and a tokenizer trained on the examples."""
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = bpe.train(_texts(examples), keys.tokenizer.vocab_size, keys.model.context)
    shape = keys.model
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.hidden_size,
        intermediate_size=shape.intermediate_size,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=shape.context,
        initializer_range=shape.initializer_range,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config), tokenizer


def _texts(examples: Sequence[Example]) -> Iterator[str]:
    for row in examples:
        yield from (message.content for message in row.prompt)
        yield row.answer
