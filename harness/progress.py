"""How far a run is: a Rich bar on a terminal, plain lines elsewhere, always on stderr.

Shows rate, time left, cache hits, failures, tokens and cost. A cost without a known price is said to be unknown.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from harness.models.meter import Meter

PLAIN_EVERY_S = 5.0


class Progress(Protocol):
    """What a run tells of itself."""

    def stage(self, name: str, total: int, done: int = 0) -> None:
        """A stage begins; `done` of `total` are there already."""
        ...

    def advance(self) -> None:
        """One more is done."""
        ...

    def moved(self, name: str, done: int, total: int) -> None:
        """A stage stands at `done`; begins it where it is new (for builders that report themselves)."""
        ...

    def say(self, text: str) -> None:
        """One line for the reader, between bars."""
        ...


class Silent:
    """No progress at all (tests, --dry-run)."""

    def stage(self, name: str, total: int, done: int = 0) -> None: ...
    def advance(self) -> None: ...
    def moved(self, name: str, done: int, total: int) -> None: ...
    def say(self, text: str) -> None: ...


class Plain:
    """Lines for a log: one as a stage begins and ends, one every five seconds between."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._name, self._total, self._done, self._at_first, self._begun, self._said = "", 0, 0, 0, 0.0, 0.0

    def stage(self, name: str, total: int, done: int = 0) -> None:
        self._name, self._total, self._done, self._at_first = name, total, done, done
        self._begun = self._said = time.monotonic()
        if total > done:
            self.say(f"{name}: {done}/{total}")

    def advance(self) -> None:
        self.moved(self._name, self._done + 1, self._total)

    def moved(self, name: str, done: int, total: int) -> None:
        if name != self._name:
            self.stage(name, total, done)
        self._done, self._total = done, total
        now = time.monotonic()
        if done >= total or now - self._said >= PLAIN_EVERY_S:
            self._said = now
            parts = [f"{name}: {done}/{total}", self._pace(now), tally(self._meter)]
            self.say("  ".join(part for part in parts if part))

    def _pace(self, now: float) -> str:
        took = now - self._begun
        # The first few carry the loading of a model; a rate from them would frighten.
        if took < PLAIN_EVERY_S or self._done - self._at_first < 10:
            return ""
        rate = (self._done - self._at_first) / took
        left = (self._total - self._done) / rate
        return f"{rate:.1f}/s" + (f", {left:.0f} s left" if self._done < self._total else "")

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


class Bars:
    """Rich bars with rate and time left."""

    def __init__(self, meter: Meter, live: Any) -> None:
        self._meter, self._live = meter, live
        self._task: Any = None
        self._name = ""

    def stage(self, name: str, total: int, done: int = 0) -> None:
        self._name = name
        self._task = self._live.add_task(name, total=total, completed=done, tally="") if total > done else None

    def advance(self) -> None:
        if self._task is not None:
            self._live.update(self._task, advance=1, tally=tally(self._meter))

    def moved(self, name: str, done: int, total: int) -> None:
        if name != self._name:
            self.stage(name, total, done)
        if self._task is not None:
            self._live.update(self._task, completed=done, total=total)

    def say(self, text: str) -> None:
        self._live.console.print(text, highlight=False, markup=False)


def tally(meter: Meter) -> str:
    """Cache hits, failures, tokens and cost so far, where there are any."""
    parts = []
    if meter.hits:
        parts.append(f"{meter.hits} cached")
    if meter.failures:
        parts.append(f"{meter.failures} failed")
    if meter.retries:
        parts.append(f"{meter.retries} retried")
    if meter.requests:
        tokens = meter.input_tokens + meter.output_tokens
        parts.append(f"{tokens:,} tokens")
        parts.append("cost unknown" if meter.cost_usd is None else f"${meter.cost_usd:.2f}")
    return " · ".join(parts)


@contextmanager
def showing(meter: Meter) -> Iterator[Progress]:
    """Bars where stderr is a terminal, plain lines where not."""
    if not sys.stderr.isatty():
        yield Plain(meter)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{speed:.1f}/s" if speed else "")

    columns = [
        TextColumn("{task.description:<17}"),
        BarColumn(bar_width=12),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[tally]}"),
    ]
    with RichProgress(*columns, console=Console(stderr=True), transient=False) as live:
        yield Bars(meter, live)
