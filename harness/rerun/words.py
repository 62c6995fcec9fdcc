"""Reruns in words for a terminal: eighty columns, no figure without its n and interval."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

from harness.report.columns import WIDTH, listing, wrap
from harness.report.numerals import DASH, one_line, percent, plural, span
from harness.rerun.compare import Ran, Rerun
from harness.stats.spread import Spread

LISTED = 10
_TOLD = {"win": "won", "loss": "lost", "tie": "tied"}
_FEW = 30


def told(found: Rerun) -> str:
    """The whole report of a rerun."""
    times = len(found.runs) - 1
    again = f", run again {plural(times, 'time')}" if times else ""
    blocks = [wrap(f"{found.runs[0].path.resolve().name}{again}"), wrap(_headline(found)), _table(found.runs)]
    if found.spread is not None and len(found.runs) > 1:
        blocks.append(listing("how far the runs lie apart", _spread(found.spread)))
        blocks.append(listing("flips", _flips(found)))
    # The headline has said the first note of a run at the border.
    blocks.append(listing("what to know", found.notes[1:] if found.border else found.notes))
    return "\n\n".join(filter(None, blocks)) + "\n"


def _headline(found: Rerun) -> str:
    reason = found.reason
    if found.verdict == "reproduced" and found.within is not None:
        return f"Reproduced within ±{_points(found.within)} points{';' if found.border else ':'} {reason}."
    return f"{found.verdict[0].upper()}{found.verdict[1:]}: {reason}."


def _spread(found: Spread) -> list[str]:
    said = [
        f"SD of the win rate over {plural(found.runs, 'run')} of the same {plural(found.prompts, 'prompt')}: "
        f"{_points(found.sd)} points (range {_points(found.reach)}); chance alone gives {_points(found.expected_sd)}"
        + (f" (ratio {found.ratio:.2f})." if found.ratio is not None else ".")
    ]
    said.append(f"Two runs may lie up to {_points(found.within)} points apart (95 %, from these {found.runs} runs).")
    if found.prompts < _FEW:
        said.append(f"n = {found.prompts} is small: this says little of other prompts.")
    return said


def _flips(found: Rerun) -> list[str]:
    assert found.flips is not None
    flipping = found.flipping
    if not flipping:
        return [f"No outcome of {plural(len(found.ids), 'prompt')} differs between the runs."]
    said = [
        f"The outcome is not the same in every run for {len(flipping):,} of {plural(len(found.ids), 'prompt')}; "
        f"{found.flips.decisive:,} of them won in one run and lost in another:"
    ]
    said += [f"{name}: {', '.join(_TOLD[outcome] for outcome in found.outcomes(name))}" for name in flipping[:LISTED]]
    if len(flipping) > LISTED:
        said.append(f"… and {len(flipping) - LISTED:,} more (--json lists all)")
    return said


def _table(runs: Sequence[Ran]) -> str:
    heads = ("run", "score", "95 %", "n", "decision")
    rows = [heads, *(_row(run) for run in runs)]
    sizes = [max(len(row[place]) for row in rows) for place in range(1, 5)]
    room = min(max(cell_len(row[0]) for row in rows), WIDTH - sum(sizes) - 2 * len(sizes))
    lines = []
    for row in rows:
        name = row[0] if cell_len(row[0]) <= room else f"…{_end(row[0], room - 1)}"
        figures = [f"{text:>{size}}" for text, size in zip(row[1:4], sizes, strict=False)]
        lines.append("  ".join([set_cell_size(name, room), *figures, row[4]]).rstrip())
    return "\n".join(lines)


def _end(text: str, room: int) -> str:
    """The end of a name, where runs of one series differ, in at most `room` columns."""
    while cell_len(text) > room:
        text = text[1:]
    return text


def _row(run: Ran) -> tuple[str, str, str, str, str]:
    name = one_line(run.path.resolve().name)
    found = run.estimate
    decision = run.decision if run.complete else "not finished"
    if found is None or found.mean is None:
        return name, DASH, DASH, "0", decision
    return name, percent(found.mean, found.n), span(*found.ci, found.n) if found.ci else DASH, f"{found.n:,}", decision


def _points(size: float) -> str:
    return f"{100 * size:.1f}"
