"""Which saved steps are worth keeping: pure. The N best by a figure, or the N last; what has no figure is the worst."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.checkpoints.shelf import Saved
from harness.errors import InputError

# Figures of which less is better; of every other more is.
_LESS = re.compile(r"loss|perplexity|error|(^|_)(ppl|mse|mae|rmse|kl|divergence|ece|brier)($|_)")
DEFAULT = "validation_loss"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """What to keep: `count` steps, the best by `metric` or the last ones."""

    which: Literal["best", "last"]
    count: int
    metric: str = DEFAULT
    less: bool = True

    @property
    def said(self) -> str:
        """The rule for a reader: "the 2 saved steps with the lowest validation_loss"."""
        steps = "saved step" if self.count == 1 else f"{self.count} saved steps"
        if self.which == "last":
            return f"the last {steps}"
        return f"the {steps} with the {'lowest' if self.less else 'highest'} {self.metric}"


def rule(keep: str, by: str | None) -> Rule:
    """The rule that --keep and --by ask for. Raises InputError where they ask for none."""
    which, _, count = keep.partition(":")
    if which not in ("best", "last") or not re.fullmatch(r"[1-9]\d*", count):
        raise InputError(f"--keep takes best:N or last:N with N from 1 on, found {keep!r}")
    if which == "last" and by is not None:
        raise InputError("--by belongs to --keep best:N; --keep last:N looks at no figure")
    metric, _, direction = (by or DEFAULT).partition(":")
    if direction not in ("", "lowest", "highest") or not metric:
        raise InputError(f"--by takes METRIC, METRIC:lowest or METRIC:highest, found {by!r}")
    less = direction == "lowest" if direction else bool(_LESS.search(metric))
    return Rule(which=which, count=int(count), metric=metric, less=less)  # type: ignore[arg-type]


def surplus(steps: Sequence[Saved], rule: Rule) -> tuple[Saved, ...]:
    """The saved steps that the rule does not keep, in order; of equal ones the later is kept."""
    ranked = sorted(steps, key=lambda one: _rank(one, rule))
    kept = {one.path for one in ranked[: rule.count]}
    return tuple(one for one in steps if one.path not in kept)


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
