"""Turns a recipe into a checkpoint, once: a second process waits for the first, an interrupted build leaves nothing.

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
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from harness import checkpoint
from harness.checkpoint import Base, Data, Manifest
from harness.errors import HarnessError, InputError, Problem
from harness.models.weights import locate
from train import data
from train.outcome import Trained
from train.recipe import Recipe, SftKeys, load
from train.steady import patient_threads

OnProgress = Callable[[str, int, int], None]
NEEDED = ("torch", "transformers", "peft", "trl", "datasets", "accelerate")
VERSIONS = ("torch", "transformers", "tokenizers", "peft", "trl")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Built:
    """A checkpoint on disk: its folder, what names it in a manifest, its fingerprint, the spec that loads it."""

    folder: Path
    named: str
    sha256: str
    spec: str


def ensure(path: Path, *, checkpoints: Path, on_progress: OnProgress) -> str:
    """The hf spec of a recipe's checkpoint under `checkpoints`; what does not exist yet is built, the base first.

    `on_progress` gets a stage's name and the steps done and planned of it. Raises InputError where the recipe or a
    checkpoint it rests on is wrong, HarnessError where the training libraries are missing or nothing can be written.
    """
    return _ensure(path, checkpoints.resolve(), on_progress, ()).spec


def _ensure(path: Path, checkpoints: Path, on_progress: OnProgress, above: tuple[Path, ...]) -> _Built:
    """Build one recipe where needed; `above` are the recipes that wait for it."""
    recipe = load(path)
    if path.resolve() in above:
        raise InputError([Problem(path=str(path), what="rests on itself as its base; name another base")])
    base = _base(recipe, checkpoints, on_progress, (*above, path.resolve()))
    place = checkpoints / recipe.folder_name(base.sha256 if base else None)
    if not place.exists():
        _require_libraries(recipe)
        with _alone(place, recipe.keys.name, on_progress):
            if not place.exists():
                _build(recipe, base, place, on_progress)
    problems = checkpoint.verify(place)
    if problems:
        raise InputError([*problems, Problem(path=str(place), what="delete this folder; the next run builds it anew")])
    spec = f"{base.spec}+{place}" if base else f"hf/{place}"
    return _Built(folder=place, named=recipe.keys.name, sha256=checkpoint.fingerprint(place), spec=spec)


def _base(recipe: Recipe, checkpoints: Path, on_progress: OnProgress, above: tuple[Path, ...]) -> _Built | None:
    if not isinstance(recipe.keys, SftKeys):
        return None
    kind, _, given = recipe.keys.base.partition("/")
    if kind == "recipe":
        built = _ensure(recipe.file(given), checkpoints, on_progress, above)
        if "+" in built.spec:
            what = f"base: {given!r} is itself an adapter; name the recipe of a whole model"
            raise InputError([Problem(path=str(recipe.path), what=what)])
        return built
    near = recipe.file(given)
    folder = near.resolve() if near.is_dir() else locate(given, recipe.keys.base)
    return _Built(folder=folder, named=recipe.keys.base, sha256=checkpoint.fingerprint(folder), spec=f"hf/{folder}")


def _require_libraries(recipe: Recipe) -> None:
    lacking = [name for name in NEEDED if find_spec(name) is None]
    if lacking:
        raise HarnessError(
            f"{recipe.path}: training needs {', '.join(lacking)}; install the extra: pip install 'judge-harness[train]'"
        )


@contextlib.contextmanager
def _alone(place: Path, name: str, on_progress: OnProgress) -> Iterator[None]:
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


def _build(recipe: Recipe, base: _Built | None, place: Path, on_progress: OnProgress) -> None:
    from safetensors import SafetensorError

    for left in place.parent.glob(f".{place.name}.building-*"):
        shutil.rmtree(left, ignore_errors=True)
    try:
        building = Path(tempfile.mkdtemp(prefix=f".{place.name}.building-", dir=place.parent))
        try:
            _train(recipe, base, building, on_progress)
            building.rename(place)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    except (OSError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise HarnessError(f"{place}: cannot be built: {reason}; mend that and run again") from error


def _train(recipe: Recipe, base: _Built | None, building: Path, on_progress: OnProgress) -> None:
    """Train into the folder `building` and write history and manifest there, the manifest last."""
    patient_threads()
    examples = data.load(recipe)
    stage = f"training {recipe.keys.name}"
    on_progress(stage, 0, 1)

    def step(done: int, planned: int) -> None:
        on_progress(stage, done, planned)

    if isinstance(recipe.keys, SftKeys):
        from train.sft import sft

        assert base is not None
        trained = sft(recipe.keys, examples, base.folder, building, step)
    else:
        from train.pretrain import pretrain

        trained = pretrain(recipe.keys, examples, building, step)
    (building / "history.json").write_text(json.dumps(list(trained.history), indent=1) + "\n", encoding="utf-8")
    _settle(building)
    checkpoint.write(building, _manifest(recipe, base, building, examples, trained))


def _manifest(
    recipe: Recipe, base: _Built | None, building: Path, examples: data.Examples, trained: Trained
) -> Manifest:
    weights = checkpoint.weights_sha256(building)
    counted = Data(
        sha256=examples.sha256, planned=examples.planned, actual=trained.examples, held_out=examples.held_out
    )
    return Manifest(
        name=recipe.keys.name,
        kind=recipe.keys.kind,
        base=Base(spec=base.named, sha256=base.sha256) if base else None,
        sha256=weights,
        adapter_sha256=weights if base else None,
        tokenizer_sha256=checkpoint.tokenizer_sha256(building),
        chat_template_sha256=checkpoint.chat_template_sha256(building),
        steps_done=trained.steps,
        steps_planned=trained.planned,
        epochs=trained.epochs,
        data=counted,
        seed=recipe.keys.seed,
        device=trained.device,
        versions={name: version(name) for name in VERSIONS},
        recipe=recipe.resolved(),
    )


def _settle(folder: Path) -> None:
    """Have every file on disk, and readable like any other, before the manifest says that they are whole."""
    folder.chmod(0o755)
    for file in folder.iterdir():
        file.chmod(0o644)
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
