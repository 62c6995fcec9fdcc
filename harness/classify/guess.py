"""What a classifier says of one item, and the line of predictions.jsonl that it becomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from harness.tasks.values import Item

Status = Literal["ok", "invalid_parse", "truncated", "refused", "provider_error"]
# A prediction that is missing for a reason that is not the model's own is asked for again.
UNANSWERED: tuple[Status, ...] = ("provider_error",)


@dataclass(frozen=True, kw_only=True, slots=True)
class Guess:
    """A label, or None with the status that says why; its probabilities by label where they are known.

    `details` goes into the record as it is (a reply, log-likelihoods).
    """

    label: str | None
    status: Status = "ok"
    probabilities: Mapping[str, float] | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


Done = Callable[[Item, Guess], None]


class Classifier(Protocol):
    """Something that gives items labels."""

    async def ready(self) -> None:
        """Open what has to be opened, so that it takes no item's time. Raises InputError where that cannot be."""
        ...

    async def classify(self, items: Sequence[Item], done: Done) -> None:
        """Label every item, calling `done` for each as it arrives. Raises RunStopped where none can succeed."""
        ...


def record_of(item: Item, head: str, guess: Guess, heads: Sequence[str] = ()) -> dict[str, Any]:
    """The contract's prediction record; with several `heads` the item's other labels are slices of it."""
    slices = [*item.slices, *(f"{other}={item.labels[other]}" for other in heads if other != head)]
    record: dict[str, Any] = {"id": item.id, "label": item.labels[head], "prediction": guess.label}
    optional = {
        "probabilities": dict(guess.probabilities) if guess.probabilities is not None else None,
        "slices": slices or None,
        "category": item.category,
        "cluster": item.cluster,
    }
    record |= {name: value for name, value in optional.items() if value is not None}
    return {**record, "status": guess.status, **guess.details}
