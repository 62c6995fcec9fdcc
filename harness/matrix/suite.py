"""Matrix suites (`kind: matrix`): models × tasks × modes, what is left out, and what is otherwise in single cells.

name: glue_matrix
kind: matrix
tasks:
  sst2: {task: {glue: sst2, train: …, test: …}, split: {validation: 0.1}}
models:
  bert-base: {encoder: hf/google-bert/bert-base-uncased, parameters: 110e6}
  qwen-0.5b: {language: hf/Qwen/Qwen2-0.5B}
modes:
  fine-tune: {recipe: {training: {epochs: 3, …}}}   # encoders: settings of an encoder recipe
  zero-shot: {}                                     # language models: a method of classify suites
  few-shot: {method: {shots: 5}}
  lora: {recipe: {lora: {rank: 16, alpha: 32}, training: {…}}}       # labels are written
  lora-head: {recipe: {training: {…}}}              # labels are outputs of a head on the language model's last token
exclude: [{model: gemma-2b, mode: lora}]
cells: [{model: bert-base, task: rte, recipe: {training: {epochs: 5}}}]
variants: {quick: {limit: 100, tasks: [sst2]}}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from harness.classify.suite import MethodKeys
from harness.errors import HarnessError, InputError, Problem
from harness.matrix.questions import MARGIN, Family
from harness.models.spec import parse
from harness.overrides import read
from harness.tasks.keys import SplitKeys, TaskKeys, Where
from harness.tasks.keys import problems as task_problems
from harness.yamlfile import problem, problems_of

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
ModeName = Literal["fine-tune", "zero-shot", "few-shot", "lora", "lora-head"]
FAMILIES: Mapping[ModeName, Family] = {
    "fine-tune": "encoder",
    "zero-shot": "language",
    "few-shot": "language",
    "lora": "language",
    "lora-head": "language",
}
TRAINED: tuple[ModeName, ...] = ("fine-tune", "lora", "lora-head")
# What is trained with a classification head, by a recipe of kind encoder: nothing is asked of it in words.
HEADED: tuple[ModeName, ...] = ("fine-tune", "lora-head")
SHOTS = 5


class _Keys(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TaskCellKeys(_Keys):
    """A task: its items and their split (see `harness.tasks.keys`), and the template language models are shown."""

    task: TaskKeys
    split: SplitKeys = SplitKeys()
    head: str | None = None
    template: Annotated[str, Field(min_length=1)] | None = None

    @field_validator("split", mode="before")
    @classmethod
    def _given(cls, given: Any) -> Any:
        return {} if given == "given" else given


class ModelKeys(_Keys):
    """A model, an `encoder` or a `language` model, by its spec: hf/…, recipe/… or, to be asked only, an API's."""

    encoder: Annotated[str, Field(min_length=1)] | None = None
    language: Annotated[str, Field(min_length=1)] | None = None
    parameters: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _one(self) -> ModelKeys:
        if (self.encoder is None) == (self.language is None):
            raise ValueError("give 'encoder' or 'language', its spec")
        return self

    @property
    def family(self) -> Family:
        """Which of the two it is."""
        return "encoder" if self.encoder is not None else "language"

    @property
    def spec(self) -> str:
        """Its spec."""
        return self.encoder or self.language or ""


class ModeKeys(_Keys):
    """What a mode is: settings of the recipe where it trains, the method where it asks."""

    recipe: dict[str, Any] = Field(default_factory=dict)
    method: dict[str, Any] = Field(default_factory=dict)

    @field_validator("method")
    @classmethod
    def _known(cls, given: dict[str, Any]) -> dict[str, Any]:
        MethodKeys.model_validate(given)
        return given


class PlaceKeys(_Keys):
    """Cells by model, task and mode; what is not named is any."""

    model: str | None = None
    task: str | None = None
    mode: str | None = None

    def covers(self, cell: Cell) -> bool:
        """Whether a cell is one of these."""
        named = ((self.model, cell.model), (self.task, cell.task), (self.mode, cell.mode))
        return all(own in (None, there) for own, there in named)


class CellKeys(PlaceKeys):
    """What is otherwise in some cells."""

    recipe: dict[str, Any] = Field(default_factory=dict)
    method: dict[str, Any] = Field(default_factory=dict)
    limit: Annotated[int, Field(ge=1, strict=True)] | None = None


class VariantKeys(_Keys):
    """A smaller matrix of the same file: `limit` items a cell, fewer tasks, models or modes, other settings."""

    limit: Annotated[int, Field(ge=1, strict=True)] | None = None
    tasks: list[str] | None = None
    models: list[str] | None = None
    modes: list[ModeName] | None = None
    cells: list[CellKeys] = Field(default_factory=list)


class MatrixKeys(_Keys):
    """The keys that a matrix suite may have."""

    name: Name
    kind: Literal["matrix"]
    tasks: Annotated[dict[Name, TaskCellKeys], Field(min_length=1)]
    models: Annotated[dict[Name, ModelKeys], Field(min_length=1)]
    modes: Annotated[dict[ModeName, ModeKeys], Field(min_length=1)]
    exclude: list[PlaceKeys] = Field(default_factory=list)
    cells: list[CellKeys] = Field(default_factory=list)
    variants: dict[Name, VariantKeys] = Field(default_factory=dict)
    margin: Annotated[float, Field(gt=0, lt=1)] = MARGIN
    limit: Annotated[int, Field(ge=1, strict=True)] | None = None
    seed: Annotated[int, Field(strict=True, ge=0)] = 0

    @field_validator("modes", mode="before")
    @classmethod
    def _empty(cls, given: Any) -> Any:
        return {name: value or {} for name, value in given.items()} if isinstance(given, Mapping) else given


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One experiment."""

    model: str
    task: str
    mode: ModeName

    @property
    def name(self) -> str:
        """Its name, and its folder's."""
        return f"{self.model}__{self.task}__{self.mode}"

    def __str__(self) -> str:
        return f"{self.model} · {self.task} · {self.mode}"


@dataclass(frozen=True, kw_only=True, slots=True)
class MatrixSuite:
    """A matrix suite; relative paths in it begin at `folder`. `variant` None: the whole matrix.

    `limit` is the command line's, above all others.
    """

    keys: MatrixKeys
    folder: Path
    variant: str | None = None
    limit: int | None = None

    @property
    def name(self) -> str:
        """The suite's name."""
        return self.keys.name

    @property
    def _variant(self) -> VariantKeys:
        return self.keys.variants[self.variant] if self.variant is not None else VariantKeys()

    def cells(self) -> tuple[Cell, ...]:
        """Every cell that is run, tasks first: what is left out is left out here."""
        keys, chosen = self.keys, self._variant
        found = (
            Cell(model=model, task=task, mode=mode)
            for task in keys.tasks
            for model, own in keys.models.items()
            for mode in keys.modes
            if FAMILIES[mode] == own.family
            and (chosen.tasks is None or task in chosen.tasks)
            and (chosen.models is None or model in chosen.models)
            and (chosen.modes is None or mode in chosen.modes)
        )
        return tuple(cell for cell in found if not any(place.covers(cell) for place in keys.exclude))

    def settings(self, cell: Cell) -> CellKeys:
        """Recipe, method and limit of a cell: its mode's, on top what `cells` say, then what the variant says."""
        mode = self.keys.modes[cell.mode]
        recipe, method = dict(mode.recipe), dict(mode.method)
        limit = self._variant.limit or self.keys.limit
        for own in (*self.keys.cells, *self._variant.cells):
            if own.covers(cell):
                recipe, method = merged(recipe, own.recipe), merged(method, own.method)
                limit = own.limit or limit
        template = self.keys.tasks[cell.task].template
        if template is not None and cell.mode not in HEADED:
            method = {"template": template, **method}
        if cell.mode == "few-shot":
            method = {"shots": SHOTS, "seed": self.keys.seed, **method}
        return CellKeys(recipe=recipe, method=method, limit=self.limit or limit)

    def as_json(self) -> dict[str, Any]:
        """As a manifest holds it."""
        values = self.keys.model_dump(mode="json", exclude_unset=True)
        return {**values, "folder": str(self.folder), "variant": self.variant, "given_limit": self.limit}


def from_json(raw: Mapping[str, Any]) -> MatrixSuite:
    """The suite that a manifest holds. Raises KeyError, TypeError or ValueError where it holds none."""
    values = dict(raw)
    folder, variant, limit = Path(values.pop("folder")), values.pop("variant"), values.pop("given_limit")
    return MatrixSuite(keys=MatrixKeys.model_validate(values), folder=folder, variant=variant, limit=limit)


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """The first mapping with the second's values on top, mappings within them likewise."""
    found = dict(first)
    for name, value in second.items():
        old = found.get(name)
        found[name] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return found


def load(
    path: Path,
    variant: str | None = None,
    *,
    limit: int | None = None,
    seed: int | None = None,
    changes: Sequence[str] = (),
) -> MatrixSuite:
    """Read a matrix suite, with `changes` ("key.key=value") on top; `limit` and `seed` are the command line's.

    Raises InputError with every problem of it. The files of its tasks have to be there; they are read by the caller.
    """
    values, line_of = read(path, changes)
    try:
        keys = MatrixKeys.model_validate(values)
    except ValidationError as error:
        known = tuple(MatrixKeys.model_fields)
        raise InputError(problems_of(error, str(path), line_of, known, changes)) from None
    problems = [problem(what, where, path, line_of, changes) for where, what in _problems(keys, path.parent)]
    if variant is not None and variant not in keys.variants:
        names = ", ".join(keys.variants) or "none"
        problems.append(Problem(path=str(path), what=f"there is no variant {variant!r}; its variants: {names}"))
    if problems:
        raise InputError(problems)
    keys = keys if seed is None else keys.model_copy(update={"seed": seed})
    suite = MatrixSuite(keys=keys, folder=path.resolve().parent, variant=variant, limit=limit)
    if not suite.cells():
        what = "no cell is left: no mode fits a model's kind, or 'exclude' and the variant take all"
        raise InputError([Problem(path=str(path), what=f"{what}; mend one of them")])
    return suite


def _problems(keys: MatrixKeys, folder: Path) -> Iterator[tuple[Where, str]]:
    """What of a matrix's keys does not fit together, the files that are not there, and where."""
    for name, model in keys.models.items():
        try:
            parse(model.spec, role="candidate", folder=folder)
        except HarnessError as error:
            yield ("models", name, "encoder" if model.encoder is not None else "language"), str(error)
    for name, task in keys.tasks.items():
        for where, what in task_problems(task.task, task.split, folder, at=f"tasks.{name}.task"):
            yield ("tasks", name, *where), what
    for variant, own in keys.variants.items():
        for key, chosen in (("tasks", own.tasks), ("models", own.models), ("modes", own.modes)):
            for given in chosen or ():
                yield from _known(key, given, getattr(keys, key), ("variants", variant, key))
    known: Mapping[str, Mapping[str, Any]] = {
        "model": keys.models,
        "task": keys.tasks,
        "mode": {str(mode): own for mode, own in keys.modes.items()},
    }
    for at, place in _places(keys):
        for key, names in known.items():
            yield from _known(key, getattr(place, key), names, at)


def _places(keys: MatrixKeys) -> Iterator[tuple[Where, PlaceKeys]]:
    """Every mapping that names cells, and where it stands."""
    for at, excluded in enumerate(keys.exclude):
        yield ("exclude", at), excluded
    for at, own in enumerate(keys.cells):
        yield ("cells", at), own
    for variant, chosen in keys.variants.items():
        for at, own in enumerate(chosen.cells):
            yield ("variants", variant, "cells", at), own


def _known(key: str, given: str | None, names: Mapping[Any, Any], where: Where) -> Iterator[tuple[Where, str]]:
    if given is not None and given not in names:
        yield where, f"{key}: there is no {given!r}; known: {', '.join(names)}"
