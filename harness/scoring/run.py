"""Executes a score job in its folder: responses, then a grade for every turn by every judge. Bounded, resumable.

The candidate's grades are in scores.jsonl, the baseline's in scores_baseline.jsonl; what stands there is not asked
again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import CallFailed
from harness.journal import Journal, repair
from harness.models.contestant import Contestant, Question
from harness.plan import seeded
from harness.pool import together
from harness.progress import Progress
from harness.records import ResponseRecord, ScoreRecord, on_disk
from harness.responding import RESPONSES, Responses, answered_for_good, respond
from harness.run import UNANSWERED
from harness.scoring.batching import COMPARED, compare
from harness.scoring.job import ScoreJob
from harness.toolong import failed, too_long, without_answer
from judges.template import as_judged
from judges.types import Exhibit, Grade, Grader, Prompt, Status

SCORES: Mapping[str, str] = {"candidate": "scores.jsonl", "baseline": "scores_baseline.jsonl"}
# A response by prompt, role and sample; the status and the reason of a turn that it does not answer.
Sample = tuple[str, str, int]
Lack = tuple[Status, dict[str, Any]]
MISSING: Lack = ("skipped", {"error": "the response is missing"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One grading: a prompt's turn (from 1), a sample of the contestant's, and the how-manieth asking of the judge."""

    prompt: Prompt
    turn: int
    sample: int
    asking: int
    askings: int

    @property
    def repeat(self) -> int:
        """The contract's repeat: samples and askings counted through."""
        return self.sample * self.askings + self.asking


@dataclass(frozen=True, kw_only=True, slots=True)
class GradingBench:
    """A grader, how many gradings of it may be under way at once, and whether it grades the last turn alone."""

    grader: Grader
    workers: int
    last_only: bool = False

    def grades(self, cell: Cell) -> bool:
        """Whether a grading is one of its own."""
        return not self.last_only or cell.turn == len(cell.prompt.turns)


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreCast:
    """Who takes part in a score run, contestants by role."""

    contestants: Mapping[str, Contestant]
    benches: tuple[GradingBench, ...]


def cells_of(job: ScoreJob) -> tuple[Cell, ...]:
    """Every grading of one contestant by one judge."""
    askings = job.suite.judge_repeats
    return tuple(
        Cell(prompt=prompt, turn=turn, sample=sample, asking=asking, askings=askings)
        for prompt in job.suite.prompts
        for sample in range(job.repeats[prompt.id])
        for turn in range(1, len(prompt.turns) + 1)
        for asking in range(askings)
    )


@dataclass(frozen=True, kw_only=True)
class ScoreExecutor:
    """One score run under way: its job, its cast, its folder."""

    job: ScoreJob
    cast: ScoreCast
    run: Path
    journal: Journal
    progress: Progress

    async def work(self) -> None:
        """Do all that is not on disk yet. Raises RunStopped where it cannot go on, InputError on faulty input."""
        for name in (RESPONSES, *SCORES.values(), COMPARED):
            if repair(self.run / name):
                self.progress.say(f"{name}: the last line was torn; mended")
        specs = self.job.contestants
        who = {role: (contestant, specs[role].text) for role, contestant in self.cast.contestants.items()}
        responses = await respond(self.run, self.journal, self.progress, who, self._questions())
        if self.job.check_batching:
            await compare(self.run, self.journal, self.progress, self.job, self.cast.contestants, responses)
        for role in self.cast.contestants:
            await self._grades(role, responses)

    def _questions(self) -> list[Question]:
        job = self.job
        return [
            Question(prompt=prompt, sample=sample, sampling=job.sampling_of(prompt))
            for prompt in job.suite.prompts
            for sample in range(job.repeats[prompt.id])
        ]

    async def _grades(self, role: str, responses: Responses) -> None:
        recorded = self.job.contestants[role].kind == "recorded"
        done = {
            row.key()
            for row in on_disk(self.run / SCORES[role], ScoreRecord)
            if row.status not in UNANSWERED or never(row, responses.get((row.id, role, sample_of(row))), recorded)
        }
        cells = cells_of(self.job)
        wanted = {bench.grader.name: [cell for cell in cells if bench.grades(cell)] for bench in self.cast.benches}
        waiting = {
            name: [cell for cell in own if (cell.prompt.id, name, cell.turn, cell.repeat) not in done]
            for name, own in wanted.items()
        }
        total = sum(map(len, wanted.values()))
        self.progress.stage(f"grades of the {role}", total, total - sum(map(len, waiting.values())))
        given = {key: record for key, record in responses.items() if key[1] == role}
        answered = {key: tuple(map(as_judged, record.answered())) for key, record in given.items()}
        lacking = {key: _lacking(record) for key, record in given.items() if record.finish == "error"}
        await together(
            self._pool(bench, role, waiting[bench.grader.name], answered, lacking) for bench in self.cast.benches
        )

    async def _pool(
        self,
        bench: GradingBench,
        role: str,
        waiting: Iterable[Cell],
        answered: Mapping[Sample, Sequence[str]],
        lacking: Mapping[Sample, Lack],
    ) -> None:
        queue = iter(waiting)

        async def work() -> None:
            for cell in queue:
                sample = (cell.prompt.id, role, cell.sample)
                texts = answered.get(sample, ())
                if cell.turn <= len(texts):
                    line = await self._graded(bench.grader, role, cell, texts)
                else:
                    status, why = lacking.get(sample, MISSING)
                    line = score_json(bench.grader.name, cell, role, Grade(score=None, status=status)) | why
                self.journal.append(SCORES[role], line)
                self.progress.advance()

        await together(work() for _ in range(bench.workers))

    async def _graded(self, grader: Grader, role: str, cell: Cell, texts: Sequence[str]) -> dict[str, Any]:
        shown = Exhibit(prompt=cell.prompt, answers=tuple(texts[: cell.turn]))
        rng = seeded(self.job.suite.seed, grader.name, role, cell.prompt.id, cell.turn, cell.repeat)
        try:
            return score_json(grader.name, cell, role, await grader.grade(shown, rng=rng, repeat=cell.repeat))
        except CallFailed as error:
            status, why = failed(error)
            return score_json(grader.name, cell, role, Grade(score=None, status=status)) | why


def _lacking(response: ResponseRecord) -> Lack:
    """What the grade of a turn is that a response which failed does not answer, and why."""
    if too_long(response) is not None:
        return "truncated", without_answer(response)
    error = (response.model_extra or {}).get("error")
    return "skipped", {"error": error} if response.answered() and isinstance(error, str) else MISSING[1]


def sample_of(record: ScoreRecord) -> int:
    """Which of a contestant's samples a grade is of."""
    return int((record.model_extra or {}).get("sample", 0) or 0)


def never(record: ScoreRecord, response: ResponseRecord | None, recorded: bool) -> bool:
    """Whether a grade was skipped once and for all: its response failed for good, and not after its turn."""
    if record.status != "skipped" or response is None or response.finish != "error":
        return False
    # Where a conversation no longer fitted, that is what its grades say.
    lost = answered_for_good(response, recorded=recorded) and too_long(response) is None
    return lost and record.turn > len(response.answered())


def score_json(judge: str, cell: Cell, role: str, grade: Grade) -> dict[str, Any]:
    """The contract's score record of one grade."""
    record: dict[str, Any] = {"id": cell.prompt.id, "judge": judge, "turn": cell.turn, "repeat": cell.repeat}
    record |= {"role": role, "score": grade.score, "status": grade.status}
    optional = {
        "category": cell.prompt.category,
        "cluster": cell.prompt.cluster,
        "mode": grade.mode,
        "raw": grade.raw,
        "sample": cell.sample if cell.sample else None,
        "asking": cell.asking if cell.asking else None,
        "reply": grade.reply,
        "asked": grade.asked,
    }
    return record | {name: value for name, value in optional.items() if value is not None}
