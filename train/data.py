"""From a recipe to its training data: sources read, held-out prompts left out, sampled, mixed, and counted.

Examples whose prompt stands in the held-out files, exactly or nearly (by the leakage guard's own measure), are never
trained on. What the ratios ask for is planned; `require_as_planned` stops a training that would get something else.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import InputError, Problem
from harness.leakage import TrainingExample, TrainingIndex, normal
from harness.leakage.nearest import nearest
from harness.records import read_lines
from train.examples import Example, Origin, Wanted, read
from train.keys import DpoKeys, PartKeys, RewardKeys
from train.mix import Drawn, Source, Stage, laid_out, mixed, sample
from train.recipe import Recipe

TOLERANCE = 0.01
"""How far the actual count may be from the planned one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingData:
    """What a recipe trains on, in order, and what it is validated on.

    `planned` counts by source; `held_out` what was left out as known to the held-out files, `left_out`
    what of the validation examples because its prompt is known or trained on. `ordered` says that the
    order is the curriculum's, `epochs` of them laid out one after the other.
    """

    rows: tuple[Example, ...]
    validation: tuple[Example, ...]
    planned: Mapping[str, int]
    held_out: int
    files: tuple[Origin, ...]
    ordered: bool
    left_out: int = 0

    @property
    def sha256(self) -> str:
        """SHA-256 over the examples in order."""
        digest = hashlib.sha256()
        for row in self.rows:
            told = [[(m.role, m.content) for m in row.prompt], row.answer, row.rejected]
            digest.update(json.dumps(told).encode() + b"\n")
        return digest.hexdigest()

    def index(self) -> TrainingIndex:
        """The compact index of what users ask in them, for the leakage guard."""
        return TrainingIndex.build(
            TrainingExample(file=row.file, line=row.line, turns=row.user_turns) for row in self.rows
        )


def load(recipe: Recipe) -> TrainingData:
    """The training data of a recipe. Raises InputError with every problem of its files."""
    keys, folder = recipe.keys, recipe.path.parent
    data = keys.data
    wanted = Wanted(pairs=isinstance(keys, DpoKeys | RewardKeys), stratify=data.stratify)
    parts = data.mix or [PartKeys.model_construct(**{**_of_source(data), "name": "data"})]
    known = TrainingIndex.build(held_out(folder, data.held_out)) if data.held_out else None
    sources: list[Source] = []
    files: list[Origin] = []
    left_out = 0
    for part in parts:
        rng = random.Random(f"{part.name} {part.generator} {keys.seed}")
        rows, origins = read(part, folder, replace(wanted, source=part.name), rng)
        kept = without(rows, known)
        left_out += len(rows) - len(kept)
        files += origins
        sources.append(Source(name=part.name, rows=kept, ratio=part.ratio, repeat=part.repeat))
    rng = random.Random(f"draw {keys.seed}")
    sources, validation, more, missed = _validation(recipe, sources, wanted, known, rng)
    drawn = _drawn(recipe, sources, rng)
    if not drawn.rows:
        what = "leaves no example to train on; add some that are not held out"
        raise InputError([Problem(path=str(recipe.path), what=what)])
    return TrainingData(
        rows=drawn.rows,
        validation=validation,
        planned=drawn.planned,
        held_out=left_out,
        files=(*files, *more),
        ordered=bool(data.curriculum),
        left_out=missed,
    )


def require_as_planned(planned: Mapping[str, int], actual: Mapping[str, int], where: str) -> None:
    """Raise InputError where a source, or all together, gives more than 1 % more or fewer examples than planned."""
    both = {name: (planned.get(name, 0), actual.get(name, 0)) for name in (*planned, *actual)}
    if len(both) > 1:
        both["all sources"] = sum(planned.values()), sum(actual.values())
    problems = [
        Problem(
            path=where,
            what=f"{name}: {wanted:,} examples are planned and {got:,} would be trained on, a difference of more than "
            f"1 %; {_way_out(wanted, got)}",
        )
        for name, (wanted, got) in both.items()
        if abs(got - wanted) > TOLERANCE * wanted
    ]
    if problems:
        raise InputError(problems)


def held_out(folder: Path, files: Sequence[str]) -> Iterator[TrainingExample]:
    """Every turn of every prompt in prompts files. Raises InputError with every line that cannot be read."""
    problems: list[Problem] = []
    for given in files:
        for line, value in read_lines(folder / given):
            if isinstance(value, Problem):
                problems.append(value)
                continue
            turns = [value.get("prompt"), *(value.get("turns") or [])]
            for turn in turns:
                if isinstance(turn, str) and turn.strip():
                    yield TrainingExample(file=given, line=line, turns=(turn,))
    if problems:
        raise InputError(problems)


def without(rows: Sequence[Example], known: TrainingIndex | None) -> list[Example]:
    """The rows whose user turns are neither exactly nor nearly in an index."""
    if known is None:
        return list(rows)
    forms = [[normal(turn) for turn in row.user_turns] for row in rows]
    distinct = list(dict.fromkeys(form for each in forms for form in each))
    close = {form for form, found in zip(distinct, nearest(known, distinct), strict=True) if found is not None}
    return [row for row, each in zip(rows, forms, strict=True) if not close.intersection(each)]


def _of_source(data: Any) -> dict[str, Any]:
    """The keys of `data` that say where its one source is."""
    return {name: getattr(data, name) for name in PartKeys.model_fields if hasattr(data, name)} | {
        "ratio": None,
        "repeat": False,
    }


def _validation(
    recipe: Recipe, sources: list[Source], wanted: Wanted, known: TrainingIndex | None, rng: random.Random
) -> tuple[list[Source], tuple[Example, ...], list[Origin], int]:
    """The sources without what validation takes of them, and the validation examples.

    Also the files read for these alone, and how many of their examples were left out.
    """
    keys = recipe.keys.data.validation
    if keys is None:
        return sources, (), [], 0
    if keys.share is None:
        own = random.Random(f"validation {keys.generator} {recipe.keys.seed}")
        rows, origins = read(keys, recipe.path.parent, replace(wanted, stratify=None, source="validation"), own)
        trained = {_asked(row) for source in sources for row in source.rows}
        # A loss on prompts that are trained on would say little; made ones repeat by chance, so they are left out.
        apart = [row for row in without(rows, known) if _asked(row) not in trained]
        if not apart:
            what = "data.validation: the prompts of all its examples are trained on too; give others"
            raise InputError([Problem(path=str(recipe.path), what=what)])
        return sources, tuple(apart), origins, len(rows) - len(apart)
    asked: set[Any] = set()
    for source in sources:
        asked |= _prompts(source, keys.share, rng, recipe, stratified=wanted.stratify is not None)
    # All examples of a prompt go together, whatever their source: one that is trained on would be no validation.
    left = [replace(source, rows=[row for row in source.rows if _asked(row) not in asked]) for source in sources]
    taken = [row for source in sources for row in source.rows if _asked(row) in asked]
    return left, tuple(taken), [], 0


def _prompts(source: Source, share: float, rng: random.Random, recipe: Recipe, *, stratified: bool) -> set[Any]:
    """Drawn prompts of a source whose examples together are its share, and no more."""
    sizes = Counter(_asked(row) for row in source.rows)
    room = max(1, round(share * len(source.rows)))
    drawn = sample(source.rows, room, rng, stratified=stratified)
    taken: set[Any] = set()
    for row in [*drawn, *rng.sample(list(source.rows), len(source.rows))]:
        prompt = _asked(row)
        if prompt not in taken and sizes[prompt] <= room:
            taken.add(prompt)
            room -= sizes[prompt]
    if source.rows and not taken:
        what = (
            f"data.validation.share: {room:,} examples of {source.name} are to be held out, but every prompt stands in "
            f"at least {min(sizes.values()):,}; raise the share, or give validation files"
        )
        raise InputError([Problem(path=str(recipe.path), what=what)])
    return taken


def _drawn(recipe: Recipe, sources: Sequence[Source], rng: random.Random) -> Drawn:
    data, stratified = recipe.keys.data, recipe.keys.data.stratify is not None
    if not data.curriculum:
        return mixed(sources, data.sample_ratio, rng, stratified=stratified)
    stages = [Stage(start=stage.start, ratios=stage.ratios) for stage in data.curriculum]
    epochs = recipe.keys.training.epochs or 1.0
    return laid_out(sources, stages, data.sample_ratio, epochs, rng, stratified=stratified)


def _asked(row: Example) -> Any:
    return row.prompt or row.answer


def _way_out(wanted: int, got: int) -> str:
    if got < wanted:
        return (
            "lower its ratio or 'sample_ratio', give it 'repeat: true', or raise 'training.max_length' where examples "
            "lose their answer"
        )
    return "look at 'sample_ratio' and the ratios of 'mix'"


def counted(rows: Sequence[Example]) -> dict[str, int]:
    """How many rows each source has."""
    return dict(Counter(row.source for row in rows))
