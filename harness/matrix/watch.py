"""How a matrix stands, as it goes: a live table on a terminal, lines elsewhere, and everything in one log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from rich.cells import cell_len, set_cell_size

from harness.matrix.run import Standing, in_points
from harness.matrix.suite import Cell
from harness.report.numerals import one_line, plural

Name = TypeVar("Name")
MARKS = {"waiting": "·", "running": "…", "failed": "failed"}
# "100.0 ±12.5"; below the table stand a blank line, the counts, the stage, and the cursor.
COLUMN, BELOW = 11, 5


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
    """For a terminal: a table of accuracies, models and modes its rows, tasks its columns."""

    def __init__(self, log: Log, live: Any) -> None:
        self._log, self._live = log, live
        self._standings: Mapping[Cell, Standing] = {}
        self._stage, self._shown = "", 0.0

    def update(self, standings: Mapping[Cell, Standing]) -> None:
        self._standings, self._stage = dict(standings), ""
        self._show()

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
        self._stage = f"{cell}: {name} {done:,}/{total:,}"
        self._show()

    def _show(self) -> None:
        from rich.text import Text

        size = self._live.console.size
        lines = shown(self._standings, self._stage, size.width, size.height)
        self._live.update(Text("\n".join(lines), no_wrap=True), refresh=True)


def shown(standings: Mapping[Cell, Standing], stage: str, width: int, height: int) -> list[str]:
    """The table and what stands below it, for a terminal of this size: what does not fit is named, not cut off.

    Of too many tasks, and of too many rows, those around the running cell are shown.
    """
    tasks = list(dict.fromkeys(cell.task for cell in standings))
    names = list(dict.fromkeys((cell.model, cell.mode) for cell in standings))
    running = next((cell for cell, own in standings.items() if own.state == "running"), None)
    room = min(max(len(f"{model} {mode}") for model, mode in names), width // 2) if names else 0
    columns = max(1, (width - room) // (COLUMN + 2))
    rows = max(1, height - BELOW)
    some = _around(tasks, running.task if running else None, columns)
    few = _around(names, (running.model, running.mode) if running else None, rows)
    by = {(cell.task, cell.model, cell.mode): own for cell, own in standings.items()}
    lines = [_row(_fit("% right, ± 95 %", room), [_fit(task, COLUMN) for task in some], room)]
    for model, mode in few:
        marks = [_mark(by.get((task, model, mode))) for task in some]
        lines.append(_row(_fit(f"{model} {mode}", room), marks, room))
    hidden = [
        plural(left, noun) for left, noun in ((len(tasks) - len(some), "task"), (len(names) - len(few), "row")) if left
    ]
    said = [progress_line(standings) + (f" ({' and '.join(hidden)} not shown)" if hidden else ""), stage]
    return [line[:width] for line in [*lines, "", *(_fit(text, width) for text in said if text)]]


def _around(names: Sequence[Name], middle: Name | None, most: int) -> Sequence[Name]:
    """At most so many of the names, in their order: those around one of them."""
    place = names.index(middle) if middle in names else 0
    first = max(0, min(place - most // 2, len(names) - most))
    return names[first : first + most]


def _row(name: str, cells: Sequence[str], room: int) -> str:
    return "  ".join([set_cell_size(name, room), *(" " * (COLUMN - cell_len(cell)) + cell for cell in cells)]).rstrip()


def _fit(text: str, room: int) -> str:
    """A text in so many columns, cut with an ellipsis."""
    text = one_line(text)
    return text if cell_len(text) <= room else set_cell_size(text, room - 1) + "…"


def _mark(own: Standing | None) -> str:
    """An accuracy with half the width of its interval, or how the cell stands."""
    if own is None:
        return ""
    if own.state != "done":
        return MARKS[own.state]
    if own.accuracy is None:
        return "done"
    half = f" ±{50 * (own.ci[1] - own.ci[0]):.1f}" if own.ci else ""
    return f"{in_points(own.accuracy)}{half}"


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
