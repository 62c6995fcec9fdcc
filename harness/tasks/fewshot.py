"""Few-shot examples: from the training split only, seeded, balanced over the labels, never the text that is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.errors import InputError
from harness.tasks.duplicates import text_key
from harness.tasks.values import Item, Task


@dataclass(frozen=True, kw_only=True, slots=True)
class Shots:
    """`chosen` stand before every question, in this order, so that their prefix is the same; `spare` replace them."""

    chosen: tuple[Item, ...]
    spare: tuple[Item, ...]
    head: str
    keys: tuple[str, ...]
    spare_keys: tuple[str, ...]

    def before(self, item: Item) -> tuple[Item, ...]:
        """The examples for one question: `chosen`, each that has its very text replaced by one of the same label.

        Left out where there is no other of that label.
        """
        asked = text_key(item)
        if asked not in self.keys:
            return self.chosen
        found: list[Item] = []
        used = {asked, *self.keys}
        for shot, key in zip(self.chosen, self.keys, strict=True):
            other = shot if key != asked else self._other(shot.labels[self.head], used)
            if other is not None:
                found.append(other)
        return tuple(found)

    def _other(self, label: str, used: set[str]) -> Item | None:
        for item, key in zip(self.spare, self.spare_keys, strict=True):
            if item.labels[self.head] == label and key not in used:
                used.add(key)
                return item
        return None


def shots(task: Task, k: int, rng: np.random.Generator, head: str | None = None) -> Shots:
    """`k` training items with different texts, as many of each label as can be: counts differ by at most one.

    A label with too few gives its place to the others. Which labels have one more, and the order, are drawn. Raises
    InputError where the training split has fewer than `k` different texts.
    """
    name = task.head if head is None else head
    by = _by_label(task.train, name, rng)
    found = sum(map(len, by.values()))
    if k < 0 or found < k:
        raise InputError(
            f"{task.name}: {k} examples are to stand before each question, and the training split has {found} "
            "different texts; lower the number, or give more training items"
        )
    labels = [label for label in task.heads[name] if label in by]
    labels = [labels[place] for place in rng.permutation(len(labels))]
    chosen: list[tuple[str, Item]] = []
    while len(chosen) < k:
        for label in labels:
            if by[label] and len(chosen) < k:
                chosen.append(by[label].pop(0))
    chosen = [chosen[place] for place in rng.permutation(k)]
    spare = [pair for label in labels for pair in by[label]]
    return Shots(
        chosen=tuple(item for _, item in chosen),
        spare=tuple(item for _, item in spare),
        head=name,
        keys=tuple(key for key, _ in chosen),
        spare_keys=tuple(key for key, _ in spare),
    )


def _by_label(items: Sequence[Item], head: str, rng: np.random.Generator) -> dict[str, list[tuple[str, Item]]]:
    """Items with different texts by label, in random order, each with the key of its text."""
    first: dict[str, Item] = {}
    for item in items:
        first.setdefault(text_key(item), item)
    pairs = sorted(first.items(), key=lambda pair: pair[0])
    by: dict[str, list[tuple[str, Item]]] = {}
    for place in rng.permutation(len(pairs)):
        key, item = pairs[place]
        by.setdefault(item.labels[head], []).append((key, item))
    return by
