"""An encoder checkpoint's folder: how it is written, and how it is opened again, whole or not at all.

    config.json, model.safetensors, tokenizer files    the encoder alone, as transformers' AutoModel reads and writes it
    heads.json, heads.safetensors                      pooling and heads (`form`), and their weights
    lora.safetensors                                   where LoRA was trained: the adapter, which is in the encoder too

Every file is safetensors or JSON. AutoModelForSequenceClassification opens the folder too, but knows no such heads: it
draws new ones. A language model may stand in the encoder's place where heads are meant to read from left to right.
Refuses other bases that are no encoders, and weights that are missing, unexpected or of another shape, by name.
"""

from __future__ import annotations

import inspect
import warnings
from pathlib import Path
from typing import Any

from harness.checkpoints.files import damage, is_adapter, require_weights
from harness.errors import InputError, Problem
from harness.models.encoder.form import FILE, WEIGHTS, Form, Pool, read, write
from harness.models.weights import Device
from harness.process import kept_memory

DROPPED = (
    "classifier",
    "cls",
    "discriminator_predictions",
    "embeddings.position_ids",
    "generator_predictions",
    "head",
    "lm_head",
    "lm_predictions",
    "mask_predictions",
    "pooler",
    "pre_classifier",
    "qa_outputs",
    "score",
    "vocab_layer_norm",
    "vocab_projector",
    "vocab_transform",
)
"""What pretrained encoders bring along for tasks of their own; it has no place under new heads."""


def save(model: Any, tokenizer: Any, into: Path) -> None:
    """Write a model (`network.EncoderClassifier`) and its tokenizer. Raises OSError where that fails."""
    from safetensors.torch import save_file

    from harness.models.encoder import lora

    into.mkdir(parents=True, exist_ok=True)
    adapter = lora.own_weights(model.encoder)
    model.encoder.save_pretrained(str(into), **({"state_dict": lora.merged(model.encoder)} if adapter else {}))
    if adapter:
        save_file({name: weight.detach().cpu().contiguous() for name, weight in adapter.items()}, into / lora.FILE)
    save_file({name: weight.detach().cpu().contiguous() for name, weight in model.above().items()}, into / WEIGHTS)
    write(into, model.form)
    tokenizer.save_pretrained(str(into))


def load(folder: Path, device: Device) -> tuple[Any, Any]:
    """The model in evaluation mode and its tokenizer. Raises InputError where the folder is not a whole checkpoint."""
    import torch

    kept_memory()
    form = read(folder)
    model, tokenizer, dropped = based(folder, form, getattr(torch, device.dtype), causal=True)
    if dropped:
        raise InputError(f"{folder}: its weights do not fit the model (unexpected: {', '.join(dropped[:5])})")
    put_on(model, folder)
    return model.to(device.name, getattr(torch, device.dtype)).eval(), tokenizer


def based(base: Path, form: Form, dtype: Any = None, *, causal: bool = False) -> tuple[Any, Any, tuple[str, ...]]:
    """A base encoder under new heads, its tokenizer, and the keys of the base that are left out, all in float32.

    With `causal` the base may be a language model, unless its first token is to stand for the text. The heads are
    drawn from torch's generator. Raises InputError where the base is no encoder, where it cannot be opened, or where
    its weights are not exactly the encoder's.
    """
    import torch

    from harness.models.encoder.network import EncoderClassifier

    problems = _openable(base)
    if problems:
        raise InputError(problems)
    encoder, tokenizer, report = _opened(base, dtype or torch.float32, form.pooling if causal else None)
    dropped = _whole(base, report)
    _fits(base, form, encoder)
    return EncoderClassifier(encoder, form), tokenizer, dropped


def put_on(model: Any, folder: Path) -> None:
    """Put the weights of pooling and heads in a folder on a model. Raises InputError where they are not its own."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    file = folder / WEIGHTS
    try:
        stored = load_file(file)
    except (OSError, SafetensorError) as error:
        what = f"cannot be read ({_reason(error)}); train or copy the checkpoint again"
        raise InputError([Problem(path=str(file), what=what)]) from None
    wanted = model.above()
    wrong = {
        "missing": sorted(wanted.keys() - stored.keys()),
        "unexpected": sorted(stored.keys() - wanted.keys()),
        "of another shape": sorted(
            name for name in wanted.keys() & stored.keys() if wanted[name].shape != stored[name].shape
        ),
    }
    listed = _listed(wrong)
    if listed:
        what = f"its weights do not fit {FILE} ({listed}); train or copy the checkpoint again"
        raise InputError([Problem(path=str(file), what=what)])
    model.load_state_dict(stored, strict=False)


def put_back(model: Any, folder: Path) -> None:
    """Put all weights that `save` wrote into a folder on a model of the same form. Raises InputError elsewhere.

    Of an encoder that carries an adapter, the adapter's: what lies below it has stood still.
    """
    from safetensors.torch import load_file

    from harness.models.encoder import lora

    adapter = lora.own_weights(model.encoder)
    if adapter:
        stored = load_file(folder / lora.FILE) if (folder / lora.FILE).is_file() else {}
        if {name: weight.shape for name, weight in stored.items()} != {
            name: weight.shape for name, weight in adapter.items()
        }:
            raise InputError([Problem(path=str(folder), what="holds no such adapter's weights; delete this folder")])
        model.encoder.load_state_dict(stored, strict=False)
        put_on(model, folder)
        return
    stored = {}
    for file in sorted(folder.glob("*.safetensors")):
        if file.name not in (WEIGHTS, lora.FILE):
            stored |= load_file(file)
    own = model.encoder.state_dict()
    tied = own.keys() - stored.keys()
    if stored.keys() - own.keys() or tied - set(getattr(model.encoder, "all_tied_weights_keys", None) or ()):
        raise InputError([Problem(path=str(folder), what="holds another encoder's weights; delete this folder")])
    model.encoder.load_state_dict(stored, strict=not tied)
    put_on(model, folder)


def _openable(base: Path) -> list[Problem]:
    require_weights(base)
    if is_adapter(base):
        return [Problem(path=str(base), what="is an adapter; an encoder needs a whole model")]
    return damage(base)


def _opened(base: Path, dtype: Any, causal: Pool | None) -> tuple[Any, Any, Any]:
    """The encoder alone, its tokenizer, and what transformers says of the keys.

    `causal` is the pooling on a language model, None where there may be none.
    """
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    warnings.simplefilter("ignore")
    try:
        config = transformers.AutoConfig.from_pretrained(str(base), trust_remote_code=False)
        family = _family(config, causal)
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(base), padding_side="right", trust_remote_code=False)
        pooler = "add_pooling_layer" in inspect.signature(family.__init__).parameters
        encoder, report = transformers.AutoModel.from_pretrained(
            str(base),
            dtype=dtype,
            use_safetensors=True,
            ignore_mismatched_sizes=True,
            trust_remote_code=False,
            output_loading_info=True,
            **({"add_pooling_layer": False} if pooler else {}),
        )
    except InputError:
        raise
    # A foreign config or tokenizer makes the libraries raise anything, bare Exception included.
    except Exception as error:
        raise InputError(f"{base}: cannot be loaded: {_reason(error)}") from None
    if tokenizer.pad_token_id is None and causal is not None:
        tokenizer.pad_token = tokenizer.eos_token
    if tokenizer.pad_token_id is None:
        raise InputError(f"{base}: its tokenizer has no padding token, so it is no encoder's; give an encoder")
    return encoder, tokenizer, report


def _family(config: Any, causal: Pool | None) -> Any:
    """The model class of a config. Raises InputError where it is a language model that has no place here."""
    from transformers.models.auto import modeling_auto as known

    masked = known.MODEL_FOR_MASKED_LM_MAPPING_NAMES
    writing = known.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    name = config.model_type
    writes = name in writing and name not in masked
    if getattr(config, "is_encoder_decoder", False) or (writes and causal is None):
        raise InputError(
            f"a {name} model is no encoder; give one such as BERT, DistilBERT or RoBERTa, or have the last token of a "
            "language model read (head.pooling: last, with or without lora)"
        )
    if writes and causal == "cls":
        raise InputError(
            f"a {name} model reads from left to right, so that its first token knows nothing of the text; set "
            "head.pooling to last"
        )
    return known.MODEL_MAPPING[type(config)]


def _whole(base: Path, report: Any) -> tuple[str, ...]:
    """The keys that are left out. Raises InputError where others are missing, unexpected or of another shape."""
    unexpected = sorted(report.get("unexpected_keys", ()))
    dropped = tuple(key for key in unexpected if _other_task(key))
    wrong = {
        "missing": sorted(report.get("missing_keys", ())),
        "unexpected": [key for key in unexpected if not _other_task(key)],
        "of another shape": sorted(str(key) for key in report.get("mismatched_keys", ())),
    }
    listed = _listed(wrong)
    if listed:
        raise InputError(f"{base}: its weights do not fit the encoder ({listed}); give a whole checkpoint")
    return dropped


def _other_task(key: str) -> bool:
    return any(key == name or key.startswith(f"{name}.") or f".{name}." in f".{key}." for name in DROPPED)


def _fits(base: Path, form: Form, encoder: Any) -> None:
    room = room_of(encoder.config)
    if room is not None and form.max_length > room:
        raise InputError(
            f"{base}: reads {room} tokens at once, and max_length is {form.max_length}; lower it to {room}"
        )


def room_of(config: Any) -> int | None:
    """The tokens that an encoder reads at once; None where its config does not say."""
    room = getattr(config, "max_position_embeddings", None)
    if not isinstance(room, int) or room < 1:
        return None
    # Positions of the RoBERTa family begin after the padding token's.
    shifted = config.model_type in _SHIFTED
    return room - int(config.pad_token_id or 0) - 1 if shifted else room


_SHIFTED = ("roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "longformer", "mpnet", "ibert", "data2vec-text")


def _listed(wrong: dict[str, list[str]]) -> str:
    return "; ".join(
        f"{name}: {', '.join(keys[:5])}{' …' if len(keys) > 5 else ''}" for name, keys in wrong.items() if keys
    )


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
