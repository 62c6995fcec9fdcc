"""From a perplexity run's folder to a summary. Reads; decides nothing itself.

A summary depends on what is on disk alone, so that a resumed run ends with the same one as an uninterrupted run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.folder import read_manifest
from harness.leakage import guard
from harness.perplexity.job import LossJob, from_manifest
from harness.perplexity.records import LOSSES, LossRecord
from harness.perplexity.summary import LossSummary, summarize
from harness.records import on_disk
from harness.report.numerals import plural
from harness.seal import seals_of, state


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What a perplexity run's folder holds: losses by role and document."""

    job: LossJob
    manifest: Mapping[str, Any]
    losses: Mapping[str, Mapping[str, LossRecord]]
    edited: tuple[str, ...] = ()


def find(run: Path, *, seals: bool = True) -> Found:
    """Read a perplexity run's folder. Raises InputError where it is none, or its files are not a run's."""
    manifest = read_manifest(run)
    job = from_manifest(manifest)
    kept = seals_of(manifest)
    return Found(
        job=job,
        manifest=manifest,
        losses={role: {r.id: r for r in on_disk(run / LOSSES[role], LossRecord)} for role in job.contestants},
        edited=tuple(LOSSES[role] for role in job.contestants if seals and state(run, LOSSES[role], kept) == "changed"),
    )


def is_complete(found: Found) -> bool:
    """Whether every document was measured by everyone."""
    return all(prompt.id in found.losses[role] for role in found.job.contestants for prompt in found.job.suite.prompts)


def summary_of(found: Found, *, complete: bool) -> LossSummary:
    """The figures of a perplexity run."""
    return summarize(
        found.losses["candidate"],
        found.losses.get("baseline"),
        {prompt.id: prompt.category for prompt in found.job.suite.prompts},
        complete=complete,
        in_suite=found.job.full,
        notes=_notes(found),
        leakage=guard.from_json(found.manifest.get("leakage")),
        goal=found.job.suite.goal,
    )


def _notes(found: Found) -> list[str]:
    said = [f"{name} was edited or cut after the run, and figures rest on it as it is" for name in found.edited]
    asked = len(found.job.suite.prompts)
    if asked < found.job.full:
        said.append(
            f"{asked:,} of the suite's {plural(found.job.full, 'document')} were measured, drawn by category: the "
            "intervals are for documents like these"
        )
    return [*said, *found.manifest.get("notes", ())]
