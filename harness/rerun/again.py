"""Makes the reruns of a run: each a run of its own, with the next seed and a nonce, in a folder beside it.

A rerun that was cut off is gone on with; one that is complete is never made twice. Refuses an incomplete run, and one
whose files, checkpoints or templates have changed since.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness import folder
from harness.carrying import Stop
from harness.collect import Found, find
from harness.errors import InputError, Problem
from harness.job import Job, from_manifest, to_manifest
from harness.launch import carry_out, conclude, same_inputs
from harness.models.meter import Meter
from harness.progress import Progress
from harness.report.numerals import plural
from harness.workshop import Workshop
from judges.types import Prompt, Sampling


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """The reruns of a run that are there, in the order of their seeds, and what stopped the last one, if anything."""

    paths: tuple[Path, ...]
    stopped: Stop | None = None


def rerun_job(job: Job, index: int, nonce: str) -> Job:
    """The job of the rerun with this index, 1 the first: every seed of the run plus the index, and a nonce.

    That is the suite's seed, and those of its sampling, its judges' sampling and its prompts' own where they are set.
    """
    suite = job.suite
    return replace(
        job,
        nonce=nonce,
        suite=replace(
            suite,
            seed=suite.seed + index,
            sampling=_shifted(suite.sampling, index),
            judge_sampling=_shifted(suite.judge_sampling, index),
            prompts=tuple(_prompt(prompt, index) for prompt in suite.prompts),
        ),
    )


def _shifted(sampling: Sampling, index: int) -> Sampling:
    return sampling if sampling.seed is None else replace(sampling, seed=sampling.seed + index)


def _prompt(prompt: Prompt, index: int) -> Prompt:
    seed = prompt.sampling.get("seed")
    return prompt if seed is None else replace(prompt, sampling={**prompt.sampling, "seed": int(seed) + index})


def rerun_manifest(run: Path, manifest: Mapping[str, Any], index: int) -> dict[str, Any]:
    """The manifest of a rerun: that of the run, with its own seeds, nonce, versions and time, and what it reruns.

    A run that stopped early is asked again about the prompts it had asked, all of them: other prompts would be another
    question.
    """
    nonce = f"{secrets.token_hex(8)}-{index}"
    job, kept = from_manifest(manifest), {k: v for k, v in manifest.items() if k not in ("seals", "rerun_of")}
    if job.stop_early:
        job, kept = _as_far_as_asked(job, kept, find(run))
    made = to_manifest(rerun_job(job, index, nonce), fingerprints={})
    origin = {**_mark(run, manifest), "nonce": nonce, "index": index}
    return {**kept, **made, "rerun_of": origin}


def _as_far_as_asked(job: Job, manifest: Mapping[str, Any], found: Found) -> tuple[Job, dict[str, Any]]:
    prompts = found.prompts
    suite = replace(job.suite, prompts=prompts)
    repeats = {prompt.id: job.repeats[prompt.id] for prompt in prompts}
    held = Counter(judgment.judge for judgment in found.judgments)
    changed = {
        "notes": [
            *manifest.get("notes", ()),
            f"asks the {len(prompts)} prompts that the run had asked when it stopped early",
        ],
        "recorded_judgments": {name: held[name] for name in manifest.get("recorded_judgments", {})},
    }
    job = replace(job, suite=suite, repeats=repeats, full=len(prompts), stop_early=False)
    return job, {**manifest, **changed}


def _mark(run: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": run.resolve().name, "created": manifest.get("created")}


def existing(run: Path, manifest: Mapping[str, Any], beside: Path) -> dict[int, Path]:
    """The reruns of a run that lie in a folder, by index. Raises InputError where the manifest of one is no rerun's."""
    found: dict[int, Path] = {}
    mark = _mark(run, manifest)
    for path in sorted(beside.glob(f"{_escaped(mark['name'])}-rerun-*")):
        if (path / folder.MANIFEST).exists():
            origin = folder.read_manifest(path).get("rerun_of")
            if isinstance(origin, dict) and {name: origin.get(name) for name in mark} == mark:
                index = origin.get("index")
                if not isinstance(index, int):
                    what = f"rerun_of.index: {index!r} is no number; put it back, or move this rerun elsewhere"
                    raise InputError([Problem(path=str(path / folder.MANIFEST), what=what)])
                found.setdefault(index, path)
    return dict(sorted(found.items()))


def _escaped(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def make(
    run: Path,
    manifest: Mapping[str, Any],
    *,
    times: int,
    beside: Path,
    concurrency: int,
    meter: Meter,
    progress: Progress,
) -> Series:
    """Bring the reruns of a run to `times`: what is there counts, what was cut off is gone on with, the rest is made.

    Ends at the first that is not complete. Raises InputError where a contestant, file or template has changed since the
    run, or nothing can be written there.
    """
    found = existing(run, manifest, beside)
    done: list[Path] = []
    if found:
        progress.say(f"{plural(len(found), 'rerun')} of {run} {'is' if len(found) == 1 else 'are'} there already")
    for path in found.values():
        done.append(path)
        if not folder.read_manifest(path).get("complete"):
            stopped = _go_on(path, manifest, run, concurrency, meter, progress)
            if stopped is not None or not folder.read_manifest(path).get("complete"):
                return Series(paths=tuple(done), stopped=stopped)
    index = max(found, default=0)
    while len(done) < times:
        index += 1
        place = beside / f"{run.resolve().name}-rerun-{index}"
        if place.exists():
            continue
        done.append(place)
        stopped = _begin(place, rerun_manifest(run, manifest, index), run, concurrency, meter, progress)
        if stopped is not None or not folder.read_manifest(place).get("complete"):
            return Series(paths=tuple(done), stopped=stopped)
    return Series(paths=tuple(done))


def _begin(
    place: Path, manifest: dict[str, Any], run: Path, concurrency: int, meter: Meter, progress: Progress
) -> Stop | None:
    job = from_manifest(manifest)
    workshop = Workshop(concurrency=concurrency, meter=meter, say=progress.say)
    cast = workshop.cast(job)
    same_inputs(manifest, workshop, run)
    with folder.create(place, manifest) as path:
        progress.say(f"rerun {manifest['rerun_of']['index']} of {run}, seed {job.suite.seed} → {path}")
        stopped = carry_out(job, cast, workshop, path, progress)
        return conclude(path, manifest, stopped)[1]


def _go_on(
    place: Path, original: Mapping[str, Any], run: Path, concurrency: int, meter: Meter, progress: Progress
) -> Stop | None:
    with folder.reopen(place) as manifest:
        job = from_manifest(manifest)
        workshop = Workshop(concurrency=concurrency, meter=meter, say=progress.say)
        cast = workshop.cast(job)
        same_inputs(original, workshop, run)
        progress.say(f"rerun {manifest['rerun_of']['index']} of {run} was cut off; going on in {place}")
        stopped = carry_out(job, cast, workshop, place, progress)
        return conclude(place, manifest, stopped)[1]


def complete_run(run: Path) -> dict[str, Any]:
    """The manifest of a run that is complete. Raises InputError where it is not, or is no run."""
    manifest = folder.read_manifest(run)
    if not manifest.get("complete"):
        what = f"is incomplete, so that a rerun has nothing to be held against; `harness resume {run}` first"
        raise InputError([Problem(path=str(run), what=what)])
    return manifest
