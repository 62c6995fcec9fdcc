"""From a score run's folder to a summary (scores files: `scoring.files`). Reads; decides nothing itself.

A summary depends on what is on disk alone, so that a resumed run ends with the same one as an uninterrupted run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness import toolong
from harness.errors import InputError, Problem
from harness.folder import read_manifest
from harness.leakage import guard
from harness.records import ResponseRecord, ScoreRecord, on_disk
from harness.report.numerals import one_line, plural
from harness.responding import RESPONSES, answered_for_good
from harness.run import UNANSWERED
from harness.scoring import batching
from harness.scoring.batching import COMPARED, Compared
from harness.scoring.figures import Scale, graded_turns
from harness.scoring.further import with_further
from harness.scoring.job import ScoreJob, from_manifest
from harness.scoring.run import SCORES, cells_of, never, sample_of
from harness.scoring.summary import ScoreSummary, Setting, summarize
from harness.seal import seals_of, state
from harness.stats.intervals import TOLERANCE
from judges.build import LAST_TURN_ONLY
from judges.template import as_judged, without_thinking

# Sums of scores beyond this mean nothing.
LARGEST = 1e12


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What a score run's folder holds: responses by (prompt, role, sample), score records by role.

    `compared` are answers that were written again, alone.
    """

    job: ScoreJob
    manifest: Mapping[str, Any]
    responses: Mapping[tuple[str, str, int], ResponseRecord]
    scores: Mapping[str, tuple[ScoreRecord, ...]]
    edited: tuple[str, ...] = ()
    compared: tuple[Compared, ...] = ()

    @property
    def judges(self) -> tuple[str, ...]:
        """Every judge of the run by name, and after them any whose scores were added to its journal."""
        planned = tuple(self.manifest["judge_names"])
        added = {record.judge for rows in self.scores.values() for record in rows} - set(planned)
        return (*planned, *sorted(added))

    @property
    def scales(self) -> dict[str, Scale | None]:
        """The scale of every judge, where it is known."""
        known = self.manifest.get("scales", {})
        return {name: (float(known[name][0]), float(known[name][1])) if name in known else None for name in self.judges}


def find(run: Path, *, seals: bool = True) -> Found:
    """Read a score run's folder. Raises InputError where it is none, or its files are not a run's: a score off the
    scale of its judge, say.
    """
    manifest = read_manifest(run)
    job = from_manifest(manifest)
    kept = seals_of(manifest)
    names = (RESPONSES, *(SCORES[role] for role in job.contestants), COMPARED)
    found = Found(
        job=job,
        manifest=manifest,
        responses={(r.id, str(r.role), r.sample): r for r in on_disk(run / RESPONSES, ResponseRecord)},
        scores={role: tuple(on_disk(run / SCORES[role], ScoreRecord)) for role in job.contestants},
        edited=tuple(name for name in names if seals and state(run, name, kept) == "changed"),
        compared=tuple(on_disk(run / COMPARED, Compared)),
    )
    for role, rows in found.scores.items():
        on_scale(run / SCORES[role], rows, found.scales)
    return found


def on_scale(path: Path, rows: Iterable[ScoreRecord], scales: Mapping[str, Scale | None]) -> None:
    """Raise InputError on scores that are off the scale of their judge, or so large that sums mean nothing."""
    problems = []
    for record in rows:
        low, high = scales.get(record.judge) or (-LARGEST, LARGEST)
        if record.score is not None and not low - TOLERANCE <= record.score <= high + TOLERANCE:
            what = (
                f"the score of {record.id!r} (turn {record.turn}) by {one_line(record.judge)} is {record.score:g}, off "
                f"the scale from {low:g} to {high:g}; take the line out, or mend it"
            )
            problems.append(Problem(path=str(path), what=what))
    if problems:
        raise InputError(problems)


def is_complete(found: Found) -> bool:
    """Whether every response and every grade that was planned is there and was answered."""
    job = found.job
    turns = {judge: turns_of(judge, found) for judge in found.manifest["judge_names"]}
    for role, spec in job.contestants.items():
        recorded = spec.kind == "recorded"
        for prompt in job.suite.prompts:
            for sample in range(job.repeats[prompt.id]):
                if not answered_for_good(found.responses.get((prompt.id, role, sample)), recorded=recorded):
                    return False
        answered = {
            row.key()
            for row in found.scores[role]
            if row.status not in UNANSWERED or never(row, found.responses.get((row.id, role, sample_of(row))), recorded)
        }
        for cell in cells_of(job):
            for judge in found.manifest["judge_names"]:
                if (
                    cell.turn in turns[judge][cell.prompt.id]
                    and (cell.prompt.id, judge, cell.turn, cell.repeat) not in answered
                ):
                    return False
    return not job.check_batching or batching.is_complete(job, found.responses, found.compared)


def summary_of(found: Found, *, complete: bool) -> ScoreSummary:
    """The figures of a score run."""
    prompts = found.job.suite.prompts
    setting = Setting(
        turns={judge: turns_of(judge, found) for judge in found.judges},
        categories={prompt.id: prompt.category for prompt in prompts},
        scales=found.scales,
        full=found.job.full,
    )
    ours, theirs = found.scores["candidate"], found.scores.get("baseline", ())
    summary = summarize(
        ours,
        theirs,
        setting,
        judges=found.judges,
        complete=complete,
        notes=notes_of(found),
        leakage=guard.from_json(found.manifest.get("leakage")),
    )
    alone = batching.figures(found.job, found.responses, found.compared)
    return with_further(replace(summary, batching=alone), ours, theirs, found.job.suite.goal)


def turns_of(judge: str, found: Found) -> dict[str, tuple[int, ...]]:
    """Which turns of every prompt a judge of the run grades."""
    last = {spec.text for spec in found.job.judges if spec.kind in LAST_TURN_ONLY}
    counts = {prompt.id: len(prompt.turns) for prompt in found.job.suite.prompts}
    if judge not in found.manifest["judge_names"]:
        return graded_turns([r for rows in found.scores.values() for r in rows if r.judge == judge], counts)
    return {name: (n,) if judge in last else tuple(range(1, n + 1)) for name, n in counts.items()}


def notes_of(found: Found) -> list[str]:
    """What a reader must know of a score run beside its figures: what is missing, cut off, sampled or edited."""
    job = found.job
    said = [f"{name} was edited or cut after the run, and figures rest on it as it is" for name in found.edited]
    said += found.manifest.get("notes", ())
    if job.suite.sampling.temperature:
        said.append(f"answers were sampled at temperature {job.suite.sampling.temperature:g}: another run has others")
    for role in job.contestants:
        records = [record for (_, side, _), record in found.responses.items() if side == role]
        said += answer_notes(role, records)
    for judge in found.judges:
        rows = [row for own in found.scores.values() for row in own if row.judge == judge]
        said += toolong.questions(judge, rows)
    return said


def answer_notes(role: str, records: Sequence[ResponseRecord]) -> list[str]:
    """What is to be said of one contestant's answers: cut off, empty, missing, thinking taken out."""
    cut = sum(record.finish == "length" or bool(getattr(record, "cut_off", False)) for record in records)
    early = [record for record in records if record.finish == "error" and toolong.too_long(record) is None]
    refused, failed = sum(bool(record.answered()) for record in early), sum(not record.answered() for record in early)
    answers = [text for record in records for text in record.answered()]
    thinking = sum(as_judged(text) != text for text in answers)
    unclosed = sum(without_thinking(text)[1] for text in answers)
    empty = sum(not as_judged(text).strip() for text in answers)
    talks, texts = plural(len(records), "conversation"), plural(len(answers), "answer")
    said = []
    if thinking:
        more = f"; {unclosed:,} never came to an end of it" if unclosed else ""
        said.append(f"{role}: thinking was taken out of {thinking:,} of {texts} before they were graded{more}")
    if cut:
        said.append(f"{role}: {cut:,} of {talks} were cut off at max_tokens and graded as they are")
    if empty:
        said.append(f"{role}: {empty:,} of {texts} are empty and graded as they are")
    if failed:
        said.append(f"{role}: {failed:,} of {talks} failed, and no judge was asked about them")
    if refused:
        said.append(f"{role}: {refused:,} of {talks} ended with a refusal; the turns before it are graded")
    return said + toolong.conversations(role, records, "and were graded as far as they went")
