"""Classifications to draw: seeded predictions with probabilities, slices, lost ones and texts."""

from __future__ import annotations

import random
from collections.abc import Sequence

from harness.classify.report import ClassifyReport
from harness.classify.summary import summarize
from harness.classify.wrong import wrong_of
from harness.goal import Reading as GoalReading
from harness.goal import goal_of, met
from harness.records import PredictionRecord
from harness.tasks.values import Item

LABELS = ("positive", "negative", "neutral")
SLICES = ("Specific", "Negated")
TEXT = "What was written of a film"


def records(n: int, labels: Sequence[str], slices: Sequence[str], seed: int, *, sure: bool) -> list[PredictionRecord]:
    """Predictions of a model that is right on most; some replies are none."""
    rng, found = random.Random(seed), []
    for place in range(n):
        label = labels[min(len(labels) - 1, int(rng.expovariate(1)))]
        shares = [rng.random() ** 3 + 0.5 * (name == label) for name in labels]
        likely = {name: share / sum(shares) for name, share in zip(labels, shares, strict=True)}
        said = max(likely, key=lambda name: likely[name]) if rng.random() > 0.03 else None
        line = {
            "id": f"i{place:03}",
            "label": label,
            "prediction": said,
            "status": "ok" if said is not None else "invalid_parse",
            "slices": [name for name in slices if rng.random() < 0.4],
        }
        found.append(PredictionRecord.model_validate(line | ({"probabilities": likely} if sure else {})))
    return found


def made(
    n: int = 120,
    *,
    labels: Sequence[str] = LABELS,
    slices: Sequence[str] = SLICES,
    texts: Sequence[str] = (TEXT,),
    title: str = "films",
    sure: bool = True,
    validation: int = 200,
    notes: Sequence[str] = (),
    goal: str | None = None,
) -> ClassifyReport:
    """A report of `n` made predictions."""
    own = records(n, labels, slices, 3, sure=sure)
    items = [
        Item(id=one.id, texts=(f"{texts[place % len(texts)]} {place}", "a second text"), labels={"label": one.label})
        for place, one in enumerate(own)
    ]
    summary = summarize(
        own,
        validation=records(validation, labels, slices, 9, sure=sure),
        latencies_ms=[3.0, 4.0, 5.0],
        notes=notes,
    )
    reached = None
    if goal is not None:
        accuracy = summary.estimate("accuracy")
        reading = GoalReading(value=accuracy.value, ci=accuracy.ci, n=summary.n, reason=accuracy.reason)
        reached = met(goal_of(goal, "classify"), [reading])
    return ClassifyReport(
        title=(title, f"hf/{title}"),
        summary=summary,
        facts={"task": "films, test"},
        took=("together 12 items a second",),
        wrong=wrong_of(own, items),
        goal=reached,
    )
