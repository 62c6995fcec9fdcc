"""How several judges become one over a set of prompts: the rule, and the weights that a gold judge gives.

Weights are cross-fitted: a judge's weight on a prompt comes from its agreement with the gold judge on other prompts
than those it weighs. Prompts fall into folds by a hash of their id (or cluster), so that neither the order of lines nor
the rest of the prompts moves one into another.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from judges.panel import Outcome, PanelVote, Rule, Vote, decided

FOLDS = 5
# Fewer prompts than this on which gold and judge both stand give no weight worth having.
FEWEST = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """A panel's rule, and where its judges are weighed, what the `gold` judge says of each prompt.

    `clusters` holds the cluster of the prompts that have one: a cluster is never split between folds.
    """

    rule: Rule = "majority"
    gold: str | None = None
    truth: Mapping[str, Outcome] | None = None
    clusters: Mapping[str, str] = field(default_factory=dict)


MAJORITY = Panel()
Opinions = Mapping[str, tuple[Outcome, float]]


def votes(judges: Sequence[Opinions], prompts: Sequence[str], panel: Panel = MAJORITY) -> dict[str, PanelVote]:
    """What the judges say together of every prompt that any of them scored; each judge's opinions are by prompt."""
    weights = [weights_of(opinions, panel) for opinions in judges] if panel.truth is not None else None
    found: dict[str, PanelVote] = {}
    for prompt in prompts:
        cast = []
        for place, opinions in enumerate(judges):
            if prompt in opinions:
                outcome, score = opinions[prompt]
                weight = 1.0 if weights is None else weights[place][fold(prompt, panel)]
                cast.append(Vote(outcome=outcome, score=score, weight=weight))
        vote = decided(cast, panel.rule)
        if vote is not None:
            found[prompt] = vote
    return found


def fold(prompt: str, panel: Panel) -> int:
    """Which of the folds a prompt falls into."""
    mark = f"c {panel.clusters[prompt]}" if prompt in panel.clusters else f"p {prompt}"
    return int.from_bytes(hashlib.sha256(mark.encode()).digest()[:8], "big") % FOLDS


def weights_of(opinions: Opinions, panel: Panel) -> list[float]:
    """A judge's weight on the prompts of each fold: the log-odds of its agreement with gold on the other folds.

    That is the best weight of independent judges (Nitzan & Paroush 1982); agreement is (agreed + 1) / (n + 2), so that
    none is infinite, and a judge that agrees no more than half of the time weighs nothing. Where fewer than 20 prompts
    of the other folds can tell, the weight is 1.
    """
    truth = panel.truth or {}
    agreed: Counter[int] = Counter()
    asked: Counter[int] = Counter()
    for prompt, (outcome, _) in opinions.items():
        if prompt in truth:
            place = fold(prompt, panel)
            asked[place] += 1
            agreed[place] += outcome == truth[prompt]
    found = []
    for place in range(FOLDS):
        n, right = asked.total() - asked[place], agreed.total() - agreed[place]
        share = (right + 1) / (n + 2)
        found.append(1.0 if n < FEWEST else max(0.0, math.log(share / (1 - share))))
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Weighing:
    """What a gold judge made of a panel: each judge's weight on the prompts of every fold.

    `labelled` counts the prompts that the gold judge decided or called a tie, `shared` by judge those among them that
    it scored too.
    """

    gold: str
    labelled: int
    shared: Mapping[str, int]
    weights: Mapping[str, tuple[float, ...]]

    @property
    def even(self) -> bool:
        """Whether all judges count the same on every prompt."""
        return len(set(self.weights.values())) <= 1

    def as_json(self) -> dict[str, object]:
        """The further keys in `summary.json`."""
        return {
            "labelled": self.labelled,
            "shared": dict(self.shared),
            "by_fold": {name: list(weights) for name, weights in self.weights.items()},
        }


def weighing(judges: Mapping[str, Opinions], panel: Panel) -> Weighing:
    """How the panel's gold judge weighs these judges."""
    truth = panel.truth or {}
    return Weighing(
        gold=panel.gold or "",
        labelled=len(truth),
        shared={name: sum(prompt in truth for prompt in opinions) for name, opinions in judges.items()},
        weights={name: tuple(weights_of(opinions, panel)) for name, opinions in judges.items()},
    )
