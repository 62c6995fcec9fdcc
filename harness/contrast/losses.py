"""Losses as a side: the candidate of a perplexity run's folder, document by document."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.contrast.asked import about_baseline, slices_of
from harness.contrast.measured import Facts, Named, Side
from harness.errors import InputError, Problem
from harness.leakage import guard
from harness.perplexity.collect import Found, find, is_complete
from harness.perplexity.documents import Document
from harness.perplexity.records import LOSSES
from harness.report.numerals import listed, plural


def of_loss_run(path: Path, judges: Sequence[str] = ()) -> Side:
    """The side of a perplexity run. Raises InputError where the run's files are not a run's, or judges are named."""
    if judges:
        raise InputError([Problem(path=str(path), what="holds losses, which no judge gave; leave --judge out")])
    found = find(path)
    prompts, records = found.job.suite.prompts, found.losses["candidate"]
    leaked = guard.from_json(found.manifest.get("leakage"))
    return Side(
        path=path,
        kind="losses",
        prompts=tuple(prompt.id for prompt in prompts),
        scores={
            prompt.id: loss
            for prompt in prompts
            if prompt.id in records and (loss := records[prompt.id].loss) is not None
        },
        facts=_facts(found, leaked.ids if leaked is not None else ()),
        slices=slices_of((prompt.id, [prompt.category]) for prompt in prompts),
        clusters={prompt.id: prompt.cluster for prompt in prompts if prompt.cluster is not None},
        losses=tuple(records[prompt.id] for prompt in prompts if prompt.id in records),
        notes=(*_notes(found), *_leaked(leaked)),
    )


def _notes(found: Found) -> list[str]:
    """What has to be known of the candidate's losses."""
    name, asked = LOSSES["candidate"], len(found.job.suite.prompts)
    said = [f"{name} was edited or cut after the run, and figures rest on it as it is"] if name in found.edited else []
    if asked < found.job.full:
        said.append(f"only {asked:,} of the suite's {plural(found.job.full, 'document')} were measured (--limit)")
    return [*said, *(note for note in found.manifest.get("notes", ()) if not about_baseline(note))]


def _leaked(finding: guard.Finding | None) -> list[str]:
    if finding is None or not finding.ids:
        return []
    return [f"{plural(len(finding.ids), 'document')} of it stood in training data ({listed(finding.ids, 3)})"]


def _facts(found: Found, leaked: Sequence[str]) -> Facts:
    job, known = found.job, found.manifest.get("fingerprints", {})
    max_length, stride = job.window
    device = found.manifest.get("device")
    return Facts(
        suite=job.suite.name,
        texts={document.id: _text(document) for document in job.documents},
        leaked=tuple(leaked),
        ways={
            "documents": f"in windows of {max_length:,} tokens, each {stride:,} further on",
            "what counts in them": job.suite.loss_on or "answers of conversations, all of texts",
        },
        candidate=Named(spec=job.candidate.text, fingerprint=known.get("candidate")),
        complete=is_complete(found),
        settings={"device": str(device)} if device is not None else {},
    )


def _text(document: Document) -> tuple[str, ...]:
    """All that a document says, and who says it."""
    return tuple(f"{one.role}: {one.content}" for one in document.messages) or (document.text,)
