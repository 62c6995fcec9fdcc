"""Small encoder recipes and their data: two layers, a few dozen items whose labels stand in their words."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.tasks.pool import read
from harness.tasks.values import Task
from tests.encoders import WORDS
from tests.published import write_lines
from tests.train.small import merged
from train.anyrecipe import load_any
from train.build import Yard
from train.encoder.build import built
from train.encoder.data import task_of
from train.encoder.recipe import load

TASK: Mapping[str, Any] = {"files": "data.jsonl", "text": "text", "label": "taste"}
TWO: Mapping[str, Any] = {**TASK, "label": ["taste", "heat"]}
CHOICE: Mapping[str, Any] = {"files": "data.jsonl", "text": "text", "options": "options", "label": "answer"}
KEYS: Mapping[str, Any] = {
    "name": "small",
    "kind": "encoder",
    "seed": 5,
    "device": "cpu",
    "threads": 1,
    "log": [],
    "task": TASK,
    "split": {"holdout": 0.2, "validation": 0.2, "seed": 3},
    "training": {"epochs": 2, "batch_size": 8, "max_length": 32, "learning_rate": 0.002},
    "save": {"keep": 9},
}
OTHERS = [word for word in WORDS if word not in ("sweet", "sour", "hot", "cold")]
FRESH = {"hidden_size": 32, "intermediate_size": 64, "layers": 2, "heads": 4, "context": 40, "vocab_size": 320}


def rows(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Texts with the label that a word of theirs names, of another head with a rarer one; questions with options."""
    rng = random.Random(seed)
    found = []
    for place in range(count):
        taste, heat = rng.choice(("sweet", "sour")), rng.choices(("hot", "cold"), weights=(4, 1))[0]
        said = [*rng.choices(OTHERS, k=rng.randint(2, 6)), taste, heat]
        rng.shuffle(said)
        options = [f"it is {taste}", f"it is {'sour' if taste == 'sweet' else 'sweet'}", "it is brown"]
        rng.shuffle(options)
        text = f"{' '.join(said)} {place}"
        row = {"id": str(place), "text": text, "taste": taste, "heat": heat}
        found.append({**row, "options": options, "answer": "it is brown"})
    return found


def recipe(folder: Path, at: Path | None, count: int = 60, *, file: str = "r.yaml", **more: Any) -> Path:
    """Write a recipe on the base at a path (a new encoder where there is none) and its data."""
    folder.mkdir(parents=True, exist_ok=True)
    write_lines(folder / "data.jsonl", rows(count))
    start = {"fresh": FRESH} if at is None else {"base": f"hf/{at}"}
    (folder / file).write_text(yaml.safe_dump(merged({**KEYS, **start}, more), sort_keys=False))
    return folder / file


def train(path: Path, *changes: str, resume: bool = False, into: str = "made", heard: list[str] | None = None) -> Path:
    """Train a recipe in this process; the folder of what came out. What it says is added to `heard`."""
    say = (lambda _: None) if heard is None else heard.append
    yard = Yard(checkpoints=path.parent / into, on_progress=lambda *_: None, say=say)
    return built(load_any(path, changes), yard, resume=resume).folder  # type: ignore[arg-type]


def interrupted(path: Path, step: int, *, stage: str = "") -> Path:
    """Begin to train a recipe and press Ctrl-C once this many steps (of a stage) are done; the folder that is there."""

    def press(name: str, done: int, total: int) -> None:
        if done == step and stage in name:
            raise KeyboardInterrupt

    yard = Yard(checkpoints=path.parent / "made", on_progress=press, say=lambda _: None)
    with pytest.raises(KeyboardInterrupt):
        built(load_any(path), yard, resume=False)  # type: ignore[arg-type]
    (found,) = (folder for folder in yard.checkpoints.glob("*") if folder.is_dir())
    return found


def predictions(folder: Path, name: str = "test") -> list[dict[str, Any]]:
    """A file of predictions in a checkpoint's folder."""
    return [json.loads(line) for line in (folder / "predictions" / f"{name}.jsonl").read_text().splitlines()]


def task(path: Path) -> Task:
    """The items of a recipe in their splits."""
    found = load(path)
    return task_of(found, read(found.keys.task, path.parent))
