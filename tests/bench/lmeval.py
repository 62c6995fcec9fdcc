"""EleutherAI's lm-eval (the extra `bench`) on our items and templates: its own task, its own requests, its own reading.

A template's Jinja source goes into the task as it stands in the file, and lm-eval fills it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.classify.asking import Putting
from harness.classify.template import BETWEEN
from harness.tasks.values import Item


@dataclass(frozen=True, kw_only=True, slots=True)
class Zeroshot:
    """Items and how they are put, without examples; `head` is the label that is asked for."""

    name: str
    items: Sequence[Item]
    putting: Putting
    head: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Scored:
    """What a harness says of one item: each label's log-likelihood, and the label that it predicts."""

    logs: Mapping[str, float]
    label: str


def task_of(zero: Zeroshot) -> Any:
    """A task of lm-eval: the template's own source as doc_to_text, the labels' words as choices, a blank between."""
    from datasets import Dataset
    from lm_eval.api.task import ConfigurableTask

    labels = list(zero.putting.words)
    rows = [
        {**dict(zip(zero.putting.fields, item.texts, strict=True)), "gold": labels.index(item.labels[zero.head])}
        for item in zero.items
    ]
    return ConfigurableTask(
        config={
            "task": zero.name,
            "custom_dataset": lambda **_: {"test": Dataset.from_list(rows)},
            "test_split": "test",
            "output_type": "multiple_choice",
            "doc_to_text": source_of(zero),
            "doc_to_choice": list(zero.putting.words.values()),
            "doc_to_target": "gold",
            "target_delimiter": " ",
            "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
            "metadata": {"version": 1},
        }
    )


def source_of(zero: Zeroshot) -> str:
    """The template's file without its marks and its table of labels: instructions and item, a blank line between."""
    instructions, _, item = zero.putting.template.source.partition("=== item ===\n")
    parts = instructions.removeprefix("=== instructions ===\n"), item.partition("=== labels ===\n")[0]
    return BETWEEN.join(part.strip("\n") for part in parts if part)


def model_of(model: Any, tokenizer: Any, batch: int) -> Any:
    """lm-eval's own wrapper around a model in memory; its notes on that are not shown."""
    from lm_eval.models.huggingface import HFLM

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    return HFLM(pretrained=model, tokenizer=tokenizer, batch_size=batch)


def requests_of(task: Any) -> list[Any]:
    """The task's requests, ready to be read by a model."""
    task.build_all_requests(limit=None, rank=0, world_size=1)
    return list(task.instances)


def evaluated(wrapped: Any, zeros: Sequence[Zeroshot]) -> dict[str, tuple[float, list[Scored]]]:
    """lm-eval's `evaluate` (what is under `simple_evaluate`): by task its accuracy, and what it says of every item."""
    from lm_eval.evaluator import evaluate

    tasks = {zero.name: task_of(zero) for zero in zeros}
    found = evaluate(lm=wrapped, task_dict={"tasks": tasks, "groups": {}, "group_map": {}}, bootstrap_iters=0)
    told = {}
    for zero in zeros:
        labels = list(zero.putting.words)
        samples = sorted(found["samples"][zero.name], key=lambda sample: sample["doc_id"])
        scored = []
        for sample in samples:
            logs = {label: float(reply[0][0]) for label, reply in zip(labels, sample["resps"], strict=True)}
            scored.append(Scored(logs=logs, label=max(logs, key=lambda label: logs[label])))
        told[zero.name] = (float(found["results"][zero.name]["acc,none"]), scored)
    return told
