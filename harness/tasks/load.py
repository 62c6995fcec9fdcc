"""From the keys of a task to its items in train, validation and test: read, checked, split, and what is doubtful told.

task = load(keys, split, folder)                    one task
for task in every_fold(keys, split, folder): …      one for each fold, the files read once
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.errors import InputError, Problem
from harness.tasks import pool as pools
from harness.tasks import told
from harness.tasks.duplicates import shared
from harness.tasks.items import Placed
from harness.tasks.keys import SplitKeys, TaskKeys, problems
from harness.tasks.parts import parts
from harness.tasks.pool import Pool
from harness.tasks.values import SPLITS, Item, Rule, Split, Task

Need = Collection[Split]
GIVEN = SplitKeys()
TEST: tuple[Split, ...] = ("test",)
BOTH: tuple[Split, ...] = ("train", "test")
_NAMES: dict[Split, str] = {"train": "training", "validation": "validation", "test": "test"}
_WAYS: dict[Split, str] = {
    "train": "a file as 'train', or a 'split' that leaves some to train on",
    "validation": "a file as 'validation', or a share as 'split: {validation: 0.1}'",
    "test": "a file as 'test', or a 'split' with 'holdout' or 'folds'",
}


def load(
    keys: TaskKeys,
    split: SplitKeys = GIVEN,
    folder: Path = Path(),
    *,
    where: str = "task",
    need: Need = TEST,
    fold: int | None = None,
    near: bool = False,
) -> Task:
    """The items of a task by split. Relative paths are relative to `folder`; `where` names the YAML in messages.

    `need` are the splits that must not be empty; with "train" among them every class needs training examples. `fold`
    overrides the split's own; with `near` no dataset is downloaded. Raises InputError with every problem of the files.
    """
    _fitting(keys, split, folder, where)
    return assigned(pools.read(keys, folder, near=near), split.rule(fold), where=where, need=need)


def every_fold(
    keys: TaskKeys, split: SplitKeys, folder: Path = Path(), *, where: str = "task", need: Need = BOTH
) -> Iterator[Task]:
    """The task of every fold in turn; the one task where the split has no folds. Raises InputError as `load` does."""
    _fitting(keys, split, folder, where)
    pool = pools.read(keys, folder)
    for fold in range(split.folds or 1):
        yield assigned(pool, split.rule(fold), where=where, need=need)


def assigned(pool: Pool, rule: Rule, *, where: str = "task", need: Need = TEST) -> Task:
    """The task that a rule makes of all items. Raises InputError where a needed split or class is left without any."""
    placed, said = parts(pool, rule, where)
    items: dict[Split, tuple[Item, ...]] = {
        split: tuple(each.item for each in placed[split]) for split in SPLITS if placed.get(split)
    }
    keyed = {split: [(each.key, each.item) for each in placed[split]] for split in items}
    for split in need:
        if not items.get(split):
            raise InputError([Problem(path=where, what=f"there are no {_NAMES[split]} items; {_way(split, rule)}")])
    head = next(iter(pool.heads))
    missing = [] if _choices(pool) else _untrained(pool, placed, rule, where)
    if missing and "train" in need:
        raise InputError(missing)
    task = Task(
        name=pool.name,
        heads=pool.heads,
        items=items,
        text_fields=pool.text_fields,
        origins=pool.origins,
        rule=rule,
        shuffle_seed=pool.shuffle_seed,
        same_place=pool.same_place,
        shared=shared(keyed),
    )
    return replace(
        task,
        told=(
            *told.place(pool.same_place, pool.shuffle_seed, task.test or task.all(), head),
            *told.texts(task.shared, items),
            *told.labels(pair for split in SPLITS for pair in keyed.get(split, ())),
            *(() if _choices(pool) else told.one_class(items, pool.heads)),
            *(problem.what[0].upper() + problem.what[1:] + "." for problem in missing if items.get("train")),
            *said,
        ),
    )


def _way(split: Split, rule: Rule) -> str:
    """How a split that is empty gets items."""
    asked = {"test": rule.kind != "given", "validation": rule.validation > 0, "train": False}
    if not asked[split]:
        return f"give {_WAYS[split]}"
    return (
        "the split could take none, for equal texts and clusters stay together and the only text of a label stays in "
        f"training; give more items, or {_WAYS[split].partition(',')[0]}"
    )


def _fitting(keys: TaskKeys, split: SplitKeys, folder: Path, where: str) -> None:
    found = [Problem(path=where, what=what) for _, what in problems(keys, split, folder)]
    if found:
        raise InputError(found)


def _choices(pool: Pool) -> bool:
    return any(placed.item.options for rows in pool.placed.values() for placed in rows[:1])


def _untrained(pool: Pool, placed: Mapping[Split, Sequence[Placed]], rule: Rule, where: str) -> list[Problem]:
    """Classes without a training example, each at the first item that has it."""
    found = []
    for head, labels in pool.heads.items():
        trained = {each.item.labels[head] for each in placed.get("train", ())}
        for label in labels:
            if label in trained:
                continue
            others = [each for split in SPLITS for each in placed.get(split, ()) if each.item.labels[head] == label]
            what = f"the label {label!r} ({head}) has no training example"
            if not others:
                way = "add some, or take it out of 'labels'"
                path = next((rows[0].path for rows in placed.values() if rows), where)
                found.append(Problem(path=path, what=f"{what}, and no other; {way}"))
                continue
            way = "add some, or use another split" if rule.kind != "given" else "add some, or remove its items"
            many = f"{len(others):,} other {'item has' if len(others) == 1 else 'items have'} it"
            found.append(others[0].problem(f"{what}, and {many}; {way}"))
    return found
