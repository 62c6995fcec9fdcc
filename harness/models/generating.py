"""Generation with a local causal language model: what a contestant and a judge share.

Rows of like sampling and length are padded on the left and written together; those that have come to their end leave
the batch, and a batch that does not fit the device's memory is halved until it does. The checkpoint's own sampling
defaults never apply.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from harness.errors import RunStopped
from harness.models.padding import padded_rows
from harness.models.parts import parts
from harness.models.sampler import RowSampler
from harness.models.weights import Device, Head, load
from judges.types import Reply, Sampling, Usage

BATCH_TOKENS = 16384
# A processor without a thousand lanes gains nothing from reading more at once, and loses its caches.
CPU_BATCH_TOKENS = 2048
MOST_ROWS = 64
# Written one token at a time: a step costs little more with as many rows as this.
WRITTEN_ROWS = 128
WRITTEN_ROWS_ACCELERATED = 256
# What another batch costs, in tokens that are padded instead: an accelerator pads almost for nothing.
EACH_BATCH = 1024
EACH_BATCH_ACCELERATED = 65536
# Fewer rows than these leaving a batch spare less than going on without them costs.
LEAST_LEAVING = 8
_DEFAULTS = ("temperature", "top_p", "top_k", "repetition_penalty", "no_repeat_ngram_size", "min_new_tokens")

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


def batches(items: Iterable[Item], row_of: Callable[[Item], Row], device: str) -> Iterator[list[Item]]:
    """Rows of equal sampling and similar length together, longest first, as suits a device.

    At most `BATCH_TOKENS` tokens with padding, what is to be written among them.
    """
    most, each = (WRITTEN_ROWS, EACH_BATCH) if device == "cpu" else (WRITTEN_ROWS_ACCELERATED, EACH_BATCH_ACCELERATED)
    rows = sorted(((row_of(item), item) for item in items), key=lambda row: (repr(row[0].sampling), -len(row[0].ids)))
    for _, group in itertools.groupby(rows, key=lambda row: row[0].sampling):
        alike = list(group)
        lengths = [len(row.ids) + row.sampling.max_tokens for row, _ in alike]
        waiting = iter(alike)
        for size in parts(lengths, most=most, tokens=BATCH_TOKENS, each=each):
            yield [item for _, item in itertools.islice(waiting, size)]


async def in_halves(
    batches: Iterable[list[Item]],
    work: Callable[[list[Item]], Sequence[Result]],
    alone: Callable[[Item], str],
) -> AsyncIterator[tuple[list[Item], Sequence[Result], float]]:
    """Each batch with its results and its seconds, worked off the event loop one after another.

    The next one is under way while a batch's results are looked at. A batch that does not fit the device's memory is
    halved. Raises RunStopped with what `alone` says of a single item that does not fit either.
    """
    waiting = deque(batches)

    def start() -> tuple[list[Item], asyncio.Task[tuple[Sequence[Result] | None, float]]] | None:
        if not waiting:
            return None
        batch = waiting.popleft()
        return batch, asyncio.create_task(asyncio.to_thread(_fitting, work, batch, alone))

    under_way = start()
    try:
        while under_way is not None:
            batch, task = under_way
            results, seconds = await asyncio.shield(task)
            if results is None:
                # Half the rows need half the memory; what fits is not asked again.
                middle = len(batch) // 2
                waiting.extendleft([batch[middle:], batch[:middle]])
            under_way = start()
            if results is not None:
                yield batch, results, seconds
    finally:
        # A thread cannot be called off, and whoever asks the model next must find it idle.
        if under_way is not None:
            _, task = under_way
            await asyncio.wait([task])
            # Of a failure that nobody waits for any more nobody needs to hear.
            if not task.cancelled():
                task.exception()


def _fitting(
    work: Callable[[list[Item]], Sequence[Result]], batch: list[Item], alone: Callable[[Item], str]
) -> tuple[Sequence[Result] | None, float]:
    """A batch's results and seconds; None for results where it does not fit the device's memory."""
    import torch

    started = time.perf_counter()
    try:
        return work(batch), time.perf_counter() - started
    except torch.OutOfMemoryError:
        if len(batch) == 1:
            raise RunStopped(alone(batch[0])) from None
    torch.cuda.empty_cache()
    return None, time.perf_counter() - started


@dataclass(slots=True)
class _UnderWay:
    """The rows of a batch that have not ended: which they are, all their tokens, and the cache to go on with."""

    places: list[int]
    ids: Any
    mask: Any
    left: int
    cache: Any = None
    leaving: bool = True

    def keep(self, going: list[int], sequences: Any, cache: Any) -> None:
        """Go on with these of the rows."""
        import torch

        written = sequences.shape[1] - self.ids.shape[1]
        chosen = torch.tensor(going, dtype=torch.long, device=sequences.device)
        self.places, self.left = [self.places[at] for at in going], self.left - written
        self.ids, self.mask = sequences[chosen], torch.nn.functional.pad(self.mask[chosen], (0, written), value=1)
        self.cache = cache if hands_on(cache, sequences.shape[1] - 1) else None
        # Without a cache to go on with everything is read again: once, not at every leave.
        self.leaving = self.leaving and self.cache is not None
        if self.cache is not None:
            self.cache.batch_select_indices(chosen)


def generate(model: Any, tokenizer: Any, rows: Sequence[Row]) -> list[Reply]:
    """What a model writes after each row's tokens; the rows share one sampling. Greedy without a temperature.

    Rows that have ended leave the batch, many at a time, so that nothing more is computed for them.
    """
    import torch

    sampling, ends = rows[0].sampling, _end_tokens(model, tokenizer)
    padded = padded_rows([row.ids for row in rows], tokenizer.pad_token_id, left=tokenizer.padding_side == "left")
    ids, mask = (padded[name].to(model.device) for name in ("input_ids", "attention_mask"))
    seeds = [row.seed for row in rows]
    drawn = RowSampler(seeds, sampling.temperature, sampling.top_p, model.device.type) if sampling.temperature else None
    written: list[list[int]] = [[] for _ in rows]
    under_way = _UnderWay(list(range(len(rows))), ids, mask, sampling.max_tokens, leaving=bool(ends) and _leave(model))
    with torch.inference_mode():
        while under_way.places:
            output = _stretch(model, under_way, drawn, sorted(ends), tokenizer.pad_token_id)
            new = output.sequences[:, under_way.ids.shape[1] :].tolist()
            for place, tokens in zip(under_way.places, new, strict=True):
                written[place] += tokens
            going = [at for at, tokens in enumerate(new) if len(tokens) < under_way.left and ends.isdisjoint(tokens)]
            under_way.keep(going, output.sequences, getattr(output, "past_key_values", None))
            if drawn is not None:
                drawn.keep(going)
    return [_reply(tokenizer, row, ends, sampling.max_tokens) for row in written]


def _stretch(model: Any, under_way: _UnderWay, drawn: RowSampler | None, ends: list[int], pad: int) -> Any:
    """What a model writes until all rows have ended, enough of them to leave, or all tokens are spent."""
    from transformers import LogitsProcessorList, StoppingCriteriaList

    stop = [_EnoughEnded(ends, len(under_way.places))] if under_way.leaving else []
    return model.generate(
        input_ids=under_way.ids,
        attention_mask=under_way.mask,
        **({"past_key_values": under_way.cache} if under_way.cache is not None else {}),
        **({"eos_token_id": ends} if ends else {}),
        pad_token_id=pad,
        do_sample=False,
        num_beams=1,
        max_new_tokens=under_way.left,
        logits_processor=LogitsProcessorList([drawn] if drawn is not None else []),
        stopping_criteria=StoppingCriteriaList(stop),
        return_dict_in_generate=True,
        # The checkpoint's own defaults must not sample, or forbid tokens, behind the suite's back.
        **dict.fromkeys(_DEFAULTS),
    )


class _EnoughEnded:
    """A transformers stopping criterion: so many rows have ended that it pays to go on without them."""

    def __init__(self, ends: list[int], rows: int) -> None:
        self._ends: Any = ends
        self._enough = max(LEAST_LEAVING, rows // 4)
        self._ended: Any = False

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        import torch

        last = input_ids[:, -1]
        # On the device from the first step on; nothing here waits for it.
        self._ends = torch.as_tensor(self._ends, device=last.device)
        self._ended = self._ended | torch.isin(last, self._ends)
        return (self._ended.sum() >= self._enough).expand(len(last))


def _leave(model: Any) -> bool:
    """Whether rows can leave a batch under way. On MPS one step too many is taken, which would cost a row a draw."""
    own = getattr(model.generation_config, "cache_implementation", None)
    return own is None and not prompted(model) and bool(model.device.type != "mps")


def hands_on(cache: Any, length: int) -> bool:
    """Whether each layer's keys and values are all that a model remembers, so that rows can be picked and repeated."""
    from transformers import cache_utils

    plain = (cache_utils.DynamicLayer, cache_utils.DynamicSlidingWindowLayer)
    return (
        isinstance(cache, cache_utils.DynamicCache)
        and len(cache.layers) > 0
        and all(type(layer) in plain and layer.get_seq_length() >= length for layer in cache.layers)
    )


def prompted(model: Any) -> bool:
    """Whether an adapter puts tokens or keys of its own before every prompt."""
    config = getattr(model, "active_peft_config", None)
    return bool(config is not None and config.is_prompt_learning)


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
