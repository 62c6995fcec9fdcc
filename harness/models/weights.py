"""Opens local transformers checkpoints: finds them, chooses device and precision, loads and verifies the weights.

Refuses weights that are not safetensors, torn files and missing shards, keys that are missing, unexpected or
re-initialised (a reward head too), an adapter on another base than its own, code that comes with a checkpoint, and an
environment without the training extra. torch is imported inside functions only.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from harness import checkpoint
from harness.checkpoints.files import ADAPTER_CONFIG, ADAPTER_WEIGHTS, damage, is_adapter, require_weights, tensors
from harness.errors import HarnessError, InputError, Problem
from harness.process import kept_memory

FILES = ["*.safetensors", "*.json", "*.model", "*.txt", "*.jinja"]
Head = Literal["causal", "reward"]
_CLASSES: dict[Head, str] = {"causal": "AutoModelForCausalLM", "reward": "AutoModelForSequenceClassification"}
NEEDED = ("torch", "transformers", "peft")
# What the families call the head of a model that scores.
_HEADS = ("score.weight", "classifier.weight")


def require_extra(what: str) -> None:
    """Raise one sentence naming what to install where the training extra is absent."""
    lacking = [name for name in NEEDED if find_spec(name) is None]
    if lacking:
        raise HarnessError(
            f"{what} needs {', '.join(lacking)}; install the extra: pip install 'judge-harness[train]' torch==2.13.0"
        )


def locate(text: str, spec: str) -> Path:
    """The folder of a checkpoint: a path, or a hub id that is in the local cache or can be fetched.

    Raises InputError where it is neither.
    """
    path = Path(text)
    if path.is_dir():
        return path.resolve()
    if path.is_absolute() or text.startswith(".") or text.count("/") > 1:
        raise InputError(f"{spec!r}: there is no checkpoint folder {text!r}; check the path")
    require_extra(repr(spec))
    # Its own progress bars would break into ours.
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(text, allow_patterns=FILES))
    except Exception as error:  # The hub client raises a dozen unrelated types; each means the same here.
        reason = " ".join(str(error).split())[:160]
        raise InputError(
            f"{spec!r}: there is no folder {text!r} here, and no hub id {text!r} can be fetched ({reason}); check it"
        ) from None


def stored(text: str) -> Path | None:
    """The folder of a hub id that was fetched before; None where it is not on this machine. Asks nobody."""
    if find_spec("huggingface_hub") is None:
        return None
    from huggingface_hub import try_to_load_from_cache

    try:
        config = try_to_load_from_cache(text, "config.json")
    # An id that is none.
    except ValueError:
        return None
    return Path(config).parent if isinstance(config, str) else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """Where and how precisely a model runs."""

    name: str
    dtype: str


def choose_device() -> Device:
    """CUDA in bfloat16 where there is a GPU, else MPS, else CPU, both in float32."""
    import torch

    if torch.cuda.is_available():
        return Device(name="cuda", dtype="bfloat16")
    if torch.backends.mps.is_available():
        return Device(name="mps", dtype="float32")
    return Device(name="cpu", dtype="float32")


def load(base: Path, adapter: Path | None, device: Device, head: Head = "causal") -> tuple[Any, Any]:
    """The model in evaluation mode with its adapter on, and its tokenizer, padded on the left.

    Raises InputError where a weight is missing, unexpected or of the wrong shape, where the adapter was trained on
    another base, or where a folder cannot be opened.
    """
    problems = loadable(base, adapter)
    if problems:
        raise InputError(problems)
    import torch
    import transformers

    kept_memory()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    # The libraries warn each other; what concerns the user is checked below and raised.
    warnings.simplefilter("ignore")
    scores = _scores(adapter) if adapter is not None and head == "reward" else {}
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(base), padding_side="left", trust_remote_code=False)
        model, report = getattr(transformers, _CLASSES[head]).from_pretrained(
            str(base),
            dtype=getattr(torch, device.dtype),
            use_safetensors=True,
            # Reported below with the keys' names, instead of raised without them.
            ignore_mismatched_sizes=True,
            trust_remote_code=False,
            output_loading_info=True,
            **({"num_labels": next(iter(scores.values()))} if scores else {}),
        )
    # A foreign config or tokenizer makes the libraries raise anything, bare Exception included.
    except Exception as error:
        raise InputError(f"{base}: cannot be loaded: {_reason(error)}") from None
    _whole(base, model, report, set(scores))
    if adapter is not None:
        model = _with_adapter(model, adapter)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    return model.to(device.name).eval(), tokenizer


def loadable(base: Path, adapter: Path | None, base_sha256: str | None = None) -> list[Problem]:
    """What keeps a base, or an adapter on it, from being loaded, as far as the files tell without opening a model.

    `base_sha256` spares hashing a base whose fingerprint is known. Raises InputError where a folder has no safetensors
    weights, or holds a broken manifest.
    """
    require_weights(base)
    # transformers would fetch the base that such a folder names, and put the adapter on it.
    if is_adapter(base) or (base / ADAPTER_CONFIG).is_file():
        what = "is an adapter, not a whole model; give it with its base as hf/<base>+<adapter>"
        return [Problem(path=str(base), what=what)]
    problems = damage(base)
    if adapter is None:
        return problems
    require_weights(adapter)
    lacking = [name for name in (ADAPTER_WEIGHTS, ADAPTER_CONFIG) if not (adapter / name).is_file()]
    if lacking:
        what = f"is no adapter: it lacks {' and '.join(lacking)}; give the folder that PEFT wrote"
        return [*problems, Problem(path=str(adapter), what=what)]
    wrong = checkpoint.on_its_base(base, adapter, base_sha256)
    return [*problems, *damage(adapter), *([wrong] if wrong else [])]


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def _scores(adapter: Path) -> dict[str, int]:
    """The reward heads that an adapter brings along for a base without one, by the model's key, and their outputs."""
    prefix = "base_model.model."
    return {
        name.removeprefix(prefix): int(value["shape"][0])
        for name, value in tensors(adapter / ADAPTER_WEIGHTS).items()
        if name.removeprefix(prefix) in _HEADS
    }


def _whole(base: Path, model: Any, report: Any, brought: set[str]) -> None:
    """Raise InputError where the weights are not exactly the model's; `brought` are heads that the adapter holds."""
    tied = set(getattr(model, "all_tied_weights_keys", None) or ())
    # What predicted words has no place in a model that scores.
    replaced = {"lm_head.weight"} if brought else set()
    wrong = {
        "missing": sorted(set(report.get("missing_keys", ())) - tied - brought),
        "unexpected": sorted(set(report.get("unexpected_keys", ())) - replaced),
        "of another shape": sorted(str(key) for key in report.get("mismatched_keys", ())),
    }
    listed = [f"{name}: {', '.join(keys[:5])}{' …' if len(keys) > 5 else ''}" for name, keys in wrong.items() if keys]
    if listed:
        raise InputError(f"{base}: its weights do not fit the model ({'; '.join(listed)}); give a whole checkpoint")


def _with_adapter(model: Any, adapter: Path) -> Any:
    import peft

    try:
        wrapped = peft.PeftModel.from_pretrained(model, str(adapter), is_trainable=False)
        # Adapter weights alone: looking for changed embeddings would ask the hub for the base.
        state = peft.get_peft_model_state_dict(wrapped, save_embedding_layers=False)
    except Exception as error:
        raise InputError(f"{adapter}: is no adapter for this base: {_reason(error)}") from None
    stored = set(tensors(adapter / ADAPTER_WEIGHTS))
    lacking, foreign = sorted(set(state) - stored), sorted(stored - set(state))
    if lacking or foreign:
        named = ", ".join((lacking + foreign)[:5])
        raise InputError(f"{adapter}: its weights do not fit the base (keys that differ: {named}); give its own base")
    return wrapped
