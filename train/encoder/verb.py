"""`harness train` for recipes of kind encoder: builds the checkpoint or the ensemble, or says what would be built."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from harness import checkpoint
from harness.checkpoints.files import file_sha256
from harness.errors import InputError, Problem
from harness.models.meter import Meter
from harness.progress import showing
from harness.report.columns import wrap
from train import saved
from train.build import Yard
from train.encoder import ensemble
from train.encoder.build import built, ended, members
from train.encoder.data import checked
from train.encoder.recipe import EncoderRecipe, load
from train.encoder.words import ensemble_told, shown, told

GAP = 18


def train(path: Path, changes: Sequence[str], *, checkpoints: Path, resume: bool) -> int:
    """Train what a recipe says, the base first; print the spec of what came out. Exit code 0; raises for the others."""
    recipe = load(path, changes)
    _known(recipe, checkpoints, resume=resume)
    with showing(Meter()) as progress:
        yard = Yard(checkpoints=checkpoints.resolve(), on_progress=progress.moved, say=progress.say)
        try:
            made = built(recipe, yard, resume=resume)
        except KeyboardInterrupt:
            _interrupted(recipe, changes, checkpoints)
            raise
    several = ensemble.is_done(made.folder)
    lines = ensemble_told(recipe.keys.name, ensemble.results(made.folder)) if several else told(made.folder)
    for line in lines:
        print(wrap(line, rest="  "), file=sys.stderr)
    print(made.spec)
    return 0


def dry_run(path: Path, changes: Sequence[str]) -> int:
    """Print what a recipe would train on and how; nothing is built or loaded but its items."""
    recipe = load(path, changes)
    keys, task = checked(recipe)
    for name, value in shown(keys, task, [name for name, _ in recipe.members()]).items():
        print(wrap(value, first=f"{name:<{GAP}}", rest=" " * GAP))
    for line in (*task.told, "Texts are cut to their length with the base's tokenizer, when training begins."):
        print(wrap(line))
    return 0


def _places(recipe: EncoderRecipe, checkpoints: Path) -> list[Path]:
    """The folders of trainings of this name that have not ended, an ensemble's members too, the newest last."""
    named = re.compile(rf"{re.escape(recipe.keys.name)}-[0-9a-f]{{12}}")
    found = [path for path in checkpoints.glob("*") if named.fullmatch(path.name) and not ended(path)]
    found += [member for path in found for member in members(path) if not ended(member)]
    return sorted(found, key=lambda path: path.stat().st_mtime)


def _alike(recipe: EncoderRecipe, step: Path) -> list[tuple[str, object, object]]:
    """In which keys a saved step's recipe differs from this one, or from the member that is nearest to it.

    Where it does in none, which of its data files hold something else now.
    """
    made = checkpoint.read(step)
    own = [member for _, member in recipe.members()] or [recipe]
    found = min((saved.differences(made.recipe, each.resolved()) for each in own), key=len)
    then = {file.sha256 for file in made.data.files}
    for _, given in recipe.keys.task.paths():
        now = file_sha256(recipe.file(given))
        if not found and now not in then:
            found = [(f"the data of {given}", "another file", now[:12])]
    return found


def _known(recipe: EncoderRecipe, checkpoints: Path, *, resume: bool) -> None:
    """Raise InputError where --resume would begin anew because the recipe is not that of before."""
    if not resume:
        return
    problems = []
    for place in _places(recipe, checkpoints):
        kept = saved.steps(place)
        changed = _alike(recipe, kept[-1]) if kept else []
        if kept and not changed:
            return
        for name, was, now in changed[:1]:
            what = (
                f"is of another recipe: {name} was {was!r} there and is {now!r} here; put that back to go on, or leave"
            )
            problems.append(Problem(path=str(place), what=f"{what} out --resume to begin anew"))
    if problems:
        raise InputError(problems)


def _interrupted(recipe: EncoderRecipe, changes: Sequence[str], checkpoints: Path) -> None:
    last = [step for place in _places(recipe, checkpoints) for step in saved.steps(place)[-1:]]
    kept = [step for step in last if not _alike(recipe, step)]
    at = f"{kept[-1].parent.name}: step {saved.step_of(kept[-1])} is kept" if kept else "no step was saved yet"
    again = "".join(f" --set {shlex.quote(change)}" for change in changes)
    print(f"{at}; `harness train {recipe.path}{again} --resume` goes on", file=sys.stderr)
