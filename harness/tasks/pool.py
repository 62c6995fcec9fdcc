"""All items of a task before they are split: read from every file, checked together, options shuffled."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import InputError, Problem
from harness.report.numerals import plural
from harness.tasks import hub, items, rows
from harness.tasks.items import Placed
from harness.tasks.keys import TaskKeys
from harness.tasks.layout import Layout, layout
from harness.tasks.options import same_place, shuffled
from harness.tasks.rows import Table
from harness.tasks.values import LETTERS, Origin, SamePlace, Split

# As a spreadsheet writes a whole number: 1.0. Of 1.10 it may be a section's name.
_ZEROS = re.compile(r"^([+-]?\d+)\.0+$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Pool:
    """Items by the split that they were given as (None: to be split by a rule), and what they have in common."""

    name: str
    heads: Mapping[str, tuple[str, ...]]
    placed: Mapping[Split | None, tuple[Placed, ...]]
    text_fields: tuple[str, ...]
    origins: tuple[Origin, ...]
    shuffle_seed: int | None
    same_place: SamePlace | None


def read(keys: TaskKeys, folder: Path, *, near: bool = False) -> Pool:
    """Every item of a task; with `near` no dataset is downloaded. Raises InputError with every problem of all files."""
    known = layout(keys)
    tables = _tables(keys, folder, near)
    known = replace(known, labels=_named(known, tables))
    found: dict[Split | None, tuple[Placed, ...]] = {}
    problems: list[Problem] = []
    for table in tables:
        prefix = f"{table.split}-" if len(tables) > 1 else ""
        placed, wrong = items.read(table, known, prefix)
        found[table.split] = tuple(placed)
        problems += wrong
    together = [placed for each in found.values() for placed in each]
    if known.options:
        problems += _widths(together)
    heads = _heads(known, together)
    if not problems:
        problems += _one_class(heads, together) if not known.options else []
        problems += _alike(known, heads, together)
    if problems:
        raise InputError(problems)
    place = None
    if known.options:
        head = next(iter(heads))
        place = same_place([placed.item for placed in together], head)
        if keys.shuffle_seed is not None:
            found = {split: _shuffled(placed, keys.shuffle_seed, head) for split, placed in found.items()}
    return Pool(
        name=keys.title,
        heads=heads,
        placed=found,
        # Templates name a field in one way, however a file calls its column.
        text_fields=known.text[0],
        origins=tuple(Origin(name=t.name, sha256=t.sha256, rows=len(t.rows), split=t.split) for t in tables),
        shuffle_seed=keys.shuffle_seed if known.options else None,
        same_place=place,
    )


def _tables(keys: TaskKeys, folder: Path, near: bool) -> list[Table]:
    paths = list(keys.paths())
    if not paths:
        return hub.tables(keys, folder, near=near)
    given = keys.given_splits()
    made: list[Table] = []
    problems: list[Problem | str] = []
    for (_, path), split in zip(paths, given or [None], strict=True):
        try:
            made.append(rows.read(folder / path, split))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError([p if isinstance(p, Problem) else Problem(path=keys.title, what=p) for p in problems])
    return made


def _named(known: Layout, tables: Sequence[Table]) -> dict[str, tuple[str, ...]]:
    """The label sets that are known: given, or by the dataset's own names."""
    own = {
        head: table.names[column]
        for table in tables
        for head, column in known.label.items()
        if column in table.names and not known.options
    }
    return {**own, **known.labels}


def _shuffled(placed: Sequence[Placed], seed: int, head: str) -> tuple[Placed, ...]:
    return tuple(replace(each, item=shuffled(each.item, seed, head)) for each in placed)


def _heads(known: Layout, together: Sequence[Placed]) -> dict[str, tuple[str, ...]]:
    """The label set of every head: as given, or all that occur, by name."""
    if known.options:
        most = max((len(placed.item.options) for placed in together), default=0)
        return {head: tuple(LETTERS[:most]) for head in known.label}
    found = {head: sorted({placed.item.labels[head] for placed in together}) for head in known.label}
    return {head: known.labels.get(head, tuple(found[head])) for head in known.label}


def _widths(together: Sequence[Placed]) -> list[Problem]:
    """Questions with another number of options than most."""
    counts = Counter(len(placed.item.options) for placed in together)
    usual = max(counts, key=lambda width: (counts[width], width), default=0)
    return [
        placed.problem(
            f"has {plural(len(placed.item.options), 'option')}, where {counts[usual]:,} of {len(together):,} questions "
            f"have {usual}; give it {usual}"
        )
        for placed in together
        if len(placed.item.options) != usual
    ]


def _one_class(heads: Mapping[str, tuple[str, ...]], together: Sequence[Placed]) -> list[Problem]:
    return [
        together[0].problem(
            f"all {len(together):,} rows have the label {labels[0]!r} ({head}); with one class there is nothing to "
            "tell apart: give rows of another, or name the whole set in 'labels'"
        )
        for head, labels in heads.items()
        if len(labels) == 1
    ]


def _alike(known: Layout, heads: Mapping[str, tuple[str, ...]], together: Sequence[Placed]) -> list[Problem]:
    """Found labels that differ by how they are written alone: two spellings of one."""
    problems = []
    for head in heads:
        if head in known.labels or known.options:
            continue
        first: dict[str, str] = {}
        told: set[str] = set()
        for placed in together:
            label = placed.item.labels[head]
            before = first.setdefault(_plain(label), label)
            if before != label and label not in told:
                told.add(label)
                what = (
                    f"the label {label!r} is another than {before!r}, and looks the same; write them alike, or name "
                    "both in 'labels'"
                )
                problems.append(placed.problem(what))
    return problems


def _plain(label: str) -> str:
    """A label without case, blanks, marks that nobody sees, other ways to write a letter, a whole number's zeros."""
    text = unicodedata.normalize("NFKC", label)
    text = "".join(letter for letter in text if unicodedata.category(letter) != "Cf")
    return _ZEROS.sub(r"\1", " ".join(text.casefold().split()))
