"""Who takes part in a score run: contestants as in any run, and judges that grade. Refuses judges that only compare."""

from __future__ import annotations

from pathlib import Path

from harness import goal as goals
from harness.errors import InputError, Problem
from harness.folder import MANIFEST, read_manifest
from harness.job import suite_of
from harness.judging import MODELS, fits_grading, template_of
from harness.kinship import flags
from harness.models.contestant import Contestant
from harness.models.recorded import RecordedResponses, file_sha256
from harness.models.spec import Spec
from harness.records import ResponseRecord, on_disk
from harness.report.numerals import listed, one_line
from harness.responding import RESPONSES
from harness.scoring.job import ScoreJob
from harness.scoring.run import SCORES, GradingBench, ScoreCast
from harness.seal import changed, seals_of, state
from harness.suite import Suite
from harness.workshop import Workshop
from judges.build import GRADERS, LAST_TURN_ONLY, Wanted, build_grader
from judges.reward import CENTER, SPREAD
from judges.types import Prompt


def cast_of(job: ScoreJob, workshop: Workshop) -> ScoreCast:
    """Everyone a score job needs. Raises InputError where a file, a key, a checkpoint or a price is missing."""
    workshop.can_pay((*job.contestants.values(), *job.judges))
    contestants = {role: _contestant(spec, role, job, workshop) for role, spec in job.contestants.items()}
    benches = tuple(_bench(spec, job, workshop) for spec in job.judges)
    scales = {bench.grader.name: bench.grader.scale for bench in benches}
    unfit = goals.fits(job.suite.goal, scales, baseline=job.baseline is not None)
    if unfit is not None:
        raise InputError(unfit)
    return ScoreCast(contestants=contestants, benches=benches)


def _contestant(spec: Spec, role: str, job: ScoreJob, workshop: Workshop) -> Contestant:
    if spec.kind == "recorded" and (spec.path / MANIFEST).is_file():
        found, fingerprint = of_run(spec, job.suite)
        workshop.fingerprints[role] = fingerprint
        # What answers are taken over is the file's, whoever wrote it: a run that goes on has to find it as it was.
        workshop.fingerprints[f"responses of the {role}"] = file_sha256(spec.path / RESPONSES)
        workshop.warnings[role] = [*unsealed(spec.path), *other_sampling(spec, job.suite)]
        return found
    return workshop.contestant(spec, role, job.suite, job.nonce)


def of_run(spec: Spec, suite: Suite) -> tuple[RecordedResponses, str]:
    """What the candidate of an earlier run answered, and that candidate's fingerprint.

    Raises InputError where that run asked other texts, or lacks an answer.
    """
    run = spec.path
    manifest = read_manifest(run)
    try:
        asked = {prompt.id: prompt for prompt in suite_of(manifest["suite"]).prompts}
    except (KeyError, TypeError, ValueError) as error:
        raise InputError([Problem(path=str(run), what=f"is no whole run ({error}); give another baseline")]) from None
    records = [record for record in on_disk(run / RESPONSES, ResponseRecord) if record.role == "candidate"]
    by_key = {(record.id, record.sample): record for record in records}
    problems = [problem for prompt in suite.prompts if (problem := _unlike(run, prompt, asked, by_key)) is not None]
    if problems:
        raise InputError(problems)
    found = RecordedResponses(path=run / RESPONSES, role="baseline", by_key=by_key)
    return found, str(manifest.get("fingerprints", {}).get("candidate"))


def unsealed(run: Path) -> list[str]:
    """What is to be said where an earlier run's folder is not what that run left: edited journals, another question.

    Of its grades none is taken over; that they were changed says that the folder was.
    """
    manifest = read_manifest(run)
    seals = seals_of(manifest)
    if not seals:
        return ["its answers are of an earlier run that never ended, so that nothing shows whether they were edited"]
    said = []
    for name in (RESPONSES, *SCORES.values()):
        found = state(run, name, seals) if name in seals or (run / name).exists() else "whole"
        if found in ("changed", "longer"):
            how = "edited or cut" if found == "changed" else "added to"
            what = "its answers here are those that stand there now" if name == RESPONSES else "its grades are not used"
            said.append(f"{name} of the earlier run was {how} after it ended; {what}")
    parts = changed(manifest) or []
    if parts:
        more = listed([one_line(part) for part in parts], 3)
        said.append(f"the manifest of the earlier run was edited after it ended ({more})")
    return said


def other_sampling(spec: Spec, suite: Suite) -> list[str]:
    """What is to be said where an earlier run sampled its answers in another way than this suite does."""
    was, now = suite_of(read_manifest(spec.path)["suite"]).sampling.given(), suite.sampling.given()
    if was == now:
        return []
    then, today = (", ".join(f"{name} {value:g}" for name, value in own.items()) for own in (was, now))
    return [f"its answers are of an earlier run, with other sampling ({then} there, {today} here)"]


def _unlike(
    run: object, prompt: Prompt, asked: dict[str, Prompt], by_key: dict[tuple[str, int], object]
) -> Problem | None:
    other = asked.get(prompt.id)
    if other is None or (prompt.id, 0) not in by_key:
        return Problem(path=str(run), what=f"never answered prompt {prompt.id!r}; give a whole run of this suite")
    if (other.turns, other.system) != (prompt.turns, prompt.system):
        return Problem(path=str(run), what=f"was asked another text as {prompt.id!r}; give a run of this suite")
    return None


def _bench(spec: Spec, job: ScoreJob, workshop: Workshop) -> GradingBench:
    """A judge that grades. Raises InputError where its key or weights are missing, or it cannot grade."""
    if spec.kind not in GRADERS:
        raise InputError(
            f"{spec.text!r} compares two answers and grades none; a score suite takes openai/…, anthropic/…, hf/…, "
            "reward/… and rubric"
        )
    if spec.kind == "rubric" and not any(prompt.checks for prompt in job.suite.prompts):
        raise InputError(
            f"the rubric judge needs prompts with 'checks'; {job.suite.name!r} has none, so give another --judge"
        )
    asked, found = workshop.asked(spec, job.nonce), template_of(spec, kind="score")
    if found is not None:
        fits_grading(found, job.suite.prompts)
        workshop.fingerprints[f"template of {spec.text}"] = found.sha256
    own = spec.asking
    wanted = Wanted(
        name=spec.text,
        rest=spec.rest,
        asked=asked,
        sampling=job.suite.judge_sampling,
        mode=own.mode,
        template=found,
        center=own.center if own.center is not None else CENTER,
        spread=own.spread if own.spread is not None else SPREAD,
        nonce=job.nonce,
    )
    grader = build_grader(spec.kind, wanted)
    return GradingBench(grader=grader, workers=workshop.workers(spec), last_only=spec.kind in LAST_TURN_ONLY)


def kin(job: ScoreJob, cast: ScoreCast, workshop: Workshop) -> list[str]:
    """A sentence for every judge that is kin to a contestant."""
    specs = job.contestants
    contestants = {role: workshop.kin_of(specs[role], role, found) for role, found in cast.contestants.items()}
    graders = [spec for spec in job.judges if spec.kind in (*MODELS, "reward")]
    return flags({spec.text: workshop.kin_of(spec, spec.text) for spec in graders}, contestants)


def notes(workshop: Workshop, job: ScoreJob) -> list[str]:
    """What the reader must know of the contestants themselves."""
    said = [f"{role}: {warning}" for role, listed in workshop.warnings.items() for warning in listed]
    known = [workshop.fingerprints.get(role) for role in job.contestants]
    if len(known) == 2 and known[0] == known[1] and job.candidate.kind != "recorded":
        said.append("candidate and baseline are the same model; any difference is chance")
    return said
