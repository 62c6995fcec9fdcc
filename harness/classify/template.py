"""How an item is put to a language model: Markdown templates of `prompts/classify/`, filled with an item's texts.

A template has a part `=== item ===`, which names the item's fields (or goes through `fields`) and its `options`.
Before it may stand `=== instructions ===`, which may name `labels`, the labels' words; after it `=== labels ===`, the
word that each label is written as (YAML; a label that is not named is its own word). A template in use never changes;
its SHA-256 stands in every manifest.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import jinja2
import jinja2.meta
import yaml
from jinja2.sandbox import ImmutableSandboxedEnvironment

from judges.types import Message

FOLDER = Path(__file__).resolve().parent.parent.parent / "prompts" / "classify"
GENERIC, CHOICE = "label", "choice"
PARTS = (["item"], ["instructions", "item"], ["item", "labels"], ["instructions", "item", "labels"])
BETWEEN = "\n\n"
_MARK = re.compile(r"^=== (instructions|item|labels) ===$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """What a template shows of an item: its fields by name, and the options of a multiple-choice question by letter."""

    fields: Mapping[str, str]
    options: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """A training item with its label, shown before the item that is asked about."""

    shown: Shown
    label: str


@dataclass(frozen=True)
class TaskTemplate:
    """A classification template. Raises ValueError where its source is none, or does not fit what it is filled with."""

    name: str
    source: str

    @property
    def sha256(self) -> str:
        """What tells it from every other template."""
        return hashlib.sha256(self.source.encode()).hexdigest()

    @cached_property
    def _parts(self) -> dict[str, str]:
        pieces = _MARK.split(self.source)
        if pieces[1::2] not in PARTS:
            raise ValueError(
                f"the template {self.name!r} needs an '=== item ===' part, with '=== instructions ===' before it and "
                "'=== labels ===' after it where there are any"
            )
        return {name: body.strip("\n") for name, body in zip(pieces[1::2], pieces[2::2], strict=True)}

    @cached_property
    def _made(self) -> dict[str, jinja2.Template]:
        environment = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, autoescape=False)
        try:
            return {part: environment.from_string(self._parts.get(part, "")) for part in ("instructions", "item")}
        except jinja2.TemplateSyntaxError as error:
            raise ValueError(f"the template {self.name!r} cannot be read: {error.message}") from None

    @cached_property
    def named(self) -> frozenset[str]:
        """Every field that the item's part names. Raises ValueError where the template cannot be read."""
        self._made  # noqa: B018 (what cannot be read names nothing)
        parsed = jinja2.Environment(autoescape=False).parse(self._parts["item"])
        return frozenset(jinja2.meta.find_undeclared_variables(parsed))

    def words(self, labels: Sequence[str]) -> dict[str, str]:
        """The word of every label. Raises ValueError where two share one, or the template names another label."""
        try:
            own = yaml.safe_load(self._parts["labels"]) if "labels" in self._parts else {}
        except yaml.YAMLError as error:
            what = " ".join(str(getattr(error, "problem", None) or error).split())
            raise ValueError(f"the template {self.name!r}: '=== labels ===' is not YAML ({what}); mend it") from None
        if not isinstance(own, Mapping) or not all(isinstance(word, str) and word.strip() for word in own.values()):
            raise ValueError(f"the template {self.name!r}: '=== labels ===' must map labels to words (quote True, yes)")
        named = {str(label): str(word) for label, word in own.items()}
        foreign = sorted(set(named) - set(labels))
        if foreign:
            known = ", ".join(labels)
            raise ValueError(f"the template {self.name!r} names the label {foreign[0]!r}; the task has {known}")
        words = {label: named.get(label, label) for label in labels}
        if len({" ".join(word.split()).casefold() for word in words.values()}) < len(words):
            raise ValueError(f"the template {self.name!r} writes two labels as the same word; give each its own")
        return words

    def filled(self, shown: Shown) -> str:
        """An item's text. Raises ValueError where the item lacks a field."""
        return self._rendered("item", {**shown.fields, "fields": shown.fields, "options": shown.options})

    def text(self, shown: Shown, examples: Sequence[Example], words: Mapping[str, str]) -> str:
        """Instructions, examples with their words and the item as one text, after which a blank and a word belong."""
        solved = [f"{self.filled(example.shown)} {words[example.label]}" for example in examples]
        return BETWEEN.join(part for part in (self.instructions_of(words), *solved, self.filled(shown)) if part)

    def chat(self, shown: Shown, examples: Sequence[Example], words: Mapping[str, str]) -> tuple[Message, ...]:
        """The same as a conversation: examples are earlier turns, the instructions begin the first."""
        messages = []
        for example in examples:
            messages.append(Message(role="user", content=self.filled(example.shown)))
            messages.append(Message(role="assistant", content=words[example.label]))
        messages.append(Message(role="user", content=self.filled(shown)))
        first = BETWEEN.join(part for part in (self.instructions_of(words), messages[0].content) if part)
        return (Message(role="user", content=first), *messages[1:])

    def instructions_of(self, words: Mapping[str, str]) -> str:
        """What stands before everything else; empty where the template has nothing there."""
        return self._rendered("instructions", {"labels": list(words.values())})

    def _rendered(self, part: str, values: Mapping[str, object]) -> str:
        try:
            return self._made[part].render(values)
        except jinja2.UndefinedError as error:
            names = ", ".join(values)
            what = f"the template {self.name!r} names a field that is not there ({error})"
            raise ValueError(f"{what}; use {names}") from None
        except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
            # What its author wrote in braces is run, and can fail in as many ways.
            raise ValueError(f"the template {self.name!r} cannot be filled: {error}") from None


def is_bundled(name: str) -> bool:
    """Whether a template's name is that of a bundled one, and no path."""
    return "/" not in name and not name.endswith(".md") and (FOLDER / f"{name}.md").exists()


def load(name: str, folder: Path = FOLDER) -> TaskTemplate:
    """A bundled template by name, or a file by its path, relative to `folder`. Raises ValueError."""
    path = FOLDER / f"{name}.md" if is_bundled(name) else folder / name
    try:
        return TaskTemplate(name, path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        bundled = ", ".join(sorted(file.stem for file in FOLDER.glob("*.md")))
        raise ValueError(f"there is no classification template {name!r}; give a file, or one of: {bundled}") from None
