"""From a run, or two, to what a gate looks at: a difference new − old for every prompt, and why it may not decide.

Refuses what `contrast` refuses: other prompts, other judges, other baselines. What is there and cannot decide (an
incomplete run, a judge that cannot judge) is no error but a reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.contrast import comparable
from harness.contrast.remarks import by_position
from harness.contrast.sides import Kind, Side, load_side, matched
from harness.contrast.written import remarks
from harness.errors import InputError, Problem
from harness.report.numerals import listed, plural

Index = NDArray[np.intp]
Array = NDArray[np.float64]
SAME = "a gate needs the same prompts on both sides: the same suite, --limit and --seed"
NOTHING = "no prompt has a usable score on both sides"


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """Differences new − old in the order of `ids`; without an old run a prompt's win rate − 1/2, or grade − baseline's.

    `scale` is the lowest and the highest difference that can be, None where nothing says it; `seen_scale` says that it
    was read off the scores. `ends` is the scale of the grades themselves where it is known, and `levels` are the means
    of old and new grades over `ids`; None where scores are no grades. `slices` holds places in `ids` by category,
    `clusters` a name for every id, None where no two share one. `missing` names prompts without a score on every side,
    of `total`; `leaked` those of the new run that were found in training data. `reasons` are why the figures must not
    decide, `mixed` what --allow-mixed let pass.
    """

    new: Path
    old: Path | None
    kind: Kind
    ids: tuple[str, ...]
    difference: Array
    scale: tuple[float, float] | None
    seen_scale: bool
    slices: Mapping[str, Index]
    clusters: tuple[str, ...] | None
    missing: tuple[str, ...]
    total: int
    ends: tuple[float, float] | None = None
    levels: tuple[float, float] | None = None
    leaked: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    mixed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def measure(new: Path, old: Path | None, *, allow_mixed: bool, judges: Sequence[str] = ()) -> Measured:
    """What `new` has against `old`, or against the baseline of its own run, by `judges` alone where any are named.

    Raises InputError with every problem.
    """
    if old is None:
        return _alone(_gated(load_side(new, judges)))
    before, after = _both((old, new), judges)
    return _pair(before, after, allow_mixed=allow_mixed)


def _gated(side: Side) -> Side:
    """The side, where a margin can be held against it. Raises InputError on losses."""
    if side.kind == "losses":
        what = (
            "holds losses, which have no highest value, so that no margin can be promised for them; "
            "harness compare OLD NEW gives their difference with its interval"
        )
        raise InputError([Problem(path=str(side.path), what=what)])
    return side


def _both(paths: Sequence[Path], judges: Sequence[str]) -> list[Side]:
    found: list[Side] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            found.append(_gated(load_side(path, judges)))
        except InputError as error:
            problems += [p if isinstance(p, Problem) else Problem(path=str(path), what=p) for p in error.problems]
    if problems:
        # The same file may be both sides.
        raise InputError(list(dict.fromkeys(problems)))
    return found


def _reasons(side: Side) -> tuple[str, ...]:
    """Why a side's figures must not decide, whatever they are."""
    reasons = []
    if not side.facts.complete:
        reasons.append(f"{side.path} is incomplete: not all that was to be asked is answered")
    if side.facts.stopped_early:
        reasons.append(
            f"{side.path} was stopped as soon as it was decided (--stop-early): a margin needs every prompt; "
            "run it without --stop-early"
        )
    said = by_position(side)
    return (*reasons, *_silent(side), *([f"{said}, so that a loss would not show"] if said else []))


def _silent(side: Side) -> list[str]:
    """Why a side has no scores at all, where it has none."""
    facts = side.facts
    if side.kind != "predictions" and not facts.counting:
        if facts.unusable:
            failed = "gave no score" if side.kind == "scores" else "failed the control pairs"
            return [f"no usable judge is left in {side.path}: {listed(facts.unusable)} {failed}"]
        return [f"no judge counts in {side.path}: known-bias judges decide nothing"]
    return [] if side.scores else [f"no prompt of {side.path} has a usable score"]


def _alone(side: Side) -> Measured:
    if side.kind == "scores" and side.against is not None:
        return _beside(side, side.against)
    if side.kind != "pairwise":
        what = f"holds {side.kind}, which are held against nothing; give the old ones with --against"
        raise InputError([Problem(path=str(side.path), what=what)])
    ids = tuple(sorted(side.scores))
    return _own(side, ids, np.array([side.scores[name] for name in ids], dtype=np.float64) - 0.5, scale=(-0.5, 0.5))


def _beside(side: Side, baseline: Mapping[str, float]) -> Measured:
    """A score run against the baseline that it graded too."""
    ids = tuple(sorted(side.scores.keys() & baseline.keys()))
    old, new = (np.array([scores[name] for name in ids], dtype=np.float64) for scores in (baseline, side.scores))
    found = _own(side, ids, new - old, scale=_width(side.scale, old, new))
    return replace(
        found,
        seen_scale=side.scale is None,
        ends=side.scale,
        levels=_levels(old, new),
        reasons=found.reasons or (() if ids else (NOTHING,)),
        notes=(*side.notes_against, *side.notes),
    )


def _own(side: Side, ids: tuple[str, ...], difference: Array, *, scale: tuple[float, float] | None) -> Measured:
    """A run against its own baseline."""
    place = {name: index for index, name in enumerate(ids)}
    return Measured(
        new=side.path,
        old=None,
        kind=side.kind,
        ids=ids,
        difference=difference,
        scale=scale,
        seen_scale=False,
        slices={
            name: np.array(sorted(place[one] for one in members if one in place), dtype=np.intp)
            for name, members in side.slices.items()
        },
        clusters=_clusters(side.clusters, ids),
        missing=tuple(sorted(set(side.prompts) - set(ids))),
        total=side.total,
        leaked=side.facts.leaked,
        reasons=_reasons(side),
        notes=side.notes,
    )


def _clusters(known: Mapping[str, str], ids: Sequence[str]) -> tuple[str, ...] | None:
    # A prompt without a cluster is one of its own; the mark keeps its id from being another's cluster.
    named = tuple(f"c {known[name]}" if name in known else f"p {name}" for name in ids)
    return named if len(set(named)) < len(named) else None


def _pair(old: Side, new: Side, *, allow_mixed: bool) -> Measured:
    reasons = tuple(dict.fromkeys([*_reasons(old), *_reasons(new)]))
    prompts = {*old.prompts, *new.prompts}
    if old.kind == new.kind:
        mixed = _same_measure(old, new, allow_mixed=allow_mixed)
        if not old.scores.keys() & new.scores.keys():
            return _empty(old, new, mixed, reasons, sorted(prompts))
    pair = matched(old, new, allow_mixed=allow_mixed)
    assert pair.difference is not None
    grades = pair.kind == "scores"
    return Measured(
        new=new.path,
        old=old.path,
        kind=pair.kind,
        ids=pair.ids,
        difference=pair.difference,
        scale=_width(pair.scale, pair.a, pair.b),
        seen_scale=pair.scale is None,
        slices=pair.slices,
        clusters=pair.clusters,
        missing=tuple(sorted(prompts - set(pair.ids))),
        total=len(prompts),
        ends=pair.scale if grades else None,
        levels=_levels(pair.a, pair.b) if grades else None,
        leaked=new.facts.leaked,
        reasons=reasons,
        mixed=pair.mixed,
        # That a run is incomplete stands among the reasons.
        notes=(*_written(old, new), *(note for note in pair.notes if not note.startswith("INCOMPLETE"))),
    )


def _written(*sides: Side) -> list[str]:
    """What predictions were counted as wrong for, where it is only how they are written."""
    return [f"{side.path}: {what}" for side in sides for what in remarks(side.predictions)]


def _empty(old: Side, new: Side, mixed: Sequence[str], reasons: tuple[str, ...], prompts: Sequence[str]) -> Measured:
    return Measured(
        new=new.path,
        old=old.path,
        kind=new.kind,
        ids=(),
        difference=np.empty(0, dtype=np.float64),
        scale=None,
        seen_scale=False,
        slices={name: np.empty(0, dtype=np.intp) for name in (old.slices or new.slices)},
        clusters=None,
        missing=tuple(prompts),
        total=len(prompts),
        leaked=new.facts.leaked,
        reasons=reasons or (NOTHING,),
        mixed=tuple(mixed),
        notes=tuple(f"MIXED: {new.path}: {what}" for what in mixed),
    )


def _same_measure(old: Side, new: Side, *, allow_mixed: bool) -> list[str]:
    """What --allow-mixed lets pass. Raises InputError where the two sides do not measure the same prompts alike."""
    refused = [f"{what}; {SAME}" for what in comparable.other_prompts(old, new)]
    if not (old.scores and new.scores):
        # Whose judges count makes no difference where there are no scores.
        old, new = (
            replace(side, facts=replace(side.facts, counting=side.facts.judges, unusable=())) for side in (old, new)
        )
    mixed = comparable.mixed(old, new)
    if not allow_mixed:
        refused += [f"{what}; {comparable.DESPITE}" for what in mixed]
    if refused:
        raise InputError([Problem(path=str(new.path), what=what) for what in refused])
    return mixed


def _width(scale: tuple[float, float] | None, old: Array, new: Array) -> tuple[float, float] | None:
    """The range of a difference: the scale's, or that of the scores that were seen; None where there are none."""
    if scale is None and old.size:
        seen = np.concatenate([old, new])
        scale = float(seen.min()), float(seen.max())
    return (scale[0] - scale[1], scale[1] - scale[0]) if scale is not None else None


def _levels(old: Array, new: Array) -> tuple[float, float] | None:
    return (float(old.mean()), float(new.mean())) if old.size else None


def scores_seen(measured: Measured) -> str:
    """What the scale of the scores was taken to be, in words."""
    width = measured.scale[1] if measured.scale is not None else 0.0
    return (
        f"the scale of the scores is not given: no prompt is taken to lose more than {width:.3g}, the distance of the "
        f"highest and the lowest score of {plural(len(measured.ids), 'prompt')}"
    )
