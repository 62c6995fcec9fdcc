"""Coverage of the 95 % interval of a win rate, exactly: every outcome of n prompts with its probability."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.special import gammaln, xlogy

from harness.stats.intervals import clopper_pearson, mean_score
from tests.bench.measure import Row, Section

SIZES = (13, 30, 57, 100, 500)
RATES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
TIES = (0.0, 0.2)


def intervals(n: int, *, ties: bool) -> dict[tuple[int, int], tuple[float, float]]:
    """The interval of every count of wins and ties over n prompts."""
    found = {}
    for tied in range(n + 1 if ties else 1):
        for wins in range(n - tied + 1):
            scores = np.repeat([1.0, 0.5, 0.0], [wins, tied, n - wins - tied])
            ci = mean_score(scores).ci
            assert ci is not None
            found[wins, tied] = ci
    return found


def coverage(n: int, rate: float, tie: float, known: dict[tuple[int, int], tuple[float, float]]) -> float:
    """The chance that the interval holds the truth: `rate` wins of decisive prompts, a share `tie` tied."""
    keys = np.array(list(known))
    ends = np.array(list(known.values()))
    wins, tied = keys[:, 0], keys[:, 1]
    lost = n - wins - tied
    win = rate * (1 - tie)
    logs = gammaln(n + 1) - gammaln(wins + 1) - gammaln(tied + 1) - gammaln(lost + 1)
    logs = logs + xlogy(wins, win) + xlogy(tied, tie) + xlogy(lost, 1 - win - tie)
    truth = win + tie / 2
    inside = (ends[:, 0] <= truth + 1e-12) & (truth - 1e-12 <= ends[:, 1])
    return float(np.exp(logs)[inside].sum())


def coverages(n: int, tie: float) -> tuple[list[float], float]:
    """The coverage at every rate of the table, and its average over p = 0.3, 0.31 … 0.7."""
    known = intervals(n, ties=tie > 0)
    cells = [coverage(n, rate, tie, known) for rate in RATES]
    return cells, float(np.mean([coverage(n, place / 100, tie, known) for place in range(30, 71)]))


def interval_coverage(folder: Path) -> Section:
    """One row for every n and share of ties: coverage at each rate, and the average."""
    rows = []
    for n in SIZES:
        for tie in TIES:
            cells, average = coverages(n, tie)
            least = 0.905 if n < 30 else 0.925
            kept = min(cells) >= least and (n < 30 or 0.94 <= average <= 0.97)
            bound = f"every cell ≥ {100 * least:g} %" + ("" if n < 30 else ", average 94–97 %")
            listed = " · ".join(f"{100 * cell:.1f}" for cell in cells)
            figure = f"{listed}; average {100 * average:.1f}"
            rows.append(Row(what=f"n = {n}, ties {100 * tie:g} %", figure=figure, bound=bound, kept=kept))
    for n in SIZES:
        exact = {(wins, 0): clopper_pearson(wins, n) for wins in range(n + 1)}
        cells = [coverage(n, rate, 0.0, exact) for rate in RATES]
        listed = " · ".join(f"{100 * cell:.1f}" for cell in cells)
        what = f"n = {n}, Clopper–Pearson"
        rows.append(Row(what=what, figure=listed, bound="every cell ≥ 95 %", kept=min(cells) >= 0.95))
    return Section(
        title="Coverage of the 95 % interval of a win rate",
        how="Per cent, by enumeration of all outcomes, at true rates of decisive prompts of "
        f"{', '.join(f'{rate:g}' for rate in RATES)}; the average is over 0.3, 0.31 … 0.7. "
        "`python -m tests.bench interval_coverage`.",
        rows=tuple(rows),
    )
