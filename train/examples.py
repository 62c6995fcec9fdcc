"""Training examples read from JSONL, from a dataset of the datasets library, or made by the kitchen world.

An example is {"prompt", "response"}, {"messages": [{"role", "content"}, …]} that end with the assistant, {"text"} for
pretraining, or a preference pair {"prompt", "chosen", "rejected"}. Every problem of a source is found at once, with its
line; one that is no example is never passed over.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import InputError, Problem
from harness.records import read_lines
from judges.types import Message
from train.keys import SourceKeys
from train.kitchen import corpus

ROLES = ("system", "user", "assistant")


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """The messages before an answer, the answer, and for a preference pair the answer that was rejected.

    Plain text has no messages. `source` and `stratum` say which source it is of and what the field to stratify by
    holds; `file` and `line` where it stands.
    """

    prompt: tuple[Message, ...]
    answer: str
    rejected: str | None = None
    source: str = "data"
    stratum: str = ""
    file: str = ""
    line: int = 0

    @property
    def user_turns(self) -> tuple[str, ...]:
        """What the user said; of a plain text all of it."""
        return tuple(m.content for m in self.prompt if m.role == "user") if self.prompt else (self.answer,)


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """A file that was read: its name, SHA-256 (of a dataset's rows: theirs) and number of examples."""

    name: str
    sha256: str
    examples: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What examples must be: preference pairs or answers, the `stratify` field, and the name of their source."""

    pairs: bool
    stratify: str | None = None
    source: str = "data"


def read(keys: SourceKeys, folder: Path, wanted: Wanted, rng: random.Random) -> tuple[list[Example], list[Origin]]:
    """The examples of a source and the files they come from; relative paths are relative to `folder`.

    Raises InputError with every problem of it, also where nothing is left.
    """
    if keys.generator is not None:
        return _made(keys, wanted, rng), []
    rows: list[Example] = []
    origins: list[Origin] = []
    problems: list[Problem] = []
    for name, sha256, lines in _opened(keys, folder):
        before = len(rows)
        for line, value in lines:
            found = value if isinstance(value, Problem) else _row(value, keys, wanted)
            if isinstance(found, Problem):
                problems.append(found)
            elif isinstance(found, str):
                problems.append(Problem(path=name, line=line, what=found))
            elif found is not None:
                rows.append(replace(found, file=Path(name).name, line=line))
        origins.append(Origin(name=Path(name).name, sha256=sha256, examples=len(rows) - before))
        if len(rows) == before and not problems:
            where = " that 'where' lets through" if keys.where else ""
            problems.append(Problem(path=name, what=f"holds no example{where}; it needs at least one, one a line"))
    if problems:
        raise InputError(problems)
    return rows, origins


def _opened(keys: SourceKeys, folder: Path) -> Iterator[tuple[str, str, Iterable[tuple[int, Any]]]]:
    for given in keys.files:
        path = folder / given
        lines = read_lines(path)
        yield str(path), hashlib.sha256(path.read_bytes()).hexdigest(), lines
    if keys.dataset is not None:
        near = folder / keys.dataset
        data = _dataset(keys, str(near) if near.is_dir() else keys.dataset)
        yield keys.dataset, _rows_sha256(data), enumerate(data, 1)


def _dataset(keys: SourceKeys, name: str) -> Any:
    import datasets

    try:
        return datasets.load_dataset(name, keys.config, split=keys.split, revision=keys.revision)
    except Exception as error:  # The library raises a dozen unrelated types; each means the same here.
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"data: the dataset {keys.dataset!r} (config {keys.config}, split {keys.split!r}) cannot be loaded: "
            f"{reason}; check its id, config and split, or give 'files'"
        ) from None


def _rows_sha256(data: Iterable[Any]) -> str:
    """SHA-256 of the rows themselves: the library's own fingerprint changes with where and when they were loaded."""
    digest = hashlib.sha256()
    for row in data:
        digest.update(json.dumps(row, sort_keys=True, default=str).encode() + b"\n")
    return digest.hexdigest()


def _made(keys: SourceKeys, wanted: Wanted, rng: random.Random) -> list[Example]:
    count = keys.examples or 0
    if keys.generator == "kitchen_preferences":
        made = corpus.preferences(rng, count)
        rows = [Example(prompt=_asked(p.prompt), answer=p.chosen, rejected=p.rejected) for p in made]
    else:
        make = _CHATS[str(keys.generator)]
        rows = [Example(prompt=_asked(chat.user), answer=chat.assistant) for chat in make(rng, count)]
    if wanted.pairs != (keys.generator == "kitchen_preferences"):
        raise InputError(f"data: the generator {keys.generator!r} makes no {_NAMES[wanted.pairs]}; give another")
    file = str(keys.generator)
    return [replace(row, source=wanted.source, file=file, line=place) for place, row in enumerate(rows, 1)]


_CHATS = {
    "kitchen_corpus": corpus.pretraining,
    "kitchen_requests": corpus.requests,
    "kitchen_chores": corpus.errands,
}
_NAMES = {True: "preference pairs", False: "answers to train on"}


_SHAPES = ({"messages"}, {"prompt", "response", "chosen", "rejected"}, {"text"})


def _row(value: Mapping[str, Any], keys: SourceKeys, wanted: Wanted) -> Example | str | None:
    """The example of a record, what is wrong with it, or None where `where` leaves it out."""
    for key, kept in keys.where.items():
        if key not in value:
            return f"has no field {key!r}, which 'where' asks for; add it, or change 'where'"
        if value[key] != kept and str(value[key]) != str(kept):
            return None
    lacking = next((field for field in keys.columns.values() if field not in value), None)
    if lacking is not None:
        return f"has no field {lacking!r}, which 'columns' asks for; add it, or change 'columns'"
    # Fields of another shape of example do not get in the way of those that are named.
    foreign = {name for shape in _SHAPES if keys.columns and not shape & keys.columns.keys() for name in shape}
    named = {key: found for key, found in value.items() if key not in foreign}
    named |= {key: value[field] for key, field in keys.columns.items()}
    made = _pair(named) if wanted.pairs else _example(named)
    if isinstance(made, str) or wanted.stratify is None:
        return made if isinstance(made, str) else replace(made, source=wanted.source)
    if wanted.stratify not in value:
        return f"has no field {wanted.stratify!r}, which 'stratify' asks for; add it, or leave 'stratify' out"
    return replace(made, source=wanted.source, stratum=str(value[wanted.stratify]))


def _asked(user: str | None) -> tuple[Message, ...]:
    return () if user is None else (Message(role="user", content=user),)


def _example(value: Mapping[str, Any]) -> Example | str:
    match value:
        case {"messages": [_, *_] as messages}:
            return _conversation(messages)
        case {"prompt": str(prompt), "response": str(response)} if prompt.strip() and response.strip():
            return Example(prompt=_asked(prompt), answer=response)
        case {"text": str(text)} if text.strip():
            return Example(prompt=(), answer=text)
        case {"chosen": _, "rejected": _}:
            return "is a preference pair, which kind sft cannot use; give answers, or use kind dpo or reward"
    found = ", ".join(map(repr, value)) or "nothing"
    return (
        f"is no example: it needs 'prompt' and 'response', or 'messages', or 'text', none of them empty; found {found}"
    )


def _pair(value: Mapping[str, Any]) -> Example | str:
    match value:
        case {"prompt": prompt, "chosen": chosen, "rejected": rejected}:
            before = _messages("prompt", prompt)
            answers = [_answer(key, given) for key, given in (("chosen", chosen), ("rejected", rejected))]
            for found in (before, *answers):
                if isinstance(found, _Wrong):
                    return found.what
            if answers[0] == answers[1]:
                return "'chosen' and 'rejected' are the same text, which teaches nothing; leave the line out"
            return Example(prompt=before, answer=answers[0], rejected=answers[1])  # type: ignore[arg-type]
    found = ", ".join(map(repr, value)) or "nothing"
    return f"is no preference pair: it needs 'prompt', 'chosen' and 'rejected'; found {found}"


@dataclass(frozen=True, slots=True)
class _Wrong:
    what: str


def _messages(key: str, given: Any) -> tuple[Message, ...] | _Wrong:
    """A prompt as text or as messages that do not end with the assistant."""
    match given:
        case str() if given.strip():
            return _asked(given)
        case [dict(), *_]:
            found = _each_message(key, given)
            if isinstance(found, _Wrong) or found[-1].role != "assistant":
                return found
            return _Wrong(f"{key!r} must not end with the assistant's message")
    return _Wrong(f"{key!r}: give a text or a list of messages, found {given!r:.60}")


def _answer(key: str, given: Any) -> str | _Wrong:
    match given:
        case str() if given.strip():
            return given
        case [{"role": "assistant", "content": str(content)}] if content.strip():
            return content
    return _Wrong(f"{key!r}: give the assistant's text, found {given!r:.60}")


def _conversation(messages: Sequence[Any]) -> Example | str:
    found = _each_message("messages", messages)
    if isinstance(found, _Wrong):
        return found.what
    if found[-1].role != "assistant":
        return f"'messages' must end with the assistant's, found {found[-1].role!r}"
    if len(found) == 1:
        return "'messages' hold an answer to nothing; put what was asked before it, or give it as 'text'"
    return Example(prompt=tuple(found[:-1]), answer=found[-1].content)


def _each_message(key: str, messages: Sequence[Any]) -> tuple[Message, ...] | _Wrong:
    found = []
    for message in messages:
        match message:
            case {"role": str(role), "content": str(content)} if role in ROLES and content.strip():
                found.append(Message(role=role, content=content))  # type: ignore[arg-type]
            case _:
                return _Wrong(f"{key!r}: each needs a role of {', '.join(ROLES)} and a content, found {message!r:.60}")
    return tuple(found)
