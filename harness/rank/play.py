"""Plays a round robin in its folder: all answers first, then one ordinary run for every pair, on shared answers.

The same command goes on where it stopped; what stands on disk is neither generated nor judged again.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness import folder
from harness.carrying import Stop
from harness.job import from_manifest
from harness.launch import Resolve, carry_out, conclude, plan_job, same_inputs
from harness.models.meter import Meter
from harness.models.spec import Spec
from harness.progress import Progress
from harness.rank.answering import answer, manifest_of, open_contestants, unanswered, unchanged
from harness.rank.robin import Robin, file_of, pairs_of, same
from harness.report.numerals import plural
from harness.workshop import Workshop

SHARED = "every contestant answered once for all its pairs; the pairs read these responses from the ranking's folder"


@dataclass(frozen=True, kw_only=True, slots=True)
class Played:
    """How far a round robin came: the pairs whose runs are there, what stopped it, and whether all is whole."""

    runs: tuple[Path, ...]
    pairs: int
    stopped: Stop | None
    complete: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Player:
    """A round robin under way: what is asked, where, and what it is asked with."""

    robin: Robin
    out: Path
    resolve: Resolve
    meter: Meter
    progress: Progress

    def play(self) -> Played:
        """Do all that is not on disk yet. Raises InputError on anything that can be known before a call."""
        robin, out = self.robin, self.out
        with ExitStack() as held:
            if (out / folder.MANIFEST).exists():
                manifest = held.enter_context(folder.reopen(out))
                same(robin, manifest, out)
                opened = self._opened(unanswered(robin, manifest, out))
                unchanged(opened, manifest, out)
            else:
                folder.free(out)
                opened = self._opened(list(range(len(robin.specs))))
                manifest = manifest_of(robin, opened)
                held.enter_context(folder.create(out, manifest))
            stopped = answer(robin, manifest, opened, out, self.progress) or self._pairs(manifest)
            played = self._played(stopped)
            folder.write_whole(out / folder.MANIFEST, folder.as_json({**manifest, "complete": played.complete}))
        return played

    def _opened(self, places: list[int]) -> Any:
        return open_contestants(self.robin, places, self.resolve, meter=self.meter, progress=self.progress)

    def _pairs(self, manifest: Mapping[str, Any]) -> Stop | None:
        """Run every pair that is not complete; what stopped it, or None."""
        for i, j, path in pairs_of(len(self.robin.specs), self.out):
            if not (path / folder.MANIFEST).exists():
                stopped = self._begin(manifest, (i, j), path)
            elif not folder.read_manifest(path)["complete"]:
                stopped = self._go_on(path)
            else:
                continue
            if stopped is not None:
                return stopped
        return None

    def _begin(self, ranking: Mapping[str, Any], pair: tuple[int, int], path: Path) -> Stop | None:
        robin = self.robin
        shared = {f"recorded/{file_of(self.out, place).resolve()}": robin.specs[place] for place in pair}

        def known(spec: Spec) -> Spec:
            """What lies in the ranking's folder stands under the spec of whoever gave it."""
            return replace(spec, text=shared[spec.text]) if spec.text in shared else self.resolve(spec)

        job, cast, manifest, workshop = plan_job(
            robin.full, robin.options(*shared), known, meter=self.meter, say=self.progress.say
        )
        manifest["notes"] = [*manifest["notes"], SHARED, *_of_contestants(ranking, pair)]
        with folder.create(path, manifest):
            self.progress.say(f"{path.name}: {' against '.join(shared.values())} → {path}")
            stopped = carry_out(job, cast, workshop, path, self.progress)
            return conclude(path, manifest, stopped)[1]

    def _go_on(self, path: Path) -> Stop | None:
        with folder.reopen(path) as manifest:
            job = from_manifest(manifest)
            workshop = Workshop(concurrency=self.robin.concurrency, meter=self.meter, say=self.progress.say)
            cast = workshop.cast(job)
            same_inputs(manifest, workshop, path)
            self.progress.say(f"{path.name} goes on → {path}")
            stopped = carry_out(job, cast, workshop, path, self.progress)
            return conclude(path, manifest, stopped)[1]

    def _played(self, stopped: Stop | None) -> Played:
        runs = [path for _, _, path in pairs_of(len(self.robin.specs), self.out)]
        there = [path for path in runs if (path / folder.MANIFEST).exists()]
        whole = [path for path in there if folder.read_manifest(path)["complete"]]
        complete = stopped is None and len(whole) == len(runs)
        return Played(runs=tuple(there), pairs=len(runs), stopped=stopped, complete=complete)


def _of_contestants(ranking: Mapping[str, Any], pair: tuple[int, int]) -> list[str]:
    """What a reader of a pair's run must know of the two, whose answers it only reads."""
    said = []
    for place in pair:
        one = ranking["contestants"][place]
        said += [f"{one['spec']}: {warning}" for warning in one["warnings"]]
        if one["leaked"]:
            said.append(f"{one['spec']}: {plural(len(one['leaked']), 'prompt')} stand in its training data")
    return said
