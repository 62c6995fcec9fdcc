"""Whether a run's manifest and control pairs hold what a run writes, so that edits end in sentences.

Responses and judgments are checked where they are read; what is checked here is trusted there.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from harness.errors import InputError, Problem
from harness.folder import MANIFEST, read_manifest
from harness.job import Job, from_manifest
from harness.records import Count, ResponseRecord, on_disk, read_lines
from harness.responding import RESPONSES
from harness.run import CONTROLS
from harness.suite import SamplingKeys
from harness.yamlfile import describe
from judges import rubric
from judges.types import Prompt, Status, Verdict

# A slip of the keyboard in `repeats` must not make a replay endless; fewer too many are told prompt by prompt.
_TOO_MANY = 100
_ENDLESS = 1_000_000
_ANSWERING = ("openai", "anthropic", "hf", "recorded")
_JUDGING = ("openai", "anthropic", "reward", "recorded", "rubric", "control")


class _ManifestKeys(BaseModel):
    """The keys of a manifest that are no part of its job."""

    model_config = ConfigDict(strict=True)

    judge_names: list[str]
    asked_judges: list[str]
    complete: bool = False
    recorded_judgments: dict[str, Count] = {}
    fingerprints: dict[str, str | None] = {}
    warnings: dict[str, list[str]] = {}
    notes: list[str] = []
    versions: dict[str, str] = {}
    seals: dict[str, Any] = {}
    repeats: dict[str, Annotated[int, Field(ge=1)]]
    stop_early: bool = False
    nonce: str = ""


class _ControlLine(BaseModel):
    """A line of controls.jsonl, as far as anything is read from it."""

    model_config = ConfigDict(strict=True)

    judge: str
    id: str
    role: Literal["candidate", "baseline"]
    damage: str
    order: Literal["original_first", "damaged_first"]
    verdict: Verdict | None
    right: bool | None
    status: Status
    whole: list[str]
    damaged: list[str]
    reply: str | None = None


@cache
def _whole_job() -> TypeAdapter[Job]:
    return TypeAdapter(Job)


def require(run: Path) -> None:
    """Raise InputError with everything about a run's folder that no run writes."""
    manifest = read_manifest(run)
    job = from_manifest(manifest)
    found = manifest_problems(run, manifest, job) or [*control_problems(run), *endless(run, manifest, job)]
    if found:
        raise InputError(found)


def manifest_problems(run: Path, manifest: Mapping[str, Any], job: Job) -> list[Problem]:
    """Every value of a manifest that no run writes. `job` is the manifest's, as read without looking at its values."""
    said: list[str] = []
    try:
        _ManifestKeys.model_validate(dict(manifest))
    except ValidationError as error:
        said += _described(error)
    try:
        # As JSON, so that nothing is bent into shape: a seed "3" is no seed.
        _whole_job().validate_json(json.dumps(dataclasses.asdict(job), default=str), strict=True)
    except ValidationError as error:
        said += _described(error)
    if not said:
        said += [*_specs(job), *_prompts(job)]
    return [Problem(path=str(run / MANIFEST), what=f"{what} (no run writes this)") for what in dict.fromkeys(said)]


def _described(error: ValidationError) -> list[str]:
    return [describe(dict(item)) for item in error.errors(include_url=False, include_context=False)]


def _specs(job: Job) -> Iterator[str]:
    for role, spec in (("candidate", job.candidate), ("baseline", job.baseline)):
        if spec.kind not in _ANSWERING:
            yield f"{role}: {spec.text!r} of kind {spec.kind!r} answers nothing"
    for spec in job.judges:
        if spec.kind not in _JUDGING:
            yield f"judges: {spec.text!r} of kind {spec.kind!r} judges nothing"
    for spec in (job.candidate, job.baseline, *job.judges):
        if not _can_be_path(spec.path):
            yield f"{spec.text!r}: {str(spec.path)!r} can be no path"
    for name, count in Counter(spec.text for spec in job.judges).items():
        if count > 1:
            yield f"judges: {name!r} stands twice"


def _can_be_path(path: Path) -> bool:
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


def _prompts(job: Job) -> Iterator[str]:
    suite = job.suite
    for name, count in Counter(prompt.id for prompt in suite.prompts).items():
        if count > 1:
            yield f"suite.prompts: the id {name!r} stands twice"
    for prompt in suite.prompts:
        yield from (f"suite.prompts {prompt.id}: {what}" for what in _about(job, prompt))
    if not suite.prompts:
        yield "suite.prompts: there are none"
    if not 0 < suite.equivalence < 0.5:
        yield f"suite.equivalence: {suite.equivalence} is not between 0 and 0.5"
    for key in ("sampling", "judge_sampling"):
        yield from (f"suite.{key}: {what}" for what in _sampling(getattr(suite, key).given()))


def _about(job: Job, prompt: Prompt) -> Iterator[str]:
    if prompt.id not in job.repeats:
        yield "'repeats' does not say how many samples it has"
    if not prompt.turns:
        yield "it has no turn"
    if prompt.reference and len(prompt.reference) != len(prompt.turns):
        yield f"'reference' has {len(prompt.reference)} texts for {len(prompt.turns)} turns"
    yield from rubric.problems(list(prompt.checks)) if prompt.checks else ()
    yield from _sampling(prompt.sampling)


def _sampling(given: Mapping[str, Any]) -> list[str]:
    try:
        SamplingKeys.model_validate(given)
    except ValidationError as error:
        return _described(error)
    return []


def control_problems(run: Path) -> list[Problem]:
    """Every line of controls.jsonl that no run writes."""
    path, found = run / CONTROLS, []
    for number, value in read_lines(path, journal=True) if path.exists() else ():
        if isinstance(value, Problem):
            found.append(value)
            continue
        try:
            _ControlLine.model_validate(value)
        except ValidationError as error:
            found += [Problem(path=str(path), line=number, what=what) for what in _described(error)]
    return found


def endless(run: Path, manifest: Mapping[str, Any], job: Job) -> list[Problem]:
    """Prompts with far more samples than any response of a complete run has, or than any run. Raises InputError."""
    if max(job.repeats.values(), default=0) <= _TOO_MANY:
        return []
    held = 1 + max((response.sample for response in on_disk(run / RESPONSES, ResponseRecord)), default=0)
    most = held + _TOO_MANY if manifest.get("complete") else _ENDLESS
    return [
        Problem(
            path=str(run / MANIFEST),
            what=f"repeats.{name}: {samples:,} samples, where {RESPONSES} holds {held:,} at most",
        )
        for name, samples in job.repeats.items()
        if samples > most
    ]
