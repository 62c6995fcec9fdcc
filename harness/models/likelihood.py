"""How likely a local causal language model finds each of a few labels after a context: forward passes, nothing written.

A label's log-likelihood is the sum over its tokens of the log-probability of each after the context and the tokens
before it. What the labels of one context share is read once, and what all contexts begin with (instructions, examples)
is read once altogether (see `nexttoken`). A label's tokens are what context and label together have beyond the tokens
of the context alone; blanks at the context's end belong to the label, since tokenizers put them there. Where a
tokenizer joins the context's end with a label, all labels of that context begin where its tokens are still the same.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.models.generating import in_halves, opened, room_of
from harness.models.nexttoken import NextToken
from harness.models.weights import Device


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """A context and the labels that may follow it, at least one, none empty.

    `special` False: the context's own text holds whatever marks the model expects (a chat template's, say).
    """

    context: str
    labels: tuple[str, ...]
    special: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Likely:
    """The labels' log-likelihoods (natural logarithm, in the order of the labels) and how many tokens each has.

    Empty where the longest of them did not fit: `tokens` is then what it would have taken, and `room` what there is.
    `seconds` is the row's share of the forward pass that it was in.
    """

    logs: tuple[float, ...] = ()
    lengths: tuple[int, ...] = ()
    tokens: int = 0
    room: int | None = None
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Encoded:
    """A context's tokens and its labels'."""

    context: list[int]
    labels: list[list[int]]


class LikelihoodModel:
    """A causal language model from a folder, with an optional adapter; loaded at first use, let go by `close`."""

    def __init__(self, *, spec: str, base: Path, adapter: Path | None, device: Device) -> None:
        self._spec, self._base, self._adapter, self._device = spec, base, adapter, device
        self._loaded: tuple[Any, Any, NextToken] | None = None

    @classmethod
    def of(cls, model: Any, tokenizer: Any, spec: str = "the model") -> LikelihoodModel:
        """A model that is in memory already, in evaluation mode."""
        device = Device(name=model.device.type, dtype=str(model.dtype).removeprefix("torch."))
        made = cls(spec=spec, base=Path(), adapter=None, device=device)
        made._loaded = model, tokenizer, NextToken(model)
        return made

    async def tokenizer(self) -> Any:
        """The model's tokenizer; loads both. Raises InputError where the checkpoint cannot be loaded."""
        if self._loaded is None:
            model, tokenizer = await asyncio.to_thread(opened, self._base, self._adapter, self._device)
            self._loaded = model, tokenizer, NextToken(model)
        return self._loaded[1]

    async def likely(self, asks: Sequence[Ask]) -> AsyncIterator[tuple[int, Likely]]:
        """Every ask's place in `asks` and what the model finds, as batches are done.

        Raises RunStopped where one context alone does not fit the device's memory.
        """
        await self.tokenizer()
        assert self._loaded is not None
        model, tokenizer, next_token = self._loaded
        encoded = await asyncio.to_thread(_encoded, tokenizer, asks)
        room = room_of(model)
        most = [len(item.context) + max(map(len, item.labels)) for item in encoded]
        for place, tokens in enumerate(most):
            if room is not None and tokens > room:
                yield place, Likely(tokens=tokens, room=room)
        fitting = [place for place, tokens in enumerate(most) if room is None or tokens <= room]
        async for place, found in self._looked(next_token, {place: encoded[place] for place in fitting}):
            yield place, found

    async def _looked(self, next_token: NextToken, encoded: dict[int, _Encoded]) -> AsyncIterator[tuple[int, Likely]]:
        """A row for every way in which labels go on: the context, and a label but for its last token."""
        paths = [(place, path) for place, item in encoded.items() for path in _paths(item.labels)]
        if not paths:
            return
        rows = [encoded[place].context + list(path.before) for place, path in paths]
        wanted = {index: path.wanted for index, (_, path) in enumerate(paths)}
        left = Counter(place for place, _ in paths)
        found: dict[int, dict[tuple[int, ...], float]] = {place: {} for place in encoded}
        seconds = dict.fromkeys(encoded, 0.0)
        tails = [len(path.wanted) for _, path in paths]
        planned = await asyncio.to_thread(next_token.batches, rows, tails)
        work = in_halves(planned, lambda batch: next_token.along(rows, wanted, batch), lambda _: self._alone())
        async for batch, results, took in work:
            for (index, _, _), logs in zip(batch, results, strict=True):
                place, path = paths[index]
                found[place] |= path.told(logs)
                seconds[place] += took / len(batch)
                left[place] -= 1
                if not left[place]:
                    yield place, _summed(encoded[place], found.pop(place), seconds[place])

    def close(self) -> None:
        """Let the model go, and its memory."""
        self._loaded = None
        if self._device.name == "cuda":
            import torch

            torch.cuda.empty_cache()

    def _alone(self) -> str:
        return f"{self._spec!r}: {self._device.name} is out of memory on one text alone; free memory"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Path:
    """Tokens after a context, and which are wanted after it, after the first of them, … after the last of them."""

    before: tuple[int, ...]
    wanted: tuple[tuple[int, ...], ...]

    def told(self, logs: Sequence[Sequence[float]]) -> dict[tuple[int, ...], float]:
        """The log-likelihood of every wanted token by all tokens up to it."""
        return {
            (*self.before[:at], token): log
            for at, (tokens, found) in enumerate(zip(self.wanted, logs, strict=True))
            for token, log in zip(tokens, found, strict=True)
        }


def _paths(labels: Sequence[Sequence[int]]) -> list[_Path]:
    """The fewest paths on which every token of every label comes up.

    Labels go along the first path that begins like them: of " yes" and " yes and no" the longer one holds both.
    """
    befores = sorted({tuple(label[:-1]) for label in labels}, key=len, reverse=True)
    found: dict[tuple[int, ...], list[dict[int, None]]] = {}
    for before in befores:
        if not any(path[: len(before)] == before for path in found):
            found[before] = [{} for _ in range(len(before) + 1)]
    for label in labels:
        along = next(path for path in found if path[: len(label) - 1] == tuple(label[:-1]))
        for at, token in enumerate(label):
            found[along][at][token] = None
    return [_Path(before=before, wanted=tuple(tuple(tokens) for tokens in wanted)) for before, wanted in found.items()]


def _summed(item: _Encoded, found: dict[tuple[int, ...], float], seconds: float) -> Likely:
    sums = tuple(sum(found[tuple(label[: at + 1])] for at in range(len(label))) for label in item.labels)
    return Likely(
        logs=sums,
        lengths=tuple(map(len, item.labels)),
        tokens=len(item.context) + max(map(len, item.labels)),
        seconds=seconds,
    )


def _encoded(tokenizer: Any, asks: Sequence[Ask]) -> list[_Encoded]:
    """Contexts and labels as tokens; each text is encoded once."""
    parts = [_parts(ask, label) for ask in asks for label in ask.labels]
    special = [ask.special for ask in asks for _ in ask.labels]
    texts = dict.fromkeys(
        (text, mark) for (before, after), mark in zip(parts, special, strict=True) for text in (before, before + after)
    )
    ids: dict[tuple[str, bool], list[int]] = {}
    for mark in (True, False):
        own = [text for text, given in texts if given is mark]
        if own:
            # The length is looked at by the caller, who knows the room.
            made = tokenizer(own, add_special_tokens=mark, return_attention_mask=False, verbose=False)["input_ids"]
            ids |= {(text, mark): _unended(row, tokenizer) for text, row in zip(own, made, strict=True)}
    found = iter(
        (ids[before, mark], ids[before + after, mark]) for (before, after), mark in zip(parts, special, strict=True)
    )
    made = []
    for ask in asks:
        pairs = [next(found) for _ in ask.labels]
        wholes = [whole for _, whole in pairs]
        begin = _begun(pairs[0][0], wholes)
        context = wholes[0][:begin] or _begin(tokenizer)
        made.append(_Encoded(context=context, labels=[whole[begin:] for whole in wholes]))
    return made


def _unended(ids: Sequence[int], tokenizer: Any) -> list[int]:
    """Tokens without the end mark that some tokenizers write after every text."""
    # Of tokenizers without an end mark of their own, as BERT's, it is the separator.
    marks = {tokenizer.eos_token_id, getattr(tokenizer, "sep_token_id", None)} - {None}
    return list(ids[:-1] if ids and ids[-1] in marks else ids)


def _parts(ask: Ask, label: str) -> tuple[str, str]:
    context = ask.context.rstrip()
    return context, ask.context[len(context) :] + label


def _begun(before: Sequence[int], wholes: Sequence[Sequence[int]]) -> int:
    """How many tokens the context and all joint texts begin with; at least one of each joint text is left."""
    begin = min(len(before), *(len(whole) - 1 for whole in wholes))
    return next((at for at in range(begin) if any(whole[at] != before[at] for whole in wholes)), begin)


def _begin(tokenizer: Any) -> list[int]:
    """What stands before a label that follows nothing: the tokenizer's begin mark, or its end mark."""
    marks = (tokenizer.bos_token_id, tokenizer.eos_token_id)
    return [next((int(mark) for mark in marks if mark is not None), 0)]
