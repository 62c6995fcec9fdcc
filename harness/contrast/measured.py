"""One side of a comparison as a value: a score for every prompt, and the facts that say what it can be held against.

It refuses nothing; `reading` makes it from files, `comparable` says whether two of them can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from harness.decision import position_decides
from harness.perplexity.records import LossRecord
from harness.records import PredictionRecord

Kind = Literal["pairwise", "scores", "predictions", "losses"]
Yardstick = Literal["checks", "references"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    """A contestant: its spec as given, and the fingerprint of what answered."""

    spec: str
    fingerprint: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What must agree for two sides to measure the same thing. None, or an empty mapping: the input does not say.

    `texts` is every prompt's turns, `systems` its system message, `labels` every gold label. `checks` and `references`
    (canonical) are what judges hold answers against, and `reads` says which of the two the judges that count look at.
    `counting` are the judges that the scores rest on, `blind` those of them whose verdicts come of the slots,
    `leaked` the prompts that were found in training data, `stopped_early` says that not all were asked because the
    question was decided before. `templates` holds the hashes of template and weights behind each judge that was asked,
    `ways` how each judge that counts was asked and how a panel decides, `answers` a digest of the baseline's responses
    by prompt. `settings` may differ and has to be said, and so do every prompt's `samplings` (the suite's
    with its own on top) and `repeats`.
    """

    suite: str | None = None
    texts: Mapping[str, tuple[str, ...]] | None = None
    systems: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] | None = None
    checks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    references: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reads: frozenset[Yardstick] = frozenset()
    judges: tuple[str, ...] = ()
    counting: tuple[str, ...] = ()
    unusable: tuple[str, ...] = ()
    blind: tuple[str, ...] = ()
    leaked: tuple[str, ...] = ()
    stopped_early: bool = False
    templates: Mapping[str, str] = field(default_factory=dict)
    ways: Mapping[str, str] = field(default_factory=dict)
    baseline: Named | None = None
    candidate: Named | None = None
    answers: Mapping[str, str] = field(default_factory=dict)
    equivalence: float | None = None
    complete: bool = True
    settings: Mapping[str, str] = field(default_factory=dict)
    samplings: Mapping[str, str] = field(default_factory=dict)
    repeats: Mapping[str, int] = field(default_factory=dict)

    @property
    def position_decides(self) -> bool:
        """Whether the slots decided as much as the answers, so that a balance of verdicts says nothing of these."""
        return position_decides(len(self.blind), len(self.counting))


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """One measurement. `scores` holds the prompts that have a score; `prompts` all that should have one.

    pairwise: the prompt score in [0, 1] of the panel, or of the one judge that counts. predictions: 1 right, 0 wrong.
    scores: the mean over judges of the mean over turns of the mean over repeats, of prompts that every judge scored.
    losses: the loss per token of a document, in nats; `losses` holds the records behind it.
    `scale` is the range of a score, None where the input does not say. `by_judge` holds every judge's own scores, also
    of those that do not count. `clusters` holds the prompts that have a cluster. `against` are the scores of the
    baseline that a score run graded beside its candidate, None where there is none, and `notes_against` are of these.
    """

    path: Path
    kind: Kind
    prompts: tuple[str, ...]
    scores: Mapping[str, float]
    facts: Facts
    slices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    clusters: Mapping[str, str] = field(default_factory=dict)
    scale: tuple[float, float] | None = None
    by_judge: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    against: Mapping[str, float] | None = None
    predictions: tuple[PredictionRecord, ...] = ()
    losses: tuple[LossRecord, ...] = ()
    notes: tuple[str, ...] = ()
    notes_against: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """Prompts that should have a score."""
        return len(self.prompts)

    @property
    def missing(self) -> int:
        """Prompts without a usable score: counted, never averaged."""
        return len(self.prompts) - len(self.scores)


def wrong_without(records: Sequence[PredictionRecord]) -> tuple[str, ...]:
    """That items without a prediction count as wrong, where there are any."""
    none = sum(record.prediction is None for record in records)
    said = f"{none} of {len(records)} prompts have no prediction (null); each counts as wrong"
    return (said,) if none else ()
