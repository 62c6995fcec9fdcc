"""`harness check NEW [--against OLD]`: holds a run against another, and writes what CI reads.

Every file is written before the exit code is known, and where the input cannot be used too: a CI job that shows
nothing is taken for one that found nothing.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import InputError, Problem
from harness.gate import github, junit, markdown, text, words
from harness.gate.measured import Measured, measure
from harness.gate.result import GateResult, gate
from harness.gate.thresholds import Thresholds, thresholds

SUMMARY = "GITHUB_STEP_SUMMARY"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outputs:
    """Where a result goes: stdout as JSON or text, and files."""

    as_json: bool
    junit: Path | None
    markdown: Path | None

    @property
    def annotated(self) -> bool:
        """Whether GitHub reads stdout."""
        return os.environ.get("GITHUB_ACTIONS") == "true" and not self.as_json


def check(
    new: Path,
    *,
    against: Path | None,
    margin: float | None,
    file: Path | None,
    categories: bool,
    allow_mixed: bool,
    outputs: Outputs,
    judges: Sequence[str] = (),
) -> int:
    """Exit code 0 (pass), 1 (fail) or 3 (inconclusive), by these judges alone where some are named.

    Raises InputError with every problem of the input.
    """
    try:
        result = _result(
            lambda: thresholds(file, margin=margin, gate_categories=categories),
            lambda: measure(new, against, allow_mixed=allow_mixed, judges=judges),
        )
    except InputError as error:
        _refuse([str(problem) for problem in error.problems], outputs)
        raise
    _write(outputs, lambda: junit.render(result), lambda: markdown.render(result))
    if outputs.as_json:
        said = json.dumps(result.as_json(words.notes(result)), ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    else:
        said = text.render(result)
    if outputs.annotated:
        said = github.inert(said) + "".join(f"{line}\n" for line in github.render(result))
    sys.stdout.write(said)
    sys.stdout.flush()
    _warn(result)
    return result.code


def _result(demands: Callable[[], Thresholds], measuring: Callable[[], Measured]) -> GateResult:
    """The gate's result. Raises InputError with the problems of both together."""
    problems: list[Problem | str] = []
    demanded = measured = None
    try:
        demanded = demands()
    except InputError as error:
        problems += error.problems
    try:
        measured = measuring()
    except InputError as error:
        problems += error.problems
    if demanded is None or measured is None:
        alone = problems[0]
        if len(problems) == 1 and isinstance(alone, str):
            raise InputError(alone)
        raise InputError([p if isinstance(p, Problem) else Problem(path="harness check", what=p) for p in problems])
    demanded.check(measured.slices, words.reach(measured))
    return gate(measured, demanded)


def _refuse(problems: list[str], outputs: Outputs) -> None:
    """Say in every output that the input cannot be used; a file that cannot be written must not hide why."""
    try:
        _write(outputs, lambda: junit.refusal(problems), lambda: markdown.refusal(problems))
    except InputError as error:
        print(error, file=sys.stderr)
    if outputs.annotated:
        print("\n".join(github.refusal(problems)), flush=True)


def _write(outputs: Outputs, as_junit: Callable[[], str], as_markdown: Callable[[], str]) -> None:
    """Write the files that were asked for, all that can be. Raises InputError with every one that cannot."""
    problems = []
    for path, made in ((outputs.junit, as_junit), (outputs.markdown, as_markdown)):
        if path is None:
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # The step's summary may hold what the job wrote before.
            with path.open("a" if str(path) == os.environ.get(SUMMARY) else "w", encoding="utf-8") as opened:
                opened.write(made())
        except OSError as error:
            what = f"cannot be written: {error.strerror or error}; give another path"
            problems.append(Problem(path=str(path), what=what))
    if problems:
        raise InputError(problems)


def _warn(result: GateResult) -> None:
    """Say on stderr, too, what was let pass: figures are often piped away."""
    if result.measured.mixed:
        print(
            f"mixed (--allow-mixed): {result.measured.new} was measured in another way; see the notes", file=sys.stderr
        )
