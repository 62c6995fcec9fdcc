"""Tiny encoders of random weights, real files that the real code opens, and items to read."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.models.encoder.form import Form, HeadForm

WORDS = ("soup", "leek", "rice", "bread", "bean", "pan", "hot", "cold", "sweet", "sour", "brown", "green")
HEADS = (HeadForm(name="taste", labels=("sweet", "sour")), HeadForm(name="heat", labels=("hot", "warm", "cold")))


@dataclass(frozen=True)
class Read:
    """What an encoder reads of an item."""

    texts: tuple[str, ...]
    options: tuple[str, ...] = ()
    id: str = "i"


def form(**more: Any) -> Form:
    """A form of two heads."""
    return Form(**{"heads": HEADS, "max_length": 32, **more})


def said(rng: random.Random, most: int = 9) -> str:
    """A few words."""
    return " ".join(rng.choices(WORDS, k=rng.randint(1, most)))


def texts(count: int, seed: int = 0) -> list[Read]:
    """Single texts of different lengths."""
    rng = random.Random(seed)
    return [Read(texts=(said(rng),), id=str(place)) for place in range(count)]


def questions(count: int, seed: int = 0) -> list[Read]:
    """Questions with three options each."""
    rng = random.Random(seed)
    return [
        Read(texts=(said(rng),), options=(said(rng), said(rng), said(rng)), id=str(place)) for place in range(count)
    ]


def base(
    folder: Path, family: str = "bert", *, layers: int = 2, seed: int = 0, masked: bool = False, dropout: float = 0.1
) -> Path:
    """An encoder of 32 dimensions with a word-level tokenizer; `masked` puts the head of pretraining on it."""
    import torch
    import transformers

    tokenizer = _tokenizer(segments=family == "bert")
    tokenizer.save_pretrained(folder)
    shape = {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id}
    sizes: dict[str, float] = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
    }
    if family == "distilbert":
        sizes = {"dim": 32, "hidden_dim": 64, "n_layers": layers, "n_heads": 4}
    else:
        sizes |= {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    config = transformers.AutoConfig.for_model(family, **shape, **sizes, max_position_embeddings=66)
    kind = transformers.AutoModelForMaskedLM if masked else transformers.AutoModel
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        kind.from_config(config).save_pretrained(folder)
    return folder


def _tokenizer(*, segments: bool) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    marks = ["<pad>", "<s>", "</s>", "<unk>"]
    words = Tokenizer(models.WordLevel({word: at for at, word in enumerate((*marks, *WORDS))}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B:1 </s>:1", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    names = ["input_ids", *(["token_type_ids"] if segments else []), "attention_mask"]
    return PreTrainedTokenizerFast(
        tokenizer_object=words,
        pad_token="<pad>",
        unk_token="<unk>",
        cls_token="<s>",
        sep_token="</s>",
        model_input_names=names,
    )
