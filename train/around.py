"""What stands around every trainer here: a way on from a saved step, silence, and failures in a sentence."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from harness.errors import InputError, Problem, RunStopped
from train import saved
from train.keys import TrainingKeys


def carry_out(trainer: Any, resume: Path | None) -> None:
    """Train, from a saved step on where one is given; one that was the last is opened, for `train` would add a step."""
    from transformers import TrainerState

    if resume is not None:
        state = TrainerState.load_from_json(str(resume / "trainer_state.json"))
        if state.stateful_callbacks["TrainerControl"]["args"]["should_training_stop"]:
            trainer.state = state
            trainer._load_from_checkpoint(str(resume))
            return
    trainer.train(resume_from_checkpoint=str(resume) if resume else None)


def silence(trainer: Any) -> None:
    """Keep a trainer from printing."""
    from transformers import PrinterCallback

    # It prints every log line to standard output, which is the figures' alone.
    trainer.remove_callback(PrinterCallback)


@contextlib.contextmanager
def in_words(place: Path, device: str, plan: TrainingKeys, resume: Path | None) -> Iterator[None]:
    """Turn what machines raise into one sentence that says what to change."""
    import torch
    from safetensors import SafetensorError

    try:
        yield
    except torch.OutOfMemoryError:
        raise RunStopped(_memory(place, device, plan)) from None
    except UnpicklingError:
        what = "its resume state holds more than numbers and is not read; delete this folder, the step before it serves"
        raise InputError([Problem(path=str(resume), what=what)]) from None
    except (OSError, SafetensorError, RuntimeError) as error:
        text = " ".join(str(error).split())[:200]
        if "allocate memory" in text or "out of memory" in text:
            raise RunStopped(_memory(place, device, plan)) from None
        if any(sign in text.lower() for sign in _NO_ROOM):
            raise RunStopped(f"{place}: cannot be written: {text}; free some room; {_kept(place)}") from None
        if isinstance(error, OSError | SafetensorError):
            raise RunStopped(f"{place}: a file fails: {text}; {_kept(place)}") from None
        raise


_NO_ROOM = ("no space left", "file too large", "disk quota", "write", "iostream", "inline_container")
"""What a full disk is called by the system, safetensors and torch."""


def _memory(place: Path, device: str, plan: TrainingKeys) -> str:
    smaller = f"lower training.batch_size from {plan.batch_size} (and raise training.accumulation)"
    if plan.batch_size == 1:
        smaller = f"lower training.max_length from {plan.max_length}"
    more = "" if plan.gradient_checkpointing else ", or set training.gradient_checkpointing: true"
    # Another batch size is another recipe, which begins anew.
    return f"{device} is out of memory; {smaller}{more}, and begin anew; {_kept(place)}"


def _kept(place: Path) -> str:
    last = [saved.step_of(folder) for folder in saved.steps(place)][-1:]
    return f"step {last[0]} is kept, --resume goes on from it" if last else "no step was saved before"
