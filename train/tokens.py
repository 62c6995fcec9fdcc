"""Examples into tokens with labels: the loss counts what the assistant says, and what is cut off is counted.

Every answer of a conversation counts where the chat template writes its beginning the same way whatever follows; with
templates that rewrite what was said before (thinking that is taken out, say) the last answer alone does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import InputError
from train.examples import Example

IGNORED = -100
"""The label that the loss passes over."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """Token ids and labels of one example, not longer than the recipe allows, and the source it is of."""

    ids: list[int]
    labels: list[int]
    source: str

    @property
    def answered(self) -> int:
        """How many tokens the loss counts: the first one is never foretold."""
        return sum(label != IGNORED for label in self.labels[1:])


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoded:
    """The rows that have something to learn; how many were cut, and how many had no answer left and were dropped."""

    rows: tuple[Row, ...]
    truncated: int
    dropped: int


def encode(tokenizer: Any, examples: Sequence[Example], longest: int) -> Encoded:
    """Tokens of every example, cut at `longest` of them. Raises InputError where the tokenizer has no chat template."""
    if any(example.prompt for example in examples) and not tokenizer.chat_template:
        raise InputError("the base's tokenizer has no chat template; name a base that was made for chats")
    if not examples:
        return Encoded(rows=(), truncated=0, dropped=0)
    pieces = [_pieces(tokenizer, example) for example in examples]
    flat = iter(tokenizer([text for each in pieces for text in each], add_special_tokens=False)["input_ids"])
    rows: list[Row] = []
    truncated = dropped = 0
    for example, each in zip(examples, pieces, strict=True):
        ids, labels = _labelled([next(flat) for _ in each])
        truncated += len(ids) > longest
        row = Row(ids=ids[:longest], labels=labels[:longest], source=example.source)
        if row.answered:
            rows.append(row)
        else:
            dropped += 1
    return Encoded(rows=tuple(rows), truncated=truncated, dropped=dropped)


def _pieces(tokenizer: Any, example: Example) -> list[str]:
    """The whole text, then for every answer that counts the text before it and the text up to its end."""
    if not example.prompt:
        return [example.answer + (tokenizer.eos_token or "")]
    turns = [{"role": message.role, "content": message.content} for message in example.prompt]
    turns.append({"role": "assistant", "content": example.answer})
    whole = _rendered(tokenizer, turns)
    pieces = [whole]
    for place, turn in enumerate(turns):
        if turn["role"] != "assistant":
            continue
        last = place == len(turns) - 1
        after = whole if last else _rendered(tokenizer, turns[: place + 1])
        if whole.startswith(after):
            pieces += [_rendered(tokenizer, turns[:place], opening=True), after]
    return pieces


def _rendered(tokenizer: Any, turns: Sequence[dict[str, str]], *, opening: bool = False) -> str:
    return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=opening))


def _labelled(pieces: Sequence[list[int]]) -> tuple[list[int], list[int]]:
    whole, *spans = pieces
    if not spans:
        return whole, list(whole)
    labels = [IGNORED] * len(whole)
    for before, after in zip(spans[::2], spans[1::2], strict=True):
        # Tokens may merge across the border, so an answer begins where the two tokenizations part.
        begin, end = _common(before, whole), _common(after, whole)
        labels[begin:end] = whole[begin:end]
    return whole, labels


def _common(a: Sequence[int], b: Sequence[int]) -> int:
    """How many tokens two sequences share at their beginning."""
    return next((place for place, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def lengths(tokenizer: Any, examples: Sequence[Example]) -> list[int]:
    """The tokens of every preference pair: of its prompt with the longer of its two answers."""
    texts = []
    for example in examples:
        turns = [{"role": message.role, "content": message.content} for message in example.prompt]
        for answer in (example.answer, example.rejected or ""):
            texts.append(_rendered(tokenizer, [*turns, {"role": "assistant", "content": answer}]))
    found = [len(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]]
    return [max(pair) for pair in zip(found[::2], found[1::2], strict=True)]
