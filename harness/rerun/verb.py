"""`harness rerun`: asks a run's question again, replays it, or asks its judges again; arguments in, exit code out."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, InputError, RunStopped
from harness.job import from_manifest
from harness.models.meter import Meter
from harness.progress import showing
from harness.rerun import again
from harness.rerun.compare import Rerun, compared, ran
from harness.rerun.noise import noise_of
from harness.rerun.words import told


def rerun(run: Path, *, times: int, out: Path | None, concurrency: int, as_json: bool) -> int:
    """Generate and judge afresh, and say how far the runs lie apart: exit code 0, 4 or 130; raises InputError for 2."""
    manifest = again.complete_run(run)
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
    if series.stopped is not None or not again.folder.read_manifest(series.paths[-1])["complete"]:
        print(f"incomplete; `{command}` goes on, and pays for nothing twice", file=sys.stderr)
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
