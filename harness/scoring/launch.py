"""From a score suite and the command line to a job, and from a job to a run that is carried out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.carrying import Stop, carried_out
from harness.errors import InputError
from harness.folder import MANIFEST
from harness.launch import Options, Resolve, named_spec, settled_judges
from harness.leakage import guard
from harness.models.budget import Budget, budget
from harness.models.meter import Meter
from harness.models.recorded import RecordedResponses
from harness.models.spec import Spec
from harness.plan import limited
from harness.progress import Progress
from harness.scoring.cast import cast_of, kin, notes
from harness.scoring.job import ScoreJob, to_manifest
from harness.scoring.run import ScoreCast, ScoreExecutor
from harness.suite import Suite
from harness.workshop import Given, Workshop


def plan_job(
    suite: Suite,
    options: Options,
    resolve: Resolve,
    *,
    meter: Meter,
    say: Callable[[str], None],
    given: Mapping[str, Given] | None = None,
    spending: Budget | None = None,
) -> tuple[ScoreJob, ScoreCast, dict[str, Any], Workshop]:
    """The job of a score suite, its cast, and its manifest. Raises InputError on anything known before a call.

    `given` holds contestants by role that are not to be opened from their specs; `spending` is the budget of a command
    that makes several runs, else this run has that of --max-cost.
    """
    if options.stop_early or options.panel is not None:
        raise InputError("--stop-early and --panel belong to pairwise suites; leave them out")
    spending = spending or budget(options.max_cost)
    seed = suite.seed if options.seed is None else options.seed
    suite = replace(suite, seed=seed, repeats=options.repeats or suite.repeats)
    candidate = named_spec(suite, options, "candidate", resolve)
    if candidate is None:
        raise InputError(f"the suite {suite.name!r} names no candidate; add --candidate SPEC")
    full = Counter(prompt.category or "" for prompt in suite.prompts)
    asked = replace(suite, prompts=limited(suite.prompts, options.limit, seed))
    job = ScoreJob(
        suite=asked,
        candidate=candidate,
        baseline=_baseline(suite, options, resolve),
        judges=settled_judges(suite, options, resolve),
        repeats={},
        full=dict(full),
        check_batching=options.check_batching or 0,
    )
    workshop = Workshop(concurrency=options.concurrency, meter=meter, say=say, given=given, budget=spending)
    cast = cast_of(job, workshop)
    job = replace(job, repeats=_repeats(asked, cast))
    leaked, unknown = guard.compare(workshop.weights, asked.prompts)
    extra = {
        "judge_names": [bench.grader.name for bench in cast.benches],
        "scales": {bench.grader.name: list(bench.grader.scale) for bench in cast.benches},
        "fingerprints": workshop.fingerprints,
        "warnings": workshop.warnings,
        "notes": [*notes(workshop, job), *kin(job, cast, workshop), *unknown],
        "leakage": leaked.as_json() if leaked is not None else None,
        "limit": options.limit,
    }
    return job, cast, to_manifest(job, fingerprints=extra), workshop


def _baseline(suite: Suite, options: Options, resolve: Resolve) -> Spec | None:
    """The baseline where there is one; an earlier run's folder stands for what its candidate answered there."""
    text = options.baseline or suite.baseline
    folder = Path() if options.baseline else suite.folder
    if text is not None and (folder / text / MANIFEST).is_file():
        return Spec(text=text, kind="recorded", rest=text, folder=folder)
    return named_spec(suite, options, "baseline", resolve)


def _repeats(suite: Suite, cast: ScoreCast) -> dict[str, int]:
    """Samples of every prompt: its own number, the suite's, else as many as all recorded contestants hold, else 1."""
    recorded = [side for side in cast.contestants.values() if isinstance(side, RecordedResponses)]
    every = len(recorded) == len(cast.contestants)
    return {
        prompt.id: prompt.repeats
        or suite.repeats
        or (min(side.samples(prompt.id) for side in recorded) if every else 1)
        for prompt in suite.prompts
    }


def carry_out(job: ScoreJob, cast: ScoreCast, workshop: Workshop, run: Path, progress: Progress) -> Stop | None:
    """Do a job in its folder (whose lock is held), as far as it goes. Returns what stopped it, or None."""
    return carried_out(
        run,
        workshop,
        lambda journal: ScoreExecutor(job=job, cast=cast, run=run, journal=journal, progress=progress).work(),
    )
