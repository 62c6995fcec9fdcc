"""From a judge's kind to a judge: one line a kind. Importing a judge module registers nothing.

`recorded/…` judges are files, not judges: the run reads them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from judges.controls import ControlJudge
from judges.pairwise import PairwiseJudge
from judges.reward import RewardJudge, Scorer
from judges.rubric import RubricJudge
from judges.template import load
from judges.types import Judge, Model, Sampling

# What a judge of a kind is built from: its name, what follows the kind in its spec, what it asks, its sampling, and
# what makes it really answer again.
Asked = Model | Scorer | None
Builder = Callable[[str, str, Any, Sampling, str], Judge]


def _pairwise(name: str, _: str, model: Model, sampling: Sampling, nonce: str) -> Judge:
    return PairwiseJudge(name=name, model=model, template=load("pairwise"), sampling=sampling, nonce=nonce)


BUILDERS: dict[str, Builder] = {
    "rubric": lambda name, rest, model, sampling, nonce: RubricJudge(),
    "control": lambda name, rest, model, sampling, nonce: ControlJudge(bias=rest),
    "openai": _pairwise,
    "anthropic": _pairwise,
    "reward": lambda name, rest, scorer, sampling, nonce: RewardJudge(name=name, scorer=scorer),
}


def build(kind: str, *, name: str, rest: str, asked: Asked, sampling: Sampling, nonce: str = "") -> Judge:
    """The judge of a kind; `asked` is the model or scorer it asks. Raises KeyError for a kind that cannot judge."""
    return BUILDERS[kind](name, rest, asked, sampling, nonce)
