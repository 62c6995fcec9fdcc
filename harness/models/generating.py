"""Generation with a local causal language model: what a contestant and a judge share.

Rows of like sampling and length are padded on the left and written together; a batch that does not fit the device's
memory is halved until it does. The checkpoint's own sampling defaults never apply.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from harness.errors import RunStopped
from harness.models.sampler import RowSampler
from harness.models.weights import Device, Head, load
from judges.types import Reply, Sampling, Usage

BATCH_TOKENS = 16384
MOST_ROWS = 64

# Neither importing transformers nor loading a model (which sets a precision for all of torch) bears company.
_LOADING = threading.Lock()

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A prompt's tokens and how to go on from them; `seed` draws the sample where there is one to draw."""

    ids: list[int]
    sampling: Sampling
    seed: int = 0


def opened(base: Path, adapter: Path | None, device: Device, head: Head = "causal") -> tuple[Any, Any]:
    """`weights.load`, one model at a time: several local judges are opened by threads of their own."""
    with _LOADING:
        return load(base, adapter, device, head)


def room_of(model: Any) -> int | None:
    """The tokens that a model takes, prompt and answer together; None where its config does not say."""
    room: int | None = getattr(model.config, "max_position_embeddings", None)
    return room


def batches(items: Iterable[Item], row_of: Callable[[Item], Row]) -> Iterator[list[Item]]:
    """Rows of equal sampling and similar length together, longest first, at most `BATCH_TOKENS` tokens with padding."""
    rows = [(row_of(item), item) for item in items]
    rows.sort(key=lambda pair: (repr(pair[0].sampling), -len(pair[0].ids)))
    batch: list[Item] = []
    first: Row | None = None
    for row, item in rows:
        if first is not None:
            longest = len(first.ids) + first.sampling.max_tokens
            full = len(batch) >= MOST_ROWS or (len(batch) + 1) * longest > BATCH_TOKENS
            if full or row.sampling != first.sampling:
                yield batch
                batch = []
        first = first if batch else row
        batch.append(item)
    if batch:
        yield batch


async def in_halves(
    batches: Iterable[list[Item]],
    work: Callable[[list[Item]], Sequence[Result]],
    alone: Callable[[Item], str],
) -> AsyncIterator[tuple[list[Item], Sequence[Result], float]]:
    """Each batch with its results and its seconds, worked off the event loop one after another.

    A batch that does not fit the device's memory is halved. Raises RunStopped with what `alone` says of a single item
    that does not fit either.
    """
    waiting = deque(batches)
    while waiting:
        batch = waiting.popleft()
        started = time.perf_counter()
        results = await asyncio.to_thread(_fitting, work, batch, alone)
        if results is None:
            # Half the rows need half the memory; what fits is not asked again.
            middle = len(batch) // 2
            waiting.extendleft([batch[middle:], batch[:middle]])
            continue
        yield batch, results, time.perf_counter() - started


def _fitting(
    work: Callable[[list[Item]], Sequence[Result]], batch: list[Item], alone: Callable[[Item], str]
) -> Sequence[Result] | None:
    """A batch's results, or None where it does not fit the device's memory."""
    import torch

    try:
        return work(batch)
    except torch.OutOfMemoryError:
        if len(batch) == 1:
            raise RunStopped(alone(batch[0])) from None
    torch.cuda.empty_cache()
    return None


def generate(model: Any, tokenizer: Any, rows: Sequence[Row]) -> list[Reply]:
    """What a model writes after each row's tokens; the rows share one sampling. Greedy without a temperature."""
    import torch
    from transformers import LogitsProcessorList

    sampling = rows[0].sampling
    padded = tokenizer.pad({"input_ids": [row.ids for row in rows]}, padding=True, return_tensors="pt")
    inputs = {name: padded[name].to(model.device) for name in ("input_ids", "attention_mask")}
    drawn = (
        [RowSampler([row.seed for row in rows], sampling.temperature, sampling.top_p, model.device.type)]
        if (sampling.temperature)
        else []
    )
    with torch.inference_mode():
        output = model.generate(
            **inputs,
            do_sample=False,
            num_beams=1,
            max_new_tokens=sampling.max_tokens,
            pad_token_id=tokenizer.pad_token_id,
            logits_processor=LogitsProcessorList(drawn),
            # The checkpoint's own defaults must not sample behind the suite's back.
            temperature=None,
            top_p=None,
            top_k=None,
        )
    written = output[:, inputs["input_ids"].shape[1] :].tolist()
    ends = _end_tokens(model, tokenizer)
    return [_reply(tokenizer, row, ends, sampling.max_tokens) for row in written]


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
