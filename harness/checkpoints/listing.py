"""`harness checkpoints list`: every training in a folder, its finished weights and its saved steps.

A broken manifest is a line on stderr and exit code 2, after everything else was listed.
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.cells import cell_len, set_cell_size

from harness.checkpoint import as_json
from harness.checkpoints.manifest import Manifest
from harness.checkpoints.shelf import Saved, Training, trainings
from harness.report.numerals import DASH, one_line, plural

WIDTH = 80
_HEADS = ("kind", "SHA-256", "state")


def verb(folder: Path, *, required: bool, as_json: bool) -> int:
    """Print what checkpoints a folder holds. Exit code 2 where a manifest is broken, else 0.

    Raises InputError where there is no such folder and it is `required`.
    """
    found = () if not required and not folder.exists() else trainings(folder)
    if as_json:
        sys.stdout.write(json.dumps(entries(found), ensure_ascii=False, indent=2) + "\n")
    elif any(one.saved or one.torn or one.running for one in found):
        sys.stdout.write(table(found) + "\n")
    else:
        print(f"no checkpoints in {folder}", file=sys.stderr)
    sys.stdout.flush()
    problems = [problem for one in found for problem in one.problems]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 2 if problems else 0


def entries(found: Sequence[Training]) -> list[dict[str, Any]]:
    """One object for every whole checkpoint, as `--json` prints them."""
    return [_entry(saved, one) for one in found for saved in one.saved]


def _entry(saved: Saved, training: Training) -> dict[str, Any]:
    value = as_json(saved.manifest)
    kept = ("sha256", "steps_done", "steps_planned", "complete", "weights_step", "ended", "metrics")
    return {
        "path": str(saved.path),
        "name": saved.manifest.name,
        "kind": saved.manifest.kind,
        "base": saved.manifest.base.spec if saved.manifest.base else None,
        "adapter": saved.manifest.adapter_sha256 is not None,
        **{key: value[key] for key in kept},
        "saved_step": saved.step,
        "being_trained": training.running,
    }


def table(found: Sequence[Training], width: int = WIDTH) -> str:
    """The trainings as lines of at most `width` columns; a name too long for its column has a line of its own."""
    rows = [row for one in found for row in _rows(one)]
    sizes = [max(len(cells[place]) for _, cells, _ in rows) for place in range(len(_HEADS) - 1)]
    sizes = [max(size, len(head)) for size, head in zip(sizes, _HEADS, strict=False)]
    state = max(len(_HEADS[-1]), *(len(cells[-1]) for _, cells, _ in rows))
    room = max(12, width - sum(sizes) - state - 2 * len(_HEADS))
    room = min(room, max(cell_len(name) for name, _, _ in rows))
    lines = [_line("checkpoint", _HEADS, room, sizes)]
    for name, cells, notes in rows:
        if cell_len(name) > room:
            lines.append(name)
        lines.append(_line(name if cell_len(name) <= room else "", cells, room, sizes))
        for note in notes:
            lines += textwrap.wrap(note, width, initial_indent="    ", subsequent_indent="      ")
    return "\n".join(line.rstrip() for line in lines)


_Row = tuple[str, tuple[str, str, str], list[str]]


def _rows(one: Training) -> Iterator[_Row]:
    """A training's own row, then one a saved step, each with the notes that stand under it."""
    name = one_line(one.path.resolve().name)
    if one.end is not None:
        yield name, _cells(one.end.manifest), [*_rests(one.end.manifest), *_notes(one.end.manifest), *_now(one)]
    elif one.steps or one.torn or one.running:
        state = "being trained now" if one.running else "not finished"
        notes = _rests(one.steps[0].manifest) if one.steps else []
        yield name, (one.steps[0].manifest.kind if one.steps else DASH, DASH, state), notes
    for saved in one.steps:
        yield f"  {saved.path.name}", _cells(saved.manifest), _notes(saved.manifest)
    for path in one.torn if not one.running else ():
        yield f"  {path.name}", (DASH, DASH, "no manifest"), []


def _cells(made: Manifest) -> tuple[str, str, str]:
    state = f"finished: {plural(made.steps_done, 'step')}" if made.complete else f"unfinished: {made.progress}"
    return made.kind, one_line(made.sha256[:12]), state


def _rests(made: Manifest) -> list[str]:
    if made.merged_from is not None:
        return [f"merged from {one_line(made.merged_from.spec)}"]
    if made.base is None:
        return []
    what = "adapter on" if made.adapter_sha256 else "trained on"
    return [f"{what} {one_line(made.base.spec)}"]


def _notes(made: Manifest) -> list[str]:
    of = made.weights_step
    put_back = [f"its weights are of step {of}"] if of is not None and of != made.steps_done else []
    when = "at its end" if made.complete else "stopped early"
    return [*([f"{when}: {one_line(made.ended)}"] if made.ended else []), *put_back]


def _now(one: Training) -> list[str]:
    return ["being trained now"] if one.running else []


def _line(name: str, cells: Sequence[str], room: int, sizes: Sequence[int]) -> str:
    padded = [f"{cell:<{size}}" for cell, size in zip(cells, [*sizes, 0], strict=True)]
    return "  ".join([set_cell_size(name, room), *padded])
