"""trl's SFTTrainer with an anchor: the loss also counts how far the student drifted from its frozen base.

With an adapter the base is the same weights with the adapter off, so no second model stands in memory; a full
fine-tuning keeps a frozen copy of the model as it was handed in, which costs its size once more. Each micro-batch takes
one more pass of the base, without gradients or dropout; output heads see the counted tokens alone, in chunks. At a
coefficient of 0 nothing of this happens, and the loss is SFTTrainer's to the last bit. Evaluation never adds the
anchor. Models whose logits are more than a linear head with a soft cap are refused before the first step, and so are
sharded ones (FSDP, DeepSpeed). Reading the settings imports no torch.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor
    from trl import SFTTrainer

    from train.anchor import Head
else:
    # The trainer's own libraries load with `anchored_trainer`, which puts SFTTrainer below this class.
    SFTTrainer = object

Steps = Annotated[int, Field(ge=0, strict=True)]


@dataclass(frozen=True, kw_only=True, slots=True)
class AnchorSettings:
    """Which divergence, its weight, when it sets in and fades (optimizer steps), and how much of a sequence it sees.

    `type` and the shape of `coef` over the steps are those of `train.anchor`. The anchor counts the tokens that the
    loss counts, of each sequence the last `tail_tokens` of them where that is set, and is a mean over those of a step.
    """

    type: Literal["kl", "kl_rev", "js"] = "kl"
    coef: float
    start_step: int = 0
    warmup_steps: int = 0
    decay: Literal["none", "linear", "cosine"] = "none"
    tail_tokens: int | None = None


class AnchorKeys(BaseModel):
    """The `anchor` mapping of a recipe: kl is KL(base ‖ student), kl_rev the reverse, js Jensen-Shannon."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["kl", "kl_rev", "js"] = "kl"
    coef: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    start_step: Steps = 0
    warmup_steps: Steps = 0
    decay: Literal["none", "linear", "cosine"] = "none"
    tail_tokens: Annotated[int, Field(ge=1, strict=True)] | None = None

    def settings(self) -> AnchorSettings:
        """The same as a plain value."""
        return AnchorSettings(**self.model_dump())


def anchored_trainer() -> Any:
    """The class: SFTTrainer with the keyword `anchor` more, an `AnchorSettings`. Importing it loads torch and trl."""
    from trl import SFTTrainer

    return type("AnchoredSFTTrainer", (Anchored, SFTTrainer), {})


class Anchored(SFTTrainer):  # type: ignore[misc]
    """What the anchor adds to a trainer. It logs `anchor` (nats a counted token) and `anchor_coef`."""

    def __init__(self, model: Any, *args: Any, anchor: AnchorSettings, **kwargs: Any) -> None:
        self.anchor = anchor
        self._step_tokens: Any = None
        self._switch: _Switch | None = None
        self._told: dict[str, list[Any]] = {"anchor": [], "anchor_coef": []}
        adapted = kwargs.get("peft_config") is not None or hasattr(model, "disable_adapter")
        # Copied before trl changes the model; one with an adapter is its own base.
        frozen = copy.deepcopy(model) if anchor.coef and not adapted else None
        super().__init__(model, *args, **kwargs)
        self._frozen = None if frozen is None else frozen.requires_grad_(False).eval().to(self.accelerator.device)
        if anchor.coef:
            self._refuse_sharded()
            self._refuse_other_heads()

    def get_batch_samples(self, *args: Any, **kwargs: Any) -> tuple[list[Any], Any]:
        """The micro-batches of one optimizer step; the anchor's tokens in all of them are counted here."""
        batches, items = super().get_batch_samples(*args, **kwargs)
        if batches and self._coefficient():
            tokens: Any = sum(_counted(batch, self.anchor).sum() for batch in batches)
            self._step_tokens = self.accelerator.gather(tokens.to(self.accelerator.device)).sum()
        return batches, items

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """SFTTrainer's loss; while training, the coefficient times this micro-batch's part of the mean on top."""
        if not self.model.training or return_outputs:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        coef = self._coefficient()
        self._told["anchor_coef"].append(coef)
        if not coef:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        counted = _counted(inputs, self.anchor)
        base, base_head = self._of_base(inputs, counted)
        with _heard(self._student().base_model) as hidden:
            loss = super().compute_loss(model, inputs, False, num_items_in_batch)
        drift = self._drift(hidden[0][:, :-1][counted], base, base_head)
        # Of the mean over the tokens of the whole step, on every device (their gradients are averaged), this part.
        part = drift / self._step_tokens.clamp(min=1) * self.accelerator.num_processes
        parts = self.current_gradient_accumulation_steps
        self._told["anchor"].append(self.accelerator.gather(part.detach()).mean() * parts)
        # Where no items are counted, the trainer divides by the number of micro-batches afterwards.
        return loss + coef * (part if num_items_in_batch is not None else part * parts)

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Log, and while training the anchor's means since the last time with it."""
        if self.model.training:
            for name, values in self._told.items():
                if values:
                    logs[name] = float(sum(values) / len(values))
                    values.clear()
        super().log(logs, *args, **kwargs)

    def _coefficient(self) -> float:
        from train.anchor import coefficient

        shape = {name: getattr(self.anchor, name) for name in ("coef", "start_step", "warmup_steps", "decay")}
        return coefficient(self.state.global_step, self.state.max_steps, **shape)

    def _student(self) -> Any:
        """The causal language model that trains, inside whatever wraps it."""
        model = self.accelerator.unwrap_model(self.model)
        return model.get_base_model() if hasattr(model, "get_base_model") else model

    @contextlib.contextmanager
    def _as_base(self) -> Iterator[Any]:
        """The base: the frozen copy, or the student with its adapter off; no gradients and no dropout."""
        import torch

        with torch.no_grad(), self.accelerator.autocast():
            if self._frozen is not None:
                yield self._frozen
                return
            self._switch = self._switch or _Switch(self.accelerator.unwrap_model(self.model))
            with self._switch.off():
                yield self._student()

    def _of_base(self, inputs: Mapping[str, Any], counted: Tensor) -> tuple[Tensor, Head]:
        """The base's last hidden states at the counted positions, and its output head."""
        given = {name: value for name, value in inputs.items() if name != "labels"} | {"use_cache": False}
        with self._as_base() as base:
            return base.base_model(**given).last_hidden_state[:, :-1][counted], _head(base)

    def _drift(self, student: Tensor, base: Tensor, base_head: Head) -> Tensor:
        from train.anchor import total

        with self.accelerator.autocast():
            return total(student, base, head=_head(self._student()), base_head=base_head, kind=self.anchor.type)

    def _refuse_sharded(self) -> None:
        kind = self.accelerator.distributed_type.value
        if kind in ("FSDP", "DEEPSPEED", "MEGATRON_LM"):
            raise InputError(
                f"anchor: needs whole weights on each device, not {kind}; launch without it or drop 'anchor'"
            )

    def _refuse_other_heads(self) -> None:
        """What the anchor compares must be what the model says: a few tokens show whether it is."""
        import torch

        from train.anchor import logits_of

        with self._as_base() as base:
            head, name = _head(base), type(base).__name__
            given = {
                "input_ids": torch.arange(8, device=head.weight.device)[None] % len(head.weight),
                "use_cache": False,
            }
            says = base(**given).logits[0].float()
            found = logits_of(base.base_model(**given).last_hidden_state[0].to(head.weight.dtype), head).float()
        if not (says - found).norm() <= 0.02 * says.norm():
            raise InputError(f"anchor: the logits of {name} are more than a linear head with a soft cap; drop 'anchor'")


class _Switch:
    """Turns a model's adapter off for a while, and its dropout with it.

    It does what peft's `disable_adapter` and `eval()` do, to the modules alone that they matter to. Those two walk all
    modules of the adapter again and again: 30 ms a micro-batch at 24 layers where this takes 4, with a GPU waiting.
    """

    def __init__(self, model: Any) -> None:
        from peft.tuners.tuners_utils import BaseTunerLayer
        from peft.utils.other import AuxiliaryTrainingWrapper

        self._adapted = [m for m in model.modules() if isinstance(m, (BaseTunerLayer, AuxiliaryTrainingWrapper))]
        within = {id(module) for layer in self._adapted for module in layer.modules()}
        self._others = [module for module in model.modules() if id(module) not in within]

    @contextlib.contextmanager
    def off(self) -> Iterator[None]:
        """Inside, the model is its base in evaluation mode."""
        training = [module for module in self._others if module.training]
        self._set(training, training=False)
        try:
            yield
        finally:
            self._set(training, training=True)

    def _set(self, modules: list[Any], *, training: bool) -> None:
        for layer in self._adapted:
            layer.enable_adapters(training)
        for module in modules:
            module.training = training


def _counted(inputs: Mapping[str, Any], anchor: AnchorSettings) -> Tensor:
    """The positions whose next token the anchor counts: one fewer than the batch has, like the loss's."""
    from train.anchor import counted

    # Packed sequences start where positions do; without packing the collator sends none.
    starts = inputs["position_ids"][:, :-1] == 0 if "position_ids" in inputs else None
    return counted(inputs["labels"][:, 1:] != -100, anchor.tail_tokens, starts)


def _head(model: Any) -> Head:
    from train.anchor import Head

    layer = model.get_output_embeddings()
    softcap = getattr(model.config.get_text_config(), "final_logit_softcapping", None)
    return Head(weight=layer.weight, bias=layer.bias, softcap=softcap)


@contextlib.contextmanager
def _heard(backbone: Any) -> Iterator[list[Tensor]]:
    """Collects the last hidden states of every pass that the backbone makes meanwhile."""
    states: list[Tensor] = []
    handle = backbone.register_forward_hook(lambda _module, _given, output: states.append(output.last_hidden_state))
    try:
        yield states
    finally:
        handle.remove()
