"""Local transformers models as contestants: batched, left-padded, sorted by length, all prompts' turns together.

Answers are cached under the fingerprint of the weights, never under a path. Refuses prompts that do not fit the model's
context, by name, before anything is generated; a conversation that no longer fits at a later turn ends there, with
what was answered.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.errors import InputError, TooLong
from harness.models import generating
from harness.models.cache import ReplyCache, cache_key, provenance
from harness.models.contestant import Answer, Done, Finish, Question, conversation, request_of, too_long
from harness.models.generating import Row, generate, in_halves, opened, room_of
from harness.models.meter import Meter
from harness.models.sampler import row_seed
from harness.models.weights import Device, choose_device
from harness.report.numerals import listed, plural
from judges.types import Message, Reply, Request

# So many prompts that do not fit are named, the others counted.
NAMED = 5


@dataclass(slots=True)
class _Talk:
    """A conversation under way."""

    question: Question
    texts: list[str] = field(default_factory=list)
    finish: Finish = "stop"
    seconds: float = 0.0
    tokens: int = 0
    over: bool = False


Encoded = tuple[_Talk, list[int]]


class LocalContestant:
    """A causal language model from a folder, with an optional adapter; loaded at the first uncached answer."""

    def __init__(
        self,
        *,
        base: Path,
        adapter: Path | None,
        fingerprint: str,
        seed: int,
        cache: ReplyCache | None,
        meter: Meter,
        nonce: str = "",
    ) -> None:
        self._base, self._adapter, self._seed, self._cache, self._meter = base, adapter, seed, cache, meter
        self._nonce = nonce
        self._device = choose_device()
        # The seed draws the samples, so it is part of what an answer is; precision and device round differently.
        self._identity = {
            "provider": "hf",
            "weights": fingerprint,
            "device": self._device.name,
            "dtype": self._device.dtype,
        }
        self._loaded: tuple[Any, Any] | None = None

    @classmethod
    def of(cls, model: Any, tokenizer: Any, *, fingerprint: str, seed: int) -> LocalContestant:
        """A model that is in memory already, in evaluation mode, and its tokenizer, which pads on the left.

        Nothing of it is cached: a model that is being trained has gone on when the cache is asked again.
        """
        made = cls(base=Path(), adapter=None, fingerprint=fingerprint, seed=seed, cache=None, meter=Meter())
        made._device = Device(name=model.device.type, dtype=str(model.dtype).removeprefix("torch."))
        made._loaded = model, tokenizer
        return made

    async def answer(self, questions: Sequence[Question], done: Done) -> None:
        """Answer every question, turn by turn, in batches of like length.

        Raises InputError with every prompt whose first turn does not fit; what a later turn depends on is not known
        before it is written, so that one which no longer fits ends its own conversation alone.
        """
        talks = [_Talk(question) for question in questions]
        while talks:
            waiting: list[_Talk] = []
            known: list[_Talk] = []
            for talk in talks:
                (known if self._from_cache(talk) else waiting).append(talk)
            if waiting:
                await self._generate(waiting, done)
            for talk in known:
                self._finish(talk, done)
            talks = [talk for talk in talks if not talk.over and len(talk.texts) < len(talk.question.prompt.turns)]

    async def alone(self, question: Question) -> tuple[str, ...]:
        """What it answers to one question that no other stands beside, past the cache; as far as it fits."""
        apart = copy.copy(self)
        apart._cache = None
        found: list[Answer] = []
        await apart.answer([question], lambda _, answer: found.append(answer))
        self._loaded = apart._loaded
        return found[0].texts or ()

    def _finish(self, talk: _Talk, done: Done) -> None:
        if len(talk.texts) == len(talk.question.prompt.turns):
            details = {"output_tokens": talk.tokens} if talk.tokens else {}
            latency = round(talk.seconds, 4) if talk.seconds else None
            done(talk.question, Answer(texts=tuple(talk.texts), finish=talk.finish, latency_s=latency, details=details))

    def _source(self, talk: _Talk) -> tuple[dict[str, Any], Request]:
        seed = self._seed if talk.question.sampling.temperature else 0
        return {**self._identity, "seed": seed}, request_of(talk.question, talk.texts, self._nonce)

    def _from_cache(self, talk: _Talk) -> bool:
        reply = self._cache.get(cache_key(*self._source(talk))) if self._cache else None
        if reply is None:
            return False
        self._meter.hits += 1
        talk.texts.append(reply.text)
        talk.finish = "length" if reply.finish == "length" else talk.finish
        return True

    async def _generate(self, talks: Sequence[_Talk], done: Done) -> None:
        if self._loaded is None:
            self._loaded = await asyncio.to_thread(opened, self._base, self._adapter, self._device)
        encoded = self._fitting(
            [(talk, self._encode(conversation(talk.question.prompt, talk.texts))) for talk in talks], done
        )
        planned = batches(encoded, self._device.name)
        async for batch, replies, seconds in in_halves(planned, self._batch, self._alone):
            for (talk, _), reply in zip(batch, replies, strict=True):
                if self._cache:
                    source = self._source(talk)
                    self._cache.put(cache_key(*source), reply, source=provenance(*source))
                talk.texts.append(reply.text)
                talk.finish = "length" if reply.finish == "length" else talk.finish
                talk.seconds += seconds / len(batch)
                talk.tokens += reply.usage.output_tokens if reply.usage else 0
                self._finish(talk, done)

    def _encode(self, messages: Sequence[Message]) -> list[int]:
        assert self._loaded is not None
        tokenizer = self._loaded[1]
        chat = [{"role": message.role, "content": message.content} for message in messages]
        if tokenizer.chat_template:
            from jinja2 import TemplateError

            try:
                encoded = tokenizer.apply_chat_template(
                    chat, add_generation_prompt=True, tokenize=True, return_dict=True
                )
            except TemplateError as error:
                raise InputError(
                    f"the model's chat template refuses a prompt that begins {messages[0].content[:40]!r}: {error}; "
                    "leave out what it cannot take (a system prompt, most often)"
                ) from None
            return list(encoded["input_ids"])
        return list(tokenizer("\n".join(message.content for message in messages) + "\n")["input_ids"])

    def _fitting(self, encoded: Sequence[Encoded], done: Done) -> list[Encoded]:
        """What fits the model; conversations that no longer do are over, and those that never did are refused."""
        assert self._loaded is not None
        room = room_of(self._loaded[0])
        if room is None:
            return list(encoded)
        beyond = [item for item in encoded if len(item[1]) + item[0].question.sampling.max_tokens > room]
        never = [item for item in beyond if not item[0].texts]
        if never:
            raise InputError(_refused(never, room))
        for talk, ids in beyond:
            talk.over = True
            unfit = _unfit(talk, ids, room)
            done(talk.question, too_long(talk.question, talk.texts, unfit, cut=talk.finish == "length"))
        return [item for item in encoded if not item[0].over]

    def _alone(self, item: Encoded) -> str:
        prompt = item[0].question.prompt.id
        return f"{self._device.name} is out of memory on prompt {prompt!r} alone; lower max_tokens, or free memory"

    def _batch(self, batch: Sequence[Encoded]) -> list[Reply]:
        assert self._loaded is not None
        return generate(*self._loaded, [replace(_row(item), seed=self._seed_of(item[0])) for item in batch])

    def _seed_of(self, talk: _Talk) -> int:
        if not talk.question.sampling.temperature:
            return 0
        # A rerun's nonce draws apart from every other run, whatever their seeds are.
        source = (self._seed, talk.question.sampling.seed, *([self._nonce] if self._nonce else []))
        return row_seed(*source, talk.question.prompt.id, talk.question.sample, len(talk.texts))


def _unfit(talk: _Talk, ids: Sequence[int], room: int) -> TooLong:
    wanted = talk.question.sampling.max_tokens
    said = f"{len(ids):,} tokens and max_tokens {wanted:,} do not fit the model's {room:,}"
    return TooLong(said, tokens=len(ids), max_tokens=wanted, room=room)


def _refused(never: Sequence[Encoded], room: int) -> str:
    """Every prompt whose first turn does not fit, the longest first; of many, some are named and the others counted."""
    longest = sorted(never, key=lambda item: -len(item[1]))
    names = dict.fromkeys(talk.question.prompt.id for talk, _ in longest)
    talk, ids = longest[0]
    said = f"prompt {talk.question.prompt.id!r}, turn 1: {_unfit(talk, ids, room)}"
    if len(names) > 1:
        others = listed([repr(name) for name in list(names)[1:]], NAMED)
        said += f", nor do {plural(len(names) - 1, 'shorter one')}: {others}"
    return f"{said}; lower max_tokens, or shorten {'them' if len(names) > 1 else 'it'}"


def _row(item: Encoded) -> Row:
    return Row(ids=item[1], sampling=item[0].question.sampling)


def batches(encoded: Sequence[Encoded], device: str = "cpu") -> Iterator[list[Encoded]]:
    """Conversations of equal sampling and similar length together (see `generating.batches`)."""
    return generating.batches(encoded, _row, device)


__all__ = ["Device", "LocalContestant", "batches"]
