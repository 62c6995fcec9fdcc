"""Whether a run's files hold what a run writes, so that an edited one ends in sentences: its manifest, its control pairs.

Responses and judgments are checked where they are read; the rest of a run is trusted there.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from harness.collect import Found
from harness.errors import InputError, Problem
from harness.folder import MANIFEST, read_manifest
from harness.job import Job, from_manifest
from harness.models.spec import Spec
from harness.records import Count, read_lines
from harness.run import CONTROLS, RESPONSES
from harness.suite import SamplingKeys
from harness.yamlfile import describe
from judges import rubric
from judges.types import Prompt, Status, Verdict

# A slip of the keyboard in `repeats` must not make a replay endless; fewer too many are told prompt by prompt.
_TOO_MANY = 100


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
    found = [*manifest_problems(run, manifest, from_manifest(manifest)), *control_problems(run)]
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
    return [Problem(path=str(run / MANIFEST), what=f"{what}; no run writes this") for what in dict.fromkeys(said)]


def _described(error: ValidationError) -> list[str]:
    return [describe(dict(item)) for item in error.errors(include_url=False, include_context=False)]


def _specs(job: Job) -> Iterator[str]:
    named: list[tuple[str, Spec]] = [("candidate", job.candidate), ("baseline", job.baseline)]
    for where, spec in [*named, *(("judges", judge) for judge in job.judges)]:
        alone = spec.kind in ("rubric", "control")
        if spec.kind == "recipe" or (where == "judges") < alone:
            yield f"{where}: {spec.text!r} cannot be of kind {spec.kind!r}"
    for name, count in Counter(spec.text for spec in job.judges).items():
        if count > 1:
            yield f"judges: {name!r} stands twice"


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
    yield from rubric.problems(prompt.checks)
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


def endless(run: Path, found: Found) -> list[Problem]:
    """Prompts of a complete run with far more samples than any response of it has."""
    held = 1 + max((sample for _, _, sample in found.responses), default=0)
    if not found.manifest.get("complete"):
        return []
    return [
        Problem(
            path=str(run / MANIFEST),
            what=f"repeats.{prompt.id}: {found.job.repeats[prompt.id]:,} samples, where {RESPONSES} holds {held:,} at most",
        )
        for prompt in found.job.suite.prompts
        if found.job.repeats[prompt.id] > held + _TOO_MANY
    ]
