"""Asks a checkpoint of kind encoder: the probabilities of every label, in batches of like length.

A folder of several members (`ensemble.json` names them) answers with the mean of their probabilities. A batch that does
not fit the device's memory is halved until it does.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.checkpoints.files import ENSEMBLE, fingerprint
from harness.errors import InputError, Problem, RunStopped
from harness.models.encoder import form as forms
from harness.models.encoder.form import Form
from harness.models.encoder.rows import Readable, Row, batches, collate, encode
from harness.models.weights import Device, choose_device

BATCH_TOKENS, MOST_ROWS = 16384, 256
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Predicted:
    """What an encoder says of items, in their order.

    `probabilities` by head are (items, labels) in the order of the form's labels (of multiple choice: of the options);
    rows add up to 1. `truncated` counts the items whose text was cut, `alike` the questions that read the same with
    two of their options. `seconds` (items,) is each item's share of its batch's time, tokens included.
    """

    probabilities: Mapping[str, Floats]
    truncated: int
    seconds: Floats
    alike: int = 0


class Encoder:
    """An open checkpoint: its form, and what it says of items."""

    def __init__(self, model: Any, tokenizer: Any, spec: str) -> None:
        self._model, self._tokenizer, self._spec = model, tokenizer, spec
        self.form: Form = model.form

    @classmethod
    def open(cls, folder: Path, device: Device | None = None) -> Encoder:
        """Load a checkpoint. Raises InputError where it is not whole."""
        from harness.models.encoder.folder import load

        return cls(*load(folder, device or choose_device()), spec=str(folder))

    def predict(self, items: Sequence[Readable], *, most: int = MOST_ROWS) -> Predicted:
        """Probabilities by head; at most `most` items are read at once (1 measures what one item alone takes).

        Raises InputError where an item is not of the form's kind, RunStopped where one item alone does not fit the
        device's memory.
        """
        _fit(items, self.form, self._spec)
        started = time.perf_counter()
        encoded = encode(self._tokenizer, items, self.form.max_length)
        each = (time.perf_counter() - started) / max(1, len(items))
        seconds = np.full(len(items), each)
        found = {name: np.zeros((len(items), _width(items, self.form, name))) for name in self.form.names}
        for places in batches(encoded.rows, BATCH_TOKENS, most):
            started = time.perf_counter()
            told = self._fitting([encoded.rows[place] for place in places])
            seconds[places] += (time.perf_counter() - started) / len(places)
            for name, values in zip(self.form.names, told, strict=True):
                found[name][places] = values
        return Predicted(probabilities=found, truncated=encoded.truncated, seconds=seconds, alike=encoded.alike)

    def close(self) -> None:
        """Let the model go, and its memory."""
        import torch

        self._model = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _fitting(self, rows: Sequence[Row]) -> list[Floats]:
        """The probabilities of rows, in halves where they do not fit the device's memory together."""
        import torch

        try:
            return probabilities(self._model, rows, self._tokenizer.pad_token_id)
        except torch.OutOfMemoryError:
            if len(rows) == 1:
                raise RunStopped(f"{self._spec}: out of memory on one item of {rows[0].length} tokens alone") from None
        torch.cuda.empty_cache()
        middle = len(rows) // 2
        halves = self._fitting(rows[:middle]), self._fitting(rows[middle:])
        return [np.concatenate(both) for both in zip(*halves, strict=True)]


def probabilities(model: Any, rows: Sequence[Row], pad: int) -> list[Floats]:
    """The probabilities of one batch, (rows, labels) for every head; softmax is taken in float64."""
    import torch

    batch = {name: values.to(model.device) for name, values in collate(rows, pad).items()}
    with torch.inference_mode():
        return [logits.double().softmax(dim=-1).cpu().numpy() for logits in model(**batch)]


def predict(folder: Path, items: Sequence[Readable], *, device: Device | None = None) -> Predicted:
    """What a checkpoint, or a folder's ensemble, says of items. Raises as `Encoder.open` and `Encoder.predict`."""
    members = members_of(folder)
    told = []
    for member in members:
        encoder = Encoder.open(member, device)
        told.append(encoder.predict(items))
        encoder.close()
    if len(told) == 1:
        return told[0]
    return Predicted(
        probabilities=averaged([one.probabilities for one in told]),
        truncated=max(one.truncated for one in told),
        alike=max(one.alike for one in told),
        seconds=np.sum([one.seconds for one in told], axis=0),
    )


def averaged(told: Sequence[Mapping[str, Floats]]) -> dict[str, Floats]:
    """The mean probabilities of several members, by head."""
    return {name: np.mean([one[name] for one in told], axis=0) for name in told[0]}


def members_of(folder: Path) -> tuple[Path, ...]:
    """The checkpoints that answer for a folder: itself, or an ensemble's members.

    Raises InputError where the folder is neither, or where a member is missing.
    """
    file = folder / ENSEMBLE
    if not file.is_file():
        forms.read(folder)
        return (folder,)
    try:
        names = [str(name) for name in json.loads(file.read_text(encoding="utf-8"))["members"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError([Problem(path=str(file), what=f"names no members ({error}); train again")]) from None
    found = tuple(folder / name for name in names)
    if not names or not all(forms.is_encoder(member) for member in found):
        what = f"names members that are not there ({', '.join(names) or 'none'}); train again"
        raise InputError([Problem(path=str(file), what=what)])
    return found


def form_of(folder: Path) -> Form:
    """The form of a checkpoint, or of an ensemble's members, which is one. Raises InputError where it is none."""
    return forms.read(members_of(folder)[0])


def answers(folder: Path) -> bool:
    """Whether a folder is a checkpoint of kind encoder or an ensemble of some."""
    return forms.is_encoder(folder) or (folder / ENSEMBLE).is_file()


def encoder_fingerprint(folder: Path) -> str:
    """What names the weights of a folder that `answers`: its fingerprint, or one over its members'."""
    import hashlib

    members = members_of(folder)
    if members == (folder,):
        return fingerprint(folder)
    return hashlib.sha256("\n".join(fingerprint(member) for member in members).encode()).hexdigest()


def _fit(items: Sequence[Readable], form: Form, spec: str) -> None:
    """Raise InputError where an item has options and the form none, or the other way round."""
    odd = next((item for item in items if bool(item.options) != form.choices), None)
    if odd is not None:
        wanted = "a question with options" if form.choices else "texts without options"
        raise InputError(
            f"{spec}: reads {wanted}, and the item {getattr(odd, 'id', '')!r} is otherwise; give such items"
        )
    if form.choices and not form.joined and any(len(item.texts) > 1 for item in items):
        raise InputError(f"{spec}: was trained when questions of two texts were read otherwise; train it again")
    if form.choices and len({len(item.options) for item in items}) > 1:
        raise InputError(f"{spec}: every question needs as many options as the others; give such items")


def _width(items: Sequence[Readable], form: Form, name: str) -> int:
    if form.choices:
        return len(items[0].options) if items else len(form.heads[0].labels)
    return len(next(head.labels for head in form.heads if head.name == name))
