"""Which items are trained on, which validate and which test: as given, by a stratified holdout, or as one of folds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.errors import InputError, Problem
from harness.tasks import split as splitting
from harness.tasks import told
from harness.tasks.items import Placed
from harness.tasks.keys import misfits
from harness.tasks.pool import Pool
from harness.tasks.split import Stratum
from harness.tasks.values import Item, Rule, Split

TRAINED, HELD, VALIDATED = 0, 1, 2


def parts(pool: Pool, rule: Rule, where: str) -> tuple[dict[Split, tuple[Placed, ...]], list[str]]:
    """The items by split, and what is to be said of how they came there.

    One file without a rule is all test. Beside given test items a fold is the validation split. Raises InputError where
    the rule asks for what is given already, or for more than there is.
    """
    given: dict[Split, tuple[Placed, ...]] = {name: rows for name, rows in pool.placed.items() if name is not None}
    whole = pool.placed.get(None, ())
    if rule.kind == "given" and not rule.validation:
        return ({"test": whole} if whole else given), []
    wrong = [] if whole else [Problem(path=where, what=what) for _, what in misfits(given, rule)]
    if wrong:
        raise InputError(wrong)
    base = whole or given["train"]
    drawn, said = _drawn(base, rule, where)
    names: dict[int, Split] = {TRAINED: "train", HELD: "validation" if "test" in given else "test"}
    names[VALIDATED] = "validation"
    made = dict(given)
    for part, name in names.items():
        rows = tuple(each for each, at in zip(base, drawn, strict=True) if at == part)
        if rows or part == TRAINED:
            made[name] = rows
    return made, said


def _drawn(base: Sequence[Placed], rule: Rule, where: str) -> tuple[list[int], list[str]]:
    """TRAINED, HELD or VALIDATED for each item, and what is to be said of how."""
    items = [each.item for each in base]
    slices = bool(items[0].options)
    strata: list[Stratum] = [item.slices if slices else tuple(item.labels.values()) for item in items]
    groups = _groups(base)
    of = "combinations of slices" if slices else "labels" if len(items[0].labels) == 1 else "combinations of labels"
    keep = [False] * len(items) if slices else _only_ones(items, groups)
    part = np.zeros(len(items), dtype=int)
    least = 0.0
    rng = np.random.default_rng([rule.seed, 0])
    if rule.kind == "holdout":
        count = _count("holdout", rule.share, len(items), where)
        part[splitting.holdout(strata, groups, count, rng, keep)] = HELD
        least = len(items) / count
    elif rule.kind == "folds":
        if len(set(groups)) < rule.folds:
            what = f"folds: {rule.folds} need as many different texts, found {len(set(groups))}; use fewer"
            raise InputError([Problem(path=where, what=what)])
        part[splitting.folds(strata, groups, rule.folds, rng) == rule.fold] = HELD
        least = rule.folds
    if rule.validation:
        count = _count("validation", rule.validation, len(items), where)
        rest = np.flatnonzero(part == TRAINED)
        rng = np.random.default_rng([rule.seed, 1, rule.fold])
        some = [strata[at] for at in rest], [groups[at] for at in rest]
        taken = splitting.holdout(*some, min(count, len(rest)), rng, [keep[at] for at in rest])
        part[rest[taken]] = VALIDATED
        least = least or len(items) / count
    return part.tolist(), told.pooled(splitting.rare(strata, groups, least), least, of)


def _count(key: str, share: float, n: int, where: str) -> int:
    count = round(share * n)
    if not 0 < count < n:
        what = f"{key}: {share:g} of {n:,} items is {count or 'none'}; use another share, or more items"
        raise InputError([Problem(path=where, what=what)])
    return count


def _groups(placed: Sequence[Placed]) -> list[str]:
    """What must not be split up: equal texts, and clusters; the first key by name of all that hang together."""
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        parent.setdefault(key, key)
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    keys = [f"text {each.key}" for each in placed]
    for key, each in zip(keys, placed, strict=True):
        cluster = each.item.cluster
        one, other = sorted((root(key), root(key if cluster is None else f"cluster {cluster}")))
        parent[other] = one
    return [root(key) for key in keys]


def _only_ones(items: Sequence[Item], groups: Sequence[str]) -> list[bool]:
    """Items that hold a label, of any head, which no other text has."""
    having: dict[tuple[str, str], set[str]] = {}
    for item, group in zip(items, groups, strict=True):
        for pair in item.labels.items():
            having.setdefault(pair, set()).add(group)
    return [any(len(having[pair]) == 1 for pair in item.labels.items()) for item in items]
