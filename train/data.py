"""Training examples: made by the kitchen world or read from JSONL, never one that is held out.

A line of a file holds {"prompt", "response"}, or {"messages": [{"role", "content"}, …]} that end with the assistant, or
{"text"} for pretraining. Every problem of the files is found at once.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import InputError, Problem
from harness.records import read_lines
from judges.types import Message
from train.kitchen import corpus
from train.normal import normal
from train.recipe import Recipe

ROLES = ("system", "user", "assistant")


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One answer and the messages before it; plain text has none."""

    prompt: tuple[Message, ...]
    answer: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Examples:
    """The examples of a recipe. `planned` counts what its data hold, `held_out` what was left out of them."""

    rows: tuple[Example, ...]
    planned: int
    held_out: int

    @property
    def sha256(self) -> str:
        """SHA-256 over the examples in order."""
        lines = ([*[(m.role, m.content) for m in row.prompt], row.answer] for row in self.rows)
        return hashlib.sha256("\n".join(json.dumps(line) for line in lines).encode()).hexdigest()


def load(recipe: Recipe) -> Examples:
    """The training examples of a recipe. Raises InputError with every problem of its files."""
    data = recipe.keys.data
    held_out = frozenset(held_out_prompts([recipe.file(given) for given in data.held_out]))
    if data.generator is None:
        return _read([recipe.file(given) for given in data.files], held_out)
    make = corpus.pretraining if data.generator == "kitchen_corpus" else corpus.requests
    made = make(random.Random(f"{data.generator} {recipe.keys.seed}"), data.examples or 0, held_out)
    rows = tuple(Example(prompt=_asked(chat.user), answer=chat.assistant) for chat in made.chats)
    return Examples(rows=rows, planned=len(rows) + made.dropped, held_out=made.dropped)


def held_out_prompts(files: Sequence[Path]) -> Iterator[str]:
    """Every turn of every prompt in prompts files, in its normal form."""
    for _, _, value in _lines(files):
        turns = [value.get("prompt"), *(value.get("turns") or [])]
        yield from (normal(turn) for turn in turns if isinstance(turn, str))


def _asked(user: str | None) -> tuple[Message, ...]:
    return () if user is None else (Message(role="user", content=user),)


def _read(files: Sequence[Path], held_out: frozenset[str]) -> Examples:
    rows: list[Example] = []
    problems: list[Problem] = []
    for file, line, value in _lines(files):
        example = _example(value)
        if isinstance(example, str):
            problems.append(Problem(path=str(file), line=line, what=example))
        else:
            rows.append(example)
    if problems:
        raise InputError(problems)
    kept = tuple(row for row in rows if not any(normal(message.content) in held_out for message in row.prompt))
    if not kept:
        raise InputError(
            [Problem(path=str(files[0]), what="leaves no example to train on; add some that are not held out")]
        )
    return Examples(rows=kept, planned=len(rows), held_out=len(rows) - len(kept))


def _lines(files: Sequence[Path]) -> Iterator[tuple[Path, int, dict[str, Any]]]:
    problems: list[Problem] = []
    for file in files:
        for line, value in read_lines(file):
            if isinstance(value, Problem):
                problems.append(value)
            else:
                yield file, line, value
    if problems:
        raise InputError(problems)


def _example(value: dict[str, Any]) -> Example | str:
    """The example of a line, or what is wrong with it."""
    match value:
        case {"text": str(text)} if text.strip():
            return Example(prompt=(), answer=text)
        case {"prompt": str(prompt), "response": str(response)} if prompt.strip() and response.strip():
            return Example(prompt=_asked(prompt), answer=response)
        case {"messages": [_, *_] as messages}:
            return _conversation(messages)
    return "is no example: it needs 'prompt' and 'response', or 'messages', or 'text', none of them empty"


def _conversation(messages: list[Any]) -> Example | str:
    found = []
    for message in messages:
        match message:
            case {"role": str(role), "content": str(content)} if role in ROLES and content.strip():
                found.append(Message(role=role, content=content))  # type: ignore[arg-type]
            case _:
                return f"'messages': each needs a role of {', '.join(ROLES)} and a content, found {message!r:.60}"
    if found[-1].role != "assistant":
        return f"'messages' must end with the assistant's, found {found[-1].role!r}"
    return Example(prompt=tuple(found[:-1]), answer=found[-1].content)
