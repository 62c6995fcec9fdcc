"""`harness rerun --rejudge K`: the same judges about the same texts once more, the cache off. How often do they waver?

Nothing of the run changes. What was paid for is kept beside its journals, in a file of its own.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.carrying import Stop
from harness.collect import Found
from harness.errors import CallFailed, InputError, RunStopped
from harness.figures import PromptScore, judge_result
from harness.journal import Journal
from harness.outcome import slots
from harness.plan import Cell, limited, seeded
from harness.pool import together
from harness.progress import Progress
from harness.records import JudgmentRecord, on_disk
from harness.rerun.noise import steady
from harness.run import UNANSWERED, Bench, judgment_json, presentations_of, texts_of
from harness.stats.spread import Rate, clustered_rate
from harness.toolong import failed
from harness.workshop import Workshop
from judges.types import Presentation, Ruling


@dataclass(frozen=True, kw_only=True, slots=True)
class Waver:
    """One judge asked twice. `flips` are verdicts (in slots) that changed, of those both times usable.

    `decisive` of them went from A to B or back. `outcomes` are prompts whose outcome changed, of `prompts` scored both
    times; `unusable` presentations had no verdict in one of the two.
    """

    flips: Rate
    decisive: int
    outcomes: int
    prompts: int
    unusable: int

    def as_json(self) -> dict[str, Any]:
        return {
            "n": self.flips.n,
            "flips": self.flips.count,
            "flip_rate": self.flips.rate,
            "ci": list(self.flips.ci) if self.flips.ci else None,
            "decisive_flips": self.decisive,
            "outcomes_changed": self.outcomes,
            "prompts": self.prompts,
            "unusable": self.unusable,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejudged:
    """What asking again showed. `steady` says of the other judges why they were not asked; `kept` where answers lie."""

    prompts: int
    of: int
    seed: int
    complete: bool
    judges: Mapping[str, Waver]
    steady: Mapping[str, str]
    kept: Path | None
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": "rejudge",
            "prompts": self.prompts,
            "of": self.of,
            "seed": self.seed,
            "complete": self.complete,
            "judges": {name: found.as_json() for name, found in self.judges.items()},
            "deterministic": dict(self.steady),
            "kept": str(self.kept) if self.kept else None,
            "notes": list(self.notes),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What will be asked again: the benches, and the presentations that the run's own judge answered."""

    benches: tuple[Bench, ...]
    cells: tuple[Cell, ...]
    prompts: tuple[str, ...]
    steady: Mapping[str, str]


def plan(found: Found, workshop: Workshop, *, wanted: int, seed: int, nonce: str) -> Wanted:
    """Draw the prompts (by category, seeded) and set up the judges that may waver.

    Raises InputError where a key is unset or the judge's template has changed since the run.
    """
    job = replace(found.job, nonce=nonce)
    drawn = limited(found.prompts, wanted if wanted >= 1 else None, seed)
    ids = {prompt.id for prompt in drawn}
    still = {spec.text: why for spec in job.judges if (why := steady(spec, job)) is not None}
    benches = tuple(workshop.bench(spec, job) for spec in job.judges if spec.text not in still)
    cells = tuple(cell for cell in presentations_of(found.job) if cell.prompt.id in ids)
    return Wanted(benches=benches, cells=cells, prompts=tuple(prompt.id for prompt in drawn), steady=still)


def new_nonce() -> str:
    """A text that no request before has carried."""
    return secrets.token_hex(8)


def ask(
    found: Found, wanted: Wanted, *, run: Path, nonce: str, concurrency: int, workshop: Workshop, progress: Progress
) -> tuple[Path, Stop | None]:
    """Ask, and keep every answer in the run's folder. Returns that file, and what ended it early if anything did."""
    name = f"rejudged-{nonce}.jsonl"

    async def work() -> None:
        journal = Journal(run)
        try:
            await together(
                _bench(bench, found, wanted.cells, journal, name, concurrency, progress) for bench in wanted.benches
            )
        finally:
            try:
                journal.close()
            finally:
                await workshop.aclose()

    progress.stage("asked again", len(wanted.benches) * len(list(_open(found, wanted.cells))))
    try:
        asyncio.run(work())
    except (RunStopped, InputError, KeyboardInterrupt) as stopped:
        return run / name, stopped
    return run / name, None


def _open(found: Found, cells: Sequence[Cell]) -> Iterator[tuple[Cell, tuple[str, ...], tuple[str, ...]]]:
    """The presentations a judge is really asked about: both responses are there, and differ."""
    answered = texts_of(found.responses)
    for cell in cells:
        pair = [answered.get((cell.prompt.id, role, cell.repeat)) for role in ("candidate", "baseline")]
        if pair[0] is not None and pair[1] is not None and pair[0] != pair[1]:
            yield cell, pair[0], pair[1]


async def _bench(
    bench: Bench,
    found: Found,
    cells: Sequence[Cell],
    journal: Journal,
    name: str,
    concurrency: int,
    progress: Progress,
) -> None:
    waiting = _open(found, cells)

    async def work() -> None:
        for cell, candidate, baseline in waiting:
            a, b = slots(candidate, baseline, cell.order)
            rng = seeded(found.job.suite.seed, bench.judge.name, *cell.key)
            more: dict[str, Any] = {}
            try:
                shown = Presentation(prompt=cell.prompt, a=a, b=b)
                ruling = await bench.judge.judge(shown, rng=rng, repeat=cell.repeat)
            except CallFailed as error:
                status, more = failed(error)
                ruling = Ruling(verdict=None, status=status)
            journal.append(name, judgment_json(bench.judge.name, cell, ruling, candidate, baseline) | more)
            progress.advance()

    await together(work() for _ in range(min(bench.workers, concurrency)))


def figures(found: Found, wanted: Wanted, kept: Path, *, seed: int, stopped: Stop | None) -> Rejudged:
    """What the answers in `kept` say beside those of the run."""
    rows = on_disk(kept, JudgmentRecord)
    asked_again: dict[str, list[JudgmentRecord]] = defaultdict(list)
    for row in rows:
        asked_again[row.judge].append(row)
    names = [bench.judge.name for bench in wanted.benches]
    open_cells = len(list(_open(found, wanted.cells)))
    whole = stopped is None and all(row.status not in UNANSWERED for row in rows)
    same = len(wanted.cells) - open_cells
    notes = (
        [f"{same} presentations show the same text twice or lack a response, and were not asked about"] if same else []
    )
    return Rejudged(
        prompts=len(wanted.prompts),
        of=len(found.prompts),
        seed=seed,
        complete=whole and len(rows) == open_cells * len(names),
        judges={name: waver(_first(found, name, wanted.prompts), asked_again[name]) for name in names},
        steady=wanted.steady,
        kept=kept if kept.exists() else None,
        notes=tuple(notes),
    )


def _first(found: Found, judge: str, prompts: Sequence[str]) -> list[JudgmentRecord]:
    ids = set(prompts)
    return [row for row in found.judgments if row.judge == judge and row.id in ids]


def waver(first: Sequence[JudgmentRecord], second: Sequence[JudgmentRecord]) -> Waver:
    """One judge's first and second answers to the same presentations."""
    before = {row.key(): row for row in first}
    pairs = [(before[row.key()], row) for row in second if row.key() in before]
    both = [(one, two) for one, two in pairs if one.verdict is not None and two.verdict is not None]
    changed = np.array([one.verdict != two.verdict for one, two in both], dtype=bool)
    keys = {one.key() for one, _ in both}
    prompts = sorted({one.id for one, _ in both})
    scores = [_scores([row for row in rows if row.key() in keys], prompts) for rows in (first, second)]
    return Waver(
        flips=clustered_rate(changed, np.array([one.id for one, _ in both], dtype=str)),
        decisive=sum({one.verdict, two.verdict} == {"A", "B"} for one, two in both),
        outcomes=sum(scores[0][prompt].outcome != scores[1][prompt].outcome for prompt in prompts),
        prompts=len(prompts),
        unusable=len(second) - len(both),
    )


def _scores(rows: Sequence[JudgmentRecord], prompts: Sequence[str]) -> dict[str, PromptScore]:
    return judge_result(rows, prompts)[1]
