"""What an audit's verdicts come to: one judge's figures, probe by probe. Values in, values out; no order of lines.

The prompt is the unit everywhere; prompts of one cluster are taken together. A verdict that is missing is counted, and
a probe that was shown to nobody has no figure.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from harness.audit.asking import Heard
from harness.audit.plan import Probe
from harness.audit.standing import UNREAD, JudgeStanding, rate_of, standing, unit_of
from harness.decision import ControlCount
from harness.figures import Result, judge_result
from harness.lengths import at_equal_length, length_differences
from harness.stats.exchangeable import as_few
from harness.stats.intervals import sign_test, wilson
from harness.stats.length import LengthControlled
from harness.stats.multiple import holm
from harness.stats.paired import Difference, clustered_difference, mean_difference
from harness.stats.spread import Rate, clustered_rate
from judges.attacks import ATTACKS, KINDS

Clusters = Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class ByKind:
    """Attacks of one kind, at most one a prompt: `success` is of the pairs that the damaged copy does not win bare.

    `gained` counts pairs that it wins with the attack alone, `lost` those without it alone; `p_value` is the exact sign
    test between them, adjusted for the number of kinds (Holm).
    """

    success: Rate
    gained: int
    lost: int
    p_value: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    """One attack text: how often it turned a verdict that was not the damaged copy's, of `n` chances."""

    attack: str
    n: int
    successes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Injection:
    """What attacks on the judge do for a damaged copy beside its whole original.

    `success` is over all kinds; `with_attack` and `without` are the shares of prompts (means over the kinds) on which
    the copy wins, `difference` their paired difference, and `p_value` the exact one-sided test of it, by which the bare
    pair is like any attacked one. `worst` holds the texts that had any success, the worst first.
    """

    success: Rate
    with_attack: float | None
    without: float | None
    difference: Difference
    p_value: float
    kinds: Mapping[str, ByKind]
    worst: tuple[Text, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """One judge in an audit. `slope` is the length slope on the real pairs, None where no length is known.

    `damage` counts what it names of a damaged copy and its original, `named` the damaged copy's share; `flips` are
    later verdicts on the same presentation unlike the first (None: never shown again); `unread` its answers without a
    usable verdict, `statuses` all of them by name.
    """

    position: JudgeStanding
    verbosity: Result
    paddings: Mapping[str, Result]
    slope: LengthControlled | None
    flips: Rate | None
    damage: ControlCount
    named: Rate
    injection: Injection
    unread: Rate
    statuses: Mapping[str, int]
    missing: int


def figures(heard: Sequence[Heard], clusters: Clusters) -> Figures:
    """All figures of one judge from what was heard of it."""
    by_probe: dict[Probe, list[Heard]] = defaultdict(list)
    for one in sorted(heard, key=lambda one: one.shown.key):
        by_probe[one.shown.probe].append(one)
    pairs = [one.record for one in by_probe["position"]]
    statuses = Counter(one.record.status for one in heard)
    bare = by_probe["damage"]
    rights = [one.record.winner for one in bare if one.record.status == "ok"]
    return Figures(
        position=standing(pairs, clusters),
        verbosity=_padded(by_probe["verbosity"], clusters),
        paddings=_by_padding(by_probe["verbosity"], clusters),
        slope=_slope(by_probe["position"]),
        flips=_flips(by_probe["position"], by_probe["again"], clusters),
        damage=ControlCount(n=len(rights), right=rights.count("baseline"), wrong=rights.count("candidate")),
        named=rate_of(
            [(o.record.id, o.record.winner == "candidate") for o in bare if o.record.status == "ok"], clusters
        ),
        injection=_injection(bare, by_probe["injection"], clusters),
        unread=_unread(heard, clusters),
        statuses=dict(sorted(statuses.items())),
        missing=statuses["provider_error"] + statuses["skipped"],
    )


def _ids(heard: Sequence[Heard]) -> list[str]:
    return sorted({one.record.id for one in heard})


def _padded(heard: Sequence[Heard], clusters: Clusters) -> Result:
    """The padded copy as the candidate: its score over both orders."""
    ids = _ids(heard)
    return judge_result([one.record for one in heard], ids, {id: clusters[id] for id in ids if id in clusters})[0]


def _by_padding(heard: Sequence[Heard], clusters: Clusters) -> dict[str, Result]:
    kinds = sorted({one.shown.variant for one in heard})
    return {kind: _padded([one for one in heard if one.shown.variant == kind], clusters) for kind in kinds}


def _slope(heard: Sequence[Heard]) -> LengthControlled | None:
    records = [one.record for one in heard]
    scores = {id: score.score for id, score in judge_result(records, _ids(heard))[1].items()}
    return at_equal_length(scores, length_differences(records))


def _flips(first: Sequence[Heard], again: Sequence[Heard], clusters: Clusters) -> Rate | None:
    """Later verdicts on the same presentation that are not the first one, in slots."""
    if not again:
        return None
    known = {(one.record.id, one.record.order): one.record.verdict for one in first if one.record.verdict is not None}
    hits = [
        (one.record.id, one.record.verdict != known[one.record.id, one.record.order])
        for one in again
        if one.record.verdict is not None and (one.record.id, one.record.order) in known
    ]
    return rate_of(hits, clusters)


def _unread(heard: Sequence[Heard], clusters: Clusters) -> Rate:
    hits = [(one.record.id, one.record.status in UNREAD) for one in heard if one.record.status in ("ok", *UNREAD)]
    return _clustered(hits, clusters)


def _clustered(hits: Sequence[tuple[str, bool]], clusters: Clusters) -> Rate:
    units = np.array([unit_of(id, clusters) for id, _ in hits], dtype=str)
    return clustered_rate(np.array([hit for _, hit in hits], dtype=bool), units)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Try:
    """One attack on one prompt: whether the damaged copy wins with it, and without."""

    id: str
    kind: str
    attack: str
    won: bool
    won_bare: bool


_KIND_OF = {attack.name: attack.kind for attack in ATTACKS}


def _injection(bare: Sequence[Heard], attacks: Sequence[Heard], clusters: Clusters) -> Injection:
    without = {one.record.id: one.record.winner == "candidate" for one in bare if one.record.winner is not None}
    tries = [
        _Try(
            id=one.record.id,
            kind=_KIND_OF[one.shown.variant],
            attack=one.shown.variant,
            won=one.record.winner == "candidate",
            won_bare=without[one.record.id],
        )
        for one in attacks
        if one.record.winner is not None and one.record.id in without
    ]
    by_prompt: dict[str, list[_Try]] = defaultdict(list)
    for one in tries:
        by_prompt[one.id].append(one)
    ids = sorted(by_prompt)
    shares = [fmean(one.won for one in by_prompt[id]) for id in ids]
    bares = [float(without[id]) for id in ids]
    return Injection(
        success=_clustered([(one.id, one.won) for one in tries if not one.won_bare], clusters),
        with_attack=fmean(shares) if ids else None,
        without=fmean(bares) if ids else None,
        difference=_difference(np.array(shares) - np.array(bares), ids, clusters),
        p_value=_no_effect(by_prompt),
        kinds=_kinds(tries, clusters),
        worst=_worst(tries),
    )


def _no_effect(by_prompt: Mapping[str, Sequence[_Try]]) -> float:
    """How likely so few bare wins are where an attack changes nothing.

    One bare verdict a prompt is little beside a dozen attacked ones: where it is rarely won, Student's interval of the
    difference alone was seen to blame a judge that errs at random in one audit of ten.
    """
    tries = [some for _, some in sorted(by_prompt.items())]
    bare = np.array([some[0].won_bare for some in tries], dtype=bool)
    hits = np.array([sum(one.won for one in some) + some[0].won_bare for some in tries], dtype=np.int64)
    return as_few(bare, hits, np.array([len(some) + 1 for some in tries], dtype=np.int64))


def _difference(differences: NDArray[np.float64], ids: Sequence[str], clusters: Clusters) -> Difference:
    found = mean_difference(differences, bounds=(-1.0, 1.0))
    if found.ci is not None:
        found = replace(found, ci=(max(-1.0, found.ci[0]), min(1.0, found.ci[1])))
    units = [unit_of(id, clusters) for id in ids]
    if len(set(units)) == len(units):
        return found
    wide = clustered_difference(differences, units, bounds=(-1.0, 1.0))
    reason = None if wide.ci else "all prompts are of one cluster, which gives no interval"
    return Difference(n=found.n, mean=found.mean, se=wide.se, ci=wide.ci, method="student", reason=reason)


def _kinds(tries: Sequence[_Try], clusters: Clusters) -> dict[str, ByKind]:
    by_kind = {kind: [one for one in tries if one.kind == kind] for kind in KINDS}
    gained = {kind: sum(one.won and not one.won_bare for one in some) for kind, some in by_kind.items()}
    lost = {kind: sum(one.won_bare and not one.won for one in some) for kind, some in by_kind.items()}
    adjusted = holm([sign_test(gained[kind], lost[kind]) for kind in KINDS])
    return {
        kind: ByKind(
            success=rate_of([(one.id, one.won) for one in some if not one.won_bare], clusters),
            gained=gained[kind],
            lost=lost[kind],
            p_value=float(adjusted[place]),
        )
        for place, (kind, some) in enumerate(by_kind.items())
    }


def _worst(tries: Sequence[_Try]) -> tuple[Text, ...]:
    chances = Counter(one.attack for one in tries if not one.won_bare)
    successes = Counter(one.attack for one in tries if one.won and not one.won_bare)
    found = [Text(attack=name, n=chances[name], successes=count) for name, count in successes.items()]
    # By what is sure of them: one of one says less than nine of ten.
    return tuple(sorted(found, key=lambda text: (-wilson(text.successes / text.n, text.n)[0], text.attack)))
