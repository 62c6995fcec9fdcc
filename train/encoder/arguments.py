"""From an encoder recipe's keys to steps, looks, and the arguments of transformers' trainer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from train.arguments import common
from train.encoder.keys import EncoderKeys
from train.outcome import Setting

LOSSES = ("loss",)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How many optimizer steps are planned, of how many passes, and every how many the model is looked at and saved."""

    steps: int
    passes: float
    look: int
    save: int


def plan(keys: EncoderKeys, examples: int) -> Plan:
    """The plan for so many training items."""
    given = keys.training
    a_pass = math.ceil(math.ceil(examples / given.batch_size) / given.accumulation)
    steps = given.steps or math.ceil((given.epochs or 1.0) * a_pass)
    tenth = max(1, math.ceil(steps / 10))
    look = keys.look.every or min(a_pass, tenth)
    passes = given.epochs or steps / a_pass
    return Plan(steps=steps, passes=passes, look=look, save=look if keys.early_stopping else keys.save.every or tenth)


def arguments(keys: EncoderKeys, place: Path, run: Setting, planned: Plan, *, validates: bool) -> dict[str, Any]:
    """What transformers' TrainingArguments take."""
    stopping = keys.early_stopping
    best = {}
    if stopping is not None:
        best = {"metric_for_best_model": f"eval_{stopping.metric}", "greater_is_better": stopping.metric not in LOSSES}
    return {
        **common(keys, place, run, planned.save, looks=planned.look if validates else None),
        "train_sampling_strategy": "group_by_length" if keys.training.group_by_length else "random",
        "remove_unused_columns": False,
        # Switched on at the encoder itself: the trainer knows models of transformers alone.
        "gradient_checkpointing": False,
        "label_names": ["labels"],
        **best,
    }
