"""From a perplexity suite and the command line to a job, and from a job to a run that is carried out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from harness.carrying import Stop, carried_out
from harness.errors import InputError
from harness.launch import Options, Resolve, named_spec
from harness.leakage import guard
from harness.models.budget import budget
from harness.models.meter import Meter
from harness.models.spec import Spec
from harness.perplexity.job import LossJob, to_manifest
from harness.perplexity.measuring import Measurer, Side
from harness.perplexity.run import LossExecutor
from harness.plan import limited
from harness.progress import Progress
from harness.suite import Suite
from harness.workshop import Given, Workshop

if TYPE_CHECKING:
    from harness.models.losses import LossModel

# What a model reads at once where the suite does not say: enough for most texts, and affordable.
LONGEST = 2048


def plan_job(
    suite: Suite,
    options: Options,
    resolve: Resolve,
    *,
    meter: Meter,
    say: Callable[[str], None],
    given: Mapping[str, tuple[Given, LossModel]] | None = None,
) -> tuple[LossJob, dict[str, Measurer], dict[str, Any], Workshop]:
    """The job of a perplexity suite, who measures, and its manifest.

    `given` holds models by role that are not to be opened from their specs. Raises InputError on anything known before
    a model is opened.
    """
    refuse(options)
    # Nothing here is paid for, so that any amount is enough; what is no amount is refused all the same.
    budget(options.max_cost)
    seed = suite.seed if options.seed is None else options.seed
    candidate = named_spec(suite, options, "candidate", resolve)
    if candidate is None:
        raise InputError(f"the suite {suite.name!r} names no candidate; add --candidate SPEC")
    asked = replace(suite, seed=seed, prompts=limited(suite.prompts, options.limit, seed))
    baseline = named_spec(suite, options, "baseline", resolve)
    job = LossJob(suite=asked, candidate=candidate, baseline=baseline, full=len(suite.prompts))
    known = {role: known for role, (known, _) in (given or {}).items()}
    workshop = Workshop(concurrency=options.concurrency, meter=meter, say=say, given=known)
    sides = sides_of(job, workshop, {role: model for role, (_, model) in (given or {}).items()})
    job = replace(job, suite=_settled(asked, sides))
    leaked, unknown = guard.compare(workshop.weights, asked.prompts)
    extra = {
        "fingerprints": workshop.fingerprints,
        "warnings": workshop.warnings,
        "device": device_of(sides),
        "notes": [*_notes(workshop, job), *unknown],
        "leakage": leaked.as_json() if leaked is not None else None,
        "limit": options.limit,
    }
    return job, measurers(job, sides, workshop), to_manifest(job, extra=extra), workshop


def refuse(options: Options) -> None:
    """Raise InputError where the command line asks for what a perplexity suite does not do."""
    given = {
        "--judge": options.judges,
        "--judge-mode": options.judge_mode,
        "--judge-template": options.judge_template,
        "--panel": options.panel,
        "--repeats": options.repeats,
        "--stop-early": options.stop_early,
    }
    named = [name for name, value in given.items() if value]
    if named:
        raise InputError(
            f"{' and '.join(named)}: a perplexity suite reads losses off given texts; nothing is generated or judged, "
            "leave it out"
        )


def sides_of(job: LossJob, workshop: Workshop, held: Mapping[str, LossModel] = MappingProxyType({})) -> dict[str, Side]:
    """The folders and fingerprints of who is measured; `held` are models that stand in memory, by role.

    Raises InputError where one cannot be measured, or is missing.
    """
    for role, spec in job.contestants.items():
        _measurable(role, spec)
    from harness.models.weights import choose_device

    found = {}
    for role, spec in job.contestants.items():
        workshop.contestant(spec, role, job.suite, "")
        base, adapter = workshop.weights[role]
        found[role] = Side(
            spec=spec.text,
            base=base,
            adapter=adapter,
            fingerprint=workshop.fingerprints[role],
            device=held[role].device if role in held else choose_device(),
            held=held.get(role),
        )
    return found


def _measurable(role: str, spec: Spec) -> None:
    if spec.kind != "hf":
        raise InputError(
            f"{spec.text!r} does not show how likely it finds a given text, so it cannot be the {role} of a perplexity "
            "suite; give a local model: hf/… or recipe/…"
        )


def device_of(sides: Mapping[str, Side]) -> str:
    """Where losses are read and how precisely."""
    return ", ".join(sorted({f"{side.device.name} in {side.device.dtype}" for side in sides.values()}))


def measurers(job: LossJob, sides: Mapping[str, Side], workshop: Workshop) -> dict[str, Measurer]:
    """Who measures, by role."""
    max_length, stride = job.window
    return {
        role: Measurer(
            side=side,
            max_length=max_length,
            stride=stride,
            cache=workshop.cache if side.held is None else None,
            meter=workshop.meter,
        )
        for role, side in sides.items()
    }


def _settled(suite: Suite, sides: Mapping[str, Side]) -> Suite:
    """The suite with its window and stride: the same for both models. Raises InputError where they do not fit."""
    from harness.models.losses import context_of

    contexts = {side.spec: context_of(side.base) if side.held is None else side.held.context for side in sides.values()}
    known = {spec: room for spec, room in contexts.items() if room is not None}
    for spec, room in known.items():
        if suite.max_length is not None and suite.max_length > room:
            raise InputError(f"max_length {suite.max_length} is more than the {room} tokens {spec!r} reads; lower it")
        if room < 2:
            raise InputError(f"{spec!r} reads {room} token at once, so nothing stands before one; give another model")
    max_length = suite.max_length or min([LONGEST, *known.values()])
    stride = suite.stride or max(1, max_length // 2)
    if stride >= max_length:
        raise InputError(
            f"stride {stride} is not below max_length {max_length}, so the first token of a window would be foretold "
            "by none; lower stride"
        )
    return replace(suite, max_length=max_length, stride=stride)


def _notes(workshop: Workshop, job: LossJob) -> list[str]:
    said = [f"{role}: {warning}" for role, listed in workshop.warnings.items() for warning in listed]
    known = [workshop.fingerprints.get(role) for role in job.contestants]
    if len(known) == 2 and known[0] == known[1]:
        said.append("candidate and baseline are the same model")
    return said


def carry_out(
    job: LossJob, who: Mapping[str, Measurer], workshop: Workshop, run: Path, progress: Progress
) -> Stop | None:
    """Do a job in its folder (whose lock is held), as far as it goes. Returns what stopped it, or None."""
    return carried_out(
        run,
        workshop,
        lambda journal: LossExecutor(job=job, measurers=who, run=run, journal=journal, progress=progress).work(),
    )
