"""`harness run`, `resume`, `analyze`, `validate` and --dry-run on classify suites: from arguments to exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from harness import folder
from harness.carrying import Stop, carried_out, ended, leakage_gate
from harness.classify import files
from harness.classify.collect import Classified, Found, classified, find, is_complete
from harness.classify.job import ClassifyJob, from_manifest
from harness.classify.launch import API, cast_of, job_of, plan_job
from harness.classify.report import ClassifyReport
from harness.classify.run import ClassifyCast, ClassifyExecutor
from harness.classify.suite import ClassifySuite, load
from harness.classify.thresholded import sentences
from harness.classify.written import took, training_of, write_files
from harness.classify.wrong import wrong_of
from harness.errors import InputError, Problem, RunStopped
from harness.folder import MANIFEST, as_json, write_whole
from harness.goal import exit_code, gravest
from harness.launch import Options, same_inputs
from harness.models.budget import budget
from harness.models.meter import Meter
from harness.progress import Progress, showing
from harness.report.numerals import plural
from harness.seal import seal
from harness.tasks.values import Item
from harness.workshop import Workshop

Concluded = tuple[Path, Classified, Stop | None]


def run(path: Path, options: Options, *, out: Path | None, as_json: bool, resolve: Any, gate: bool = False) -> int:
    """`harness run` on a classify suite: exit code 0, 1 or 3 (a goal, a leak with `gate`), 4, 130; InputError for 2."""
    if out is not None:
        folder.free(out)
    meter = Meter()
    with showing(meter) as progress:
        done = begun(load(path, options.changes), options, out=out, resolve=resolve, meter=meter, progress=progress)
    return _finish(*done, as_json=as_json, gate=gate)


def begun(
    suite: ClassifySuite, options: Options, *, out: Path | None, resolve: Any, meter: Meter, progress: Progress
) -> Concluded:
    """A new run, as far as it goes: its folder, its figures, and what stopped it. Raises InputError."""
    job, cast, manifest, workshop = plan_job(
        suite, options, lambda spec: resolve(spec, progress.moved), meter=meter, say=progress.say
    )
    place = out or folder.default_out(suite.name, manifest)
    with folder.create(place, manifest) as path:
        mode = f" by {job.mode}" if job.mode else ""
        progress.say(f"{suite.name}: {plural(len(job.items), 'item')}, {job.candidate.text}{mode} → {path}")
        return _worked(path, job, cast, workshop, manifest, meter, progress)


def resume(path: Path, *, concurrency: int, as_json: bool, max_cost: float | None = None) -> int:
    """`harness resume` of a classify run: goes on from what is on disk; exit codes as `run`."""
    meter = Meter()
    with showing(meter) as progress:
        done = gone_on(path, concurrency=concurrency, max_cost=max_cost, meter=meter, progress=progress)
    return _finish(*done, as_json=as_json)


def gone_on(
    path: Path, *, concurrency: int, meter: Meter, progress: Progress, max_cost: float | None = None
) -> Concluded:
    """A run that was begun, as far as it goes now. Raises InputError where its items or its model have changed."""
    spending = budget(max_cost)
    with folder.reopen(path) as manifest:
        planned = from_manifest(manifest)
        job = job_of(planned.suite, planned.candidate, seed=planned.seed, limit=planned.limit)
        if job.task.sha256 != planned.task_sha256:
            what = "the task's items have changed since the run began; put the files back, or start a new run"
            raise InputError([Problem(path=str(path), what=what)])
        workshop = Workshop(concurrency=concurrency, meter=meter, say=progress.say, budget=spending)
        job, cast, _ = cast_of(job, workshop)
        same_inputs(manifest, workshop, path)
        return _worked(path, job, cast, workshop, manifest, meter, progress)


def _worked(
    path: Path,
    job: ClassifyJob,
    cast: ClassifyCast,
    workshop: Workshop,
    manifest: Mapping[str, Any],
    meter: Meter,
    progress: Progress,
) -> Concluded:
    """Carry a job out in its folder, whose lock is held, and write what it comes to."""
    stopped = carried_out(
        path,
        workshop,
        lambda journal: ClassifyExecutor(job=job, cast=cast, run=path, journal=journal, progress=progress).work(),
    )
    notes = list(dict.fromkeys([*manifest["notes"], *cast.notes()]))
    whole = {**manifest, "notes": notes, "tokens": meter.tokens_json(manifest.get("tokens"))}
    made, stopped = conclude(path, whole, stopped, job.items, workshop)
    return path, made, stopped


def conclude(
    run: Path, manifest: Mapping[str, Any], stopped: Stop | None, items: Sequence[Item], workshop: Workshop
) -> tuple[Classified, Stop | None]:
    """Write figures, tables, pictures and reports of what is on disk, and `complete` into the manifest."""
    try:
        write_whole(run / MANIFEST, as_json(manifest))
        found = find(run, seals=False)
        complete = stopped is None and is_complete(found)
        made = classified(found, complete=complete)
        write(run, made, items, _training(workshop))
        write_whole(run / MANIFEST, as_json({**manifest, "complete": complete, "seals": seal(run, manifest)}))
    except RunStopped as full:
        return classified(find(run, seals=False), complete=False), stopped or full
    return made, stopped


def _training(workshop: Workshop) -> dict[str, Any] | None:
    """What the candidate's own training took, where its checkpoint says so."""
    if "candidate" not in workshop.weights:
        return None
    base, adapter = workshop.weights["candidate"]
    return training_of(adapter or base)


def write(run: Path, made: Classified, items: Sequence[Item], training: Mapping[str, Any] | None) -> None:
    """Write every file of a run's results."""
    from harness.classify.markdown import render
    from harness.classify.page import pieces
    from harness.classify.pictures import draw

    write_whole(run / "summary.json", as_json(made.as_json()))
    report = replace(report_of(made, training), wrong=wrong_of(made.found.predictions, items))
    write_whole(run / "report.md", render(report))
    write_whole(run / "report.html", pieces(report))
    write_files(run, made, items, training)
    draw(run, made)


def report_of(made: Classified, training: Mapping[str, Any] | None = None) -> ClassifyReport:
    """The report of a run, with what the candidate's own training took where that is known."""
    manifest = made.found.manifest
    head = manifest["candidate"]["text"]
    facts = {"task": f"{manifest['task']['name']}, {manifest['suite'].get('on', 'test')}"}
    if manifest.get("mode"):
        facts["asked by"] = _asked_by(manifest)
    if manifest.get("template"):
        facts["template"] = str(manifest["template"])
    if manifest.get("examples"):
        facts["examples"] = f"{len(manifest['examples'])} of the training split, seed {manifest['seeds']['examples']}"
    return ClassifyReport(
        title=(str(manifest["suite"]["name"]), str(head)),
        summary=made.summary,
        facts=facts,
        goal=made.goal,
        took=tuple(took(made, training)),
        offsets=tuple(sentences(made.thresholded)),
    )


def _asked_by(manifest: Mapping[str, Any]) -> str:
    """How a candidate was asked: of likelihoods also by what they are divided, and in what form the text stands."""
    mode = str(manifest["mode"])
    if mode != "likelihood":
        return mode
    divided = (manifest["suite"].get("method") or {}).get("normalise") or "none"
    over = {
        "none": "summed over a label's tokens",
        "tokens": "divided by a label's tokens",
        "bytes": "divided by the bytes of a label's word",
    }
    chat = manifest.get("chat")
    form = "" if chat is None else ", in the model's chat template" if chat else ", as plain text"
    return f"likelihood ({over[divided]}{form})"


def _finish(path: Path, made: Classified, stopped: Stop | None, *, as_json: bool, gate: bool = False) -> int:
    def verdict() -> int:
        return gravest([exit_code(made.goal), leakage_gate(made.found.leakage) if gate else 0])

    told = partial(show, made, as_json=as_json)
    return ended(path, stopped, complete=made.summary.complete, as_json=as_json, show=told, verdict=verdict)


def show(made: Classified, *, as_json: bool) -> None:
    """Print a run's report: for a terminal, or as the contract's object."""
    if as_json:
        sys.stdout.write(json.dumps(made.as_json(), ensure_ascii=False, indent=2, allow_nan=False) + "\n")
        sys.stdout.flush()
    else:
        files.show(report_of(made), as_json=False)


def analyze(path: Path, *, out: Path | None, as_json: bool) -> int:
    """`harness analyze` of a classify run's folder."""
    found = find(path)
    made = classified(found, complete=is_complete(found))
    if out is not None:
        folder.free(out)
        out.mkdir(parents=True, exist_ok=True)
        write(out, made, _items_again(found), None)
    show(made, as_json=as_json)
    return 0


def _items_again(found: Found) -> Sequence[Item]:
    """The items of a run, read once more for their texts; none where they are gone, or are others by now."""
    planned = found.planned
    try:
        job = job_of(planned.suite, planned.candidate, seed=planned.seed, limit=planned.limit)
    except InputError:
        return ()
    return job.items if job.task.sha256 == planned.task_sha256 else ()


def dry_run(path: Path, options: Options, *, as_json: bool, print_plan: Callable[..., int]) -> int:
    """`harness run --dry-run`: what would be asked, from the suite and its task's files."""
    from harness.models.spec import parse

    suite = load(path, options.changes)
    given = options.candidate or suite.keys.candidate
    if given is None:
        raise InputError(f"the suite {suite.name!r} names no candidate; add --candidate SPEC")
    spec = parse(given, role="candidate", folder=Path() if options.candidate else suite.folder)
    seed = suite.keys.seed if options.seed is None else options.seed
    job = job_of(suite, spec, seed=seed, limit=options.limit)
    calls = len(job.items) if spec.kind in API else 0
    value = {
        "suite": suite.name,
        "n_items": len(job.items),
        "candidate": given,
        "mode": suite.keys.method.mode or "as the candidate is",
        "labels": list(job.labels),
        "validation_items": len(job.validation) if spec.kind not in (*API, "recorded") else 0,
        "calls": calls,
        **({"notes": list(job.task.told)} if as_json else {}),
    }
    return print_plan(value, *job.task.told, as_json=as_json)
