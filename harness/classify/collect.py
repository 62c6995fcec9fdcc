"""What a classify run's folder holds, and what it comes to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.classify.figures import figures_of
from harness.classify.guess import UNANSWERED
from harness.classify.job import Planned, from_manifest
from harness.classify.run import PREDICTIONS, TIMING, VALIDATION
from harness.classify.summary import ClassifySummary, summarize
from harness.classify.thresholded import Thresholded, thresholded
from harness.errors import InputError
from harness.folder import read_manifest
from harness.goal import Goal, Met, Reading, met
from harness.leakage import guard
from harness.leakage.guard import Finding
from harness.records import PredictionRecord, on_disk
from harness.report.numerals import listed, percent, plural, span
from harness.seal import PREDICTED, state

STATUSES = {
    "invalid_parse": "replies were no label",
    "truncated": "did not fit the model, or were cut off",
    "refused": "were refused",
    "provider_error": "had no answer",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A classify run as it stands on disk. `timing` is empty where nothing was timed."""

    run: Path
    manifest: Mapping[str, Any]
    planned: Planned
    predictions: tuple[PredictionRecord, ...]
    validation: tuple[PredictionRecord, ...]
    timing: Mapping[str, Any]
    leakage: Finding | None
    changed: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The label set, in order."""
        return tuple(map(str, self.manifest["labels"]))


@dataclass(frozen=True, kw_only=True, slots=True)
class Classified:
    """A run's figures: as the model answered, with thresholds where the suite wants any, and whether a goal was met."""

    found: Found
    summary: ClassifySummary
    thresholded: Thresholded | None
    goal: Met | None

    def as_json(self) -> dict[str, Any]:
        """`summary.json`: the contract's keys first."""
        from harness.classify.words import doubts

        value = self.summary.as_json(doubts(self.summary))
        if self.goal is not None:
            value["goal"] = self.goal.as_json()
        if self.found.leakage is not None:
            value["leakage"] = leakage_json(self.found)
        if self.thresholded is not None:
            value["thresholds"] = self.thresholded.as_json()
        return value


def find(run: Path, *, seals: bool = True) -> Found:
    """Read a classify run. Raises InputError where it is none, or where a line was not written by a run."""
    manifest = read_manifest(run)
    planned = from_manifest(manifest)
    changed = [name for name in PREDICTED if seals and state(run, name, manifest.get("seals") or {}) == "changed"]
    return Found(
        run=run,
        manifest=manifest,
        planned=planned,
        predictions=tuple(on_disk(run / PREDICTIONS, PredictionRecord)),
        validation=tuple(on_disk(run / VALIDATION, PredictionRecord)),
        timing=_timing(run / TIMING),
        leakage=guard.from_json(manifest.get("leakage")),
        changed=tuple(changed),
    )


def _timing(path: Path) -> Mapping[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); delete it, and `harness resume` measures again") from None
    return value if isinstance(value, dict) else {}


def is_complete(found: Found) -> bool:
    """Whether every item has a prediction, or will never have one."""
    answered = [one for one in found.predictions if getattr(one, "status", "ok") not in UNANSWERED]
    return len(answered) == int(found.manifest["n_items"])


def classified(found: Found, *, complete: bool) -> Classified:
    """The figures of a run."""
    validation = found.validation if found.planned.suite.keys.calibrate else ()
    summary = summarize(
        found.predictions,
        validation=validation,
        labels=found.labels,
        latencies_ms=found.timing.get("alone_ms"),
        complete=complete,
        notes=notes_of(found),
    )
    goal = found.planned.suite.keys.goal
    reached = _met(goal, summary) if goal is not None else None
    return Classified(
        found=found,
        summary=replace(summary, grave=tuple(grave(found, reached))),
        thresholded=_thresholded(found, summary, complete),
        goal=reached,
    )


def _thresholded(found: Found, summary: ClassifySummary, complete: bool) -> Thresholded | None:
    wanted = found.planned.suite.keys.thresholds
    held = [record for record in found.validation if record.probabilities]
    if not wanted or not held or not complete:
        return None
    return thresholded(found.predictions, held, wanted, summary)


def _met(goal: Goal, summary: ClassifySummary) -> Met:
    own = summary.estimate(goal.metric)
    ci, reason = own.ci, own.reason
    if goal.metric == "accuracy" and summary.figures.clustered is not None:
        # A goal is a gate, and goes by the more careful interval; those of the other metrics count clusters already.
        ci, reason = summary.figures.careful, "all items are in one cluster: no interval"
    undecided = None if summary.complete else "the run is incomplete"
    reading = Reading(value=own.value, ci=ci, n=summary.n, reason=None if ci else reason)
    return met(goal, [reading], undecided=undecided)


def grave(found: Found, reached: Met | None = None) -> Iterator[str]:
    """That items stood in training data, and whether a goal was reached by them alone."""
    if found.leakage is None or not found.leakage.ids:
        return
    leaked = found.leakage
    yield (
        f"{plural(len(leaked.ids), 'item')} of {int(found.manifest['n_items']):,} stood in training data "
        f"({len(leaked.exact):,} word for word, {len(leaked.near):,} nearly): "
        f"{listed(leaked.ids, 5)}; {_without(found, leaked)}"
    )
    rest = [record for record in found.predictions if record.id not in {*leaked.ids}]
    if reached is None or reached.outcome != "pass":
        return
    if not rest:
        yield "the goal is reached by items that all stood in training data"
        return
    clean = _met(reached.goal, summarize(rest, labels=found.labels))
    if clean.outcome != "pass":
        yield f"the goal is reached by items that stood in training data; without them: {clean.sentence()}"


def notes_of(found: Found) -> list[str]:
    """What a reader must know of the run, beside its figures."""
    said = [str(note) for note in found.manifest.get("notes", ())]
    total, asked = int(found.manifest["items_in_splits"]), int(found.manifest["n_items"])
    if asked < total:
        said.append(f"--limit: {asked:,} of {plural(total, 'item')} were drawn; the figures are those of the draw")
    if found.changed:
        said.append(f"{listed(found.changed)} changed after the run ended: these are not the figures of the run")
    wanted = found.planned.suite.keys.thresholds
    if wanted and not any(record.probabilities for record in found.validation):
        said.append("thresholds were not fitted: there are no validation items with probabilities")
    return said


def _without(found: Found, leaked: Finding) -> str:
    rest = figures_of([record for record in found.predictions if record.id not in {*leaked.ids}])
    if rest.accuracy.mean is None or rest.careful is None:
        return "too few are left for a figure without them"
    ends = span(*rest.careful, rest.n)
    return f"without them right on {percent(rest.accuracy.mean, rest.n)} of {rest.n:,} (95 % {ends})"


def leakage_json(found: Found) -> dict[str, Any]:
    """What leaked, and the figures of the rest."""
    assert found.leakage is not None
    leaked = set(found.leakage.ids)
    rest: Sequence[PredictionRecord] = [record for record in found.predictions if record.id not in leaked]
    clean = summarize(rest, labels=found.labels) if leaked and rest else None
    return {
        "exact": list(found.leakage.exact),
        "near": list(found.leakage.near),
        "ids": list(found.leakage.ids),
        "without_leaked": {
            "n": clean.n,
            "accuracy": clean.figures.accuracy.mean,
            "ci": list(clean.figures.careful) if clean.figures.careful else None,
        }
        if clean is not None
        else None,
    }
