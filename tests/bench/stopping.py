"""What looking after every prompt costs: false decisions and prompts asked, simulated. Rows for a table; no clock.

Prompts are drawn anew in every run, as the confidence sequence takes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.stats.betting import STEPS, capital

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, int]], Floats]
SUITE = 300
RUNS = 4000


def _binary(rate: float) -> Draw:
    return lambda rng, shape: (rng.random(shape) < rate).astype(np.float64)


def _levels(values: tuple[float, ...], shares: tuple[float, ...]) -> Draw:
    return lambda rng, shape: rng.choice(np.asarray(values), p=np.asarray(shares), size=shape)


# Populations of prompt scores, all with a true mean of 1/2.
EVEN: Mapping[str, Draw] = {
    "wins and losses": _binary(0.5),
    "20 % ties": _levels((0, 0.5, 1), (0.4, 0.2, 0.4)),
    "0, 1/2, 1 alike": _levels((0, 0.5, 1), (1 / 3, 1 / 3, 1 / 3)),
    "80 % ties": _levels((0, 0.5, 1), (0.1, 0.8, 0.1)),
    "quarters": _levels((0, 0.25, 0.5, 0.75, 1), (0.2, 0.2, 0.2, 0.2, 0.2)),
    "skewed": _levels((0, 0.25, 1), (0.2, 0.4, 0.4)),
    "continuous": lambda rng, shape: rng.random(shape),
    "U-shaped": lambda rng, shape: rng.beta(0.3, 0.3, shape),
    "all ties": lambda rng, shape: np.full(shape, 0.5),
}


def excluded(scores: Floats, mean: float, alpha: float = 0.05) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Per run (rows of `scores`), whether `mean` was ever excluded from below, and from above."""
    above = (capital(scores, mean) >= 2 / alpha).any(axis=1)
    below = (capital(1 - scores, 1 - mean) >= 2 / alpha).any(axis=1)
    return above, below


def false_alarms(rng: np.random.Generator, *, runs: int = RUNS, n: int = SUITE) -> list[dict[str, Any]]:
    """How often the true mean of 1/2 was ever excluded, looking after every one of n prompts."""
    rows = []
    for name, draw in EVEN.items():
        above, below = excluded(draw(rng, (runs, n)), 0.5)
        rows.append({"scores": name, "runs": runs, "prompts": n, "excluded": float((above | below).mean())})
    return rows


def asked(
    rng: np.random.Generator, rates: tuple[float, ...], *, runs: int = RUNS, n: int = SUITE
) -> list[dict[str, Any]]:
    """Wins and losses at true rates: prompts asked until 1/2 is excluded (n at most), and what was said."""
    step = 1 / STEPS
    rows = []
    for rate in rates:
        scores = _binary(rate)(rng, (runs, n))
        # The interval has to end beyond 1/2: the next mean of the grid has to be excluded.
        better = capital(scores, 0.5 + step) >= 40
        worse = capital(1 - scores, 0.5 + step) >= 40
        first_better, first_worse = _first(better, n), _first(worse, n)
        rows.append(
            {
                "rate": rate,
                "runs": runs,
                "prompts": n,
                "asked": float(np.minimum(first_better, first_worse).mean()),
                "better": float((first_better < first_worse).mean()),
                "worse": float((first_worse < first_better).mean()),
            }
        )
    return rows


def _first(hit: NDArray[np.bool_], n: int) -> NDArray[np.int64]:
    """After how many looks a run's first hit came; n + 1 counts as n asked, and later than any hit."""
    return np.where(hit.any(axis=1), hit.argmax(axis=1) + 1, n + 1)
