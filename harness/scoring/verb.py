"""`harness run`, `resume` and `analyze` on score suites, score runs and scores files: from arguments to exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from harness import folder
from harness.carrying import Stop, ended, leakage_gate
from harness.errors import InputError, RunStopped
from harness.folder import MANIFEST, as_json, write_whole
from harness.goal import exit_code, gravest
from harness.launch import Options, Resolve, same_inputs
from harness.models.budget import budget
from harness.models.meter import Meter
from harness.models.spec import Spec
from harness.progress import showing
from harness.records import ScoreRecord, on_disk
from harness.scoring.cast import cast_of
from harness.scoring.collect import find, is_complete, summary_of
from harness.scoring.files import of_files
from harness.scoring.job import from_manifest
from harness.scoring.launch import carry_out, plan_job
from harness.scoring.maps import refuse_others
from harness.scoring.report import ScoreReport, report_of
from harness.scoring.run import SCORES
from harness.seal import seal
from harness.suite import Suite
from harness.workshop import Workshop
from judges.build import LAST_TURN_ONLY
from judges.types import Prompt


def run(suite: Suite, options: Options, *, out: Path | None, as_json: bool, resolve: Any, gate: bool = False) -> int:
    """`harness run` on a score suite: exit code 0, 1 (leakage, with `gate`), 3, 4 or 130; raises InputError for 2."""
    if out is not None:
        folder.free(out)
    meter = Meter()
    with showing(meter) as progress:
        settle: Resolve = lambda spec: resolve(spec, progress.moved)  # noqa: E731
        job, cast, manifest, workshop = plan_job(suite, options, settle, meter=meter, say=progress.say)
        place = out or folder.default_out(suite.name, manifest)
        with folder.create(place, manifest) as path:
            names = ", ".join(bench.grader.name for bench in cast.benches)
            progress.say(f"{suite.name}: {len(job.suite.prompts)} prompts, graded by {names} → {path}")
            stopped = carry_out(job, cast, workshop, path, progress)
            report, stopped = conclude(path, {**manifest, "tokens": meter.tokens_json()}, stopped)
    return _finish(path, report, stopped, as_json=as_json, gate=gate)


def resume(path: Path, *, concurrency: int, as_json: bool, max_cost: float | None = None) -> int:
    """`harness resume` of a score run: goes on from what is on disk; exit codes as `run`."""
    spending = budget(max_cost)
    with folder.reopen(path) as manifest:
        job = from_manifest(manifest)
        meter = Meter()
        with showing(meter) as progress:
            workshop = Workshop(concurrency=concurrency, meter=meter, say=progress.say, budget=spending)
            cast = cast_of(job, workshop)
            same_inputs(manifest, workshop, path)
            lines = [(name, row) for name in SCORES.values() for row in on_disk(path / name, ScoreRecord)]
            refuse_others(path, job.judges, lines)
            stopped = carry_out(job, cast, workshop, path, progress)
            tokens = meter.tokens_json(manifest.get("tokens"))
            report, stopped = conclude(path, {**manifest, "tokens": tokens}, stopped)
    return _finish(path, report, stopped, as_json=as_json)


def conclude(run: Path, manifest: Mapping[str, Any], stopped: Stop | None) -> tuple[ScoreReport, Stop | None]:
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


def write(run: Path, report: ScoreReport) -> None:
    """Write summary.json, report.md and report.html into a folder."""
    from harness.scoring.markdown import render
    from harness.scoring.page import pieces

    write_whole(run / "summary.json", as_json(report.summary.as_json()))
    write_whole(run / "report.md", render(report))
    write_whole(run / "report.html", pieces(report))


def _finish(
    path: Path, report: ScoreReport, stopped: BaseException | None, *, as_json: bool, gate: bool = False
) -> int:
    summary = report.summary

    def verdict() -> int:
        leaked = leakage_gate(summary.leakage) if gate else 0
        return gravest([leaked, exit_code(summary.goal), 0 if summary.graded else 3])

    told = partial(show, report, as_json=as_json)
    return ended(path, stopped, complete=summary.complete, as_json=as_json, show=told, verdict=verdict)


def dry_run(
    suite: Suite, options: Options, prompts: Sequence[Prompt], repeats: Mapping[str, int], specs: Sequence[Spec]
) -> dict[str, Any]:
    """What `harness run --dry-run` says of a score suite: who would be asked how often."""
    contestants = [options.candidate or suite.candidate, options.baseline or suite.baseline]
    sides = sum(who is not None for who in contestants)
    last = sum(repeats[prompt.id] for prompt in prompts)
    each = sum(repeats[prompt.id] * len(prompt.turns) for prompt in prompts)
    gradings = {
        spec.text: sides * suite.judge_repeats * (last if spec.kind in LAST_TURN_ONLY else each) for spec in specs
    }
    return {
        "suite": suite.name,
        "n_prompts": len(prompts),
        "candidate": contestants[0],
        "baseline": contestants[1],
        **({"goal": str(suite.goal)} if suite.goal is not None else {}),
        "judges": [spec.text for spec in specs],
        "modes": {spec.text: spec.asking.mode for spec in specs if spec.asking.mode is not None},
        "responses": sides * last,
        "answers": sides * each,
        "gradings": sum(gradings.values()),
        "calls": sum(gradings[spec.text] for spec in specs if spec.kind in ("openai", "anthropic")),
    }


def show(report: ScoreReport, *, as_json: bool) -> None:
    """Print a report: for a terminal, or as the contract's object."""
    if as_json:
        text = json.dumps(report.summary.as_json(), ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    else:
        from harness.scoring import text as terminal

        text = terminal.render(report)
    sys.stdout.write(text)
    sys.stdout.flush()


def analyze(paths: Sequence[Path], *, out: Path | None, as_json: bool) -> int:
    """`harness analyze` of one score run, or of scores files taken together."""
    if out is not None:
        folder.free(out)
    if len(paths) == 1 and paths[0].is_dir():
        found = find(paths[0])
        report = report_of(found, summary_of(found, complete=is_complete(found)))
    else:
        runs = [path for path in paths if path.is_dir()]
        if runs:
            raise InputError(f"{runs[0]}: score runs are analyzed one by one; give it alone, or scores files")
        summary = of_files(paths)
        report = ScoreReport(title=(", ".join(path.name for path in paths),), summary=summary)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write(out, report)
    show(report, as_json=as_json)
    return 0
