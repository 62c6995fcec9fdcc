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
from harness.records import ScoreRecord, on_disk
from harness.responding import RESPONSES, respond
from harness.run import UNANSWERED, texts_of
from harness.scoring.job import ScoreJob
from judges.types import Exhibit, Grade, Grader, Prompt

SCORES: Mapping[str, str] = {"candidate": "scores.jsonl", "baseline": "scores_baseline.jsonl"}


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
        for name in (RESPONSES, *SCORES.values()):
            if repair(self.run / name):
                self.progress.say(f"{name}: the last line was torn; mended")
        specs = self.job.contestants
        who = {role: (contestant, specs[role].text) for role, contestant in self.cast.contestants.items()}
        responses = await respond(self.run, self.journal, self.progress, who, self._questions())
        answered = texts_of(responses)
        for role in self.cast.contestants:
            await self._grades(role, answered)

    def _questions(self) -> list[Question]:
        job = self.job
        return [
            Question(prompt=prompt, sample=sample, sampling=job.sampling_of(prompt))
            for prompt in job.suite.prompts
            for sample in range(job.repeats[prompt.id])
        ]

    async def _grades(self, role: str, answered: Mapping[tuple[str, str, int], Sequence[str]]) -> None:
        done = {r.key() for r in on_disk(self.run / SCORES[role], ScoreRecord) if r.status not in UNANSWERED}
        cells = cells_of(self.job)
        wanted = {bench.grader.name: [cell for cell in cells if bench.grades(cell)] for bench in self.cast.benches}
        waiting = {
            name: [cell for cell in own if (cell.prompt.id, name, cell.turn, cell.repeat) not in done]
            for name, own in wanted.items()
        }
        total = sum(map(len, wanted.values()))
        self.progress.stage(f"grades of the {role}", total, total - sum(map(len, waiting.values())))
        await together(self._pool(bench, role, waiting[bench.grader.name], answered) for bench in self.cast.benches)

    async def _pool(
        self,
        bench: GradingBench,
        role: str,
        waiting: Iterable[Cell],
        answered: Mapping[tuple[str, str, int], Sequence[str]],
    ) -> None:
        queue = iter(waiting)

        async def work() -> None:
            for cell in queue:
                texts = answered.get((cell.prompt.id, role, cell.sample))
                self.journal.append(SCORES[role], await self._graded(bench.grader, role, cell, texts))
                self.progress.advance()

        await together(work() for _ in range(bench.workers))

    async def _graded(self, grader: Grader, role: str, cell: Cell, texts: Sequence[str] | None) -> dict[str, Any]:
        if texts is None:
            return score_json(grader.name, cell, role, Grade(score=None, status="skipped")) | {
                "error": "the response is missing"
            }
        shown = Exhibit(prompt=cell.prompt, answers=tuple(texts[: cell.turn]))
        rng = seeded(self.job.suite.seed, grader.name, role, cell.prompt.id, cell.turn, cell.repeat)
        try:
            return score_json(grader.name, cell, role, await grader.grade(shown, rng=rng, repeat=cell.repeat))
        except CallFailed as error:
            failed = Grade(score=None, status="provider_error")
            return score_json(grader.name, cell, role, failed) | {"error": str(error)}


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
