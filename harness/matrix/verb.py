"""`harness run`, `resume`, `analyze` and --dry-run on matrix suites: from arguments to exit code."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from harness import folder
from harness.classify import verb as classify
from harness.classify.suite import load as load_classify
from harness.errors import InputError, RunStopped
from harness.folder import MANIFEST, as_json, write_whole
from harness.job import git_state, versions
from harness.launch import Options
from harness.matrix import estimate
from harness.matrix.alike import check_items
from harness.matrix.results import Matrix, matrix_of
from harness.matrix.run import LOG, RUN, carry_out
from harness.matrix.suite import Cell, MatrixSuite, from_json, load
from harness.matrix.tables import write_results
from harness.matrix.text import render
from harness.matrix.watch import Lines, Log, Table, watching
from harness.matrix.written import write_cell
from harness.models.meter import Meter
from harness.report.numerals import plural

CellResult = tuple[float | None, tuple[float, float] | None]


def run(path: Path, options: Options, *, out: Path | None, as_json: bool, resolve: Any, gate: bool = False) -> int:
    """`harness run` on a matrix suite: exit code 0, 4 (cells failed) or 130; raises InputError for 2.

    With `gate` it is 1 where items of a cell stood in training data, and 3 where no cell could tell.
    """
    _belongs(options)
    if out is not None:
        folder.free(out)
    suite = load(path, options.variant, limit=options.limit, seed=options.seed, changes=options.changes)
    manifest = _manifest(suite, path)
    place = out or folder.default_out(suite.name, manifest)
    with folder.create(place, manifest) as made:
        return _worked(made, manifest, options.concurrency, as_json=as_json, resolve=resolve, gate=gate)


def resume(path: Path, *, concurrency: int, as_json: bool, resolve: Any) -> int:
    """`harness resume` of a matrix: does what is not done, and what failed once more; exit codes as `run`."""
    with folder.reopen(path) as manifest:
        source = manifest.get("source") or {}
        now = _sha256(Path(source["path"])) if source else None
        if now is not None and source.get("sha256") != now:
            print(
                f"{source['path']} has been edited since this matrix began: it goes on with the settings it began "
                "with; start a new one for others",
                file=sys.stderr,
            )
        return _worked(path, manifest, concurrency, as_json=as_json, resolve=resolve)


def suite_of(manifest: Mapping[str, Any]) -> MatrixSuite:
    """The suite that a matrix's manifest holds. Raises InputError where it is not whole."""
    try:
        return from_json(manifest["suite"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"the matrix's manifest.json is not whole ({error}); it cannot be gone on with") from None


def _belongs(options: Options) -> None:
    given = {
        "--candidate": options.candidate, "--baseline": options.baseline, "--judge": options.judges,
        "--judge-mode": options.judge_mode, "--judge-template": options.judge_template, "--panel": options.panel,
        "--repeats": options.repeats, "--stop-early": options.stop_early, "--max-cost": options.max_cost,
    }  # fmt: skip
    found = [name for name, value in given.items() if value]
    if found:
        raise InputError(f"{found[0]} has no use in a matrix, whose file names its models and modes; leave it out")


def _sha256(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def _manifest(suite: MatrixSuite, path: Path) -> dict[str, Any]:
    return {
        "complete": False,
        "source": {"path": str(path.resolve()), "sha256": _sha256(path)},
        "suite": suite.as_json(),
        "cells": [cell.name for cell in suite.cells()],
        "seeds": {"suite": suite.keys.seed},
        "versions": versions(),
        "git": git_state(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _worked(
    run: Path, manifest: Mapping[str, Any], concurrency: int, *, as_json: bool, resolve: Any, gate: bool = False
) -> int:
    suite = suite_of(manifest)
    log = Log(run / LOG)
    interrupted = False
    with watching(log) as watch:
        carry = partial(_cell, suite=suite, concurrency=concurrency, resolve=resolve, watch=watch)
        try:
            carry_out(run, suite, carry, watch)
        except KeyboardInterrupt:
            interrupted = True
    made = conclude(run, manifest)
    show(made, as_json=as_json)
    print(f"{run / 'report.md'}", file=sys.stderr)
    if interrupted:
        print(f"interrupted; `harness resume {run}` goes on", file=sys.stderr)
        return 130
    if not made.complete:
        print(f"incomplete; `harness resume {run}` runs the cells that failed once more", file=sys.stderr)
        return RunStopped.exit_code
    return _leakage_gate(made) if gate else 0


def _leakage_gate(made: Matrix) -> int:
    """What --fail-on-leakage says of a matrix: 1 where an item of a cell leaked, 3 where none could tell, else 0."""
    known = [row for row in made.rows if row.figures.get("leakage")]
    leaked = {str(row.cell): len(row.figures["leakage"]["ids"]) for row in known if row.figures["leakage"]["ids"]}
    if leaked:
        named = "; ".join(f"{cell}: {plural(count, 'item')}" for cell, count in leaked.items())
        print(f"leakage: items stood in training data, word for word or nearly ({named})", file=sys.stderr)
        return 1
    if not known:
        print("leakage cannot be told: no training data are known of any model", file=sys.stderr)
        return 3
    return 0


def _cell(
    cell: Cell, into: Path, *, suite: MatrixSuite, concurrency: int, resolve: Any, watch: Lines | Table
) -> CellResult:
    """Run one cell in its folder, or go on with it; its accuracy with the interval."""
    run = into / RUN
    progress = CellProgress(cell, watch)
    meter = Meter()
    check_items(into.parent.parent, suite, cell)
    if (run / MANIFEST).exists():
        path, made, stopped = classify.gone_on(run, concurrency=concurrency, meter=meter, progress=progress)
    else:
        written = write_cell(suite, cell, into)
        options = Options(limit=suite.settings(cell).limit, concurrency=concurrency)
        path, made, stopped = classify.begun(
            load_classify(written), options, out=run, resolve=resolve, meter=meter, progress=progress
        )
    if isinstance(stopped, KeyboardInterrupt):
        raise stopped
    if stopped is not None:
        raise stopped
    if not made.summary.complete:
        raise RunStopped(f"{path}: some items have no answer yet")
    own = made.summary.figures.accuracy
    return own.mean, own.ci


class CellProgress:
    """A cell's progress, told to whoever watches the matrix; what is said goes to the log."""

    def __init__(self, cell: Cell, watch: Lines | Table) -> None:
        self._cell, self._watch = cell, watch
        self._name, self._done, self._total = "", 0, 0

    def stage(self, name: str, total: int, done: int = 0) -> None:
        self._name, self._done, self._total = name, done, total
        self._watch.stage(self._cell, name, done, total)

    def advance(self) -> None:
        self.moved(self._name, self._done + 1, self._total)

    def moved(self, name: str, done: int, total: int) -> None:
        self._name, self._done, self._total = name, done, total
        self._watch.stage(self._cell, name, done, total)

    def say(self, text: str) -> None:
        self._watch.log(f"{self._cell}: {text}")


def conclude(run: Path, manifest: Mapping[str, Any]) -> Matrix:
    """Write the tables, pictures, summary and report of what is there, and `complete` into the manifest."""
    made = matrix_of(run, suite_of(manifest))
    write_results(run, made)
    write_whole(run / MANIFEST, as_json({**manifest, "complete": made.complete}))
    return made


def show(made: Matrix, *, as_json: bool) -> None:
    """Print what a matrix comes to: for a terminal, or as an object."""
    text = json.dumps(made.as_json(), ensure_ascii=False, indent=2, allow_nan=False) + "\n" if as_json else render(made)
    sys.stdout.write(text)
    sys.stdout.flush()


def analyze(path: Path, *, as_json: bool) -> int:
    """`harness analyze` of a matrix's folder."""
    show(matrix_of(path, suite_of(folder.read_manifest(path))), as_json=as_json)
    return 0


def dry_run(path: Path, options: Options, *, as_json: bool) -> int:
    """`harness run --dry-run`: the cells, with the time and the memory that they may take."""
    _belongs(options)
    suite = load(path, options.variant, limit=options.limit, seed=options.seed, changes=options.changes)
    look = estimate.looked_at(suite)
    rows = estimate.rows(suite, look)
    if as_json:
        value = {"suite": suite.name, "cells": rows, "unseen": dict(look.unseen)}
        sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n")
    else:
        sys.stdout.write(estimate.told(suite, rows, look.unseen))
    return 0
