"""From a suite and the command line to a job, and from a job to a run that is carried out.

Asks the workshop for contestants and judges, so that everything that can be checked is checked before the first call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from harness import goal as goals
from harness.carrying import Stop, carried_out
from harness.collect import find, is_complete, report_of, summary_of, write
from harness.decision import counting
from harness.errors import InputError, Problem, RunStopped
from harness.job import Job, distinct, to_manifest
from harness.judging import fits, fits_grading, settled, template_of
from harness.leakage import guard
from harness.models.budget import budget
from harness.models.meter import Meter
from harness.models.recorded import RecordedResponses
from harness.models.spec import Asking, Spec, parse
from harness.plan import limited
from harness.progress import Progress
from harness.report.data import Report
from harness.run import Cast, Executor, usable_records
from harness.seal import seal
from harness.suite import Suite
from harness.workshop import Given, Workshop
from judges.panel import Rule
from judges.types import Mode

# What turns a recipe/… spec into an hf/… one. The command line hands it in; nothing here knows recipes.
Resolve = Callable[[Spec], Spec]


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What the command line may change of a suite."""

    candidate: str | None = None
    baseline: str | None = None
    judges: tuple[str, ...] = ()
    judge_mode: Mode | None = None
    judge_template: str | None = None
    panel: Rule | None = None
    repeats: int | None = None
    limit: int | None = None
    seed: int | None = None
    concurrency: int = 32
    stop_early: bool = False
    max_cost: float | None = None
    check_batching: int | None = None
    variant: str | None = None
    changes: tuple[str, ...] = ()


def plan_job(
    suite: Suite,
    options: Options,
    resolve: Resolve,
    *,
    meter: Meter,
    say: Callable[[str], None],
    given: Mapping[str, Given] | None = None,
) -> tuple[Job, Cast, dict[str, Any], Workshop]:
    """The job of a suite, its cast, and its manifest. Raises InputError on anything that can be known before a call.

    `given` holds contestants by role that are not to be opened from their specs.
    """
    spending = budget(options.max_cost)
    if options.panel == "unanimous" and suite.panel_gold is not None:
        raise InputError(
            "a unanimous panel has no weights, and the suite's panel names a gold judge; give another --panel"
        )
    seed = suite.seed if options.seed is None else options.seed
    suite = replace(suite, seed=seed, repeats=options.repeats or suite.repeats, panel=options.panel or suite.panel)
    specs = {role: _spec(suite, options, role, resolve) for role in ("candidate", "baseline")}
    judges = settled_judges(suite, options, resolve)
    full = len(suite.prompts)
    suite = replace(suite, prompts=limited(suite.prompts, options.limit, seed))
    job = Job(
        suite=suite,
        candidate=specs["candidate"],
        baseline=specs["baseline"],
        judges=judges,
        repeats={},
        full=full,
        stop_early=options.stop_early,
    )
    if options.stop_early:
        _can_stop(job)
    workshop = Workshop(concurrency=options.concurrency, meter=meter, say=say, given=given, budget=spending)
    cast = workshop.cast(job)
    _gold_is_there(suite.panel_gold, cast.names)
    repeats, notes = _repeats(suite, cast)
    job = replace(job, repeats=repeats)
    notes += _unused_verdicts(cast, job)
    leaked, unknown = guard.compare(workshop.weights, suite.prompts)
    extra = {
        "recorded_judgments": {v.name: len(usable_records(v.judgments, repeats)) for v in cast.recorded},
        "judge_names": list(cast.names),
        "asked_judges": [bench.judge.name for bench in cast.benches],
        "fingerprints": workshop.fingerprints,
        "warnings": workshop.warnings,
        "notes": [*notes, *workshop.notes(job), *workshop.kin(job, cast), *unknown],
        "leakage": leaked.as_json() if leaked is not None else None,
        "limit": options.limit,
    }
    return job, cast, to_manifest(job, fingerprints=extra), workshop


def _spec(suite: Suite, options: Options, role: Any, resolve: Resolve) -> Spec:
    found = named_spec(suite, options, role, resolve)
    if found is None:
        raise InputError(f"the suite {suite.name!r} names no {role}; add --{role} SPEC")
    return found


def named_spec(suite: Suite, options: Options, role: Any, resolve: Resolve) -> Spec | None:
    """Who plays a role, resolved: the command line's, else the suite's; None where neither names one."""
    given = options.candidate if role == "candidate" else options.baseline
    text = given or (suite.candidate if role == "candidate" else suite.baseline)
    if text is None:
        return None
    found = resolve(parse(text, role=role, folder=Path() if given else suite.folder))
    if found.kind == "reward":
        raise InputError(f"{text!r} is a reward model, which answers nothing; it can be a judge, not a {role}")
    return found


def settled_judges(suite: Suite, options: Options, resolve: Resolve = lambda spec: spec) -> tuple[Spec, ...]:
    """The judges of a suite or a command line, each with how it is asked. Raises InputError."""
    texts, folder = (options.judges, Path()) if options.judges else (suite.judges, suite.folder)
    if not texts:
        raise InputError(f"the suite {suite.name!r} names no judge; add --judge SPEC (rubric, openai/<model>, …)")
    distinct(texts, "judge")
    given = options.judge_template
    settle = partial(
        settled,
        mode=options.judge_mode or suite.judge_mode,
        template=given or suite.judge_template,
        folder=Path() if given else suite.folder,
        criteria=bool(suite.criteria),
        kind=suite.kind,
    )
    found = []
    for text in texts:
        own = suite.asking.get(text, Asking())
        if options.judge_mode is not None and own.mode is not None:
            own = replace(own, mode=options.judge_mode)
        found.append(settle(resolve(replace(parse(text, role="judge", folder=folder), asking=own))))
    return tuple(found)


def fitting(suite: Suite) -> list[str]:
    """Everything about a suite's own judges that can be known without opening them, one sentence each."""
    said = []
    try:
        judges = settled_judges(suite, Options())
    except InputError as error:
        return [str(problem) for problem in error.problems]
    # A baseline may still be given, and what another judge's scale is shows when it is asked.
    scales = {spec.text: (0.0, 1.0) if spec.kind == "rubric" else None for spec in judges}
    unfit = goals.fits(suite.goal, scales) if suite.kind == "score" else None
    said += [unfit] if unfit is not None else []
    for spec in judges:
        try:
            found = template_of(spec, kind=suite.kind)
            if found is not None and suite.kind == "score":
                fits_grading(found, suite.prompts)
            elif found is not None:
                fits(found, suite.prompts, suite.criteria)
        except InputError as error:
            said += [f"{spec.text}: {problem}" for problem in error.problems]
    if all(spec.kind != "recorded" for spec in judges):
        try:
            _gold_is_there(suite.panel_gold, [spec.text for spec in judges])
        except InputError as error:
            said.append(str(error))
    return said


def _gold_is_there(gold: str | None, names: Sequence[str]) -> None:
    """Raise InputError where the judge that the others are weighed by is missing, or weighs nobody."""
    if gold is None:
        return
    if gold not in names:
        raise InputError(f"the panel's gold judge {gold!r} is not among the judges: {', '.join(names)}; add it")
    if len(counting(names, (), gold)) < 2:
        raise InputError(f"the panel's gold judge {gold!r} weighs fewer than two judges; add judges, or leave it out")


def _can_stop(job: Job) -> None:
    """Raise InputError where stopping early would be wrong, or would save nothing."""
    shared = [prompt.cluster for prompt in job.suite.prompts if prompt.cluster is not None]
    if len(set(shared)) < len(shared):
        raise InputError(
            f"--stop-early takes prompts as independent, and {len(shared)} prompts of {job.suite.name!r} share "
            f"{len(set(shared))} clusters; run without it"
        )
    if all(spec.kind in ("recorded", "control") for spec in job.judges):
        raise InputError("--stop-early saves calls, and no judge here is asked; run without it")


def _repeats(suite: Suite, cast: Cast) -> tuple[dict[str, int], list[str]]:
    """Samples of every prompt: the prompt's own number, the suite's, else as many as both recorded sides hold."""
    sides = [side for side in (cast.candidate, cast.baseline) if isinstance(side, RecordedResponses)]
    repeats: dict[str, int] = {}
    unused = 0
    for prompt in suite.prompts:
        held = [side.samples(prompt.id) for side in sides]
        wanted = prompt.repeats or suite.repeats or (min(held) if len(held) == 2 else 1)
        repeats[prompt.id] = wanted
        unused += sum(max(0, count - wanted) for count in held)
    return repeats, [f"{unused} recorded responses were not used (more samples than repeats)"] if unused else []


def _unused_verdicts(cast: Cast, job: Job) -> list[str]:
    notes = []
    for verdicts in cast.recorded:
        unused = len(verdicts.judgments) - len(usable_records(verdicts.judgments, job.repeats))
        if unused and len(job.suite.prompts) == job.full:
            notes.append(
                f"{verdicts.name}: {unused} recorded verdicts are about prompts or samples that are not in this run"
            )
    return notes


def carry_out(job: Job, cast: Cast, workshop: Workshop, run: Path, progress: Progress) -> Stop | None:
    """Do a job in its folder (whose lock is held), as far as it goes. Returns what stopped it, or None."""
    return carried_out(
        run,
        workshop,
        lambda journal: Executor(job=job, cast=cast, run=run, journal=journal, progress=progress).work(),
    )


def conclude(run: Path, manifest: Mapping[str, Any], stopped: Stop | None) -> tuple[Report, Stop | None]:
    """Write the figures and reports of what is on disk, and `complete` into the manifest.

    Returns the report and what stopped the run: a disk that has no room for a report stops it too.
    """
    found = find(run, seals=False)
    complete = stopped is None and is_complete(found)
    report = report_of(found, summary_of(found, complete=complete))
    try:
        write(run, report, {**manifest, "complete": complete, "seals": seal(run, manifest)})
    except RunStopped as full:
        return report_of(found, summary_of(found, complete=False)), stopped or full
    return report, stopped


def same_inputs(manifest: Mapping[str, Any], workshop: Workshop, run: Path) -> None:
    """Raise InputError where a checkpoint, a recorded file or a template is no longer what the run began with."""
    problems = [
        Problem(
            path=str(run),
            what=f"{name} has changed since the run began (SHA-256 {str(was)[:12]} then, "
            f"{workshop.fingerprints[name][:12]} now); put it back, or start a new run",
        )
        for name, was in manifest.get("fingerprints", {}).items()
        if name in workshop.fingerprints and workshop.fingerprints[name] != was
    ]
    if problems:
        raise InputError(problems)
