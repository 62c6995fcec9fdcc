"""A run's predictions once more with thresholds for rare classes: what was fitted, and what that changes here.

Fitted on validation predictions alone; that they gain on other items is asked item by item, and may be answered no.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.classify.figures import clusters_of
from harness.classify.rare import RareOffsets, applied, fit
from harness.classify.summary import ClassifySummary, summarize
from harness.classify.words import name
from harness.records import PredictionRecord
from harness.report.numerals import percent, plural
from harness.report.phrases import moved
from harness.stats.classpair import ClassDifference, f1_difference

MACRO = "macro_f1"
STILL = "no prediction changes: every offset is none, or 0"
KEPT = ("n", "accuracy", "ci", "macro_f1", "mcc", "per_class", "micro_f1", "weighted_f1", "intervals")


@dataclass(frozen=True, kw_only=True, slots=True)
class Thresholded:
    """The offsets, the predictions and figures with them, and what they moved.

    `before` are the figures without. The differences (with − without) are paired by item: `macro` of macro F1, `moved`
    of the F1 of every rare class that is a label or a prediction here.
    """

    rare: RareOffsets
    records: tuple[PredictionRecord, ...]
    before: ClassifySummary
    summary: ClassifySummary
    macro: ClassDifference
    moved: Mapping[str, ClassDifference]

    @property
    def still(self) -> bool:
        """Whether every offset is none, or 0, so that no prediction changes."""
        return not any(own.value for own in self.rare.offsets.values())

    def as_json(self) -> dict[str, Any]:
        """`thresholds` of summary.json."""
        return {
            "offsets": self.rare.as_json(),
            "with": {key: own for key, own in self.summary.as_json().items() if key in KEPT},
            "difference": {
                MACRO: self._difference(self.macro),
                "f1": {label: self._difference(own) for label, own in self.moved.items()},
            },
        }

    def _difference(self, own: ClassDifference) -> dict[str, Any]:
        """Of predictions that are the same there is nothing to estimate."""
        known = own.as_json() | ({"ci": None, "p_value": None, "reason": STILL} if self.still else {})
        return {"without": own.a, "with": own.b, **known}


def thresholded(
    records: Sequence[PredictionRecord],
    validation: Sequence[PredictionRecord],
    wanted: Sequence[str],
    before: ClassifySummary,
) -> Thresholded:
    """Offsets of the `wanted` labels from `validation`, and what they do to `records`; `before` are their figures.

    A record without probabilities keeps its prediction. Raises InputError as `rare.fit` and `rare.applied` do.
    """
    rare = fit(validation, wanted)
    changed = {one.id: one for one in applied([one for one in records if one.probabilities], rare)}
    made = tuple(changed.get(one.id, one) for one in records)
    gold, clusters = [one.label for one in records], clusters_of(records)
    sides = ([one.prediction for one in records], [one.prediction for one in made])
    held = {*gold, *sides[0], *sides[1]}
    return Thresholded(
        rare=rare,
        records=made,
        before=before,
        summary=summarize(made, labels=before.labels),
        macro=f1_difference(gold, *sides, clusters=clusters),
        moved={label: f1_difference(gold, *sides, label=label, clusters=clusters) for label in wanted if label in held},
    )


def sentences(found: Thresholded | None) -> Iterator[str]:
    """What was fitted, on what, and what it changed here; nothing where there are no thresholds."""
    if found is None:
        return
    for label, own in found.rare.offsets.items():
        if own.reason is not None:
            yield f"{name(label)}: none, {own.reason}"
            continue
        value = f"{own.value:+.3g}".replace("-", "−")
        fitted = f"{value} to its log-probability" if own.value else "no offset"
        said = f"{name(label)}: {fitted}, fitted on validation alone ({plural(own.items, 'item')} of it)"
        if label not in found.moved:
            said += "; no item of it here"
        elif not found.still:
            said += f"; here {moved('F1', found.moved[label])}"
        yield said
    if found.still:
        yield STILL
        return
    yield f"with them {moved('macro F1', found.macro)}; {_accuracy(found)}"
    yield "all other figures of this report are those without; the predictions with them are in thresholded.jsonl"


def _accuracy(found: Thresholded) -> str:
    before, after = (side.figures.accuracy.mean for side in (found.before, found.summary))
    if before is None or after is None:
        return "no accuracy"
    return f"accuracy {percent(before, found.before.n)} → {percent(after, found.before.n)}"
