"""Recipes of kind encoder: read and checked whole before anything is trained, and what names their checkpoints."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.errors import InputError
from harness.tasks.keys import problems as task_problems
from harness.yamlfile import changed, describe, load_yaml, problem
from train.encoder.keys import EncoderKeys


@dataclass(frozen=True, kw_only=True, slots=True)
class EncoderRecipe:
    """A checked recipe and the file it was read from."""

    path: Path
    keys: EncoderKeys

    def file(self, given: str) -> Path:
        """A path written in the recipe, which is relative to it."""
        return self.path.parent / given

    def resolved(self) -> dict[str, Any]:
        """The recipe with every default filled in, as JSON."""
        return self.keys.model_dump(mode="json")

    def members(self) -> tuple[tuple[str, EncoderRecipe], ...]:
        """The trainings of an ensemble, each with its folder's name; none where there is but one training."""
        keys = self.keys
        folds: list[int | None] = [None]
        if keys.split.folds and keys.split.fold is None:
            folds = list(range(keys.split.folds))
        if len(folds) == 1 and not keys.seeds:
            return ()
        found = []
        for seed in keys.seeds or [keys.seed]:
            for fold in folds:
                split = keys.split if fold is None else keys.split.model_copy(update={"fold": fold})
                own = keys.model_copy(update={"seed": seed, "seeds": [], "split": split})
                parts = (f"seed-{seed}" if keys.seeds else "", "" if fold is None else f"fold-{fold}")
                found.append(("-".join(filter(None, parts)), replace(self, keys=own)))
        return tuple(found)

    def folder_name(self, base: str | None) -> str:
        """The name of its checkpoint's folder: another recipe, data file or base gives another one.

        `base` is a fingerprint.
        """
        told = json.dumps([_without_places(self), list(_hashes(self)), base], sort_keys=True)
        return f"{self.keys.name}-{hashlib.sha256(told.encode()).hexdigest()[:12]}"


def load(path: Path, changes: Sequence[str] = ()) -> EncoderRecipe:
    """Read a recipe, with `changes` ("key.key=value") on top. Raises InputError with every problem of it."""
    values, line_of = load_yaml(path)
    values = changed(values, changes)
    try:
        recipe = EncoderRecipe(path=path, keys=EncoderKeys.model_validate(values))
    except ValidationError as error:
        known = tuple(EncoderKeys.model_fields)
        raise InputError(
            [problem(describe(dict(item), known), item["loc"], path, line_of, changes) for item in error.errors()]
        ) from None
    found = [problem(what, where, path, line_of, changes) for where, what in _missing(recipe)]
    if found:
        raise InputError(found)
    return recipe


def _missing(recipe: EncoderRecipe) -> Iterator[tuple[tuple[int | str, ...], str]]:
    """What does not fit together, and the files that are not there: where it stands, and what to say of it."""
    keys = recipe.keys
    yield from task_problems(keys.task, keys.split, recipe.path.parent)
    base = keys.base or ""
    given = base.removeprefix("recipe/")
    if given != base and not recipe.file(given).is_file():
        yield ("base",), f"there is no file {given!r}; check the path"


def _without_places(recipe: EncoderRecipe) -> dict[str, Any]:
    """What a recipe says, without where files lie (their contents are hashed) and what changes no weight."""
    resolved = recipe.resolved()
    resolved.pop("log")
    if resolved["lora"] is None:
        resolved.pop("lora")
    if resolved["early_stopping"] is None:
        resolved.pop("save")
    for where, _ in recipe.keys.task.paths():
        inner: Any = resolved["task"]
        for step in where[:-1]:
            inner = inner[step]
        inner[where[-1]] = "a file"
    return resolved


def _hashes(recipe: EncoderRecipe) -> Iterator[str]:
    """SHA-256 of every file that the task names, in order."""
    for _, given in recipe.keys.task.paths():
        with recipe.file(given).open("rb") as stream:
            yield hashlib.file_digest(stream, "sha256").hexdigest()
