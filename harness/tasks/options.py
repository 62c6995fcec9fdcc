"""The order of multiple-choice options: shuffled per question by seed, and answers that stand in one place found."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from harness.tasks.values import LETTERS, Item, SamePlace

SURE = 0.001
"""How improbable a place must be, if answers stood anywhere, before it is spoken of (Bonferroni over the places)."""


def shuffled(item: Item, seed: int, head: str) -> Item:
    """The item with its options in a random order of (seed, id) alone, and the letter that the right one then has."""
    digest = hashlib.sha256(f"options|{seed}|{item.id}".encode()).digest()
    order = np.random.default_rng(int.from_bytes(digest)).permutation(len(item.options)).tolist()
    right = order.index(LETTERS.index(item.labels[head]))
    labels = {**item.labels, head: LETTERS[right]}
    return replace(item, options=tuple(item.options[place] for place in order), labels=labels)


def same_place(items: Sequence[Item], head: str) -> SamePlace | None:
    """Where the right option stands most often (of equals the first place); None without items."""
    if not items:
        return None
    counts = Counter(item.labels[head] for item in items)
    letter = min(counts, key=lambda each: (-counts[each], each))
    chance = sum(1 / len(item.options) for item in items) / len(items)
    return SamePlace(letter=letter, share=counts[letter] / len(items), n=len(items), chance=chance)


def suspicious(place: SamePlace) -> bool:
    """Whether answers stand in one place more often than chance explains (exact binomial, one-sided)."""
    from scipy.special import bdtrc

    seen = round(place.share * place.n)
    if place.n < 2:
        return False
    return bool(bdtrc(seen - 1, place.n, place.chance) / place.chance < SURE)
