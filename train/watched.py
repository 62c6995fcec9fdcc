"""What every trainer here adds to trl's: it stops at a loss that is no number, weighs validation by what it counts,
looks at a suite meanwhile, and saves weights alone, whole and finite. Loads torch and trl when a class is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import RunStopped
from train.tokens import IGNORED

if TYPE_CHECKING:
    from transformers import Trainer
else:
    # The class is put before a trl trainer, which brings the real one.
    Trainer = object

Figures = Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Watch:
    """What a trainer is to do besides: measure the validation loss of pairs or of tokens, and look at a suite.

    `look` gets the trainer and returns figures (win_rate, …), nothing where it is not due.
    """

    pairs: bool
    validates: bool
    look: Callable[[Any], Figures] | None = None


def watched(kind: type[Any]) -> Any:
    """The class of a trl trainer with this on top."""
    return type(f"Watched{kind.__name__}", (Watched, kind), {})


class Watched(Trainer):  # type: ignore[misc]
    """The mixin."""

    def __init__(self, *args: Any, watch: Watch, **kwargs: Any) -> None:
        self.watch = watch
        self.control: Any
        super().__init__(*args, **kwargs)

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        """The order of the examples; theirs by length follows a generator that a resumed training finds elsewhere."""
        if self.args.train_sampling_strategy != "group_by_length":
            return super()._get_train_sampler(train_dataset)
        rows = self.train_dataset if train_dataset is None else train_dataset
        at_once = self.args.train_batch_size * self.args.gradient_accumulation_steps
        return ByLength([len(ids) for ids in rows["input_ids"]], at_once, self.args.data_seed)

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        """A micro-batch. Raises RunStopped where its loss is not a finite number; the optimizer has not moved then."""
        return finite_step(super().training_step(*args, **kwargs), self.state.global_step)

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Validation and suite figures of the model as it stands, logged under eval_…; measuring changes no weight."""
        import torch

        self.model.eval()
        # Loaders draw from the generator that dropout draws from.
        with torch.random.fork_rng():
            figures = dict(validation(self, pairs=self.watch.pairs)) if self.watch.validates else {}
            if self.watch.look is not None:
                figures |= {f"eval_{name}": value for name, value in self.watch.look(self).items()}
        if figures:
            self.log(dict(figures))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, figures)
        self.model.train()
        return figures

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Save the weights, and a whole model's tokenizer. Raises RunStopped where a weight is not finite."""
        save(self.accelerator.unwrap_model(self.model), self.processing_class, Path(output_dir or self.args.output_dir))

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """Say nothing: the manifest does."""


def finite_step(loss: Any, done: int) -> Any:
    """A micro-batch's loss. Raises RunStopped where it is not a finite number; `done` counts the steps before it."""
    if not loss.isfinite():
        raise RunStopped(
            f"step {done + 1}: the loss is {float(loss)}; the saved steps before it are kept; "
            "lower training.learning_rate or training.max_grad_norm, or look at the data"
        )
    return loss


class ByLength:
    """Puts examples of like length together, in an order that the seed and the epoch alone decide."""

    def __init__(self, lengths: list[int], at_once: int, seed: int) -> None:
        self._lengths, self._at_once, self._seed, self._epoch = lengths, at_once, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Begin this pass over the data, counted from 0."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        import torch
        from transformers.trainer_pt_utils import get_length_grouped_indices

        generator = torch.Generator().manual_seed(self._seed + self._epoch)
        return iter(get_length_grouped_indices(self._lengths, self._at_once, generator=generator))


def validation(trainer: Any, *, pairs: bool) -> dict[str, float]:
    """The mean loss over all tokens that count, in nats, and its perplexity; over preference pairs the mean loss.

    Batches weigh what they count, so that another batch size gives the same figures.
    """
    import math

    import torch

    total = weight = 0.0
    weights = []
    for batch in trainer.get_eval_dataloader():
        inputs = trainer._prepare_inputs(batch)
        counted = len(inputs["input_ids"]) if pairs else int((inputs["labels"][:, 1:] != IGNORED).sum())
        with torch.no_grad(), trainer.compute_loss_context_manager():
            loss = trainer.compute_loss(trainer.model, inputs)
        total += float(loss) * counted
        weight += counted
        weights.append(counted)
    loss = total / weight
    # What trl takes down of each batch (accuracies, margins), it would average as if batches were alike.
    for values in trainer._metrics["eval"].values():
        if len(values) == len(weights):
            values[:] = [sum(value * part for value, part in zip(values, weights, strict=True)) / weight]
    figures = {"eval_loss": loss}
    if not pairs:
        figures |= {"eval_perplexity": math.exp(min(loss, 700.0)), "eval_tokens": weight}
    return figures


def save(model: Any, tokenizer: Any, into: Path) -> None:
    """Write an adapter, or a whole model with its tokenizer, as safetensors."""
    finite_weights(model)
    into.mkdir(parents=True, exist_ok=True)
    if hasattr(model, "peft_config"):
        # A card for the hub, which takes as long as the rest: the manifest says what it would.
        model.create_or_update_model_card = lambda *_, **__: None
        model.save_pretrained(str(into), selected_adapters=["default"])
        tidy(into)
        return
    model.save_pretrained(str(into))
    tokenizer.save_pretrained(str(into))


def finite_weights(model: Any) -> None:
    """Raise RunStopped where a weight that is trained is not a finite number."""
    import torch

    broken = [
        name for name, weight in model.named_parameters() if weight.requires_grad and not torch.isfinite(weight).all()
    ]
    if broken:
        raise RunStopped(
            f"{broken[0]} and {len(broken) - 1} more weights are no longer finite numbers; the saved steps before are "
            "kept; lower training.learning_rate or training.max_grad_norm"
        )


def tidy(into: Path) -> None:
    """Leave an adapter alone in its folder, its config the same whatever the path of its base or the order of a set."""
    import json

    file = into / "adapter_config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = Path(config["base_model_name_or_path"] or "").name
    for key in ("target_modules", "modules_to_save"):
        if isinstance(config.get(key), list):
            config[key].sort()
    file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
