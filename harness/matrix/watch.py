"""How a matrix stands, as it goes: a live table on a terminal, lines elsewhere, and everything in one log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.matrix.run import Standing
from harness.matrix.suite import Cell

MARKS = {"waiting": "·", "running": "…", "failed": "failed"}


class Log:
    """Lines with their time, at the end of a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def say(self, text: str) -> None:
        """Append one line; a disk without room does not stop the experiments over a log."""
        try:
            with self._path.open("a", encoding="utf-8", errors="replace") as file:
                file.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {text}\n")
        except OSError:
            return


def eta(standings: Mapping[Cell, Standing]) -> float | None:
    """Seconds that are left, from what cells of the same mode have taken; None where nothing tells."""
    ended = [(cell.mode, own.seconds) for cell, own in standings.items() if own.state == "done" and own.seconds]
    left = [cell for cell, own in standings.items() if own.state in ("waiting", "running")]
    if not ended or not left:
        return 0.0 if not left else None
    whole = sum(seconds for _, seconds in ended) / len(ended)
    total = 0.0
    for cell in left:
        own = [seconds for mode, seconds in ended if mode == cell.mode]
        total += sum(own) / len(own) if own else whole
    return total


def progress_line(standings: Mapping[Cell, Standing]) -> str:
    """How many cells are done and failed, and what is left."""
    done = sum(own.state == "done" for own in standings.values())
    failed = sum(own.state == "failed" for own in standings.values())
    seconds = eta(standings)
    left = "" if seconds is None or not seconds else f", about {duration(seconds)} left"
    bad = f", {failed} failed" if failed else ""
    return f"{done} of {len(standings)} cells done{bad}{left}"


def duration(seconds: float) -> str:
    """Seconds, minutes or hours."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class Lines:
    """For a log or a pipe: one line a cell."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._standings: Mapping[Cell, Standing] = {}

    def update(self, standings: Mapping[Cell, Standing]) -> None:
        self._standings = dict(standings)

    def say(self, text: str) -> None:
        self._log.say(text)
        print(f"{text}  [{progress_line(self._standings)}]", file=sys.stderr, flush=True)

    def log(self, text: str) -> None:
        """A line for the log alone."""
        self._log.say(text)

    def stage(self, cell: Cell, name: str, done: int, total: int) -> None:
        """What a cell is doing: a line where a stage begins."""
        if done == 0:
            print(f"{cell}: {name}, {total}", file=sys.stderr, flush=True)


class Table:
    """For a terminal: a table of accuracies by task and mode, the models its rows."""

    def __init__(self, log: Log, live: Any) -> None:
        self._log, self._live = log, live
        self._standings: Mapping[Cell, Standing] = {}
        self._stage, self._shown = "", 0.0

    def update(self, standings: Mapping[Cell, Standing]) -> None:
        self._standings, self._stage = dict(standings), ""
        self._live.update(self._table(), refresh=True)

    def say(self, text: str) -> None:
        self._log.say(text)

    def log(self, text: str) -> None:
        """A line for the log alone."""
        self._log.say(text)

    def stage(self, cell: Cell, name: str, done: int, total: int) -> None:
        """What a cell is doing, at most a few times a second."""
        if done < total and time.monotonic() - self._shown < 0.3:
            return
        self._shown = time.monotonic()
        self._stage = f"{cell}: {name} {done}/{total}"
        self._live.update(self._table(), refresh=True)

    def _table(self) -> Any:
        from rich.table import Table as Grid

        caption = progress_line(self._standings) + (f"\n{self._stage}" if self._stage else "")
        grid = Grid(caption=caption, caption_justify="left")
        columns = list(dict.fromkeys((cell.task, cell.mode) for cell in self._standings))
        grid.add_column("model", overflow="fold")
        for task, mode in columns:
            grid.add_column(f"{task}\n{mode}", justify="right")
        for model in dict.fromkeys(cell.model for cell in self._standings):
            by = {(cell.task, cell.mode): own for cell, own in self._standings.items() if cell.model == model}
            grid.add_row(model, *(_mark(by.get(column)) for column in columns))
        return grid


def _mark(own: Standing | None) -> str:
    if own is None:
        return ""
    if own.state == "done":
        return "done" if own.accuracy is None else f"{100 * own.accuracy:.1f}"
    return MARKS[own.state]


@contextmanager
def watching(log: Log) -> Iterator[Lines | Table]:
    """A live table where stderr is a terminal, lines where not."""
    if not sys.stderr.isatty():
        yield Lines(log)
        return
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(stderr=True), auto_refresh=False) as live:
        yield Table(log, live)
