"""Executes a perplexity job in its folder: every document's loss by candidate and baseline. Resumable.

The candidate's losses are in losses.jsonl, the baseline's in losses_baseline.jsonl; what stands there is not measured
again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.journal import Journal, repair
from harness.perplexity.documents import Document
from harness.perplexity.job import LossJob
from harness.perplexity.measuring import Done, Measurer
from harness.perplexity.records import LOSSES, LossRecord
from harness.progress import Progress
from harness.records import on_disk


@dataclass(frozen=True, kw_only=True)
class LossExecutor:
    """One perplexity run under way: its job, who measures by role, its folder."""

    job: LossJob
    measurers: Mapping[str, Measurer]
    run: Path
    journal: Journal
    progress: Progress

    async def work(self) -> None:
        """Do all that is not on disk yet. Raises RunStopped where it cannot go on, InputError on faulty input."""
        for name in LOSSES.values():
            if repair(self.run / name):
                self.progress.say(f"{name}: the last line was torn; mended")
        documents = self.job.documents
        for role, measurer in self.measurers.items():
            there = {record.id for record in on_disk(self.run / LOSSES[role], LossRecord)}
            missing = [document for document in documents if document.id not in there]
            self.progress.stage(f"losses of the {role}", len(documents), len(documents) - len(missing))
            await measurer.measure(missing, self._keeper(role))

    def _keeper(self, role: str) -> Done:
        prompts = {prompt.id: prompt for prompt in self.job.suite.prompts}

        def keep(document: Document, found: dict[str, Any]) -> None:
            prompt = prompts[document.id]
            record: dict[str, Any] = {"id": document.id, **found}
            record |= {"category": prompt.category} if prompt.category is not None else {}
            record |= {"cluster": prompt.cluster} if prompt.cluster is not None else {}
            self.journal.append(LOSSES[role], record)
            self.progress.advance()

        return keep
