"""The user's side of training examples, read from JSONL: what a model was asked while it was trained.

Understands `messages` (user turns), `prompt` (with `response`, with `chosen` and `rejected`, or alone), `turns` and
plain `text`. Refuses lines that are none of these; what the assistant answered is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import InputError, Problem
from harness.records import read_lines


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingExample:
    """The user's turns of one example, and where it stands: a line of a file, or the number of an example, from 1."""

    file: str
    line: int
    turns: tuple[str, ...]


def examples_of(path: Path) -> Iterator[TrainingExample]:
    """Every example of a JSONL file, in its order, while the file is read.

    Raises InputError at the end with every problem of the file, each with its line; also where it holds no example.
    """
    problems: list[Problem] = []
    empty = True
    for line, value in read_lines(path):
        found = value if isinstance(value, Problem) else turns_of(value)
        if isinstance(found, tuple):
            empty = False
            yield TrainingExample(file=str(path), line=line, turns=found)
        else:
            problems.append(found if isinstance(found, Problem) else Problem(path=str(path), line=line, what=found))
    if empty and not problems:
        problems = [Problem(path=str(path), what="is empty; it needs at least one training example, one a line")]
    if problems:
        raise InputError(problems)


def turns_of(value: dict[str, Any]) -> tuple[str, ...] | str:
    """The user's turns of a record, or what is wrong with it."""
    for key in ("messages", "prompt", "turns", "text"):
        if key in value:
            return _turns(key, value[key])
    keys = ", ".join(map(repr, value)) or "nothing"
    return f"is no training example: it needs 'messages', 'prompt', 'turns' or 'text', found {keys:.80}"


def _turns(key: str, given: Any) -> tuple[str, ...] | str:
    match given:
        case str() if key in ("prompt", "text"):
            turns = [given]
        case [dict(), *_] if key in ("messages", "prompt"):
            found = _user_turns(key, given)
            if isinstance(found, str):
                return found
            turns = found
        case [str(), *_] if key == "turns":
            turns = given
        case _:
            return f"{key!r}: {_WANTED[key]}, found {given!r:.60}"
    for turn in turns:
        if not isinstance(turn, str):
            return f"{key!r}: {_WANTED[key]}, found {turn!r:.60}"
        if not turn.strip():
            return f"{key!r}: a text of the user's is empty; write it or leave the line out"
    return tuple(turns)


_WANTED = {
    "messages": "give a list of objects with a role and a content",
    "prompt": "give a text",
    "turns": "give a list of texts, one for each of the user's turns",
    "text": "give a text",
}


def _user_turns(key: str, messages: list[Any]) -> list[str] | str:
    turns = []
    for message in messages:
        match message:
            case {"role": "user", "content": str(content)}:
                turns.append(content)
            case {"role": str(role)} if role != "user":
                continue
            case _:
                return f"{key!r}: each message needs a role, and the user's a text as content, found {message!r:.60}"
    return turns
