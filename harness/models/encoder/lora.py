"""LoRA within an encoder (PEFT): its own weights by name, and the encoder's with them added in. Imports torch.

A training keeps both beside each other: the whole encoder, which opens without PEFT, and the adapter alone
(`lora.safetensors`), from which the training goes on.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

FILE = "lora.safetensors"
NAME = "default"
_OWN, _BASE = ".lora_", ".base_layer."


def own_weights(encoder: Any) -> dict[str, Tensor]:
    """The adapter's weights; none where the encoder carries none."""
    return {name: weight for name, weight in encoder.state_dict().items() if _OWN in name}


def merged(encoder: Any) -> dict[str, Tensor]:
    """The encoder's weights under its own names, to each layer's the adapter's product added; sums in float32."""
    carrying = {name: module for name, module in encoder.named_modules() if hasattr(module, "get_delta_weight")}
    found = {}
    with torch.no_grad():
        for name, weight in encoder.state_dict().items():
            if _OWN in name:
                continue
            plain = name.replace(_BASE, ".")
            module, _, part = plain.rpartition(".")
            if module in carrying and part == "weight":
                delta = carrying[module].get_delta_weight(NAME)
                found[plain] = (weight.float() + delta.float()).to(weight.dtype)
            else:
                found[plain] = weight
    return found
