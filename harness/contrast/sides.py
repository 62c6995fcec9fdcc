"""Two sides brought together prompt by prompt, or refused with every reason why they do not compare.

`load_side` reads one side, `matched` pairs two. Prompts that merely lack a usable score on one side are counted as
missing; everything else that differs is an error, unless the caller asks for it by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.contrast import comparable, reading
from harness.contrast.measured import Facts, Kind, Named, Side
from harness.contrast.remarks import remarks
from harness.errors import InputError, Problem
from harness.report.numerals import plural

__all__ = ["Facts", "Kind", "Named", "Pair", "Side", "load_side", "matched"]

Index = NDArray[np.intp]


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Two sides to be compared: `a` and `b` are score arrays.

    Paired: both are in the order of `ids` (sorted; scored on both sides), `difference` is b − a, and `slices` holds
    places in them. `clusters` has a name for every id (its own where it has no cluster), None where no two share one.
    Unpaired: the arrays are apart (ids of a and b are `ids` and `ids_b`), `difference` and `clusters` are None, and
    `slices_b` holds the places in b. `missing_a` and `missing_b` count prompts that lack a usable score; `unmatched`
    prompts that were scored on one side alone. `mixed` are the reasons that --allow-mixed let pass, also in `notes`.
    """

    side_a: Side
    side_b: Side
    paired: bool
    ids: tuple[str, ...]
    ids_b: tuple[str, ...]
    a: NDArray[np.float64]
    b: NDArray[np.float64]
    difference: NDArray[np.float64] | None
    slices: Mapping[str, Index]
    slices_b: Mapping[str, Index]
    clusters: tuple[str, ...] | None
    missing_a: int
    missing_b: int
    unmatched: int
    mixed: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def kind(self) -> Kind:
        """What is compared."""
        return self.side_a.kind

    @property
    def scale(self) -> tuple[float, float] | None:
        """The range of a score, None where it is not known of both sides."""
        return self.side_a.scale if self.side_a.scale == self.side_b.scale else None


def load_side(path: Path, judges: Sequence[str] = ()) -> Side:
    """One side from a run's folder, or a predictions, scores or judgments file, by these `judges` where any are named.

    Raises InputError with every problem of the input.
    """
    return reading.of_folder(path, judges) if path.is_dir() else reading.of_file(path, judges)


def matched(a: Side, b: Side, *, allow_mixed: bool = False, unpaired: bool = False) -> Pair:
    """The two sides prompt by prompt. Raises InputError with every reason why they cannot be compared.

    `allow_mixed` turns other suites, judges, templates, baselines, checks and references into notes; `unpaired`
    compares the means of different prompts, and takes no prompt for the same on both sides.
    """
    if a.kind != b.kind:
        raise InputError([Problem(path=str(b.path), what=comparable.other_kind(a, b))])
    refused = comparable.hopeless(a, b)
    prompts, mixed = comparable.other_prompts(a, b), comparable.mixed(a, b)
    if unpaired and a.kind == "losses":
        refused.append("losses are compared document by document; leave --unpaired out")
    if not unpaired:
        way_out = "give runs of the same documents" if a.kind == "losses" else comparable.UNPAIRED
        refused += [f"{what}; {way_out}" for what in prompts]
    if not allow_mixed:
        refused += [f"{what}; {comparable.DESPITE}" for what in mixed]
    if not (unpaired or refused or a.scores.keys() & b.scores.keys()):
        refused.append(f"no {comparable.noun(a)} has a usable score both here and in {a.path}")
    if refused:
        raise InputError([Problem(path=str(b.path), what=what) for what in refused])
    notes = [*(f"MIXED: {b.path}: {what}" for what in mixed), *remarks(a, b)]
    if unpaired:
        same = "both sides have the same prompts; without --unpaired, in pairs, smaller differences show"
        notes += [f"{b.path}: {what}" for what in prompts] or [same]
        return _apart(a, b, mixed, notes)
    return _together(a, b, mixed, notes)


def _together(a: Side, b: Side, mixed: Sequence[str], notes: list[str]) -> Pair:
    ids = tuple(sorted(a.scores.keys() & b.scores.keys()))
    first, second = _array(a, ids), _array(b, ids)
    slices, changed = _paired_slices(a, b, ids)
    if changed:
        notes.append(f"{plural(changed, 'prompt')} in other slices on the two sides; those of {a.path} are taken")
    return Pair(
        side_a=a,
        side_b=b,
        paired=True,
        ids=ids,
        ids_b=ids,
        a=first,
        b=second,
        difference=second - first,
        slices=slices,
        slices_b=slices,
        clusters=_clusters({**b.clusters, **a.clusters}, ids),
        missing_a=a.missing,
        missing_b=b.missing,
        unmatched=len(a.scores.keys() ^ b.scores.keys()),
        mixed=tuple(mixed),
        notes=tuple(dict.fromkeys(notes)),
    )


def _apart(a: Side, b: Side, mixed: Sequence[str], notes: list[str]) -> Pair:
    ids, ids_b = tuple(sorted(a.scores)), tuple(sorted(b.scores))
    if a.clusters or b.clusters:
        notes.append("prompts come in clusters, which an unpaired comparison does not count with: it is too sure")
    return Pair(
        side_a=a,
        side_b=b,
        paired=False,
        ids=ids,
        ids_b=ids_b,
        a=_array(a, ids),
        b=_array(b, ids_b),
        difference=None,
        slices=_places(a.slices, ids),
        slices_b=_places(b.slices, ids_b),
        clusters=None,
        missing_a=a.missing,
        missing_b=b.missing,
        unmatched=0,
        mixed=tuple(mixed),
        notes=tuple(dict.fromkeys(notes)),
    )


def _array(side: Side, ids: Sequence[str]) -> NDArray[np.float64]:
    return np.array([side.scores[name] for name in ids], dtype=np.float64)


def _places(slices: Mapping[str, Sequence[str]], ids: Sequence[str]) -> dict[str, Index]:
    """Every slice as the places of its prompts; a slice without a scored prompt stays, empty."""
    place = {name: index for index, name in enumerate(ids)}
    return {
        one: np.array(sorted(place[name] for name in members if name in place), dtype=np.intp)
        for one, members in slices.items()
    }


def _paired_slices(a: Side, b: Side, ids: Sequence[str]) -> tuple[dict[str, Index], int]:
    """The slices of `a`, or of `b` where `a` has none; and how many prompts are in others on the two sides."""
    if not (a.slices and b.slices):
        return _places(a.slices or b.slices, ids), 0
    changed: set[str] = set()
    for one in a.slices.keys() | b.slices.keys():
        changed |= {*a.slices.get(one, ())} ^ {*b.slices.get(one, ())}
    return _places(a.slices, ids), len(changed & {*ids})


def _clusters(known: Mapping[str, str], ids: Sequence[str]) -> tuple[str, ...] | None:
    # A prompt without a cluster is one of its own; the mark keeps its id from being another's cluster.
    named = tuple(f"c {known[name]}" if name in known else f"p {name}" for name in ids)
    return named if len(set(named)) < len(named) else None
