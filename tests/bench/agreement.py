"""How often the 95 % intervals of kappa, AC1, alpha and the first-shown rate hold the truth, simulated.

`kappas`, `alphas` and `positions` yield one cell a population, for a table or a check. Pure: a seed in, figures out.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.stats.agreement import cohen, gwet, pair_agreement
from harness.stats.alpha import alpha_with_interval
from harness.stats.position import first_shown
from tests.bench.measure import Row, Section

SEED = 20261121
N = 100
RUNS = 2_000
LEAST = 0.92
# What the first judge says how often, and the second.
BASES = ((0.5, 0.5), (0.3, 0.3), (0.7, 0.7), (0.3, 0.5), (0.4, 0.6), (0.1, 0.1), (0.9, 0.9), (0.1, 0.3))
THIRDS = ((0.34, 0.33, 0.33), (0.4, 0.4, 0.2), (0.45, 0.45, 0.1), (0.05, 0.9, 0.05))
KAPPAS = (0.0, 0.2, 0.4, 0.6, 0.8)
PANELS = ((2, 0.0), (2, 0.2), (3, 0.0), (5, 0.3))
LIKENESS = (0.0, 0.3, 0.6, 0.9)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One population: how often the interval held the truth, and how often it was called unsafe, of `runs` samples.

    `expected` is the smallest count expected in a cell; `promised` says that the interval has to hold and to be called
    safe, `extreme` that it has to be called unsafe.
    """

    what: str
    population: str
    truth: str
    expected: float
    covered: float
    unsafe: float
    runs: int
    promised: bool
    extreme: bool

    @property
    def kept(self) -> bool:
        """In fewer runs than the table's, three standard errors of the simulation are allowed for."""
        few = self.runs < RUNS
        slack = 3 * math.sqrt(LEAST * (1 - LEAST) / self.runs) if few else 0.0
        if self.promised and (self.covered < LEAST - slack or self.unsafe > 0.05 + slack):
            return False
        return not self.extreme or self.unsafe >= 0.95 - slack


def two_by_two(a: float, b: float, kappa: float) -> NDArray[np.float64] | None:
    """The table of two judges who say "win" that often, with this kappa; None where there is none."""
    chance = a * b + (1 - a) * (1 - b)
    both = (kappa * (1 - chance) + chance - 1 + a + b) / 2
    cells = np.array([[both, a - both], [b - both, 1 - a - b + both]])
    return cells if (cells > 1e-9).all() else None


def tables() -> Iterator[tuple[str, tuple[float, ...], float, NDArray[np.float64]]]:
    """(population, base rates, kappa, cells) of every pair of judges."""
    for (a, b), kappa in itertools.product(BASES, KAPPAS):
        cells = two_by_two(a, b, kappa)
        if cells is not None:
            yield f"win {a:g} and {b:g}", (a, b), kappa, cells
    for shares, kappa in itertools.product(THIRDS, KAPPAS):
        cells = kappa * np.diag(shares) + (1 - kappa) * np.outer(shares, shares)
        yield f"win, loss, tie {' '.join(f'{share:g}' for share in shares)}", shares, kappa, cells


def kappas(seed: int = SEED, runs: int = RUNS) -> Iterator[Cell]:
    """Cohen's kappa and Gwet's AC1 of two judges on N prompts."""
    for place, (population, base, kappa, cells) in enumerate(tables()):
        rng = np.random.default_rng([seed, 1, place])
        k = cells.shape[0]
        codes = rng.choice(k * k, size=(runs, N), p=cells.ravel() / cells.sum())
        truths = cohen(cells)[0], gwet(cells)[0]
        held, unsafe = [0, 0], 0
        for row in codes:
            pair = pair_agreement((row // k).astype(np.int8), (row % k).astype(np.int8), k)
            for which, ci in enumerate((pair.kappa_ci, pair.ac1_ci)):
                held[which] += ci is None or _holds(ci, truths[which])
            unsafe += pair.unsafe is not None or pair.kappa is None
        expected = N * float(cells.min())
        extreme = max(*base, *(1 - share for share in base if k == 2)) >= 0.9
        for which, name in enumerate(("kappa", "AC1")):
            yield Cell(
                what=name,
                population=population,
                truth=f"{kappa:g}",
                expected=expected,
                covered=held[which] / runs,
                unsafe=unsafe / runs,
                runs=runs,
                promised=expected >= 10 - 1e-9,
                extreme=extreme,
            )


def verdicts(
    rng: np.random.Generator, shape: tuple[int, int, int], shares: Sequence[float], likeness: float, missing: float
) -> NDArray[np.int8]:
    """Codes (runs, judges, prompts) whose alpha is `likeness`: a judge says what all hear, or draws on its own."""
    runs, _, n = shape
    heard = rng.choice(len(shares), size=(runs, 1, n), p=shares)
    own = rng.choice(len(shares), size=shape, p=shares)
    codes = np.where(rng.random(shape) < math.sqrt(likeness), heard, own)
    return np.where(rng.random(shape) < missing, -1, codes).astype(np.int8)


def alphas(
    seed: int = SEED,
    runs: int = RUNS,
    resamples: int = 500,
    panels: Sequence[tuple[int, float]] = PANELS,
    likenesses: Sequence[float] = LIKENESS,
) -> Iterator[Cell]:
    """Krippendorff's alpha of panels on N prompts, of which some verdicts are missing."""
    bases = ((0.5, 0.5), (0.3, 0.7), (0.1, 0.9), (0.4, 0.4, 0.2))
    for place, ((judges, missing), shares, likeness) in enumerate(itertools.product(panels, bases, likenesses)):
        rng = np.random.default_rng([seed, 2, place])
        held = unsafe = 0
        for codes in verdicts(rng, (runs, judges, N), shares, likeness, missing):
            found = alpha_with_interval(codes, len(shares), rng=rng, resamples=resamples)
            held += found.ci is None or _holds(found.ci, likeness)
            unsafe += found.unsafe is not None or found.value is None
        least = min(
            a * b * (1 - likeness) + (a * likeness if i == j else 0)
            for (i, a), (j, b) in itertools.product(enumerate(shares), repeat=2)
        )
        usable = 1 - missing**judges - judges * (1 - missing) * missing ** (judges - 1)
        expected = N * usable * least
        yield Cell(
            what=f"alpha, {judges} judges" + (f", {missing:.0%} missing" if missing else ""),
            population=("win " if len(shares) == 2 else "win, loss, tie ") + " ".join(f"{s:g}" for s in shares),
            truth=f"{likeness:g}",
            expected=expected,
            covered=held / runs,
            unsafe=unsafe / runs,
            runs=runs,
            promised=expected >= 10 - 1e-9,
            extreme=max(shares) >= 0.9,
        )


def positions(seed: int = SEED, runs: int = RUNS) -> Iterator[Cell]:
    """The first-shown rate: judges that follow the place on some prompts, and elsewhere chance or content."""
    rates, follows, ties = (0.5, 0.3, 0.7, 0.1, 0.9), (1.0, 0.3, 0.0), (0.0, 0.2)
    cases = [(1, "chance", rate, 0.0, tie) for rate, tie in itertools.product(rates, ties)]
    cases += [(2, "chance", *case) for case in itertools.product(rates, follows, ties)]
    cases += [(2, "content", *case) for case in itertools.product((0.5, 0.9), (0.3, 0.1), ties)]
    cases += [(2, "content", 0.5, 0.0, tie) for tie in ties]
    for place, (orders, otherwise, rate, follow, tie) in enumerate(cases):
        rng = np.random.default_rng([seed, 3, place])
        first, decisive = shown(rng, (runs, N, orders), otherwise, rate, follow, tie)
        truth = rate if otherwise == "chance" else 0.5 * (1 - follow) + rate * follow
        held = unsafe = 0
        for hits, of in zip(first, decisive, strict=True):
            found = first_shown(hits, of)
            held += found.ci is not None and _holds(found.ci, truth)
            unsafe += found.unsafe is not None
        yield Cell(
            what=f"first shown, {orders} verdict{'s' * (orders > 1)} a prompt" + (f", ties {tie:g}" if tie else ""),
            population=f"follows the place on {follow:g}, {otherwise} on the rest",
            truth=f"{truth:.3g}",
            expected=N * min(truth, 1 - truth),
            covered=held / runs,
            unsafe=unsafe / runs,
            runs=runs,
            promised=0.3 <= truth <= 0.7,
            extreme=not 0.1 < truth < 0.9,
        )


def shown(
    rng: np.random.Generator, shape: tuple[int, int, int], otherwise: str, rate: float, follow: float, tie: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Verdicts for the first shown, and all decisive ones, by run and prompt: `shape` is (runs, prompts, orders).

    On a share `follow` of prompts one place wins in every order, the first at `rate`; on the others every verdict is of
    its own ("chance"), or the same response wins in every order ("content").
    """
    runs, n, orders = shape
    place = np.repeat(rng.random((runs, n, 1)) < rate, orders, axis=2)
    if otherwise == "content":
        better = rng.random((runs, n)) < 0.5
        free = np.stack([better, ~better], axis=2)
    else:
        free = rng.random(shape) < rate
    first = np.where(rng.random((runs, n, 1)) < follow, place, free)
    decisive = rng.random(shape) >= tie
    return (first & decisive).sum(axis=2), decisive.sum(axis=2)


def _holds(ci: tuple[float, float], truth: float) -> bool:
    return ci[0] - 1e-12 <= truth <= ci[1] + 1e-12


def agreement_coverage(folder: Path) -> Section:
    """One row a population: coverage at every true value, and how often the interval is called unsafe."""
    cells = [*kappas(), *alphas(), *positions()]
    rows = []
    for (what, population), found in itertools.groupby(
        sorted(cells, key=lambda cell: _place(cell, cells)), key=lambda cell: (cell.what, cell.population)
    ):
        rows.append(_row(what, population, list(found)))
    return Section(
        title="Coverage of the 95 % intervals of agreement and position",
        how=f"Per cent of {RUNS:,} simulations at n = {N}, for every true value; in brackets how often the interval is "
        "marked unsafe. Bound: from 10 expected in each cell (marked +; a first-shown rate from 0.3 to 0.7) ≥ "
        f"{100 * LEAST:g} held and ≤ 5 marked; base rates of 0.1 and 0.9 ≥ 95 marked. "
        "`python -m tests.bench agreement_coverage`.",
        rows=tuple(rows),
    )


def _place(cell: Cell, cells: Sequence[Cell]) -> int:
    """Where the first cell of the same row stands."""
    return next(i for i, c in enumerate(cells) if (c.what, c.population) == (cell.what, cell.population))


def _row(what: str, population: str, cells: Sequence[Cell]) -> Row:
    figure = " · ".join(
        f"{cell.truth}{'+' * cell.promised}: {100 * cell.covered:.1f} ({100 * cell.unsafe:.0f})" for cell in cells
    )
    bounds = []
    if any(cell.promised for cell in cells):
        bounds.append(f"+ ≥ {100 * LEAST:g}, ≤ 5 marked")
    if any(cell.extreme for cell in cells):
        bounds.append("≥ 95 marked")
    return Row(
        what=f"{what}; {population}", figure=figure, bound="; ".join(bounds), kept=all(cell.kept for cell in cells)
    )


ALL = (agreement_coverage,)
