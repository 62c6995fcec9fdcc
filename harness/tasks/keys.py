"""The keys of `task:` and `split:` in recipes and suites. Unknown keys are errors; nothing is read here.

One flat mapping a key, so that a problem has the line of the very key it is about.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from harness.tasks.values import LETTERS, SPLITS, Rule, Split

Where = tuple[int | str, ...]
Text = Annotated[str, Field(min_length=1)]
Seed = Annotated[int, Field(strict=True, ge=0)]
Share = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]
ORIGINS = ("glue", "recipe_mpr", "files", "hub")
PUBLISHED = "Recipe-MPR is published at https://github.com/D3Mlab/Recipe-MPR (data/500QA.json)"


def _as_list(given: Any) -> Any:
    return [given] if isinstance(given, str) else given


def _whole(given: Any) -> Any:
    return {"whole": given} if isinstance(given, str) else given


def _heads(given: Any) -> Any:
    if isinstance(given, str):
        return {given: given}
    if isinstance(given, list) and all(isinstance(name, str) for name in given):
        return {name: name for name in given}
    return given


def _sets(given: Any) -> Any:
    """Label sets by head; the one set of a task with one head stands under ""."""
    if not isinstance(given, list | dict):
        return given
    sets = {"": given} if isinstance(given, list) else given
    for name, labels in sets.items():
        of = f" of {name!r}" if name else ""
        if not isinstance(labels, list) or len(labels) < 2:
            raise ValueError(f"the set{of} is a list of two labels or more")
        if any(isinstance(label, bool) for label in labels):
            raise ValueError("yes, no, on and off are read as true and false; put such labels in quotes")
        if not all(isinstance(label, str | int) and str(label).strip() for label in labels):
            raise ValueError(f"the labels{of} are texts; put them in quotes")
        if len({str(label) for label in labels}) < len(labels):
            raise ValueError(f"a label{of} stands twice; keep one")
    return {name: [str(label) for label in labels] for name, labels in sets.items()}


Columns = Annotated[list[Text], BeforeValidator(_as_list)]


class _Keys(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FilesKeys(_Keys):
    """`files:` one path, or a path by split."""

    whole: Text | None = None
    train: Text | None = None
    validation: Text | None = None
    test: Text | None = None

    @model_validator(mode="after")
    def _some(self) -> FilesKeys:
        given = [name for name in SPLITS if getattr(self, name)]
        if bool(given) == bool(self.whole):
            raise ValueError("give one path, or a path each for some of train, validation and test")
        return self


class HubSplits(_Keys):
    """Which splits of a dataset are train, validation and test."""

    train: Text | None = None
    validation: Text | None = None
    test: Text | None = None


class TaskKeys(_Keys):
    """Where items come from (one of `glue`, `recipe_mpr`, `files` and `hub`) and which columns are what.

    glue        sst2, rte or mnli: local JSONL by `train`, `validation`, `test`, or without paths nyu-mll/glue
    recipe_mpr  500QA.json as published; options are shuffled by `shuffle_seed` (null: left in the file's order)
    files       CSV, JSONL, JSON or Parquet: one path, or one by split; `hub` is a dataset's id, or a folder of one
    text        a column, or two for a pair; `options` a column that holds a list or a mapping, or two to 26 columns
    label       a column, several, or {head: column}; `labels` the set in order (for several heads {head: set}), by
                which integer labels are named too. For options the label is the right one's text, key, letter or place
    slices      columns whose values name slices: lists, texts, {name: 0 or 1}, or true and false
    """

    glue: Literal["sst2", "rte", "mnli"] | None = None
    recipe_mpr: Text | None = None
    files: Annotated[FilesKeys, BeforeValidator(_whole)] | None = None
    hub: Text | None = None
    train: Text | None = None
    validation: Text | None = None
    test: Text | None = None
    config: Text | None = None
    revision: Text | None = None
    splits: HubSplits | None = None
    text: Annotated[Columns, Field(min_length=1, max_length=2)] | None = None
    options: Annotated[Columns, Field(min_length=1, max_length=len(LETTERS))] | None = None
    label: Annotated[dict[Text, Text], BeforeValidator(_heads), Field(min_length=1)] | None = None
    labels: Annotated[dict[str, list[str]], BeforeValidator(_sets)] | None = None
    id: Text | None = None
    slices: Columns = Field(default_factory=list)
    category: Text | None = None
    cluster: Text | None = None
    shuffle_seed: Seed | None = 0
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] | None = None

    @property
    def origin(self) -> str:
        """Which of `glue`, `recipe_mpr`, `files` and `hub` is given."""
        return next(name for name in ORIGINS if getattr(self, name) is not None)

    @property
    def title(self) -> str:
        """The task's name: the one given, or of its origin."""
        if self.name is not None:
            return self.name
        if self.glue is not None:
            return self.glue
        if self.recipe_mpr is not None:
            return "recipe_mpr"
        paths = [given for _, given in self.paths()]
        return Path(paths[0]).stem if paths else str(self.hub).rpartition("/")[2]

    def paths(self) -> Iterator[tuple[Where, str]]:
        """Every file that it names, with the key it stands at (below `task`)."""
        if self.recipe_mpr is not None:
            yield ("recipe_mpr",), self.recipe_mpr
        for split in SPLITS:
            given = getattr(self, split)
            if given is not None:
                yield (split,), given
        for name in ("whole", *SPLITS):
            given = getattr(self.files, name, None)
            if given is not None:
                yield (("files",) if name == "whole" else ("files", name)), given

    def given_splits(self) -> tuple[Split, ...] | None:
        """The splits that are given apart; None where one file is to be split. A dataset's are known once read."""
        if self.recipe_mpr is not None or (self.files is not None and self.files.whole):
            return None
        if self.glue is not None and not any(self.paths()):
            return ("train", "test")
        source = self.files or self.splits or self
        return tuple(split for split in SPLITS if getattr(source, split, None))

    @field_validator("train", "validation", "test")
    @classmethod
    def _for_glue(cls, given: str | None, info: ValidationInfo) -> str | None:
        if given is not None and not info.data.get("glue"):
            raise ValueError("goes with 'glue'; put it under 'files', as in files: {train: …, test: …}")
        return given

    @field_validator("config", "splits")
    @classmethod
    def _for_hub(cls, given: Any, info: ValidationInfo) -> Any:
        if given is not None and not info.data.get("hub"):
            raise ValueError("goes with 'hub'; remove it")
        return given

    @field_validator("revision")
    @classmethod
    def _for_datasets(cls, given: str | None, info: ValidationInfo) -> str | None:
        local = any(info.data.get(split) for split in SPLITS)
        if given is not None and not (info.data.get("hub") or (info.data.get("glue") and not local)):
            raise ValueError("goes with a dataset of the hub; remove it")
        return given

    @field_validator("text", "options", "label", "labels", "id", "slices", "category", "cluster")
    @classmethod
    def _for_tables(cls, given: Any, info: ValidationInfo) -> Any:
        known = next((name for name in ("glue", "recipe_mpr") if info.data.get(name)), None)
        if given and known is not None:
            raise ValueError(f"the columns of {known!r} are known; remove it")
        return given

    @model_validator(mode="after")
    def _one_origin(self) -> TaskKeys:
        given = [name for name in ORIGINS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give one of {', '.join(map(repr, ORIGINS))}, found {', '.join(given) or 'none'}")
        if given[0] in ("files", "hub"):
            lacking = [name for name in ("text", "label") if not getattr(self, name)]
            if lacking:
                raise ValueError(f"the key {lacking[0]!r} is missing; name the column of the {lacking[0]}")
            self._columns_fit()
        return self

    def _columns_fit(self) -> None:
        label = self.label or {}
        if self.options and (len(label) != 1 or self.labels):
            raise ValueError("with 'options' there is one label, the right option; remove the others and 'labels'")
        if self.labels is None:
            return
        if "" in self.labels and len(label) != 1:
            raise ValueError(f"'labels' must say which head each set is for: {{{next(iter(label))}: […], …}}")
        strange = [name for name in self.labels if name and name not in label]
        if strange:
            raise ValueError(f"'labels' names the head {strange[0]!r}; the heads are {', '.join(label)}")

    def label_sets(self) -> dict[str, tuple[str, ...]]:
        """The label set of every head for which one is given."""
        only = next(iter(self.label or {}), "")
        return {name or only: tuple(labels) for name, labels in (self.labels or {}).items()}


class SplitKeys(_Keys):
    """`split:` is `given`, {holdout: 0.1, seed: 7} or {folds: 5, fold: 0, seed: 7}.

    What is held out is the test split. `validation` takes a share (of all items that are split) out of what would be
    trained on. All are stratified by the label, jointly where there are several, and keep equal texts together.
    """

    holdout: Share | None = None
    folds: Annotated[int, Field(ge=2, strict=True)] | None = None
    fold: Annotated[int, Field(ge=0, strict=True)] | None = None
    validation: Share | None = None
    seed: Seed = 0

    @model_validator(mode="before")
    @classmethod
    def _given(cls, raw: Any) -> Any:
        return {} if raw == "given" else raw

    @field_validator("folds")
    @classmethod
    def _not_both(cls, given: int | None, info: ValidationInfo) -> int | None:
        if given is not None and info.data.get("holdout") is not None:
            raise ValueError("give 'holdout' or 'folds', not both")
        return given

    @field_validator("fold")
    @classmethod
    def _of_folds(cls, given: int | None, info: ValidationInfo) -> int | None:
        if given is not None and "folds" in info.data:
            folds = info.data["folds"]
            if folds is None:
                raise ValueError("goes with 'folds': how many there are")
            if given >= folds:
                raise ValueError(f"folds count from 0 to {folds - 1}")
        return given

    @field_validator("validation")
    @classmethod
    def _leaves_some(cls, given: float | None, info: ValidationInfo) -> float | None:
        folds, held = info.data.get("folds"), info.data.get("holdout") or 0.0
        held = 1 / folds if folds else held
        if given is not None and given + held >= 1:
            raise ValueError(f"with the {held:g} held out for testing it leaves nothing to train on")
        return given

    def rule(self, fold: int | None = None) -> Rule:
        """As a value; `fold` overrides the one that is given (0 where none is)."""
        own = (self.fold or 0) if fold is None else fold
        return Rule(
            kind="holdout" if self.holdout else "folds" if self.folds else "given",
            seed=self.seed,
            share=self.holdout or 0.0,
            folds=self.folds or 0,
            fold=own if self.folds else 0,
            validation=self.validation or 0.0,
        )


def problems(task: TaskKeys, split: SplitKeys, folder: Path, *, at: str = "task") -> Iterator[tuple[Where, str]]:
    """What does not fit together, and the files that are not there: where in the YAML (from `task` or `split`), what.

    Relative paths are relative to `folder`; `at` is the key of the task itself.
    """
    for where, given in task.paths():
        if not (folder / given).is_file():
            way = "check the path"
            if where == ("recipe_mpr",):
                way = f"{PUBLISHED}: put it there, or say where it is by --set {at}.recipe_mpr=PATH"
            yield ("task", *where), f"there is no file {given!r}; {way}"
    known = task.given_splits()
    if known:
        yield from ((("split", *where), what) for where, what in misfits(known, split.rule()))


def misfits(known: Collection[Split], rule: Rule) -> Iterator[tuple[Where, str]]:
    """What a rule asks of splits that are given apart and cannot be had: where below `split`, and what."""
    if rule.kind == "holdout" and "test" in known:
        yield ("holdout",), "holdout: test items are given already; take 'validation' instead, or leave them out"
    if rule.kind == "folds" and {"test", "validation"} <= set(known):
        yield ("folds",), "folds: validation and test items are given already; leave one of them out"
    # Beside given test items a fold is what is validated on.
    if rule.validation and ("validation" in known or (rule.kind == "folds" and "test" in known)):
        yield ("validation",), "validation: validation items are given already; leave one of them out"
    if (rule.kind != "given" or rule.validation) and "train" not in known:
        yield (), "split: there are no training items to split; give some as 'train', or remove 'split'"
