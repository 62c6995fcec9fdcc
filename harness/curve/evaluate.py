"""Evaluates the saved steps of a training: one score run for each step and suite, in a folder that can be gone on with.

OUT/SUITE/step-N is the run of a step. What stands there whole is neither generated nor judged again, as long as suite,
judges and weights are those it was made with. Refuses a folder without steps, and one that holds several trainings.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness import folder
from harness.carrying import Stop
from harness.checkpoints import bases
from harness.checkpoints.shelf import Saved, Training, trainings
from harness.curve.stages import step_of
from harness.errors import InputError, Problem
from harness.launch import Options, Resolve, same_inputs
from harness.models.budget import Budget
from harness.models.meter import Meter
from harness.progress import Progress
from harness.report.numerals import listed, plural
from harness.scoring.cast import cast_of
from harness.scoring.job import from_manifest
from harness.scoring.launch import carry_out, plan_job
from harness.scoring.verb import conclude
from harness.suite import Suite
from harness.workshop import Workshop

OWN = "curve"
"""The key of a run's manifest that says for which curve it was made."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """What is to be evaluated: the saved steps of a training by step, on suites, as the options ask for it."""

    saved: Mapping[int, Saved]
    suites: tuple[Suite, ...]
    options: Options
    out: Path
    shelf: Path | None
    base: Path | None = None

    def run_of(self, suite: Suite, step: int) -> Path:
        """The folder of a step's run."""
        return self.out / suite.name / f"step-{step}"

    def asked(self, suite: Suite, saved: Saved) -> dict[str, Any]:
        """What has to be the same for a run to be gone on with, or read."""
        bare = replace(suite, folder=Path(), candidate=None, judges=())
        judges = list(self.options.judges or suite.judges)
        state = json.dumps([asdict(bare), judges, self.options.limit, self.options.seed], sort_keys=True, default=str)
        return {"asked": hashlib.sha256(state.encode()).hexdigest(), "weights": saved.manifest.sha256}


def steps_in(place: Path) -> tuple[dict[int, Saved], Training]:
    """The saved steps of the one training in a folder, its end among them. Raises InputError where there are none."""
    found = trainings(place)
    if not found:
        raise InputError([Problem(path=str(place), what="holds no saved steps and no score run; check the path")])
    if len(found) > 1:
        names = listed([str(one.path) for one in found], 4)
        raise InputError([Problem(path=str(place), what=f"holds {len(found)} trainings; name one of {names}")])
    (one,) = found
    if one.problems:
        raise InputError(one.problems)
    steps = {saved.step: saved for saved in one.steps if saved.step is not None}
    if one.end is not None and (last := step_of(one.path, one.end.manifest)) is not None:
        steps.setdefault(last, one.end)
    if len(steps) < 2:
        there = f"only step {next(iter(steps))}" if steps else "no step that is whole"
        raise InputError([Problem(path=str(one.path), what=f"holds {there}; a curve needs two steps or more")])
    if any(saved.manifest.kind == "reward" for saved in steps.values()):
        raise InputError([Problem(path=str(one.path), what="is a reward model's training, which answers no prompt")])
    return dict(sorted(steps.items())), one


def checked(suites: Sequence[Suite]) -> tuple[Suite, ...]:
    """Suites to evaluate on, without contestants of their own. Raises InputError where one is no score suite."""
    for suite in suites:
        if suite.kind != "score":
            raise InputError(
                f"the suite {suite.name!r} is of kind {suite.kind!r}; a curve needs suites of kind 'score'"
            )
    names = [suite.name for suite in suites]
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise InputError(f"two suites are named {twice[0]!r}; rename one, for their runs would share a folder")
    return tuple(replace(suite, candidate=None, baseline=None) for suite in suites)


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluator:
    """An evaluation under way; all its runs share one budget."""

    evaluation: Evaluation
    resolve: Resolve
    meter: Meter
    spending: Budget
    progress: Progress

    def work(self) -> Stop | None:
        """Make every run that is not there whole. Returns what stopped it, or None. Raises InputError."""
        wanted = self.evaluation
        if (wanted.out / folder.MANIFEST).exists():
            raise InputError([Problem(path=str(wanted.out), what="is a run's folder itself; give another --out")])
        for suite in wanted.suites:
            for step, saved in wanted.saved.items():
                stopped = self._one(suite, step, saved)
                if stopped is not None:
                    return stopped
        return None

    def unfinished(self) -> list[Path]:
        """The runs that are not complete, or not there."""
        wanted = self.evaluation
        runs = [wanted.run_of(suite, step) for suite in wanted.suites for step in wanted.saved]
        return [run for run in runs if not (run / folder.MANIFEST).exists() or not _complete(run)]

    def _one(self, suite: Suite, step: int, saved: Saved) -> Stop | None:
        run = self.evaluation.run_of(suite, step)
        if not (run / folder.MANIFEST).exists():
            return self._begin(suite, saved, run)
        self._same(suite, saved, run)
        return None if _complete(run) else self._go_on(run)

    def _same(self, suite: Suite, saved: Saved, run: Path) -> None:
        was, now = folder.read_manifest(run).get(OWN), self.evaluation.asked(suite, saved)
        if was == now:
            return
        what = "was made by another command; give another --out"
        if isinstance(was, dict) and was.get("asked") == now["asked"]:
            what = f"was made with other weights than {saved.path} holds now; give another --out"
        elif isinstance(was, dict):
            what = "was begun with another suite, judge, --limit or --seed; give the same, or another --out"
        raise InputError([Problem(path=str(run), what=what)])

    def _begin(self, suite: Suite, saved: Saved, run: Path) -> Stop | None:
        wanted = self.evaluation
        options = replace(wanted.options, candidate=self._spec(saved))
        job, cast, manifest, workshop = plan_job(
            suite, options, self.resolve, meter=self.meter, say=self.progress.say, spending=self.spending
        )
        manifest[OWN] = wanted.asked(suite, saved)
        with folder.create(run, manifest):
            self.progress.say(f"{suite.name}, {saved.path.name}: {plural(len(job.suite.prompts), 'prompt')} → {run}")
            return conclude(run, manifest, carry_out(job, cast, workshop, run, self.progress))[1]

    def _go_on(self, run: Path) -> Stop | None:
        with folder.reopen(run) as manifest:
            job = from_manifest(manifest)
            workshop = Workshop(
                concurrency=self.evaluation.options.concurrency,
                meter=self.meter,
                say=self.progress.say,
                budget=self.spending,
            )
            cast = cast_of(job, workshop)
            same_inputs(manifest, workshop, run)
            self.progress.say(f"{run} goes on")
            return conclude(run, manifest, carry_out(job, cast, workshop, run, self.progress))[1]

    def _spec(self, saved: Saved) -> str:
        place = saved.path.resolve()
        if saved.manifest.adapter_sha256 is None:
            return f"hf/{place}"
        base = bases.require(saved.path, saved.manifest.base, self.evaluation.base, self.evaluation.shelf)
        return f"hf/{base.resolve()}+{place}"


def _complete(run: Path) -> bool:
    return bool(folder.read_manifest(run).get("complete"))
