"""Checkpoints with a head as classifiers: its probabilities, in batches of like length.

They are checkpoints of kind encoder, or fine-tunes from elsewhere (`harness.models.encoder.foreign`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.classify.guess import Done, Guess
from harness.errors import InputError
from harness.models.encoder import foreign
from harness.models.encoder.asking import Encoder, Predicted, answers, averaged, form_of, members_of
from harness.models.encoder.form import HeadForm
from harness.tasks.values import LETTERS, Item

# So many items are answered before the first of them is written down.
CHUNK = 1024


@dataclass(kw_only=True, slots=True)
class HeadClassifier:
    """A checkpoint of kind encoder, an ensemble of some, or a foreign fine-tune, asked by one head; opened when asked.

    `truncated` counts the items whose text was cut so far, `alike` the questions that read the same with two options.
    """

    folder: Path
    head: HeadForm
    truncated: int = 0
    alike: int = 0
    _members: list[Encoder] = field(default_factory=list)

    async def ready(self) -> None:
        """Open the checkpoint, or every member of an ensemble."""
        if not self._members:
            self._members = await asyncio.to_thread(self._opened)

    async def classify(self, items: Sequence[Item], done: Done) -> None:
        """Label every item; of labels that are equally likely the first."""
        await self.ready()
        for start in range(0, len(items), CHUNK):
            part = items[start : start + CHUNK]
            told = await asyncio.to_thread(self._predicted, part)
            self.truncated += max(one.truncated for one in told)
            self.alike += max(one.alike for one in told)
            shares = averaged([one.probabilities for one in told])[self.head.name].tolist()
            for item, row in zip(part, shares, strict=True):
                labels = LETTERS[: len(item.options)] if item.options else self.head.labels
                likely = dict(zip(labels, row, strict=True))
                done(item, Guess(label=max(likely, key=lambda label: likely[label]), probabilities=likely))

    def _opened(self) -> list[Encoder]:
        if answers(self.folder):
            return [Encoder.open(one) for one in members_of(self.folder)]
        return [foreign.opened(self.folder, self.head)]

    def _predicted(self, items: Sequence[Item]) -> list[Predicted]:
        return [member.predict(items) for member in self._members]


def fitting(
    folder: Path, head: str, labels: Sequence[str], *, choices: bool, spec: str, naming: foreign.Naming | None = None
) -> HeadForm:
    """The head of a checkpoint that is asked for, or its only one. Raises InputError where they are not the task's.

    Of a fine-tune from elsewhere, `naming` says which of the task's labels its outputs are.
    """
    if not answers(folder):
        if choices:
            raise InputError(f"{spec!r}: it reads texts, and the task's items have options; give another checkpoint")
        outputs = foreign.outputs_of(folder, spec)
        return HeadForm(name=head, labels=foreign.named(outputs, labels, naming, spec))
    form = form_of(folder)
    if form.choices != choices:
        reads, has = ("questions with options", "none") if form.choices else ("texts", "options")
        raise InputError(f"{spec!r}: it reads {reads}, and the task's items have {has}; give another checkpoint")
    found = next((own for own in form.heads if own.name == head), None)
    if found is None and len(form.heads) == 1:
        found = form.heads[0]
    if found is None:
        names = ", ".join(own.name for own in form.heads)
        raise InputError(f"{spec!r}: it has no head {head!r}; its heads are {names}")
    if not choices and set(found.labels) != set(labels):
        raise InputError(
            f"{spec!r}: its head {found.name!r} has the labels {', '.join(found.labels)}, the task has "
            f"{', '.join(labels)}; give a checkpoint that was trained on this task's labels"
        )
    return found
