"""How likely tokens are to come next, for many rows at once: one forward pass, what rows share computed once.

What all rows begin with (a template's instructions) is kept between calls; what the rows of one family share (a
request, which both orders of a comparison carry) is computed once a batch and handed to each of them.
Rows are padded on the right, where no earlier token sees it. A model whose cache cannot be handed on (state-space
layers, say) reads every row whole: slower, with the same numbers.
"""

from __future__ import annotations

import copy
import inspect
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.models.generating import BATCH_TOKENS, MOST_ROWS, hands_on, prompted, room_of
from harness.models.prefixes import alike, root
from harness.models.rowbatches import Limits, Member, passes, planned

# Handing on less than this costs more than it spares.
LEAST_SHARED = 16
# A processor without a thousand lanes gains nothing from larger batches, and loses its caches.
CPU_BATCH_TOKENS = 2048
# A forward pass costs as much as so many tokens before it has read one, on a processor and on an accelerator.
CPU_PASS, PASS = 32, 512
# Rotary frequencies that depend on how long the longest row of a batch is.
_BY_LENGTH = ("dynamic", "longrope")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Past:
    """What was read before: a cache with a row for each reading, and their tokens.

    `mask` says where padding stands in it; None where none does.
    """

    cache: Any
    mask: Any
    lengths: list[int]


class NextToken:
    """A causal language model that is looked at, in evaluation mode. Without `sharing` every row is read whole."""

    def __init__(self, model: Any, *, sharing: bool = True) -> None:
        self._model = model
        inner = model.get_base_model() if hasattr(model, "get_base_model") else model
        self._names = set(inspect.signature(inner.forward).parameters)
        # Tokens or keys that an adapter puts before every prompt belong to no row.
        by_prompt = prompted(model)
        takes_places = "logits_to_keep" in self._names and _takes_places(sys.modules[type(inner).__module__])
        self._slices, self._hands_on = takes_places and not by_prompt, sharing and not by_prompt
        # Whether padding may stand between what was read before and what follows; None: not tried yet.
        masked = {"position_ids", "attention_mask"} <= self._names
        self._in_between: bool | None = None if masked and self._hands_on else False
        self._kept: tuple[list[int], _Past] | None = None
        tokens, each = (CPU_BATCH_TOKENS, CPU_PASS) if model.device.type == "cpu" else (BATCH_TOKENS, PASS)
        self._short = _length_that_changes_nothing(model.config)
        self._limits = Limits(rows=MOST_ROWS, tokens=tokens, held=BATCH_TOKENS, each=each, short=self._short)

    def batches(self, rows: Sequence[list[int]], tails: Sequence[int] | None = None) -> list[list[Member]]:
        """The rows in batches of (row, family, tokens shared in the family); rows of one family stand together.

        Of each row the last token is looked at, or as many of its last ones as `tails` says.
        """
        tails = tails or [1] * len(rows)
        self._read_root(rows, tails)
        return planned(rows, tails, self._known, self._limits, sharing=self._may_share(rows))

    def look(
        self, rows: Sequence[list[int]], wanted: Sequence[Sequence[int]], batch: list[Member]
    ) -> list[list[float]]:
        """For each row of a batch the log-probabilities of its wanted tokens after it, in float32."""
        return [found for (found,) in self.along(rows, {index: [wanted[index]] for index, _, _ in batch}, batch)]

    def along(
        self, rows: Sequence[list[int]], wanted: Mapping[int, Sequence[Sequence[int]]], batch: list[Member]
    ) -> list[list[list[float]]]:
        """The same after each of a row's last tokens: `wanted[row]` has the tokens wanted after each of them."""
        import torch

        asked = [
            (row, at, token)
            for row, (index, _, _) in enumerate(batch)
            for at, tokens in enumerate(wanted[index])
            for token in tokens
        ]
        with torch.inference_mode():
            logits = self._logits(rows, [len(wanted[index]) for index, _, _ in batch], batch)
            likely = torch.log_softmax(logits.float(), dim=-1)
            chosen = torch.tensor(asked, device=likely.device).unbind(dim=1)
            values = iter(likely[chosen].tolist())
        return [[[next(values) for _ in tokens] for tokens in wanted[index]] for index, _, _ in batch]

    @property
    def _known(self) -> int:
        """How many tokens of every row have been read."""
        return len(self._kept[0]) if self._kept is not None else 0

    def _may_share(self, rows: Sequence[list[int]]) -> bool:
        """Whether rows may take over what others have read; tried on a few tokens where nobody knows yet."""
        if self._depends_on_length(rows):
            return False
        if self._in_between is None:
            self._try(rows[0][:LEAST_SHARED])
        return bool(self._in_between) and self._hands_on

    def _read_root(self, rows: Sequence[list[int]], tails: Sequence[int]) -> None:
        """Keep the cache of what all these rows begin with."""
        if self._depends_on_length(rows):
            self._kept = None
            return
        ids = rows[0][: root(rows, tails)]
        if self._kept is not None:
            common = alike(self._kept[0], ids)
            if common == len(self._kept[0]):
                return
            ids = ids[:common] if common >= LEAST_SHARED else ids
        self._kept = None
        if len(ids) < LEAST_SHARED or not self._hands_on:
            return
        past = self._try(ids)
        self._kept = (ids, past) if past is not None else None

    def _try(self, ids: list[int]) -> _Past | None:
        """Read what all rows begin with, and see whether the model can hand it on."""
        import torch

        with torch.inference_mode():
            past = self._extend(None, [0], [ids])
        # Sliding windows count padding in between as if it were text.
        self._hands_on = past is not None
        self._in_between = self._in_between is not False and past is not None and not any(past.cache.is_sliding)
        return past

    def _depends_on_length(self, rows: Sequence[list[int]]) -> bool:
        return self._short is not None and max(map(len, rows)) > self._short

    def _logits(self, rows: Sequence[list[int]], counts: list[int], batch: list[Member]) -> Any:
        """The logits after the last `counts` tokens of each row: (rows, most of them, vocabulary)."""
        tails = dict(zip((index for index, _, _ in batch), counts, strict=True))
        found = passes(rows, tails, batch, self._known)
        past = self._kept[1] if self._kept is not None else None
        if found.segments:
            past = self._extend(past, [0] * len(found.segments), found.segments)
        return self._last(past, found.parents, found.rests, counts)

    def _extend(self, past: _Past | None, parents: list[int], segments: list[list[int]]) -> _Past | None:
        """Read on; None where the model's cache cannot be handed on."""
        inputs, mask = self._inputs(past, parents, segments, left=True)
        keep = {"logits_to_keep": 1} if "logits_to_keep" in self._names else {}
        cache = getattr(self._model(**inputs, **keep, use_cache=True), "past_key_values", None)
        lengths = [
            (past.lengths[parent] if past else 0) + len(ids) for parent, ids in zip(parents, segments, strict=True)
        ]
        if not hands_on(cache, max(lengths)):
            return None
        return _Past(cache=cache, mask=mask, lengths=lengths)

    def _last(self, past: _Past | None, parents: list[int], segments: list[list[int]], counts: list[int]) -> Any:
        import torch

        inputs, _ = self._inputs(past, parents, segments, left=False)
        most = max(counts)
        # Of a row with fewer the last one is repeated.
        places = torch.tensor(
            [
                [len(ids) - count + min(at, count - 1) for at in range(most)]
                for ids, count in zip(segments, counts, strict=True)
            ]
        ).to(self._model.device)
        keep = {"logits_to_keep": places} if self._slices else {}
        logits = self._model(**inputs, **keep, use_cache=past is not None).logits
        if self._slices:
            return logits
        # Counted from the end: an adapter may have put tokens of its own in front.
        width = inputs["input_ids"].shape[1]
        rows = torch.arange(len(segments), device=logits.device)[:, None]
        return logits[rows, places + logits.shape[1] - width]

    def _inputs(
        self, past: _Past | None, parents: list[int], segments: list[list[int]], *, left: bool
    ) -> tuple[dict[str, Any], Any]:
        """The segments padded to one width, after the rows of `past` that are their parents; and the whole mask.

        Padding on the right needs no mask, and without one attention is faster: where there is no other it is None.
        """
        import torch

        device = self._model.device
        width = max(map(len, segments))
        ids = torch.zeros((len(segments), width), dtype=torch.long)
        mask = torch.zeros_like(ids)
        starts = torch.zeros((len(segments), 1), dtype=torch.long)
        for row, segment in enumerate(segments):
            at = width - len(segment) if left else 0
            ids[row, at : at + len(segment)] = torch.tensor(segment, dtype=torch.long)
            mask[row, at : at + len(segment)] = 1
            starts[row] = (past.lengths[parents[row]] if past else 0) - at
        inputs = {"input_ids": ids.to(device)}
        padded = left and any(len(segment) < width for segment in segments)
        before = past.mask if past else None
        whole = None
        if padded or before is not None:
            read = past.cache.get_seq_length() if past else 0
            known = (
                before[torch.tensor(parents, device=device)]
                if before is not None
                else torch.ones((len(segments), read), dtype=torch.long, device=device)
            )
            whole = torch.cat([known, mask.to(device)], dim=1)
            inputs["attention_mask"] = whole
        if past is not None:
            inputs["past_key_values"] = _picked(past.cache, torch.tensor(parents, device=device))
        if (past is not None or padded) and "position_ids" in self._names:
            places = (starts + torch.arange(width)).clamp(min=0, max=(room_of(self._model) or sys.maxsize) - 1)
            inputs["position_ids"] = places.to(device)
        return inputs, whole


def _picked(cache: Any, rows: Any) -> Any:
    """A cache with these rows of another, which stays as it is."""
    made = copy.copy(cache)
    # A layer's tensors are replaced, never written into.
    made.layers = [copy.copy(layer) for layer in cache.layers]
    made.batch_select_indices(rows)
    return made


def _takes_places(module: Any) -> bool:
    """Whether a model's `logits_to_keep` takes a place of its own for every row."""
    import torch

    slicing = getattr(module, "slice_logits_to_keep", None)
    if slicing is None:
        return False
    kept = slicing(torch.zeros(2, 3, 1), torch.tensor([[0], [1]]))
    return tuple(kept.shape) == (2, 1, 1)


def _length_that_changes_nothing(config: Any) -> int | None:
    """How long rows may be before their positions depend on the longest of a batch; None where they never do."""
    text = config.get_text_config(decoder=True)
    given = getattr(text, "rope_parameters", None) or getattr(text, "rope_scaling", None) or {}
    scalings = [given, *(value for value in given.values() if isinstance(value, dict))]
    if not any(scaling.get("rope_type", scaling.get("type")) in _BY_LENGTH for scaling in scalings):
        return None
    original = [scaling.get("original_max_position_embeddings") for scaling in scalings]
    # A row that is exactly as long takes over what a longer one before it has left behind.
    return min([int(length) for length in original if length] or [int(text.max_position_embeddings)]) - 1
