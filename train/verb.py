"""`harness train RECIPE`: builds a recipe's checkpoint, or says what would be built."""

from __future__ import annotations

import hashlib
import math
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from harness import checkpoint
from harness.errors import InputError, Problem
from harness.models.meter import Meter
from harness.progress import showing
from train import data, saved
from train.anyrecipe import is_encoders
from train.arguments import passes, save_every, setting, steps
from train.build import Yard, built, is_done
from train.keys import AnyKeys, PretrainKeys
from train.recipe import Recipe, load, sources


def train(path: Path, changes: Sequence[str], *, checkpoints: Path, resume: bool) -> int:
    """Train what a recipe says, the base first; print the spec of what came out. Exit code 0; raises for the others."""
    if is_encoders(path, changes):
        from train.encoder import verb

        return verb.train(path, changes, checkpoints=checkpoints, resume=resume)
    recipe = load(path, changes)
    _known(recipe, checkpoints, resume=resume)
    with showing(Meter()) as progress:
        yard = Yard(checkpoints=checkpoints.resolve(), on_progress=progress.moved, say=progress.say)
        try:
            made = built(recipe, yard, resume=resume)
        except KeyboardInterrupt:
            _interrupted(recipe, changes, checkpoints)
            raise
    manifest = checkpoint.read(made.folder)
    for line in _told(manifest):
        print(line, file=sys.stderr)
    print(made.spec)
    return 0


def dry_run(path: Path, changes: Sequence[str]) -> int:
    """Print what a recipe would train on and how; nothing is built or loaded but its data."""
    if is_encoders(path, changes):
        from train.encoder import verb

        return verb.dry_run(path, changes)
    recipe = load(path, changes)
    keys = recipe.keys
    run, examples = setting(keys), data.load(recipe)
    rows = len(examples.rows)
    planned = steps(keys, rows)
    counts = data.counted(examples.rows)
    data.require_as_planned(examples.planned, counts, str(path))
    plan = keys.training
    batches = math.ceil(rows / plan.batch_size)
    shown = {
        "recipe": f"{keys.name} ({keys.kind})",
        **{
            f"examples {name}": f"{wanted:,} planned, {counts.get(name, 0):,} there"
            for name, wanted in examples.planned.items()
        },
        "held out": f"{examples.held_out:,} left out as equal or near to held-out prompts",
        "validation": f"{len(examples.validation):,} examples" if examples.validation else "none: no loss to compare",
        "passes": "not known before packing" if plan.packing else f"{passes(keys, batches).planned:g}",
        "steps": f"{planned:,} of {plan.batch_size} × {plan.accumulation} examples (rows before packing)"
        if plan.packing
        else f"{planned:,} of {plan.batch_size} × {plan.accumulation} examples",
        "saved every": f"{save_every(keys, planned):,} steps",
        "starts from": _start(keys),
        "device": f"{run.device}, {run.precision}",
        "learning rate": f"{plan.learning_rate:g}, {plan.schedule}, warm-up {plan.warmup_steps or plan.warmup_ratio:g}",
    }
    for name, value in shown.items():
        print(f"{name:<18}{value}")
    print("Lengths are counted with the base's tokenizer, when training begins.")
    return 0


def _start(keys: AnyKeys) -> str:
    """What is trained, in words."""
    if isinstance(keys, PretrainKeys):
        return "nothing"
    if keys.parent:
        return f"the adapter {keys.parent} on {keys.base}"
    return f"{keys.base}, {f'an adapter of rank {keys.lora.rank}' if keys.lora else 'all weights'}"


def _known(recipe: Recipe, checkpoints: Path, *, resume: bool) -> None:
    """Raise InputError where --resume would begin anew because the recipe or its data are not those of before."""
    if not resume:
        return
    problems = []
    for place in _unfinished(recipe, checkpoints):
        last = saved.steps(place)
        if not last:
            continue
        made = checkpoint.read(last[-1])
        changed = [
            f"another recipe: {name} was {was!r} there and is {now!r} here"
            for name, was, now in saved.differences(made.recipe, recipe.resolved())
        ] or [f"other data: {name} has changed since" for name in _other_files(recipe, made)]
        if not changed:
            return
        what = f"is of {changed[0]}; put that back to go on, or leave out --resume to begin anew"
        problems.append(Problem(path=str(place), what=what))
    if problems:
        raise InputError(problems)


def _unfinished(recipe: Recipe, checkpoints: Path) -> list[Path]:
    """The folders of trainings of this name that have not ended, the newest last."""
    named = re.compile(rf"{re.escape(recipe.keys.name)}-[0-9a-f]{{12}}")
    found = [path for path in checkpoints.glob("*") if named.fullmatch(path.name) and not is_done(path)]
    return sorted(found, key=lambda path: path.stat().st_mtime)


def _other_files(recipe: Recipe, made: checkpoint.Manifest) -> list[str]:
    """The data files of a training that hold something else now."""
    then = {(file.name, file.sha256) for file in made.data.files}
    given = [recipe.file(name) for _, source in sources(recipe) for name in source.files]
    now = [(file.name, hashlib.sha256(file.read_bytes()).hexdigest()) for file in given]
    return [name for name, sha256 in now if (name, sha256) not in then]


def _interrupted(recipe: Recipe, changes: Sequence[str], checkpoints: Path) -> None:
    last = [step for place in _unfinished(recipe, checkpoints) for step in saved.steps(place)[-1:]]
    # Another training of this name may have been broken off too.
    kept = [step for step in last if not saved.differences(checkpoint.read(step).recipe, recipe.resolved())]
    at = f"step {saved.step_of(kept[-1])} is kept" if kept else "no step was saved yet"
    again = "".join(f" --set {shlex.quote(change)}" for change in changes)
    print(f"{at}; `harness train {recipe.path}{again} --resume` goes on", file=sys.stderr)


def _told(manifest: checkpoint.Manifest) -> list[str]:
    """What came out, in a few lines."""
    counts = manifest.data
    over = "passes laid out as" if manifest.recipe["data"].get("curriculum") else "passes over"
    lines = [
        f"{manifest.name}: {manifest.progress}, {manifest.epochs:g} of {manifest.epochs_planned or 0:g} {over} "
        f"{counts.actual:,} examples ({counts.planned:,} planned, {counts.held_out:,} held out, {counts.truncated:,} "
        f"truncated, {counts.dropped:,} dropped) on {manifest.device} in {manifest.precision}"
    ]
    if manifest.standing:
        lines.append(manifest.standing)
    figures = manifest.metrics
    for name, unit in (("validation_loss", "nats a token"), ("perplexity", "")):
        if name in figures and f"{name}_before" in figures:
            before, after = figures[f"{name}_before"], figures[name]
            unit = "" if manifest.kind in ("dpo", "reward") else unit
            lines.append(f"{name.replace('_', ' ')}: {before:.4g} before, {after:.4g} after {unit}".rstrip())
    if counts.validation == 0:
        lines.append("no validation data: what the loss does on examples that were not trained on is not known")
    return lines
