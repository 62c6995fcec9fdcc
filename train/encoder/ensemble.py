"""What several trainings of one recipe come to: figures with mean and spread, and the mean of their probabilities.

Each test item is answered by the members that did not see it: with folds by those whose fold held it out, else by
all. Their probabilities are averaged; the folder as a whole (`ensemble.json`) answers for items that none has seen.
Spread is the standard deviation over members, which share training items: it is no interval.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness import checkpoint
from harness.checkpoints.files import ENSEMBLE
from harness.leakage import FILE, TrainingIndex, join
from harness.models.encoder.asking import predict
from harness.models.encoder.form import Form, HeadForm, read
from harness.models.weights import Device
from harness.stats import classes
from harness.stats.intervals import wilson
from harness.tasks.values import Item, Task
from train.encoder.figures import OF_HEADS, Floats, Told
from train.encoder.keys import EncoderKeys

RESULTS = "results.json"
Members = Mapping[str, tuple[EncoderKeys, Task]]


def is_done(place: Path) -> bool:
    """Whether a folder holds an ensemble whose members have all been trained."""
    return (place / RESULTS).is_file()


def results(place: Path) -> dict[str, Any]:
    """What results.json of a folder holds."""
    value: dict[str, Any] = json.loads((place / RESULTS).read_text(encoding="utf-8"))
    return value


def write(place: Path, members: Members) -> None:
    """Write ensemble.json, the joint index, the joint predictions, and last results.json."""
    from train.encoder.loop import PREDICTIONS, write_predictions

    (place / ENSEMBLE).write_text(json.dumps({"members": list(members)}, indent=2) + "\n", encoding="utf-8")
    join([TrainingIndex.load(place / name / FILE) for name in members]).save(place / FILE)
    form = read(place / next(iter(members)))
    items, told = _averaged(place, members, form)
    if items:
        write_predictions(place / PREDICTIONS, "test", items, form, told)
    value = {
        "kind": "encoder",
        "members": [_member(place, name, *own) for name, own in members.items()],
        "spread": _spread([checkpoint.read(place / name).metrics for name in members]),
        "ensemble": {head.name: _of_head(told[head.name], head, members) for head in form.heads} if items else None,
    }
    building = place / f".{RESULTS}"
    building.write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    building.replace(place / RESULTS)


def _member(place: Path, name: str, keys: EncoderKeys, task: Task) -> dict[str, Any]:
    made = checkpoint.read(place / name)
    return {
        "folder": name,
        "seed": keys.seed,
        "fold": keys.split.fold,
        "items": {"train": len(task.train), "validation": len(task.validation), "test": len(task.test)},
        "steps_done": made.steps_done,
        "steps_planned": made.steps_planned,
        "weights_step": made.weights_step,
        "ended": made.ended,
        "metrics": dict(made.metrics),
    }


def _spread(figures: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Mean, standard deviation (n − 1), lowest and highest of every figure that all members have."""
    found = {}
    for name in figures[0]:
        values = np.array([each[name] for each in figures if name in each])
        if len(values) < len(figures) or not name.startswith(("validation_", "test_")):
            continue
        found[name] = {
            "mean": float(values.mean()),
            "sd": float(values.std(ddof=1)) if len(values) > 1 else None,
            "lowest": float(values.min()),
            "highest": float(values.max()),
            "n": len(values),
        }
    return found


def _averaged(place: Path, members: Members, form: Form) -> tuple[list[Item], dict[str, Told]]:
    """Every test item once, and the mean probabilities of the members that held it out."""
    items: dict[str, Item] = {}
    said: dict[str, dict[str, list[Floats]]] = {head.name: {} for head in form.heads}
    for name, (_, task) in members.items():
        if not task.test:
            continue
        told = predict(place / name, task.test, device=Device(name=_device(place / name), dtype="float32"))
        for at, item in enumerate(task.test):
            items.setdefault(item.id, item)
            for own, shares in told.probabilities.items():
                said[own].setdefault(item.id, []).append(shares[at])
    found = {}
    for head in form.heads:
        places = {label: at for at, label in enumerate(head.labels)}
        found[head.name] = Told(
            probabilities=np.array([np.mean(said[head.name][name], axis=0) for name in items]),
            labels=np.array([places[item.labels[head.name]] for item in items.values()], dtype=np.int64),
        )
    return list(items.values()), found


def _device(member: Path) -> str:
    return checkpoint.read(member).device


def _of_head(told: Told, head: HeadForm, members: Members) -> dict[str, Any]:
    """One head's figures of the mean probabilities, beside the mean over members."""
    gold = [head.labels[place] for place in told.labels.tolist()]
    chosen = [head.labels[place] for place in told.probabilities.argmax(axis=1).tolist()]
    counted = classes.confusion(gold, chosen)
    values = classes.accuracy(counted), classes.macro_f1(counted), classes.mcc(counted)
    share, n = values[0] or 0.0, len(gold)
    # Folds beside given test items validate; what is tested is then the same for all.
    folds = len({frozenset(item.id for item in task.test) for _, task in members.values()}) > 1
    return {
        "on": "out_of_fold" if folds else "test",
        "n": n,
        **dict(zip(OF_HEADS, values, strict=True)),
        "ci": list(wilson(share, n)),
        "majority_rate": max(map(gold.count, set(gold))) / n,
    }
