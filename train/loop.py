"""Trains: data into a trl trainer of the recipe's kind, figures before, during and after, the best put back at the end.

It goes on from a saved step where one is given, and on a CPU ends with the same weights as without the break. What
stops it (memory, a full disk, a loss that is no number) is said in a sentence; every saved step before it is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import InputError
from train import saved
from train.arguments import arguments, fits, of_kind, passes, save_every, steps
from train.around import carry_out, in_words, silence
from train.data import TrainingData, counted, require_as_planned
from train.examples import Example
from train.keys import AnyKeys, DpoKeys, RewardKeys, SftKeys
from train.opening import Opened, opened
from train.outcome import Setting, Stand, Used
from train.recorder import Finish, History, recorder, stand
from train.steady import steady
from train.tokens import encode, pair_lengths
from train.watched import Figures, Watch, save, watched

Look = Callable[[Any], Figures]


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """What is to be trained, on what, from where, into which folder.

    `resume` is a saved step to go on from. `finish` writes a step's manifest, once `begin` was told what the trainer
    got of the data. `look` looks at a suite; `step` gets steps done and planned, `say` a line for the reader.
    """

    keys: AnyKeys
    data: TrainingData
    run: Setting
    base: Path | None
    parent: Path | None
    place: Path
    resume: Path | None
    begin: Callable[[Used], None]
    finish: Finish
    step: Callable[[int, int], None]
    say: Callable[[str], None]
    look: Callable[[bool, Any, int], Figures] | None = None


def train(task: Task) -> tuple[Stand, History]:
    """Carry out a task; the final weights stand in its folder then. Raises InputError or RunStopped."""
    with (
        steady(task.keys.seed, task.keys.threads, exact=task.run.device == "cpu"),
        in_words(task.place, task.run.device, task.keys.training, task.resume),
    ):
        start = opened(task.keys, task.run, task.base, task.parent, task.data.rows)
        fits(task.keys, start.model)
        trainer, used = _trainer(task, start)
        task.begin(used)
        return _trained(task, trainer)


def _trained(task: Task, trainer: Any) -> tuple[Stand, History]:
    history: History = trainer.history
    if task.resume is None and task.data.validation:
        trainer.evaluate()
    carry_out(trainer, task.resume)
    state, last = trainer.state, trainer.state.global_step
    here = stand(state, passes(task.keys, len(trainer.get_train_dataloader())), history)
    if last < state.max_steps:
        here = replace(here, ended=_why(task.keys))
    best = state.best_global_step
    if task.keys.early_stopping is not None and best and best != last:
        trainer._load_from_checkpoint(str(task.place / f"checkpoint-{best}"))
        here = replace(here, weights_step=best, metrics={**history.at(best)})
        task.say(_put_back(best, task.keys.early_stopping.metric, here.metrics))
    if task.look is not None:
        trainer.model.eval()
        kept = here.weights_step or last
        whole = {f"whole_{name}": value for name, value in task.look(True, trainer, kept).items()}
        history.row(kept).update(whole)
        here = replace(here, metrics={**here.metrics, **whole})
    save(trainer.accelerator.unwrap_model(trainer.model), trainer.processing_class, task.place)
    return here, history


def _why(keys: AnyKeys) -> str | None:
    stopping = keys.early_stopping
    if stopping is None:
        return None
    by = f" by more than {stopping.min_difference:g}" if stopping.min_difference else ""
    return f"{stopping.metric} did not improve{by} for {stopping.patience} looks"


def _put_back(step: int, metric: str, figures: Figures) -> str:
    said = f"step {step} was the best by {metric}; its weights are put back"
    before = figures.get(f"{metric}_before")
    if metric == "validation_loss" and before is not None and before < figures[metric]:
        said += f", though before training it was better ({before:.4g}, now {figures[metric]:.4g})"
    return said


def _trainer(task: Task, start: Opened) -> tuple[Any, Used]:
    """The trainer of a recipe's kind, and what of the data it got. Raises InputError where that is not as planned."""
    keys, data = task.keys, task.data
    pairs = isinstance(keys, DpoKeys | RewardKeys)
    rows, used = (_pairs if pairs else _answers)(keys, data.rows, start.tokenizer)
    held, _ = (_pairs if pairs else _answers)(keys, data.validation, start.tokenizer)
    used = replace(used, validation=len(held))
    require_as_planned(data.planned, used.actual, str(task.place.name))
    if data.validation and not held:
        raise InputError("data.validation: no example keeps its answer within training.max_length; raise it")
    planned = steps(keys, len(rows))
    every = save_every(keys, planned)
    looks = bool(held) or task.look is not None
    kind, config, extra = _kind(keys)
    history = History.read(task.resume / saved.HISTORY) if task.resume else History()
    try:
        trainer = watched(kind)(
            model=start.model,
            args=config(**arguments(keys, task.place, task.run, every, validates=looks), **of_kind(keys)),
            train_dataset=_dataset(rows),
            eval_dataset=_dataset(held) if held else (_dataset(rows[:1]) if looks else None),
            processing_class=start.tokenizer,
            peft_config=start.lora,
            callbacks=_callbacks(task, history),
            watch=Watch(pairs=pairs, validates=bool(held), look=_due(task)),
            **extra,
        )
    except ValueError as error:
        raise InputError(_refused(error)) from None
    trainer.history = history
    silence(trainer)
    _got_all(trainer, len(rows), keys)
    return trainer, used


def _refused(error: ValueError) -> str:
    """What peft or trl refuses, with the recipe's key where it is told."""
    text = " ".join(str(error).split())[:300]
    return f"lora.target_modules: {text}" if "target" in text.lower() and "modules" in text else f"training: {text}"


def _kind(keys: AnyKeys) -> tuple[Any, Any, dict[str, Any]]:
    """The trainer and config classes of a kind, and what they take besides."""
    import trl

    if isinstance(keys, DpoKeys):
        return trl.DPOTrainer, trl.DPOConfig, {}
    if isinstance(keys, RewardKeys):
        return trl.RewardTrainer, trl.RewardConfig, {}
    if isinstance(keys, SftKeys) and keys.anchor is not None:
        from train.anchored import anchored_trainer

        return anchored_trainer(), trl.SFTConfig, {"anchor": keys.anchor.settings()}
    return trl.SFTTrainer, trl.SFTConfig, {}


def _answers(keys: AnyKeys, examples: tuple[Example, ...], tokenizer: Any) -> tuple[list[dict[str, Any]], Used]:
    encoded = encode(tokenizer, examples, keys.training.max_length)
    actual: dict[str, int] = {}
    for row in encoded.rows:
        actual[row.source] = actual.get(row.source, 0) + 1
    rows = [{"input_ids": row.ids, "labels": row.labels} for row in encoded.rows]
    return rows, Used(actual=actual, truncated=encoded.truncated, dropped=encoded.dropped)


def _pairs(keys: AnyKeys, examples: tuple[Example, ...], tokenizer: Any) -> tuple[list[dict[str, Any]], Used]:
    """The pairs that trl will keep: it leaves out what has nothing to compare within the longest length.

    A reward is read at the end of an answer, so that none may be cut; elsewhere an answer must at least begin.
    """
    longest, whole = keys.training.max_length, isinstance(keys, RewardKeys)
    kept, truncated = [], 0
    for example, (asked, told) in zip(examples, pair_lengths(tokenizer, examples), strict=True):
        if told <= longest or (not whole and asked < longest):
            kept.append(example)
            truncated += told > longest
    rows = [
        {
            "prompt": [{"role": message.role, "content": message.content} for message in row.prompt],
            "chosen": [{"role": "assistant", "content": row.answer}],
            "rejected": [{"role": "assistant", "content": row.rejected}],
        }
        for row in kept
    ]
    return rows, Used(actual=counted(kept), truncated=truncated, dropped=len(examples) - len(kept))


def _dataset(rows: list[dict[str, Any]]) -> Any:
    from datasets import Dataset

    return Dataset.from_list(rows)


def _due(task: Task) -> Look | None:
    """Looks at the suite at the steps that the recipe names, never before the first."""
    look, evaluate = task.look, task.keys.evaluate
    if look is None or evaluate is None:
        return None

    def due(trainer: Any) -> Figures:
        step = trainer.state.global_step
        if step == 0 or (evaluate.every and step % evaluate.every):
            return {}
        return look(False, trainer, step)

    return due


def _callbacks(task: Task, history: History) -> list[Any]:
    from transformers import EarlyStoppingCallback

    keys = task.keys
    kept = recorder(
        history=history,
        place=task.place,
        keep=keys.save.keep,
        passes=lambda batches: passes(keys, batches),
        finish=task.finish,
        step=task.step,
    )
    if keys.early_stopping is None:
        return [kept]
    stopping = keys.early_stopping
    return [kept, EarlyStoppingCallback(stopping.patience, stopping.min_difference)]


def _got_all(trainer: Any, rows: int, keys: AnyKeys) -> None:
    """Raise InputError where the trainer's own preparation lost examples or made another number of steps of them."""
    held = trainer.train_dataset
    got = sum(len(each) for each in held["seq_lengths"]) if keys.training.packing else len(held)
    require_as_planned({"the trainer": rows}, {"the trainer": got}, keys.name)
