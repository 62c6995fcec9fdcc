"""`harness curve`: runs of a training's steps into curves, its steps evaluated first; arguments in, exit code out."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import folder
from harness import suite as suites
from harness.checkpoints.shelf import trainings
from harness.curve import words
from harness.curve.alike import judges_of, require_alike
from harness.curve.evaluate import Evaluation, Evaluator, checked, steps_in
from harness.curve.measured import Judged, kept, measured
from harness.curve.stages import parse_steps, stages_of
from harness.errors import HarnessError, InputError, Problem, RunStopped
from harness.launch import Options
from harness.models.budget import budget
from harness.models.meter import Meter
from harness.models.spec import Spec
from harness.progress import showing

FIGURES, PAGE = "curve.json", "report.html"
Resolve = Callable[[Spec, Callable[[str, int, int], None]], Spec]


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What goes to stdout: the curves for a terminal, as one object, or as one page."""

    as_json: bool
    as_html: bool

    def __post_init__(self) -> None:
        if self.as_json and self.as_html:
            raise InputError("--json and --html both go to stdout; give one of them")


def of_runs(paths: Sequence[Path], *, judges: Sequence[str], steps: str | None, wanted: Wanted) -> int:
    """The curves of score runs: exit code 0, or 3 where nothing is scored at every step; raises InputError for 2."""
    for path in paths:
        if path.is_dir() and folder.kind_of(path) is None and trainings(path):
            what = "holds checkpoints and no run; they are evaluated first: add --suite SUITE and --out DIR"
            raise InputError([Problem(path=str(path), what=what)])
    found, notes = _curves(paths, judges, parse_steps(steps))
    _show(found, notes, wanted)
    return _scored(found)


def of_checkpoints(
    place: Path,
    given: Sequence[str],
    options: Options,
    *,
    out: Path,
    base: Path | None,
    shelf: Path,
    resolve: Resolve,
    wanted: Wanted,
) -> int:
    """Evaluate a training's saved steps and draw their curves: exit code 0, 3, 4 or 130; raises InputError for 2."""
    saved, training = steps_in(place)
    asked = checked([suites.load(suites.locate(one)) for one in given])
    evaluation = Evaluation(saved=saved, suites=asked, options=options, out=out, shelf=shelf, base=base)
    meter, spending = Meter(), budget(options.max_cost)
    spending.way_out = "the same command with another --max-cost goes on"
    with showing(meter) as progress:
        for torn in training.torn:
            progress.say(f"{torn.name}: no manifest of ours; left out")
        if training.running:
            progress.say(f"{training.path.name} is being trained now; steps that come later are not in this curve")
        work = Evaluator(
            evaluation=evaluation,
            resolve=lambda spec: resolve(spec, progress.moved),
            meter=meter,
            spending=spending,
            progress=progress,
        )
        stopped = work.work()
    if isinstance(stopped, InputError):
        raise stopped
    if stopped is not None or work.unfinished():
        return _incomplete(stopped, work.unfinished(), out)
    found, notes = [], []
    for suite in asked:
        own, said = _curves([evaluation.run_of(suite, step) for step in saved], (), tuple(saved))
        found += own
        notes += [text if len(asked) == 1 else f"{suite.name}: {text}" for text in said]
    folder.write_whole(out / FIGURES, folder.as_json(as_object(found, notes)))
    folder.write_whole(out / PAGE, _page(found, notes))
    _show(found, notes, wanted)
    for name in (PAGE, FIGURES):
        print(out / name, file=sys.stderr)
    return _scored(found)


def as_object(found: Sequence[Judged], notes: Sequence[str]) -> dict[str, Any]:
    """The object of --json: one curve, or of several judges or suites all of them under `curves`."""
    if len(found) == 1:
        return found[0].as_json([*words.notes(found[0]), *notes])
    return {
        "kind": "curves",
        "curves": [one.as_json(words.notes(one)) for one in found],
        "keep": [str(path) for path in kept(found)],
        "notes": list(notes),
    }


def _curves(paths: Sequence[Path], judges: Sequence[str], steps: Sequence[int]) -> tuple[list[Judged], list[str]]:
    stages = stages_of(paths, steps)
    names = judges_of(stages.stages, judges)
    require_alike(stages.stages, judges)
    return [measured(stages.stages, name) for name in names], words.of_stages(stages)


def _incomplete(stopped: BaseException | None, lacking: Sequence[Path], out: Path) -> int:
    if isinstance(stopped, HarnessError):
        print(f"error: {stopped}", file=sys.stderr)
    if isinstance(stopped, KeyboardInterrupt):
        print(f"interrupted; the same command goes on in {out}", file=sys.stderr)
        return 130
    left = f"{len(lacking)} of the runs {'is' if len(lacking) == 1 else 'are'} not whole, the first {lacking[0]}"
    print(f"incomplete: {left}; the same command goes on in {out}, and asks nothing twice", file=sys.stderr)
    return RunStopped.exit_code


def _scored(found: Sequence[Judged]) -> int:
    return 0 if any(one.n for one in found) else 3


def _show(found: Sequence[Judged], notes: Sequence[str], wanted: Wanted) -> None:
    sys.stdout.writelines(_pieces(found, notes, wanted))
    sys.stdout.flush()


def _pieces(found: Sequence[Judged], notes: Sequence[str], wanted: Wanted) -> Iterable[str]:
    if wanted.as_json:
        return [json.dumps(as_object(found, notes), ensure_ascii=False, indent=2, allow_nan=False), "\n"]
    if wanted.as_html:
        return _page(found, notes)
    from harness.curve.text import render

    return [render(found, notes)]


def _page(found: Sequence[Judged], notes: Sequence[str]) -> Iterable[str]:
    from harness.curve.page import pieces

    return pieces(found, notes)
