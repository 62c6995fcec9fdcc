"""Every contestant of a round robin answers once, into a responses file that all its pairs read.

What stands on disk is not asked again, and once a file is whole it never changes: the runs of pairs hold on to its
hash. Refuses to go on with a contestant that is not what it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.carrying import Stop
from harness.errors import InputError, Problem, RunStopped
from harness.folder import write_whole
from harness.job import versions
from harness.journal import Journal, repair
from harness.launch import Resolve, plan_job
from harness.models.contestant import Answer, Contestant, Question
from harness.models.meter import Meter
from harness.progress import Progress
from harness.rank.robin import RESPONSES, Robin, file_of
from harness.records import ResponseRecord, on_disk
from harness.report.numerals import plural
from harness.responding import answered_for_good, response_json
from harness.workshop import Workshop


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """A contestant that is ready to answer, the samples of each prompt it can give, and what a manifest keeps of it."""

    contestant: Contestant
    workshop: Workshop
    repeats: Mapping[str, int]
    facts: Mapping[str, Any]


def open_contestants(
    robin: Robin, places: Sequence[int], resolve: Resolve, *, meter: Meter, progress: Progress
) -> dict[int, Opened]:
    """Open these contestants, and every judge, as a run of each against itself would. Raises InputError."""
    opened = {}
    for place in places:
        text = robin.specs[place]
        _, cast, manifest, workshop = plan_job(
            robin.full, robin.options(text, text), resolve, meter=meter, say=progress.say
        )
        leakage = manifest["leakage"]
        opened[place] = Opened(
            contestant=cast.candidate,
            workshop=workshop,
            repeats=manifest["repeats"],
            facts={
                "spec": text,
                "fingerprint": manifest["fingerprints"]["candidate"],
                "warnings": list(manifest["warnings"].get("candidate", ())),
                "leaked": list(leakage["seen"]["candidate"]) if leakage is not None else None,
            },
        )
    return opened


def manifest_of(robin: Robin, opened: Mapping[int, Opened]) -> dict[str, Any]:
    """The manifest of a ranking that has not begun. Raises InputError where two contestants are one."""
    prints = {place: one.facts["fingerprint"] for place, one in opened.items()}
    twins = [robin.specs[place] for place, one in prints.items() if list(prints.values()).count(one) > 1]
    if twins:
        raise InputError(f"{' and '.join(twins)} are one contestant (equal fingerprints); name it once")
    return {
        "kind": "ranking",
        "complete": False,
        **robin.asked,
        "contestants": [dict(opened[place].facts) for place in sorted(opened)],
        "repeats": {p.id: min(one.repeats[p.id] for one in opened.values()) for p in robin.suite.prompts},
        "versions": versions(),
    }


def unchanged(opened: Mapping[int, Opened], manifest: Mapping[str, Any], out: Path) -> None:
    """Raise InputError where one that still has to answer is no longer what it was when the ranking began."""
    problems = [
        Problem(
            path=str(out),
            what=f"{one.facts['spec']} has changed since the ranking began; put it back, or give another --out",
        )
        for place, one in opened.items()
        if manifest["contestants"][place]["fingerprint"] != one.facts["fingerprint"]
    ]
    if problems:
        raise InputError(problems)


def unanswered(robin: Robin, manifest: Mapping[str, Any], out: Path) -> list[int]:
    """The contestants that have not answered everything."""
    return [place for place in range(len(robin.specs)) if _missing(robin, manifest, out, place)]


def answer(
    robin: Robin, manifest: Mapping[str, Any], opened: Mapping[int, Opened], out: Path, progress: Progress
) -> Stop | None:
    """Have everyone answer what is not on disk; what stopped it, or None once all is there."""
    (out / RESPONSES).mkdir(exist_ok=True)
    lacking = []
    for place, one in opened.items():
        path = file_of(out, place)
        if repair(path):
            progress.say(f"{path}: the last line was torn; mended")
        missing, total = _missing(robin, manifest, out, place), len(robin.questions(manifest["repeats"]))
        progress.stage(f"{place + 1} of {len(robin.specs)} answers", total, total - len(missing))
        try:
            asyncio.run(_ask(one, missing, path, robin.specs[place], progress))
        except (RunStopped, InputError, KeyboardInterrupt) as stopped:
            return stopped
        left = _missing(robin, manifest, out, place)
        if left:
            lacking.append(f"{plural(len(left), 'response')} of {robin.specs[place]}")
        else:
            _settle(robin, manifest, out, place)
    if lacking:
        return RunStopped(f"no judge is asked before everyone has answered, and {', '.join(lacking)} failed")
    return None


def _held(path: Path) -> dict[tuple[str, int], ResponseRecord]:
    return {(record.id, record.sample): record for record in on_disk(path, ResponseRecord)}


def _missing(robin: Robin, manifest: Mapping[str, Any], out: Path, place: int) -> list[Question]:
    held = _held(file_of(out, place))
    # What a recorded file itself marks as failed is a fact, not something that is still to come.
    recorded = robin.specs[place].startswith("recorded/")
    return [
        question
        for question in robin.questions(manifest["repeats"])
        if not answered_for_good(held.get((question.prompt.id, question.sample)), recorded=recorded)
    ]


async def _ask(one: Opened, missing: Sequence[Question], path: Path, spec: str, progress: Progress) -> None:
    journal = Journal(path.parent)

    def keep(question: Question, given: Answer) -> None:
        # Without a role: in one pair it is the candidate's, in another the baseline's.
        journal.append(path.name, response_json(question, given, None, spec))
        progress.advance()

    try:
        if missing:
            await one.contestant.answer(missing, keep)
    finally:
        try:
            journal.close()
        finally:
            await one.workshop.aclose()


def _settle(robin: Robin, manifest: Mapping[str, Any], out: Path, place: int) -> None:
    """One line for each answer, in the suite's order, whatever the journal went through."""
    held = _held(file_of(out, place))
    wanted = [held[question.prompt.id, question.sample] for question in robin.questions(manifest["repeats"])]
    write_whole(file_of(out, place), "".join(f"{record.line()}\n" for record in wanted))
