"""Small recipes and their data for the training tests: a base of two layers, a few dozen examples, a dozen steps."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.published import write_lines
from train.build import Yard, built
from train.recipe import load

WORDS = ("a", "soup", "with", "leeks", "and", "rice", "count", "from", "one", "to", "nine", "pan", "hot", "brown")
SFT: Mapping[str, Any] = {
    "name": "small",
    "kind": "sft",
    "seed": 5,
    "device": "cpu",
    "threads": 1,
    "log": [],
    "data": {"files": ["data.jsonl"]},
    "lora": {"rank": 2, "alpha": 4},
    "training": {"epochs": 1, "batch_size": 4, "max_length": 96, "learning_rate": 0.01},
    "save": {"every": 100, "keep": 9},
}
PRETRAIN: Mapping[str, Any] = {
    **{key: SFT[key] for key in ("name", "seed", "device", "threads", "log", "data", "training", "save")},
    "kind": "pretrain",
    "model": {"hidden_size": 32, "intermediate_size": 64, "layers": 2, "heads": 4, "context": 128},
    "tokenizer": {"vocab_size": 300},
}


def said(rng: random.Random, most: int = 9) -> str:
    """A few words."""
    return " ".join(rng.choices(WORDS, k=rng.randint(1, most)))


def answers(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Prompts with answers of different lengths."""
    rng = random.Random(seed)
    return [{"prompt": f"{place}: {said(rng)}", "response": said(rng, 12)} for place in range(count)]


def pairs(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Prompts with a long answer that is chosen and a short one that is rejected."""
    rng = random.Random(seed)
    return [
        {"prompt": f"{place}: {said(rng)}", "chosen": f"{said(rng, 12)} brown bread", "rejected": f"{said(rng)} hot"}
        for place in range(count)
    ]


def merged(keys: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Keys with others on top; None takes one away."""
    result = deepcopy(dict(keys))
    for key, value in more.items():
        below = result.get(key)
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(below, Mapping):
            result[key] = merged(below, value)
        else:
            result[key] = value
    return result


def recipe(
    folder: Path, at: Path | None, rows: Sequence[Mapping[str, Any]] = (), *, file: str = "r.yaml", **more: Any
) -> Path:
    """Write a recipe on the base at a path (a pretraining where there is none) and, where rows are given, its data."""
    folder.mkdir(parents=True, exist_ok=True)
    if rows:
        write_lines(folder / "data.jsonl", [dict(row) for row in rows])
    keys = PRETRAIN if at is None else {**SFT, "base": f"hf/{at}"}
    (folder / file).write_text(yaml.safe_dump(merged(keys, more), sort_keys=False))
    return folder / file


def train(path: Path, *changes: str, resume: bool = False, into: str = "made") -> Path:
    """Train a recipe in this process; the folder of what came out."""
    yard = Yard(checkpoints=path.parent / into, on_progress=lambda *_: None, say=lambda _: None)
    return built(load(path, changes), yard, resume=resume).folder


def interrupted(path: Path, step: int) -> Path:
    """Begin to train a recipe and press Ctrl-C once this many steps are done; the folder of what there is then."""

    def press(stage: str, done: int, total: int) -> None:
        if done == step:
            raise KeyboardInterrupt

    yard = Yard(checkpoints=path.parent / "made", on_progress=press, say=lambda _: None)
    with pytest.raises(KeyboardInterrupt):
        built(load(path), yard, resume=False)
    (found,) = yard.checkpoints.glob(f"{load(path).keys.name}-*")
    return found


def only(folder: Path) -> Path:
    """The one checkpoint in a folder."""
    (found,) = (path for path in folder.iterdir() if path.is_dir())
    return found


def same(a: Path, b: Path) -> bool:
    """Whether two checkpoints have the same weights, to the last bit."""
    first, second = weights(a), weights(b)
    return first.keys() == second.keys() and all(bool((first[name] == second[name]).all()) for name in first)


def weights(folder: Path) -> dict[str, Any]:
    """The tensors of a checkpoint, by name."""
    from safetensors.torch import load_file

    file = next(folder.glob("*.safetensors"))
    return load_file(file)


def rows_of(folder: Path) -> list[dict[str, float]]:
    """The rows of a checkpoint's history."""
    return json.loads((folder / "history.json").read_text())


def losses(folder: Path) -> list[float]:
    """The training losses in a checkpoint's history."""
    return [row["loss"] for row in rows_of(folder) if "loss" in row]


def manifest(folder: Path) -> dict[str, Any]:
    """A checkpoint's manifest as it stands in the file."""
    return json.loads((folder / "manifest.json").read_text())
