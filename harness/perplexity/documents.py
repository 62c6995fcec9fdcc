"""The documents of a perplexity suite: plain texts and conversations, read from JSON lines or from the suite itself.

    {"id", "text", "category"?, "cluster"?}                                    plain text
    {"id", "prompt" | "turns", "system"?, "response" | "responses", …}         a conversation, one answer a turn
    {"id", "messages": [{"role", "content"}, …], …}                            a conversation as training data hold it

A prompts file may be measured as it is: where there is no response, its `reference` is the response. A document without
an id is named by its line, in a suite by its place. Refuses texts and answers that are empty, and a document without an
answer where answers are what is measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from harness.errors import InputError, Problem
from harness.models.reading import clean
from harness.records import Id, Record, read_lines
from harness.yamlfile import LineOf, describe
from judges.types import Message, Prompt

LossOn = Literal["response", "all"]
FORMS = ("text", "prompt", "turns", "messages")


class MessageKeys(BaseModel):
    """A message of a conversation; unknown keys are passed over."""

    model_config = ConfigDict(extra="allow", frozen=True)

    role: Literal["system", "user", "assistant"]
    content: str


class DocumentRecord(Record):
    """A line of a documents file; exactly one of `text`, `prompt`, `turns` and `messages`."""

    text: str | None = None
    prompt: str | None = None
    turns: list[str] | None = None
    messages: list[MessageKeys] | None = None
    system: str | None = None
    response: str | None = None
    responses: list[str] | None = None
    reference: str | list[str] | None = None
    category: str | None = None
    cluster: Id | None = None

    @model_validator(mode="after")
    def _one_form(self) -> DocumentRecord:
        given = [name for name in FORMS if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(map(repr, given)) or "none of them"
            raise ValueError(f"give one of {', '.join(map(repr, FORMS))}, found {found}")
        answered = [name for name in ("response", "responses") if getattr(self, name) is not None]
        if answered and self.text is not None:
            raise ValueError(f"'text' is measured as it is and has no {answered[0]!r}; give the text as 'prompt'")
        if answered and self.messages is not None:
            raise ValueError(f"'messages' hold their answers themselves; leave {answered[0]!r} out")
        if len(answered) == 2:
            raise ValueError("give either 'response' or 'responses'")
        _whole(self)
        return self

    def answers(self) -> list[str]:
        """The responses, else the reference, one a turn; none where there is neither."""
        for given in (self.response, self.responses, self.reference):
            if given is not None:
                return [given] if isinstance(given, str) else list(given)
        return []

    def conversation(self) -> list[Message]:
        """The messages of a conversation in their order; of a plain text none."""
        if self.messages is not None:
            return [Message(role=one.role, content=clean(one.content)) for one in self.messages]
        asked = [self.prompt] if self.prompt is not None else self.turns or []
        found = [Message(role="system", content=clean(self.system))] if self.system and asked else []
        answers = self.answers()
        for place, turn in enumerate(asked):
            found.append(Message(role="user", content=clean(turn)))
            if place < len(answers):
                found.append(Message(role="assistant", content=clean(answers[place])))
        return found


def _whole(record: DocumentRecord) -> None:
    """Raise ValueError where a text is empty, or the answers do not fit the turns."""
    if record.text is not None:
        if not record.text.strip():
            raise ValueError("the text is empty; write it or leave the line out")
        return
    if record.messages is not None:
        spoken = [one.role for one in record.messages if one.role != "system"]
        if not spoken or spoken[0] != "user":
            raise ValueError("'messages' must begin with what is asked: a message of role 'user'")
    turns, answers = [record.prompt] if record.prompt is not None else record.turns or [], record.answers()
    if record.messages is None and not turns:
        raise ValueError("'turns' is empty; give at least one turn")
    if record.messages is None and answers and len(answers) != len(turns):
        raise ValueError(f"has {len(answers)} responses for {len(turns)} turns; give one each")
    for message in record.conversation():
        if not message.content.strip():
            raise ValueError(f"a message of role {message.role!r} is empty; write it or leave the line out")


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """What is measured: a plain text, or a conversation (`messages`); of it the answers alone, or all."""

    id: str
    text: str
    messages: tuple[Message, ...]
    loss_on: LossOn

    @property
    def chat(self) -> bool:
        """Whether it is a conversation."""
        return bool(self.messages)


def document_of(prompt: Prompt, loss_on: LossOn | None) -> Document:
    """The document that a suite's item stands for; by default a conversation's answers count, and all of a text."""
    messages = tuple(Message(role=one["role"], content=one["content"]) for one in prompt.extra.get("messages", ()))
    return Document(
        id=prompt.id,
        text="" if messages else prompt.turns[0],
        messages=messages,
        loss_on=loss_on or ("response" if messages else "all"),
    )


def load(
    given: Any, folder: Path, suite: str, line_of: LineOf, loss_on: Any = None
) -> tuple[list[Prompt], list[Problem]]:
    """The documents that a suite names by file or holds itself, as its items, and every problem with them."""
    if isinstance(given, str):
        return read(folder / given, loss_on)
    if not isinstance(given, list):
        return [], []
    if not given:
        return [], [Problem(path=suite, line=line_of(["prompts"]), what="there are no documents; add one")]
    lines = [(line_of(["prompts", place]) or 0, f"document {place + 1}", value) for place, value in enumerate(given)]
    return _gathered(lines, suite, loss_on)


def read(path: Path, loss_on: Any = None) -> tuple[list[Prompt], list[Problem]]:
    """The documents of a JSON-lines file as a suite's items, and every problem with them."""
    try:
        lines = ((line, f"line {line}", value) for line, value in read_lines(path))
        found, problems = _gathered(lines, str(path), loss_on)
    except InputError as error:
        return [], [p if isinstance(p, Problem) else Problem(path=str(path), what=p) for p in error.problems]
    if not found and not problems:
        problems = [Problem(path=str(path), what="holds no documents; add at least one line")]
    return found, problems


def _gathered(lines: Iterable[tuple[int, str, Any]], path: str, loss_on: Any) -> tuple[list[Prompt], list[Problem]]:
    prompts: dict[str, Prompt] = {}
    places: dict[str, int] = {}
    problems: list[Problem] = []
    for line, name, value in lines:
        if isinstance(value, Problem):
            problems.append(value)
            continue
        named = {"id": name, **value} if isinstance(value, dict) else value
        try:
            record = DocumentRecord.model_validate(named)
        except ValidationError as error:
            problems += [Problem(path=path, line=line, what=describe(dict(item))) for item in error.errors()]
            continue
        if record.id in prompts:
            what = f"the id {record.id!r} stands already on line {places[record.id]}; keep one of them"
            problems.append(Problem(path=path, line=line, what=what))
        problems += [Problem(path=path, line=line, what=what) for what in _unmeasurable(record, loss_on)]
        prompts[record.id], places[record.id] = _item(record), line
    return list(prompts.values()), problems


def _unmeasurable(record: DocumentRecord, loss_on: Any) -> Iterator[str]:
    # Another word than these two is a problem of the suite, not of its documents.
    if loss_on == "all" or (loss_on != "response" and record.text is not None):
        return
    if record.text is not None:
        yield "is plain text and has no response; set loss_on: all, or give 'prompt' and 'response'"
    elif not any(message.role == "assistant" for message in record.conversation()):
        yield "has no response to measure; add 'response' (or 'reference'), or set loss_on: all"


def _item(record: DocumentRecord) -> Prompt:
    messages: Sequence[Message] = record.conversation()
    turns = tuple(message.content for message in messages if message.role == "user")
    return Prompt(
        id=record.id,
        # What was asked is what training data are searched for.
        turns=turns or (clean(record.text or ""),),
        category=record.category,
        cluster=record.cluster,
        extra={"messages": [{"role": m.role, "content": m.content} for m in messages]} if messages else {},
    )
