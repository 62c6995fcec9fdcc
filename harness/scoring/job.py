"""A score job: whose answers are graded, by whom, and whose they are held against; and its manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from harness.errors import InputError
from harness.job import git_state, spec_json, spec_of, suite_json, suite_of, versions
from harness.models.spec import Spec
from harness.suite import Suite, override
from judges.types import Prompt, Sampling


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreJob:
    """One score run: the suite with the prompts that are really asked.

    `baseline` None: the candidate alone is graded. `repeats` is the number of samples of every prompt; `full` holds
    how many prompts the suite has by category, also those that --limit left out; `nonce` is part of every cache key.
    So many greedy prompts as `check_batching` are answered once more alone by every local contestant.
    """

    suite: Suite
    candidate: Spec
    baseline: Spec | None
    judges: tuple[Spec, ...]
    repeats: Mapping[str, int]
    full: Mapping[str, int]
    nonce: str = ""
    check_batching: int = 0

    def sampling_of(self, prompt: Prompt) -> Sampling:
        """The suite's sampling with the prompt's own on top."""
        return override(self.suite.sampling, prompt.sampling)

    @property
    def contestants(self) -> dict[str, Spec]:
        """Who answers, by role."""
        both = {"candidate": self.candidate, "baseline": self.baseline}
        return {role: spec for role, spec in both.items() if spec is not None}


def to_manifest(job: ScoreJob, *, fingerprints: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest of a job that has not begun. `fingerprints` are added under their names as they are."""
    return {
        "complete": False,
        "suite": suite_json(job.suite),
        "candidate": spec_json(job.candidate),
        "baseline": spec_json(job.baseline) if job.baseline is not None else None,
        "judges": [spec_json(judge) for judge in job.judges],
        "repeats": dict(job.repeats),
        "prompts_in_suite": dict(job.full),
        "nonce": job.nonce,
        "check_batching": job.check_batching,
        "seeds": {"suite": job.suite.seed},
        **fingerprints,
        "versions": versions(),
        "git": git_state(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def from_manifest(manifest: Mapping[str, Any]) -> ScoreJob:
    """The job a manifest describes. Raises InputError where the manifest is not whole, or another kind of run's."""
    try:
        suite = suite_of(manifest["suite"])
        if suite.kind != "score":
            raise InputError(f"this is a run of kind {suite.kind!r}, not a score run")
        return ScoreJob(
            suite=suite,
            candidate=spec_of(manifest["candidate"]),
            baseline=spec_of(manifest["baseline"]) if manifest["baseline"] is not None else None,
            judges=tuple(spec_of(judge) for judge in manifest["judges"]),
            repeats=dict(manifest["repeats"]),
            full=dict(manifest["prompts_in_suite"]),
            nonce=str(manifest.get("nonce", "")),
            check_batching=int(manifest.get("check_batching") or 0),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"the run's manifest.json is not whole ({error}); it cannot be gone on with") from None
