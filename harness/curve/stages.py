"""The stages of a training: score runs, each with the checkpoint that answered in it and the step that one stands at.

The step is told by the checkpoint's manifest, else by its folder's name (checkpoint-N); what a training began with is
step 0. Refuses one stage alone, a run that is not complete, steps of two trainings, and the same step twice.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from harness import checkpoint
from harness.checkpoint import Manifest
from harness.errors import InputError, Problem
from harness.folder import kind_of, read_manifest
from harness.models.spec import Spec
from harness.report.numerals import listed, plural
from harness.scoring.collect import Found, find, is_complete

SAVED = re.compile(r"checkpoint-(\d+)")
IN_ORDER = "no checkpoint says its step, so that runs are numbered in the order given; --step N,N,… names the steps"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """A score run and the step of what answered in it; `checkpoint` and `made` are None where nothing is known."""

    path: Path
    found: Found
    step: int | None
    checkpoint: Path | None
    made: Manifest | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Stages:
    """Stages by step, and what is to be said of their order."""

    stages: tuple[Stage, ...]
    notes: tuple[str, ...] = ()


def stages_of(paths: Sequence[Path], given: Sequence[int] = ()) -> Stages:
    """The stages that runs are of, by step; `given` are the steps of the runs in their order, where they are named.

    Raises InputError with the reason why they are no curve.
    """
    if len(paths) < 2:
        raise InputError(
            f"one step alone has no curve ({plural(len(paths), 'run')} given); give the runs of two or more"
        )
    if given and len(given) != len(paths):
        raise InputError(
            f"--step names {plural(len(given), 'step')} for {plural(len(paths), 'run')}; name one for each"
        )
    twice = [path for place, path in enumerate(paths) if path.resolve() in [p.resolve() for p in paths[:place]]]
    if twice:
        raise InputError(f"{twice[0]} is given twice; name each run once")
    stages = [_stage(path) for path in paths]
    partial = [Problem(path=str(s.path), what=_unfinished(s.path)) for s in stages if not is_complete(s.found)]
    if partial:
        raise InputError(partial)
    notes: tuple[str, ...] = ()
    if given:
        stages = [replace(stage, step=step) for stage, step in zip(stages, given, strict=True)]
    else:
        stages = _from_the_start(stages)
        if all(stage.step is None for stage in stages):
            stages, notes = [replace(stage, step=place + 1) for place, stage in enumerate(stages)], (IN_ORDER,)
        _of_one_training(stages)
    return Stages(stages=_by_step(stages), notes=notes)


def parse_steps(text: str | None) -> tuple[int, ...]:
    """The steps that --step names. Raises InputError where it names none."""
    if text is None:
        return ()
    parts = text.split(",")
    if not all(re.fullmatch(r"\s*\d{1,15}\s*", part) for part in parts):
        raise InputError(f"--step takes whole numbers with commas between them (100,200,290), found {text!r}")
    return tuple(map(int, parts))


def step_of(path: Path, made: Manifest | None) -> int | None:
    """The step that a checkpoint's weights are of: its manifest's, else its folder's name's, else None."""
    if made is not None:
        return int(made.steps_done if made.weights_step is None else made.weights_step)
    named = SAVED.fullmatch(path.name)
    return int(named[1]) if named else None


def folder_of(spec: Spec) -> Path | None:
    """The folder that a candidate's own weights lie in, its adapter's or its model's; None where it has none here."""
    if spec.kind != "hf":
        return None
    base, adapter = spec.parts
    place = Path(adapter or base)
    return place if place.is_dir() or SAVED.fullmatch(place.name) else None


def _stage(path: Path) -> Stage:
    kind = kind_of(path)
    if kind is None:
        read_manifest(path)
    if kind != "score":
        raise InputError([Problem(path=str(path), what=f"is a run of kind {kind!r}; a curve is of score runs")])
    found = find(path)
    place = folder_of(found.job.candidate)
    made = checkpoint.find(place) if place is not None else None
    step = step_of(place, made) if place is not None else None
    return Stage(path=path, found=found, step=step, checkpoint=place, made=made)


def _unfinished(path: Path) -> str:
    return f"is not complete, and a curve of part of it would mislead; `harness resume {path}` goes on"


def _from_the_start(stages: Sequence[Stage]) -> list[Stage]:
    """The same stages, where what all others were trained on stands at step 0."""
    bases = {stage.made.base.sha256 for stage in stages if stage.made is not None and stage.made.base is not None}
    prints = [stage.found.manifest.get("fingerprints", {}).get("candidate") for stage in stages]
    at_first = [place for place, own in enumerate(prints) if own in bases]
    if len(at_first) != 1 or len(bases - {_base_of(stages[at_first[0]])}) != 1:
        return list(stages)
    return [replace(stage, step=0, made=None) if place == at_first[0] else stage for place, stage in enumerate(stages)]


def _base_of(stage: Stage) -> str | None:
    return stage.made.base.sha256 if stage.made is not None and stage.made.base is not None else None


def _of_one_training(stages: Sequence[Stage]) -> None:
    """Raise InputError where a step is not known, or steps are of several trainings."""
    unknown = [str(stage.path) for stage in stages if stage.step is None]
    if unknown:
        raise InputError(
            f"the step is not known of {listed(unknown, 3)}, while others say theirs; name all with --step N,N,…"
        )
    known = [(stage, stage.made) for stage in stages if stage.made is not None]
    for stage, made in known[1:]:
        first, other = known[0]
        if (made.name, made.data.sha256, made.base) != (other.name, other.data.sha256, other.base):
            what = (
                f"is step {stage.step} of another training ({made.name}, data {made.data.sha256[:12]}) than "
                f"{first.path} ({other.name}, data {other.data.sha256[:12]}); give the steps of one, or "
                "name them with --step N,N,…"
            )
            raise InputError([Problem(path=str(stage.path), what=what)])


def _by_step(stages: Sequence[Stage]) -> tuple[Stage, ...]:
    ordered = sorted(stages, key=lambda stage: stage.step or 0)
    for earlier, later in pairwise(ordered):
        if earlier.step == later.step:
            raise InputError(f"step {later.step} is there twice: {earlier.path} and {later.path}; give one of them")
    return tuple(ordered)
