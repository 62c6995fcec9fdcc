"""The keys that a training recipe may have. Unknown keys are errors; reading this imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from train.anchored import AnchorKeys

Count = Annotated[int, Field(ge=1, strict=True)]
Steps = Annotated[int, Field(ge=0, strict=True)]
Rate = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]
Part = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Decay = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Made = Annotated[str, Field(pattern=r"^(recipe|hf)/.+$")]
Generator = Literal["kitchen_corpus", "kitchen_requests", "kitchen_chores", "kitchen_preferences"]
Column = Literal["messages", "prompt", "response", "text", "chosen", "rejected"]
Logger = Literal["tensorboard", "wandb", "mlflow"]
SUITE_METRICS: Mapping[str, Literal["win_rate", "score", "suite_loss"]] = {
    "pairwise": "win_rate",
    "score": "score",
    "perplexity": "suite_loss",
}
"""What a suite of each kind measures while a model is trained."""
SUM = 1e-6
"""How far ratios may add up to something else than 1."""


class Keys(BaseModel):
    """A mapping of a recipe: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class SourceKeys(Keys):
    """Where examples come from: JSONL `files`, a `dataset` of the datasets library, or a `generator` of examples.

    `dataset` is a hub id or a folder beside the recipe, with `config`, `split` and `revision`. Of all rows `where`
    keeps those whose fields have these values, and `columns` says which field is which key ({prompt: instruction,
    response: output}). `written_by` names the models that wrote the responses (openai/gpt-4o): it changes no weight,
    but a judge of that family is flagged.
    """

    files: list[str] = Field(default_factory=list)
    dataset: str | None = None
    config: str | None = None
    split: str = "train"
    revision: str | None = None
    where: dict[str, str | int | float | bool] = Field(default_factory=dict)
    columns: dict[Column, str] = Field(default_factory=dict)
    generator: Generator | None = None
    examples: Count | None = None
    written_by: list[str] = Field(default_factory=list)

    def origins(self) -> list[str]:
        """Which kinds of source are given."""
        given = {"files": self.files, "dataset": self.dataset, "generator": self.generator}
        return [name for name, value in given.items() if value]

    @model_validator(mode="after")
    def _generator_counts(self) -> SourceKeys:
        if (self.generator is None) != (self.examples is None):
            raise ValueError("'examples' goes with 'generator': how many it makes")
        return self


class PartKeys(SourceKeys):
    """One source of a mix: its `name`, its `ratio` of all examples, and whether it may be seen again to reach that."""

    name: Name
    ratio: Part | None = None
    repeat: bool = False

    @model_validator(mode="after")
    def _one_origin(self) -> PartKeys:
        if len(self.origins()) != 1:
            raise ValueError("give one of 'files', 'dataset' and 'generator'")
        return self


class StageKeys(Keys):
    """From this fraction of the training on, these ratios of the mix's sources (by name; one left out is not seen)."""

    start: Annotated[float, Field(ge=0, lt=1, alias="from")]
    ratios: dict[str, Annotated[float, Field(ge=0, le=1)]]

    @model_validator(mode="after")
    def _whole(self) -> StageKeys:
        if abs(sum(self.ratios.values()) - 1) > SUM:
            raise ValueError(f"the ratios must add up to 1, found {sum(self.ratios.values()):g}")
        return self


class ValidationKeys(SourceKeys):
    """What the validation loss is measured on: a `share` of the training data, which is not trained on, or a source."""

    share: Share | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> ValidationKeys:
        if len(self.origins()) + (self.share is not None) != 1:
            raise ValueError("give one of 'share', 'files', 'dataset' and 'generator'")
        return self


class DataKeys(SourceKeys):
    """One source, or a `mix` of several, perhaps with a `curriculum`; of them a `sample_ratio`.

    `stratify` names a field whose values keep their shares in the sample. Prompts that stand in the `held_out` files
    (prompts JSONL), exactly or nearly, are kept out of the training data.
    """

    mix: list[PartKeys] = Field(default_factory=list)
    curriculum: list[StageKeys] = Field(default_factory=list)
    sample_ratio: Part = 1.0
    stratify: str | None = None
    held_out: list[str] = Field(default_factory=list)
    validation: ValidationKeys | None = None

    @model_validator(mode="after")
    def _sources_fit(self) -> DataKeys:
        if len(self.origins()) + bool(self.mix) != 1:
            raise ValueError("give one of 'files', 'dataset', 'generator' and 'mix'")
        names = [part.name for part in self.mix]
        if len(set(names)) < len(names):
            raise ValueError("each source of 'mix' needs a name of its own")
        self._ratios_fit()
        self._stages_fit(names)
        return self

    def _ratios_fit(self) -> None:
        ratios = [part.ratio for part in self.mix if part.ratio is not None]
        if ratios and self.curriculum:
            raise ValueError("'curriculum' says the ratios; leave 'ratio' out of 'mix'")
        if ratios and len(ratios) < len(self.mix):
            raise ValueError("give every source of 'mix' a 'ratio', or none")
        if ratios and abs(sum(ratios) - 1) > SUM:
            raise ValueError(f"the ratios of 'mix' must add up to 1, found {sum(ratios):g}")

    def _stages_fit(self, names: list[str]) -> None:
        if not self.curriculum:
            return
        if not self.mix:
            raise ValueError("'curriculum' needs a 'mix' of several sources")
        starts = [stage.start for stage in self.curriculum]
        if starts[0] != 0 or starts != sorted(set(starts)):
            raise ValueError(f"the stages of 'curriculum' must begin at 0 and go up, found {starts}")
        unknown = sorted({name for stage in self.curriculum for name in stage.ratios} - set(names))
        if unknown:
            raise ValueError(f"'curriculum' names {unknown[0]!r}, which is no source of 'mix'")


class ModelKeys(Keys):
    """The shape of a Llama model that starts from nothing."""

    hidden_size: Count
    intermediate_size: Count
    layers: Count
    heads: Count
    context: Count
    initializer_range: Annotated[float, Field(gt=0, le=1)] = 0.02

    @model_validator(mode="after")
    def _heads_fit(self) -> ModelKeys:
        if self.hidden_size % (2 * self.heads):
            raise ValueError("'hidden_size' must be a multiple of twice 'heads'")
        return self


class TokenizerKeys(Keys):
    """A byte-level BPE tokenizer, trained on the corpus."""

    vocab_size: Annotated[int, Field(ge=300, le=65536, strict=True)]


class TrainingKeys(Keys):
    """How long, how fast, how much at once.

    `epochs` passes over the data, or `steps`. One step takes `batch_size` × `accumulation` examples; longer ones are
    cut to `max_length` tokens. The rate warms up over `warmup_steps`, or `warmup_ratio` of all steps, and follows
    `schedule`. `group_by_length` puts examples of like length into one batch; `packing` fills rows with several.
    """

    epochs: Annotated[float, Field(gt=0, le=1000)] | None = None
    steps: Count | None = None
    batch_size: Count
    accumulation: Count = 1
    max_length: Annotated[int, Field(ge=8, strict=True)] = 512
    learning_rate: Rate
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup_steps: Steps = 0
    warmup_ratio: Annotated[float, Field(ge=0, lt=1)] = 0.0
    weight_decay: Decay = 0.0
    max_grad_norm: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    beta2: Annotated[float, Field(gt=0, lt=1)] = 0.999
    gradient_checkpointing: bool = False
    group_by_length: bool = False
    packing: bool = False

    @model_validator(mode="after")
    def _one_length(self) -> TrainingKeys:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("give either 'epochs' or 'steps'")
        if self.warmup_steps and self.warmup_ratio:
            raise ValueError("give either 'warmup_steps' or 'warmup_ratio'")
        if self.packing and self.group_by_length:
            raise ValueError("'packing' fills every row; leave out 'group_by_length'")
        return self


class LoraKeys(Keys):
    """The adapter: rank, scale, dropout, and which linear layers carry it ("all-linear", or their names)."""

    rank: Count
    alpha: Count
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    target_modules: Literal["all-linear"] | list[str] = "all-linear"


class SaveKeys(Keys):
    """Every so many steps the weights are saved (and the validation loss measured); a tenth of all steps by default.

    `keep` of them stay, the newest, and the best one.
    """

    every: Count | None = None
    keep: Count = 2


class EvaluateKeys(Keys):
    """A suite that the model being trained is put through.

    A pairwise one gives its win rate against the baseline, a score suite its mean score by one judge, a perplexity
    suite its loss on documents.

    `every` so many steps, a multiple of the saved ones (every one of those by default). `limit` draws that many prompts
    by category; at the end the whole suite is asked. Greedy unless `temperature` says otherwise.
    """

    suite: str
    baseline: str | None = None
    judges: list[str] = Field(default_factory=list)
    every: Count | None = None
    limit: Count | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0


class StoppingKeys(Keys):
    """Stop where `metric` has not improved by more than `min_difference` for `patience` looks; the best is put back."""

    metric: Literal["validation_loss", "win_rate", "score", "suite_loss"] = "validation_loss"
    patience: Count
    min_difference: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0


class RecipeKeys(Keys):
    """What recipes of every kind have. `threads` are those of the CPU (all where it is not given)."""

    name: Name
    seed: Annotated[int, Field(ge=0, lt=2**32, strict=True)]
    data: DataKeys
    training: TrainingKeys
    save: SaveKeys = SaveKeys()
    evaluate: EvaluateKeys | None = None
    early_stopping: StoppingKeys | None = None
    device: Literal["cpu", "cuda", "mps", "auto"] = "auto"
    precision: Literal["auto", "bf16", "fp16", "fp32"] = "auto"
    threads: Annotated[int, Field(ge=1, le=256, strict=True)] | None = None
    log: list[Logger] = ["tensorboard"]

    @model_validator(mode="after")
    def _stopping_is_measured(self) -> RecipeKeys:
        stopping = self.early_stopping
        if stopping and stopping.metric == "validation_loss" and self.data.validation is None:
            raise ValueError("'early_stopping' on the validation loss needs 'data.validation'")
        of_suite = stopping.metric if stopping and stopping.metric != "validation_loss" else None
        if of_suite and self.evaluate is None:
            raise ValueError(f"'early_stopping' on the {of_suite.replace('_', ' ')} needs 'evaluate'")
        if self.data.curriculum and self.training.steps is not None:
            raise ValueError("'data.curriculum' lays out whole epochs; give 'training.epochs', not 'steps'")
        if self.data.curriculum and (self.training.group_by_length or self.training.packing):
            raise ValueError("'data.curriculum' keeps its order; leave out 'group_by_length' and 'packing'")
        if of_suite and self.evaluate and self.evaluate.every:
            said = of_suite.replace("_", " ")
            raise ValueError(f"'early_stopping' on the {said} looks at every saved step; leave out 'evaluate.every'")
        every, looks = self.save.every, self.evaluate.every if self.evaluate else None
        if looks and (every is None or looks % every):
            raise ValueError("'evaluate.every' must be a multiple of 'save.every'; give both")
        return self


class PretrainKeys(RecipeKeys):
    """A small causal language model from nothing."""

    kind: Literal["pretrain"]
    model: ModelKeys
    tokenizer: TokenizerKeys


class TunedKeys(RecipeKeys):
    """Training that starts from a base: recipe/<file> (relative to this one) or hf/<path or hub id>.

    With `lora` an adapter is trained, without it all weights. `parent` is an adapter on the same base whose training
    goes on. `quantize: 4bit` loads the base in 4 bits (bitsandbytes on CUDA), for an adapter.
    """

    base: Made
    parent: Made | None = None
    lora: LoraKeys | None = None
    quantize: Literal["4bit"] | None = None

    @model_validator(mode="after")
    def _adapter_fits(self) -> TunedKeys:
        if self.quantize and self.lora is None and self.parent is None:
            raise ValueError("'quantize' is for adapters; add 'lora', or leave it out")
        if self.parent and self.lora is not None:
            raise ValueError("'parent' has its own adapter; leave out 'lora'")
        return self

    @property
    def adapts(self) -> bool:
        """Whether an adapter is trained, not all weights."""
        return self.lora is not None or self.parent is not None


class SftKeys(TunedKeys):
    """Supervised fine-tuning on answers, perhaps anchored to the frozen base."""

    kind: Literal["sft"]
    anchor: AnchorKeys | None = None


class DpoKeys(TunedKeys):
    """Direct preference optimisation (https://arxiv.org/abs/2305.18290) on preference pairs.

    `beta` scales the distance to the reference, which is the model that training starts from. `sft_weight` adds the
    plain loss on the chosen answers, which keeps them likely while the rejected ones are pushed away.
    """

    kind: Literal["dpo"]
    beta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    sft_weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0

    @model_validator(mode="after")
    def _no_packing(self) -> DpoKeys:
        _refuse_packing(self)
        return self


class RewardKeys(TunedKeys):
    """A reward model with one output, trained on preference pairs (Bradley-Terry)."""

    kind: Literal["reward"]

    @model_validator(mode="after")
    def _no_packing(self) -> RewardKeys:
        _refuse_packing(self)
        return self


def _refuse_packing(keys: RecipeKeys) -> None:
    if keys.training.packing or keys.training.group_by_length:
        raise ValueError("preference pairs are neither packed nor grouped; leave out 'packing' and 'group_by_length'")


AnyKeys = PretrainKeys | SftKeys | DpoKeys | RewardKeys
KINDS: Mapping[str, type[PretrainKeys] | type[SftKeys] | type[DpoKeys] | type[RewardKeys]] = {
    "pretrain": PretrainKeys,
    "sft": SftKeys,
    "dpo": DpoKeys,
    "reward": RewardKeys,
}
