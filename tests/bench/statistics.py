"""What the statistics promise, as tables: coverage, sizes of tests, the gate, stopping early, the bootstrap's speed."""

from __future__ import annotations

import resource
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from harness.stats.bootstrap import bca_interval, resampled_means
from tests.bench import gate, sizes, stopping
from tests.bench.coverage import interval_coverage
from tests.bench.measure import Row, Section

SEED = 20261121
GATE_DRAWS = 50_000


def sizes_of_tests(folder: Path) -> Section:
    """Every test at 5 % where nothing differs: one row a test and case, one figure an n."""
    rows: dict[tuple[str, str], list[sizes.Size]] = defaultdict(list)
    for found in sizes.sizes(SEED, runs=8000, slower=1):
        rows[found.test, found.case].append(found)
    return Section(
        title="False alarms of every test at 5 %",
        how=f"Per cent, where nothing differs, for n of {', '.join(map(str, sizes.NS))} (a case that needs more "
        "prompts begins later). Exact McNemar, mid-p and Fisher by enumeration, the others simulated; bounds allow "
        "three standard errors of the simulation. `python -m tests.bench sizes_of_tests`.",
        rows=tuple(_size_row(test, case, cells) for (test, case), cells in rows.items()),
    )


def _size_row(test: str, case: str, cells: list[sizes.Size]) -> Row:
    bound = "≤ 6" if cells[0].exact else "≤ 6, and 4–6 from n = 100"
    figure = " · ".join(f"{100 * cell.size:.1f}" for cell in cells)
    return Row(what=f"{test}: {case}", figure=figure, bound=bound, kept=all(cell.kept for cell in cells))


def gate_size(folder: Path) -> Section:
    """How often a true loss equal to the margin passes the gate; beside it, by Student's bound alone."""
    rows: dict[tuple[float, str], list[dict[str, float]]] = defaultdict(list)
    for cell in gate.sizes(np.random.default_rng(SEED), draws=GATE_DRAWS):
        rows[cell["margin"], cell["population"]].append(cell)
    made = [
        Row(
            what=f"margin {margin:g}, {name}",
            figure=" · ".join(f"{100 * c['passes']:.1f} ({100 * c['student_alone']:.1f})" for c in cells),
            bound=f"≤ {100 * gate.MOST:g}",
            kept=all(c["passes"] <= gate.MOST for c in cells),
        )
        for (margin, name), cells in rows.items()
    ]
    return Section(
        title="The gate: how often a true loss equal to the margin passes",
        how=f"Per cent of {GATE_DRAWS:,} draws for n of {', '.join(map(str, gate.SIZES))}; in brackets what Student's "
        "bound alone would have passed. `python -m tests.bench gate_size`.",
        rows=tuple(made),
    )


def gate_power(folder: Path) -> Section:
    """What the gate costs where nothing is lost."""
    rows = [
        Row(
            what=f"margin {row['margin']:g}, {row['population']} (sd {row['sd']:.2f})",
            figure=f"formula {row['formula']:,}, which passes {100 * row['passes']:.0f} %; "
            f"80 % from {row['simulated']:,}",
            bound="",
            kept=True,
        )
        for row in gate.powers(np.random.default_rng(SEED))
    ]
    return Section(
        title="The gate: prompts that equal models need",
        how="Prompts for 80 % power to pass where nothing is lost: the formula that `n_needed` prints, and what draws "
        "say. `python -m tests.bench gate_power`.",
        rows=tuple(rows),
    )


def stopping_early(folder: Path) -> Section:
    """False decisions of --stop-early, looking after every prompt, and what it saves."""
    rng = np.random.default_rng(SEED)
    rows = [
        Row(
            what=f"true rate 1/2, {row['scores']}: 1/2 ever excluded",
            figure=f"{100 * row['excluded']:.1f} % of {row['runs']:,} runs",
            bound="≤ 5 %",
            kept=row["excluded"] <= 0.05,
        )
        for row in stopping.false_alarms(rng)
    ]
    for row in stopping.asked(rng, (0.55, 0.6, 0.65, 0.7, 0.8)):
        half = row["rate"] == 0.65
        rows.append(
            Row(
                what=f"true rate {row['rate']:g}, wins and losses",
                figure=f"{row['asked']:.0f} of {row['prompts']} prompts asked; better {100 * row['better']:.1f} %, "
                f"worse {100 * row['worse']:.1f} %",
                bound="≤ 150 asked, ≤ 5 % worse" if half else "≤ 5 % worse",
                kept=row["worse"] <= 0.05 and (not half or row["asked"] <= 150),
            )
        )
    return Section(
        title="Stopping early",
        how="Looking after every prompt of a suite of 300, prompts drawn anew in every run. A run looks after waves "
        "of 8 or more, which adds up to a wave. `python -m tests.bench stopping_early`.",
        rows=tuple(rows),
    )


def bootstrap(folder: Path) -> Section:
    """10,000 resamples over 10,000 prompts."""
    rng = np.random.default_rng(SEED)
    rows = []
    for name, scores in (("quarters", rng.integers(0, 5, 10_000) / 4), ("all different", rng.random(10_000))):
        begun = time.perf_counter()
        bca_interval(scores, resampled_means(scores, rng, 10_000))
        took = time.perf_counter() - begun
        rows.append(Row(what=f"seconds, scores {name}", figure=f"{took:.2f}", bound="≤ 2", kept=took <= 2))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
    rows.append(Row(what="peak memory of this process, MiB", figure=f"{peak:.0f}", bound="≤ 500 MB", kept=peak <= 500))
    return Section(
        title="Bootstrap: 10,000 resamples over 10,000 prompts",
        how="BCa interval of a mean, in one process. `python -m tests.bench bootstrap`.",
        rows=tuple(rows),
    )


ALL = (interval_coverage, sizes_of_tests, gate_size, gate_power, stopping_early, bootstrap)
