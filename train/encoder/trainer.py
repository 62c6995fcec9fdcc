"""transformers' Trainer for encoders with heads: losses over a whole step, R-Drop, rates by depth, draws by weight.

A step's loss is each head's sum over all its micro-batches, divided by the weight of all their labels: accumulating
gradients changes nothing, whatever the class weights and wherever labels are missing. Imports torch and transformers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import Trainer

from harness.errors import InputError
from harness.models.encoder.asking import BATCH_TOKENS, MOST_ROWS
from harness.models.encoder.folder import put_back, save
from harness.models.encoder.rows import batches, collate
from train.encoder.data import Example
from train.encoder.figures import Told, figures
from train.encoder.layers import Rates, depth, groups
from train.encoder.losses import HeadLoss, counted, row_weights, together
from train.encoder.rdrop import RDrop, doubled, symmetric_kl
from train.encoder.sampling import Drawn
from train.watched import ByLength, finite_step, finite_weights

CPU_BATCH_TOKENS = 4096


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """How an encoder is trained, apart from transformers' own arguments: losses by head, R-Drop, rates, draws."""

    losses: tuple[HeadLoss, ...]
    rdrop: RDrop | None = None
    rates: Rates = field(default_factory=Rates)
    draws: NDArray[np.float64] | None = None


class Collator:
    """Examples as a batch of tensors; `labels` (rows, heads)."""

    def __init__(self, pad: int) -> None:
        self._pad = pad

    def __call__(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        batch = collate([example.row for example in examples], self._pad)
        return {**batch, "labels": torch.tensor([example.labels for example in examples])}


class EncoderTrainer(Trainer):  # type: ignore[misc]
    """The trainer; its model is an `EncoderClassifier`, its data are sequences of `Example`."""

    def __init__(self, *args: Any, way: Way, validation: Sequence[Example] = (), **kwargs: Any) -> None:
        self.way, self.held = way, validation
        self.optimizer: Any
        self.control: Any
        super().__init__(*args, **kwargs)
        # The loss is that of the whole step already.
        self.model_accepts_loss_kwargs = True
        self._class_weights: list[Tensor | None] | None = None

    def _weights(self, like: Tensor) -> list[Tensor | None]:
        """The heads' class weights, where the labels are."""
        if self._class_weights is None:
            self._class_weights = [how.tensor(like) for how in self.way.losses]
        return self._class_weights

    def _get_num_items_in_batch(self, batch_samples: list[dict[str, Tensor]], device: torch.device) -> Tensor:
        """The weight of all labels of a step, (heads,)."""
        labels = torch.cat([batch["labels"] for batch in batch_samples]).to(device)
        each = zip(labels.unbind(dim=1), self._weights(labels), strict=True)
        return torch.stack([row_weights(own, weights).sum() for own, weights in each])

    def compute_loss(
        self, model: Any, inputs: dict[str, Tensor], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """A micro-batch's part of the step's loss, with R-Drop where its α is above 0."""
        labels = inputs.pop("labels")
        alpha = self.way.rdrop.strength(float(self.state.epoch or 0.0)) if self.way.rdrop else 0.0
        told = model(**(doubled(inputs) if alpha > 0 else inputs))
        over = num_items_in_batch
        if over is None:
            over = self._get_num_items_in_batch([{"labels": labels}], labels.device)
        means = []
        for head, logits in enumerate(told):
            passes = logits.chunk(2) if alpha > 0 else (logits,)
            means.append(self._loss(passes, labels[:, head], head, over[head], alpha))
        loss = together(means, self.way.losses)
        return (loss, told) if return_outputs else loss

    def _loss(self, passes: Sequence[Tensor], labels: Tensor, head: int, over: Tensor, alpha: float) -> Tensor:
        """One head's mean loss over one dropout pass or two."""
        how, weights = self.way.losses[head], self._weights(labels)[head]
        means = [counted(logits, labels, how, weights).mean(over) for logits in passes]
        if len(means) == 1:
            return means[0]
        apart = (symmetric_kl(*passes) * row_weights(labels, weights)).sum()
        return (means[0] + means[1]) / 2 + alpha * apart / torch.where(over > 0, over, torch.ones_like(over))

    def create_optimizer(self, model: Any = None) -> Any:
        """The optimizer, with rates by depth where the recipe has them."""
        if self.way.rates.plain or self.optimizer is not None:
            return super().create_optimizer(model)
        named = list(self.model.named_parameters())
        kind, given = self.get_optimizer_cls_and_kwargs(self.args, self.model)
        layers = depth(name for name, _ in named)
        if not layers and self.way.rates.decay != 1:
            raise InputError("rates.decay: the layers of this encoder are not known by their names; leave it out")
        own = groups(named, layers, self.way.rates, self.args.learning_rate, self.args.weight_decay)
        self.optimizer = kind(own, **given)
        return self.optimizer

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        rows = self.train_dataset if train_dataset is None else train_dataset
        if self.way.draws is not None:
            return Drawn(self.way.draws, self.args.data_seed)
        if self.args.train_sampling_strategy == "group_by_length":
            at_once = self.args.train_batch_size * self.args.gradient_accumulation_steps
            return ByLength([example.row.length for example in rows], at_once, self.args.data_seed)
        return super()._get_train_sampler(train_dataset)

    def training_step(self, *args: Any, **kwargs: Any) -> Tensor:
        """A micro-batch. Raises RunStopped where its loss is not a finite number; the optimizer has not moved then."""
        loss: Tensor = finite_step(super().training_step(*args, **kwargs), self.state.global_step)
        return loss

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Validation figures of the model as it stands, logged under eval_…; measuring changes no weight."""
        found: dict[str, float] = {}
        if self.held:
            # Loaders draw from the generator that dropout draws from.
            with torch.random.fork_rng():
                told, loss = self.told(self.held)
            found = {f"eval_{name}": value for name, value in figures(told, self.model.form, loss).items()}
            self.log(dict(found))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, found)
        return found

    def told(self, examples: Sequence[Example]) -> tuple[dict[str, Told], float]:
        """What the model as it stands says of examples, and its loss on them, without R-Drop."""
        was = self.model.training
        self.model.eval()
        form = self.model.form
        gold = np.array([example.labels for example in examples], dtype=np.int64)
        shares = [np.zeros((len(examples), len(head.labels))) for head in form.heads]
        totals = [[0.0, 0.0] for _ in form.heads]
        tokens = CPU_BATCH_TOKENS if self.args.device.type == "cpu" else BATCH_TOKENS
        for places in batches([example.row for example in examples], tokens, MOST_ROWS):
            batch = self._prepare_inputs(self.data_collator([examples[place] for place in places]))
            labels = batch.pop("labels")
            with torch.inference_mode(), self.compute_loss_context_manager():
                told = self.model(**batch)
            for head, logits in enumerate(told):
                found = counted(logits, labels[:, head], self.way.losses[head], self._weights(labels)[head])
                totals[head][0] += float(found.total)
                totals[head][1] += float(found.weight)
                shares[head][places] = logits.double().softmax(dim=-1).cpu().numpy()
        self.model.train(was)
        loss = sum(
            how.weight * total / (weight or 1.0) for how, (total, weight) in zip(self.way.losses, totals, strict=True)
        )
        named = zip(form.heads, shares, gold.T, strict=True)
        return {head.name: Told(probabilities=own, labels=true) for head, own, true in named}, loss

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Save encoder, heads and tokenizer. Raises RunStopped where a weight is not finite."""
        model = self.accelerator.unwrap_model(self.model)
        finite_weights(model)
        save(model, self.processing_class, Path(output_dir or self.args.output_dir))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        put_back(self.model if model is None else model, Path(resume_from_checkpoint))

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """Say nothing: the manifest does."""
