"""What an earlier run teaches a plan: how far prompts differ, how clusters weigh, what answers really took.

A pilot that cannot teach something says why. Refuses (InputError) a folder that holds no run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.collect import Found, find, is_complete, summary_of
from harness.figures import Result
from harness.models.meter import Purpose
from harness.planning.question import Setting
from harness.report.numerals import listed, plural
from harness.stats.intervals import TOLERANCE
from harness.stats.power import upper_sd

# With fewer scored prompts a measured variance is itself mostly chance.
FEW = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """The mean tokens of one answer."""

    input: float
    output: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Pilot:
    """What was measured. `sd` and `design_effect` are None where the run cannot tell; `notes` say why.

    `sd` is the prompts' spread about 1/2 (see `spread`), `upper` its upper 80 % bound where few prompts were scored;
    `decisive` is the share of prompts that were no ties; `source` names run and n.
    """

    source: str = "worst case"
    scored: int = 0
    sd: float | None = None
    upper: float | None = None
    decisive: float | None = None
    design_effect: float | None = None
    rates: Mapping[tuple[str, Purpose], Rate] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_pilot(path: Path | None, setting: Setting) -> Pilot:
    """Read a run as a pilot for a setting; nothing is known without one."""
    if path is None:
        return Pilot(notes=tuple(_without_pilot(setting)))
    found = find(path)
    summary = summary_of(found, complete=is_complete(found))
    result = summary.deciding
    notes = [*_foreign(path, found, setting)]
    if not summary.complete:
        notes.append(f"the pilot {path} is incomplete: its variance is of what is there so far")
    sd, why = spread(result)
    if why:
        notes.append(f"the pilot {path} {why}; planned for the worst case, every prompt decisive")
    scored = result.estimate.n if result is not None else 0
    # About a centre that is known, n scores have n degrees of freedom.
    upper = upper_sd(sd, scored + 1) if sd is not None and scored < FEW else None
    effect, about = _clusters(result, setting)
    return Pilot(
        source=f"pilot {path}, {plural(scored, 'prompt')}" if sd is not None else "worst case",
        scored=scored,
        sd=sd,
        upper=upper,
        decisive=None if result is None or not scored else (result.wins + result.losses) / scored,
        design_effect=effect,
        rates=_rates(found),
        notes=(*notes, *about),
    )


def spread(result: Result | None) -> tuple[float | None, str]:
    """The root mean square distance of a pilot's prompt scores from 1/2, or why there is none.

    The share of prompts that are no ties stays what it is where the win rate is another; the spread about the pilot's
    own win rate does not: a pilot won 9 to 1 varies little, and would plan 60 % with a third of the prompts it takes.
    """
    if result is None:
        return None, "has no judge that counts"
    found = result.estimate
    if result.sd is None or found.mean is None:
        return None, f"scored {plural(found.n, 'prompt')}, and fewer than two show no spread"
    squared = result.sd**2 * (found.n - 1) / found.n + (found.mean - 0.5) ** 2
    if squared <= TOLERANCE**2:
        return None, f"scored all its {plural(found.n, 'prompt')} as ties, and no spread is not certainty"
    return math.sqrt(squared), ""


def _rates(found: Found) -> dict[tuple[str, Purpose], Rate]:
    """Mean tokens an answer by model and purpose, as the run's manifest counted them."""
    rates: dict[tuple[str, Purpose], Rate] = {}
    for spec, purposes in found.manifest.get("tokens", {}).items():
        for purpose, known in purposes.items():
            if known.get("answers"):
                mean = (known[name] / known["answers"] for name in ("input", "output"))
                rates[spec, purpose] = Rate(**dict(zip(("input", "output"), mean, strict=True)))
    return rates


def _foreign(path: Path, found: Found, setting: Setting) -> list[str]:
    """In what the pilot differs from what is planned."""
    notes = []
    theirs, ours = found.job.suite, setting.suite
    known = {(prompt.id, prompt.turns) for prompt in ours.prompts}
    shared = sum((prompt.id, prompt.turns) in known for prompt in theirs.prompts)
    if theirs.name != ours.name or not shared:
        notes.append(
            f"the pilot {path} is of another suite ({theirs.name!r}, {plural(shared, 'prompt')} shared with "
            f"{ours.name!r}): its prompts may differ more or less than these"
        )
    judged = {name for name in found.judges if not name.startswith("control/")}
    planned = {spec.text for spec in setting.judges if spec.kind != "control"}
    # A recorded file holds judges under names of their own, and a plan opens no verdicts.
    if planned and judged != planned and all(spec.kind != "recorded" for spec in setting.judges):
        notes.append(f"the pilot was judged by {listed(sorted(judged))}, this plan names {listed(sorted(planned))}")
    for role, spec in setting.contestants.items():
        then = found.job.candidate if role == "candidate" else found.job.baseline
        if then.text != spec.text:
            notes.append(f"the pilot's {role} was {then.text}, this plan's is {spec.text}")
    return notes


def _clusters(result: Result | None, setting: Setting) -> tuple[float | None, list[str]]:
    """The variance of clustered prompts against that of independent ones, and what is to be said of it."""
    shared = _sharing(setting)
    measured = result.clustered.design_effect if result is not None and result.clustered is not None else None
    if not shared:
        if measured is None:
            return None, []
        said = f"the pilot's prompts share clusters (design effect {measured:.2f}), those planned do not: left out"
        return None, [said]
    if measured is None:
        return None, [f"{shared}, and the pilot cannot tell what that costs: n is for independent prompts"]
    if measured <= 1:
        said = f"{shared}; in the pilot that cost nothing (design effect {measured:.2f}), and no gain is taken"
        return None, [said]
    return measured, [f"{shared}; in the pilot that multiplied the variance by {measured:.2f}, and n with it"]


def _without_pilot(setting: Setting) -> list[str]:
    shared = _sharing(setting)
    said = f"{shared}; what that costs only a pilot can tell (--pilot RUN): n is for independent prompts"
    return [said] if shared else []


def _sharing(setting: Setting) -> str:
    """ "40 of 70 prompts share 9 clusters", where any do."""
    named = [prompt.cluster for prompt in setting.suite.prompts if prompt.cluster is not None]
    several = {name for name in named if named.count(name) > 1}
    if not several:
        return ""
    members = sum(name in several for name in named)
    return f"{members} of {plural(len(setting.suite.prompts), 'prompt')} share {plural(len(several), 'cluster')}"
