"""Local transformers models as contestants: batched, left-padded, sorted by length, all prompts' turns together.

Answers are cached under the fingerprint of the weights, never under a path. Refuses a prompt that does not fit the
model's context, by name, before anything is generated.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import InputError, RunStopped
from harness.models.cache import ReplyCache, cache_key, provenance
from harness.models.contestant import Answer, Done, Finish, Question, conversation, request_of
from harness.models.meter import Meter
from harness.models.sampler import RowSampler, row_seed
from harness.models.weights import Device, choose_device, load
from judges.types import Message, Reply, Request, Sampling, Usage

BATCH_TOKENS = 16384
MOST_ROWS = 64


@dataclass(slots=True)
class _Talk:
    """A conversation under way."""

    question: Question
    texts: list[str] = field(default_factory=list)
    finish: Finish = "stop"
    seconds: float = 0.0
    tokens: int = 0


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
        """Answer every question, turn by turn, in batches of like length. Raises InputError where one does not fit."""
        talks = [_Talk(question) for question in questions]
        while talks:
            waiting = [talk for talk in talks if not self._from_cache(talk)]
            if waiting:
                await self._generate(waiting, done)
            for talk in talks:
                if talk not in waiting:
                    self._finish(talk, done)
            talks = [talk for talk in talks if len(talk.texts) < len(talk.question.prompt.turns)]

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
            self._loaded = await asyncio.to_thread(load, self._base, self._adapter, self._device)
        encoded = [(talk, self._encode(conversation(talk.question.prompt, talk.texts))) for talk in talks]
        self._fits(encoded)
        waiting = deque(batches(encoded))
        while waiting:
            batch = waiting.popleft()
            started = time.perf_counter()
            replies = await asyncio.to_thread(self._batch_or_none, batch)
            if replies is None:
                # Half the rows need half the memory; what fits is not asked again.
                waiting.extendleft(reversed(_halves(batch)))
                continue
            seconds = (time.perf_counter() - started) / len(batch)
            for (talk, _), reply in zip(batch, replies, strict=True):
                if self._cache:
                    source = self._source(talk)
                    self._cache.put(cache_key(*source), reply, source=provenance(*source))
                talk.texts.append(reply.text)
                talk.finish = "length" if reply.finish == "length" else talk.finish
                talk.seconds += seconds
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

    def _fits(self, encoded: Sequence[tuple[_Talk, list[int]]]) -> None:
        assert self._loaded is not None
        room = getattr(self._loaded[0].config, "max_position_embeddings", None)
        for talk, ids in encoded:
            wanted = len(ids) + talk.question.sampling.max_tokens
            if room is not None and wanted > room:
                raise InputError(
                    f"prompt {talk.question.prompt.id!r}, turn {len(talk.texts) + 1}: {len(ids)} tokens and max_tokens "
                    f"{talk.question.sampling.max_tokens} do not fit the model's {room}; lower max_tokens or shorten it"
                )

    def _batch_or_none(self, batch: Sequence[tuple[_Talk, list[int]]]) -> list[Reply] | None:
        """A batch's replies, or None where it does not fit the device's memory."""
        import torch

        try:
            return self._batch(batch)
        except torch.OutOfMemoryError:
            if len(batch) == 1:
                prompt = batch[0][0].question.prompt.id
                raise RunStopped(
                    f"{self._device.name} is out of memory on prompt {prompt!r} alone; lower max_tokens, or free memory"
                ) from None
        torch.cuda.empty_cache()
        return None

    def _batch(self, batch: Sequence[tuple[_Talk, list[int]]]) -> list[Reply]:
        import torch

        assert self._loaded is not None
        model, tokenizer = self._loaded
        sampling = batch[0][0].question.sampling
        padded = tokenizer.pad({"input_ids": [ids for _, ids in batch]}, padding=True, return_tensors="pt")
        inputs = {name: padded[name].to(model.device) for name in ("input_ids", "attention_mask")}
        with torch.inference_mode():
            output = model.generate(
                **inputs,
                do_sample=False,
                num_beams=1,
                max_new_tokens=sampling.max_tokens,
                pad_token_id=tokenizer.pad_token_id,
                logits_processor=self._processors(batch, sampling),
                # The checkpoint's own defaults must not sample behind the suite's back.
                temperature=None,
                top_p=None,
                top_k=None,
            )
        written = output[:, inputs["input_ids"].shape[1] :].tolist()
        ends = _end_tokens(model, tokenizer)
        return [_reply(tokenizer, row, ends, sampling.max_tokens) for row in written]

    def _processors(self, batch: Sequence[tuple[_Talk, list[int]]], sampling: Sampling) -> Any:
        from transformers import LogitsProcessorList

        if not sampling.temperature:
            return LogitsProcessorList([])
        # A rerun's nonce draws apart from every other run, whatever their seeds are.
        source = (self._seed, sampling.seed, *([self._nonce] if self._nonce else []))
        seeds = [row_seed(*source, talk.question.prompt.id, talk.question.sample, len(talk.texts)) for talk, _ in batch]
        return LogitsProcessorList([RowSampler(seeds, sampling.temperature, sampling.top_p, self._device.name)])


def batches(encoded: Sequence[tuple[_Talk, list[int]]]) -> Iterator[list[tuple[_Talk, list[int]]]]:
    """Rows of equal sampling and similar length together, longest first, at most `BATCH_TOKENS` tokens with padding."""
    ordered = sorted(encoded, key=lambda item: (repr(item[0].question.sampling), -len(item[1])))
    batch: list[tuple[_Talk, list[int]]] = []
    for item in ordered:
        sampling = item[0].question.sampling
        if batch:
            longest = len(batch[0][1]) + sampling.max_tokens
            full = len(batch) >= MOST_ROWS or (len(batch) + 1) * longest > BATCH_TOKENS
            if full or sampling != batch[0][0].question.sampling:
                yield batch
                batch = []
        batch.append(item)
    if batch:
        yield batch


def _halves(batch: list[tuple[_Talk, list[int]]]) -> list[list[tuple[_Talk, list[int]]]]:
    middle = len(batch) // 2
    return [batch[:middle], batch[middle:]]


def _end_tokens(model: Any, tokenizer: Any) -> set[int]:
    given = model.generation_config.eos_token_id
    ends = set(given) if isinstance(given, list) else {given}
    return {token for token in ends | {tokenizer.eos_token_id} if token is not None}


def _reply(tokenizer: Any, row: list[int], ends: set[int], room: int) -> Reply:
    length = next((place for place, token in enumerate(row) if token in ends), None)
    kept = row if length is None else row[:length]
    text = tokenizer.decode(kept, skip_special_tokens=True).strip()
    return Reply(
        text=text,
        finish="length" if length is None and len(row) >= room else "stop",
        usage=Usage(output_tokens=len(kept)),
    )


__all__ = ["Device", "LocalContestant", "batches"]
