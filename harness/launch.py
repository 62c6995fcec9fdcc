"""From a suite and the command line to a job, and from a job to a run that is carried out.

The only place that builds contestants and judges from their specs. Checks everything that can be checked before the
first call: files, keys, fingerprints.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness import checkpoint
from harness.collect import find, is_complete, report_of, summary_of, write
from harness.errors import InputError, Problem, RunStopped
from harness.job import Job, distinct, to_manifest
from harness.journal import Journal
from harness.leakage import guard
from harness.models.anthropic import AnthropicModel
from harness.models.budget import Budget, budget
from harness.models.cache import ReplyCache
from harness.models.client import ApiModel
from harness.models.contestant import Contestant, ModelContestant
from harness.models.limits import Limits
from harness.models.meter import Meter
from harness.models.openai import OpenAIModel
from harness.models.prices import prices, told
from harness.models.recorded import RecordedResponses, RecordedVerdicts, file_sha256, load_responses, load_verdicts
from harness.models.spec import Spec, parse
from harness.models.weights import loadable, locate, require_extra
from harness.plan import limited
from harness.progress import Progress
from harness.report.data import Report
from harness.rerun.seal import seal
from harness.run import Bench, Cast, Executor, usable_records
from harness.suite import Suite
from judges import template
from judges.build import build
from judges.reward import Scorer

# What turns a recipe/… spec into an hf/… one. The command line hands it in; nothing here knows recipes.
Resolve = Callable[[Spec], Spec]
# What ends a run early; everything that was done is kept.
Stop = RunStopped | InputError | KeyboardInterrupt

APIS: dict[str, type[ApiModel]] = {"openai": OpenAIModel, "anthropic": AnthropicModel}


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What the command line may change of a suite."""

    candidate: str | None = None
    baseline: str | None = None
    judges: tuple[str, ...] = ()
    repeats: int | None = None
    limit: int | None = None
    seed: int | None = None
    concurrency: int = 32
    stop_early: bool = False
    max_cost: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """A contestant that stands in memory already (a model being trained), and what it is known by.

    `folders` are those of base and adapter, where the indexes of their training data lie; `standing` is what a reader
    must know of it.
    """

    contestant: Contestant
    fingerprint: str
    folders: guard.Weights
    standing: str


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
    seed = suite.seed if options.seed is None else options.seed
    suite = replace(suite, seed=seed, repeats=options.repeats or suite.repeats)
    specs = {role: _spec(suite, options, role, resolve) for role in ("candidate", "baseline")}
    judges = tuple(_judging(resolve(judge)) for judge in _judges(suite, options))
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
        "notes": [*notes, *workshop.notes(job), *unknown],
        "leakage": leaked.as_json() if leaked is not None else None,
        "limit": options.limit,
    }
    return job, cast, to_manifest(job, fingerprints=extra), workshop


def _spec(suite: Suite, options: Options, role: Any, resolve: Resolve) -> Spec:
    given = options.candidate if role == "candidate" else options.baseline
    text = given or (suite.candidate if role == "candidate" else suite.baseline)
    if text is None:
        raise InputError(f"the suite {suite.name!r} names no {role}; add --{role} SPEC")
    found = resolve(parse(text, role=role, folder=Path() if given else suite.folder))
    if found.kind == "reward":
        raise InputError(f"{text!r} is a reward model, which answers nothing; it can be a judge, not a {role}")
    return found


def _judging(spec: Spec) -> Spec:
    """A resolved judge. Raises InputError where a recipe made something that cannot judge."""
    if spec.kind == "hf":
        raise InputError(f"{spec.text!r} is no reward model, so it cannot be a judge; name a recipe of kind reward")
    return spec


def _judges(suite: Suite, options: Options) -> tuple[Spec, ...]:
    texts, folder = (options.judges, Path()) if options.judges else (suite.judges, suite.folder)
    if not texts:
        raise InputError(f"the suite {suite.name!r} names no judge; add --judge SPEC (rubric, openai/<model>, …)")
    distinct(texts, "judge")
    return tuple(parse(text, role="judge", folder=folder) for text in texts)


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


class Workshop:
    """Builds contestants and judges from specs, each endpoint, cache and checkpoint opened once.

    `weights` holds the folders of the local contestants by role.
    """

    def __init__(
        self,
        *,
        concurrency: int,
        meter: Meter,
        say: Callable[[str], None],
        given: Mapping[str, Given] | None = None,
        budget: Budget | None = None,
    ) -> None:
        self.concurrency, self.meter, self._say, self._given = concurrency, meter, say, given or {}
        self.budget = budget or Budget()
        self._prices = prices()
        self.fingerprints: dict[str, str] = {}
        self.warnings: dict[str, list[str]] = {}
        self.weights: dict[str, guard.Weights] = {}
        self._cache: ReplyCache | None = None
        self._limits = Limits(concurrency=concurrency)
        self._models: dict[str, ApiModel] = {}

    @property
    def cache(self) -> ReplyCache:
        """The user's reply cache, opened at first use."""
        if self._cache is None:
            self._cache = ReplyCache.open(say=self._say)
        return self._cache

    def cast(self, job: Job) -> Cast:
        """Everyone a job needs. Raises InputError where a file, a key, a checkpoint or a budget's price is missing."""
        if self.budget.limited:
            self._prices.require((job.candidate, job.baseline, *job.judges))
        candidate = self._contestant(job.candidate, "candidate", job)
        baseline = self._contestant(job.baseline, "baseline", job)
        benches = tuple(self.bench(spec, job) for spec in job.judges if spec.kind != "recorded")
        recorded = tuple(
            verdicts for spec in job.judges if spec.kind == "recorded" for verdicts in self._verdicts(spec)
        )
        cast = Cast(candidate=candidate, baseline=baseline, benches=benches, recorded=recorded)
        distinct(cast.names, "judge")
        return cast

    def _contestant(self, spec: Spec, role: Any, job: Job) -> Contestant:
        if role in self._given:
            given = self._given[role]
            self.fingerprints[role], self.weights[role] = given.fingerprint, given.folders
            self.warnings[role] = [given.standing]
            return given.contestant
        if spec.kind == "recorded":
            self.fingerprints[role] = file_sha256(spec.path)
            return load_responses(spec.path, role, job.suite.prompts)
        if spec.kind == "hf":
            return self._local(spec, role, job)
        model = self._model(spec)
        # Nobody sees the weights behind an API: its address and name are all there is to hold on to.
        self.fingerprints[role] = f"{model.url} {spec.rest}"
        return ModelContestant(model=model, concurrency=self.concurrency, nonce=job.nonce)

    def _weights(self, spec: Spec, name: str) -> tuple[Path, Path | None]:
        """A local checkpoint's folders; its fingerprint and what is to be said of it are kept under `name`."""
        require_extra(repr(spec.text))
        base_text, adapter_text = spec.parts
        base = locate(base_text, spec.text)
        adapter = locate(adapter_text, spec.text) if adapter_text else None
        base_sha256 = checkpoint.fingerprint(base)
        problems = loadable(base, adapter, base_sha256)
        if problems:
            raise InputError(problems)
        self.fingerprints[name] = checkpoint.pair_fingerprint(
            base_sha256, checkpoint.fingerprint(adapter) if adapter else None
        )
        self.warnings[name] = _unfinished(base, adapter)
        return base, adapter

    def _scorer(self, spec: Spec, nonce: str) -> Scorer:
        base, adapter = self._weights(spec, spec.text)
        from harness.models.reward import RewardScorer

        return RewardScorer(
            spec=spec.text,
            base=base,
            adapter=adapter,
            fingerprint=self.fingerprints[spec.text],
            cache=self.cache,
            meter=self.meter,
            nonce=nonce,
        )

    def _local(self, spec: Spec, role: str, job: Job) -> Contestant:
        base, adapter = self.weights[role] = self._weights(spec, role)
        from harness.models.huggingface import LocalContestant

        # A model that meets itself draws its samples apart; with one seed both sides would say the same.
        itself = role == "baseline" and self.fingerprints[role] == self.fingerprints.get("candidate")
        return LocalContestant(
            base=base,
            adapter=adapter,
            fingerprint=self.fingerprints[role],
            seed=job.suite.seed + 1 if itself else job.suite.seed,
            cache=self.cache,
            meter=self.meter,
            nonce=job.nonce,
        )

    def bench(self, spec: Spec, job: Job) -> Bench:
        """A judge that is asked. Raises InputError where its key, its weights or the prompts' checks are missing."""
        suite, asks = job.suite, spec.kind in APIS
        asked = self._model(spec) if asks else self._scorer(spec, job.nonce) if spec.kind == "reward" else None
        judge = build(
            spec.kind, name=spec.text, rest=spec.rest, asked=asked, sampling=suite.judge_sampling, nonce=job.nonce
        )
        if spec.kind == "rubric" and not any(prompt.checks for prompt in suite.prompts):
            raise InputError(
                f"the rubric judge needs prompts with 'checks'; {suite.name!r} has none, so give another --judge"
            )
        if asks:
            self.fingerprints[f"template of {spec.text}"] = template.load().sha256
        return Bench(judge=judge, controls=spec.kind != "control", workers=self.concurrency if asked else 1)

    def _verdicts(self, spec: Spec) -> tuple[RecordedVerdicts, ...]:
        self.fingerprints[spec.text] = file_sha256(spec.path)
        return load_verdicts(spec.path)

    def _model(self, spec: Spec) -> ApiModel:
        key = f"{spec.kind}@{spec.endpoint}/{spec.rest}"
        if key not in self._models:
            price = self._prices.of(spec)
            if price is not None:
                self._say(told(spec, price))
            self._models[key] = APIS[spec.kind].from_env(
                spec=spec.text,
                name=spec.endpoint,
                model=spec.rest,
                limits=self._limits,
                cache=self.cache,
                meter=self.meter,
                price=price,
                budget=self.budget,
            )
        return self._models[key]

    def notes(self, job: Job) -> list[str]:
        """What the reader must know of the contestants themselves."""
        said = [f"{role}: {warning}" for role, listed in self.warnings.items() for warning in listed]
        same = self.fingerprints.get("candidate") == self.fingerprints.get("baseline")
        if same and job.candidate.kind != "recorded":
            said.append("candidate and baseline are the same model; any difference is chance")
        return said

    async def aclose(self) -> None:
        """Close connections and the cache."""
        for model in self._models.values():
            await model.aclose()
        if self._cache is not None:
            self._cache.close()


def _unfinished(base: Path, adapter: Path | None) -> list[str]:
    """What manifests say that a reader must know: where training ended, and whose weights these are."""
    manifests = [checkpoint.find(path) for path in (base, adapter) if path is not None]
    return [made.standing for made in manifests if made is not None and made.standing is not None]


def carry_out(job: Job, cast: Cast, workshop: Workshop, run: Path, progress: Progress) -> Stop | None:
    """Do a job in its folder (whose lock is held), as far as it goes. Returns what stopped it, or None."""
    workshop.budget.way_out = f"`harness resume {run} --max-cost USD` goes on"

    async def work() -> None:
        journal = Journal(run)
        try:
            await Executor(job=job, cast=cast, run=run, journal=journal, progress=progress).work()
        finally:
            try:
                journal.close()
            finally:
                await workshop.aclose()

    try:
        asyncio.run(work())
    except (RunStopped, InputError, KeyboardInterrupt) as stopped:
        return stopped
    return None


def conclude(run: Path, manifest: Mapping[str, Any], stopped: Stop | None) -> tuple[Report, Stop | None]:
    """Write the figures and reports of what is on disk, and `complete` into the manifest.

    Returns the report and what stopped the run: a disk that has no room for a report stops it too.
    """
    found = find(run)
    complete = stopped is None and is_complete(found)
    report = report_of(found, summary_of(found, complete=complete))
    try:
        write(run, report, {**manifest, "complete": complete, "seals": seal(run)})
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
