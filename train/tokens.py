"""Examples into tokens with labels: the loss counts what the assistant says, and what is cut off is counted.

Every answer of a conversation counts where the chat template writes its beginning the same way whatever follows; with
templates that rewrite what was said before (thinking that is taken out, say) the last answer alone does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jinja2.exceptions import TemplateError

from harness.errors import InputError, Problem
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
    """The rows that have something to learn; how many were cut, and how many of these had no answer left."""

    rows: tuple[Row, ...]
    truncated: int
    dropped: int


def encode(tokenizer: Any, examples: Sequence[Example], longest: int) -> Encoded:
    """Tokens of every example, cut at `longest` of them.

    Raises InputError where the tokenizer has no chat template, or one that refuses an example.
    """
    _require_template(tokenizer, examples)
    pieces = [_pieces(tokenizer, example) for example in examples]
    # Templates write the marks of a beginning themselves; plain text gets those that the tokenizer adds.
    chats = iter(_ids(tokenizer, [text for each in pieces if len(each) > 1 for text in each], marks=False))
    plain = iter(_ids(tokenizer, [text for each in pieces if len(each) == 1 for text in each], marks=True))
    rows: list[Row] = []
    truncated = dropped = 0
    for example, each in zip(examples, pieces, strict=True):
        ids, labels = _labelled([next(chats if len(each) > 1 else plain) for _ in each])
        truncated += len(ids) > longest
        row = Row(ids=ids[:longest], labels=labels[:longest], source=example.source)
        if row.answered:
            rows.append(row)
        else:
            dropped += 1
    return Encoded(rows=tuple(rows), truncated=truncated, dropped=dropped)


def _ids(tokenizer: Any, texts: Sequence[str], *, marks: bool) -> list[list[int]]:
    found: list[list[int]] = tokenizer(texts, add_special_tokens=marks)["input_ids"] if texts else []
    return found


def _pieces(tokenizer: Any, example: Example) -> list[str]:
    """The whole text, then for every answer that counts the text before it and the text up to its end."""
    if not example.prompt:
        end = tokenizer.eos_token or ""
        return [example.answer if end and example.answer.endswith(end) else example.answer + end]
    turns = [{"role": message.role, "content": message.content} for message in example.prompt]
    turns.append({"role": "assistant", "content": example.answer})
    whole = _rendered(tokenizer, example, turns)
    pieces = [whole]
    for place, turn in enumerate(turns):
        if turn["role"] != "assistant":
            continue
        last = place == len(turns) - 1
        after = whole if last else _rendered(tokenizer, example, turns[: place + 1])
        before = _rendered(tokenizer, example, turns[:place], opening=True)
        # What was asked must stand in front of the answer as it did when it was asked.
        asked = turns[place - 1]["content"].strip() if place else ""
        upto = before.rfind(asked) + len(asked)
        if whole.startswith(after) and whole.startswith(before[:upto]):
            pieces += [before, after]
        elif last:
            what = "the base's chat template rewrites what was asked once it is answered, so the answer cannot be told"
            raise InputError(
                [Problem(path=example.file, line=example.line, what=f"{what} apart; name another base or template")]
            )
    return pieces


def _rendered(tokenizer: Any, example: Example, turns: Sequence[dict[str, str]], *, opening: bool = False) -> str:
    try:
        return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=opening))
    except TemplateError as error:
        what = f"the base's chat template refuses it: {error}; change the example, or name another base"
        raise InputError([Problem(path=example.file, line=example.line, what=what)]) from None


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


def pair_lengths(tokenizer: Any, examples: Sequence[Example]) -> list[tuple[int, int]]:
    """The tokens of every preference pair: those of its prompt, and of its prompt with the longer of its two answers.

    Raises InputError where the tokenizer has no chat template, or one that refuses an example.
    """
    _require_template(tokenizer, examples)
    texts = []
    for example in examples:
        turns = [{"role": message.role, "content": message.content} for message in example.prompt]
        texts.append(_rendered(tokenizer, example, turns, opening=True))
        for answer in (example.answer, example.rejected or ""):
            texts.append(_rendered(tokenizer, example, [*turns, {"role": "assistant", "content": answer}]))
    found = _ids(tokenizer, texts, marks=False)
    thirds = zip(found[::3], found[1::3], found[2::3], strict=True)
    return [(min(_common(asked, a), _common(asked, b)), max(len(a), len(b))) for asked, a, b in thirds]


def _require_template(tokenizer: Any, examples: Sequence[Example]) -> None:
    if any(example.prompt for example in examples) and not tokenizer.chat_template:
        raise InputError("the base's tokenizer has no chat template; name a base that was made for chats")
