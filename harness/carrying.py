"""What every kind of run shares at its end: it is carried out, stopped or not, and how it ended is told."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from harness.errors import HarnessError, InputError, RunStopped
from harness.journal import Journal
from harness.leakage.guard import Finding
from harness.models.budget import LARGER
from harness.report.numerals import listed, plural
from harness.workshop import Workshop

# What ends a run early; everything that was done is kept.
Stop = RunStopped | InputError | KeyboardInterrupt
RESULTS = ("report.html", "report.md", "summary.json")


def carried_out(run: Path, workshop: Workshop, work: Callable[[Journal], Awaitable[None]]) -> Stop | None:
    """Work in a run's folder (whose lock is held), as far as it goes. Returns what stopped it, or None."""
    if workshop.budget.way_out == LARGER:
        workshop.budget.way_out = f"`harness resume {run} --max-cost USD` goes on"

    async def whole() -> None:
        journal = Journal(run)
        try:
            await work(journal)
        finally:
            try:
                journal.close()
            finally:
                await workshop.aclose()

    try:
        asyncio.run(whole())
    except (RunStopped, InputError, KeyboardInterrupt) as stopped:
        return stopped
    return None


def ended(
    run: Path,
    stopped: BaseException | None,
    *,
    complete: bool,
    as_json: bool,
    show: Callable[[], None],
    verdict: Callable[[], int],
) -> int:
    """Tell how a run ended and return the exit code: 130, 2 or 4, else what `verdict` says of its figures.

    `show` prints the report; with `as_json` it is left out where the input was at fault.
    """
    if not (as_json and isinstance(stopped, InputError)):
        show()
    if isinstance(stopped, HarnessError):
        print(f"error: {stopped}", file=sys.stderr)
    for name in RESULTS:
        print(f"{run / name}", file=sys.stderr)
    # A gate says what it has to say whatever else is the case.
    code = verdict()
    if isinstance(stopped, KeyboardInterrupt):
        print(f"interrupted; `harness resume {run}` goes on", file=sys.stderr)
        return 130
    if isinstance(stopped, InputError):
        return 2
    if not complete:
        if not isinstance(stopped, RunStopped) or "harness resume" not in str(stopped):
            print(f"incomplete; `harness resume {run}` goes on", file=sys.stderr)
        return RunStopped.exit_code
    return code


def leakage_gate(found: Finding | None) -> int:
    """What --fail-on-leakage says: exit code 1 where a prompt leaked, 3 where nothing could be compared, else 0."""
    if found is None:
        print(
            "leakage cannot be told: no training data are known of candidate or baseline; "
            "`harness leakage --train FILE` compares the files you have",
            file=sys.stderr,
        )
        return 3
    if found.ids:
        print(
            f"leakage: {plural(len(found.ids), 'prompt')} stood in training data "
            f"({len(found.exact):,} word for word, {len(found.near):,} nearly): "
            f"{listed(found.ids, 5)}; `harness leakage --train CHECKPOINT` names each with its example",
            file=sys.stderr,
        )
        return 1
    return 0
