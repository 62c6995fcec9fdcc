"""Writes what a training can prove: the index of its examples, and the manifests of every saved step and of its end."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from harness import checkpoint
from harness.checkpoint import Base, Data, File, Manifest
from harness.job import git_state
from harness.leakage import FILE, TrainingIndex, join
from train import saved
from train.data import TrainingData
from train.keys import TunedKeys
from train.outcome import Setting, Stand, Used
from train.recipe import Recipe

VERSIONS = ("judge-harness", "numpy", "datasets", "torch", "transformers", "tokenizers", "peft", "trl", "accelerate")


@dataclass(frozen=True, kw_only=True, slots=True)
class Built:
    """A checkpoint on disk: its folder, what names it in a manifest, its fingerprint, the spec that loads it."""

    folder: Path
    named: str
    sha256: str
    spec: str


class Notary:
    """Writes the manifests of a training: of each saved step, and of its end."""

    def __init__(
        self,
        recipe: Recipe,
        base: Built | None,
        parent: Built | None,
        run: Setting,
        examples: TrainingData,
        place: Path,
    ) -> None:
        self._recipe, self._base, self._parent, self._run, self._place = recipe, base, parent, run, place
        self._examples, self._sha256 = examples, examples.sha256
        self._index_sha256: str | None = None
        self._unindexed: tuple[str, ...] = ()
        self._used: Used | None = None

    def write_index(self, parent: Built | None) -> None:
        """Write the index of the training examples, and of what the weights in this folder were trained on before."""
        keys = self._recipe.keys
        # An adapter is never without its base, whose own index is read beside it; other weights hold all of it.
        within = self._base if isinstance(keys, TunedKeys) and not keys.adapts else None
        before = [made for made in (within, parent) if made]
        self._unindexed = tuple(made.named for made in before if not _indexed(made))
        earlier = [TrainingIndex.load(made.folder / FILE) for made in before if _indexed(made)]
        index = join([*earlier, self._examples.index()]) if earlier else self._examples.index()
        index.save(self._place / FILE)
        with (self._place / FILE).open("rb") as file:
            self._index_sha256 = hashlib.file_digest(file, "sha256").hexdigest()

    def begin(self, used: Used) -> None:
        """Take down what of the planned examples the trainer got."""
        self._used = used

    def finish(self, folder: Path, stand: Stand) -> None:
        """Write the manifest of a folder whose weights are on disk."""
        adapts = (folder / checkpoint.ADAPTER_WEIGHTS).is_file()
        weights = checkpoint.weights_sha256(folder)
        keys = self._recipe.keys
        # An adapter is used with its base's tokenizer and template.
        beside = self._base.folder if adapts and self._base else folder
        checkpoint.write(
            folder,
            Manifest(
                name=keys.name,
                kind=keys.kind,
                base=Base(spec=self._base.named, sha256=self._base.sha256) if self._base else None,
                parent=Base(spec=self._parent.named, sha256=self._parent.sha256) if self._parent else None,
                sha256=weights,
                adapter_sha256=weights if adapts else None,
                tokenizer_sha256=checkpoint.tokenizer_sha256(beside),
                chat_template_sha256=checkpoint.chat_template_sha256(beside),
                config_sha256=checkpoint.config_sha256(folder),
                steps_done=stand.steps,
                steps_planned=stand.planned,
                epochs=round(stand.epochs, 6),
                epochs_planned=round(stand.epochs_planned, 6),
                weights_step=stand.weights_step,
                ended=stand.ended,
                data=self._data(),
                seed=keys.seed,
                device=self._run.device,
                precision=self._run.precision,
                metrics=dict(stand.metrics),
                state=saved.state_of(folder) if folder != self._place else {},
                versions={name: version(name) for name in VERSIONS},
                git=git_state(),
                created=datetime.now(UTC).isoformat(timespec="seconds"),
                recipe=self._recipe.resolved(),
            ),
        )

    def _data(self) -> Data:
        assert self._used is not None
        used, examples = self._used, self._examples
        names: Sequence[str] = tuple(examples.planned)
        return Data(
            sha256=self._sha256,
            index_sha256=self._index_sha256,
            unindexed=self._unindexed,
            planned=sum(examples.planned.values()),
            actual=sum(used.actual.values()),
            held_out=examples.held_out,
            truncated=used.truncated,
            dropped=used.dropped,
            validation=used.validation,
            files=tuple(File(name=f.name, sha256=f.sha256, examples=f.examples) for f in examples.files),
            sources={name: {"planned": examples.planned[name], "actual": used.actual.get(name, 0)} for name in names},
        )


def _indexed(made: Built) -> bool:
    return (made.folder / FILE).is_file()
