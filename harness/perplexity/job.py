"""A perplexity job: whose losses on which documents, in which windows; and its manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from harness.errors import InputError
from harness.job import git_state, spec_json, spec_of, suite_json, suite_of, versions
from harness.models.spec import Spec
from harness.perplexity.documents import Document, document_of
from harness.suite import Suite


@dataclass(frozen=True, kw_only=True, slots=True)
class LossJob:
    """One perplexity run: the suite with the documents that are really measured, its window and stride settled.

    `baseline` None: the candidate alone is measured. `full` is how many documents the suite has without --limit.
    """

    suite: Suite
    candidate: Spec
    baseline: Spec | None
    full: int

    @property
    def contestants(self) -> dict[str, Spec]:
        """Who is measured, by role."""
        both = {"candidate": self.candidate, "baseline": self.baseline}
        return {role: spec for role, spec in both.items() if spec is not None}

    @property
    def documents(self) -> tuple[Document, ...]:
        """What is measured, in the suite's order."""
        return tuple(document_of(prompt, self.suite.loss_on) for prompt in self.suite.prompts)

    @property
    def window(self) -> tuple[int, int]:
        """Tokens that are read at once, and how far the next window begins after one."""
        if self.suite.max_length is None or self.suite.stride is None:
            raise InputError("the run's window is not settled; start a new run")
        return self.suite.max_length, self.suite.stride


def to_manifest(job: LossJob, *, extra: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest of a job that has not begun. `extra` is added under its names as it is."""
    return {
        "complete": False,
        "suite": suite_json(job.suite),
        "candidate": spec_json(job.candidate),
        "baseline": spec_json(job.baseline) if job.baseline is not None else None,
        "prompts_in_suite": job.full,
        "seeds": {"suite": job.suite.seed},
        **extra,
        "versions": versions(),
        "git": git_state(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def from_manifest(manifest: Mapping[str, Any]) -> LossJob:
    """The job a manifest describes. Raises InputError where the manifest is not whole, or another kind of run's."""
    try:
        suite = suite_of(manifest["suite"])
        if suite.kind != "perplexity":
            raise InputError(f"this is a run of kind {suite.kind!r}, not a perplexity run")
        return LossJob(
            suite=suite,
            candidate=spec_of(manifest["candidate"]),
            baseline=spec_of(manifest["baseline"]) if manifest["baseline"] is not None else None,
            full=int(manifest["prompts_in_suite"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"the run's manifest.json is not whole ({error}); it cannot be gone on with") from None
