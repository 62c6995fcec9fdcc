"""Which saved steps are worth keeping: pure. The N best by a figure, the N last, or those that are named.

What has no figure is the worst. Where a step that is named is not there, nothing can be chosen: see `missing`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.checkpoints.shelf import Saved, Training
from harness.errors import InputError
from harness.report.numerals import listed

# Figures of which less is better; of every other more is.
_LESS = re.compile(r"loss|perplexity|error|(^|_)(ppl|mse|mae|rmse|kl|divergence|ece|brier)($|_)")
DEFAULT = "validation_loss"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """What to keep: `count` steps, the best by `metric` or the last ones; or the `steps` that are named."""

    which: Literal["best", "last", "step"]
    count: int
    metric: str = DEFAULT
    less: bool = True
    steps: tuple[int, ...] = ()

    @property
    def said(self) -> str:
        """The rule for a reader: "the 2 saved steps with the lowest validation_loss"."""
        if self.which == "step":
            return f"saved step{'s' if len(self.steps) > 1 else ''} {listed([str(step) for step in self.steps])}"
        steps = "saved step" if self.count == 1 else f"{self.count} saved steps"
        if self.which == "last":
            return f"the last {steps}"
        return f"the {steps} with the {'lowest' if self.less else 'highest'} {self.metric}"


def rule(keep: str, by: str | None) -> Rule:
    """The rule that --keep and --by ask for. Raises InputError where they ask for none."""
    which, _, count = keep.partition(":")
    form = {"best": r"[1-9]\d*", "last": r"[1-9]\d*", "step": r"\d{1,15}(,\d{1,15})*"}.get(which)
    if form is None or not re.fullmatch(form, count):
        raise InputError(f"--keep takes best:N or last:N with N from 1 on, or step:N,N,…, found {keep!r}")
    if which != "best" and by is not None:
        raise InputError(f"--by belongs to --keep best:N; --keep {which}:N looks at no figure")
    if which == "step":
        steps = tuple(sorted(set(map(int, count.split(",")))))
        return Rule(which="step", count=len(steps), steps=steps)
    metric, _, direction = (by or DEFAULT).partition(":")
    if direction not in ("", "lowest", "highest") or not metric:
        raise InputError(f"--by takes METRIC, METRIC:lowest or METRIC:highest, found {by!r}")
    less = direction == "lowest" if direction else bool(_LESS.search(metric))
    return Rule(which=which, count=int(count), metric=metric, less=less)  # type: ignore[arg-type]


def surplus(steps: Sequence[Saved], rule: Rule) -> tuple[Saved, ...]:
    """The saved steps that the rule does not keep, in order; of equal ones the later is kept."""
    if rule.which == "step":
        return tuple(one for one in steps if one.step not in rule.steps)
    ranked = sorted(steps, key=lambda one: _rank(one, rule))
    kept = {one.path for one in ranked[: rule.count]}
    return tuple(one for one in steps if one.path not in kept)


def missing(training: Training, rule: Rule) -> tuple[int, ...]:
    """The steps that a rule names and a training has not: neither saved, nor as its end."""
    there = {saved.step for saved in training.steps} | ({training.end.stands_at} if training.end else set())
    return tuple(step for step in rule.steps if step not in there)


def figure(saved: Saved, rule: Rule) -> float | None:
    """A step's figure, None where it has none that can be compared."""
    value = saved.manifest.metrics.get(rule.metric)
    return value if value is not None and not math.isnan(value) else None


def _rank(saved: Saved, rule: Rule) -> tuple[bool, float, int]:
    step = -(saved.step or 0)
    if rule.which == "last":
        return False, 0.0, step
    value = figure(saved, rule)
    if value is None:
        return True, 0.0, step
    return False, value if rule.less else -value, step
