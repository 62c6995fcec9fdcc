"""Checkpoint folders as training leaves them, with weights of a few bytes: real safetensors, no model behind them."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from harness import checkpoint
from harness.checkpoint import Base, Data, Manifest
from harness.checkpoints.files import ADAPTER_CONFIG, ADAPTER_WEIGHTS, config_sha256


def made(folder: Path, **changes: Any) -> Manifest:
    """The manifest that training would write for what is in a folder."""
    weights = checkpoint.weights_sha256(folder)
    manifest = Manifest(
        name="soup",
        kind="sft",
        base=Base(spec="recipe/broth.yaml", sha256="b" * 64),
        sha256=weights,
        adapter_sha256=weights if (folder / ADAPTER_WEIGHTS).is_file() else None,
        tokenizer_sha256=checkpoint.tokenizer_sha256(folder),
        chat_template_sha256=checkpoint.chat_template_sha256(folder),
        config_sha256=config_sha256(folder),
        steps_done=290,
        steps_planned=290,
        epochs=2.0,
        data=Data(sha256="d" * 64, planned=80, actual=78, held_out=2),
        seed=1,
        device="cpu",
        versions={"torch": "2.13.0"},
        recipe={"name": "soup", "training": {"epochs": 2}},
    )
    return replace(manifest, **changes)


def adapter(folder: Path, *, value: float = 1.0, size: int = 4, **changes: Any) -> Path:
    """A folder with an adapter and its manifest."""
    folder.mkdir(parents=True)
    save_file({"lora": np.full(size, value, np.float32)}, folder / ADAPTER_WEIGHTS)
    (folder / ADAPTER_CONFIG).write_text('{"peft_type": "LORA", "base_model_name_or_path": "broth"}')
    checkpoint.write(folder, made(folder, **changes))
    return folder


def whole(folder: Path, *, value: float = 1.0, **changes: Any) -> Path:
    """A folder with a whole model, its tokenizer and template, and its manifest; trained from nothing."""
    folder.mkdir(parents=True)
    save_file({"embed": np.full(4, value, np.float32)}, folder / "model.safetensors")
    (folder / "config.json").write_text('{"model_type": "llama"}')
    (folder / "tokenizer.json").write_text('{"version": "1.0"}')
    (folder / "tokenizer_config.json").write_text('{"eos_token": "<|end|>"}')
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    settings = {"name": "broth", "kind": "pretrain", "base": None} | changes
    checkpoint.write(folder, made(folder, **settings))
    return folder


def step(training: Path, number: int, *, state: int = 1000, **metrics: float) -> Path:
    """A saved step of a training: an adapter, resume state of so many bytes, and these figures."""
    folder = training / f"checkpoint-{number}"
    folder.mkdir(parents=True)
    save_file({"lora": np.full(4, number, np.float32)}, folder / ADAPTER_WEIGHTS)
    (folder / ADAPTER_CONFIG).write_text("{}")
    (folder / "optimizer.pt").write_bytes(b"o" * state)
    hashes = {"optimizer.pt": hashlib.sha256(b"o" * state).hexdigest()}
    checkpoint.write(folder, made(folder, steps_done=number, metrics=metrics, state=hashes))
    return folder


@contextlib.contextmanager
def being_trained(training: Path) -> Iterator[None]:
    """Hold the lock that a training holds."""
    descriptor = os.open(training.parent / f".{training.name}.lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
