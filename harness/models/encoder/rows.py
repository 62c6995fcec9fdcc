"""Items as tokens: one text, a pair, or a question with each of its options; cut to a length, and how many were cut.

An item has `texts` (one or two) and `options` (none, or the choices). Rows of a batch are padded on the right.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor

Parts = tuple[str, ...]


class Readable(Protocol):
    """What of an item an encoder reads."""

    @property
    def texts(self) -> tuple[str, ...]: ...

    @property
    def options(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """An item's tokens: one sequence, or one an option; `types` are the segments where the tokenizer tells them."""

    ids: tuple[list[int], ...]
    types: tuple[list[int], ...] | None

    @property
    def length(self) -> int:
        """The tokens of its longest sequence."""
        return max(map(len, self.ids))


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoded:
    """Rows in the items' order, how many items lost text to the longest length, and how many questions are `alike`.

    Those are read the same with two of their options, so that nothing can tell these apart.
    """

    rows: tuple[Row, ...]
    truncated: int
    alike: int = 0


def parts_of(item: Readable) -> tuple[Parts, ...]:
    """The sequences that an item is read as: one, or its text (or both, one after the other) beside each option.

    The option is alone, so that what has to be cut is cut of the longer texts.
    """
    if not item.options:
        return (tuple(item.texts),)
    return tuple((" ".join(item.texts), option) for option in item.options)


def encode(tokenizer: Any, items: Sequence[Readable], max_length: int) -> Encoded:
    """The tokens of items. Raises ValueError where they have not all one text, or all a pair."""
    parts = [parts_of(item) for item in items]
    flat = [part for each in parts for part in each]
    if {len(part) for part in flat} not in ({1}, {2}, set()):
        raise ValueError("an encoder reads one text, a pair, or a text and its options, and all items alike")
    ids, types, cut = _tokens(tokenizer, flat, max_length)
    rows, truncated, at = [], 0, 0
    for each in parts:
        here = slice(at, at + len(each))
        rows.append(Row(ids=tuple(ids[here]), types=tuple(types[here]) if types else None))
        truncated += any(cut[here])
        at += len(each)
    alike = sum(len({tuple(ids) for ids in row.ids}) < len(row.ids) for row in rows)
    return Encoded(rows=tuple(rows), truncated=truncated, alike=alike)


def _tokens(
    tokenizer: Any, parts: Sequence[Parts], max_length: int
) -> tuple[list[list[int]], list[list[int]] | None, list[bool]]:
    """Ids, segments (where there are any) and whether it was cut, of every sequence."""
    if not parts:
        return [], None, []
    told = _call(tokenizer, parts)
    ids, types = list(told["input_ids"]), list(told["token_type_ids"]) if "token_type_ids" in told else None
    cut = [len(row) > max_length for row in ids]
    places = [place for place, long in enumerate(cut) if long]
    if places:
        # What does not fit loses the end of its longer text, never the marks around both.
        short = _call(tokenizer, [parts[place] for place in places], truncation=True, max_length=max_length)
        for place, row in zip(places, short["input_ids"], strict=True):
            ids[place] = row
        for place, row in zip(places, short["token_type_ids"] if types else (), strict=False):
            assert types is not None
            types[place] = row
    return ids, types, cut


def _call(tokenizer: Any, parts: Sequence[Parts], **more: Any) -> Any:
    # Language models' tokenizers put no mark between the two of a pair; there the second begins on a line of its own.
    between = "" if _marks(tokenizer, pair=True) > _marks(tokenizer, pair=False) else "\n"
    firsts, seconds = [part[0] for part in parts], [between + part[1] for part in parts if len(part) > 1]
    pairs = [seconds] if seconds else []
    return tokenizer(firsts, *pairs, padding=False, return_attention_mask=False, verbose=False, **more)


def _marks(tokenizer: Any, *, pair: bool) -> int:
    return int(tokenizer.num_special_tokens_to_add(pair=pair))


def batches(rows: Sequence[Row], tokens: int, most: int) -> Iterator[list[int]]:
    """Places of rows of similar length together, longest first: at most `most` rows and `tokens` tokens with padding.

    Rows of different numbers of options never share a batch.
    """
    order = sorted(range(len(rows)), key=lambda place: (len(rows[place].ids), -rows[place].length))
    batch: list[int] = []
    for place in order:
        if batch:
            first = rows[batch[0]]
            size = (len(batch) + 1) * first.length * len(first.ids)
            if len(batch) >= most or size > tokens or len(first.ids) != len(rows[place].ids):
                yield batch
                batch = []
        batch.append(place)
    if batch:
        yield batch


def collate(rows: Sequence[Row], pad: int) -> dict[str, Tensor]:
    """Rows as tensors (rows, tokens), of questions with options (rows, options, tokens), padded on the right."""
    import numpy as np
    import torch

    many, longest = len(rows[0].ids), max(row.length for row in rows)
    ids = np.full((len(rows) * many, longest), pad, dtype=np.int64)
    mask = np.zeros_like(ids)
    types = np.zeros_like(ids) if rows[0].types is not None else None
    place = 0
    for row in rows:
        for option, sequence in enumerate(row.ids):
            ids[place, : len(sequence)] = sequence
            mask[place, : len(sequence)] = 1
            if types is not None and row.types is not None:
                types[place, : len(sequence)] = row.types[option]
            place += 1
    found = {"input_ids": ids, "attention_mask": mask} | ({} if types is None else {"token_type_ids": types})
    # An item of multiple choice has several sequences, even where it has one option.
    shape = (len(rows), many, longest) if many > 1 else (len(rows), longest)
    return {name: torch.from_numpy(values.reshape(shape)) for name, values in found.items()}
