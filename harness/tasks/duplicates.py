"""Texts that stand more than once: in two splits, where a figure is then that of questions trained on, or in one.

Two items have the same text where their normal forms (the leakage guard's: case, punctuation and white space do not
count) are equal; of multiple-choice items the options too, in any order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from harness.leakage.forms import normal
from harness.tasks.values import Item, Shared, Split, Task

PAIRS: tuple[tuple[Split, Split], ...] = (("validation", "train"), ("test", "train"), ("test", "validation"))


def text_key(item: Item) -> str:
    """What the texts of two items are compared by."""
    return "\x1f".join([*map(normal, item.texts), *sorted(map(normal, item.options))])


def shared(keyed: Mapping[Split, Sequence[tuple[str, Item]]]) -> tuple[Shared, ...]:
    """Of every pair of splits the later one's items whose text stands in the other too; only pairs that have any.

    Items come with their `text_key`.
    """
    found = []
    for split, other in PAIRS:
        known = {key for key, _ in keyed.get(other, ())}
        ids = [item.id for key, item in keyed.get(split, ()) if key in known]
        if ids:
            found.append(Shared(split=split, other=other, ids=tuple(ids)))
    return tuple(found)


def without_shared(task: Task) -> Task:
    """The task without the training items whose text stands in validation or test too."""
    known = {text_key(item) for item in (*task.validation, *task.test)}
    kept = tuple(item for item in task.train if text_key(item) not in known)
    left = tuple(found for found in task.shared if found.other != "train")
    return replace(task, items={**task.items, "train": kept}, shared=left)


def contradicting(keyed: Iterable[tuple[str, Item]]) -> tuple[tuple[Item, Item], ...]:
    """Items whose text stood before with other labels, each after the first that has it. They come with their keys."""
    first: dict[str, Item] = {}
    found = []
    for key, item in keyed:
        before = first.setdefault(key, item)
        if dict(before.labels) != dict(item.labels) and not item.options:
            found.append((before, item))
    return tuple(found)
