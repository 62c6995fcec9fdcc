"""From a judge's kind to a judge: one line a kind. Importing a judge module registers nothing.

`recorded/…` judges are files, not judges: the run reads them.
"""

from __future__ import annotations

from collections.abc import Callable

from judges.controls import ControlJudge
from judges.pairwise import PairwiseJudge
from judges.rubric import RubricJudge
from judges.template import load
from judges.types import Judge, Model, Sampling

# What a judge of a kind is built from: its name, what follows the kind in its spec, its model, its sampling.
Builder = Callable[[str, str, Model | None, Sampling], Judge]


def _pairwise(name: str, _: str, model: Model | None, sampling: Sampling) -> Judge:
    assert model is not None, "an LLM judge is handed a model"
    return PairwiseJudge(name=name, model=model, template=load("pairwise"), sampling=sampling)


BUILDERS: dict[str, Builder] = {
    "rubric": lambda name, rest, model, sampling: RubricJudge(),
    "control": lambda name, rest, model, sampling: ControlJudge(bias=rest),
    "openai": _pairwise,
    "anthropic": _pairwise,
}


def build(kind: str, *, name: str, rest: str, model: Model | None, sampling: Sampling) -> Judge:
    """The judge of a kind. Raises KeyError for a kind that cannot judge."""
    return BUILDERS[kind](name, rest, model, sampling)
