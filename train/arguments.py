"""From a recipe's keys to the arguments of trl's trainers, and to where and how precisely they run."""

from __future__ import annotations

import math
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from harness.errors import InputError
from train.keys import AnyKeys, DpoKeys, Logger, PretrainKeys, RewardKeys, TrainingKeys
from train.outcome import Passes, Setting
from train.steady import device_name

NEVER = 10**9
LOGGERS = {"tensorboard": ("tensorboard", "tensorboardX"), "wandb": ("wandb",), "mlflow": ("mlflow",)}


class Placed(Protocol):
    """What recipes of every kind say of how they are run."""

    @property
    def device(self) -> str: ...

    @property
    def precision(self) -> str: ...

    @property
    def seed(self) -> int: ...

    @property
    def training(self) -> TrainingKeys: ...

    @property
    def log(self) -> list[Logger]: ...


def setting(keys: Placed) -> Setting:
    """The device and precision of a recipe on this machine: bf16 on CUDA, fp32 elsewhere, unless the recipe says so.

    Raises InputError where the machine cannot do what the recipe asks for.
    """
    import torch

    device = device_name(keys.device)
    precision = keys.precision
    if precision == "auto":
        precision = "bf16" if device == "cuda" and torch.cuda.is_bf16_supported() else "fp32"
    if precision == "fp16" and device != "cuda":
        raise InputError(f"precision: fp16 needs a CUDA device, this training runs on {device}; use fp32 or auto")
    if precision == "bf16" and device == "cuda" and not torch.cuda.is_bf16_supported():
        raise InputError("precision: this GPU has no bf16; use fp16, fp32 or auto")
    return Setting(device=device, precision=precision)


def passes(keys: AnyKeys, batches: int) -> Passes:
    """How often the data are to be seen, where the trainer's epoch has so many micro-batches."""
    plan = keys.training
    if plan.epochs is not None:
        # A curriculum lays its passes out as one epoch.
        return Passes(planned=plan.epochs, an_epoch=plan.epochs if keys.data.curriculum else 1.0)
    assert plan.steps is not None
    return Passes(planned=plan.steps / max(1, math.ceil(batches / plan.accumulation)))


def steps(keys: AnyKeys, examples: int) -> int:
    """How many optimizer steps are planned on so many examples a pass (rows, where they are packed)."""
    plan = keys.training
    if plan.steps is not None:
        return plan.steps
    assert plan.epochs is not None
    a_pass = math.ceil(math.ceil(examples / plan.batch_size) / plan.accumulation)
    # A curriculum lays its passes out as one.
    return a_pass if keys.data.curriculum else math.ceil(plan.epochs * a_pass)


def save_every(keys: AnyKeys, planned: int) -> int:
    """How many steps lie between two saved ones."""
    return keys.save.every or max(1, math.ceil(planned / 10))


def arguments(keys: AnyKeys, place: Path, run: Setting, every: int, *, validates: bool) -> dict[str, Any]:
    """The arguments that all of trl's trainers share."""
    plan = keys.training
    whole = 1.0 if keys.data.curriculum else plan.epochs
    order = "sequential" if keys.data.curriculum else "group_by_length" if plan.group_by_length else "random"
    return {
        **common(keys, place, run, every, looks=every if validates else None),
        "num_train_epochs": whole or 1.0,
        "train_sampling_strategy": order,
        **_best(keys),
    }


def common(keys: Placed, place: Path, run: Setting, every: int, *, looks: int | None) -> dict[str, Any]:
    """The arguments of any transformers trainer here; it looks at validation data every `looks` steps, or never."""
    plan = keys.training
    return {
        "output_dir": str(place),
        "num_train_epochs": plan.epochs or 1.0,
        "max_steps": plan.steps or -1,
        "per_device_train_batch_size": plan.batch_size,
        "per_device_eval_batch_size": plan.batch_size,
        "gradient_accumulation_steps": plan.accumulation,
        "learning_rate": plan.learning_rate,
        "lr_scheduler_type": "constant_with_warmup" if plan.schedule == "constant" else plan.schedule,
        # transformers reads a number below 1 as a ratio.
        "warmup_steps": plan.warmup_steps or plan.warmup_ratio,
        "weight_decay": plan.weight_decay,
        "adam_beta2": plan.beta2,
        "max_grad_norm": plan.max_grad_norm,
        "seed": keys.seed,
        "data_seed": keys.seed,
        "use_cpu": run.device == "cpu",
        "bf16": run.precision == "bf16",
        "fp16": run.precision == "fp16",
        "gradient_checkpointing": plan.gradient_checkpointing,
        "eval_strategy": "steps" if looks else "no",
        "eval_steps": looks,
        "save_strategy": "steps",
        "save_steps": every,
        # Every saved step is a logged one, so that the means of a resumed training begin where the others' do.
        "logging_steps": next(count for count in range(min(10, every), 0, -1) if every % count == 0),
        "logging_first_step": True,
        # A loss that is not a number stops the training; it is not to be smoothed over.
        "logging_nan_inf_filter": False,
        "report_to": _loggers(keys),
        "run_name": place.name,
        "disable_tqdm": True,
        # How often early stopping has looked in vain.
        "restore_callback_states_from_checkpoint": True,
        "dataloader_pin_memory": run.device == "cuda",
    }


def of_kind(keys: AnyKeys) -> dict[str, Any]:
    """The arguments that belong to one kind of training."""
    longest = keys.training.max_length
    if isinstance(keys, DpoKeys):
        both = {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, keys.sft_weight]} if keys.sft_weight else {}
        return {"max_length": longest, "beta": keys.beta, **both}
    if isinstance(keys, RewardKeys):
        return {"max_length": longest}
    packing = keys.training.packing
    # Rows come cut to their length and with their labels.
    return {"max_length": longest if packing else None, "packing": packing, "completion_only_loss": False}


def _best(keys: AnyKeys) -> dict[str, Any]:
    stopping = keys.early_stopping
    if stopping is None:
        return {}
    return {
        "metric_for_best_model": "eval_loss" if stopping.metric == "validation_loss" else f"eval_{stopping.metric}",
        "greater_is_better": "loss" not in stopping.metric,
    }


def _loggers(keys: Placed) -> list[str]:
    for name in keys.log:
        if not any(find_spec(package) for package in LOGGERS[name]):
            raise InputError(f"log: {name} is not installed; pip install {name}, or leave it out of 'log'")
    return list(keys.log) or ["none"]


def fits(keys: AnyKeys, model: Any) -> None:
    """Raise InputError where the recipe's longest sequence is longer than the model allows."""
    room = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    longest = keys.training.max_length
    if isinstance(room, int) and longest > room:
        shape = "model.context" if isinstance(keys, PretrainKeys) else "the base's context"
        raise InputError(f"training.max_length: {longest} tokens are more than {shape} of {room}; lower it to {room}")
