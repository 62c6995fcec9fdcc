"""Local language models as judges: asked in writing, or looked at where a verdict would stand.

Whatever waits is answered together, each question once, and kept under the fingerprint of the weights. Refuses a model
without a chat template before anything is asked, a tokenizer that splits a verdict's token, and, that one alone, a
question that does not fit the model.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import InputError, TooLong
from harness.models.cache import ReplyCache, cache_key, provenance
from harness.models.choices import choice_of, looked_at, packed
from harness.models.generating import Row, batches, generate, in_halves, opened, room_of
from harness.models.judgechat import Chat, chats
from harness.models.meter import Meter
from harness.models.nexttoken import NextToken
from harness.models.sampler import row_seed
from harness.models.waiting import Waiting, fitting
from harness.models.weights import choose_device
from judges.types import Choice, Json, Reply, Request, Sampling, Usage, any_reply


@dataclass(frozen=True, kw_only=True, slots=True)
class _Written:
    """A reply that is wanted. So many tokens as `least` must fit; more is given as far as there is room."""

    request: Request
    least: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Looked:
    """A look that is wanted: the menu's probabilities after `lead`."""

    request: Request
    menu: tuple[str, ...]
    lead: str


_Wanted = _Written | _Looked


class LocalModel:
    """An instruction-tuned model from a folder, with an optional adapter; loaded at the first uncached question.

    Raises InputError where it has no chat template.
    """

    def __init__(
        self, *, spec: str, base: Path, adapter: Path | None, fingerprint: str, cache: ReplyCache | None, meter: Meter
    ) -> None:
        if not chats(base):
            raise InputError(
                f"{spec} has no chat template, so it cannot be asked to judge; give an instruction-tuned model"
            )
        self._spec, self._base, self._adapter, self._cache, self._meter = spec, base, adapter, cache, meter
        self._device = choose_device()
        # Precision and device round differently.
        self._identity: dict[str, Json] = {
            "provider": "hf",
            "weights": fingerprint,
            "device": self._device.name,
            "dtype": self._device.dtype,
        }
        self._loaded: tuple[Any, Any, Chat, NextToken] | None = None
        self._waiting: Waiting[_Wanted, Reply] = Waiting(self._work)

    @property
    def spec(self) -> str:
        """The spec it was built from, as given."""
        return self._spec

    async def ask(
        self, request: Request, *, usable: Callable[[Reply], bool] = any_reply, stored_as: Request | None = None
    ) -> Reply:
        """Answer a request in writing (see `judges.types.Model.ask`); a schema is answered in text.

        Raises TooLong where the question does not fit, RunStopped where the device's memory does not suffice.
        """
        kept = stored_as or request
        wanted = _Written(request=request, least=min(request.sampling.max_tokens, kept.sampling.max_tokens))
        return await self._answered(self._identity, wanted, usable, kept)

    async def choose(self, request: Request, *, menu: tuple[str, ...], lead: str) -> Choice:
        """The probabilities of the menu's entries after `lead`: one forward pass, nothing is written.

        Raises InputError where the tokenizer writes an entry as more than one token, TooLong where the question does
        not fit.
        """
        wanted = _Looked(request=request, menu=menu, lead=lead)
        return choice_of(await self._answered(looked_at(self._identity, menu, lead), wanted, any_reply, request))

    async def _answered(
        self, identity: Mapping[str, Json], wanted: _Wanted, usable: Callable[[Reply], bool], kept: Request
    ) -> Reply:
        key = cache_key(identity, wanted.request)
        cached = self._cache.get(key) if self._cache else None
        if cached is not None:
            self._meter.hits += 1
            return cached
        reply = await self._waiting.ask(key, wanted)
        if self._cache and usable(reply):
            self._cache.put(cache_key(identity, kept), reply, source=provenance(identity, kept))
        return reply

    async def _work(self, wanted: Mapping[str, _Wanted]) -> AsyncIterator[tuple[str, Reply | TooLong]]:
        if self._loaded is None:
            self._loaded = await asyncio.to_thread(self._open)
        looked = {key: item for key, item in wanted.items() if isinstance(item, _Looked)}
        written = {key: item for key, item in wanted.items() if isinstance(item, _Written)}
        if looked:
            async for answer in self._look(looked):
                yield answer
        if written:
            async for answer in self._write(written):
                yield answer

    def _open(self) -> tuple[Any, Any, Chat, NextToken]:
        model, tokenizer = opened(self._base, self._adapter, self._device)
        return model, tokenizer, Chat(tokenizer, self._spec), NextToken(model)

    async def _look(self, looked: Mapping[str, _Looked]) -> AsyncIterator[tuple[str, Reply | TooLong]]:
        assert self._loaded is not None
        next_token = self._loaded[3]
        encoded, beyond = await asyncio.to_thread(fitting, looked, self._before)
        for unfit in beyond:
            yield unfit
        if not encoded:
            return
        keys = [key for key, _ in encoded]
        rows, menus = [ids for _, (ids, _) in encoded], [tokens for _, (_, tokens) in encoded]
        planned = await asyncio.to_thread(lambda: list(next_token.batches(rows)))
        work = in_halves(planned, lambda batch: next_token.look(rows, menus, batch), lambda _: self._no_memory())
        async for batch, found, _ in work:
            for (index, _, _), likely in zip(batch, found, strict=True):
                menu = looked[keys[index]].menu
                text = packed({entry: math.exp(value) for entry, value in zip(menu, likely, strict=True)})
                yield keys[index], Reply(text=text, usage=Usage(input_tokens=len(rows[index])))

    def _before(self, item: _Looked) -> tuple[list[int], list[int]]:
        assert self._loaded is not None
        ids, tokens = self._loaded[2].before_verdict(item.request.messages, item.lead, item.menu)
        self._fits(len(ids), 0)
        return ids, tokens

    async def _write(self, written: Mapping[str, _Written]) -> AsyncIterator[tuple[str, Reply | TooLong]]:
        assert self._loaded is not None
        rows, beyond = await asyncio.to_thread(fitting, written, self._row)
        for unfit in beyond:
            yield unfit
        work = in_halves(
            batches(rows, lambda item: item[1], self._device.name),
            lambda batch: self._generated([row for _, row in batch]),
            lambda _: self._no_memory(),
        )
        async for batch, replies, seconds in work:
            for (key, row), reply in zip(batch, replies, strict=True):
                yield key, self._reply(written[key].request, row, reply, seconds / len(batch))

    def _generated(self, rows: list[Row]) -> list[Reply]:
        assert self._loaded is not None
        return generate(self._loaded[0], self._loaded[1], rows)

    def _row(self, item: _Written) -> Row:
        assert self._loaded is not None
        request, sampling = item.request, item.request.sampling
        ids = self._loaded[2].tokens(request.messages)
        self._fits(len(ids), item.least)
        room = room_of(self._loaded[0])
        most = sampling.max_tokens if room is None else min(sampling.max_tokens, room - len(ids))
        # What is asked draws its own sample: a repeat and a rerun's nonce are part of the request.
        seed = row_seed("judge", provenance({}, request)["request"]) if sampling.temperature else 0
        return Row(ids=ids, sampling=replace(sampling, max_tokens=most), seed=seed)

    def _fits(self, tokens: int, answer: int) -> None:
        assert self._loaded is not None
        room = room_of(self._loaded[0])
        if room is None or tokens + answer <= room:
            return
        reply = f" and a reply of {answer:,} do" if answer else " does"
        raise TooLong(
            f"{self._spec}: a question of {tokens:,} tokens{reply} not fit the model's {room:,}",
            tokens=tokens,
            max_tokens=answer or None,
            room=room,
        )

    def _no_memory(self) -> str:
        return (
            f"{self._spec}: {self._device.name} is out of memory on one comparison alone; lower the suite's "
            "max_tokens, or free memory"
        )

    def _reply(self, request: Request, row: Row, reply: Reply, seconds: float) -> Reply:
        how = {} if request.schema is None else {"structured": "text"}
        written = reply.usage.output_tokens if reply.usage else 0
        return replace(
            reply,
            usage=Usage(input_tokens=len(row.ids), output_tokens=written),
            applied={**_applied(row.sampling), **how},
            latency_s=round(seconds, 4),
        )


def _applied(sampling: Sampling) -> dict[str, Json]:
    """The parameters that a reply depends on: greedy knows no others than its bound."""
    if not sampling.temperature:
        return {"temperature": 0.0, "max_tokens": sampling.max_tokens}
    return dict(sampling.given())
