"""Predictions by category, as real files: how many prompts of each are right before and after."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.gate.measured import Measured
from harness.gate.result import GateResult, gate
from harness.gate.thresholds import thresholds
from tests.published import write_lines

# lost, same, won
Counts = tuple[int, int, int]


def predictions(folder: Path, by_category: dict[str, Counts]) -> tuple[Path, Path]:
    """An old and a new predictions file."""
    old, new = [], []
    for category, (lost, same, won) in by_category.items():
        answers = [("yes", "no")] * lost + [("yes", "yes")] * same + [("no", "yes")] * won
        for before, after in answers:
            shared = {"id": f"p{len(old):05d}", "label": "yes", "slices": [category]}
            old.append(shared | {"prediction": before})
            new.append(shared | {"prediction": after})
    folder.mkdir(parents=True, exist_ok=True)
    return write_lines(folder / "old.jsonl", old), write_lines(folder / "new.jsonl", new)


def result(by_category: dict[str, Counts], *, margin: float, categories: bool = False) -> GateResult:
    """What the gate says of them, without files."""
    names = [name for name, counts in by_category.items() for _ in range(sum(counts))]
    difference = np.concatenate([np.repeat([-1.0, 0.0, 1.0], counts) for counts in by_category.values()])
    measured = Measured(
        new=Path("new.jsonl"),
        old=Path("old.jsonl"),
        kind="predictions",
        ids=tuple(f"p{place:05d}" for place in range(len(names))),
        difference=difference,
        scale=(-1.0, 1.0),
        seen_scale=False,
        slices={one: np.flatnonzero([name == one for name in names]) for one in by_category},
        clusters=None,
        missing=(),
        total=len(names),
    )
    return gate(measured, thresholds(None, margin=margin, gate_categories=categories))
