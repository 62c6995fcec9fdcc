"""How surprised a local causal language model is by given tokens: forward passes, batched and sorted by length.

Rows are padded on the right, where no earlier token sees it, so a row's loss does not depend on what else is in its
batch beyond rounding. Logits are kept for the places that count alone, and turned into losses in float32 piece by
piece, for a vocabulary is wide. A batch that does not fit the device's memory is halved until it does. Refuses tokens
that the model has no embedding for.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.errors import InputError
from harness.models.generating import BATCH_TOKENS, MOST_ROWS, in_halves, opened
from harness.models.weights import Device
from harness.perplexity.windows import Window

# A processor without a thousand lanes gains nothing from larger batches, and loses its caches.
CPU_BATCH_TOKENS = 2048
# So many logits (half a gigabyte in bfloat16, one in float32) are held at once, unless one row needs more.
MOST_LOGITS = 2**28
# So many places are turned into losses at once, in float32.
PIECE = 256

Item = tuple[int, Window]


class LossModel:
    """A causal language model from a folder, with an optional adapter; loaded at first use, let go by `close`."""

    def __init__(self, *, spec: str, base: Path, adapter: Path | None, device: Device) -> None:
        self._spec, self._base, self._adapter, self._device = spec, base, adapter, device
        self._loaded: tuple[Any, Any] | None = None

    @classmethod
    def of(cls, model: Any, tokenizer: Any, spec: str = "the model") -> LossModel:
        """A model that is in memory already, in evaluation mode."""
        device = Device(name=model.device.type, dtype=str(model.dtype).removeprefix("torch."))
        made = cls(spec=spec, base=Path(), adapter=None, device=device)
        made._loaded = model, tokenizer
        return made

    @property
    def device(self) -> Device:
        """Where it runs and how precisely."""
        return self._device

    @property
    def context(self) -> int | None:
        """The tokens that it reads at once, where it stands in memory and its config says so."""
        return _room(self._loaded[0].config) if self._loaded is not None else None

    async def tokenizer(self) -> Any:
        """The model's tokenizer; loads both. Raises InputError where the checkpoint cannot be loaded."""
        if self._loaded is None:
            self._loaded = await asyncio.to_thread(opened, self._base, self._adapter, self._device)
        return self._loaded[1]

    async def losses(self, windows: Sequence[Window]) -> AsyncIterator[tuple[int, float]]:
        """Every window's place in `windows` and the sum of its counted losses in nats, as batches are done.

        A sum may be NaN or infinite where the weights are broken. Raises RunStopped where a window alone does not fit
        the device's memory, InputError where the model does not know a token.
        """
        await self.tokenizer()
        assert self._loaded is not None
        model = self._loaded[0]
        self._knows(model, windows)
        work = in_halves(batches(model, windows), lambda batch: nlls(model, [row for _, row in batch]), self._alone)
        async for batch, sums, _ in work:
            for (place, _), total in zip(batch, sums, strict=True):
                yield place, total

    def close(self) -> None:
        """Let the model go, and its memory."""
        self._loaded = None
        if self._device.name == "cuda":
            import torch

            torch.cuda.empty_cache()

    def _knows(self, model: Any, windows: Sequence[Window]) -> None:
        held = int(model.get_input_embeddings().weight.shape[0])
        most = max((max(window.ids) for window in windows), default=0)
        if most >= held:
            raise InputError(
                f"{self._spec!r}: its tokenizer writes token {most}, and the model knows {held} tokens; give the "
                "tokenizer that belongs to the weights"
            )

    def _alone(self, item: Item) -> str:
        return (
            f"{self._spec!r}: {self._device.name} is out of memory on one window of {len(item[1].ids)} tokens alone; "
            "lower the suite's max_length, or free memory"
        )


def context_of(base: Path) -> int | None:
    """The tokens that a checkpoint reads at once; None where its config does not say. Raises InputError."""
    from transformers import AutoConfig

    try:
        return _room(AutoConfig.from_pretrained(str(base), trust_remote_code=False))
    # A foreign config makes the library raise anything, bare Exception included.
    except Exception as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise InputError(f"{base}: cannot be loaded: {reason}") from None


def _room(config: Any) -> int | None:
    room = getattr(config.get_text_config(decoder=True), "max_position_embeddings", None)
    return room if isinstance(room, int) and room > 0 else None


def batches(model: Any, windows: Sequence[Window]) -> Iterator[list[Item]]:
    """Windows (with their places) of similar length together, longest first, as many as tokens and logits allow."""
    config = model.config.get_text_config(decoder=True)
    vocabulary, tokens = int(config.vocab_size), CPU_BATCH_TOKENS if model.device.type == "cpu" else BATCH_TOKENS
    alone = _stretched(config)
    batch: list[Item] = []
    longest, earliest = 0, 0
    for item in sorted(enumerate(windows), key=lambda item: (-len(item[1].ids), item[1].counted[0])):
        length, first = len(item[1].ids), item[1].counted[0]
        rows, kept = len(batch) + 1, longest - min(earliest, first) + 1
        full = rows > MOST_ROWS or rows * longest > tokens or rows * kept * vocabulary > MOST_LOGITS
        if batch and (full or longest > alone):
            yield batch
            batch = []
        longest, earliest = (longest, min(earliest, first)) if batch else (length, first)
        batch.append(item)
    if batch:
        yield batch


def _stretched(config: Any) -> float:
    """How long windows may be before a model's positions may depend on the longest of a batch."""
    given = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    scalings = [given, *(value for value in given.values() if isinstance(value, dict))]
    lengths = [scaling.get("original_max_position_embeddings") for scaling in scalings]
    return min((float(length) for length in lengths if length), default=float("inf"))


def nlls(model: Any, rows: Sequence[Window]) -> list[float]:
    """Every row's sum of counted losses in nats: −log p of each counted token given those before it in its row."""
    import torch

    width = max(len(row.ids) for row in rows)
    ids = torch.zeros((len(rows), width), dtype=torch.long)
    for place, row in enumerate(rows):
        ids[place, : len(row.ids)] = torch.tensor(row.ids, dtype=torch.long)
    ids = ids.to(model.device)
    # A token is foretold at the place before it.
    kept = width - min(row.counted[0] for row in rows) + 1
    with torch.inference_mode():
        # Padding on the right needs no mask, and without one attention is faster.
        logits = model(input_ids=ids, use_cache=False, **_keeping(model, kept)).logits
        # Counted from the end: an adapter may have put tokens of its own in front, and not all models keep fewer.
        sums = [_sum(logits[place], ids[place], row, width) for place, row in enumerate(rows)]
        return [float(total) for total in torch.stack(sums).tolist()]


def _sum(logits: Any, ids: Any, row: Window, width: int) -> Any:
    import torch

    total = torch.zeros((), dtype=torch.float64)
    shift = logits.shape[0] - width - 1
    for start in range(0, len(row.counted), PIECE):
        places = torch.tensor(row.counted[start : start + PIECE], device=ids.device)
        likely = torch.log_softmax(logits[places + shift].float(), dim=-1)
        found = likely.gather(1, ids[places].unsqueeze(1))
        total = total - found.cpu().double().sum()
    return total


def _keeping(model: Any, kept: int) -> dict[str, int]:
    """The argument that has a model make the last `kept` places' logits alone, where it takes one."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    return {"logits_to_keep": kept} if "logits_to_keep" in inspect.signature(inner.forward).parameters else {}
