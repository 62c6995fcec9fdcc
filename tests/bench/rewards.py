"""A reward model's scores: 10,000 answers as a run asks for them, beside bare forward passes over the same tokens."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Iterator, Sequence
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
ROUNDS = 9
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
    """Seconds for all answers, bare and scored, and their ratio."""
    asked = answers(ANSWERS)
    times = measured(asked, folder, ROUNDS)
    ratios = {
        name: [a / b for a, b in zip(times[name], times["bare"], strict=True)] for name in ("scored", "with cache")
    }
    told = {name: "{:.2f} ({:.2f}–{:.2f})".format(median(found), *interval(found)) for name, found in ratios.items()}
    return Section(
        title="Reward models",
        how=(
            f"`python -m tests.bench rewards`: {ANSWERS:,} different answers to kitchen requests and chores, scored by "
            f"the embedded reward model in one process ({choose_device().name.upper()}), asked for by "
            f"{LOCAL_WORKERS:,} workers as a run does: from texts to numbers, with the template, the keys and the "
            "sorting by length. Bare: the same batches, padded beforehand, through the model and nothing else. "
            f"{ROUNDS} interleaved rounds; median (lowest–highest), and for ratios the median with its 96 % interval."
        ),
        rows=(
            Row(what="bare forward passes, s", figure=spread(times["bare"]), bound="", kept=True),
            Row(what="scored, s", figure=spread(times["scored"]), bound="", kept=True),
            Row(what="ratio", figure=told["scored"], bound="≤ 1.3", kept=median(ratios["scored"]) <= 1.3),
            Row(what="ratio, every score put into a new cache", figure=told["with cache"], bound="", kept=True),
        ),
    )


def measured(asked: Sequence[Answered], folder: Path, rounds: int) -> dict[str, list[float]]:
    """Seconds of each round: bare, scored, and scored with a cache to fill. The first to go changes with the round."""
    base, adapter = embedded("kitchen_reward")
    parts = {"spec": "reward/kitchen", "base": base, "adapter": adapter, "fingerprint": "bench", "meter": Meter()}
    first = Recording(**parts, cache=None)
    _score(first, asked)
    loaded = first._loaded
    assert loaded is not None
    batches = [{name: batch[name].to(loaded[0].device) for name in _NAMES} for batch in first.read]
    times: dict[str, list[float]] = {"bare": [], "scored": [], "with cache": []}
    for turn in range(rounds):
        names = list(times)
        for name in (*names[turn % len(names) :], *names[: turn % len(names)]):
            with _cache(folder / f"cache{turn}" if name == "with cache" else None) as cache:
                scorer = RewardScorer(**parts, cache=cache)
                # Opening the model is not what is measured.
                scorer._loaded = loaded
                started = time.perf_counter()
                _bare(loaded[0], batches) if name == "bare" else _score(scorer, asked)
                times[name].append(time.perf_counter() - started)
    return times


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
