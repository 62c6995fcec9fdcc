"""Score records for tests, and the contract's figures of them worked out a second way: plain loops, numpy, scipy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from harness.records import ScoreRecord
from harness.scoring.figures import Scale
from harness.scoring.summary import Setting

ONE_TO_TEN = (1.0, 10.0)


def row(prompt: str, score: float | None, *, judge: str = "j", turn: int = 1, repeat: int = 0, **more: Any):
    status = more.pop("status", "ok" if score is not None else "invalid_parse")
    return ScoreRecord(id=prompt, judge=judge, turn=turn, score=score, status=status, repeat=repeat, **more)


def setting(
    categories: dict[str, str | None],
    scales: dict[str, Scale | None],
    *,
    turns: int = 1,
    last: Sequence[str] = (),
    full: dict[str, int] | None = None,
) -> Setting:
    """Every prompt has as many turns; the judges in `last` grade the last one alone."""
    graded = {judge: (turns,) if judge in last else tuple(range(1, turns + 1)) for judge in scales}
    sizes: dict[str, int] = {}
    for category in categories.values():
        sizes[category or ""] = sizes.get(category or "", 0) + 1
    return Setting(
        turns={judge: dict.fromkeys(categories, own) for judge, own in graded.items()},
        categories=categories,
        scales=scales,
        full=full or sizes,
    )


def by_hand(rows: Sequence[ScoreRecord], turns: dict[str, tuple[int, ...]]) -> dict[str, float]:
    """Prompt scores by numpy alone: the mean over turns of the mean over repeats; a prompt that lacks a turn is out."""
    found = {}
    for prompt, wanted in turns.items():
        cells = [
            [r.score for r in rows if r.id == prompt and r.turn == turn and r.score is not None] for turn in wanted
        ]
        if all(cells):
            found[prompt] = float(np.mean([np.mean(cell) for cell in cells]))
    return found


def student(values: Sequence[float], within: Scale | None = None) -> tuple[float, tuple[float, float]]:
    """The standard error and Student's 95 % interval by scipy, clipped where a range is given."""
    from scipy import stats

    se = float(np.std(values, ddof=1) / math.sqrt(len(values)))
    low, high = stats.t.interval(0.95, len(values) - 1, loc=float(np.mean(values)), scale=se)
    return se, (float(low), float(high)) if within is None else (max(within[0], low), min(within[1], high))


GRADE = st.one_of(st.none(), st.integers(1, 10).map(float), st.floats(1, 10, allow_nan=False))


@st.composite
def graded(draw: st.DrawFn, judge: str = "j") -> tuple[list[ScoreRecord], int, int]:
    """Lines of one judge over 1-8 prompts with 1-3 turns and 1-3 repeats, some scores missing; prompts and turns."""
    prompts, turns, repeats = draw(st.integers(1, 8)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    rows = [
        row(f"p{p}", draw(GRADE), judge=judge, turn=t, repeat=r)
        for p in range(prompts)
        for t in range(1, turns + 1)
        for r in range(repeats)
        if draw(st.integers(0, 9))
    ]
    return rows, prompts, turns
