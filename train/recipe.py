"""Training recipes: YAML files that say how a checkpoint is made, and the hash that names what comes out of them.

A recipe is checked whole before anything is trained: unknown keys, wrong types and missing files are problems with
their lines, all at once. Reading one imports no torch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from harness.errors import InputError, Problem
from harness.yamlfile import LineOf, load_yaml, problems_of

Count = Annotated[int, Field(ge=1, strict=True)]
Rate = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Decay = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]

_WORLD = Path(__file__).parent / "kitchen"


class Keys(BaseModel):
    """A mapping of a recipe: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DataKeys(Keys):
    """Where examples come from: JSONL `files`, or a `generator` of the kitchen world and how many `examples` it makes.

    Prompts that stand in the `held_out` files (prompts JSONL) are kept out of the training data.
    """

    generator: Literal["kitchen_corpus", "kitchen_requests"] | None = None
    examples: Count | None = None
    files: list[str] = Field(default_factory=list)
    held_out: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _one_source(self) -> DataKeys:
        if (self.generator is None) == (not self.files):
            raise ValueError("give either 'generator' or 'files'")
        if (self.generator is None) != (self.examples is None):
            raise ValueError("'examples' goes with 'generator': how many it makes")
        return self


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
    """How long and how fast. The rate falls to zero on a cosine after its warm-up; longer examples are cut (tokens)."""

    batch_size: Count
    max_length: Annotated[int, Field(ge=8, strict=True)] = 512
    learning_rate: Rate
    warmup_steps: Annotated[int, Field(ge=0, strict=True)] = 0
    weight_decay: Decay = 0.0


class PretrainTraining(TrainingKeys):
    """`steps` batches of `batch_size` examples, the data seen as often as that takes."""

    steps: Count


class SftTraining(TrainingKeys):
    """`epochs` passes over the data."""

    epochs: Count


class LoraKeys(Keys):
    """The adapter: rank, scale, dropout, and which linear layers carry it ("all-linear", or their names)."""

    rank: Count
    alpha: Count
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    target_modules: Literal["all-linear"] | list[str] = "all-linear"


class RecipeKeys(Keys):
    """What recipes of every kind have. Training runs on the CPU with `threads` threads unless `device` says so."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    seed: Annotated[int, Field(ge=0, lt=2**32, strict=True)]
    data: DataKeys
    device: Literal["cpu", "cuda", "mps", "auto"] = "cpu"
    threads: Annotated[int, Field(ge=1, le=64, strict=True)] = 2


class PretrainKeys(RecipeKeys):
    """A small causal language model from nothing."""

    kind: Literal["pretrain"]
    model: ModelKeys
    tokenizer: TokenizerKeys
    training: PretrainTraining


class SftKeys(RecipeKeys):
    """A LoRA adapter, fine-tuned on a base: recipe/<file> (relative to this one) or hf/<path or hub id>."""

    kind: Literal["sft"]
    base: Annotated[str, Field(pattern=r"^(recipe|hf)/.+$")]
    lora: LoraKeys
    training: SftTraining


KINDS: Mapping[str, type[PretrainKeys] | type[SftKeys]] = {"pretrain": PretrainKeys, "sft": SftKeys}


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """A checked recipe and the file it was read from."""

    path: Path
    keys: PretrainKeys | SftKeys

    def file(self, given: str) -> Path:
        """A path written in the recipe, which is relative to it."""
        return self.path.parent / given

    def resolved(self) -> dict[str, Any]:
        """The recipe with every default filled in, as JSON."""
        return self.keys.model_dump(mode="json")

    def folder_name(self, base_fingerprint: str | None) -> str:
        """The name of its checkpoint's folder: another recipe, data file, generator or base gives another one."""
        data = self.keys.data
        sources = [self.file(given) for given in (*data.files, *data.held_out)]
        if data.generator is not None:
            sources += sorted(_WORLD.glob("*.py"))
        resolved = self.resolved()
        # Which files these are is told by their contents below, where they lie is not.
        resolved["data"] |= {"files": len(data.files), "held_out": len(data.held_out)}
        hashes = [hashlib.sha256(source.read_bytes()).hexdigest() for source in sources]
        told = json.dumps([resolved, hashes, base_fingerprint], sort_keys=True)
        return f"{self.keys.name}-{hashlib.sha256(told.encode()).hexdigest()[:12]}"


def load(path: Path) -> Recipe:
    """Read a recipe. Raises InputError with every problem of it."""
    values, line_of = load_yaml(path)
    kind = values.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        what = f"unknown kind {kind!r} of recipe; use one of: {', '.join(KINDS)}"
        raise InputError([Problem(path=str(path), line=line_of(["kind"]), what=what)])
    keys_type = KINDS[kind]
    try:
        recipe = Recipe(path=path, keys=keys_type.model_validate(values))
    except ValidationError as error:
        raise InputError(problems_of(error, str(path), line_of, known=tuple(keys_type.model_fields))) from None
    problems = _missing_files(recipe, line_of)
    if problems:
        raise InputError(problems)
    return recipe


def _missing_files(recipe: Recipe, line_of: LineOf) -> list[Problem]:
    named: list[tuple[list[int | str], str]] = [
        (["data", key, place], given)
        for key, listed in (("files", recipe.keys.data.files), ("held_out", recipe.keys.data.held_out))
        for place, given in enumerate(listed)
    ]
    if isinstance(recipe.keys, SftKeys) and recipe.keys.base.startswith("recipe/"):
        named.append((["base"], recipe.keys.base.removeprefix("recipe/")))
    return [
        Problem(path=str(recipe.path), line=line_of(where), what=f"there is no file {given!r}; check the path")
        for where, given in named
        if not recipe.file(given).is_file()
    ]
