"""Whether greedy answers depend on the batch they were in: some are answered once more, each alone, and compared.

Local models alone are batched here. What was compared is kept in the run's folder, so that it is not answered again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from harness.journal import Journal
from harness.models.contestant import Contestant, Question
from harness.plan import seeded
from harness.progress import Progress
from harness.records import Record, ResponseRecord, on_disk
from harness.report.numerals import listed, one_line, percent, plural, span
from harness.scoring.job import ScoreJob
from harness.stats.intervals import wilson

COMPARED = "batching.jsonl"
# So many prompts whose answers differ are named.
NAMED = 5

Responses = Mapping[tuple[str, str, int], ResponseRecord]


class Compared(Record):
    """One answer that was written again: `{"id", "role", "equal", "alone"?}`; `alone` where it is another one."""

    role: str
    equal: bool
    alone: list[str] | None = None

    def key(self) -> tuple[str, str]:
        """One line a prompt and role."""
        return (self.id, self.role)


@dataclass(frozen=True, kw_only=True, slots=True)
class Alone:
    """Of `n` prompts of one contestant that were answered again alone, `equal` got the same answer to the letter.

    `different` are the others. `reason` says why nothing was answered again where n is 0.
    """

    n: int
    equal: int
    different: tuple[str, ...] = ()
    reason: str | None = None

    @property
    def ci(self) -> tuple[float, float] | None:
        """Wilson's 95 % interval of the share; None without a prompt."""
        return wilson(self.equal / self.n, self.n) if self.n else None

    def as_json(self) -> dict[str, Any]:
        """One role's value under "batching" in `summary.json`."""
        if self.ci is None:
            return {"n": 0, "reason": self.reason}
        share = {"share": self.equal / self.n, "ci": list(self.ci)}
        return {"n": self.n, "equal": self.equal, **share, "different": list(self.different)}


class _Local(Protocol):
    async def alone(self, question: Question) -> tuple[str, ...]: ...


def planned(job: ScoreJob, role: str, responses: Responses) -> tuple[str, ...]:
    """The prompts of a contestant to answer again: a seeded draw of those it answered whole and greedily."""
    if job.contestants[role].kind != "hf":
        return ()
    fit = [
        prompt.id
        for prompt in job.suite.prompts
        if not job.sampling_of(prompt).temperature
        and (record := responses.get((prompt.id, role, 0))) is not None
        and record.finish != "error"
        and len(record.texts() or ()) == len(prompt.turns)
    ]
    drawn = set(seeded(job.suite.seed, "batching", role).sample(fit, min(job.check_batching, len(fit))))
    return tuple(name for name in fit if name in drawn)


async def compare(
    run: Path,
    journal: Journal,
    progress: Progress,
    job: ScoreJob,
    contestants: Mapping[str, Contestant],
    responses: Responses,
) -> None:
    """Answer again, one by one and past the cache, what is planned and not on disk. Raises what a contestant raises."""
    done = {record.key() for record in on_disk(run / COMPARED, Compared)}
    prompts = {prompt.id: prompt for prompt in job.suite.prompts}
    for role, contestant in contestants.items():
        wanted = planned(job, role, responses)
        waiting = [name for name in wanted if (name, role) not in done]
        if wanted:
            progress.stage(f"{role} answers alone", len(wanted), len(wanted) - len(waiting))
        for name in waiting:
            prompt = prompts[name]
            texts = await cast(_Local, contestant).alone(
                Question(prompt=prompt, sample=0, sampling=job.sampling_of(prompt))
            )
            equal = texts == responses[name, role, 0].texts()
            line = {"id": name, "role": role, "equal": equal}
            journal.append(COMPARED, line if equal else {**line, "alone": list(texts)})
            progress.advance()


def is_complete(job: ScoreJob, responses: Responses, records: Iterable[Compared]) -> bool:
    """Whether all that is planned was answered again."""
    done = {record.key() for record in records}
    return all((name, role) in done for role in job.contestants for name in planned(job, role, responses))


def figures(job: ScoreJob, responses: Responses, records: Iterable[Compared]) -> dict[str, Alone]:
    """What was found, by role; nothing where nothing was asked for."""
    if not job.check_batching:
        return {}
    held = {record.key(): record for record in records}
    found = {}
    for role in job.contestants:
        own = [held[name, role] for name in planned(job, role, responses) if (name, role) in held]
        different = tuple(record.id for record in own if not record.equal)
        reason = None if own else _why_not(job, role, responses)
        found[role] = Alone(n=len(own), equal=len(own) - len(different), different=different, reason=reason)
    return found


def _why_not(job: ScoreJob, role: str, responses: Responses) -> str:
    if job.contestants[role].kind != "hf":
        return "it is no local model, so that nothing of it was batched here"
    if all(job.sampling_of(prompt).temperature for prompt in job.suite.prompts):
        return "its answers are sampled, and greedy ones alone can be compared"
    return "it was not asked again yet" if planned(job, role, responses) else "it answered no greedy prompt whole"


def said(found: Mapping[str, Alone]) -> list[str]:
    """One sentence a contestant."""
    return [f"{role}: {_sentence(own)}" for role, own in found.items()]


def _sentence(own: Alone) -> str:
    if own.ci is None:
        return f"no answer was written again alone: {own.reason}"
    share = f"{percent(own.equal / own.n, own.n)}, 95 % {span(*own.ci, own.n)}"
    return f"{own.equal:,} of {plural(own.n, 'greedy answer')} written again alone are the same to the letter ({share})"


def doubts(found: Mapping[str, Alone]) -> Iterable[str]:
    """What to say where answers depend on their batch."""
    for role, own in found.items():
        if own.different:
            named = listed([one_line(name, 30) for name in own.different], NAMED)
            yield (
                f"{role}: {len(own.different):,} of {plural(own.n, 'greedy answer')} came out otherwise when written "
                f"alone ({named}): rounding, which differs with the batch, decided there"
            )
