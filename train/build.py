"""Turns a recipe into a checkpoint, once: a second process waits for the first, and an interrupted build leaves nothing.

A checkpoint is built in a hidden sibling of its place, gets its manifest last and is moved there whole.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from harness import checkpoint
from harness.checkpoint import Base, Manifest
from harness.errors import HarnessError, InputError, Problem
from train import data
from train.outcome import Trained
from train.recipe import PretrainKeys, Recipe, SftKeys, load

OnProgress = Callable[[str, int, int], None]
NEEDED = ("torch", "transformers", "peft", "trl", "datasets", "accelerate")
VERSIONS = ("judge-harness", "torch", "transformers", "peft", "trl", "tokenizers")


def ensure(path: Path, *, checkpoints: Path, on_progress: OnProgress) -> str:
    """The hf spec of a recipe's checkpoint under `checkpoints`; it is built first, and its base before it, where needed.

    `on_progress` gets the name of the stage, and what is done and planned of it. Raises InputError where the recipe or a
    checkpoint it rests on is wrong, HarnessError where the training libraries are missing.
    """
    _, spec = _ensure(path, checkpoints.resolve(), on_progress, ())
    return spec


def _ensure(path: Path, checkpoints: Path, on_progress: OnProgress, below: tuple[Path, ...]) -> tuple[Path, str]:
    """The folder and the spec of a recipe's checkpoint; `below` are the recipes that wait for it."""
    recipe = load(path)
    if path.resolve() in below:
        raise InputError([Problem(path=str(path), what="rests on itself as its base; name another base")])
    base = _base(recipe, checkpoints, on_progress, (*below, path.resolve()))
    place = checkpoints / recipe.folder_name(base.sha256 if base else None)
    with _alone(place):
        if not place.exists():
            _require_libraries(recipe)
            _build(recipe, base, place, on_progress)
    problems = checkpoint.verify(place)
    if problems:
        way_out = Problem(path=str(place), what="delete this folder, and the next run builds it anew")
        raise InputError([*problems, way_out])
    return place, f"hf/{base.folder}+{place}" if base else f"hf/{place}"


class _Found(Base):
    """A base that is on disk."""

    __slots__ = ("folder",)
