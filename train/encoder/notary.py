"""Writes what an encoder's training can prove: the index of its items, its task, and the manifests of its steps."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from harness import checkpoint
from harness.checkpoint import Base, Data, File, Manifest
from harness.job import git_state
from harness.leakage import FILE, TrainingIndex, join
from harness.tasks.values import Task
from train import saved
from train.encoder.data import index_of
from train.encoder.recipe import EncoderRecipe
from train.notary import VERSIONS, Built
from train.outcome import Setting, Stand

TASK = "task.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class EncoderNotary:
    """Writes into the folder of one training."""

    recipe: EncoderRecipe
    base: Built | None
    run: Setting
    task: Task
    place: Path

    def begin(self) -> None:
        """Write the task (splits, counts, hashes) and the index of what was trained on, its base's own included."""
        text = json.dumps(self.task.as_json(), indent=2, ensure_ascii=False, allow_nan=False)
        (self.place / TASK).write_text(text + "\n", encoding="utf-8")
        index = index_of(self.task.train)
        known = self.base is not None and (self.base.folder / FILE).is_file()
        if self.base is not None and known:
            index = join([TrainingIndex.load(self.base.folder / FILE), index])
        index.save(self.place / FILE)

    def finish(self, folder: Path, stand: Stand, truncated: int) -> None:
        """Write the manifest of a folder whose weights are on disk."""
        keys = self.recipe.keys
        checkpoint.write(
            folder,
            Manifest(
                name=keys.name,
                kind="encoder",
                base=Base(spec=self.base.named, sha256=self.base.sha256) if self.base else None,
                sha256=checkpoint.weights_sha256(folder),
                adapter_sha256=None,
                tokenizer_sha256=checkpoint.tokenizer_sha256(folder),
                chat_template_sha256=checkpoint.chat_template_sha256(folder),
                config_sha256=checkpoint.config_sha256(folder),
                steps_done=stand.steps,
                steps_planned=stand.planned,
                epochs=round(stand.epochs, 6),
                epochs_planned=round(stand.epochs_planned, 6),
                weights_step=stand.weights_step,
                ended=stand.ended,
                data=self._data(truncated),
                seed=keys.seed,
                device=self.run.device,
                precision=self.run.precision,
                metrics=dict(stand.metrics),
                state=saved.state_of(folder) if folder != self.place else {},
                versions={name: version(name) for name in VERSIONS},
                git=git_state(),
                created=datetime.now(UTC).isoformat(timespec="seconds"),
                recipe=self.recipe.resolved(),
            ),
        )

    def _data(self, truncated: int) -> Data:
        task, count = self.task, len(self.task.train)
        with (self.place / FILE).open("rb") as file:
            index = hashlib.file_digest(file, "sha256").hexdigest()
        unknown = self.base is not None and not (self.base.folder / FILE).is_file()
        return Data(
            sha256=task.sha256,
            planned=count,
            actual=count,
            truncated=truncated,
            validation=len(task.validation),
            files=tuple(File(name=each.name, sha256=each.sha256, examples=each.rows) for each in task.origins),
            sources={task.name: {"planned": count, "actual": count}},
            index_sha256=index,
            unindexed=(self.base.named,) if self.base and unknown else (),
        )
