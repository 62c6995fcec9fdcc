"""The command line of `harness checkpoints prune` that keeps chosen steps of a training, and as few others as can be.

The rules it may use are those that prune knows; which steps a rule keeps is asked of prune's own code.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.checkpoints.keeping import Rule, figure, rule, surplus
from harness.checkpoints.shelf import Saved, training
from harness.curve.stages import SAVED


@dataclass(frozen=True, kw_only=True, slots=True)
class Pruning:
    """A command line; `others` are the saved steps that it keeps beside the chosen ones, by name."""

    command: str
    others: tuple[str, ...]


def pruning(chosen: Sequence[Path]) -> Pruning | None:
    """The command that keeps these checkpoints of one training; None where they are of none, or nothing would go.

    The rule is the shortest of those that prune knows: the last steps, or the best by a figure of their manifests.
    """
    folders = {path.parent if SAVED.fullmatch(path.name) else path for path in chosen}
    if len(folders) != 1 or not (folder := folders.pop()).is_dir():
        return None
    here = training(folder)
    steps = [saved for saved in here.steps if not saved.path.is_symlink()]
    wanted = {path.resolve() for path in chosen if path != folder}
    if not wanted <= {saved.path.resolve() for saved in steps} or (here.end is None and not wanted):
        return None
    found = [(len(left), place, arguments, left) for place, (arguments, left) in enumerate(_rules(steps, wanted))]
    if not found or min(found)[0] == len(steps):
        return None
    _, _, arguments, left = min(found)
    others = tuple(saved.path.name for saved in left if saved.path.resolve() not in wanted)
    return Pruning(command=f"harness checkpoints prune {shlex.quote(str(folder))} {arguments}", others=others)


def _rules(steps: Sequence[Saved], wanted: set[Path]) -> Iterator[tuple[str, list[Saved]]]:
    """For every figure the shortest rule that keeps what is wanted: its arguments, and all that it keeps."""
    metrics = sorted({name for saved in steps for name in saved.manifest.metrics})
    ways = [("best", None), ("last", None), *(("best", f"{name}:{way}") for name in metrics for way in _WAYS)]
    for which, by in ways:
        for count in range(1, len(steps) + 1):
            made = rule(f"{which}:{count}", by)
            if which == "best" and not _told(steps, made):
                break
            going = surplus(steps, made)
            left = [saved for saved in steps if saved not in going]
            if wanted <= {saved.path.resolve() for saved in left}:
                # Names of figures are a trainer's own: nothing a shell reads.
                yield f"--keep {which}:{count}" + (f" --by {shlex.quote(by)}" if by else ""), left
                break


_WAYS = ("lowest", "highest")


def _told(steps: Sequence[Saved], made: Rule) -> bool:
    """Whether every step has the rule's figure; prune would count the others as the worst."""
    return all(figure(saved, made) is not None for saved in steps)
