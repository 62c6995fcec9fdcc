"""Runs a matrix cell by cell in its folder: what is done is not done again, what fails is recorded and the rest go on.

cells.jsonl            a line a cell, the last one counts: done or failed, the reason, the seconds it took
cells/NAME/            the cell's suite, its recipe where it trains, and `run`, an ordinary classify run
matrix.log             everything that was said
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from harness.classify.written import RESULTS
from harness.errors import HarnessError, RunStopped
from harness.matrix.suite import Cell, MatrixSuite
from harness.report.numerals import decimals

CELLS, FOLDERS, LOG, RUN = "cells.jsonl", "cells", "matrix.log", "run"
State = Literal["waiting", "running", "done", "failed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How a cell stands: why it failed, what it took, and its accuracy with the interval where it is done."""

    state: State = "waiting"
    reason: str | None = None
    seconds: float | None = None
    accuracy: float | None = None
    ci: tuple[float, float] | None = None


class Watch(Protocol):
    """Who is told how a matrix stands."""

    def update(self, standings: Mapping[Cell, Standing]) -> None:
        """A cell's standing has changed."""
        ...

    def say(self, text: str) -> None:
        """One line for the reader and the log."""
        ...


# Runs a cell whose folder this is and returns its accuracy with the interval. Raises what a run raises.
Carry = Callable[[Cell, Path], tuple[float | None, tuple[float, float] | None]]


def standings_of(run: Path, cells: Sequence[Cell]) -> dict[Cell, Standing]:
    """How every cell stands by what is on disk.

    A torn line is a cell that was not ended, and so is one whose results are not there, or not whole, any more.
    """
    found: dict[str, Standing] = {}
    path = run / CELLS
    for line in path.read_text(encoding="utf-8").split("\n") if path.exists() else ():
        try:
            value = json.loads(line)
            ci = value.get("ci")
            found[value["cell"]] = Standing(
                state=value["state"],
                reason=value.get("reason"),
                seconds=value.get("seconds"),
                accuracy=value.get("accuracy"),
                ci=(ci[0], ci[1]) if ci else None,
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    gone = {cell.name for cell in cells if cell.name in found and found[cell.name].state == "done"}
    gone = {name for name in gone if not _is_whole(run / FOLDERS / name / RUN / RESULTS)}
    return {cell: found.get(cell.name, Standing()) if cell.name not in gone else Standing() for cell in cells}


def _is_whole(results: Path) -> bool:
    try:
        return isinstance(json.loads(results.read_text(encoding="utf-8")), dict)
    except (OSError, ValueError):
        return False


def carry_out(run: Path, suite: MatrixSuite, carry: Carry, watch: Watch) -> dict[Cell, Standing]:
    """Run every cell that is not done. Raises KeyboardInterrupt where somebody interrupts; all that is done is kept."""
    cells = suite.cells()
    standings = standings_of(run, cells)
    watch.update(standings)
    for cell in cells:
        if standings[cell].state == "done":
            continue
        standings[cell] = Standing(state="running")
        watch.update(standings)
        standings[cell] = _carried(run, cell, carry)
        _append(run, cell, standings[cell])
        watch.update(standings)
        watch.say(f"{cell}: {told(standings[cell])}")
    return standings


def _carried(run: Path, cell: Cell, carry: Carry) -> Standing:
    began = time.monotonic()
    try:
        accuracy, ci = carry(cell, run / FOLDERS / cell.name)
    except HarnessError as error:
        reason = str(error)
    except Exception as error:
        # A library that gives up on one model must not take the other experiments along.
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    else:
        return Standing(state="done", seconds=round(time.monotonic() - began, 3), accuracy=accuracy, ci=ci)
    return Standing(state="failed", reason=reason, seconds=round(time.monotonic() - began, 3))


def told(standing: Standing) -> str:
    """A standing in words."""
    if standing.state == "failed":
        return f"failed: {standing.reason}"
    if standing.state != "done":
        return standing.state
    low_high = [in_points(end) for end in standing.ci or ()]
    span = f" ({' to '.join(low_high)})" if low_high else ""
    accuracy = "no accuracy" if standing.accuracy is None else f"accuracy {in_points(standing.accuracy)} %{span}"
    return f"{accuracy} in {standing.seconds or 0:.0f} s"


def in_points(share: float) -> str:
    """A share in percent to one decimal, more beside 0 and 100."""
    return decimals(100 * share, 1, (0, 100))


def _append(run: Path, cell: Cell, standing: Standing) -> None:
    record: dict[str, Any] = {
        "cell": cell.name,
        "state": standing.state,
        "reason": standing.reason,
        "seconds": standing.seconds,
        "accuracy": standing.accuracy,
        "ci": list(standing.ci) if standing.ci else None,
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    line = json.dumps({name: value for name, value in record.items() if value is not None}, ensure_ascii=False)
    try:
        path = run / CELLS
        torn = path.exists() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
        with path.open("a", encoding="utf-8") as file:
            file.write(("\n" if torn else "") + line + "\n")
    except OSError as error:
        raise RunStopped(f"{run / CELLS}: cannot be written: {error.strerror}; free some room and resume") from None
