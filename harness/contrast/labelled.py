"""The side of a classify run's folder: its predictions, and what must agree for two of them to be compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from harness.classify.collect import find, grave, is_complete, notes_of
from harness.classify.guess import UNANSWERED
from harness.classify.run import PREDICTIONS
from harness.contrast.measured import Named, Side, wrong_without
from harness.errors import InputError, Problem
from harness.models.spec import Spec

Reader = Callable[[Path, Sequence[str]], Side]


def of_classify_run(path: Path, judges: Sequence[str], read: Reader) -> Side:
    """The side of a classify run; `read` reads its predictions. An item that a provider failed at is missing.

    Suites of other names may be compared where their items are the same (cells of a matrix, say); tasks that differ
    are told. Raises InputError where nothing is predicted yet.
    """
    found = find(path)
    if not found.predictions:
        raise InputError([Problem(path=str(path), what=f"holds no prediction yet; `harness resume {path}` goes on")])
    side = read(path / PREDICTIONS, judges)
    lost = {record.id for record in side.predictions if getattr(record, "status", "ok") in UNANSWERED}
    answered = tuple(record for record in side.predictions if record.id not in lost)
    spec: Spec = found.planned.candidate
    settings = {"task": found.planned.task_sha256[:12], "mode": str(found.manifest.get("mode"))}
    template = found.manifest.get("fingerprints", {}).get("template")
    return replace(
        side,
        path=path,
        scores={name: value for name, value in side.scores.items() if name not in lost},
        facts=replace(
            side.facts,
            complete=is_complete(found),
            candidate=Named(spec=spec.text, fingerprint=found.manifest.get("fingerprints", {}).get("candidate")),
            leaked=found.leakage.ids if found.leakage is not None else (),
            settings=settings | ({"template": str(template)[:12]} if template else {}),
        ),
        predictions=answered,
        notes=(*grave(found), *wrong_without(answered), *notes_of(found)),
    )
