"""What of a run can come out differently when it is done again, and what cannot: in words, for the notes of a rerun."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.job import Job
from harness.models.spec import Spec
from harness.report.numerals import listed

ROLES = ("candidate", "baseline")
# Judges that say the same of the same texts every time, and why.
STEADY = {
    "rubric": "it checks the same text the same way every time",
    "reward": "a reward model scores the same text the same way every time",
    "control": "its bias is its definition",
    "recorded": "its verdicts are read from a file",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Noise:
    """What can differ between a run and its reruns.

    `fresh` are the contestants that answer anew, `asked` the judges that are really asked again; `notes` say what is
    not measured. Where not `any`, every rerun would be the run itself.
    """

    fresh: tuple[str, ...]
    asked: tuple[str, ...]
    any: bool
    notes: tuple[str, ...]


def steady(spec: Spec, job: Job) -> str | None:
    """Why a judge's verdict on the same texts never changes; None where it may."""
    if spec.kind == "hf" and (spec.asking.mode == "verdict-token" or not job.suite.judge_sampling.temperature):
        return "a local model that draws nothing says the same of the same texts every time"
    return STEADY.get(spec.kind)


def noise_of(job: Job) -> Noise:
    """What can differ between runs of a job."""
    specs = {"candidate": job.candidate, "baseline": job.baseline}
    still = {role: _still(job, spec) for role, spec in specs.items()}
    fresh = tuple(role for role in ROLES if still[role] is None)
    real = [spec for spec in job.judges if spec.kind != "control"]
    asked = tuple(spec.text for spec in real if steady(spec, job) is None)
    reading = [spec for spec in real if spec.kind != "recorded"]
    return Noise(
        fresh=fresh,
        asked=asked,
        any=bool(asked or (fresh and reading)),
        notes=(*_about_contestants(still), *_about_judges(real, fresh, job)),
    )


def _still(job: Job, spec: Spec) -> str | None:
    """Why a contestant answers the same every time; None where it may not."""
    if spec.kind == "recorded":
        return "recorded and cannot be generated afresh"
    warm = any(job.sampling_of(prompt).temperature for prompt in job.suite.prompts)
    if spec.kind == "hf" and not warm:
        return "a local model at temperature 0, which writes the same every time"
    return None


def _about_contestants(still: dict[str, str | None]) -> list[str]:
    said: dict[str, list[str]] = {}
    for role, why in still.items():
        if why is not None:
            said.setdefault(why, []).append(role)
    notes = [f"{listed(roles)}: {why}" for why, roles in said.items()]
    if all(still.values()):
        notes.append("only judges can differ here, no response does")
    return notes


def _about_judges(real: Sequence[Spec], fresh: Sequence[str], job: Job) -> list[str]:
    notes = []
    for spec in real:
        why = steady(spec, job)
        if spec.kind == "recorded":
            made = ", though they were made on other texts than these" if fresh else ""
            notes.append(f"{spec.text}: {why}, and counts in every rerun as it stands{made}")
        elif why is not None:
            notes.append(f"{spec.text}: {why}, so no noise of its own is measured")
    return notes
