"""From what was read to everything that is said of it: judges, pairs, alpha, categories, disagreements, the truth.

The prompt is the unit. Judges and prompts are sorted, and the bootstrap's generator is seeded afresh for every group of
prompts: no order of lines, files or judges changes a figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from harness.agree.gold import AgainstGold, against_gold
from harness.agree.position import Position, order_counts, position
from harness.agree.reading import Inputs
from harness.agree.rulings import MISSING, OUTCOMES, Codes, Ruling, Rulings, cluster_codes, codes_of, rulings
from harness.errors import InputError
from harness.outcome import ORDERS, Order
from harness.report.numerals import listed
from harness.stats.agreement import PairAgreement, fleiss_kappa, pair_agreement
from harness.stats.alpha import Alpha, alpha_with_interval
from harness.stats.intervals import Mean, mean_score

SEED = 20251121
RESAMPLES = 2000


@dataclass(frozen=True, kw_only=True, slots=True)
class OneJudge:
    """One judge alone: its win rate, its outcomes by code, and what its verdicts owe to position."""

    estimate: Mean
    wins: int
    losses: int
    ties: int
    unscored: int
    orders: Mapping[Order, Mapping[str, int]]
    position: Position


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Two judges, in the order of their names."""

    a: str
    b: str
    found: PairAgreement


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Some judges on some prompts. `n` prompts have a judgment, `compared` of them two usable outcomes or more,
    and on `unanimous` of these all outcomes are the same."""

    n: int
    compared: int
    unanimous: int
    alpha: Alpha
    fleiss: float | None
    fleiss_reason: str | None
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Contested:
    """A prompt that judges disagree on: every judge's outcome (a code) in the order of judges."""

    id: str
    outcomes: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """Everything that `agree` says. `real` leaves judges with a known bias out, where there are any and two others."""

    inputs: Inputs
    found: Rulings
    judges: Mapping[str, OneJudge]
    whole: Group
    real: Group | None
    categories: Mapping[str, Group]
    contested: tuple[Contested, ...]
    clustered: bool
    gold: str | None = None
    against: Mapping[str, AgainstGold] | None = None


def measure(inputs: Inputs, gold: str | None = None) -> Agreement:
    """Every figure. Raises InputError where `gold` is no judge of these inputs, or has no usable verdict."""
    _known(inputs, gold)
    found = rulings(inputs.rows)
    clusters = _clusters(inputs)
    codes = codes_of(found, inputs.judges, inputs.prompts)
    real = [place for place, judge in enumerate(inputs.judges) if not judge.startswith("control/")]
    return Agreement(
        inputs=inputs,
        found=found,
        judges={judge: _one(found.get(judge, {}), inputs, clusters) for judge in inputs.judges},
        whole=_group(codes, inputs.judges, inputs.prompts, clusters),
        real=_without(codes, real, inputs, clusters),
        categories=_by_category(codes, inputs, clusters),
        contested=_contested(codes, real, inputs.prompts),
        clustered=clusters is not None,
        gold=gold,
        against=_against(inputs, found, gold, clusters),
    )


def _known(inputs: Inputs, gold: str | None) -> None:
    if gold is not None and gold not in inputs.judges:
        raise InputError(f"--gold {gold!r} is no judge here; name one of {listed(inputs.judges, 12)}")


def _clusters(inputs: Inputs) -> dict[str, str] | None:
    """Every prompt's cluster, where two prompts share one; a prompt without one is a cluster of its own."""
    if not inputs.clusters:
        return None
    # The mark keeps a prompt's id from being another's cluster.
    named = {
        prompt: f"c {inputs.clusters[prompt]}" if prompt in inputs.clusters else f"p {prompt}"
        for prompt in inputs.prompts
    }
    return named if len(set(named.values())) < len(named) else None


def _one(found: Mapping[str, Ruling], inputs: Inputs, clusters: Mapping[str, str] | None) -> OneJudge:
    scores = [score for prompt in sorted(found) if (score := found[prompt].score) is not None]
    outcomes = [ruling.outcome for ruling in found.values()]
    wins, losses, ties = (outcomes.count(code) for code in range(len(OUTCOMES)))
    return OneJudge(
        estimate=mean_score(np.array(scores, dtype=np.float64)),
        wins=wins,
        losses=losses,
        ties=ties,
        unscored=outcomes.count(MISSING),
        orders={order: order_counts(found, order) for order in ORDERS},
        position=position(found, clusters),
    )


def _group(codes: Codes, judges: Sequence[str], prompts: Sequence[str], clusters: Mapping[str, str] | None) -> Group:
    groups = cluster_codes(prompts, clusters)
    usable = codes != MISSING
    alike = np.array([((codes == code) | ~usable).all(axis=0) for code in range(len(OUTCOMES))]).any(axis=0)
    compared = usable.sum(axis=0) >= 2
    fleiss = fleiss_kappa(codes, len(OUTCOMES))
    return Group(
        n=len(prompts),
        compared=int(compared.sum()),
        unanimous=int((alike & compared).sum()),
        alpha=alpha_with_interval(
            codes, len(OUTCOMES), rng=np.random.default_rng(SEED), resamples=RESAMPLES, clusters=groups
        ),
        fleiss=fleiss,
        fleiss_reason=_no_fleiss(usable) if fleiss is None else None,
        pairs=tuple(
            Pair(a=judges[a], b=judges[b], found=pair_agreement(codes[a], codes[b], len(OUTCOMES), groups))
            for a, b in combinations(range(len(judges)), 2)
        ),
    )


def _no_fleiss(usable: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> str:
    scored = usable[:, usable.any(axis=0)]
    lacking = int((~scored.all(axis=0)).sum())
    if lacking:
        return f"it needs every judge on every prompt, and {lacking:,} of {scored.shape[1]:,} prompts lack one"
    if scored.shape[1] < 2:
        return f"it needs two prompts (n = {scored.shape[1]})"
    return "every verdict is the same: agreement by chance alone is certain"


def _without(codes: Codes, real: Sequence[int], inputs: Inputs, clusters: Mapping[str, str] | None) -> Group | None:
    if len(real) in (0, 1, len(inputs.judges)):
        return None
    return _group(codes[list(real)], [inputs.judges[place] for place in real], inputs.prompts, clusters)


def _by_category(codes: Codes, inputs: Inputs, clusters: Mapping[str, str] | None) -> dict[str, Group]:
    places: dict[str, list[int]] = {}
    for place, prompt in enumerate(inputs.prompts):
        if prompt in inputs.categories:
            places.setdefault(inputs.categories[prompt], []).append(place)
    return {
        name: _group(codes[:, own], inputs.judges, [inputs.prompts[place] for place in own], clusters)
        for name, own in sorted(places.items())
    }


def _contested(codes: Codes, real: Sequence[int], prompts: Sequence[str]) -> tuple[Contested, ...]:
    """Prompts with two different outcomes, the most contested first.

    Ranked by pairs of judges that disagree, then by those of them that name different winners: judges with a known
    bias come after the others, ids last.
    """
    apart, opposite = _disagreeing(codes)
    own, own_opposite = _disagreeing(codes[list(real)])
    ranked = sorted(
        np.flatnonzero(apart).tolist(),
        key=lambda i: (-own[i], -own_opposite[i], -apart[i], -opposite[i], prompts[i]),
    )
    return tuple(Contested(id=prompts[i], outcomes=tuple(codes[:, i].tolist())) for i in ranked)


def _disagreeing(codes: Codes) -> tuple[list[int], list[int]]:
    """Of every prompt, the pairs of judges with different outcomes, and those with different winners."""
    wins, losses, ties = ((codes == code).sum(axis=0) for code in range(len(OUTCOMES)))
    return (wins * losses + wins * ties + losses * ties).tolist(), (wins * losses).tolist()


def _against(
    inputs: Inputs, found: Rulings, gold: str | None, clusters: Mapping[str, str] | None
) -> dict[str, AgainstGold] | None:
    if gold is None:
        return None
    truth = found.get(gold, {})
    if all(ruling.outcome == MISSING for ruling in truth.values()):
        others = [judge for judge in inputs.judges if judge != gold]
        raise InputError(f"--gold {gold!r} has no usable verdict; name another of {listed(others, 12)}")
    return {judge: against_gold(found.get(judge, {}), truth, clusters) for judge in inputs.judges if judge != gold}
