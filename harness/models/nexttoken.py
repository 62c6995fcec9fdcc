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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from harness.models.generating import BATCH_TOKENS, MOST_ROWS, hands_on, prompted, room_of
from harness.models.prefixes import Family, alike, families, root

# Handing on less than this costs more than it spares.
LEAST_SHARED = 16
LEAST_SAVING = 0.02
# A processor without a thousand lanes gains nothing from larger batches, and loses its caches.
CPU_BATCH_TOKENS = 2048
# Rotary frequencies that depend on how long the longest row of a batch is.
_BY_LENGTH = ("dynamic", "longrope")

Member = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Past:
    """What was read before: a cache with a row for each reading, their tokens, and where padding stands in it."""

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
        self._in_between = "position_ids" in self._names and "attention_mask" in self._names
        self._kept: tuple[list[int], _Past] | None = None
        self._batch_tokens = CPU_BATCH_TOKENS if model.device.type == "cpu" else BATCH_TOKENS
        self._short = _length_that_changes_nothing(model.config)

    def batches(self, rows: Sequence[list[int]]) -> Iterator[list[Member]]:
        """The rows in batches of (row, family, tokens shared in the family); rows of one family stand together."""
        self._read_root(rows)
        known = len(self._kept[0]) if self._kept is not None else 0
        batch: list[Member] = []
        longest = 0
        for number, family in enumerate(self._families(rows, known)):
            most = max(longest, *(len(rows[index]) for index in family.members))
            if batch and not self._fits(len(batch) + len(family.members), most, self._batch_tokens):
                yield batch
                batch, longest = [], 0
            for index in family.members:
                if batch and not self._fits(len(batch) + 1, max(longest, len(rows[index])), BATCH_TOKENS):
                    yield batch
                    batch, longest = [], 0
                batch.append((index, number, family.shared))
                longest = max(longest, len(rows[index]))
        if batch:
            yield batch

    def _fits(self, rows: int, longest: int, tokens: int) -> bool:
        """Whether so many rows may stand in one batch."""
        if self._short is not None and longest > self._short:
            return rows == 1
        return rows <= MOST_ROWS and rows * longest <= tokens

    def look(self, rows: Sequence[list[int]], wanted: Sequence[Sequence[int]], batch: list[Member]) -> list[Any]:
        """For each row of a batch the log-probabilities of its wanted tokens after it, in float32."""
        import torch

        with torch.inference_mode():
            logits = self._logits([rows[index] for index, _, _ in batch], batch)
            likely = torch.log_softmax(logits.float(), dim=-1).cpu()
        return [likely[place, list(wanted[index])].tolist() for place, (index, _, _) in enumerate(batch)]

    def _families(self, rows: Sequence[list[int]], known: int) -> list[Family]:
        """Who shares what beyond the root; without one nobody knows yet whether the model can hand anything on."""
        found = families(rows, known)
        tokens = sum(len(row) - known for row in rows)
        saved = sum((family.shared - known) * (len(family.members) - 1) for family in found)
        if self._kept is not None and self._in_between and saved > LEAST_SAVING * tokens:
            return found
        return [Family(shared=known, members=family.members) for family in found]

    def _read_root(self, rows: Sequence[list[int]]) -> None:
        """Keep the cache of what all these rows begin with."""
        if self._depends_on_length(rows):
            self._kept = None
            return
        ids = rows[0][: root(rows)]
        if self._kept is not None:
            common = alike(self._kept[0], ids)
            if common == len(self._kept[0]):
                return
            ids = ids[:common] if common >= LEAST_SHARED else ids
        self._kept = None
        if len(ids) < LEAST_SHARED or not self._hands_on:
            return
        import torch

        with torch.inference_mode():
            past = self._extend(None, [0], [ids])
        # Sliding windows count padding in between as if it were text.
        self._hands_on = past is not None
        self._in_between = self._in_between and past is not None and not any(past.cache.is_sliding)
        self._kept = (ids, past) if past is not None else None

    def _depends_on_length(self, rows: Sequence[list[int]]) -> bool:
        return self._short is not None and max(map(len, rows)) > self._short

    def _logits(self, rows: list[list[int]], batch: list[Member]) -> Any:
        """The logits after each row: (rows, vocabulary)."""
        known = len(self._kept[0]) if self._kept is not None else 0
        past = self._kept[1] if self._kept is not None else None
        numbers = list(dict.fromkeys(number for _, number, _ in batch))
        parents = [numbers.index(number) for _, number, _ in batch]
        firsts = [parents.index(parent) for parent in range(len(numbers))]
        shared = [batch[first][2] for first in firsts]
        if len(numbers) == len(batch) or max(shared) == known:
            return self._last(past, [0] * len(rows), [row[known:] for row in rows])
        for parent, first in enumerate(firsts):
            # A row on its own may be cut anywhere: where the others are, the least is padded.
            if parents.count(parent) == 1:
                shared[parent] = min(max(shared), len(rows[first]) - 1)
        segments = [rows[first][known:to] for first, to in zip(firsts, shared, strict=True)]
        past = self._extend(past, [0] * len(segments), segments)
        rest = [row[shared[parent] :] for row, parent in zip(rows, parents, strict=True)]
        return self._last(past, parents, rest)

    def _extend(self, past: _Past | None, parents: list[int], segments: list[list[int]]) -> _Past | None:
        """Read on; None where the model's cache cannot be handed on."""
        inputs = self._inputs(past, parents, segments, left=True)
        keep = {"logits_to_keep": 1} if "logits_to_keep" in self._names else {}
        cache = getattr(self._model(**inputs, **keep, use_cache=True), "past_key_values", None)
        lengths = [
            (past.lengths[parent] if past else 0) + len(ids) for parent, ids in zip(parents, segments, strict=True)
        ]
        if not hands_on(cache, max(lengths)):
            return None
        return _Past(cache=cache, mask=inputs["attention_mask"], lengths=lengths)

    def _last(self, past: _Past | None, parents: list[int], segments: list[list[int]]) -> Any:
        import torch

        inputs = self._inputs(past, parents, segments, left=False)
        if past is None:
            # Padding on the right needs no mask, and without one attention is faster.
            inputs.pop("attention_mask")
        ends = torch.tensor([[len(ids) - 1] for ids in segments], device=self._model.device)
        keep = {"logits_to_keep": ends} if self._slices else {}
        logits = self._model(**inputs, **keep, use_cache=past is not None).logits
        if self._slices:
            return logits[:, 0]
        # Counted from the end: an adapter may have put tokens of its own in front.
        width = inputs["input_ids"].shape[1]
        return logits[torch.arange(len(segments), device=logits.device), ends[:, 0] + logits.shape[1] - width]

    def _inputs(
        self, past: _Past | None, parents: list[int], segments: list[list[int]], *, left: bool
    ) -> dict[str, Any]:
        """The segments padded to one width, after the rows of `past` that are their parents."""
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
        inputs = {"input_ids": ids.to(device), "attention_mask": mask.to(device)}
        if past is not None:
            cache = copy.deepcopy(past.cache)
            chosen = torch.tensor(parents, device=device)
            cache.batch_select_indices(chosen)
            inputs["past_key_values"] = cache
            inputs["attention_mask"] = torch.cat([past.mask[chosen], inputs["attention_mask"]], dim=1)
        if past is not None and "position_ids" in self._names:
            places = (starts + torch.arange(width)).clamp(min=0, max=(room_of(self._model) or sys.maxsize) - 1)
            inputs["position_ids"] = places.to(device)
        return inputs


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
    return min([int(length) for length in original if length] or [int(text.max_position_embeddings)])
