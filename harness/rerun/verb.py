"""`harness rerun`: asks a run's question again, replays it, or asks its judges again; arguments in, exit code out."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from harness import collect, folder
from harness.errors import HarnessError, InputError, RunStopped
from harness.job import from_manifest
from harness.launch import same_inputs
from harness.models.meter import Meter
from harness.progress import showing
from harness.rerun import again, sound
from harness.rerun.compare import Rerun, compared, ran
from harness.rerun.noise import noise_of
from harness.rerun.words import told
from harness.workshop import Workshop


def rerun(run: Path, *, times: int, out: Path | None, concurrency: int, as_json: bool) -> int:
    """Generate and judge afresh, and say how far the runs lie apart: exit code 0, 4 or 130; raises InputError for 2."""
    manifest = again.complete_run(run)
    sound.require(run)
    noise = noise_of(from_manifest(manifest))
    if not noise.any:
        show(_report(compared([ran(run)], can_differ=False, notes=noise.notes), as_json=as_json))
        return 0
    beside = out or run.resolve().parent
    meter = Meter()
    with showing(meter) as progress:
        series = again.make(
            run, manifest, times=times, beside=beside, concurrency=concurrency, meter=meter, progress=progress
        )
    found = compared([ran(path) for path in (run, *series.paths)], can_differ=True, notes=noise.notes)
    if isinstance(series.stopped, InputError):
        raise series.stopped
    show(_report(found, as_json=as_json))
    return _ended(series, f"harness rerun {run} --times {times}" + (f" --out {out}" if out else ""))


def _ended(series: again.Series, command: str) -> int:
    if isinstance(series.stopped, HarnessError):
        print(f"error: {series.stopped}", file=sys.stderr)
    for path in series.paths:
        print(f"{path / 'report.html'}", file=sys.stderr)
    if isinstance(series.stopped, KeyboardInterrupt):
        print(f"interrupted; `{command}` goes on", file=sys.stderr)
        return 130
    if series.stopped is not None or not folder.read_manifest(series.paths[-1]).get("complete"):
        print(f"incomplete; `{command}` goes on, and pays for nothing twice", file=sys.stderr)
        return RunStopped.exit_code
    return 0


def verify(run: Path, *, concurrency: int, as_json: bool) -> int:
    """Replay a run: exit code 0 the same, 1 different, 3 where nothing could be verified; raises InputError for 2."""
    from harness.rerun import told as words
    from harness.rerun import verify as verifying

    # A checkpoint that is not here any more is not fetched from a hub: a replay asks no network.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    meter = Meter()
    with showing(meter) as progress:
        found = verifying.verify(run, Workshop(concurrency=concurrency, meter=meter, say=progress.say))
    show(printed(found.as_json()) if as_json else words.verified(run, found))
    return {"same": 0, "different": 1, "nothing verified": 3}[found.outcome]


def rejudge(run: Path, *, wanted: int, seed: int | None, concurrency: int, as_json: bool) -> int:
    """Ask a run's judges again: exit code 0, 4 where an answer is missing, or 130; raises InputError for 2."""
    from harness.rerun import rejudge as asking
    from harness.rerun import told as words

    meter, nonce = Meter(), asking.new_nonce()
    sound.require(run)
    with folder.reopen(run) as manifest, showing(meter) as progress:
        found = collect.find(run)
        drawn = found.job.suite.seed if seed is None else seed
        workshop = Workshop(concurrency=concurrency, meter=meter, say=progress.say)
        plan = asking.plan(found, workshop, wanted=wanted, seed=drawn, nonce=nonce)
        same_inputs(manifest, workshop, run)
        if not 1 <= wanted <= len(found.prompts):
            progress.say(f"--rejudge {wanted}: the run has {len(found.prompts)} prompts, and all are asked about")
        kept, stopped = asking.ask(
            found, plan, run=run, nonce=nonce, concurrency=concurrency, workshop=workshop, progress=progress
        )
        result = asking.figures(found, plan, kept, seed=drawn, stopped=stopped)
    if isinstance(stopped, InputError):
        raise stopped
    show(printed(result.as_json()) if as_json else words.rejudged(run, result))
    if isinstance(stopped, HarnessError):
        print(f"error: {stopped}", file=sys.stderr)
    if isinstance(stopped, KeyboardInterrupt):
        print(f"interrupted; what was answered is kept in {kept}", file=sys.stderr)
        return 130
    if not result.complete:
        print(f"incomplete; the figures are of what was answered, which is kept in {kept}", file=sys.stderr)
        return RunStopped.exit_code
    return 0


def _report(found: Rerun, *, as_json: bool) -> str:
    return printed(found.as_json()) if as_json else told(found)


def printed(value: dict[str, Any]) -> str:
    """The one object of --json."""
    return json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def show(text: str) -> None:
    """Figures to stdout."""
    sys.stdout.write(text)
    sys.stdout.flush()
