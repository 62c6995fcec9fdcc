"""A classify job: whose labels, for which items, asked how; and the manifest that it is written down in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from harness.classify.suite import ClassifySuite, Mode, from_json
from harness.errors import InputError
from harness.job import git_state, spec_json, spec_of, versions
from harness.models.spec import Spec
from harness.tasks.values import Item, Task


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassifyJob:
    """One classify run. `items` are those that are asked, `validation` those that a calibration is fitted on.

    `mode` is how the candidate is asked, None where its predictions are recorded; `full` counts the items of the
    asked splits without --limit; `nonce` is part of every cache key.
    """

    suite: ClassifySuite
    candidate: Spec
    task: Task
    head: str
    items: tuple[Item, ...]
    validation: tuple[Item, ...]
    mode: Mode | None
    seed: int
    full: int
    limit: int | None = None
    nonce: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """The label set, in order."""
        return self.task.heads[self.head]


def to_manifest(job: ClassifyJob, *, extra: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest of a job that has not begun; `extra` is added as it is."""
    return {
        "complete": False,
        "suite": job.suite.as_json(),
        "candidate": spec_json(job.candidate),
        "task": job.task.as_json(),
        "head": job.head,
        "labels": list(job.labels),
        "mode": job.mode,
        "n_items": len(job.items),
        "items_in_splits": job.full,
        "limit": job.limit,
        "nonce": job.nonce,
        "seeds": {"suite": job.seed, "examples": job.suite.keys.method.seed, "split": job.task.rule.seed},
        **extra,
        "versions": versions(),
        "git": git_state(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """What a manifest says of a job, before its items are read again."""

    suite: ClassifySuite
    candidate: Spec
    seed: int
    limit: int | None
    task_sha256: str


def from_manifest(manifest: Mapping[str, Any]) -> Planned:
    """What a manifest says. Raises InputError where it is not whole, or another kind of run's."""
    try:
        kind = manifest["suite"].get("kind", "pairwise")
        if kind != "classify":
            raise InputError(f"this is a run of kind {kind!r}, not a classify run")
        return Planned(
            suite=from_json(manifest["suite"]),
            candidate=spec_of(manifest["candidate"]),
            seed=int(manifest["seeds"]["suite"]),
            limit=manifest["limit"],
            task_sha256=str(manifest["task"]["sha256"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"the run's manifest.json is not whole ({error}); it cannot be gone on with") from None


def asked(task: Task, splits: Sequence[str]) -> tuple[Item, ...]:
    """The items of some splits. Raises InputError where there are none, or an id stands in two of them."""
    items = tuple(item for split in splits for item in task.items.get(split, ()))  # type: ignore[call-overload]
    if not items:
        held = ", ".join(f"{name} {len(rows):,}" for name, rows in task.items.items() if rows) or "no items at all"
        raise InputError(f"{task.name}: the {' and '.join(splits)} split is empty (there are: {held}); set 'on'")
    ids = [item.id for item in items]
    if len(set(ids)) < len(ids):
        twice = next(name for name in ids if ids.count(name) > 1)
        raise InputError(f"{task.name}: the id {twice!r} stands in two splits; give 'on: test', or ids of their own")
    return items
