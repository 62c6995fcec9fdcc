"""Judge templates: Markdown files with a system and a user part, filled with untrusted text.

Responses are hostile: whatever could pass for one of the template's own marks is defused before rendering, and
thinking blocks are taken out. A template in use never changes; its SHA-256 is part of every cache key.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from judges.types import Message, Presentation

PROMPTS = Path(__file__).resolve().parent.parent / "prompts"
_MARK = re.compile(r"^=== (system|user) ===$", re.MULTILINE)
_OPEN_THOUGHT = re.compile(r"<think(?:ing)?>", re.IGNORECASE)
_END_THOUGHT = re.compile(r"</think(?:ing)?>", re.IGNORECASE)


def defuse(text: str) -> str:
    """Untrusted text without anything that could pass for a mark of the template (two angle brackets or more).

    Zero-width characters that could hide a mark from this function go too. The words stay readable.
    """
    visible = re.sub("[\u200b\u200c\u200d\u2060\ufeff]", "", text)
    return re.sub(r"<(?:\s*<)+", "‹", re.sub(r">(?:\s*>)+", "›", visible))


def without_thinking(text: str) -> tuple[str, bool]:
    """Text without its <think> blocks, and whether one was left open (then nothing after it is an answer)."""
    kept: list[str] = []
    at = 0
    while opened := _OPEN_THOUGHT.search(text, at):
        kept.append(text[at : opened.start()])
        closed = _END_THOUGHT.search(text, opened.end())
        if closed is None:
            return "".join(kept).strip(), True
        at = closed.end()
    return "".join([*kept, text[at:]]).strip(), False


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
        environment = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, autoescape=False)
        pieces = _MARK.split(self.source)
        if pieces[1::2] != ["system", "user"]:
            raise ValueError(f"the template {self.name!r} needs a '=== system ===' part and then a '=== user ===' part")
        return {
            name: environment.from_string(body.strip("\n"))
            for name, body in zip(pieces[1::2], pieces[2::2], strict=True)
        }

    def messages(self, shown: Presentation) -> tuple[Message, ...]:
        """The messages that put a presentation to a judge: slots, no names. Raises ValueError on a field it lacks."""
        prompt = shown.prompt
        fields = {
            "system": defuse(prompt.system) if prompt.system else "",
            "turns": [defuse(turn) for turn in prompt.turns],
            "reference": [defuse(text) for text in prompt.reference] or [""] * len(prompt.turns),
            "a": [defuse(without_thinking(text)[0]) for text in shown.a],
            "b": [defuse(without_thinking(text)[0]) for text in shown.b],
        }
        try:
            system, user = (self._parts[part].render(fields) for part in ("system", "user"))
        except jinja2.TemplateError as error:
            raise ValueError(f"the template {self.name!r} cannot be filled: {error}") from None
        return (Message(role="system", content=system), Message(role="user", content=user))


def load(name: str = "pairwise") -> Template:
    """A template of `prompts/` by name."""
    return Template(name, (PROMPTS / f"{name}.md").read_text(encoding="utf-8"))
