"""Reward models: one forward pass an answer, batched over whatever is asked at the same time, each answer scored once.

Refuses a model with another number of outputs than one, weights that do not fit, and, each alone, answers beyond its
context.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.checkpoints.files import tensors
from harness.errors import InputError, TooLong
from harness.models.cache import ReplyCache, cache_key, provenance
from harness.models.generating import BATCH_TOKENS, CPU_BATCH_TOKENS, in_halves, opened, room_of
from harness.models.meter import Meter
from harness.models.padding import padded_rows
from harness.models.waiting import Waiting, fitting
from harness.models.weights import choose_device
from judges.template import without_thinking
from judges.types import Message, Prompt, Reply, Request, Sampling

# What the families call the head of a model that scores.
HEADS = ("score.weight", "classifier.weight")


class RewardScorer:
    """A sequence-classification model with one output. Loaded at the first answer that is not cached."""

    def __init__(
        self,
        *,
        spec: str,
        base: Path,
        adapter: Path | None,
        fingerprint: str,
        cache: ReplyCache | None,
        meter: Meter,
        nonce: str = "",
    ) -> None:
        self._spec, self._base, self._adapter, self._cache, self._meter = spec, base, adapter, cache, meter
        self._nonce = nonce
        # Said before anyone is asked where the files tell; a head of another name is looked at when it is loaded.
        outputs = _outputs(base) if adapter is None else None
        self._one_output(outputs)
        if adapter is None and outputs is None and _speaks(base):
            raise InputError(
                f"{spec!r} holds no reward head (missing: {HEADS[0]}): it is a language model; give a reward model"
            )
        self._device = choose_device()
        self._identity = {
            "provider": "reward",
            "weights": fingerprint,
            "device": self._device.name,
            "dtype": self._device.dtype,
        }
        self._loaded: tuple[Any, Any] | None = None
        self._waiting: Waiting[Request, float] = Waiting(self._score_waiting)
        self._known: dict[str, float] = {}

    async def score(self, prompt: Prompt, answer: tuple[str, ...]) -> float:
        """An answer's reward. Raises InputError where the model cannot be loaded, TooLong where that is too long."""
        sampling = Sampling(temperature=0.0, max_tokens=1)
        request = Request(messages=_conversation(prompt, answer), sampling=sampling, nonce=self._nonce)
        key = cache_key(self._identity, request)
        if key in self._known:
            return self._known[key]
        cached = self._cache.get(key) if self._cache else None
        if cached is not None:
            self._meter.hits += 1
            self._known[key] = float(cached.text)
            return self._known[key]
        return await self._waiting.ask(key, request)

    async def _score_waiting(self, waiting: Mapping[str, Request]) -> AsyncIterator[tuple[str, float | TooLong]]:
        if self._loaded is None:
            self._loaded = await asyncio.to_thread(self._open)
        rows = await asyncio.to_thread(self._encode, list(waiting.values()))
        encoded, beyond = fitting(dict(zip(waiting, rows, strict=True)), self._fits)
        for unfit in beyond:
            yield unfit
        planned = _batches(encoded, CPU_BATCH_TOKENS if self._device.name == "cpu" else BATCH_TOKENS)
        work = in_halves(planned, lambda batch: self._forward([ids for _, ids in batch]), self._alone)
        async for batch, rewards, _ in work:
            for (key, _), reward in zip(batch, rewards, strict=True):
                self._known[key] = reward
                if self._cache:
                    self._cache.put(key, Reply(text=repr(reward)), source=provenance(self._identity, waiting[key]))
                yield key, reward

    def _alone(self, item: tuple[str, list[int]]) -> str:
        return (
            f"{self._spec!r}: {self._device.name} is out of memory on one answer of {len(item[1])} tokens alone; lower "
            "the suite's max_tokens, or free memory"
        )

    def _open(self) -> tuple[Any, Any]:
        model, tokenizer = opened(self._base, self._adapter, self._device, "reward")
        self._one_output(model.config.num_labels)
        model.config.pad_token_id = tokenizer.pad_token_id
        return model, tokenizer

    def _one_output(self, outputs: int | None) -> None:
        if outputs not in (None, 1):
            raise InputError(f"{self._spec!r}: a reward model has one output, this one has {outputs}; give another")

    def _encode(self, requests: Sequence[Request]) -> list[list[int]]:
        """Every conversation's tokens; all are rendered and cut in one go, for that costs less than one by one."""
        assert self._loaded is not None
        tokenizer = self._loaded[1]
        if tokenizer.chat_template:
            from jinja2 import TemplateError

            chats = [[{"role": m.role, "content": m.content} for m in request.messages] for request in requests]
            try:
                return list(tokenizer.apply_chat_template(chats, tokenize=True, return_dict=True)["input_ids"])
            except TemplateError as error:
                raise InputError(
                    f"{self._spec}: the reward model's chat template refuses a conversation: {error}; leave out what "
                    "it cannot take (a system prompt, most often)"
                ) from None
        texts = ["\n".join(message.content for message in request.messages) for request in requests]
        return list(tokenizer(texts)["input_ids"])

    def _fits(self, ids: list[int]) -> list[int]:
        assert self._loaded is not None
        room = room_of(self._loaded[0])
        if room is not None and len(ids) > room:
            said = f"{self._spec}: a conversation of {len(ids):,} tokens does not fit the reward model's {room:,}"
            raise TooLong(said, tokens=len(ids), room=room)
        return ids

    def _forward(self, rows: Sequence[list[int]]) -> list[float]:
        import torch

        assert self._loaded is not None
        model, tokenizer = self._loaded
        padded = padded_rows(rows, tokenizer.pad_token_id, left=tokenizer.padding_side == "left")
        with torch.inference_mode():
            inputs = {name: values.to(model.device) for name, values in padded.items()}
            found: list[float] = model(**inputs).logits[:, 0].float().tolist()
            return found


def _outputs(folder: Path) -> int | None:
    """The outputs of the head that a folder's weights hold, from their headers; None where they show none."""
    try:
        shapes = [value["shape"] for file in folder.glob("*.safetensors") for value in _heads(file)]
    except (OSError, ValueError, KeyError):
        return None
    return int(shapes[0][0]) if shapes and shapes[0] else None


def _speaks(folder: Path) -> bool:
    """Whether a folder's config says that its model predicts words."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        named = config.get("architectures") or []
        return bool(named) and all(str(name).endswith("ForCausalLM") for name in named)
    except (OSError, ValueError, AttributeError, TypeError):
        return False


def _heads(file: Path) -> list[Any]:
    return [value for name, value in tensors(file).items() if name in HEADS]


def _conversation(prompt: Prompt, answer: tuple[str, ...]) -> tuple[Message, ...]:
    messages = [Message(role="system", content=prompt.system)] if prompt.system else []
    for turn, text in zip(prompt.turns, answer, strict=True):
        messages.append(Message(role="user", content=turn))
        messages.append(Message(role="assistant", content=without_thinking(text)[0]))
    return tuple(messages)


def _batches(encoded: Sequence[tuple[str, list[int]]], tokens: int) -> list[list[tuple[str, list[int]]]]:
    """Rows of similar length together, longest first, at most `tokens` tokens with padding where it is not one row."""
    found: list[list[tuple[str, list[int]]]] = []
    for item in sorted(encoded, key=lambda item: -len(item[1])):
        if found and (len(found[-1]) + 1) * len(found[-1][0][1]) <= tokens:
            found[-1].append(item)
        else:
            found.append([item])
    return found
