"""Puts a LoRA adapter into the encoder that is trained: its weights stand still, adapter and heads learn."""

from __future__ import annotations

from typing import Any

from harness.errors import InputError
from harness.models.encoder.lora import NAME
from train.keys import LoraKeys


def adapt(model: Any, lora: LoraKeys) -> None:
    """Put an adapter, drawn from torch's generator, into a model's encoder. Raises InputError where no layer fits."""
    import peft

    config = peft.LoraConfig(
        r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=lora.target_modules
    )
    try:
        peft.inject_adapter_in_model(config, model.encoder, NAME)
    except ValueError as error:
        raise InputError(f"lora.target_modules: {' '.join(str(error).split())[:300]}") from None
