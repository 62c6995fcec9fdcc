"""A reward model's scores: 10,000 answers as a run asks for them, beside bare forward passes over the same tokens.

Of the embedded reward model, which reads an answer in a millisecond, and of one of an ordinary small shape.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from harness.models.cache import ReplyCache
from harness.models.meter import Meter
from harness.models.reward import RewardScorer
from harness.models.weights import choose_device
from harness.pool import together
from harness.workshop import LOCAL_WORKERS
from judges.types import Prompt
from tests.bench.anchor import interval
from tests.bench.generation import embedded
from tests.bench.measure import Row, Section, spread
from train.kitchen import corpus

ANSWERS = 10_000
ROUNDS = 7
# Four million weights: small beside any reward model that is used.
SHAPE = {
    "hidden_size": 256,
    "intermediate_size": 768,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
}
_NAMES = ("input_ids", "attention_mask")

Answered = tuple[Prompt, tuple[str, ...]]


class Recording(RewardScorer):
    """A scorer that keeps every batch it reads, padded."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self.read: list[Any] = []

    def _forward(self, rows: Sequence[list[int]]) -> list[float]:
        assert self._loaded is not None
        tokenizer = self._loaded[1]
        self.read.append(tokenizer.pad({"input_ids": list(rows)}, padding=True, return_tensors="pt"))
        return super()._forward(rows)


def rewards(folder: Path) -> Section:
    """Seconds for all answers, bare and scored, and their ratio, by model."""
    asked = answers(ANSWERS)
    models = {
        "embedded": (embedded("kitchen_reward"), ("bare", "scored", "with cache")),
        "4 layers of 256": ((_larger(folder / "larger"), None), ("bare", "scored")),
    }
    found = {name: measured(asked, folder, ROUNDS, parts, ways) for name, (parts, ways) in models.items()}
    return Section(
        title="Reward models",
        how=(
            f"`python -m tests.bench rewards`: {ANSWERS:,} different answers to kitchen requests and chores, scored in "
            f"one process ({choose_device().name.upper()}) by the embedded reward model, and by random weights of a "
            f"shape that is still small; asked for by {LOCAL_WORKERS:,} workers as a run does: from texts to numbers, "
            "with the template, the keys and the sorting by length. Bare: the same batches, padded beforehand, through "
            "the model and nothing else. "
            f"{ROUNDS} interleaved rounds; median (lowest–highest), and for "
            "ratios the median with its 96 % interval."
        ),
        rows=tuple(row for name, times in found.items() for row in rows(name, times)),
    )


def rows(name: str, times: Mapping[str, Sequence[float]]) -> Iterator[Row]:
    """The lines of one model."""
    added = [1000 * (a - b) / ANSWERS for a, b in zip(times["scored"], times["bare"], strict=True)]
    yield Row(what=f"{name}: bare forward passes, s", figure=spread(times["bare"]), bound="", kept=True)
    yield Row(what=f"{name}: scored, s", figure=spread(times["scored"]), bound="", kept=True)
    yield Row(what=f"{name}: added, ms an answer", figure=spread(added), bound="", kept=True)
    for way, words in (("scored", "ratio"), ("with cache", "ratio, every score put into a new cache")):
        if way in times:
            ratios = [a / b for a, b in zip(times[way], times["bare"], strict=True)]
            figure = "{:.2f} ({:.2f}–{:.2f})".format(median(ratios), *interval(ratios))
            bound = "≤ 1.3" if way == "scored" else ""
            yield Row(what=f"{name}: {words}", figure=figure, bound=bound, kept=not bound or median(ratios) <= 1.3)


def measured(
    asked: Sequence[Answered], folder: Path, rounds: int, model: tuple[Path, Path | None], ways: Sequence[str]
) -> dict[str, list[float]]:
    """Seconds of each round by way: bare, scored, with a cache to fill. The first to go changes with the round."""
    base, adapter = model
    parts = {"spec": "reward/bench", "base": base, "adapter": adapter, "fingerprint": "bench", "meter": Meter()}
    first = Recording(**parts, cache=None)
    _score(first, asked)
    loaded = first._loaded
    assert loaded is not None
    batches = [{name: batch[name].to(loaded[0].device) for name in _NAMES} for batch in first.read]
    times: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(rounds):
        for way in (*ways[turn % len(ways) :], *ways[: turn % len(ways)]):
            with _cache(folder / f"cache{turn}" if way == "with cache" else None) as cache:
                scorer = RewardScorer(**parts, cache=cache)
                # Opening the model is not what is measured.
                scorer._loaded = loaded
                started = time.perf_counter()
                _bare(loaded[0], batches) if way == "bare" else _score(scorer, asked)
                times[way].append(time.perf_counter() - started)
    return times


def _larger(folder: Path) -> Path:
    """Random weights of `SHAPE` under a reward head, with the embedded model's tokenizer."""
    import torch
    from transformers import AutoTokenizer, Qwen2Config, Qwen2ForSequenceClassification

    tokenizer = AutoTokenizer.from_pretrained(embedded("kitchen_reward")[0])
    tokenizer.save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = Qwen2Config(**SHAPE, vocab_size=len(tokenizer), num_labels=1, pad_token_id=tokenizer.pad_token_id)
        Qwen2ForSequenceClassification(config).save_pretrained(folder)
    return folder


def answers(count: int) -> list[Answered]:
    """So many different answers, good ones and worse, each with its request."""
    rng, found = random.Random(0), {}
    while len(found) < count:
        for pair in corpus.preferences(rng, count):
            found |= dict.fromkeys([(pair.prompt, pair.chosen), (pair.prompt, pair.rejected)])
    return [(Prompt(id=str(place), turns=(asked,)), (said,)) for place, (asked, said) in enumerate(list(found)[:count])]


def _score(scorer: RewardScorer, asked: Sequence[Answered]) -> None:
    async def whole() -> None:
        queue = iter(asked)

        async def work() -> None:
            for prompt, answer in queue:
                await scorer.score(prompt, answer)

        await together(work() for _ in range(LOCAL_WORKERS))

    asyncio.run(whole())


def _bare(model: Any, batches: Sequence[Any]) -> None:
    import torch

    with torch.inference_mode():
        for batch in batches:
            model(**batch).logits[:, 0].tolist()


@contextlib.contextmanager
def _cache(folder: Path | None) -> Iterator[ReplyCache | None]:
    if folder is None:
        yield None
        return
    with contextlib.closing(ReplyCache(folder)) as cache:
        yield cache


ALL = (rewards,)
