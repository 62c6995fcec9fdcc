"""Score runs of three steps made on a loopback server, whose candidates are then said to be saved steps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.curve.losses import Losses
from harness.curve.measured import SEED, Judged, Point
from harness.stats.curve import curve
from tests.harness.scoring.made import Kitchen

STEPS = (100, 200, 290)
# The mean grade that each step is after.
LEVELS = {"s100": 3, "s200": 6, "s290": 6}


def drifting(request: dict[str, Any], text: str) -> dict[str, Any]:
    """A rating around the level of whoever answered, a little up or down with the question."""
    who = next(name for name in LEVELS if f"{name} says" in text)
    own = int(hashlib.sha256(f"{who}{text}{request['model']}".encode()).hexdigest(), 16) % 3
    return {"rating": LEVELS[who] + own, "reasoning": "So."}


def runs(kitchen: Kitchen, *more: str, suite: Path | None = None) -> list[Path]:
    """A run of each step, whose candidates are models of the server."""
    made = []
    for step in STEPS:
        out = kitchen.folder / f"run-{step}"
        done = kitchen.run(out, "--candidate", f"openai/s{step}", *more, suite=suite)
        assert done.code == 0, done.err
        made.append(out)
    return made


def said_of(run: Path, place: Path, **changed: Any) -> None:
    """Have a run's manifest say that a checkpoint's folder answered in it."""
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["candidate"] |= {"text": f"hf/{place}", "kind": "hf", "rest": str(place), "folder": "."}
    (run / "manifest.json").write_text(json.dumps(manifest | changed))


def judged(
    table: NDArray[np.float64],
    steps: Sequence[int],
    *,
    scale: tuple[float, float] | None = (1.0, 10.0),
    losses: Mapping[int, Losses] | None = None,
    checkpoints: Mapping[int, Path] | None = None,
    judge: str = "openai/judge",
    suite: str = "mt_bench",
) -> Judged:
    """The curve of scores (steps, prompts), as a run's journals would give it."""
    found = curve(table, np.random.default_rng(SEED), bounds=scale)
    points = tuple(
        Point(
            step=step,
            run=Path(f"runs/step-{step}"),
            checkpoint=(checkpoints or {}).get(step),
            score=found.steps[place] if found.steps else None,
            losses=(losses or {}).get(step, Losses()),
        )
        for place, step in enumerate(steps)
    )
    return Judged(
        suite=suite, judge=judge, prompts=table.shape[1], scale=scale, points=points, curve=found, unscored={}
    )


def history(folder: Path, rows: list[dict[str, Any]]) -> None:
    """The losses that training writes beside its weights."""
    (folder / "history.json").write_text(json.dumps(rows))
