"""Judges a run's responses once more from records and cache alone, in a folder of its own; the run is only read."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.collect import Found
from harness.errors import HarnessError, InputError
from harness.folder import MANIFEST
from harness.journal import Journal
from harness.judging import template_of
from harness.models.recorded import RecordedVerdicts, file_sha256, load_verdicts
from harness.models.spec import Spec
from harness.progress import Silent as NoProgress
from harness.records import JudgmentRecord
from harness.rerun.cached import Replaying, Silent, cached_model, journalled
from harness.responding import RESPONSES
from harness.run import Bench, Cast, Executor
from harness.workshop import APIS, Workshop, wanted
from judges.build import build


@dataclass(frozen=True, kw_only=True, slots=True)
class Replayed:
    """How a run was judged once more. `how` says by judge where its verdicts came from, and how many.

    The ways are "judged" (it really judged again), "cache", "file", "journal" and "absent". `differences` are inputs
    that are no longer those of the run (what, was, now); `notes` say what could not be replayed, and why.
    """

    how: Mapping[str, Counter[str]]
    differences: tuple[tuple[str, object, object], ...]
    notes: tuple[str, ...]


class Replay:
    """Sets up judges that ask nobody, and lets them judge."""

    def __init__(self, found: Found, judgments: Sequence[JudgmentRecord], workshop: Workshop) -> None:
        self._found, self._judgments, self._workshop = found, judgments, workshop
        self._how: dict[str, Counter[str]] = {}
        self._differences: list[tuple[str, object, object]] = []
        self._notes: list[str] = []

    def into(self, run: Path, place: Path) -> Replayed:
        """Judge the responses of `run` into journals in `place`. Raises InputError where a judge cannot read them."""
        shutil.copyfile(run / MANIFEST, place / MANIFEST)
        if (run / RESPONSES).exists():
            shutil.copyfile(run / RESPONSES, place / RESPONSES)
        job = self._found.job
        benches = tuple(self._bench(spec) for spec in job.judges if spec.kind != "recorded")
        recorded = tuple(v for spec in job.judges if spec.kind == "recorded" for v in self._verdicts(spec))
        cast = Cast(candidate=Silent(), baseline=Silent(), benches=benches, recorded=recorded)
        asyncio.run(self._judge(cast, place))
        return Replayed(how=self._how, differences=tuple(self._differences), notes=tuple(self._notes))

    async def _judge(self, cast: Cast, place: Path) -> None:
        journal = Journal(place)
        try:
            job = self._found.job
            await Executor(job=job, cast=cast, run=place, journal=journal, progress=NoProgress()).work()
        finally:
            journal.close()
            await self._workshop.aclose()

    def _bench(self, spec: Spec) -> Bench:
        if spec.kind in APIS:
            return Bench(judge=self._asked(spec), controls=True, workers=1)
        try:
            bench = self._workshop.bench(spec, self._found.job)
        except HarnessError as error:
            self._notes.append(f"{spec.text}: cannot judge again ({error}); its verdicts are taken from the journal")
            return self._from_journal(spec)
        if self._moved(spec.text, spec.text, self._workshop.fingerprints.get(spec.text)):
            return self._from_journal(spec)
        self._how[spec.text] = Counter({"judged": 0})
        return bench

    def _asked(self, spec: Spec) -> Replaying:
        """An API's judge with its cached replies, and the journal behind them."""
        found = self._found
        known = journalled(found, self._judgments, spec.text)
        inner = None
        try:
            model = cached_model(spec, self._workshop.cache)
        except InputError as error:
            self._notes.append(f"{spec.text}: its cached replies cannot be looked up ({error})")
        else:
            made = template_of(spec)
            self._moved(f"template of {spec.text}", f"the template of {spec.text}", made.sha256 if made else None)
            inner = build(spec.kind, wanted(spec, found.job, model, made))
        judge = Replaying(name=spec.text, inner=inner, known=known)
        self._how[spec.text] = judge.tally
        return judge

    def _from_journal(self, spec: Spec) -> Bench:
        judge = Replaying(name=spec.text, inner=None, known=journalled(self._found, self._judgments, spec.text))
        self._how[spec.text] = judge.tally
        return Bench(judge=judge, controls=spec.kind != "control", workers=1)

    def _verdicts(self, spec: Spec) -> tuple[RecordedVerdicts, ...]:
        """Recorded verdicts from their file where it is still the run's, else from the journal."""
        try:
            moved = self._moved(spec.text, spec.text, file_sha256(spec.path))
            held = () if moved else load_verdicts(spec.path)
        except InputError as error:
            self._notes.append(f"{spec.text}: cannot be read again ({error}); its verdicts are taken from the journal")
            held = ()
        way, found = ("file", held) if held else ("journal", self._journalled_verdicts())
        for verdicts in found:
            of = sum(record.judge == verdicts.name for record in self._judgments)
            self._how[verdicts.name] = Counter({way: of})
        return found

    def _journalled_verdicts(self) -> tuple[RecordedVerdicts, ...]:
        names = set(self._found.manifest.get("recorded_judgments", {})) - set(self._how)
        return tuple(
            RecordedVerdicts(name=name, path=Path(), judgments=tuple(r for r in self._judgments if r.judge == name))
            for name in sorted(names)
        )

    def _moved(self, key: str, what: str, now: str | None) -> bool:
        """Whether an input is no longer what the run began with; noted as a difference."""
        was = self._found.manifest.get("fingerprints", {}).get(key)
        if now is None or was is None or now == was:
            return False
        self._differences.append((f"{what} has changed since the run (SHA-256)", str(was)[:12], now[:12]))
        return True
