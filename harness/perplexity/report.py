"""Everything one perplexity report shows, as a value; every way of writing it reads this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.perplexity.collect import Found
from harness.perplexity.summary import LossSummary
from harness.report.numerals import plural


@dataclass(frozen=True, kw_only=True, slots=True)
class LossReport:
    """`title` are the first lines (suite, contestants), `facts` label → text on how it was made."""

    title: tuple[str, ...]
    summary: LossSummary
    facts: Mapping[str, str]


def report_of(found: Found, summary: LossSummary) -> LossReport:
    """The report of a perplexity run."""
    job = found.job
    title = (job.suite.name, *(f"{role}: {spec.text}" for role, spec in job.contestants.items()))
    max_length, stride = job.window
    facts = {
        "suite": f"{job.suite.name}, {plural(len(job.suite.prompts), 'document')}",
        "loss on": _counted(found),
        "windows": f"{max_length:,} tokens, the next one begins {stride:,} further on",
        "first token": _first_token(found),
        "read": f"on {found.manifest.get('device', 'an unknown device')}",
        "seed": str(job.suite.seed),
        "versions": ", ".join(f"{name} {version}" for name, version in found.manifest.get("versions", {}).items()),
    }
    return LossReport(title=title, summary=summary, facts=facts)


def _counted(found: Found) -> str:
    """Which tokens count, of how many documents."""
    documents = found.job.documents
    parts = {
        "the response tokens of": [d for d in documents if d.chat and d.loss_on == "response"],
        "all tokens of": [d for d in documents if d.chat and d.loss_on == "all"],
        "all tokens of ": [d for d in documents if not d.chat],
    }
    nouns = ("conversation", "conversation", "text")
    said = [
        f"{what.strip()} {plural(len(held), noun)}"
        for (what, held), noun in zip(parts.items(), nouns, strict=True)
        if held
    ]
    return " and ".join(said)


def _first_token(found: Found) -> str:
    """Whether anything stands in front of a plain text."""
    marks = {role: {r.begin_mark for r in rows.values()} - {None} for role, rows in found.losses.items()}
    with_mark = [role for role, own in marks.items() if own == {True}]
    said = "not counted, for nothing foretells it"
    if with_mark:
        return (
            f"{said}; the tokenizer of {' and '.join(with_mark)} puts a mark before a text, so all of the text counts"
        )
    return said
