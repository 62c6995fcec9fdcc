"""Training recipes: YAML files that say how a checkpoint is made, and the hash that names what comes out of them.

A recipe is checked whole before anything is trained: unknown keys, wrong types and missing files are problems with
their lines, all at once. Reading one imports no torch.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness import suite as suites
from harness.errors import InputError
from harness.yamlfile import changed, describe, load_yaml, problem
from train.keys import KINDS, SUITE_METRICS, AnyKeys, SourceKeys, TunedKeys

_WORLD = Path(__file__).parent / "kitchen"
ENCODER = "encoder"
"""The kind of recipes that `train.encoder` reads."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """A checked recipe and the file it was read from."""

    path: Path
    keys: AnyKeys

    def file(self, given: str) -> Path:
        """A path written in the recipe, which is relative to it."""
        return self.path.parent / given

    def resolved(self) -> dict[str, Any]:
        """The recipe with every default filled in, as JSON."""
        return self.keys.model_dump(mode="json", by_alias=True)

    def suite(self) -> Path | None:
        """The file of the suite that training is evaluated with."""
        if self.keys.evaluate is None:
            return None
        beside = self.file(self.keys.evaluate.suite)
        return beside if beside.is_file() else suites.locate(self.keys.evaluate.suite)

    def folder_name(self, base: str | None, parent: str | None = None) -> str:
        """The name of its checkpoint's folder: another recipe, data file, generator, base or parent gives another one.

        `base` and `parent` are fingerprints.
        """
        told = json.dumps([_without_places(self), list(_hashes(self)), base, parent], sort_keys=True)
        return f"{self.keys.name}-{hashlib.sha256(told.encode()).hexdigest()[:12]}"


def load(path: Path, changes: Sequence[str] = ()) -> Recipe:
    """Read a recipe, with `changes` ("key.key=value") on top. Raises InputError with every problem of it."""
    values, line_of = load_yaml(path)
    values = changed(values, changes)
    kind = values.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        what = f"unknown kind {kind!r} of recipe; use one of: {', '.join((*KINDS, ENCODER))}"
        if kind == ENCODER:
            what = "an encoder's recipe makes no language model; name a recipe of another kind here"
        raise InputError([problem(what, ["kind"], path, line_of, changes)])
    keys_type = KINDS[kind]
    try:
        recipe = Recipe(path=path, keys=keys_type.model_validate(values))
    except ValidationError as error:
        known = tuple(keys_type.model_fields)
        raise InputError(
            [problem(describe(dict(item), known), item["loc"], path, line_of, changes) for item in error.errors()]
        ) from None
    problems = [problem(what, where, path, line_of, changes) for where, what in _missing(recipe)]
    if problems:
        raise InputError(problems)
    return recipe


def sources(recipe: Recipe) -> Iterator[tuple[tuple[int | str, ...], SourceKeys]]:
    """Every source of a recipe's data, training ones first, and where it stands in the file."""
    data = recipe.keys.data
    if data.mix:
        yield from ((("data", "mix", place), part) for place, part in enumerate(data.mix))
    else:
        yield ("data",), data
    if data.validation is not None:
        yield ("data", "validation"), data.validation


def _missing(recipe: Recipe) -> Iterator[tuple[tuple[int | str, ...], str]]:
    """The files that are not there: where each stands in the recipe, and what to say of it."""
    named: list[tuple[tuple[int | str, ...], str]] = []
    for where, source in sources(recipe):
        named += [((*where, "files", place), given) for place, given in enumerate(source.files)]
    named += [(("data", "held_out", place), given) for place, given in enumerate(recipe.keys.data.held_out)]
    if isinstance(recipe.keys, TunedKeys):
        made = {"base": recipe.keys.base, "parent": recipe.keys.parent or ""}
        named += [((key,), text.removeprefix("recipe/")) for key, text in made.items() if text.startswith("recipe/")]
    for where, given in named:
        if not recipe.file(given).is_file():
            yield where, f"there is no file {given!r}; check the path"
    try:
        suite = recipe.suite()
    except InputError as error:
        yield ("evaluate", "suite"), f"evaluate.suite: {error!s}"
        return
    # What is wrong inside a suite is said with its own lines, when it is read to be asked.
    with contextlib.suppress(InputError):
        yield from _unfit(recipe, suites.load(suite)) if suite is not None else ()


def _unfit(recipe: Recipe, suite: suites.Suite) -> Iterator[tuple[tuple[int | str, ...], str]]:
    """Why a suite cannot be asked while training, or not steer it: where that stands in the recipe, and what to say."""
    evaluate, stopping = recipe.keys.evaluate, recipe.keys.early_stopping
    assert evaluate is not None
    metric = SUITE_METRICS.get(suite.kind)
    if metric is None:
        kinds = ", ".join(SUITE_METRICS)
        what = (
            f"evaluate.suite: {suite.name!r} is of kind {suite.kind!r}, which is not asked while training; use {kinds}"
        )
        yield ("evaluate", "suite"), what
        return
    judges = evaluate.judges or suite.judges
    if suite.kind == "perplexity" and evaluate.judges:
        yield ("evaluate", "judges"), "evaluate.judges: nobody judges a perplexity suite; leave them out"
    if suite.kind != "perplexity" and not judges:
        yield ("evaluate", "suite"), f"evaluate.judges: neither the recipe nor {suite.name!r} names a judge; add one"
    if suite.kind == "score" and len(judges) > 1:
        what = f"evaluate.judges: one judge's score is followed while training, found {len(judges)}; name one"
        yield ("evaluate", "judges" if evaluate.judges else "suite"), what
    if stopping is not None and stopping.metric not in ("validation_loss", metric):
        what = f"early_stopping.metric: {stopping.metric!r} is not what {suite.name!r} measures; use {metric!r}"
        yield ("early_stopping", "metric"), what


def _without_places(recipe: Recipe) -> dict[str, Any]:
    """What a recipe says, without where files lie (their contents are hashed) and what changes no weight."""
    resolved = recipe.resolved()
    resolved.pop("log")
    if resolved["early_stopping"] is None:
        # Which steps are saved matters only where the best of them is put back.
        resolved.pop("save")
    data = resolved["data"]
    data["held_out"] = len(data["held_out"])
    for part in (data, *data["mix"], *([data["validation"]] if data["validation"] else [])):
        part["files"] = len(part["files"])
        part.pop("written_by")
    if resolved["evaluate"]:
        resolved["evaluate"].pop("suite")
    return resolved


def _hashes(recipe: Recipe) -> Iterator[str]:
    """SHA-256 of every file that the training reads, in order."""
    files = [recipe.file(given) for _, source in sources(recipe) for given in source.files]
    files += [recipe.file(given) for given in recipe.keys.data.held_out]
    if any(source.generator for _, source in sources(recipe)):
        files += sorted(_WORLD.glob("*.py"))
    folders = [recipe.file(source.dataset) for _, source in sources(recipe) if source.dataset]
    files += [file for folder in folders if folder.is_dir() for file in sorted(folder.rglob("*")) if file.is_file()]
    suite = recipe.suite()
    if suite is not None:
        # Its prompts, wherever they lie, and the recipes of whom it names.
        found = suites.load(suite)
        yield hashlib.sha256(repr(found.prompts).encode()).hexdigest()
        files += [suite, *_named_recipes(recipe, found)]
    for file in files:
        with file.open("rb") as stream:
            yield hashlib.file_digest(stream, "sha256").hexdigest()


def _named_recipes(recipe: Recipe, suite: suites.Suite) -> Iterator[Path]:
    """The recipe files that a training's looks need: its baseline's and judges', its own or the suite's."""
    evaluate = recipe.keys.evaluate
    assert evaluate is not None
    own = [(recipe.path.parent, text) for text in (evaluate.baseline, *evaluate.judges) if text]
    theirs = [(suite.folder, text) for text in (suite.baseline, *suite.judges) if text]
    for folder, text in (*own, *theirs):
        path = folder / text.removeprefix("recipe/")
        if text.startswith("recipe/") and path.is_file():
            yield path
