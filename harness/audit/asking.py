"""An audit under way: both contestants answer, the judge is asked, and what arrives is journalled at once.

A second audit in the same folder asks for nothing that is on disk: a line counts where its place and everything that
was shown and asked are the same; whatever changed since is asked anew. Known-bias judges ask nobody and are not
journalled.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.audit.plan import Plan, Shown
from harness.carrying import Stop
from harness.errors import CallFailed, InputError, RunStopped
from harness.job import Job
from harness.journal import Journal, repair
from harness.models.contestant import Answer, Question
from harness.models.spec import Spec
from harness.outcome import slots
from harness.plan import Cell, seeded
from harness.pool import together
from harness.progress import Progress
from harness.records import JudgmentRecord, ResponseRecord, read_lines
from harness.rerun.noise import steady
from harness.responding import answered_for_good, response_json
from harness.run import UNANSWERED, Bench, Cast, judgment_json, texts_of
from harness.toolong import failed
from harness.workshop import Workshop
from judges.controls import Texts
from judges.types import Judge, Presentation, Ruling

RESPONSES, VERDICTS = "responses.jsonl", "audit.jsonl"
Lines = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """A presentation and the judgment on it. In `record` the candidate is the subject of the probe."""

    shown: Shown
    record: JudgmentRecord


@dataclass(kw_only=True, slots=True)
class Found:
    """What an audit has gathered so far, by judge; what stopped it early, if anything did."""

    responses: Mapping[tuple[str, str, int], ResponseRecord] = field(default_factory=dict)
    heard: dict[str, list[Heard]] = field(default_factory=dict)
    plan: Plan | None = None
    stopped: Stop | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """One audit: its job, whose first judge is audited, and its folder, where it has one.

    `plan` makes the plan from the responses, once they are there.
    """

    job: Job
    cast: Cast
    workshop: Workshop
    folder: Path | None
    progress: Progress
    plan: Callable[[Mapping[tuple[str, str], Texts]], Plan]

    @property
    def audited(self) -> Spec:
        return self.job.judges[0]

    def put_to_judge(self, plan: Plan) -> Plan:
        """What the audited judge is really shown: nothing again where it is deterministic."""
        if deterministic(self.audited, self.job) is None:
            return plan
        return replace(plan, shown=tuple(shown for shown in plan.shown if shown.probe != "again"))

    def carry_out(self) -> Found:
        """Do all that is not on disk, as far as it goes."""
        found = Found()
        try:
            asyncio.run(self._work(found))
        except (RunStopped, InputError, KeyboardInterrupt) as stopped:
            found.stopped = stopped
        return found

    async def _work(self, found: Found) -> None:
        journal = Journal(self.folder) if self.folder is not None else None
        try:
            found.responses = await self._responses(journal)
            firsts = {(prompt, role): texts for (prompt, role, _), texts in texts_of(found.responses).items()}
            found.plan = self.plan(firsts)
            for bench in self.cast.benches[1:]:
                found.heard[bench.judge.name] = await self._known_bias(bench, found.plan)
            await self._judge(self.cast.benches[0], found, journal)
        finally:
            try:
                if journal is not None:
                    journal.close()
            finally:
                await self.workshop.aclose()

    async def _responses(self, journal: Journal | None) -> dict[tuple[str, str, int], ResponseRecord]:
        """The first response of both sides to every prompt."""
        kept = self._lines(RESPONSES)
        found: dict[tuple[str, str, int], ResponseRecord] = {}
        for role, contestant in (("candidate", self.cast.candidate), ("baseline", self.cast.baseline)):
            spec = self.job.candidate if role == "candidate" else self.job.baseline
            missing = []
            for question in self._questions():
                line = kept.get(_digest(role, question.prompt.id, self._asked_of(role, question)))
                record = ResponseRecord.model_validate(line) if line is not None else None
                if record is not None and answered_for_good(record):
                    found[question.prompt.id, role, 0] = record
                else:
                    missing.append(question)

            def keep(question: Question, answer: Answer, role: str = role, model: str = spec.text) -> None:
                line = response_json(question, answer, role, model)
                if journal is not None:
                    key = _digest(role, question.prompt.id, self._asked_of(role, question))
                    journal.append(RESPONSES, {**line, "key": key})
                found[question.prompt.id, role, 0] = ResponseRecord.model_validate(line)
                self.progress.advance()

            total = len(self.job.suite.prompts)
            self.progress.stage(f"{role} answers", total, total - len(missing))
            if missing:
                await contestant.answer(missing, keep)
        return found

    def _questions(self) -> list[Question]:
        return [Question(prompt=p, sample=0, sampling=self.job.sampling_of(p)) for p in self.job.suite.prompts]

    def _asked_of(self, role: str, question: Question) -> Any:
        prompt = question.prompt
        known = self.workshop.fingerprints.get(role)
        return [known, prompt.system, prompt.turns, asdict(question.sampling), self.job.suite.seed]

    async def _known_bias(self, bench: Bench, plan: Plan) -> list[Heard]:
        wanted = [s for s in plan.shown if s.probe != "again" or bench.judge.name == "control/random"]
        return [await self._rule(bench.judge, shown) for shown in wanted]

    async def _judge(self, bench: Bench, found: Found, journal: Journal | None) -> None:
        assert found.plan is not None
        plan, kept = self.put_to_judge(found.plan), self._lines(VERDICTS)
        heard = found.heard.setdefault(bench.judge.name, [])
        waiting: list[tuple[Shown, str]] = []
        for shown in plan.shown:
            key = _digest(bench.judge.name, *shown.key, self._put(shown))
            line = kept.get(key)
            if line is not None and line.get("status") not in UNANSWERED:
                heard.append(Heard(shown=shown, record=_record(line)))
            else:
                waiting.append((shown, key))
        self.progress.stage("verdicts", len(plan.shown), len(plan.shown) - len(waiting))
        queue = iter(waiting)

        async def work() -> None:
            for shown, key in queue:
                one = await self._rule(bench.judge, shown)
                if journal is not None:
                    journal.append(VERDICTS, {**one.record.model_dump(exclude_unset=True), "key": key})
                heard.append(one)
                self.progress.advance()
                # A judge that asks nobody must not keep the journal from being written.
                await asyncio.sleep(0)

        await together(work() for _ in range(min(bench.workers, max(1, len(waiting)))))

    def _put(self, shown: Shown) -> Any:
        """Everything that a verdict rests on: the texts, the prompt, and how this judge is asked."""
        spec, marks = self.audited, self.workshop.fingerprints
        how: list[Any] = [asdict(spec.asking), marks.get(spec.text), marks.get(f"template of {spec.text}")]
        how += [asdict(self.job.suite.judge_sampling), [asdict(each) for each in self.job.suite.criteria]]
        return [asdict(shown.prompt), shown.subject, shown.beside, how, self.job.suite.seed]

    async def _rule(self, judge: Judge, shown: Shown) -> Heard:
        a, b = slots(shown.subject, shown.beside, shown.order)
        rng = seeded(self.job.suite.seed, judge.name, "audit", *shown.key)
        more: Lines = {"probe": shown.probe, "role": shown.role}
        more |= {"variant": shown.variant} if shown.variant else {}
        try:
            presented = Presentation(prompt=shown.prompt, a=a, b=b)
            ruling = await judge.judge(presented, rng=rng, repeat=shown.repeat)
        except CallFailed as error:
            status, why = failed(error)
            ruling, more = Ruling(verdict=None, status=status), {**more, **why}
        cell = Cell(prompt=shown.prompt, repeat=shown.repeat, order=shown.order)
        return Heard(shown=shown, record=_record(judgment_json(judge.name, cell, ruling, *_sides(shown)) | more))

    def _lines(self, name: str) -> dict[str, Lines]:
        """The lines of a journal by their key, the last one counting; none without a folder."""
        if self.folder is None or not (self.folder / name).exists():
            return {}
        if repair(self.folder / name):
            self.progress.say(f"{name}: the last line was torn; mended")
        found: dict[str, Lines] = {}
        for _, value in read_lines(self.folder / name, journal=True):
            if not isinstance(value, dict):
                raise InputError([value])
            found[str(value.get("key"))] = value
        return found


def _sides(shown: Shown) -> tuple[Texts, Texts]:
    return shown.subject, shown.beside


def _record(line: Mapping[str, Any]) -> JudgmentRecord:
    return JudgmentRecord.model_validate({name: value for name, value in line.items() if name != "key"})


def _digest(*parts: Any) -> str:
    """What makes one question; equal digests are the same question."""
    text = json.dumps(parts, ensure_ascii=True, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def deterministic(spec: Spec, job: Job) -> str | None:
    """Why a judge says the same of the same presentation every time; None where it may not."""
    if spec.kind == "control" and spec.rest == "random":
        return None
    return steady(spec, job)
