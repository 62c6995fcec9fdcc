"""What a curve allows to be said: which step to keep, what cannot be told from it, which cannot stand for which."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.curve.measured import Judged
from harness.curve.pruning import pruning
from harness.curve.stages import Stages
from harness.leakage import guard
from harness.report.numerals import listed, p_value, plural
from harness.scoring.collect import notes_of
from harness.scoring.words import number

FEW = 20
# That a saved step is not the end of its training goes without saying, and nothing here is of a baseline.
_NEITHER = ("baseline", "candidate: unfinished training")


def verdict(found: Judged) -> str:
    """The headline in a few words."""
    best = found.best
    if best is None or best.score is None:
        return "No step can be chosen"
    if best.score.ci_all is None or _none_is_told(found):
        return "No step is shown to be the best"
    return "Keep what training began with" if best.step == 0 else f"Keep step {best.step}"


def headline(found: Judged) -> str:
    """Which step to keep, with what having looked at all of them costs."""
    best = found.best
    if best is None or best.score is None:
        return "No step can be chosen: no prompt has a score at every step."
    steps = plural(len(found.points), "step")
    if best.score.ci_all is None:
        why = found.curve.reason or "all its scores are equal, and the scale is not known"
        return f"Step {best.step} scores highest of {steps} ({number(best.score.mean)}, n = {found.n}); {why}."
    low, high = best.score.ci_all
    ends = f"95 % {number(low)} to {number(high)}, which allows for having looked at all {len(found.points)}"
    if _none_is_told(found):
        return (
            f"No step is shown to be the best: step {best.step} scores highest of {steps} "
            f"({number(best.score.mean)} on {plural(found.n, 'prompt')}, {ends}), but cannot be told from "
            f"{_steps(found.like_best)}."
        )
    what = "Keep what training began with (step 0)" if best.step == 0 else f"Keep step {best.step}"
    return f"{what}: {number(best.score.mean)} on {plural(found.n, 'prompt')}, the highest of {steps} ({ends})."


def _none_is_told(found: Judged) -> bool:
    """Whether the highest step cannot be told from any other."""
    return len(found.like_best) == len(found.points) - 1


def told(found: Judged) -> list[str]:
    """What can and what cannot be told from the best, and which steps cannot stand for later ones."""
    best = found.best
    if best is None or not found.curve.gains:
        return []
    like = found.like_best
    said = []
    if _none_is_told(found):
        said.append(f"If one has to be kept, step {best.step} is as good a choice as any.")
    elif like:
        over = f"what step {best.step} has over it may be chance"
        alone = f": {over}" if len(like) == 1 and like[0] < best.step else ""
        said.append(f"{_steps(like).capitalize()} cannot be told from it on {plural(found.n, 'prompt')}{alone}.")
        if len(like) > 1 and min(like) < best.step:
            said.append(f"Step {min(like)} is the earliest that cannot be told from it: {over}.")
    else:
        said.append("It is told from every other step.")
    return [*said, *_stand_ins(found), *_falls(found)]


def _stand_ins(found: Judged) -> Iterator[str]:
    """Where a later step is told to be better than an earlier one."""
    rises: dict[int, list[tuple[int, float, float]]] = defaultdict(list)
    for gain in found.told():
        if gain.difference > 0:
            later = found.points[gain.later].step
            rises[found.points[gain.earlier].step].append((later, gain.difference, gain.p_adjusted))
    for earlier, own in rises.items():
        yield f"Step {earlier} cannot stand for {_steps([s for s, _, _ in own])}: {_by(own)}."


def _falls(found: Judged) -> Iterator[str]:
    """Where a later step is told to be worse than an earlier one."""
    drops: dict[int, list[tuple[int, float, float]]] = defaultdict(list)
    for gain in found.told():
        if gain.difference < 0:
            earlier = found.points[gain.earlier].step
            drops[found.points[gain.later].step].append((earlier, gain.difference, gain.p_adjusted))
    for later, own in drops.items():
        yield f"Step {later} fell behind {_steps([s for s, _, _ in own])}: {_by(own)}."


def _by(own: Sequence[tuple[int, float, float]]) -> str:
    sizes = [number(abs(difference)) for _, difference, _ in own]
    span = sizes[0] if len(own) == 1 else f"{min(sizes)} to {max(sizes)}"
    shown = p_value(max(p for _, _, p in own))
    each = "" if len(own) == 1 else " each" if shown.startswith("<") else " at most"
    return f"{span} lower (p {shown}{each}, all pairs allowed for)"


def _steps(steps: Sequence[int]) -> str:
    """ "step 200", "steps 200 and 290"."""
    names = [str(step) for step in steps]
    return f"step{'s' if len(names) > 1 else ''} {listed(names, 6)}"


def keep(found: Sequence[Judged], chosen: Sequence[Path]) -> tuple[str | None, str | None]:
    """The command line that has `harness checkpoints prune` keep the chosen steps, and what is to be said of it.

    None for the first where there is none, for the second where nothing has to be said.
    """
    if not chosen:
        return None, "No checkpoint of the chosen step is known here, so that prune cannot be told what to keep."
    if any(one.best is not None and one.best.step == 0 for one in found):
        return None, "What training began with scores highest; no saved step has to be kept for this score."
    return pruning(chosen), None


def together(found: Sequence[Judged]) -> list[str]:
    """What to know where there are several curves."""
    return [f"{len(found)} curves, each corrected for its own steps alone"] if len(found) > 1 else []


def notes(found: Judged) -> list[str]:
    """What to know of one judge's curve: what was left out, and what its intervals take for granted."""
    said = []
    if found.unscored:
        gone = sorted({name for ids in found.unscored.values() for name in ids})
        where = listed([f"{len(ids)} at step {step}" for step, ids in found.unscored.items()], 6)
        said.append(
            f"{plural(len(gone), 'prompt')} of {found.prompts} left out of every step, where a score is missing "
            f"({where}): {listed(gone, 5)}"
        )
    clusters = found.curve.clusters
    if clusters < found.n:
        said.append(
            f"{plural(found.n, 'prompt')} stand in {plural(clusters, 'cluster')}; intervals and tests are over clusters"
        )
    if 1 < clusters < FEW:
        what = "prompts" if clusters == found.n else "clusters"
        said.append(f"{clusters} {what} are few: only large gains can be told from chance")
    late = [f"{p.losses.logged} for {p.step}" for p in found.points if p.losses.logged not in (None, p.step)]
    if late:
        said.append(
            f"the training loss was logged at other steps than were saved; shown is the last before ({listed(late, 6)})"
        )
    return said


def of_stages(stages: Stages) -> list[str]:
    """What to know of the runs themselves; a sentence that is true of all is said once."""
    by_sentence: dict[str, list[int]] = defaultdict(list)
    for stage in stages.stages:
        own = [text for text in notes_of(stage.found) if not text.startswith(_NEITHER)]
        leaked = guard.from_json(stage.found.manifest.get("leakage"))
        if leaked is not None and leaked.ids:
            own.append(f"{plural(len(leaked.ids), 'prompt')} stood in its training data: {listed(leaked.ids, 3)}")
        for text in dict.fromkeys(own):
            by_sentence[text].append(stage.step or 0)
    every = len(stages.stages)
    said = [text if len(at) == every else f"{_steps(at)}: {text}" for text, at in by_sentence.items()]
    return [*stages.notes, *said]
