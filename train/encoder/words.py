"""What `harness train` says of an encoder's recipe before training, and of what came out, in a few lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness import checkpoint
from harness.models.encoder.form import read
from harness.report.numerals import percent, plural, points, span
from harness.stats.intervals import wilson
from harness.tasks.values import Task, counted, majority
from train.arguments import setting
from train.encoder.arguments import plan
from train.encoder.keys import EncoderKeys
from train.encoder.notary import TASK


def shown(keys: EncoderKeys, task: Task, own: Sequence[str]) -> dict[str, str]:
    """What would be trained, by name; `own` are an ensemble's members."""
    planned, run, given = plan(keys, len(task.train)), setting(keys), keys.training
    counts = ", ".join(f"{len(items):,} {split}" for split, items in task.items.items())
    heads = {f"labels {name}": _labels(task, name) for name in task.heads}
    warmup = given.warmup_steps or given.warmup_ratio
    return {
        "recipe": f"{keys.name} (encoder)",
        "items": counts if not own else f"{counts} (of {own[0]})",
        **heads,
        "trainings": f"{len(own)}: {', '.join(own)}" if own else "one",
        "passes": f"{planned.passes:g}",
        "steps": f"{planned.steps:,} of {given.batch_size} × {given.accumulation} items",
        "looked at every": f"{planned.look:,} steps" if task.validation else "never: there are no validation items",
        "saved every": f"{planned.save:,} steps",
        "starts from": keys.base or "a new encoder",
        **({"adapter": f"LoRA, rank {keys.lora.rank}, alpha {keys.lora.alpha}"} if keys.lora else {}),
        "device": f"{run.device}, {run.precision}",
        "learning rate": f"{given.learning_rate:g}, {given.schedule}, warm-up {warmup:g}",
    }


def _labels(task: Task, head: str) -> str:
    """A head's labels with their training items, or where the right option stands."""
    if task.multiple_choice:
        return f"the right one of {len(task.heads[head])} options"
    counts = counted(task.train, head, task.heads[head])
    items = task.test or task.validation or task.train
    most = majority(items, head)
    always = f"; always {most[0]!r} would score {percent(most[1], len(items))}" if most else ""
    return ", ".join(f"{label} {count:,}" for label, count in counts.items()) + always


def told(folder: Path) -> list[str]:
    """What came out of one training, in a few lines."""
    made = checkpoint.read(folder)
    data = made.data
    lines = [
        f"{made.name}: {made.progress}, {made.epochs:g} of {made.epochs_planned or 0:g} passes over {data.actual:,} "
        f"items ({data.truncated:,} cut to {made.recipe['training']['max_length']} tokens) on {made.device} in "
        f"{made.precision}"
    ]
    if made.standing:
        lines.append(made.standing)
    lines += _figures(folder, made)
    if not data.validation:
        lines.append("no validation items: nothing was looked at on the way, and a collapse would not have been seen")
    return lines


def _figures(folder: Path, made: checkpoint.Manifest) -> list[str]:
    """Accuracy with its interval, and macro F1, of every head on validation and test items."""
    heads = read(folder).names
    counts = json.loads((folder / TASK).read_text(encoding="utf-8"))["counts"]
    found = []
    for split in ("validation", "test"):
        for head in heads:
            prefix = f"{split}_" if len(heads) == 1 else f"{split}_{head}."
            share, f1 = (made.metrics.get(f"{prefix}{name}") for name in ("accuracy", "macro_f1"))
            if share is not None and f1 is not None:
                found.append(f"{split}, {head}: {_accuracy(share, counts[split])}, macro F1 {f1:.3f}")
    return found


def _accuracy(share: float, n: int) -> str:
    return f"accuracy {percent(share, n)} (95 % {span(*wilson(share, n), n)}, {plural(n, 'item')})"


def ensemble_told(name: str, found: dict[str, Any]) -> list[str]:
    """What came out of several trainings, in a few lines."""
    lines = [f"{name}: {plural(len(found['members']), 'training')}"]
    lines += [f"{each['folder']}: {each['ended']}" for each in found["members"] if each["ended"]]
    for split in ("validation", "test"):
        spread = found["spread"].get(f"{split}_accuracy")
        if spread:
            n = min(each["items"][split] for each in found["members"])
            apart = f"{points(spread['sd'])} points" if spread["sd"] is not None else "not known"
            lowest = span(spread["lowest"], spread["highest"], n)
            mean = percent(spread["mean"], n)
            trainings = plural(spread["n"], "training")
            lines.append(f"{split} accuracy over {trainings}: mean {mean}, sd {apart}, {lowest} %")
    for head, each in (found["ensemble"] or {}).items():
        where = "held out by their fold" if each["on"] == "out_of_fold" else "of the test split"
        told = f"{_accuracy(each['accuracy'], each['n'])} {where}, macro F1 {each['macro_f1']:.3f}"
        lines.append(f"ensemble, {head}: {told}; always one label {percent(each['majority_rate'], each['n'])}")
    return lines
