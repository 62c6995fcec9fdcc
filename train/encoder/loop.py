"""Trains one encoder: items into transformers' trainer, looks on the way, the best put back, and what it says at last.

It goes on from a saved step where one is given, and on a CPU ends with the same weights as without the break. Weights
that were put back are read again from what was written, and must be the best step's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from harness import checkpoint
from harness.errors import RunStopped
from harness.models.encoder.form import Form
from harness.tasks.values import Item, Split, Task
from train import saved
from train.around import carry_out, in_words, silence
from train.encoder.arguments import Plan, arguments, plan
from train.encoder.callbacks import EncoderHistory, Watched, alarm_of, alarming, collapse_in
from train.encoder.data import (
    Example,
    Examples,
    as_lines,
    draws,
    examples,
    form_of,
    key_of,
    losses_of,
    read_short,
    written,
)
from train.encoder.figures import Told, figures, floor
from train.encoder.keys import EncoderKeys
from train.outcome import Passes, Setting, Stand
from train.recorder import recorder, stand
from train.steady import steady

PREDICTIONS = "predictions"
LOOKED: tuple[Split, ...] = ("validation", "test")


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """What is to be trained, on what, from where, into which folder.

    `resume` is a saved step to go on from. `finish` writes a folder's manifest from where the training stands and how
    many training items were cut; `step` gets steps done and planned, `say` a line for the reader.
    """

    keys: EncoderKeys
    task: Task
    run: Setting
    base: Path | None
    place: Path
    resume: Path | None
    finish: Callable[[Path, Stand, int], None]
    step: Callable[[int, int], None]
    say: Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ready:
    """A trainer that is ready, its plan and history, the form, and its items as it gets them."""

    trainer: Any
    planned: Plan
    history: EncoderHistory
    form: Form
    trained: Examples
    looked: Mapping[Split, Examples]
    watched: tuple[Watched, ...]


def train(work: Work) -> tuple[Stand, EncoderHistory, int]:
    """Carry out a training; weights and predictions stand in its folder then. Also how many training items were cut.

    Raises InputError or RunStopped.
    """
    keys = work.keys
    with (
        steady(keys.seed, keys.threads, exact=work.run.device == "cpu"),
        in_words(work.place, work.run.device, keys.training, work.resume),
    ):
        ready = _ready(work)
        here = _trained(work, ready)
        _predicted(work, ready)
        return here, ready.history, ready.trained.truncated


def _ready(work: Work) -> Ready:
    import transformers

    from train.encoder.layers import Rates
    from train.encoder.rdrop import RDrop
    from train.encoder.trainer import Collator, EncoderTrainer, Way

    keys, task = work.keys, work.task
    form = form_of(keys, task)
    model, tokenizer = _opened(work, form)
    if keys.training.gradient_checkpointing:
        model.keep_fewer_activations()
    trained = examples(tokenizer, task.train, form)
    looked = {split: examples(tokenizer, _items(task, split), form) for split in LOOKED}
    held = looked["validation"].rows
    for name, found in (("training", trained), *looked.items()):
        for said in read_short(name, found, form.max_length):
            work.say(f"{keys.name}: {said}")
    planned = plan(keys, len(trained.rows))
    history = EncoderHistory.read(work.resume / saved.HISTORY) if work.resume else EncoderHistory()
    watched = _watched(keys, form, held)
    given = transformers.TrainingArguments(**arguments(keys, work.place, work.run, planned, validates=bool(held)))
    # Several GPUs would each see a part of a batch, and weigh it by that part's labels.
    given._n_gpu = min(1, given.n_gpu)
    rdrop = keys.rdrop
    trainer = EncoderTrainer(
        model=model,
        args=given,
        train_dataset=list(trained.rows),
        eval_dataset=list(held) or None,
        data_collator=Collator(tokenizer.pad_token_id),
        processing_class=tokenizer,
        callbacks=_callbacks(work, planned, history, watched, trained.truncated),
        validation=held,
        way=Way(
            losses=losses_of(keys, task),
            rdrop=RDrop(alpha=rdrop.alpha, warmup_epochs=rdrop.warmup_epochs) if rdrop else None,
            rates=Rates(decay=keys.rates.decay, head=keys.rates.head),
            draws=draws(keys, task),
        ),
    )
    silence(trainer)
    return Ready(
        trainer=trainer,
        planned=planned,
        history=history,
        form=form,
        trained=trained,
        looked=looked,
        watched=watched,
    )


def _opened(work: Work, form: Form) -> tuple[Any, Any]:
    """The model and tokenizer that training starts from, and a line on what of the base is left out."""
    from harness.models.encoder.folder import based
    from train.encoder.adapter import adapt
    from train.encoder.fresh import fresh

    if work.keys.fresh is not None:
        return fresh(work.keys.fresh, form, work.task.train)
    assert work.base is not None
    model, tokenizer, dropped = based(work.base, form, causal=work.keys.causal)
    if dropped:
        more = f" and {len(dropped) - 3} more" if len(dropped) > 3 else ""
        work.say(f"{work.keys.name}: the base's own head is left out ({', '.join(dropped[:3])}{more})")
    if work.keys.lora is not None:
        adapt(model, work.keys.lora)
    return model, tokenizer


def _items(task: Task, split: Split) -> tuple[Item, ...]:
    return task.items.get(split, ())


def _watched(keys: EncoderKeys, form: Form, held: Sequence[Example]) -> tuple[Watched, ...]:
    """The figure of each head that the collapse alarm looks at."""
    if not held or keys.collapse is None:
        return ()
    gold = np.array([example.labels for example in held], dtype=np.int64)
    found = []
    for place, head in enumerate(form.heads):
        if len(np.unique(gold[:, place])) < 2:
            # Where validation has one label, who is always right is no better than who always says it.
            continue
        prefix = f"{head.name}." if len(form.heads) > 1 else ""
        words = f"{head.name}: validation {keys.watched.replace('_f1', ' F1')}"
        name = key_of(f"{prefix}{keys.watched}")
        found.append(Watched(name=name, words=words, floor=floor(gold[:, place], keys.watched)))
    return tuple(found)


def _callbacks(
    work: Work, planned: Plan, history: EncoderHistory, watched: tuple[Watched, ...], truncated: int
) -> list[Any]:
    from transformers import EarlyStoppingCallback

    keys = work.keys
    found = [
        recorder(
            history=history,
            place=work.place,
            keep=keys.save.keep,
            passes=lambda _: Passes(planned=planned.passes),
            finish=lambda folder, stand: work.finish(folder, stand, truncated),
            step=work.step,
        )
    ]
    alarm = alarm_of(keys)
    if alarm is not None and watched:
        found.append(alarming(history, watched, alarm, planned.steps, work.say))
    if keys.early_stopping is not None:
        stopping = keys.early_stopping
        found.append(EarlyStoppingCallback(stopping.patience, stopping.min_difference))
    return found


def _trained(work: Work, ready: Ready) -> Stand:
    """Train to the planned end or an earlier one, and write the weights that are kept."""
    keys, trainer, history = work.keys, ready.trainer, ready.history
    carry_out(trainer, work.resume)
    state, last = trainer.state, trainer.state.global_step
    here = stand(state, Passes(planned=ready.planned.passes), history)
    # A collapse may show at the last look of all.
    ended = _why(keys, ready) if last < state.max_steps else _fallen(keys, ready)
    here = replace(here, ended=ended)
    best = state.best_global_step if keys.early_stopping is not None else None
    if best and best != last:
        assert keys.early_stopping is not None
        trainer._load_from_checkpoint(str(work.place / f"checkpoint-{best}"))
        here = replace(here, weights_step=best, metrics=history.at(best))
        work.say(f"step {best} was the best by {keys.early_stopping.metric}; its weights are put back")
    trainer.save_model(str(work.place))
    if best:
        _same(work.place, work.place / f"checkpoint-{best}", best)
    return replace(here, metrics={**here.metrics, **_at_last(ready)})


def _why(keys: EncoderKeys, ready: Ready) -> str | None:
    found = _fallen(keys, ready)
    stopping = keys.early_stopping
    if found is not None or stopping is None:
        return found
    by = f" by more than {stopping.min_difference:g}" if stopping.min_difference else ""
    return f"validation {stopping.metric} did not improve{by} for {stopping.patience} looks"


def _fallen(keys: EncoderKeys, ready: Ready) -> str | None:
    """The collapse that the last looks show, if any."""
    alarm = alarm_of(keys)
    return collapse_in(ready.history, ready.watched, alarm, ready.planned.steps) if alarm else None


def _same(place: Path, best: Path, step: int) -> None:
    """Raise RunStopped where what was written is not what the best step's folder holds."""
    if checkpoint.weights_sha256(place) != checkpoint.weights_sha256(best):
        raise RunStopped(f"{place}: its weights are not those of step {step}, whose figures were the best; train again")


def _at_last(ready: Ready) -> dict[str, float]:
    """The test items' figures of the weights that are kept; nothing where there are no such items."""
    rows = ready.looked["test"].rows
    if not rows:
        return {}
    told, loss = ready.trainer.told(rows)
    return {f"test_{name}": value for name, value in figures(told, ready.form, loss).items()}


def _predicted(work: Work, ready: Ready) -> None:
    """Write the predictions on validation and test items, a file for each head."""
    for split in LOOKED:
        items, rows = _items(work.task, split), ready.looked[split].rows
        if rows:
            write_predictions(work.place / PREDICTIONS, split, items, ready.form, ready.trainer.told(rows)[0])


def write_predictions(folder: Path, split: str, items: Sequence[Item], form: Form, told: Mapping[str, Told]) -> None:
    """Write `<split>.jsonl`, with several heads `<split>-<head>.jsonl`, in the contract's format."""
    folder.mkdir(exist_ok=True)
    for head in form.heads:
        name = split if len(form.heads) == 1 else f"{split}-{quote(head.name, safe='')}"
        text = as_lines(written(items, head, told[head.name].probabilities.tolist()))
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
