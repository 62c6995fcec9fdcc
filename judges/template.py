"""Judge templates: Markdown files with a system and a user part, filled with untrusted text.

A third part, `=== lead ===`, is what the reply is made to begin with where only the verdict's token is wanted. A
template names the fields `system`, `turns`, `reference`, `a`, `b`, `criteria`, or further keys of the prompts. One that
grades a single answer names `answers` instead of `a` and `b`: the last one is to be graded, at the last of `turns`.

Responses are hostile: whatever could pass for one of the template's own marks is defused before rendering, and
thinking blocks are taken out. A template in use never changes; its SHA-256 is part of every cache key.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jinja2
import jinja2.meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from judges.types import Criterion, Exhibit, Message, Mode, Presentation, Prompt

PROMPTS = Path(__file__).resolve().parent.parent / "prompts"
BY_MODE: dict[Mode, str] = {"generation": "pairwise", "verdict-token": "verdict"}
WITH_CRITERIA = "criteria"
LEAD = "[["
_MARK = re.compile(r"^=== (system|user|lead) ===$", re.MULTILINE)
_OPEN_THOUGHT = re.compile(r"<think(?:ing)?>", re.IGNORECASE)
_END_THOUGHT = re.compile(r"</think(?:ing)?>", re.IGNORECASE)


def defuse(text: str) -> str:
    """Untrusted text without anything that could pass for a mark of the template (two angle brackets or more).

    Zero-width characters that could hide a mark from this function go too. The words stay readable.
    """
    visible = re.sub("[\u200b\u200c\u200d\u2060\ufeff]", "", text)
    return re.sub(r"<(?:\s*<)+", "‹", re.sub(r">(?:\s*>)+", "›", visible))


def without_thinking(text: str) -> tuple[str, bool]:
    """Text without its <think> blocks, and whether one was left open (then nothing after it is an answer).

    Some models are handed the opening tag by their chat template, so that a text may begin within a block: what stands
    before a closing tag that nothing opened is thinking too.
    """
    kept: list[str] = []
    at = 0
    while True:
        opened, closed = _OPEN_THOUGHT.search(text, at), _END_THOUGHT.search(text, at)
        if closed is not None and (opened is None or closed.start() < opened.start()):
            at = closed.end()
            continue
        if opened is None:
            return "".join([*kept, text[at:]]).strip(), False
        kept.append(text[at : opened.start()])
        closed = _END_THOUGHT.search(text, opened.end())
        if closed is None:
            return "".join(kept).strip(), True
        at = closed.end()


def as_judged(text: str) -> str:
    """A response as judges see it: without its thinking, and else to the letter as it was given."""
    return without_thinking(text)[0] if _OPEN_THOUGHT.search(text) or _END_THOUGHT.search(text) else text


class _Lacking(jinja2.Undefined):
    """A field that a prompt lacks: false where a template asks whether it is there, an error where it is put in."""

    __str__ = __iter__ = jinja2.Undefined._fail_with_undefined_error


def _no_reference(turn: int) -> _Lacking:
    return _Lacking(hint=f"turn {turn} has no reference answer")


@dataclass(frozen=True)
class Template:
    """A judge template and its SHA-256."""

    name: str
    source: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.source.encode()).hexdigest()

    @cached_property
    def _parts(self) -> dict[str, jinja2.Template]:
        environment = ImmutableSandboxedEnvironment(undefined=_Lacking, autoescape=False)
        pieces = _MARK.split(self.source)
        if pieces[1::2] not in (["system", "user"], ["system", "user", "lead"]):
            raise ValueError(f"the template {self.name!r} needs a '=== system ===' part and then a '=== user ===' part")
        try:
            return {
                name: environment.from_string(body.strip("\n"))
                for name, body in zip(pieces[1::2], pieces[2::2], strict=True)
            }
        except jinja2.TemplateSyntaxError as error:
            raise ValueError(f"the template {self.name!r} cannot be read: {error.message}") from None

    @cached_property
    def fields(self) -> frozenset[str]:
        """Every field that the template names. Raises ValueError where it cannot be read."""
        self._parts  # noqa: B018 (a template that is none has no fields)
        parsed = jinja2.Environment(autoescape=False).parse(self.source)
        return frozenset(jinja2.meta.find_undeclared_variables(parsed))

    @property
    def wants_json(self) -> bool:
        """Whether the reply that the template asks for is a JSON object."""
        return '"winner"' in self.source

    @property
    def wants_rating(self) -> bool:
        """Whether the reply that the template asks for is a JSON object with a rating."""
        return '"rating"' in self.source

    @property
    def lead(self) -> str:
        """What the reply is made to begin with where only the verdict's token is wanted."""
        return self._parts["lead"].render() if "lead" in self._parts else LEAD

    def messages(self, shown: Presentation, criteria: Sequence[Criterion] = ()) -> tuple[Message, ...]:
        """The messages that put a presentation to a judge: slots, no names. Raises ValueError on a field it lacks."""
        fields = {
            **_of_prompt(shown.prompt),
            "a": [defuse(without_thinking(text)[0]) for text in shown.a],
            "b": [defuse(without_thinking(text)[0]) for text in shown.b],
            "criteria": [
                {"name": each.name, "about": each.about, "low": each.low, "high": each.high} for each in criteria
            ],
        }
        return self._filled(fields, shown.prompt)

    def grading(self, shown: Exhibit) -> tuple[Message, ...]:
        """The messages that put one answer to a grader, the conversation up to it. Raises ValueError as `messages`.

        `reference` has one entry for each turn shown; that of a turn without a reference counts as absent.
        """
        known, last = _of_prompt(shown.prompt), shown.turn
        texts = (*shown.prompt.reference, *("",) * last)[:last]
        fields = {
            **dict.fromkeys("ab", _Lacking(hint="'a' and 'b' are the answers of a comparison, and this grades one")),
            **known,
            "turns": known["turns"][:last],
            "reference": [defuse(text) or _no_reference(turn) for turn, text in enumerate(texts, start=1)],
            "answers": [defuse(without_thinking(text)[0]) for text in shown.answers],
        }
        return self._filled(fields, shown.prompt)

    def _filled(self, fields: Mapping[str, Any], prompt: Prompt) -> tuple[Message, ...]:
        try:
            system, user = (self._parts[part].render(fields) for part in ("system", "user"))
        except jinja2.UndefinedError as error:
            what = f"the template {self.name!r} names a field that prompt {prompt.id!r} lacks ({error})"
            raise ValueError(f"{what}; add it to the prompts, or give another template") from None
        except jinja2.TemplateError as error:
            raise ValueError(f"the template {self.name!r} cannot be filled: {error}") from None
        return (Message(role="system", content=system), Message(role="user", content=user))


def _of_prompt(prompt: Prompt) -> Mapping[str, Any]:
    """The fields of a prompt, its own keys among them; what it lacks is left out."""
    own = {name: _defused(value) for name, value in prompt.extra.items()}
    known: dict[str, Any] = {
        "system": defuse(prompt.system) if prompt.system else None,
        "turns": [defuse(turn) for turn in prompt.turns],
        "reference": [defuse(text) for text in prompt.reference],
    }
    return own | {name: value for name, value in known.items() if value is not None}


def _defused(value: Any) -> Any:
    if isinstance(value, str):
        return defuse(value)
    if isinstance(value, Mapping):
        return {defuse(str(key)): _defused(inner) for key, inner in value.items()}
    return [_defused(inner) for inner in value] if isinstance(value, list | tuple) else value


def load(name: str = "pairwise", folder: Path = PROMPTS) -> Template:
    """A template of `prompts/` by name, or a file by its path, relative to `folder`. Raises ValueError."""
    path = PROMPTS / f"{name}.md"
    if "/" in name or name.endswith(".md") or not path.exists():
        path = folder / name
    try:
        return Template(name, path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        bundled = ", ".join(sorted(file.stem for file in PROMPTS.glob("*.md")))
        raise ValueError(f"there is no judge template {name!r}; give a file, or one of: {bundled}") from None
