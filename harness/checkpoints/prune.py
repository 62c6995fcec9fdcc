"""`harness checkpoints prune`: removes saved steps that are not worth their room, after saying which and asking.

Never removed: a training's end, its only checkpoint, a step that an adapter here needs as its base, anything of a
training that runs, anything behind a link, and every folder without a manifest of ours that holds anything. The
manifest goes first, so that what an interruption leaves does not look whole; the next prune removes the rest of it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness import checkpoint
from harness.checkpoints.files import is_adapter
from harness.checkpoints.keeping import Rule, figure, missing, rule, surplus
from harness.checkpoints.shelf import Saved, Training, held, training, trainings
from harness.checkpoints.sizes import freed, in_words
from harness.errors import InputError, RunStopped
from harness.report.numerals import listed, plural

MARK = ".manifest.json.pruned"
"""A manifest's name from the moment its checkpoint is being removed."""


@dataclass(slots=True)
class Plan:
    """What would go, and what is to be said of what stays."""

    doomed: list[Path] = field(default_factory=list)
    reasons: dict[Path, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def doom(self, path: Path, reason: str) -> None:
        """Have a folder go."""
        self.doomed.append(path)
        self.reasons[path] = reason


def verb(folder: Path, *, keep: str, by: str | None, yes: bool) -> int:
    """Remove the saved steps that `keep` does not keep. Exit code 0, also where nothing went.

    Raises InputError for a wrong rule, and where nobody can be asked and `yes` was not given.
    """
    wanted = rule(keep, by)
    folder = folder.resolve()
    everyone = trainings(folder)
    with contextlib.ExitStack() as stack:
        plan = planned(_kept_alone(everyone, stack), wanted)
        _spare_bases(plan, _needed([*everyone, *_around(folder, everyone)]))
        for note in plan.notes:
            print(note, file=sys.stderr)
        if not plan.doomed:
            print(f"nothing to remove: no training has more than {wanted.said}, or they are left alone")
            return 0
        for path in plan.doomed:
            print(f"{_named(path)}: {plan.reasons[path]}")
        print(f"{plural(len(plan.doomed), 'saved step')} to remove, which frees {in_words(freed(plan.doomed))}")
        print(f"of each training stay its end, where it has one, and {wanted.said}")
        if not yes and not _agreed(sys.stdin.isatty()):
            print("nothing was removed")
            return 0
        print(f"freed {in_words(sum(map(remove, plan.doomed)))}")
    return 0


def planned(found: Sequence[Training], wanted: Rule) -> Plan:
    """Which saved steps of these trainings go, and what is to be said of the others."""
    plan = Plan()
    for one in found:
        plan.notes += [f"{problem}; left alone" for problem in one.problems]
        for path in one.torn:
            if _is_left(path):
                plan.doom(path, "left by an interrupted prune")
            else:
                plan.notes.append(f"{_named(path)}: no manifest of ours; left alone")
        steps = [saved for saved in one.steps if not saved.path.is_symlink()]
        plan.notes += [f"{_named(saved.path)}: is a link; left alone" for saved in one.steps if saved not in steps]
        if _can_choose(one, steps, wanted, plan):
            _choose(one, steps, wanted, plan)
    return plan


def _can_choose(one: Training, steps: Sequence[Saved], wanted: Rule, plan: Plan) -> bool:
    """Whether the rule says anything about a training; what is to be said of that."""
    if wanted.which == "best":
        return _comparable(one, steps, wanted, plan)
    lacking = [str(step) for step in missing(one, wanted)]
    if lacking:
        there = listed([str(saved.step) for saved in one.steps]) or "none"
        plan.notes.append(f"{one.path.name}: has no saved step {listed(lacking)}, only {there}; left alone")
    return not lacking


def _is_left(path: Path) -> bool:
    """Whether an interrupted prune left this: marked, or empty as in the very last moment."""
    return not path.is_symlink() and ((path / MARK).is_file() or not any(path.iterdir()))


def _choose(one: Training, steps: Sequence[Saved], wanted: Rule, plan: Plan) -> None:
    for saved in (going := surplus(steps, wanted)):
        plan.doom(saved.path, _reason(saved, wanted))
    if one.end is None and steps and steps[-1] in going:
        left = max(saved.step or 0 for saved in steps if saved not in going)
        plan.notes.append(f"{one.path.name}: its training is not finished and would go on from step {left}")


def remove(path: Path) -> int:
    """Remove a checkpoint's folder and return the bytes that this freed. Raises RunStopped where the disk refuses.

    From the first moment on the folder has no manifest, and until the last it has the mark.
    """
    size = freed([path])
    mark = path / MARK
    try:
        if (path / checkpoint.MANIFEST).exists():
            (path / checkpoint.MANIFEST).rename(mark)
            _sync(path)
        for item in path.iterdir():
            if item.is_dir() and not item.is_symlink():
                shutil.rmtree(item)
            elif item != mark:
                item.unlink()
        mark.unlink(missing_ok=True)
        path.rmdir()
    except OSError as error:
        raise RunStopped(f"{path}: cannot be removed: {error.strerror}; mend that and prune again") from None
    return size


def _kept_alone(found: Sequence[Training], stack: contextlib.ExitStack) -> list[Training]:
    """The trainings that nobody works on, locked until the stack is left and looked at again under the lock."""
    mine = []
    for one in found:
        if one.path.is_symlink():
            print(f"{one.path.name}: is a link to another place; left alone", file=sys.stderr)
        elif not (one.steps or one.torn):
            continue
        elif stack.enter_context(held(one.path)):
            mine.append(training(one.path))
        else:
            print(f"{one.path.name}: being trained now; left alone", file=sys.stderr)
    return mine


def _comparable(one: Training, steps: Sequence[Saved], wanted: Rule, plan: Plan) -> bool:
    """Whether any step has the figure; says which have not."""
    without = [saved.path.name for saved in steps if figure(saved, wanted) is None]
    if not without:
        return True
    if len(without) < len(steps):
        plan.notes.append(f"{one.path.name}: no {wanted.metric} at {listed(without)}, which count as the worst")
        return True
    known = sorted({name for saved in steps for name in saved.manifest.metrics})
    has = f"--by takes {listed(known)} here" if known else "its manifests hold no figures: use --keep last:N"
    plan.notes.append(f"{one.path.name}: no saved step has {wanted.metric}; left alone ({has})")
    return False


def _reason(saved: Saved, wanted: Rule) -> str:
    if wanted.which != "best":
        return saved.manifest.progress
    value = figure(saved, wanted)
    return f"{wanted.metric} {value:.6g}" if value is not None else f"no {wanted.metric}"


def _around(folder: Path, everyone: Sequence[Training]) -> Sequence[Training]:
    """What lies beside a training, where its own folder was given instead of the folder of all."""
    return trainings(folder.parent) if [one.path for one in everyone] == [folder] else ()


def _needed(everyone: Sequence[Training]) -> set[str]:
    """The fingerprints of the bases that adapters were trained on: without its base an adapter is lost."""
    made = [saved.manifest for one in everyone for saved in one.saved]
    return {manifest.base.sha256 for manifest in made if manifest.base and manifest.adapter_sha256}


def _spare_bases(plan: Plan, needed: set[str]) -> None:
    for path in list(plan.doomed) if needed else ():
        with contextlib.suppress(InputError):
            if not is_adapter(path) and checkpoint.fingerprint(path) in needed:
                plan.doomed.remove(path)
                plan.notes.append(f"{_named(path)}: an adapter's base; left alone")


def _named(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _agreed(terminal: bool) -> bool:
    if not terminal:
        raise InputError("nobody can be asked here whether to remove them; add --yes, or run it in a terminal")
    try:
        return input("Remove them? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
