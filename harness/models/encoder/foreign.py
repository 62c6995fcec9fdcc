"""Fine-tunes from elsewhere as classifiers: folders whose config names a …ForSequenceClassification.

Their outputs are called by the config's id2label. Opened whole or not at all; asked like our own (`asking.Encoder`).
Refuses models with one output (they score) and those whose outputs are not one label of several.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.checkpoints.files import damage, require_weights
from harness.errors import InputError, Problem
from harness.models.encoder.asking import Encoder
from harness.models.encoder.form import Form, HeadForm
from harness.models.weights import Device, choose_device

LONGEST = 512
"""Tokens of a text, where neither tokenizer nor config says how many the model reads; and at most."""
_KIND = "ForSequenceClassification"
# What such checkpoints hold besides, and no answer needs.
_UNUSED = ("position_ids", "pooler.dense.weight", "pooler.dense.bias")

Naming = Mapping[str, str] | Sequence[str]
"""What a suite says of a classifier's outputs: the task's label of each by its name, or all labels in their order."""


def is_classifier(folder: Path) -> bool:
    """Whether a folder holds a fine-tuned classifier that was not made here."""
    names = _config(folder).get("architectures")
    return isinstance(names, list) and any(str(name).endswith(_KIND) for name in names)


def outputs_of(folder: Path, spec: str) -> tuple[str, ...]:
    """What a classifier's outputs are called, in order. Raises InputError where they are not labels of which one is."""
    config = _config(folder)
    names = config.get("id2label")
    try:
        # What transformers writes nothing of are its two default outputs.
        known = {int(place): str(name) for place, name in names.items()} if names else {0: "LABEL_0", 1: "LABEL_1"}
    except (AttributeError, ValueError):
        known = {}
    if sorted(known) != list(range(len(known))) or not known or len(set(known.values())) < len(known):
        what = "its id2label does not name every output, each by a name of its own; mend the config"
        raise InputError([Problem(path=str(folder / "config.json"), what=what)])
    if len(known) == 1:
        raise InputError(f"{spec!r}: has one output, a score; it is a judge (reward/…), not a classifier")
    if config.get("problem_type") == "multi_label_classification":
        raise InputError(f"{spec!r}: gives several labels at once, and a task has one; give another classifier")
    return tuple(known[place] for place in range(len(known)))


def named(outputs: Sequence[str], labels: Sequence[str], given: Naming | None, spec: str) -> tuple[str, ...]:
    """The task's label of every output, in the outputs' order: as given, or by their names, capitals aside.

    Raises InputError where they do not go together one by one.
    """
    if given is None:
        return _by_name(outputs, labels, spec)
    if isinstance(given, Mapping):
        unknown = [name for name in given if name not in outputs]
        if unknown or len(given) < len(outputs):
            lacking = unknown[0] if unknown else next(name for name in outputs if name not in given)
            said = "is no output" if unknown else "has no label"
            raise InputError(f"method.labels: {lacking!r} {said}; the outputs of {spec!r} are {', '.join(outputs)}")
        found = tuple(given[name] for name in outputs)
    else:
        found = tuple(given)
    if sorted(found) != sorted(labels):
        raise InputError(
            f"method.labels: names {', '.join(found)}, the task's labels are {', '.join(labels)}; name each of them "
            f"once, for the outputs {', '.join(outputs)} of {spec!r}"
        )
    return found


def _by_name(outputs: Sequence[str], labels: Sequence[str], spec: str) -> tuple[str, ...]:
    known: dict[str, list[str]] = {}
    for label in labels:
        known.setdefault(_plain(label), []).append(label)
    found = [known.get(_plain(name), []) for name in outputs]
    chosen = tuple(own[0] for own in found if len(own) == 1)
    if len(chosen) == len(outputs) and sorted(chosen) == sorted(labels):
        return chosen
    if len(outputs) != len(labels):
        raise InputError(
            f"{spec!r}: has {len(outputs)} outputs ({', '.join(outputs)}), the task has {len(labels)} labels "
            f"({', '.join(labels)}); give a classifier that was trained on this task's labels"
        )
    each = ", ".join(f"{name}: …" for name in outputs)
    raise InputError(
        f"{spec!r}: its outputs are called {', '.join(outputs)}, the task's labels {', '.join(labels)}; say which is "
        f"which, as its authors do: method: {{labels: {{{each}}}}}, or the labels in the outputs' order as a list"
    )


def _plain(name: str) -> str:
    return " ".join(name.replace("_", " ").split()).casefold()


def opened(folder: Path, head: HeadForm, device: Device | None = None) -> Encoder:
    """The classifier, asked under a head's name and labels (one an output). Raises InputError where it is not whole."""
    import torch
    import transformers

    from harness.models.encoder.folder import room_of

    where = device or choose_device()
    require_weights(folder)
    problems = damage(folder)
    if problems:
        raise InputError(problems)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            str(folder), padding_side="right", trust_remote_code=False
        )
        model, report = transformers.AutoModelForSequenceClassification.from_pretrained(
            str(folder),
            dtype=getattr(torch, where.dtype),
            use_safetensors=True,
            ignore_mismatched_sizes=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    # A foreign config or tokenizer makes the libraries raise anything, bare Exception included.
    except Exception as error:
        raise InputError(f"{folder}: cannot be loaded: {' '.join(str(error).split())[:300]}") from None
    _whole(folder, report)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    model.config.pad_token_id = tokenizer.pad_token_id
    room = min(LONGEST, int(tokenizer.model_max_length), room_of(model.config) or LONGEST)
    form = Form(heads=(head,), max_length=room)
    return Encoder(_Classifier(model.to(where.name).eval(), form), tokenizer, str(folder))


class _Classifier:
    """A model of transformers, asked as our own are: the logits of its one head."""

    def __init__(self, model: Any, form: Form) -> None:
        self._model, self.form = model, form
        self.device = model.device

    def __call__(self, **batch: Any) -> tuple[Any, ...]:
        return (self._model(**batch).logits,)


def _whole(folder: Path, report: Any) -> None:
    """Raise InputError where weights are missing, unexpected or of another shape."""
    wrong = {
        "missing": sorted(report.get("missing_keys", ())),
        "unexpected": sorted(key for key in report.get("unexpected_keys", ()) if not key.endswith(_UNUSED)),
        "of another shape": sorted(str(key) for key in report.get("mismatched_keys", ())),
    }
    said = "; ".join(f"{name}: {', '.join(keys[:5])}" for name, keys in wrong.items() if keys)
    if said:
        raise InputError(f"{folder}: its weights do not fit the classifier ({said}); give a whole checkpoint")


def _config(folder: Path) -> Mapping[str, Any]:
    try:
        value = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
