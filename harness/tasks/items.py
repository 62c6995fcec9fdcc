"""From rows to items: texts, labels, options and slices by a layout. Every problem of every row is found at once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import Problem
from harness.records import Decimal
from harness.report.numerals import plural
from harness.tasks.duplicates import text_key
from harness.tasks.labels import Ambiguous, answer_place, label_of
from harness.tasks.layout import Layout
from harness.tasks.rows import Table
from harness.tasks.values import LETTERS, Item

FLAGS = (0, 1, "0", "1")
MANY = 3
"""From more rows than these on, what is wrong with every row alike is said once."""


@dataclass(frozen=True, slots=True)
class Placed:
    """An item, where problems say that it stands, and what its text is compared by."""

    path: str
    line: int
    item: Item
    key: str

    def problem(self, what: str) -> Problem:
        return Problem(path=self.path, line=self.line, what=what)


def read(table: Table, layout: Layout, prefix: str = "") -> tuple[list[Placed], list[Problem]]:
    """The items of a table, and every problem of its rows.

    A row without an id of its own is named by `prefix` and its number.
    """
    columns = table.columns
    text = next((names for names in layout.text if set(names) <= set(columns)), layout.text[0])
    problems = _lacking(table, layout, text, columns)
    if problems:
        return [], problems
    known = {head: set(labels) for head, labels in layout.labels.items()}
    own = layout.id if layout.id in columns else None
    reader = _Reader(layout=layout, text=text, known=known, names=table.names, id=own)
    found: list[Placed] = []
    wrong: list[Problem] = []
    for number, (line, row) in enumerate(table.rows, layout.first):
        item, whats = reader.item(row, f"{prefix}{number}", f"{table.name}:{line}")
        wrong += [Problem(path=table.path, line=line, what=what) for what in whats]
        if item is not None:
            found.append(Placed(table.path, line, item, text_key(item)))
    return found, [*_once(wrong, len(table.rows)), *_repeated(found)]


def _lacking(table: Table, layout: Layout, text: Sequence[str], columns: Sequence[str]) -> list[Problem]:
    """The columns that no row has."""
    named = [("text", name) for name in text] + [("label", name) for name in layout.label.values()]
    named += [("options", name) for name in layout.options] + [("slices", name) for name in layout.slices]
    single = {"category": layout.category, "cluster": layout.cluster, "id": None if layout.optional_id else layout.id}
    named += [(what, name) for what, name in single.items() if name is not None]
    line = table.rows[0][0] if table.rows else None
    return [
        Problem(
            path=table.path,
            line=line,
            what=f"has no column {name!r} ({what}); its columns are {', '.join(columns)}",
        )
        for what, name in dict.fromkeys(named)
        if name not in columns
    ]


def _once(problems: Sequence[Problem], rows: int) -> list[Problem]:
    """Problems that all rows have alike as one."""
    counts = Counter(problem.what for problem in problems)
    kept: list[Problem] = []
    told: set[str] = set()
    for problem in problems:
        if counts[problem.what] < rows or rows <= MANY:
            kept.append(problem)
        elif problem.what not in told:
            told.add(problem.what)
            kept.append(Problem(path=problem.path, line=problem.line, what=f"{problem.what} (so in all {rows:,} rows)"))
    return kept


def _repeated(found: Sequence[Placed]) -> list[Problem]:
    first: dict[str, int] = {}
    problems = []
    for placed in found:
        before = first.setdefault(placed.item.id, placed.line)
        if before != placed.line:
            what = f"the id {placed.item.id!r} stands twice (first on line {before}); give every row its own"
            problems.append(placed.problem(what))
    return problems


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reader:
    layout: Layout
    text: tuple[str, ...]
    known: Mapping[str, set[str]]
    names: Mapping[str, tuple[str, ...]]
    id: str | None

    def item(self, row: Mapping[str, Any], number: str, place: str) -> tuple[Item | None, list[str]]:
        """The item of a row, or None and what is wrong with it."""
        wrong: list[str] = []
        layout = self.layout
        texts = tuple(self._text(row, name, wrong) for name in self.text)
        options: tuple[str, ...] = ()
        if layout.options:
            options, labels = self._choice(row, wrong)
        else:
            labels = {head: self._label(row, head, name, wrong) for head, name in layout.label.items()}
        name = number if self.id is None else _id(row, self.id, wrong)
        slices = tuple(each for column in layout.slices for each in self._slices(row.get(column), column, wrong))
        category, cluster = (
            str(row[each]) if each is not None and row.get(each) not in (None, "") else None
            for each in (layout.category, layout.cluster)
        )
        if wrong:
            return None, wrong
        return Item(
            id=name,
            texts=texts,
            labels=labels,
            options=options,
            slices=tuple(dict.fromkeys(slices)),
            place=place,
            category=category,
            cluster=cluster,
        ), []

    def _text(self, row: Mapping[str, Any], name: str, wrong: list[str]) -> str:
        value = row.get(name)
        if value is not None and not isinstance(value, str):
            wrong.append(f"{name!r} is no text, found {value!r:.60}; put it in quotes")
            return ""
        if value is None or not value.strip():
            wrong.append(f"the text {name!r} is empty; write it, or remove the row")
            return ""
        return value.strip() if self.layout.strip else value

    def _label(self, row: Mapping[str, Any], head: str, name: str, wrong: list[str]) -> str:
        labels = self.layout.labels.get(head, ())
        found = label_of(row.get(name), labels, self.names.get(name, ()))
        if found is None:
            wrong.append(f"has no label in {name!r}; write it, or remove the row")
        elif not isinstance(found, str):
            wrong.append(f"{name!r} is no label, found {found.value!r:.60}; give a text or a whole number")
        elif labels and found not in self.known[head]:
            wrong.append(f"the label {found!r} of {name!r} is not one of {', '.join(labels)}; mend it, or add it there")
        return found if isinstance(found, str) else ""

    def _choice(self, row: Mapping[str, Any], wrong: list[str]) -> tuple[tuple[str, ...], dict[str, str]]:
        """The options and the letter of the right one."""
        (head, name), *_ = self.layout.label.items()
        keys, options = self._options(row, wrong)
        if not options:
            return (), {}
        place = answer_place(row.get(name), keys, options)
        if place is None:
            wrong.append(f"the answer {row.get(name)!r:.60} is not among the options ({_listed(keys or options)})")
        elif isinstance(place, Ambiguous):
            ways = " or ".join(f"{LETTERS[each]} ({options[each]!r:.30})" for each in place.places)
            wrong.append(
                f"the answer {row.get(name)!r:.60} can be {ways}, as it is read for a text, a letter or a place; write "
                "its letter where no option is one, in JSON a number from 0, or the options as an object and its key"
            )
        elif options.count(options[place]) > 1:
            wrong.append(f"the right option {options[place]!r:.60} stands twice among the options; keep one")
        return options, {head: LETTERS[place if isinstance(place, int) else 0]}

    def _options(self, row: Mapping[str, Any], wrong: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The options' keys (where they have some) and texts; nothing where they are not usable."""
        columns = self.layout.options
        given: Any = [row.get(name) for name in columns] if len(columns) > 1 else row.get(columns[0])
        if isinstance(given, str):
            given = _from_json(given)
        keys = tuple(map(str, given)) if isinstance(given, dict) else ()
        values = list(given.values()) if isinstance(given, dict) else given
        if not isinstance(values, list | tuple) or not all(isinstance(each, str | int) for each in values):
            wrong.append(f"the options are no list of texts, found {given!r:.60}")
            return (), ()
        texts = tuple(str(each).strip() if self.layout.strip else str(each) for each in values)
        before = len(wrong)
        if not 2 <= len(texts) <= len(LETTERS):
            wrong.append(f"has {plural(len(texts), 'option')}; a question needs 2 to {len(LETTERS)}")
        elif self.layout.options_each not in (None, len(texts)):
            wrong.append(f"has {plural(len(texts), 'option')}, where every question has {self.layout.options_each}")
        if any(not text.strip() for text in texts):
            wrong.append("an option is empty; write its text")
        return (keys, texts) if len(wrong) == before else ((), ())

    def _slices(self, value: Any, column: str, wrong: list[str]) -> list[str]:
        match value:
            case None | "" | False:
                return []
            case True:
                return [column]
            case dict():
                strange = [name for name, flag in value.items() if flag not in FLAGS]
                if strange:
                    wrong.append(f"{column}.{strange[0]} is neither 0 nor 1, found {value[strange[0]]!r:.60}")
                return [name for name, flag in value.items() if flag in (1, "1")]
            case list():
                return [str(each) for each in value]
        # Values of several columns could be taken for one another.
        return [str(value)] if len(self.layout.slices) == 1 else [f"{column}={value}"]


def _id(row: Mapping[str, Any], name: str, wrong: list[str]) -> str:
    value = row.get(name)
    if isinstance(value, Decimal):
        return value.text
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        wrong.append(f"{name!r} is no id, found {value!r:.60}; give every row its own text or number")
        return ""
    return str(value)


def _from_json(text: str) -> Any:
    """What a cell holds as JSON; the text itself where that is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"{name:.30}" for name in names)
