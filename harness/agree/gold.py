"""A judge against the judge that is taken for the truth, over the prompts that this one decided or called a tie.

`accuracy` goes prompt by prompt over both orders, as JudgeBench counts (2410.12784: right twice, or right once and
a tie beside it; over what has a usable verdict). The figures by order count as LLMBar does (2310.07641): every
presentation that was answered, a reply without a usable verdict being wrong; one without a reply counts nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.agree.position import Position, position
from harness.agree.rulings import MISSING, OUTCOMES, Codes, Ruling, cluster_codes
from harness.outcome import ORDERS, Order
from harness.stats.agreement import PairAgreement, pair_agreement
from harness.stats.clusters import Clustered, clustered_mean
from harness.stats.intervals import wilson

Places = NDArray[np.intp]


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """`count` of `n`; rate and Wilson's interval are None where n is 0."""

    count: int
    n: int

    @property
    def rate(self) -> float | None:
        return self.count / self.n if self.n else None

    @property
    def ci(self) -> tuple[float, float] | None:
        return wilson(self.count / self.n, self.n) if self.n else None


@dataclass(frozen=True, kw_only=True, slots=True)
class AgainstGold:
    """One judge against the truth.

    `right` of the prompts that both scored, with `agreement` (kappa, confusion) on the same; `clustered` stands where
    prompts share clusters. `by_order` counts answered presentations, `usable` those of them with a usable verdict;
    `both` and `same` count repeats with both orders answered: both right, both orders saying the same. `unscored` and
    `not_judged` are prompts of the truth on which this judge has no usable verdict, or no judgment at all.
    """

    right: Share
    agreement: PairAgreement
    clustered: Clustered | None
    by_order: Mapping[Order, Share]
    usable: Mapping[Order, Share]
    both: Share
    same: Share
    same_usable: Share
    agreement_by_order: Mapping[Order, PairAgreement]
    between_orders: PairAgreement
    position: Position
    unscored: int
    not_judged: int

    @property
    def average(self) -> float | None:
        """The mean of both orders' accuracy (LLMBar's Acc.); None where one of them was never shown."""
        rates = [share.rate for share in self.by_order.values()]
        return None if None in rates else sum(rate for rate in rates if rate is not None) / len(rates)


def against_gold(
    judge: Mapping[str, Ruling], gold: Mapping[str, Ruling], clusters: Mapping[str, str] | None
) -> AgainstGold:
    """Hold a judge's rulings against the truth's. `clusters` holds every prompt's cluster, where any is shared."""
    asked = {prompt: one.outcome for prompt, one in gold.items() if one.outcome != MISSING}
    seen = {prompt: judge[prompt] for prompt in sorted(asked) if prompt in judge}
    truth = np.array([asked[prompt] for prompt in seen], dtype=np.int8)
    outcome = np.array([ruling.outcome for ruling in seen.values()], dtype=np.int8)
    scored = outcome != MISSING
    rights = (outcome == truth)[scored]
    units = _units(list(seen), clusters)
    shown, pairs = _presented(seen)
    first, second, true = pairs[:, 1], pairs[:, 2], truth[pairs[:, 0]]
    read = (first != MISSING) & (second != MISSING)
    same = int((first == second)[read].sum())
    return AgainstGold(
        right=Share(count=int(rights.sum()), n=int(scored.sum())),
        agreement=_agreement(outcome[scored], truth[scored], units[scored]),
        clustered=_clustered(rights, units[scored]) if clusters is not None else None,
        by_order={order: _share(one, truth) for order, one in shown.items()},
        usable={order: _share(one[one[:, 1] != MISSING], truth) for order, one in shown.items()},
        both=Share(count=int(((first == true) & (second == true)).sum()), n=len(pairs)),
        same=Share(count=same, n=len(pairs)),
        same_usable=Share(count=same, n=int(read.sum())),
        agreement_by_order={
            order: _agreement(one[:, 1], truth[one[:, 0]], units[one[:, 0]]) for order, one in shown.items()
        },
        between_orders=_agreement(first, second, units[pairs[:, 0]]),
        position=position(seen, clusters),
        unscored=int((~scored).sum()),
        not_judged=len(asked) - len(seen),
    )


def _presented(seen: Mapping[str, Ruling]) -> tuple[dict[Order, Places], Places]:
    """Answered presentations of each order as rows (prompt's place, outcome); and repeats with both orders answered as
    rows (prompt's place, outcome with the candidate first, outcome with the baseline first)."""
    shown: dict[Order | None, list[tuple[int, int]]] = {None: [], **{order: [] for order in ORDERS}}
    pairs: list[tuple[int, int, int]] = []
    for place, ruling in enumerate(seen.values()):
        for order, outcome in ruling.shown:
            shown[order].append((place, outcome))
        for first, second in ruling.pairs:
            pairs.append((place, first, second))
    rows = {order: np.array(shown[order], dtype=np.intp).reshape(-1, 2) for order in ORDERS}
    return rows, np.array(pairs, dtype=np.intp).reshape(-1, 3)


def _share(shown: Places, truth: Codes) -> Share:
    return Share(count=int((shown[:, 1] == truth[shown[:, 0]]).sum()), n=len(shown))


def _units(prompts: Sequence[str], clusters: Mapping[str, str] | None) -> Places:
    """The number of every prompt's cluster, or of the prompt itself."""
    codes = cluster_codes(prompts, clusters)
    return np.arange(len(prompts)) if codes is None else codes


def _clustered(rights: NDArray[np.bool_], units: Places) -> Clustered:
    return clustered_mean(rights.astype(np.float64), [str(unit) for unit in units.tolist()])


def _agreement(mine: NDArray[Any], truth: NDArray[Any], units: Places) -> PairAgreement:
    """Agreement of two rows of codes; places of one unit are no independent ones."""
    shared = units if np.unique(units).size < units.size else None
    return pair_agreement(mine.astype(np.int8), truth.astype(np.int8), len(OUTCOMES), shared)
