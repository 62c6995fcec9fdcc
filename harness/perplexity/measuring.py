"""One model's losses on documents: encoded, looked up in the cache, cut into windows, read in batches.

A loss is cached under the fingerprint of the weights, with device, precision and window, so no checkpoint is read twice
for one text. What is not a number is handed on by name and never cached.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.models.cache import ReplyCache, cache_key, provenance
from harness.models.losses import LossModel
from harness.models.meter import Meter
from harness.models.weights import Device
from harness.perplexity.documents import Document
from harness.perplexity.encoding import Encoded, encode
from harness.perplexity.windows import Window, windows
from judges.types import Message, Reply, Request, Sampling

# Documents of about so many tokens are sorted and read together: enough to fill batches, few enough that a run that is
# broken off has lost little.
TOGETHER = 262_144

Done = Callable[[Document, dict[str, Any]], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """A local model that is measured: its spec, its folders, its fingerprint, and where it runs.

    `held` is the model itself where it stands in memory already (one that is being trained): it is read as it is, never
    let go, and nothing of it is cached.
    """

    spec: str
    base: Path
    adapter: Path | None
    fingerprint: str
    device: Device
    held: LossModel | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurer:
    """Measures one model. `max_length` and `stride` are the windows' (see `windows`)."""

    side: Side
    max_length: int
    stride: int
    cache: ReplyCache | None
    meter: Meter

    async def measure(self, documents: Sequence[Document], done: Done) -> None:
        """Call `done` with every document and what its loss is. Raises InputError before any of them is read."""
        waiting = [document for document in documents if not self._from_cache(document, done)]
        if not waiting:
            return
        side = self.side
        model = side.held or LossModel(spec=side.spec, base=side.base, adapter=side.adapter, device=side.device)
        try:
            tokenizer = await model.tokenizer()
            encoded = [(document, encode(tokenizer, document, side.spec)) for document in waiting]
            for group in _together(encoded):
                await self._read(model, group, done)
        finally:
            if side.held is None:
                model.close()

    async def _read(self, model: LossModel, group: Sequence[tuple[Document, Encoded]], done: Done) -> None:
        cut: list[Window] = []
        owners: list[int] = []
        left, sums = [0] * len(group), [[] for _ in group]  # type: tuple[list[int], list[list[float]]]
        for place, (document, encoded) in enumerate(group):
            own = windows(encoded.ids, encoded.counted, max_length=self.max_length, stride=self.stride)
            cut += own
            owners += [place] * len(own)
            left[place] = len(own)
            if not own:
                done(document, self._kept(document, encoded, 0, []))
        async for number, total in model.losses(cut):
            place = owners[number]
            sums[place].append(total)
            if len(sums[place]) == left[place]:
                document, encoded = group[place]
                done(document, self._kept(document, encoded, left[place], sums[place]))

    def _kept(self, document: Document, encoded: Encoded, count: int, sums: Sequence[float]) -> dict[str, Any]:
        """What is to be told of a document's loss, stored where it is one."""
        found = told(encoded, count, sums)
        if self.cache is not None and found["status"] != "not_finite":
            source = self._source(document)
            reply = Reply(text=json.dumps(found, allow_nan=False))
            self.cache.put(cache_key(*source), reply, source=provenance(*source))
        return found

    def _from_cache(self, document: Document, done: Done) -> bool:
        reply = self.cache.get(cache_key(*self._source(document))) if self.cache is not None else None
        if reply is None:
            return False
        self.meter.hits += 1
        done(document, json.loads(reply.text))
        return True

    def _source(self, document: Document) -> tuple[dict[str, Any], Request]:
        identity = {
            "provider": "hf losses",
            "weights": self.side.fingerprint,
            "device": self.side.device.name,
            "dtype": self.side.device.dtype,
            "window": [self.max_length, self.stride],
            "loss_on": document.loss_on if document.chat else "text",
        }
        messages = document.messages or (Message(role="user", content=document.text),)
        return identity, Request(messages=messages, sampling=Sampling(temperature=0.0, max_tokens=1))


def told(encoded: Encoded, count: int, sums: Sequence[float]) -> dict[str, Any]:
    """The part of a loss record that the model settles: tokens, loss and nll in nats, bytes, windows, status."""
    tokens = len(encoded.counted)
    nll = math.fsum(sums) if all(map(math.isfinite, sums)) else math.nan
    status = "nothing_to_count" if not tokens else "ok" if math.isfinite(nll) else "not_finite"
    found: dict[str, Any] = {
        "tokens": tokens,
        "loss": nll / tokens if status == "ok" else None,
        "nll": nll if status == "ok" else None,
        "bytes": encoded.bytes,
        "windows": count,
        "status": status,
        "targets": encoded.targets,
    }
    return found | ({"begin_mark": encoded.begin_mark} if encoded.begin_mark is not None else {})


def _together(encoded: Sequence[tuple[Document, Encoded]]) -> Iterator[list[tuple[Document, Encoded]]]:
    group: list[tuple[Document, Encoded]] = []
    tokens = 0
    for item in encoded:
        if group and tokens + len(item[1].ids) > TOGETHER:
            yield group
            group, tokens = [], 0
        group.append(item)
        tokens += len(item[1].ids)
    if group:
        yield group
