"""Documents into tokens, and which of them count. Nothing is guessed: an answer's place is found by rendering.

A text is given to the tokenizer as it is; whether a mark of the beginning is put in front follows the tokenizer, and
the first token, which nothing foretells, never counts. A conversation is rendered by the model's chat template, which
writes its marks itself. An answer is what the rendering up to it, with the mark that asks for an answer, lacks of the
rendering that ends with it: the answer with the mark of its end, as training counts it. Both have to be beginnings of
the whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.errors import InputError
from harness.perplexity.documents import Document
from judges.types import Message

# Enough of a SHA-256 that no two token sequences of a run share it.
_DIGITS = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoded:
    """A document's tokens, the places among them that count (rising, never 0), and what the counted text is.

    `bytes` are the UTF-8 bytes of the document's own text that is counted: marks of a template are no text. `targets`
    is a digest of the counted tokens: models with the same one are asked for the same tokens. `begin_mark` says whether
    the tokenizer put a mark in front of a plain text; None for a conversation.
    """

    ids: list[int]
    counted: list[int]
    bytes: int
    targets: str
    begin_mark: bool | None = None


def encode(tokenizer: Any, document: Document, spec: str) -> Encoded:
    """The tokens of a document. Raises InputError where the chat template is missing or gives no answer's place."""
    if not tokenizer.is_fast:
        raise InputError(f"{spec!r}: its tokenizer does not say where its tokens lie in a text; give a fast tokenizer")
    return _chat(tokenizer, document, spec) if document.chat else _text(tokenizer, document)


def _text(tokenizer: Any, document: Document) -> Encoded:
    found = tokenizer(document.text, return_offsets_mapping=True, return_special_tokens_mask=True)
    ids, offsets = list(found["input_ids"]), found["offset_mapping"]
    mark = bool(ids) and bool(found["special_tokens_mask"][0])
    counted = list(range(1, len(ids)))
    # The first token is not foretold, so its text is not counted; a mark has none.
    text = document.text[0 if mark else offsets[0][1] :] if ids else ""
    return Encoded(ids=ids, counted=counted, bytes=_bytes([text]), targets=_digest(ids, counted), begin_mark=mark)


def _chat(tokenizer: Any, document: Document, spec: str) -> Encoded:
    if not tokenizer.chat_template:
        raise InputError(
            f"{spec!r}: its tokenizer has no chat template, which document {document.id!r} needs, a conversation; "
            'give a model that was made for chats, or the text as {"text"}'
        )
    whole = _rendered(tokenizer, document, len(document.messages), spec)
    found = tokenizer(whole, add_special_tokens=False, return_offsets_mapping=True)
    ids = list(found["input_ids"])
    if document.loss_on == "all":
        counted, said = list(range(1, len(ids))), [message.content for message in document.messages]
    else:
        spans = list(_spans(tokenizer, document, whole, spec))
        counted = [place for begin, end in spans for place in _within(found["offset_mapping"], begin, end) if place]
        said = [message.content for message in document.messages if message.role == "assistant"]
    return Encoded(ids=ids, counted=sorted(set(counted)), bytes=_bytes(said), targets=_digest(ids, counted))


def _spans(tokenizer: Any, document: Document, whole: str, spec: str) -> Iterator[tuple[int, int]]:
    """Where in the rendered text every answer lies, from the mark that asks for it to the mark that ends it."""
    for place, message in enumerate(document.messages):
        if message.role != "assistant":
            continue
        before = _rendered(tokenizer, document, place, spec, asking=True)
        after = _rendered(tokenizer, document, place + 1, spec)
        if not (whole.startswith(after) and after.startswith(before) and len(before) < len(after)):
            last = place == len(document.messages) - 1
            way_out = "set loss_on: all" if last else "give every answer as a document of its own, or set loss_on: all"
            raise InputError(
                f"{spec!r}: its chat template writes answer {_number(document, place)} of document {document.id!r} in "
                f"another way once more is said, so its tokens cannot be told apart; {way_out}"
            )
        yield len(before), len(after)


def _number(document: Document, place: int) -> int:
    return sum(message.role == "assistant" for message in document.messages[: place + 1])


def _rendered(tokenizer: Any, document: Document, upto: int, spec: str, *, asking: bool = False) -> str:
    from jinja2 import TemplateError

    chat = [_as_dict(message) for message in document.messages[:upto]]
    try:
        return str(tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=asking))
    except TemplateError as error:
        raise InputError(
            f"{spec!r}: its chat template refuses document {document.id!r}: {error}; leave out what it cannot take "
            "(a system message, most often)"
        ) from None


def _as_dict(message: Message) -> dict[str, str]:
    return {"role": message.role, "content": message.content}


def _within(offsets: Sequence[tuple[int, int]], begin: int, end: int) -> range:
    """The tokens that hold a character from `begin` to `end`; `offsets` say where in the text each token lies.

    A token may be said to begin only after its own blanks, so where tokens end is what counts.
    """
    first = next((place for place, (_, at) in enumerate(offsets) if at > begin), len(offsets))
    upto = max((place + 1 for place, (_, at) in enumerate(offsets) if at <= end), default=0)
    # A token across the border belongs to the answer too.
    across = upto < len(offsets) and offsets[upto][0] < end
    return range(first, max(first, upto + across))


def _bytes(texts: Sequence[str]) -> int:
    return sum(len(text.encode("utf-8", "replace")) for text in texts)


def _digest(ids: Sequence[int], counted: Sequence[int]) -> str:
    targets = np.asarray([ids[place] for place in counted], dtype="<i8")
    return hashlib.sha256(targets.tobytes()).hexdigest()[:_DIGITS]
