"""A small BERT encoder from nothing, and a byte-level tokenizer trained on the training items: no hub is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from harness.models.encoder.form import Form
from harness.models.encoder.rows import parts_of
from harness.tasks.values import Item
from train.encoder.keys import FreshKeys

PAD, FIRST, BETWEEN = "[PAD]", "[CLS]", "[SEP]"


def fresh(keys: FreshKeys, form: Form, items: Sequence[Item]) -> tuple[Any, Any]:
    """An untrained model, drawn from torch's generator as it stands, and its tokenizer."""
    from transformers import BertConfig, BertModel

    from harness.models.encoder.network import EncoderClassifier

    made = tokenizer(texts(items), keys.vocab_size, keys.context)
    config = BertConfig(
        vocab_size=len(made),
        hidden_size=keys.hidden_size,
        intermediate_size=keys.intermediate_size,
        num_hidden_layers=keys.layers,
        num_attention_heads=keys.heads,
        max_position_embeddings=keys.context,
        pad_token_id=made.pad_token_id,
    )
    return EncoderClassifier(BertModel(config, add_pooling_layer=False), form), made


def texts(items: Sequence[Item]) -> Iterator[str]:
    """Every text of items, once a sequence that is read."""
    for item in items:
        for part in parts_of(item):
            yield from part


def tokenizer(given: Iterator[str], vocab_size: int, context: int) -> Any:
    """A transformers tokenizer of at most `vocab_size` tokens, the same for the same texts in the same order."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[PAD, FIRST, BETWEEN],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator(given, trainer)
    bpe.post_processor = processors.TemplateProcessing(
        single=f"{FIRST} $A {BETWEEN}",
        pair=f"{FIRST} $A {BETWEEN} $B:1 {BETWEEN}:1",
        special_tokens=[(FIRST, bpe.token_to_id(FIRST)), (BETWEEN, bpe.token_to_id(BETWEEN))],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token=PAD,
        cls_token=FIRST,
        sep_token=BETWEEN,
        model_max_length=context,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        clean_up_tokenization_spaces=False,
    )
