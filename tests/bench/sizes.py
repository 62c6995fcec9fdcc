"""How often each test says "different" at 5 % where nothing differs: by enumeration where it can be, else simulated.

`sizes()` returns one row a test and case, for a table or a check. Pure: a seed in, figures out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.stats.paired import clustered_difference, mcnemar, mean_difference
from harness.stats.signflip import sign_flip, wilcoxon
from harness.stats.unpaired import rates, welch

Array = NDArray[np.float64]
ALPHA = 0.05
NS = (13, 30, 57, 100, 500)
# What McNemar sees: how many prompts are right on one side alone, of all; as often one side as the other.
DISCORDANT = (0.1, 0.3, 0.5)


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """One test in one case: the share of false alarms at 5 %, over `runs` simulations (None: by enumeration).

    `exact` tests (and mid-p ones) may stay below 4 %: theirs is only not to exceed their rate.
    """

    test: str
    case: str
    n: int
    size: float
    runs: int | None
    exact: bool

    @property
    def kept(self) -> bool:
        """Never above 6 %; at least 4 % from n = 100 where neither exact nor mid-p. Chance is allowed for."""
        slack = 3 * math.sqrt(0.06 * 0.94 / self.runs) if self.runs else 0.0
        low = 0.04 - slack if self.n >= 100 and not self.exact else 0.0
        return low <= self.size <= 0.06 + slack


def sizes(seed: int = 0, runs: int = 4_000, ns: Sequence[int] = NS, slower: int = 4) -> list[Size]:
    """Every test's size in every case; tests that rank or resample get one in `slower` of the runs."""
    found = [*_mcnemar(ns), *_fisher(ns)]
    for n in ns:
        found += _on_differences(np.random.default_rng([seed, n]), n, runs, slower)
        found += _on_samples(np.random.default_rng([seed, n, 1]), n, runs)
    return found


def _mcnemar(ns: Sequence[int]) -> Iterator[Size]:
    """By enumeration: the binomial of discordant prompts, and of their split."""
    for n in ns:
        tail = [_alarms(m) for m in range(n + 1)]
        for share in DISCORDANT:
            weights = [math.comb(n, m) * share**m * (1 - share) ** (n - m) for m in range(n + 1)]
            for place, name in ((0, "McNemar, exact"), (1, "McNemar, mid-p")):
                size = math.fsum(weight * alarms[place] for weight, alarms in zip(weights, tail, strict=True))
                case = f"{share:.0%} right on one side alone"
                yield Size(test=name, case=case, n=n, size=size, runs=None, exact=True)


def _alarms(m: int) -> tuple[float, float]:
    """The chance of p ≤ 5 % among m discordant prompts, exact and mid-p."""
    splits = [(math.comb(m, k) / 2**m, mcnemar(k, m - k)) for k in range(m + 1)]
    return (
        math.fsum(chance for chance, found in splits if found.p_value <= ALPHA),
        math.fsum(chance for chance, found in splits if found.p_value_mid <= ALPHA),
    )


def _win_rates(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Prompt scores of verdicts in two orders, and ties."""
    return rng.choice([0.0, 0.5, 1.0], p=[0.35, 0.3, 0.35], size=shape)


def _ratings(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Ratings from 1 to 10, most of them high."""
    return np.clip(np.round(rng.normal(8, 2, size=shape)), 1, 10)


def _probabilities(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Preferences of a judge that gives probabilities."""
    return rng.beta(0.8, 0.8, size=shape)


DRAWS: dict[str, Callable[[np.random.Generator, tuple[int, int]], Array]] = {
    "win rates 0, 1/2, 1": _win_rates,
    "ratings 1 to 10": _ratings,
    "probabilities": _probabilities,
}


def _on_differences(rng: np.random.Generator, n: int, runs: int, slower: int) -> Iterator[Size]:
    """Tests of paired differences: two draws of one distribution on every prompt."""
    for case, draw in DRAWS.items():
        rows = draw(rng, (runs, n)) - draw(rng, (runs, n))
        yield _size("Student, paired", case, n, [_excludes(mean_difference(row).ci) for row in rows])
        few = rows[: max(1, runs // slower)]
        flips = [sign_flip(row, rng, resamples=999) for row in few]
        yield _size("permutation", case, n, [found.p_value <= ALPHA for found in flips], exact=True)
        ranked = [found.p_value <= ALPHA for row in few if (found := wilcoxon(row)).p_value is not None]
        if len(ranked) == len(few):
            # Exact on its lattice of ranks up to some 200 differences.
            yield _size("Wilcoxon", case, n, ranked, exact=n < 200)
    yield _clustered(rng, n, runs)


def _clustered(rng: np.random.Generator, n: int, runs: int) -> Size:
    """Clusters of four prompts that share half of their variance; there have to be ten of them."""
    groups = max(10, n // 4)
    names = [str(place) for place in range(groups) for _ in range(4)]
    shared = np.repeat(rng.normal(size=(runs, groups)), 4, axis=1)
    rows = shared + rng.normal(size=shared.shape)
    alarms = [_low(clustered_difference(row, names).p_value) for row in rows]
    return _size("cluster-robust", f"{groups} clusters of 4", 4 * groups, alarms)


def _on_samples(rng: np.random.Generator, n: int, runs: int) -> Iterator[Size]:
    """Tests of two independent samples, the second half as large again."""
    for case, draw in DRAWS.items():
        a, b = draw(rng, (runs, n)), draw(rng, (runs, n + n // 2))
        alarms = [_low(welch(one, two)[1]) for one, two in zip(a, b, strict=True)]
        yield _size("Welch, unpaired", case, n, alarms)


def _fisher(ns: Sequence[int]) -> Iterator[Size]:
    """By enumeration of every outcome of two independent samples, while there are few thousand."""
    for n, m in ((n, n + n // 2) for n in ns if n <= 60):
        alarms = [[_low(rates(_ones(i, n), _ones(j, m))[1]) for j in range(m + 1)] for i in range(n + 1)]
        for rate in (0.5, 0.8):
            size = float(_binomial(n, rate) @ np.array(alarms) @ _binomial(m, rate))
            yield Size(test="Fisher, unpaired", case=f"rate {rate:g}", n=n, size=size, runs=None, exact=True)


def _ones(count: int, n: int) -> Array:
    return (np.arange(n) < count).astype(np.float64)


def _binomial(n: int, rate: float) -> Array:
    return np.array([math.comb(n, k) * rate**k * (1 - rate) ** (n - k) for k in range(n + 1)])


def _size(test: str, case: str, n: int, alarms: Sequence[bool], *, exact: bool = False) -> Size:
    return Size(test=test, case=case, n=n, size=sum(alarms) / len(alarms), runs=len(alarms), exact=exact)


def _low(p: float | None) -> bool:
    return p is not None and p <= ALPHA


def _excludes(ci: tuple[float, float] | None) -> bool:
    return ci is not None and (ci[0] > 0 or ci[1] < 0)
