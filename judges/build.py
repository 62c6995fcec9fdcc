"""From a judge's kind to a judge, or to a grader of single answers: one line a kind.

Importing a judge module registers nothing. `recorded/…` judges are files, not judges: the run reads them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from judges.controls import ControlJudge
from judges.grading import LanguageGrader, TokenGrader
from judges.pairwise import PairwiseJudge
from judges.reward import RewardGrader, RewardJudge
from judges.rubric import RubricGrader, RubricJudge
from judges.template import Template
from judges.types import Criterion, Grader, Judge, Mode, Sampling
from judges.verdict_token import VerdictTokenJudge


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What a judge is built from: its name, what follows the kind in its spec, and how it is to be asked.

    `asked` is the model, chooser or scorer that it asks, None where it asks nobody; `mode` and `template` belong to
    language models, `margin` to reward models that compare, `center` and `spread` to those that grade (see
    `judges.reward.on_scale`). `nonce` makes it really answer again.
    """

    name: str
    rest: str
    sampling: Sampling
    asked: Any = None
    mode: Mode | None = None
    template: Template | None = None
    criteria: tuple[Criterion, ...] = ()
    margin: float = 0.0
    center: float = 0.0
    spread: float = 1.0
    nonce: str = ""


def _language_model(wanted: Wanted) -> Judge:
    assert wanted.template is not None
    if wanted.mode == "verdict-token":
        return VerdictTokenJudge(name=wanted.name, chooser=wanted.asked, template=wanted.template, nonce=wanted.nonce)
    return PairwiseJudge(
        name=wanted.name,
        model=wanted.asked,
        template=wanted.template,
        sampling=wanted.sampling,
        criteria=wanted.criteria,
        nonce=wanted.nonce,
    )


def _language_grader(wanted: Wanted) -> Grader:
    assert wanted.template is not None
    if wanted.mode == "verdict-token":
        return TokenGrader(name=wanted.name, chooser=wanted.asked, template=wanted.template, nonce=wanted.nonce)
    return LanguageGrader(
        name=wanted.name,
        model=wanted.asked,
        template=wanted.template,
        sampling=wanted.sampling,
        nonce=wanted.nonce,
    )


BUILDERS: dict[str, Callable[[Wanted], Judge]] = {
    "rubric": lambda wanted: RubricJudge(),
    "control": lambda wanted: ControlJudge(bias=wanted.rest),
    "openai": _language_model,
    "anthropic": _language_model,
    "hf": _language_model,
    "reward": lambda wanted: RewardJudge(name=wanted.name, scorer=wanted.asked, margin=wanted.margin),
}

GRADERS: dict[str, Callable[[Wanted], Grader]] = {
    "rubric": lambda wanted: RubricGrader(),
    "openai": _language_grader,
    "anthropic": _language_grader,
    "hf": _language_grader,
    "reward": lambda wanted: RewardGrader(
        name=wanted.name, scorer=wanted.asked, center=wanted.center, spread=wanted.spread
    ),
}
# What they grade is said of the last answer alone: asked about an earlier turn, they refuse.
LAST_TURN_ONLY = frozenset({"rubric"})


def build(kind: str, wanted: Wanted) -> Judge:
    """The judge of a kind. Raises KeyError for a kind that cannot judge."""
    return BUILDERS[kind](wanted)


def build_grader(kind: str, wanted: Wanted) -> Grader:
    """The grader of a kind. Raises KeyError for a kind that cannot grade, ValueError for a spread not above 0."""
    return GRADERS[kind](wanted)
