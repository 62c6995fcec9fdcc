"""The keys that a recipe of kind encoder may have. Unknown keys are errors; reading this imports no torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from harness.models.encoder.form import Pool
from harness.tasks.keys import SplitKeys, TaskKeys
from train.keys import Count, Keys, Logger, LoraKeys, Made, Name, SaveKeys, TrainingKeys

Factor = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, lt=2**32, strict=True)]
Least = Annotated[float, Field(ge=0, lt=1)]
METRICS = ("loss", "accuracy", "macro_f1", "mcc")


def _tensorboard() -> list[Logger]:
    return ["tensorboard"]


class FreshKeys(Keys):
    """The shape of a BERT encoder that starts from nothing, with a tokenizer trained on the training items."""

    hidden_size: Count
    intermediate_size: Count
    layers: Count
    heads: Count
    context: Count
    vocab_size: Annotated[int, Field(ge=300, le=65536, strict=True)]

    @model_validator(mode="after")
    def _heads_fit(self) -> FreshKeys:
        if self.hidden_size % self.heads:
            raise ValueError("'hidden_size' must be a multiple of 'heads'")
        return self


class HeadKeys(Keys):
    """How a text becomes one vector, and how deep, wide and dropped out each head is (no width: the encoder's)."""

    pooling: Pool = "cls"
    depth: Count = 1
    width: Count | None = None
    dropout: Least = 0.1


class LossKeys(Keys):
    """How a head's errors count: focal γ, label smoothing, class weights, and the head's weight among the others.

    A label's weight is its inverse frequency (or 1) times its multiplier, at most `cap`.
    """

    gamma: Amount = 0.0
    smoothing: Least = 0.0
    class_weights: Literal["none", "inverse_frequency"] = "none"
    multipliers: dict[str, Factor] = Field(default_factory=dict)
    cap: Factor | None = None
    weight: Factor = 1.0

    @property
    def weighs(self) -> bool:
        """Whether labels count differently."""
        return self.class_weights != "none" or bool(self.multipliers)


class OversampleKeys(Keys):
    """Which examples are drawn more often: those of rare labels under these heads, and those of named labels."""

    inverse_frequency: list[str] = Field(default_factory=list)
    multipliers: dict[str, dict[str, Factor]] = Field(default_factory=dict)
    cap: Factor | None = None

    @model_validator(mode="after")
    def _some(self) -> OversampleKeys:
        if not self.inverse_frequency and not self.multipliers:
            raise ValueError("give 'inverse_frequency' (heads), 'multipliers' ({head: {label: factor}}), or both")
        return self


class RDropKeys(Keys):
    """R-Drop: α, growing from 0 over so many passes over the data."""

    alpha: Factor
    warmup_epochs: Amount = 0.0


class RateKeys(Keys):
    """Learning rates by depth: `decay` from each layer to the one below it, and the heads' multiple."""

    decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    head: Factor = 1.0


class LookKeys(Keys):
    """Validation every so many steps; by default once a pass over the data, at least ten times a training."""

    every: Count | None = None


class CollapseKeys(Keys):
    """The collapse alarm: not before this share of the planned steps; how far below the best, how many looks running.

    It watches each head's `metric`: by default accuracy, and macro F1 where labels weigh or are drawn differently, for
    then a good model's accuracy may lie below the most frequent label's.
    """

    after: Least = 0.2
    drop: Annotated[float, Field(gt=0, lt=1)] = 1 / 3
    looks: Count = 2
    metric: Literal["accuracy", "macro_f1"] | None = None


class StopKeys(Keys):
    """Stop where a validation metric has not improved by more than `min_difference` for `patience` looks.

    It is held against the best look so far, whatever that improved by: many small steps are no improvement.
    `metric` is loss, accuracy, macro_f1 or mcc, over several heads their mean; or one head's, as in
    "sentiment.accuracy". The best step's weights are put back.
    """

    metric: str = "loss"
    patience: Count
    min_difference: Amount = 0.0

    @field_validator("metric")
    @classmethod
    def _known(cls, given: str) -> str:
        head, _, name = given.rpartition(".")
        if name not in METRICS or (head and name == "loss"):
            raise ValueError(f"use {', '.join(METRICS)}, or one head's (HEAD.accuracy)")
        return given


class EncoderKeys(Keys):
    """An encoder with heads, trained on a classification task.

    `base` is hf/<folder or hub id> or recipe/<the recipe of a whole model>; `fresh` makes one instead. With `lora` the
    base stands still and an adapter is trained with the heads. The base is a language model where `head.pooling` is
    last, or not cls and `lora` is given. With `seeds` it is trained once for each, and where `split` has folds but
    names none, once for each fold: an ensemble. `losses` are those of single heads, `loss` of all others.
    """

    kind: Literal["encoder"]
    name: Name
    seed: Seed
    seeds: list[Seed] = Field(default_factory=list)
    task: TaskKeys
    split: SplitKeys = SplitKeys()
    base: Made | None = None
    fresh: FreshKeys | None = None
    lora: LoraKeys | None = None
    head: HeadKeys = HeadKeys()
    loss: LossKeys = LossKeys()
    losses: dict[str, LossKeys] = Field(default_factory=dict)
    oversample: OversampleKeys | None = None
    rdrop: RDropKeys | None = None
    rates: RateKeys = RateKeys()
    training: TrainingKeys
    look: LookKeys = LookKeys()
    save: SaveKeys = SaveKeys()
    early_stopping: StopKeys | None = None
    collapse: CollapseKeys | None = CollapseKeys()
    device: Literal["cpu", "cuda", "mps", "auto"] = "auto"
    precision: Literal["auto", "bf16", "fp16", "fp32"] = "auto"
    threads: Annotated[int, Field(ge=1, le=256, strict=True)] | None = None
    log: list[Logger] = Field(default_factory=_tensorboard)

    @model_validator(mode="after")
    def _fits(self) -> EncoderKeys:
        if (self.base is None) == (self.fresh is None):
            raise ValueError("give either 'base' (an encoder) or 'fresh' (the shape of a new one)")
        if self.lora is not None and self.base is None:
            raise ValueError("'lora' adapts a base; leave it out, or give 'base'")
        if self.training.packing:
            raise ValueError("an encoder reads one item a row; leave out 'packing'")
        if self.oversample and self.training.group_by_length:
            raise ValueError("'oversample' draws its own order; leave out 'group_by_length'")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("'seeds' names a seed twice; give each once")
        if self.early_stopping and self.save.every and self.save.every != self.look.every:
            raise ValueError("with 'early_stopping' every look is saved; give 'save.every' and 'look.every' alike")
        return self

    @property
    def causal(self) -> bool:
        """Whether the base may be a language model."""
        return self.lora is not None or self.head.pooling == "last"

    @property
    def weighs(self) -> bool:
        """Whether some labels count more, or are seen more often, than their share."""
        losses = (self.loss, *self.losses.values())
        return bool(self.oversample) or any(loss.weighs for loss in losses)

    @property
    def watched(self) -> Literal["accuracy", "macro_f1"]:
        """The metric that the collapse alarm looks at."""
        given = self.collapse.metric if self.collapse else None
        return given or ("macro_f1" if self.weighs else "accuracy")
