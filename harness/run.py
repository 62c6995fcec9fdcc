"""Executes a job in its folder: responses, judgments, control pairs. Bounded, resumable, one writer.

Everything that arrives is journalled at once; what stands on disk is never asked again. The first failure that no
further call can survive stops the run and keeps all that was done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from harness.errors import CallFailed, InputError
from harness.job import Job
from harness.journal import Journal, repair
from harness.models.contestant import Contestant, Question
from harness.models.recorded import RecordedVerdicts
from harness.outcome import Order, preference_of, slots, winner_of
from harness.plan import Cell, ControlPair, control_pairs, presentations, seeded
from harness.pool import together
from harness.progress import Progress
from harness.records import JudgmentRecord, ResponseRecord, on_disk, read_lines
from harness.responding import RESPONSES, Responses, answered_for_good, respond
from harness.stopping import asking_order, boundaries, standing
from harness.toolong import failed, too_long, unanswered, without_answer
from judges.controls import Texts
from judges.template import as_judged
from judges.types import Judge, Presentation, Ruling

T = TypeVar("T")

JUDGMENTS, CONTROLS = "judgments.jsonl", "controls.jsonl"
UNANSWERED = ("provider_error", "skipped")
CONTROL_ORDER: dict[str, Order] = {"original_first": "candidate_first", "damaged_first": "baseline_first"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """A judge with what the run needs to know of it: whether it is asked about control pairs, and how many at once."""

    judge: Judge
    controls: bool
    workers: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Cast:
    """Who takes part: the two contestants, the judges that are asked, and those whose verdicts are read from files."""

    candidate: Contestant
    baseline: Contestant
    benches: tuple[Bench, ...]
    recorded: tuple[RecordedVerdicts, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Every judge by name, asked ones first."""
        return (*(bench.judge.name for bench in self.benches), *(verdicts.name for verdicts in self.recorded))


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """What was answered, by (id, role, sample): the texts as judges see them, and what ended too early for good."""

    texts: Mapping[tuple[str, str, int], Texts]
    ended: Mapping[tuple[str, str, int], ResponseRecord]

    @classmethod
    def of(cls, responses: Responses) -> Answered:
        """From the responses of a run."""
        ended = {key: record for key, record in responses.items() if too_long(record) is not None}
        return cls(texts=texts_of(responses), ended=ended)

    def lack(self, cell: Cell) -> dict[str, Any]:
        """Why a comparison that lacks a response is not shown to a judge."""
        for role in ("candidate", "baseline"):
            record = self.ended.get((cell.prompt.id, role, cell.repeat))
            if record is not None:
                why = without_answer(record)
                return why | {"error": f"{role}: {why['error']}"}
        return {"error": "a response is missing"}


@dataclass(frozen=True, kw_only=True)
class Executor:
    """One run under way: its job, its cast, its folder."""

    job: Job
    cast: Cast
    run: Path
    journal: Journal
    progress: Progress

    async def work(self) -> None:
        """Do all that is not on disk yet. Raises RunStopped where it cannot go on, InputError on faulty input."""
        for name in (RESPONSES, JUDGMENTS, CONTROLS):
            if repair(self.run / name):
                self.progress.say(f"{name}: the last line was torn; mended")
        responses = await self._responses()
        answered = Answered.of(responses)
        if self.job.stop_early:
            # Who counts must be known before it can be said whether the question is decided.
            if self._settled(responses):
                await self._controls(answered.texts)
            await self._until_decided(answered)
            return
        await self._judgments(answered, presentations_of(self.job), "judgments")
        if self._settled(responses):
            # Which pairs are drawn depends on the responses: not before every one of them is there.
            await self._controls(answered.texts)

    async def _responses(self) -> Responses:
        who = {
            "candidate": (self.cast.candidate, self.job.candidate.text),
            "baseline": (self.cast.baseline, self.job.baseline.text),
        }
        return await respond(self.run, self.journal, self.progress, who, self._questions())

    def _settled(self, responses: Responses) -> bool:
        kinds = {"candidate": self.job.candidate.kind, "baseline": self.job.baseline.kind}
        return all(
            answered_for_good(responses.get((q.prompt.id, role, q.sample)), recorded=kind == "recorded")
            for q in self._questions()
            for role, kind in kinds.items()
        )

    def _questions(self) -> list[Question]:
        job = self.job
        return [
            Question(prompt=prompt, sample=sample, sampling=job.sampling_of(prompt))
            for prompt in job.suite.prompts
            for sample in range(job.repeats[prompt.id])
        ]

    async def _until_decided(self, answered: Answered) -> None:
        """Wave after wave of prompts in their drawn order, until what is on disk decides the question."""
        cells, n = presentations_of(self.job), len(self.job.suite.prompts)
        self.progress.stage("judgments, at most", len(cells) * len(self.cast.benches))
        for asked in boundaries(n):
            wave = {prompt.id for prompt in asking_order(self.job.suite.prompts, self.job.suite.seed)[:asked]}
            await self._judgments(answered, [cell for cell in cells if cell.prompt.id in wave])
            self.journal.flush()
            stand = standing(self.job, self.cast.names, on_disk(self.run / JUDGMENTS, JudgmentRecord), self._rights())
            if stand.decided and stand.asked <= asked < n:
                why = "decided" if stand.decision is not None else "no usable judge is left"
                self.progress.say(f"{why} after {stand.asked} of {n} prompts; the others are not asked")
                return

    def _rights(self) -> dict[str, list[bool | None]]:
        rights: dict[str, list[bool | None]] = {}
        for line in control_lines(self.run):
            if line["status"] not in UNANSWERED:
                rights.setdefault(line["judge"], []).append(line["right"])
        return rights

    async def _judgments(self, answered: Answered, cells: Sequence[Cell], stage: str | None = None) -> None:
        """Have every judge rule on these presentations, as far as they are not on disk; announced as a `stage`."""
        found = on_disk(self.run / JUDGMENTS, JudgmentRecord)
        done = {r.key() for r in found if r.status not in UNANSWERED or unanswered(r)}
        self._copy_recorded(answered.texts, done)
        waiting = {
            bench.judge.name: [c for c in cells if (c.prompt.id, bench.judge.name, c.order, c.repeat) not in done]
            for bench in self.cast.benches
        }
        if stage is not None:
            total = len(cells) * len(self.cast.benches)
            self.progress.stage(stage, total, total - sum(map(len, waiting.values())))
        await together(
            self._pool(bench, waiting[bench.judge.name], partial(self._judge_cell, bench.judge, answered))
            for bench in self.cast.benches
        )

    async def _pool(self, bench: Bench, waiting: Iterable[T], judge: Callable[[T], Coroutine[Any, Any, None]]) -> None:
        queue = iter(waiting)

        async def work() -> None:
            for item in queue:
                await judge(item)
                self.progress.advance()
                # A judge that asks nobody must not keep the journal from being written.
                await asyncio.sleep(0)

        await together(work() for _ in range(bench.workers))

    async def _judge_cell(self, judge: Judge, answered: Answered, cell: Cell) -> None:
        pair = [answered.texts.get((cell.prompt.id, role, cell.repeat)) for role in ("candidate", "baseline")]
        extra: dict[str, Any] = {}
        if pair[0] is None or pair[1] is None:
            ruling = Ruling(verdict=None, status="skipped")
            extra |= answered.lack(cell)
        elif pair[0] == pair[1]:
            ruling = Ruling(verdict="tie", status="ok")
            extra["identical"] = True
        else:
            a, b = slots(pair[0], pair[1], cell.order)
            rng = seeded(self.job.suite.seed, judge.name, *cell.key)
            ruling, extra = await self._rule(judge, Presentation(prompt=cell.prompt, a=a, b=b), rng, cell.repeat)
        self.journal.append(JUDGMENTS, judgment_json(judge.name, cell, ruling, pair[0], pair[1]) | extra)

    async def _rule(self, judge: Judge, shown: Presentation, rng: Any, repeat: int) -> tuple[Ruling, dict[str, Any]]:
        try:
            return await judge.judge(shown, rng=rng, repeat=repeat), {}
        except CallFailed as error:
            status, why = failed(error)
            return Ruling(verdict=None, status=status), why

    def _copy_recorded(self, answered: Mapping[tuple[str, str, int], Texts], done: set[Any]) -> None:
        named = {
            prompt.id: {
                name: value
                for name, value in (("category", prompt.category), ("cluster", prompt.cluster))
                if value is not None
            }
            for prompt in self.job.suite.prompts
        }
        for verdicts in self.cast.recorded:
            for record in usable_records(verdicts.judgments, self.job.repeats):
                if record.key() in done:
                    continue
                whole = record.model_dump(exclude_unset=True)
                for name, value in named[record.id].items():
                    whole.setdefault(name, value)
                for role in ("candidate", "baseline"):
                    texts = answered.get((record.id, role, record.repeat))
                    if texts is not None:
                        whole.setdefault(f"{role}_length", _length(texts))
                self.journal.append(JUDGMENTS, whole)

    async def _controls(self, answered: Mapping[tuple[str, str, int], Texts]) -> None:
        pairs = planned_controls(self.job, answered)
        benches = [bench for bench in self.cast.benches if bench.controls]
        done = {control_key(r) for r in control_lines(self.run) if r["status"] not in UNANSWERED}
        waiting = {
            bench.judge.name: [
                (pair, order)
                for pair in pairs
                for order in CONTROL_ORDER
                if (bench.judge.name, pair.prompt.id, pair.role, pair.damage, order) not in done
            ]
            for bench in benches
        }
        total = len(pairs) * len(CONTROL_ORDER) * len(benches)
        self.progress.stage("control pairs", total, total - sum(map(len, waiting.values())))
        await together(
            self._pool(bench, waiting[bench.judge.name], partial(self._judge_control, bench.judge)) for bench in benches
        )

    async def _judge_control(self, judge: Judge, item: tuple[ControlPair, str]) -> None:
        pair, order = item
        a, b = slots(pair.whole, pair.damaged, CONTROL_ORDER[order])
        rng = seeded(self.job.suite.seed, judge.name, "control", pair.prompt.id, pair.role, pair.damage, order)
        ruling, extra = await self._rule(judge, Presentation(prompt=pair.prompt, a=a, b=b), rng, 0)
        self.journal.append(CONTROLS, control_json(judge.name, pair, order, ruling) | extra)


def presentations_of(job: Job) -> tuple[Cell, ...]:
    """Every presentation of a job."""
    return presentations(job.suite.prompts, job.repeats, job.suite.orders, job.suite.seed)


def planned_controls(job: Job, answered: Mapping[tuple[str, str, int], Texts]) -> tuple[ControlPair, ...]:
    """The run's control pairs: known once the first samples are there."""
    firsts = {(prompt, role): texts for (prompt, role, sample), texts in answered.items() if sample == 0}
    return control_pairs(job.suite.prompts, firsts, job.suite.seed)


def control_lines(run: Path) -> list[dict[str, Any]]:
    """A run's control verdicts, the last line of a key counting."""
    path = run / CONTROLS
    found: dict[Any, dict[str, Any]] = {}
    for _, value in read_lines(path, journal=True) if path.exists() else ():
        if not isinstance(value, dict):
            raise InputError([value])
        found[control_key(value)] = value
    return list(found.values())


def control_key(line: Mapping[str, Any]) -> tuple[Any, ...]:
    """What may stand only once in controls.jsonl."""
    return tuple(line.get(name) for name in ("judge", "id", "role", "damage", "order"))


def usable_records(judgments: Iterable[JudgmentRecord], repeats: Mapping[str, int]) -> list[JudgmentRecord]:
    """The recorded judgments that are about this run's prompts and repeats."""
    return [record for record in judgments if record.repeat < repeats.get(record.id, 0)]


def texts_of(responses: Mapping[tuple[str, str, int], ResponseRecord]) -> dict[tuple[str, str, int], Texts]:
    """The texts of every response that is one, by (id, role, sample), as judges see them: without thinking blocks."""
    return {
        key: tuple(map(as_judged, texts)) for key, record in responses.items() if (texts := record.texts()) is not None
    }


def _length(texts: Sequence[str]) -> int:
    return sum(map(len, texts))


def judgment_json(
    judge: str, cell: Cell, ruling: Ruling, candidate: Texts | None, baseline: Texts | None
) -> dict[str, Any]:
    """The contract's judgment record of one ruling, in slots and in candidate terms."""
    record: dict[str, Any] = {"id": cell.prompt.id, "judge": judge, "order": cell.order, "repeat": cell.repeat}
    record |= {
        "verdict": ruling.verdict,
        "winner": None if ruling.verdict is None else winner_of(ruling.verdict, cell.order),
        "status": ruling.status,
    }
    optional = {
        "mode": ruling.mode,
        "category": cell.prompt.category,
        "cluster": cell.prompt.cluster,
        "scores": ruling.scores,
        "reply": ruling.reply,
        "preference": None if ruling.probability_a is None else preference_of(ruling.probability_a, cell.order),
        "asked": ruling.asked,
        "candidate_length": None if candidate is None else _length(candidate),
        "baseline_length": None if baseline is None else _length(baseline),
    }
    return record | {name: value for name, value in optional.items() if value is not None}


def control_json(judge: str, pair: ControlPair, order: str, ruling: Ruling) -> dict[str, Any]:
    """One control verdict: `right` is True where the whole response was named, False the damaged one, null neither."""
    named = None if ruling.verdict is None else winner_of(ruling.verdict, CONTROL_ORDER[order])
    record: dict[str, Any] = {
        "id": pair.prompt.id,
        "judge": judge,
        "role": pair.role,
        "damage": pair.damage,
        "order": order,
        "verdict": ruling.verdict,
        "right": {"candidate": True, "baseline": False}.get(str(named)),
        "status": ruling.status,
        "whole": list(pair.whole),
        "damaged": list(pair.damaged),
    }
    further = (("mode", ruling.mode), ("reply", ruling.reply), ("asked", ruling.asked))
    return record | {name: value for name, value in further if value is not None}
