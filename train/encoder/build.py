"""Turns an encoder's recipe into a checkpoint, once; with several seeds or folds into a folder of members.

A training's place, lock and saved steps are those of every kind (`train.build`). An ensemble's folder holds a
checkpoint for each member, then results.json, whose presence means that all of them have ended.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from harness import checkpoint
from harness.checkpoints import files as checkpoint_files
from harness.errors import HarnessError, InputError, Problem, RunStopped
from harness.models.encoder.asking import encoder_fingerprint
from harness.models.weights import locate
from harness.process import patient_threads
from harness.tasks import pool as pools
from harness.tasks.pool import Pool
from harness.tasks.values import Task
from train import build, saved
from train.anyrecipe import is_encoders
from train.build import HISTORY, PLOT, Yard, alone, is_done, lacking_libraries, logging, noting, unfinished
from train.encoder import ensemble
from train.encoder.data import task_of
from train.encoder.recipe import EncoderRecipe, load
from train.notary import Built
from train.recipe import load as load_model


def built(recipe: EncoderRecipe, yard: Yard, *, resume: bool) -> Built:
    """The checkpoint of a recipe, built first where it is not there, its base before it. Raises as `train.build.built`.

    Without `resume` an unfinished training in its place is an error that names the way on.
    """
    if recipe.path.resolve() in yard.above:
        raise InputError([Problem(path=str(recipe.path), what="rests on itself as its base; name another base")])
    below = replace(yard, above=(*yard.above, recipe.path.resolve()))
    base = _base(recipe, below)
    place = yard.checkpoints / recipe.folder_name(base.sha256 if base else None)
    if ended(place) and not yard.above:
        yard.say(f"{recipe.keys.name}: is there already, nothing to train")
    if not ended(place):
        lacking = lacking_libraries()
        if lacking:
            raise HarnessError(
                f"{recipe.path}: training needs {', '.join(lacking)}; install the extra: "
                "pip install 'judge-harness[train]'"
            )
        with alone(place, recipe.keys.name, yard.on_progress):
            if not ended(place):
                _build(recipe, base, place, below, resume=resume)
    _sound(place)
    return Built(folder=place, named=recipe.keys.name, sha256=encoder_fingerprint(place), spec=f"hf/{place}")


def ended(place: Path) -> bool:
    """Whether a recipe's training in this folder, or all of an ensemble's, have ended."""
    return is_done(place) or ensemble.is_done(place)


def members(place: Path) -> list[Path]:
    """The folders of an ensemble's members that are there, whole or begun."""
    return sorted(path for path in place.glob("*") if path.is_dir() and path.name.startswith(("seed-", "fold-")))


def _base(recipe: EncoderRecipe, yard: Yard) -> Built | None:
    text = recipe.keys.base
    if text is None:
        return None
    kind, _, given = text.partition("/")
    if kind == "recipe" and not is_encoders(recipe.file(given)):
        return _language_model(recipe, given, yard)
    if kind == "recipe":
        made = built(load(recipe.file(given)), yard, resume=True)
        if ensemble.is_done(made.folder):
            what = f"base: {given!r} makes an ensemble; name the recipe of one encoder"
            raise InputError([Problem(path=str(recipe.path), what=what)])
        return made
    near = recipe.file(given)
    folder = near.resolve() if near.is_dir() else locate(given, text)
    return Built(folder=folder, named=text, sha256=checkpoint.fingerprint(folder), spec=f"hf/{folder}")


def _language_model(recipe: EncoderRecipe, given: str, yard: Yard) -> Built:
    """The checkpoint of a recipe that makes a language model. Raises InputError where it makes an adapter."""
    made = build.built(load_model(recipe.file(given)), yard, resume=True)
    if checkpoint_files.is_adapter(made.folder):
        what = f"base: {given!r} is itself an adapter; name the recipe of a whole model"
        raise InputError([Problem(path=str(recipe.path), what=what)])
    return made


def _sound(place: Path) -> None:
    problems = [problem for member in members(place) or [place] for problem in checkpoint.verify(member)]
    if problems:
        raise InputError([*problems, Problem(path=str(place), what="delete this folder; the next run builds it anew")])


def _build(recipe: EncoderRecipe, base: Built | None, place: Path, yard: Yard, *, resume: bool) -> None:
    own = recipe.members()
    begun = [path for path in (place, *members(place)) if saved.steps(path) or (path != place and is_done(path))]
    if begun and not resume:
        if not own:
            raise InputError(unfinished(place))
        whole = sum(map(is_done, members(place)))
        stands = f"{place} holds an unfinished ensemble, {whole} of {len(own)} trained"
        raise InputError(f"{stands}; go on with --resume, or delete the folder")
    pool = pools.read(recipe.keys.task, recipe.path.parent)
    if not own:
        _train(recipe, base, place, yard, task_of(recipe, pool))
        return
    _train_all(own, base, place, yard, pool)


def _train_all(
    own: tuple[tuple[str, EncoderRecipe], ...], base: Built | None, place: Path, yard: Yard, pool: Pool
) -> None:
    """Train what of an ensemble is not there, each member from the same base, and write the results of all."""
    tasks = {name: task_of(member, pool) for name, member in own}
    for number, (name, member) in enumerate(own, 1):
        if not is_done(place / name):
            counted = _counting(yard, f"training {member.keys.name}, {name} ({number} of {len(own)})")
            _train(member, base, place / name, replace(yard, on_progress=counted), tasks[name])
    try:
        ensemble.write(place, {name: (member.keys, tasks[name]) for name, member in own})
    except OSError as error:
        raise RunStopped(f"{place}: cannot be written: {error.strerror or error}; free some room, then go on") from None


def _counting(yard: Yard, stage: str) -> Callable[[str, int, int], None]:
    """Progress under a stage of this name."""
    return lambda _, done, planned: yard.on_progress(stage, done, planned)


def _train(recipe: EncoderRecipe, base: Built | None, place: Path, yard: Yard, task: Task) -> None:
    """Train in the folder `place`; predictions, history and plot are written, and last the manifest."""
    patient_threads()
    from train.arguments import setting
    from train.clock import load_libraries, timed
    from train.encoder.loop import Work, train
    from train.encoder.notary import EncoderNotary
    from train.plot import plot

    keys, name = recipe.keys, recipe.keys.name
    run = setting(keys)
    yard.on_progress(f"training {name}", 0, 1)
    place.mkdir(parents=True, exist_ok=True)
    resume = saved.resumable(place, recipe.resolved(), task.sha256)
    if resume:
        yard.say(f"{name}: goes on from {checkpoint.read(resume).progress}")
    for line in task.told:
        yard.say(f"{name}: {line}")
    notary = EncoderNotary(recipe=recipe, base=base, run=run, task=task, place=place)
    notary.begin()
    load_libraries(keys.kind)
    work = Work(
        keys=keys,
        task=task,
        run=run,
        base=base.folder if base else None,
        place=place,
        resume=resume,
        finish=notary.finish,
        step=lambda done, planned: yard.on_progress(f"training {name}", done, planned),
        say=yard.say,
    )
    try:
        with logging(place / "logs"), timed(place, run.device, goes_on=resume is not None) as mark:
            stand, history, truncated = train(replace(work, finish=noting(mark, notary.finish)))
        history.write(place / HISTORY)
        plot(history.rows, f"{name}, {stand.steps} of {stand.planned} steps", stand.weights_step, place / PLOT)
        saved.settle(place)
        notary.finish(place, stand, truncated)
        saved.forget_state(saved.steps(place))
    except OSError as error:
        raise RunStopped(f"{place}: cannot be written: {error.strerror or error}; free some room, then go on") from None
