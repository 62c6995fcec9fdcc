"""Executes a classify job in its folder: predictions as they arrive, those on validation, then what one item takes.

What stands on disk for good is not asked again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import memory
from harness.classify.guess import UNANSWERED, Classifier, Guess, record_of
from harness.classify.job import ClassifyJob
from harness.folder import as_json, write_whole
from harness.journal import Journal, repair
from harness.plan import seeded
from harness.progress import Progress
from harness.records import PredictionRecord, on_disk
from harness.tasks.values import Item

PREDICTIONS, VALIDATION, TIMING = "predictions.jsonl", "validation.jsonl", "timing.json"
# So many items are answered one at a time to see what one takes, after a few that warm the machine up.
ALONE, WARMING = 50, 3


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassifyCast:
    """Who answers; `alone` without a cache, for the clock (None: nothing is timed); `notes` are said at the end."""

    classifier: Classifier
    alone: Classifier | None = None
    notes: Callable[[], list[str]] = list


@dataclass(frozen=True, kw_only=True)
class ClassifyExecutor:
    """One classify run under way."""

    job: ClassifyJob
    cast: ClassifyCast
    run: Path
    journal: Journal
    progress: Progress

    async def work(self) -> None:
        """Do all that is not on disk yet. Raises RunStopped where it cannot go on, InputError on faulty input."""
        for name in (PREDICTIONS, VALIDATION):
            if repair(self.run / name):
                self.progress.say(f"{name}: the last line was torn; mended")
        await self.cast.classifier.ready()
        fresh = memory.reset()
        began = time.perf_counter()
        answered = await self._predict(PREDICTIONS, "predictions", self.job.items)
        seconds = time.perf_counter() - began
        held = memory.peak(reset=fresh)
        await self._predict(VALIDATION, "on validation", self.job.validation)
        if not (self.run / TIMING).exists():
            await self._time({**_pace(answered, seconds), "peak_memory_bytes": held})

    async def _predict(self, name: str, stage: str, items: Sequence[Item]) -> int:
        """Have the items that are not on disk labelled; returns how many."""
        done = {record.id for record in on_disk(self.run / name, PredictionRecord) if _for_good(record)}
        waiting = [item for item in items if item.id not in done]
        self.progress.stage(stage, len(items), len(items) - len(waiting))

        def keep(item: Item, guess: Guess) -> None:
            self.journal.append(name, record_of(item, self.job.head, guess, tuple(self.job.task.heads)))
            self.progress.advance()

        if waiting:
            await self.cast.classifier.classify(waiting, keep)
        return len(waiting)

    async def _time(self, together: Mapping[str, Any]) -> None:
        """Write down how fast items were labelled together, and what one takes alone, without a cache."""
        alone = self.cast.alone
        if alone is None:
            return
        rng: random.Random = seeded(self.job.seed, "timing")
        chosen = rng.sample(list(self.job.items), min(len(self.job.items), ALONE + WARMING))
        took = []
        await alone.ready()
        self.progress.stage("one at a time", len(chosen))
        for item in chosen:
            began = time.perf_counter()
            await alone.classify([item], lambda *_: None)
            took.append((time.perf_counter() - began) * 1000)
            self.progress.advance()
        warm = took[WARMING:] or took
        write_whole(self.run / TIMING, as_json({"alone_ms": [round(value, 3) for value in warm], **together}))


def _for_good(record: PredictionRecord) -> bool:
    return getattr(record, "status", "ok") not in UNANSWERED


def _pace(items: int, seconds: float) -> dict[str, Any]:
    """Items a second, where at least one was labelled."""
    pace = round(items / seconds, 3) if items and seconds > 0 else None
    return {"items": items, "seconds": round(seconds, 3), "items_per_s": pace}
