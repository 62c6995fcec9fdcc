"""One judge's curve over the stages of a training, as a value: scores by step, losses, the best, what can be told.

Every step is scored on the same prompts: those that have a score at all of them. What is left out is counted and named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.curve.losses import Losses, losses
from harness.curve.stages import SAVED, Stage
from harness.records import ScoreRecord
from harness.scoring.figures import Scale, graded_turns, prompt_scores
from harness.stats.curve import Curve, Gain, Step, curve

SEED = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """A step of the curve: its run, the checkpoint that answered (None where none is known), score and losses.

    `score` is None where no prompt has a score at every step.
    """

    step: int
    run: Path
    checkpoint: Path | None
    score: Step | None
    losses: Losses


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """One judge's curve. `unscored` holds by step the prompts that lack a score there; none of them counts anywhere."""

    suite: str
    judge: str
    prompts: int
    scale: Scale | None
    points: tuple[Point, ...]
    curve: Curve
    unscored: dict[int, tuple[str, ...]]

    @property
    def n(self) -> int:
        """Prompts that are scored at every step."""
        return self.curve.n

    @property
    def best(self) -> Point | None:
        """The step with the highest score, the first of equals."""
        return self.points[self.curve.best] if self.curve.best is not None else None

    @property
    def like_best(self) -> tuple[int, ...]:
        """The steps that cannot be told from the best."""
        return tuple(self.points[place].step for place in self.curve.like_best)

    def told(self) -> tuple[Gain, ...]:
        """The pairs of steps that can be told apart, all pairs allowed for."""
        return tuple(gain for gain in self.curve.gains if gain.p_adjusted <= self.curve.alpha)

    def as_json(self, notes: Sequence[str] = ()) -> dict[str, Any]:
        """The curve as an object; `keep` holds the checkpoint to keep, where it is known."""
        best = self.best
        return {
            "kind": "curve",
            "suite": self.suite,
            "judge": self.judge,
            "scale": list(self.scale) if self.scale else None,
            "n_prompts": self.prompts,
            "steps": [self._point(point) for point in self.points],
            "best": _best(best, self.like_best) if best is not None and best.score is not None else None,
            "gains": [self._gain(gain) for gain in self.curve.gains],
            "keep": [str(path) for path in kept([self])],
            "unscored": {str(step): list(ids) for step, ids in self.unscored.items()},
            "reason": self.curve.reason,
            "notes": list(notes),
        }

    def _point(self, point: Point) -> dict[str, Any]:
        score = point.score
        return {
            "step": point.step,
            "n": self.n,
            "mean": score.mean if score else None,
            "ci": _ends(score.ci) if score else None,
            "ci_all": _ends(score.ci_all) if score else None,
            "training_loss": point.losses.training,
            "validation_loss": point.losses.validation,
            "path": str(point.checkpoint) if point.checkpoint is not None else None,
            "run": str(point.run),
        }

    def _gain(self, gain: Gain) -> dict[str, Any]:
        return {
            "earlier": self.points[gain.earlier].step,
            "later": self.points[gain.later].step,
            "difference": gain.difference,
            "ci": _ends(gain.ci),
            "p_value": gain.p_value,
            "p_adjusted": gain.p_adjusted,
            "told": gain.p_adjusted <= self.curve.alpha,
        }


def measured(stages: Sequence[Stage], judge: str) -> Judged:
    """A judge's curve over stages that measure the same, in the order of their steps."""
    prompts = stages[0].found.job.suite.prompts
    by_step = [scores_at(stage, judge, stages) for stage in stages]
    ids = [prompt.id for prompt in prompts if all(prompt.id in own for own in by_step)]
    scale = stages[0].found.scales.get(judge)
    table = np.array([[own[name] for name in ids] for own in by_step], dtype=np.float64)
    if scale is not None:
        # A score may lie off the scale by no more than rounding does.
        table = table.clip(*scale)
    own = {prompt.id: prompt.cluster for prompt in prompts}
    shared = len({name for name in own.values() if name}) < sum(name is not None for name in own.values())
    clusters = [f"of its own {name}" if own[name] is None else f"cluster {own[name]}" for name in ids]
    found = curve(table, np.random.default_rng(SEED), clusters=clusters if shared else None, bounds=scale)
    points = tuple(
        Point(
            step=_known(stage),
            run=stage.path,
            checkpoint=stage.checkpoint,
            score=found.steps[place] if found.steps else None,
            losses=_losses(stage, stages),
        )
        for place, stage in enumerate(stages)
    )
    return Judged(
        suite=stages[0].found.job.suite.name,
        judge=judge,
        prompts=len(prompts),
        scale=scale,
        points=points,
        curve=found,
        unscored={
            _known(stage): tuple(prompt.id for prompt in prompts if prompt.id not in own)
            for stage, own in zip(stages, by_step, strict=True)
            if len(own) < len(prompts)
        },
    )


def scores_at(stage: Stage, judge: str, stages: Sequence[Stage]) -> dict[str, float]:
    """A judge's score of every prompt of which it scored every turn at a stage, of the turns that it grades at any."""
    counts = {prompt.id: len(prompt.turns) for prompt in stage.found.job.suite.prompts}
    turns = graded_turns([record for one in stages for record in _own(one, judge)], counts)
    return prompt_scores(_own(stage, judge), turns)


def kept(found: Sequence[Judged]) -> tuple[Path, ...]:
    """The best checkpoints of these curves, each once; empty where none is known."""
    places = [one.best.checkpoint for one in found if one.best is not None and one.best.checkpoint is not None]
    return tuple(dict.fromkeys(places))


def _own(stage: Stage, judge: str) -> list[ScoreRecord]:
    return [record for record in stage.found.scores["candidate"] if record.judge == judge]


def _losses(stage: Stage, stages: Sequence[Stage]) -> Losses:
    own = stage.made is not None or (stage.checkpoint is not None and SAVED.fullmatch(stage.checkpoint.name))
    if not own and _known(stage) == 0:
        # What a training began with has a history of its own; the losses before training stand in the training's.
        later = next((other for other in stages if other.made is not None), None)
        return losses(later.checkpoint, None, 0) if later is not None else Losses()
    return losses(stage.checkpoint, stage.made, _known(stage)) if own else Losses()


def _known(stage: Stage) -> int:
    assert stage.step is not None
    return stage.step


def _ends(ci: tuple[float, float] | None) -> list[float] | None:
    return list(ci) if ci is not None else None


def _best(point: Point, like: Sequence[int]) -> dict[str, Any]:
    assert point.score is not None
    return {
        "step": point.step,
        "mean": point.score.mean,
        "ci_all": _ends(point.score.ci_all),
        "path": str(point.checkpoint) if point.checkpoint is not None else None,
        "like_best": list(like),
    }
