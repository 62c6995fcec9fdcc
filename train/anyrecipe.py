"""Recipes of whatever kind, told apart by their `kind`. Reading one imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.yamlfile import changed, load_yaml
from train import recipe as models
from train.encoder import recipe as encoders
from train.encoder.recipe import EncoderRecipe
from train.recipe import Recipe


def load_any(path: Path, changes: Sequence[str] = ()) -> Recipe | EncoderRecipe:
    """Read a recipe of any kind, with `changes` on top. Raises InputError with every problem of it."""
    return encoders.load(path, changes) if is_encoders(path, changes) else models.load(path, changes)


def check(path: Path, *, data: bool = True) -> None:
    """Raise InputError with every problem of a recipe; with `data` of an encoder's files too, where they lie here."""
    recipe = load_any(path)
    if data and isinstance(recipe, EncoderRecipe) and any(recipe.keys.task.paths()):
        from train.encoder.data import checked

        checked(recipe, near=True)


def is_encoders(path: Path, changes: Sequence[str] = ()) -> bool:
    """Whether a recipe is of kind encoder. Raises InputError where it is no YAML mapping."""
    values, _ = load_yaml(path)
    return changed(values, changes).get("kind") == models.ENCODER
