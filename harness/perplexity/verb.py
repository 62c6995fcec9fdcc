"""`harness run`, `resume` and `analyze` on perplexity suites and runs: from arguments to exit code."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from harness import folder
from harness.carrying import Stop, ended, leakage_gate
from harness.errors import InputError, RunStopped
from harness.folder import MANIFEST, as_json, write_whole
from harness.goal import exit_code, gravest
from harness.launch import Options, Resolve, same_inputs
from harness.models.meter import Meter
from harness.perplexity.collect import find, is_complete, summary_of
from harness.perplexity.job import from_manifest
from harness.perplexity.launch import carry_out, device_of, measurers, plan_job, refuse, sides_of
from harness.perplexity.report import LossReport, report_of
from harness.plan import limited
from harness.progress import showing
from harness.seal import seal
from harness.suite import Suite
from harness.workshop import Workshop


def run(suite: Suite, options: Options, *, out: Path | None, as_json: bool, resolve: Any, gate: bool = False) -> int:
    """`harness run` on a perplexity suite: exit code 0, 1 (leakage, with `gate`), 3, 4 or 130; InputError for 2."""
    if out is not None:
        folder.free(out)
    meter = Meter()
    with showing(meter) as progress:
        settle: Resolve = lambda spec: resolve(spec, progress.moved)  # noqa: E731
        job, who, manifest, workshop = plan_job(suite, options, settle, meter=meter, say=progress.say)
        place = out or folder.default_out(suite.name, manifest)
        with folder.create(place, manifest) as path:
            progress.say(f"{suite.name}: the losses of {len(job.suite.prompts)} documents → {path}")
            stopped = carry_out(job, who, workshop, path, progress)
            report, stopped = conclude(path, manifest, stopped)
    return _finish(path, report, stopped, as_json=as_json, gate=gate)


def resume(path: Path, *, concurrency: int, as_json: bool) -> int:
    """`harness resume` of a perplexity run: goes on from what is on disk; exit codes as `run`."""
    with folder.reopen(path) as manifest:
        job = from_manifest(manifest)
        meter = Meter()
        with showing(meter) as progress:
            workshop = Workshop(concurrency=concurrency, meter=meter, say=progress.say)
            sides = sides_of(job, workshop)
            same_inputs(manifest, workshop, path)
            if manifest.get("device") != device_of(sides):
                raise InputError(
                    f"{path}: was begun on {manifest.get('device')}, and losses would now be read on "
                    f"{device_of(sides)}, which rounds otherwise; start a new run"
                )
            stopped = carry_out(job, measurers(job, sides, workshop), workshop, path, progress)
            report, stopped = conclude(path, manifest, stopped)
    return _finish(path, report, stopped, as_json=as_json)


def dry_run(suite: Suite, options: Options, *, as_json: bool) -> int:
    """`harness run --dry-run`: what would be measured, from the suite alone. Nothing is built, opened or written."""
    refuse(options)
    prompts = limited(suite.prompts, options.limit, suite.seed if options.seed is None else options.seed)
    value = {
        "suite": suite.name,
        "n_prompts": len(prompts),
        "candidate": options.candidate or suite.candidate,
        "baseline": options.baseline or suite.baseline,
        **({"goal": str(suite.goal)} if suite.goal is not None else {}),
        "categories": dict(sorted(Counter(prompt.category or "" for prompt in prompts).items())),
    }
    if as_json:
        sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")
    else:
        print(f"{suite.name}: the losses of {len(prompts)} documents, nothing generated and nothing paid for")
        for role in ("candidate", "baseline"):
            print(f"{role:<11}{value[role] or 'none'}")
    return 0


def conclude(run: Path, manifest: Mapping[str, Any], stopped: Stop | None) -> tuple[LossReport, Stop | None]:
    """Write figures and reports of what is on disk, and `complete` into the manifest."""
    found = find(run, seals=False)
    complete = stopped is None and is_complete(found)
    report = report_of(found, summary_of(found, complete=complete))
    try:
        write(run, report)
        write_whole(run / MANIFEST, as_json({**manifest, "complete": complete, "seals": seal(run, manifest)}))
    except RunStopped as full:
        return report_of(found, summary_of(found, complete=False)), stopped or full
    return report, stopped


def write(run: Path, report: LossReport) -> None:
    """Write summary.json, report.md and report.html into a folder."""
    from harness.perplexity.written import markdown, page

    write_whole(run / "summary.json", as_json(report.summary.as_json()))
    write_whole(run / "report.md", markdown(report))
    write_whole(run / "report.html", page(report))


def _finish(path: Path, report: LossReport, stopped: BaseException | None, *, as_json: bool, gate: bool = False) -> int:
    summary = report.summary

    def verdict() -> int:
        leaked = leakage_gate(summary.leakage) if gate else 0
        return gravest([leaked, exit_code(summary.goal), 0 if summary.whole.candidate.n else 3])

    told = partial(show, report, as_json=as_json)
    return ended(path, stopped, complete=summary.complete, as_json=as_json, show=told, verdict=verdict)


def show(report: LossReport, *, as_json: bool) -> None:
    """Print a report: for a terminal, or as the object of summary.json."""
    if as_json:
        text = json.dumps(report.summary.as_json(), ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    else:
        from harness.perplexity import text as terminal

        text = terminal.render(report)
    sys.stdout.write(text)
    sys.stdout.flush()


def analyze(run: Path, *, out: Path | None, as_json: bool) -> int:
    """`harness analyze` of one perplexity run."""
    if out is not None:
        folder.free(out)
    found = find(run)
    report = report_of(found, summary_of(found, complete=is_complete(found)))
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write(out, report)
    show(report, as_json=as_json)
    return 0
