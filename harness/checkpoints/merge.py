"""`harness checkpoints merge`: a base and its adapter as one model, which answers as the two together do.

The merge is computed in float32 and saved in the base's own precision; what the rounding changes is measured on a
probe and said. Refuses another base than the adapter was trained on. torch is imported inside functions only.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness import checkpoint
from harness.checkpoint import Base, Manifest
from harness.checkpoints.bases import require
from harness.checkpoints.files import (
    ADAPTER_CONFIG,
    TEMPLATE_FILES,
    TOKENIZER_FILES,
    file_sha256,
    is_adapter,
)
from harness.checkpoints.place import free, new_folder
from harness.checkpoints.sizes import in_words, total
from harness.errors import InputError, Problem, RunStopped
from harness.models.weights import Device, Head, load, require_extra

FLOAT32 = Device(name="cpu", dtype="float32")
# How far the logits of a float32 merge may lie from those of base and adapter: rounding, in units of the largest logit.
ROUNDING = 1e-4
_PROBE = 32


def verb(adapter: Path, *, out: Path, base: Path | None, shelf: Path) -> int:
    """Merge an adapter into its base. Exit code 0; raises InputError where the adapter or the base is not right."""
    free(out)
    manifest = checkpoint.find(adapter)
    if not is_adapter(adapter):
        what = "holds no adapter (adapter_model.safetensors); give the folder of an adapter"
        raise InputError([Problem(path=str(adapter), what=what)])
    problems = checkpoint.verify(adapter) if manifest else []
    if problems:
        raise InputError(problems)
    require_extra("merging")
    place = require(adapter, manifest.base if manifest else None, base, shelf)
    with new_folder(out) as building:
        precision, difference = _merge(place, adapter, building, _head(adapter, manifest))
        _bring(place, adapter, building)
        if manifest is not None:
            checkpoint.write(building, _manifest(manifest, building))
    print(f"{adapter} on {place} → {out}: {in_words(total(out))}, {precision}")
    print(f"largest difference of a logit from base and adapter: {difference:.2g}", file=sys.stderr)
    if manifest is None:
        print(f"{adapter} has no manifest of ours, so {out} has none", file=sys.stderr)
    return 0


def _head(adapter: Path, manifest: Manifest | None) -> Head:
    if manifest is not None:
        return "reward" if manifest.kind == "reward" else "causal"
    config = json.loads((adapter / ADAPTER_CONFIG).read_text(encoding="utf-8"))
    return "reward" if config.get("task_type") == "SEQ_CLS" else "causal"


def _merge(base: Path, adapter: Path, into: Path, head: Head) -> tuple[str, float]:
    """Save the merged model; its precision, and how far a logit of it lies from base and adapter in float32."""
    import torch
    from safetensors import SafetensorError

    model, _ = load(base, adapter, FLOAT32, head)
    before = _logits(model)
    merged = model.merge_and_unload()
    precision = _precision(base)
    merged.to(getattr(torch, precision))
    try:
        merged.save_pretrained(str(into))
    except SafetensorError as error:
        raise RunStopped(f"{into}: cannot be written: {error}; free some space and merge again") from None
    _with_tokenizer(base, into)
    after = _logits(load(into, None, FLOAT32, head)[0])
    difference, size = float((after - before).abs().max()), float(before.abs().max())
    if precision == "float32" and difference > ROUNDING * max(1.0, size):
        what = f"cannot be merged: its logits would change by {difference:.3g}; use it on its base instead"
        raise InputError([Problem(path=str(adapter), what=what)])
    return precision, difference


def _logits(model: Any) -> Any:
    """The model's logits on a fixed row of tokens, spread over its vocabulary."""
    import torch

    size = model.get_input_embeddings().weight.shape[0]
    room = getattr(model.config.get_text_config(), "max_position_embeddings", None) or _PROBE
    ids = torch.tensor([[(7 + 7919 * place) % size for place in range(min(_PROBE, room))]])
    with torch.inference_mode():
        return model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits.float()


def _precision(base: Path) -> str:
    """The precision that a base's config names, float32 where it names none that is known."""
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    named = str(config.get("dtype") or config.get("torch_dtype") or "float32")
    return named if named in ("float32", "bfloat16", "float16") else "float32"


def _with_tokenizer(base: Path, into: Path) -> None:
    """Bring the base's own tokenizer and template along: they are what the adapter is asked with."""
    names = {*TOKENIZER_FILES, *TEMPLATE_FILES, *(file.name for file in base.glob("*.model"))}
    for name in sorted(names):
        if (base / name).is_file():
            shutil.copyfile(base / name, into / name)


def _bring(base: Path, adapter: Path, into: Path) -> None:
    """Bring along what base and adapter saw, as one index; say what does not come with the merged model."""
    from harness.leakage.index import TrainingIndex
    from harness.leakage.joined import join

    held = [folder / checkpoint.INDEX for folder in (base, adapter) if (folder / checkpoint.INDEX).is_file()]
    if held:
        join(map(TrainingIndex.load, held)).save(into / checkpoint.INDEX)
        if len(held) == 1:
            without = adapter if held[0].parent == base else base
            print(f"{without} has no training index: its share is missing from the merged one", file=sys.stderr)
    own = checkpoint.chat_template_sha256(adapter)
    if own is not None and own != checkpoint.chat_template_sha256(base):
        print(f"{adapter}: its own chat template is not used; the base's is, as in a run", file=sys.stderr)


def _manifest(made: Manifest, into: Path) -> Manifest:
    index = into / checkpoint.INDEX
    return replace(
        made,
        sha256=checkpoint.weights_sha256(into),
        adapter_sha256=None,
        tokenizer_sha256=checkpoint.tokenizer_sha256(into),
        chat_template_sha256=checkpoint.chat_template_sha256(into),
        config_sha256=checkpoint.config_sha256(into),
        merged_from=Base(spec=made.name, sha256=made.sha256),
        data=replace(made.data, index_sha256=file_sha256(index) if index.is_file() else None),
        state={},
    )
