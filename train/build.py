"""Turns a recipe into a checkpoint, once: a second process waits for the first, an interrupted training goes on.

A checkpoint is made in its own place. Every saved step there has a manifest of its own; the one at the top is written
last, so its presence means that the training has ended and that the weights beside it are whole.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness import checkpoint
from harness.errors import HarnessError, InputError, Problem, RunStopped
from harness.models.weights import locate
from harness.process import patient_threads
from train import data, saved
from train.keys import TunedKeys
from train.notary import Built, Notary
from train.recipe import Recipe, load

OnProgress = Callable[[str, int, int], None]
Say = Callable[[str], None]
NEEDED = ("torch", "transformers", "peft", "trl", "datasets", "accelerate")
HISTORY, PLOT = saved.HISTORY, "loss.png"


@dataclass(frozen=True, kw_only=True, slots=True)
class Yard:
    """Where checkpoints are built, who is told of it, and which recipes wait for this one."""

    checkpoints: Path
    on_progress: OnProgress
    say: Say
    above: tuple[Path, ...] = ()


def ensure(path: Path, *, checkpoints: Path, on_progress: OnProgress, say: Say = lambda _: None) -> str:
    """The spec of a recipe's checkpoint under `checkpoints`: hf/…, or reward/… for a reward model.

    What does not exist yet is built, the base first; a training that was interrupted goes on. `on_progress` gets a
    stage's name and the steps done and planned of it. Raises InputError where the recipe or a checkpoint it rests on is
    wrong, HarnessError where the training libraries are missing, RunStopped where the machine fails.
    """
    yard = Yard(checkpoints=checkpoints.resolve(), on_progress=on_progress, say=say)
    from train.anyrecipe import is_encoders

    if is_encoders(path):
        from train.encoder import build, recipe

        return build.built(recipe.load(path), yard, resume=True).spec
    return built(load(path), yard, resume=True).spec


def built(recipe: Recipe, yard: Yard, *, resume: bool) -> Built:
    """The checkpoint of a recipe, built first where it is not there. Raises as `ensure`.

    Without `resume` an unfinished training in its place is an error that names the way on.
    """
    if recipe.path.resolve() in yard.above:
        raise InputError([Problem(path=str(recipe.path), what="rests on itself as its base; name another base")])
    below = replace(yard, above=(*yard.above, recipe.path.resolve()))
    base, parent = rests_on(recipe, below)
    place = yard.checkpoints / recipe.folder_name(base.sha256 if base else None, parent.sha256 if parent else None)
    if is_done(place) and not yard.above:
        yard.say(f"{recipe.keys.name}: is there already, nothing to train")
    if not is_done(place):
        _require_libraries(recipe)
        with alone(place, recipe.keys.name, yard.on_progress):
            if not is_done(place):
                if not resume and saved.steps(place):
                    raise InputError(unfinished(place))
                _train(recipe, base, parent, place, below)
    problems = checkpoint.verify(place)
    if problems:
        raise InputError([*problems, Problem(path=str(place), what="delete this folder; the next run builds it anew")])
    return Built(
        folder=place, named=recipe.keys.name, sha256=checkpoint.fingerprint(place), spec=_spec(recipe, base, place)
    )


def is_done(place: Path) -> bool:
    """Whether a recipe's training in this folder has ended."""
    return (place / checkpoint.MANIFEST).is_file()


def rests_on(recipe: Recipe, yard: Yard) -> tuple[Built | None, Built | None]:
    """The base of a recipe and the adapter that it goes on with, both built where needed."""
    keys = recipe.keys
    if not isinstance(keys, TunedKeys):
        return None, None
    base = _found(recipe, "base", keys.base, yard)
    parent = _found(recipe, "parent", keys.parent, yard) if keys.parent else None
    if parent and not (parent.folder / checkpoint.ADAPTER_WEIGHTS).is_file():
        what = f"parent: {keys.parent!r} is no adapter; name one, or give it as 'base'"
        raise InputError([Problem(path=str(recipe.path), what=what)])
    if parent:
        _same_task(recipe, keys, parent)
    if parent and (made := checkpoint.find(parent.folder)) and made.base and base and made.base.sha256 != base.sha256:
        what = f"parent: {keys.parent!r} was trained on another base ({made.base.spec}); name that one as 'base'"
        raise InputError([Problem(path=str(recipe.path), what=what)])
    return base, parent


def _same_task(recipe: Recipe, keys: TunedKeys, parent: Built) -> None:
    """Raise InputError where the parent's adapter answers and the recipe scores, or the other way round."""
    config = json.loads((parent.folder / "adapter_config.json").read_text(encoding="utf-8"))
    wanted = "SEQ_CLS" if keys.kind == "reward" else "CAUSAL_LM"  # type: ignore[attr-defined]
    if config.get("task_type") not in (wanted, None):
        what = f"parent: {keys.parent!r} is an adapter for {config['task_type']}, this kind needs {wanted}; change it"
        raise InputError([Problem(path=str(recipe.path), what=what)])


def _found(recipe: Recipe, key: str, text: str, yard: Yard) -> Built:
    kind, _, given = text.partition("/")
    if kind == "recipe":
        made = built(load(recipe.file(given)), yard, resume=True)
        if key == "base" and (made.folder / checkpoint.ADAPTER_WEIGHTS).is_file():
            what = f"base: {given!r} is itself an adapter; name the recipe of a whole model, and this one as 'parent'"
            raise InputError([Problem(path=str(recipe.path), what=what)])
        return made
    near = recipe.file(given)
    folder = near.resolve() if near.is_dir() else locate(given, text)
    return Built(folder=folder, named=text, sha256=checkpoint.fingerprint(folder), spec=f"hf/{folder}")


def _spec(recipe: Recipe, base: Built | None, place: Path) -> str:
    adapts = isinstance(recipe.keys, TunedKeys) and recipe.keys.adapts
    loaded = f"{base.folder}+{place}" if adapts and base else str(place)
    return f"{'reward' if recipe.keys.kind == 'reward' else 'hf'}/{loaded}"


def unfinished(place: Path) -> str:
    """What is said where a training was broken off and nobody asked to go on."""
    at = checkpoint.read(saved.steps(place)[-1]).progress
    return f"{place} holds an unfinished training at {at}; go on with --resume, or delete the folder"


def lacking_libraries() -> list[str]:
    """What of the training extra is not installed."""
    return [name for name in NEEDED if find_spec(name) is None]


def _require_libraries(recipe: Recipe) -> None:
    lacking = lacking_libraries()
    if lacking:
        raise HarnessError(
            f"{recipe.path}: training needs {', '.join(lacking)}; install the extra: pip install 'judge-harness[train]'"
        )


@contextlib.contextmanager
def alone(place: Path, name: str, on_progress: OnProgress) -> Iterator[None]:
    """Hold the kernel's lock on a checkpoint's place, which ends with the process however it ends."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(place.parent / f".{place.name}.lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise HarnessError(f"{place.parent}: cannot be written: {error.strerror}; set HARNESS_CHECKPOINTS") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_progress(f"waiting for {name}, which another process is training", 0, 1)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _train(recipe: Recipe, base: Built | None, parent: Built | None, place: Path, yard: Yard) -> None:
    """Train in the folder `place`, and write index, history, plot and, last, the manifest there."""
    patient_threads()
    from train.arguments import setting
    from train.clock import load_libraries, timed
    from train.evaluate import built_by, looks
    from train.loop import Task, train
    from train.plot import plot

    name = recipe.keys.name
    run = setting(recipe.keys)
    examples = data.load(recipe)
    yard.on_progress(f"training {name}", 0, 1)
    place.mkdir(parents=True, exist_ok=True)
    resume = saved.resumable(place, recipe.resolved(), examples.sha256)
    if resume:
        yard.say(f"{name}: goes on from {checkpoint.read(resume).progress}")
    if examples.left_out:
        yard.say(f"{name}: {examples.left_out} validation examples are left out: their prompts are trained or held out")
    notary = Notary(recipe, base, parent, run, examples, place)
    notary.write_index(parent)
    look = None
    if recipe.keys.evaluate:
        build = built_by(lambda other: built(other, yard, resume=True).spec)
        look = looks(recipe, base, place, build, yard.say)
    load_libraries(recipe.keys.kind)
    task = Task(
        keys=recipe.keys,
        data=examples,
        run=run,
        base=base.folder if base else None,
        parent=parent.folder if parent else None,
        place=place,
        resume=resume,
        begin=notary.begin,
        finish=notary.finish,
        step=lambda done, planned: yard.on_progress(f"training {name}", done, planned),
        say=yard.say,
        look=look,
    )
    try:
        with logging(place / "logs"), timed(place, run.device, goes_on=resume is not None) as mark:
            stand, history = train(replace(task, finish=noting(mark, notary.finish)))
        history.write(place / HISTORY)
        kept = stand.weights_step
        plot(history.rows, f"{name}, {stand.steps} of {stand.planned} steps", kept, place / PLOT)
        saved.settle(place)
        notary.finish(place, stand)
        # Last: until there is a manifest above, a resumed training may need it.
        saved.forget_state(saved.steps(place))
    except OSError as error:
        raise RunStopped(f"{place}: cannot be written: {error.strerror or error}; free some room, then go on") from None


def noting(mark: Callable[[], None], finish: Callable[..., None]) -> Callable[..., None]:
    """`finish`, which notes the time as well: what writes a saved step's manifest."""

    def both(*given: Any) -> None:
        finish(*given)
        mark()

    return both


@contextlib.contextmanager
def logging(folder: Path) -> Iterator[None]:
    """Have TensorBoard's log in this folder; transformers takes it from the environment alone."""
    before = os.environ.get("TENSORBOARD_LOGGING_DIR")
    os.environ["TENSORBOARD_LOGGING_DIR"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["TENSORBOARD_LOGGING_DIR"]
        else:
            os.environ["TENSORBOARD_LOGGING_DIR"] = before
