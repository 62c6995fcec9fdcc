"""From a recipe's task to what its trainer gets: the form of the heads, rows with labels, losses, draws.

Label sets, class weights and draws come from the training items alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from harness.errors import InputError, Problem
from harness.leakage import TrainingExample, TrainingIndex
from harness.models.encoder.form import Form, HeadForm
from harness.models.encoder.rows import Row, encode
from harness.report.numerals import plural
from harness.tasks import pool as pools
from harness.tasks.load import assigned
from harness.tasks.pool import Pool
from harness.tasks.values import Item, Split, Task, counted
from train.encoder.keys import METRICS, EncoderKeys, LossKeys
from train.encoder.recipe import EncoderRecipe
from train.encoder.sampling import Oversampling, weights

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from train.encoder.losses import HeadLoss


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """An item's tokens, and the place of its label under every head."""

    row: Row
    labels: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Examples:
    """Items as a trainer gets them, and how many lost text to the longest length."""

    rows: tuple[Example, ...]
    truncated: int
    alike: int = 0


def task_of(recipe: EncoderRecipe, pool: Pool) -> Task:
    """The recipe's items in their splits. Raises InputError where a split or a class that is needed has none."""
    keys = recipe.keys
    need: list[Split] = ["train", *(["validation"] if keys.early_stopping else [])]  # type: ignore[list-item]
    task = assigned(pool, keys.split.rule(), where=str(recipe.path), need=need)
    problems = [Problem(path=str(recipe.path), what=what) for what in _strange(keys, task)]
    if problems:
        raise InputError(problems)
    return task


def _strange(keys: EncoderKeys, task: Task) -> list[str]:
    """What the recipe says of heads and labels that the task does not have."""
    heads = ", ".join(task.heads)
    found = [
        f"losses: there is no head {name!r}; the heads are {heads}" for name in keys.losses if name not in task.heads
    ]
    metric = keys.early_stopping.metric if keys.early_stopping else "loss"
    head, _, _ = metric.rpartition(".")
    if head and head not in task.heads:
        found.append(f"early_stopping.metric: there is no head {head!r}; the heads are {heads}")
    elif head and len(task.heads) == 1:
        found.append(f"early_stopping.metric: there is one head alone; write {metric.removeprefix(f'{head}.')!r}")
    if task.multiple_choice and (keys.weighs or keys.losses):
        found.append("loss: labels of multiple choice are places; they have no weights, and are drawn evenly")
    return found


def checked(recipe: EncoderRecipe, *, near: bool = False) -> tuple[EncoderKeys, Task]:
    """The keys and the items of a recipe's (first) training, the one held against the other.

    With `near` no dataset is downloaded. Weights of labels are checked where torch is installed. Raises InputError with
    every problem.
    """
    pool = pools.read(recipe.keys.task, recipe.path.parent, near=near)
    members = recipe.members()
    first = members[0][1] if members else recipe
    task = task_of(first, pool)
    if find_spec("torch") is not None:
        losses_of(first.keys, task)
    draws(first.keys, task)
    return first.keys, task


def form_of(keys: EncoderKeys, task: Task) -> Form:
    """What stands on the encoder."""
    return Form(
        heads=tuple(HeadForm(name=name, labels=labels) for name, labels in task.heads.items()),
        pooling=keys.head.pooling,
        depth=keys.head.depth,
        width=keys.head.width,
        dropout=keys.head.dropout,
        choices=task.multiple_choice,
        max_length=keys.training.max_length,
    )


def examples(tokenizer: Any, items: Sequence[Item], form: Form) -> Examples:
    """Items as tokens and places of labels. Raises InputError where their texts cannot be read together."""
    try:
        encoded = encode(tokenizer, items, form.max_length)
    except ValueError as error:
        raise InputError(f"task: {error}") from None
    places = [{label: place for place, label in enumerate(head.labels)} for head in form.heads]
    rows = tuple(
        Example(
            row=row, labels=tuple(own[item.labels[head.name]] for own, head in zip(places, form.heads, strict=True))
        )
        for row, item in zip(encoded.rows, items, strict=True)
    )
    return Examples(rows=rows, truncated=encoded.truncated, alike=encoded.alike)


def read_short(split: str, found: Examples, most: int) -> Iterator[str]:
    """What of a split's items was not read, a sentence each."""
    if found.truncated and split != "training":
        yield f"{plural(found.truncated, f'{split} item')} of {len(found.rows):,} cut to {most} tokens"
    if found.alike:
        yield (
            f"{plural(found.alike, f'{split} question')} of {len(found.rows):,} read the same with two of their "
            f"options (cut to {most} tokens, or alike to the tokenizer): nothing can tell these apart"
        )


def losses_of(keys: EncoderKeys, task: Task) -> tuple[HeadLoss, ...]:
    """How each head's errors count. Raises InputError where a label that is weighed is unknown or has no example."""
    return tuple(_loss(keys, task, head) for head in task.heads)


def _loss(keys: EncoderKeys, task: Task, head: str) -> HeadLoss:
    from train.encoder.losses import HeadLoss, Weighing, class_weights

    own: LossKeys = keys.losses.get(head, keys.loss)
    how = Weighing(inverse_frequency=own.class_weights == "inverse_frequency", multipliers=own.multipliers, cap=own.cap)
    try:
        weighed = class_weights(counted(task.train, head, task.heads[head]), how)
    except ValueError as error:
        raise InputError(f"{'losses.' + head if head in keys.losses else 'loss'}: {error}") from None
    return HeadLoss(gamma=own.gamma, smoothing=own.smoothing, class_weights=weighed, weight=own.weight)


def draws(keys: EncoderKeys, task: Task) -> NDArray[np.float64] | None:
    """How often each training item is drawn, None where each is seen once a pass. Raises InputError."""
    if keys.oversample is None:
        return None
    how = Oversampling(
        inverse_frequency=tuple(keys.oversample.inverse_frequency),
        multipliers=keys.oversample.multipliers,
        cap=keys.oversample.cap,
    )
    try:
        return weights({head: [item.labels[head] for item in task.train] for head in task.heads}, how)
    except ValueError as error:
        raise InputError(f"oversample: {error}") from None


def index_of(items: Sequence[Item]) -> TrainingIndex:
    """The compact index of the training texts, for the leakage guard."""
    return TrainingIndex.build(
        TrainingExample(file=item.place, line=1, turns=("\n".join((*item.texts, *item.options)),)) for item in items
    )


def written(items: Sequence[Item], head: HeadForm, shares: Sequence[Sequence[float]]) -> list[Mapping[str, Any]]:
    """Predictions as the contract's records, from probabilities in the items' order."""
    found: list[Mapping[str, Any]] = []
    for item, row in zip(items, shares, strict=True):
        likely: dict[str, float] = dict(zip(head.labels, map(float, row), strict=True))
        found.append(
            {
                "id": item.id,
                "label": item.labels[head.name],
                "prediction": max(likely, key=lambda label: likely[label]),
                "probabilities": likely,
                **({"slices": list(item.slices)} if item.slices else {}),
            }
        )
    return found


def as_lines(records: Sequence[Mapping[str, Any]]) -> str:
    """Records as JSON Lines."""
    return "".join(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n" for record in records)


def key_of(metric: str) -> str:
    """What a metric of validation is called in history and manifests: loss is validation_loss."""
    assert metric.rpartition(".")[2] in METRICS
    return f"validation_{metric}"
