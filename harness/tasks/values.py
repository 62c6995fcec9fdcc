"""What a classification task is once it has been read: items with labels, in three splits, and where they come from.

Read once and trusted after: every label is in its head's set, no text is empty, no id stands twice in a split.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One text, or a pair, and its label under every head.

    A multiple-choice item has `options` in the order in which they are shown, and its label is the letter of the right
    one. `place` is "file:LINE" (of a dataset: "id, split:ROW"). Items of one `cluster` are never split up.
    """

    id: str
    texts: tuple[str, ...]
    labels: Mapping[str, str]
    options: tuple[str, ...] = ()
    slices: tuple[str, ...] = ()
    place: str = ""
    category: str | None = None
    cluster: str | None = None

    def told(self) -> list[Any]:
        """What of it a model may learn from or be scored on, for a hash."""
        return [self.id, list(self.texts), list(self.options), dict(self.labels), list(self.slices)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """A file (or a split of a dataset) that was read: its name, its SHA-256 (of a dataset: of its rows), its rows.

    `split` is what it was given as, None where its rows are split by a rule.
    """

    name: str
    sha256: str
    rows: int
    split: Split | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """How items came into their splits: as given, by a stratified holdout, or as one fold of several.

    `share` is the holdout's share of all items, `validation` the share that validation takes (0: none taken).
    """

    kind: Literal["given", "holdout", "folds"]
    seed: int = 0
    share: float = 0.0
    folds: int = 0
    fold: int = 0
    validation: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class SamePlace:
    """Where the right option stands most often in a file's own order: what always answering `letter` would score.

    `always`: it stands there in every one of the `n` questions. `chance`: one over the number of options.
    """

    letter: str
    share: float
    n: int
    chance: float

    @property
    def always(self) -> bool:
        return self.share == 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Shared:
    """Items of `split` whose text stands in `other` too, by their ids."""

    split: Split
    other: Split
    ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """Items by split, the label set of every head in order, and where they come from.

    `told` are sentences that a report has to say: answers that always stand in one place, texts in two splits, label
    combinations too rare to stratify by. `shuffle_seed` is None where options stand in the file's own order.
    """

    name: str
    heads: Mapping[str, tuple[str, ...]]
    items: Mapping[Split, tuple[Item, ...]]
    text_fields: tuple[str, ...]
    origins: tuple[Origin, ...]
    rule: Rule
    shuffle_seed: int | None = None
    same_place: SamePlace | None = None
    shared: tuple[Shared, ...] = ()
    told: tuple[str, ...] = ()

    @property
    def train(self) -> tuple[Item, ...]:
        return self.items.get("train", ())

    @property
    def validation(self) -> tuple[Item, ...]:
        return self.items.get("validation", ())

    @property
    def test(self) -> tuple[Item, ...]:
        return self.items.get("test", ())

    @property
    def multiple_choice(self) -> bool:
        return any(item.options for item in self.all())

    @property
    def head(self) -> str:
        """The only head's name. Raises ValueError where there are several."""
        if len(self.heads) != 1:
            raise ValueError(f"the task has {len(self.heads)} heads: {', '.join(self.heads)}")
        return next(iter(self.heads))

    def all(self) -> tuple[Item, ...]:
        """Every item: train, validation, test."""
        return tuple(item for split in SPLITS for item in self.items.get(split, ()))

    def shared_ids(self, split: Split = "test", other: Split = "train") -> frozenset[str]:
        """The ids of a split's items whose text stands in another split too."""
        found = [shared.ids for shared in self.shared if (shared.split, shared.other) == (split, other)]
        return frozenset(name for ids in found for name in ids)

    @property
    def sha256(self) -> str:
        """SHA-256 over heads and items in order: the same wherever the files lie, another where one label changes."""
        digest = hashlib.sha256(json.dumps([[name, list(labels)] for name, labels in self.heads.items()]).encode())
        for split in SPLITS:
            for item in self.items.get(split, ()):
                digest.update(json.dumps([split, *item.told()]).encode() + b"\n")
        return digest.hexdigest()

    def as_json(self) -> dict[str, Any]:
        """For manifests: everything but the items, and their hash."""
        return {
            "name": self.name,
            "heads": {name: list(labels) for name, labels in self.heads.items()},
            "text": list(self.text_fields),
            "files": [asdict(origin) for origin in self.origins],
            "split": asdict(self.rule),
            "shuffle_seed": self.shuffle_seed,
            "counts": {split: len(self.items.get(split, ())) for split in SPLITS},
            "same_place": asdict(self.same_place) if self.same_place else None,
            "shared": [{"split": s.split, "other": s.other, "n": len(s.ids), "ids": list(s.ids)} for s in self.shared],
            "told": list(self.told),
            "sha256": self.sha256,
        }


def counted(items: Sequence[Item], head: str, labels: Sequence[str] = ()) -> dict[str, int]:
    """How many items have each label, in the order of `labels` (then as they come)."""
    counts = dict.fromkeys(labels, 0)
    for item in items:
        counts[item.labels[head]] = counts.get(item.labels[head], 0) + 1
    return counts


def majority(items: Sequence[Item], head: str) -> tuple[str, float] | None:
    """The most frequent label (of equals the first by name) and its share; None where there are no items."""
    counts = counted(items, head)
    if not counts:
        return None
    label = min(counts, key=lambda name: (-counts[name], name))
    return label, counts[label] / len(items)
