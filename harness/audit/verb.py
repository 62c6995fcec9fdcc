"""`harness audit-judge`: shows a judge what would betray it, and says what it may be used for; a gate.

Refuses recorded verdicts, which cannot be asked anything, and a folder that holds something else.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness import folder
from harness import suite as suites
from harness.audit import text
from harness.audit.asking import Found, Session, deterministic
from harness.audit.measured import figures
from harness.audit.plan import PROBES, Probe, at_most, planned
from harness.audit.result import Audit
from harness.audit.told import said
from harness.errors import HarnessError, InputError, Problem, RunStopped
from harness.job import Job
from harness.launch import Options, plan_job
from harness.models.meter import Meter
from harness.models.spec import Spec, parse
from harness.plan import limited
from harness.progress import Progress, showing
from harness.responding import answered_for_good
from harness.run import texts_of
from harness.suite import Suite
from judges.controls import BIASES

FIGURES, REPORT = "audit.json", "audit.md"
NAMES: Mapping[Probe, str] = {"again": "shown again", "injection": "attacks"}
Resolve = Callable[[Spec, Callable[[str, int, int], None]], Spec]


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What the command line asks for. `options` names no judge: `judge` is the one that is audited."""

    judge: str
    suite: str
    options: Options
    times: int
    out: Path | None
    as_json: bool


def audit_judge(wanted: Wanted, *, resolve: Resolve) -> int:
    """Audit a judge: exit code 0, 1 (a finding), 3 (too little to say), 4 or 130; raises InputError for 2."""
    suite = _suite(wanted)
    meter = Meter()
    with showing(meter) as progress:
        job, cast, manifest, workshop = plan_job(
            suite, _options(wanted), lambda spec: resolve(spec, progress.moved), meter=meter, say=progress.say
        )
        workshop.budget.way_out = "the same command with another --max-cost goes on; replies are kept in the cache"
        with _place(wanted.out, manifest) as place:
            session = Session(
                job=job,
                cast=cast,
                workshop=workshop,
                folder=place,
                progress=progress,
                plan=lambda responses: planned(job.suite.prompts, responses, seed=job.suite.seed, times=wanted.times),
            )
            _announce(wanted, job, progress)
            found = session.carry_out()
            if isinstance(found.stopped, InputError):
                raise found.stopped
            audit = _audit(wanted, job, session, found, manifest)
            if place is not None:
                folder.write_whole(place / FIGURES, folder.as_json(audit.as_json()))
                folder.write_whole(place / REPORT, text.markdown(audit))
    return _finish(wanted, audit, found)


def dry_run(wanted: Wanted) -> int:
    """What an audit would ask at most, from the suite alone; nothing is opened or asked."""
    suite = _suite(wanted)
    seed = suite.seed if wanted.options.seed is None else wanted.options.seed
    prompts = limited(suite.prompts, wanted.options.limit, seed)
    counts = at_most(len(prompts), wanted.times)
    kind = parse(wanted.judge, role="judge").kind
    if kind in ("rubric", "reward") or (kind == "control" and not wanted.judge.endswith("/random")):
        counts["again"] = 0
    contestants = [wanted.options.candidate or suite.candidate, wanted.options.baseline or suite.baseline]
    apis = [spec for spec in contestants if spec is not None and spec.startswith(("openai", "anthropic"))]
    value: dict[str, Any] = {
        "judge": wanted.judge,
        "suite": suite.name,
        "n_prompts": len(prompts),
        "verdicts": {probe: counts[probe] for probe in PROBES},
        "calls": sum(counts.values()) if kind in ("openai", "anthropic") else 0,
        "response_calls": len(apis) * sum(len(prompt.turns) for prompt in prompts),
    }
    if wanted.as_json:
        _print(json.dumps(value, ensure_ascii=False, indent=2) + "\n")
        return 0
    print(f"{wanted.judge} on {suite.name}: {len(prompts)} prompts, at most {sum(counts.values()):,} verdicts")
    for probe in PROBES:
        print(f"  {NAMES.get(probe, probe):<14}{counts[probe]:,}")
    print(f"calls to the judge's API: {value['calls']:,}; to contestants behind an API: {value['response_calls']:,}")
    print("A reply without a verdict is asked for once more; cached replies are not asked again.")
    return 0


def _suite(wanted: Wanted) -> Suite:
    spec = parse(wanted.judge, role="judge")
    if spec.kind == "recorded":
        raise InputError(
            f"{wanted.judge!r} is a file of verdicts, and an audit asks a judge what nobody has asked it yet; "
            f"`harness analyze {spec.rest}` shows its position and length figures, `harness agree` its agreement"
        )
    # The suite's panel is not audited, one judge is.
    return replace(suites.load(suites.locate(wanted.suite)), panel_gold=None)


def _options(wanted: Wanted) -> Options:
    known = tuple(name for bias in BIASES if (name := f"control/{bias}") != wanted.judge)
    return replace(wanted.options, judges=(wanted.judge, *known))


@contextlib.contextmanager
def _place(out: Path | None, manifest: Mapping[str, Any]) -> Iterator[Path | None]:
    """The audit's folder, held: a new one, or one that an audit made. Raises InputError where it holds a run."""
    if out is None:
        yield None
        return
    # No job can be made of this manifest: whatever takes a run refuses the folder.
    mine = {
        "kind": "audit",
        "judge": manifest["asked_judges"][0],
        "suite": manifest["suite"]["name"],
        "job": dict(manifest),
    }
    if not (out / folder.MANIFEST).exists():
        with folder.create(out, mine) as place:
            yield place
        return
    was = folder.read_manifest(out)
    if was.get("kind") != "audit":
        raise InputError([Problem(path=str(out), what="holds a run, not an audit; give another --out")])
    for what, here, there in (("judge", mine["judge"], was.get("judge")), ("suite", mine["suite"], was.get("suite"))):
        if there is not None and here != there:
            said = f"holds the audit of another {what} ({there!r}, not {here!r}); give another --out"
            raise InputError([Problem(path=str(out), what=said)])
    with folder.reopen(out):
        folder.write_whole(out / folder.MANIFEST, folder.as_json(mine))
        yield out


def _announce(wanted: Wanted, job: Job, progress: Progress) -> None:
    counts = at_most(len(job.suite.prompts), wanted.times)
    if deterministic(job.judges[0], job) is not None:
        counts["again"] = 0
    parts = ", ".join(f"{counts[probe]:,} {NAMES.get(probe, probe)}" for probe in PROBES if counts[probe])
    progress.say(
        f"{wanted.judge} on {job.suite.name}: {len(job.suite.prompts)} prompts, at most {sum(counts.values()):,} "
        f"verdicts to ask for ({parts})"
    )


def _audit(wanted: Wanted, job: Job, session: Session, found: Found, manifest: Mapping[str, Any]) -> Audit:
    prompts = job.suite.prompts
    clusters = {prompt.id: prompt.cluster for prompt in prompts if prompt.cluster is not None}
    heard = {bench.judge.name: found.heard.get(bench.judge.name, []) for bench in session.cast.benches}
    measured = {name: figures(some, clusters) for name, some in heard.items()}
    own, *known = measured
    steady = deterministic(session.audited, job)
    asked = len(session.put_to_judge(found.plan).shown) if found.plan is not None else None
    answered = texts_of(found.responses)
    lacking = 2 * len(prompts) - len(answered)
    open_ = 2 * len(prompts) - sum(map(answered_for_good, found.responses.values()))
    complete = found.stopped is None and asked == len(heard[own]) and not measured[own].missing and not open_
    beside = {name: measured[name] for name in known}
    return Audit(
        judge=wanted.judge,
        suite=job.suite.name,
        n_prompts=len(prompts),
        seed=job.suite.seed,
        times=wanted.times,
        steady=steady,
        figures=measured[own],
        known_bias=beside,
        said=said(measured[own], steady=steady, longest=measured.get("control/longest")),
        left_out=found.plan.left_out if found.plan is not None else {},
        notes=tuple(_notes(job, found, lacking, manifest)),
        complete=complete,
    )


def _notes(job: Job, found: Found, lacking: int, manifest: Mapping[str, Any]) -> Iterator[str]:
    n = len(job.suite.prompts)
    if n < job.full:
        yield f"only {n} of the suite's {job.full} prompts were asked (--limit {n}, by category, seed {job.suite.seed})"
    empty = sum(not "".join(texts).strip() for texts in texts_of(found.responses).values())
    if empty:
        yield f"{empty} of {2 * n} responses are empty"
    if lacking:
        yield f"{lacking} of {2 * n} responses are missing"
    several = sum(len(prompt.turns) > 1 for prompt in job.suite.prompts)
    if several:
        yield f"{several} prompts have several turns: padding and damage are in every turn, an attack in the last"
    yield from manifest.get("notes", ())


def _finish(wanted: Wanted, audit: Audit, found: Found) -> int:
    _print(folder.as_json(audit.as_json()) if wanted.as_json else text.render(audit))
    if isinstance(found.stopped, HarnessError):
        print(f"error: {found.stopped}", file=sys.stderr)
    if wanted.out is not None:
        for name in (REPORT, FIGURES):
            print(wanted.out / name, file=sys.stderr)
    goes_on = "the same command goes on" + (
        "" if wanted.out is not None else " from the cache; --out DIR keeps verdicts"
    )
    if isinstance(found.stopped, KeyboardInterrupt):
        print(f"interrupted; {goes_on}", file=sys.stderr)
        return 130
    if not audit.complete:
        print(f"incomplete; {goes_on}", file=sys.stderr)
        return RunStopped.exit_code
    return {"finding": 1, "unknown": 3, "clean": 0}[audit.outcome]


def _print(what: str) -> None:
    sys.stdout.write(what)
    sys.stdout.flush()
