"""What a plan is asked, checked before anything is read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from harness import suite as suites
from harness.errors import InputError
from harness.launch import Options, settled_judges
from harness.models.spec import Role, Spec, parse
from harness.plan import limited
from harness.stats.power import SMALLEST
from harness.suite import Suite


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """The command line of `harness plan`. Without `effect` the question is what the suite's own prompts can show."""

    suite: str
    effect: float | None = None
    power: float = 0.8
    alpha: float = 0.05
    pilot: Path | None = None
    candidate: str | None = None
    baseline: str | None = None
    judges: tuple[str, ...] = ()
    repeats: int | None = None
    limit: int | None = None

    def check(self) -> None:
        """Raise InputError with a sentence for every figure outside its range."""
        problems = []
        if self.effect is not None and not SMALLEST <= self.effect < 0.5:
            problems.append(
                f"--effect is a win rate's distance from 1/2, at least {SMALLEST:f} and less than 0.5 (0.1: a win rate "
                f"of 60 %), found {self.effect:g}"
            )
        if not 0 < self.alpha < 1:
            problems.append(f"--alpha is a probability between 0 and 1 (0.05), found {self.alpha:g}")
        elif not 0 < self.power < 1:
            problems.append(f"--power is a probability between 0 and 1 (0.8), found {self.power:g}")
        elif self.power <= self.alpha:
            problems.append(
                f"--power {self.power:g} is no more than --alpha {self.alpha:g}, which chance alone gives; raise it"
            )
        if problems:
            raise InputError("\n".join(problems))


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """A suite as it would be run: its prompts (after --limit), and who answers and judges.

    `full` is how many prompts the suite has. A contestant is None where neither suite nor command line names one.
    """

    suite: Suite
    full: int
    candidate: Spec | None
    baseline: Spec | None
    judges: tuple[Spec, ...]

    @property
    def contestants(self) -> dict[str, Spec]:
        """Those that are named, by role."""
        both = {"candidate": self.candidate, "baseline": self.baseline}
        return {role: spec for role, spec in both.items() if spec is not None}

    @property
    def unnamed(self) -> tuple[str, ...]:
        """Of candidate, baseline and judge, what neither suite nor command line names."""
        roles = tuple(role for role in ("candidate", "baseline") if role not in self.contestants)
        return roles if self.judges else (*roles, "judge")


def setting(asked: Question) -> Setting:
    """Read the suite and parse who takes part. Raises InputError; no checkpoint, recipe or key is looked at."""
    suite = suites.load(suites.locate(asked.suite))
    prompts = limited(suite.prompts, asked.limit, suite.seed)
    return Setting(
        suite=replace(suite, prompts=prompts, repeats=asked.repeats or suite.repeats),
        full=len(suite.prompts),
        candidate=_contestant(asked.candidate, suite.candidate, "candidate", suite.folder),
        baseline=_contestant(asked.baseline, suite.baseline, "baseline", suite.folder),
        judges=settled_judges(suite, Options(judges=asked.judges)) if asked.judges or suite.judges else (),
    )


def _contestant(given: str | None, own: str | None, role: Role, folder: Path) -> Spec | None:
    text = given or own
    return None if text is None else parse(text, role=role, folder=Path() if given else folder)
