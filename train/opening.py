"""Opens what a training starts from: a model from nothing, or a base with a new adapter, an old one or none."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness.errors import InputError
from harness.models.weights import Device, load
from train.examples import Example
from train.fresh import fresh
from train.keys import AnyKeys, LoraKeys, PretrainKeys, RewardKeys, TunedKeys
from train.outcome import Setting


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """A model that is ready for a trainer, its tokenizer, and the adapter that the trainer is to put on it."""

    model: Any
    tokenizer: Any
    lora: Any = None


def opened(
    keys: AnyKeys, run: Setting, base: Path | None, parent: Path | None, examples: tuple[Example, ...]
) -> Opened:
    """What a recipe starts from. Raises InputError where the base or the parent cannot be loaded whole."""
    if isinstance(keys, PretrainKeys):
        model, tokenizer = fresh(keys, examples)
        return Opened(model=model, tokenizer=tokenizer)
    assert base is not None
    model, tokenizer = _based(keys, run, base)
    if parent is not None:
        return Opened(model=_continued(model, parent), tokenizer=tokenizer)
    return Opened(model=model, tokenizer=tokenizer, lora=_lora(keys.lora, keys) if keys.lora else None)


def _based(keys: TunedKeys, run: Setting, base: Path) -> tuple[Any, Any]:
    """The base and its tokenizer; a frozen base stands in bf16 where the training computes in it."""
    dtype = "bfloat16" if keys.adapts and run.precision == "bf16" else "float32"
    if isinstance(keys, RewardKeys):
        return _with_new_head(keys, base, dtype)
    if keys.quantize is not None:
        return _quantized(base, run)
    model, tokenizer = load(base, None, Device(name=run.device, dtype=dtype))
    return model.train(), _padded_right(tokenizer)


def _with_new_head(keys: RewardKeys, base: Path, dtype: str) -> tuple[Any, Any]:
    """The base under a head with one output, which is drawn from torch's generator: the one weight that may be new."""
    import torch
    import transformers

    _, tokenizer = load(base, None, Device(name="cpu", dtype=dtype))
    model, report = transformers.AutoModelForSequenceClassification.from_pretrained(
        str(base),
        num_labels=1,
        dtype=getattr(torch, dtype),
        use_safetensors=True,
        trust_remote_code=False,
        output_loading_info=True,
    )
    new = sorted(report["missing_keys"])
    if len(new) != 1:
        raise InputError(
            f"{base}: a reward model of {keys.name} needs one new head, found {new[:5]}; give a causal model"
        )
    return model, _padded_right(tokenizer)


def _quantized(base: Path, run: Setting) -> tuple[Any, Any]:
    import torch
    import transformers

    if find_spec("bitsandbytes") is None or run.device != "cuda":
        lacking = "bitsandbytes, which is not installed" if run.device == "cuda" else f"CUDA, found {run.device}"
        raise InputError(f"quantize: 4bit needs {lacking}; install it or leave 'quantize' out")
    from peft import prepare_model_for_kbit_training

    four_bits = transformers.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16 if run.precision == "bf16" else torch.float32,
    )
    model = transformers.AutoModelForCausalLM.from_pretrained(
        str(base), quantization_config=four_bits, use_safetensors=True, trust_remote_code=False, device_map={"": 0}
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(base), trust_remote_code=False)
    return prepare_model_for_kbit_training(model), _padded_right(tokenizer)


def _continued(model: Any, parent: Path) -> Any:
    """The base with an adapter on it that can be trained further."""
    import peft

    try:
        return peft.PeftModel.from_pretrained(model, str(parent), is_trainable=True)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"parent: {parent} is no adapter for this base: {reason}") from None


def _lora(lora: LoraKeys, keys: TunedKeys) -> Any:
    from peft import LoraConfig

    return LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.target_modules,
        task_type="SEQ_CLS" if isinstance(keys, RewardKeys) else "CAUSAL_LM",
    )


def _padded_right(tokenizer: Any) -> Any:
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "right"
    return tokenizer
