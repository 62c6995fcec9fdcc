"""How a local judge's messages become tokens: its chat template, and the verdict's token where one is looked at.

Texts that were written by others hold none of the tokenizer's own marks: an answer that spells out the end of a turn
has not ended it. A template that refuses a system prompt gets it in the user's message.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import InputError
from harness.models.reading import clean
from judges.types import Message

_OPEN = "<think>"


def chats(base: Path) -> bool:
    """Whether a checkpoint's folder holds a chat template, as far as its files tell."""
    if (base / "chat_template.jinja").is_file():
        return True
    try:
        config = json.loads((base / "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and bool(config.get("chat_template"))


def apart(text: str, marks: Sequence[str]) -> str:
    """Text in which every mark is broken after its first character, so that no tokenizer takes it for one."""
    for mark in marks:
        # What is left of one broken mark can be another: the longer ones come first.
        text = text.replace(mark, f"{mark[0]} {mark[1:]}")
    return text


def marks_of(tokenizer: Any) -> list[str]:
    """The marks that steer a model: special tokens, and whatever else its template writes as one; longest first."""
    template = tokenizer.chat_template
    written = template if isinstance(template, str) else "\n".join((template or {}).values())
    added = [(str(token), token.special) for token in tokenizer.added_tokens_decoder.values()]
    marks = {text for text, special in added if len(text) > 1 and (special or text in written)}
    return sorted(marks, key=lambda mark: (-len(mark), mark))


class Chat:
    """A judge's tokenizer with its chat template. `spec` is what errors name."""

    def __init__(self, tokenizer: Any, spec: str) -> None:
        self._tokenizer, self._spec, self._marks = tokenizer, spec, marks_of(tokenizer)

    def tokens(self, messages: Sequence[Message]) -> list[int]:
        """The tokens after which the model writes its reply. Raises InputError where the template refuses them."""
        return self._encoded(self._text(messages))[0]

    def before_verdict(
        self, messages: Sequence[Message], lead: str, menu: Sequence[str]
    ) -> tuple[list[int], list[int]]:
        """The tokens up to and with `lead`, and the one token that each entry of the menu is there.

        Thinking is switched off, or ended where the template opened it. Raises InputError where the tokenizer does
        not write each entry as one token of its own.
        """
        text = self._text(messages, enable_thinking=False)
        if text.rstrip().endswith(_OPEN):
            text = f"{text.rstrip()}\n\n</think>\n\n"
        text += lead
        before, *after = self._encoded(text, *(text + entry for entry in menu))
        found = {entry: self._one(entry, before, ids) for entry, ids in zip(menu, after, strict=True)}
        if len(set(found.values())) < len(menu):
            raise InputError(
                f"{self._spec}: the tokenizer writes two of the verdicts {', '.join(menu)} as the same token; "
                "use mode: generation"
            )
        return before, list(found.values())

    def _one(self, entry: str, before: list[int], ids: list[int]) -> int:
        if ids[:-1] == before:
            return ids[-1]
        if ids[: len(before)] == before:
            what = f"splits the verdict token {entry!r} into {len(ids) - len(before)}"
        else:
            what = f"joins the verdict token {entry!r} with what stands before it"
        raise InputError(f"{self._spec}: the tokenizer {what}; use mode: generation")

    def _encoded(self, *texts: str) -> list[list[int]]:
        # The template has written whatever stands at the beginning.
        ids: list[list[int]] = self._tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        return ids

    def _text(self, messages: Sequence[Message], **options: Any) -> str:
        from jinja2 import TemplateError

        chat = [{"role": message.role, "content": self._plain(message.content)} for message in messages]
        try:
            return self._rendered(chat, options)
        except TemplateError as error:
            folded = _folded(chat)
            try:
                return self._rendered(folded, options)
            except TemplateError:
                raise InputError(
                    f"{self._spec}: the model's chat template refuses the judge's question: {error}; give another judge"
                ) from None

    def _rendered(self, chat: Sequence[Mapping[str, str]], options: Mapping[str, Any]) -> str:
        return str(self._tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False, **options))

    def _plain(self, text: str) -> str:
        return apart(clean(text), self._marks)


def _folded(chat: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """The chat with its system prompt at the head of the user's first message."""
    first, *rest = chat
    if first["role"] != "system" or not rest:
        return list(chat)
    return [{"role": rest[0]["role"], "content": f"{first['content']}\n\n{rest[0]['content']}"}, *rest[1:]]
