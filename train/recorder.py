"""Keeps what a trainer says of itself: the history, step by step, and a manifest for every step that is saved."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from train import saved
from train.keys import SUITE_METRICS
from train.outcome import Passes, Row, Stand

_PARTS = ("", "_low", "_high", "_n", "_change", "_change_low", "_change_high")
NAMES = {
    "loss": "loss",
    "learning_rate": "learning_rate",
    "grad_norm": "grad_norm",
    "anchor": "anchor",
    "anchor_coef": "anchor_coef",
    "eval_loss": "validation_loss",
    "eval_perplexity": "perplexity",
    "eval_tokens": "validation_tokens",
    **{f"eval_{metric}{part}": f"{metric}{part}" for metric in SUITE_METRICS.values() for part in _PARTS},
    "eval_suite_perplexity": "suite_perplexity",
    "rewards/accuracies": "reward_accuracy",
    "rewards/margins": "reward_margin",
    "eval_rewards/accuracies": "validation_accuracy",
    "accuracy": "train_accuracy",
    "eval_accuracy": "validation_accuracy",
    "margin": "train_margin",
}
"""What the trainers call a figure, and what it is called here."""


class History:
    """Rows of figures by step; figures of one step stand in one row."""

    def __init__(self, rows: list[dict[str, float]] | None = None) -> None:
        self.rows = rows or []

    @classmethod
    def read(cls, file: Path) -> Self:
        """The history in a step's folder."""
        return cls(json.loads(file.read_text(encoding="utf-8")))

    def add(self, step: int, epoch: float, logs: Mapping[str, Any]) -> None:
        """Take in the figures that were logged at a step."""
        known = {name: float(value) for name, value in self.named(logs).items()}
        if not known:
            return
        if not self.rows or self.rows[-1]["step"] != step:
            self.rows.append({"step": step, "epoch": round(epoch, 6)})
        self.rows[-1].update(known)

    def named(self, logs: Mapping[str, Any]) -> Mapping[str, Any]:
        """The logged figures that are kept, under our names."""
        return {NAMES[name]: value for name, value in logs.items() if name in NAMES}

    def at(self, step: int) -> dict[str, float]:
        """The figures of a step, and the losses before training as …_before."""
        before = {f"{name}_before": self.rows[0][name] for name in _COMPARED if self.rows and name in self.rows[0]}
        here = next((row for row in reversed(self.rows) if row["step"] == step), {})
        found = {name: value for name, value in here.items() if name not in ("step", "epoch") and value is not None}
        return {**(before if self.rows and self.rows[0]["step"] == 0 else {}), **found}

    def row(self, step: int) -> dict[str, float]:
        """The row of a step, which is the last one where there is none of it."""
        return next((row for row in reversed(self.rows) if row["step"] == step), self.rows[-1])

    def write(self, file: Path) -> None:
        """Write the rows as JSON; a figure that is no finite number (a gradient's norm, say) is null."""
        rows = [
            {name: value if value is not None and math.isfinite(value) else None for name, value in row.items()}
            for row in self.rows
        ]
        file.write_text(json.dumps(rows, indent=1, allow_nan=False) + "\n", encoding="utf-8")


_COMPARED = ("validation_loss", "perplexity", "win_rate")

Finish = Callable[[Path, Stand], None]
"""Writes the manifest of a step's folder."""


def recorder(
    *,
    history: History,
    place: Path,
    keep: int,
    passes: Callable[[int], Passes],
    finish: Finish,
    step: Callable[[int, int], None],
) -> Any:
    """A trainer's callback that keeps the history, reports every step, and finishes every folder that is saved."""
    from transformers import TrainerCallback

    class Recorder(TrainerCallback):  # type: ignore[misc]
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            history.add(state.global_step, float(state.epoch or 0.0), logs or {})

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            step(state.global_step, state.max_steps)

        def on_save(self, args: Any, state: Any, control: Any, train_dataloader: Any = None, **_: Any) -> None:
            folder = place / f"checkpoint-{state.global_step}"
            history.write(folder / saved.HISTORY)
            saved.link_index(place, folder)
            saved.settle(folder)
            finish(folder, stand(state, passes(len(train_dataloader)), history))
            saved.prune(place, keep, state.best_global_step)

    return Recorder()


def stand(state: Any, passes: Passes, history: History) -> Stand:
    """Where a trainer stands by its own state."""
    return Stand(
        steps=state.global_step,
        planned=state.max_steps,
        epochs=float(state.epoch or 0.0) * passes.an_epoch,
        epochs_planned=passes.planned,
        metrics=history.at(state.global_step),
    )


def rows_of(history: History) -> tuple[Row, ...]:
    """The history's rows, for the plot."""
    return tuple(history.rows)
