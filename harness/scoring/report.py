"""Everything one score report shows, as a value; every way of writing it reads this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.records import ScoreRecord
from harness.scoring.collect import Found
from harness.scoring.summary import ScoreSummary
from judges.reward import CENTER, SPREAD, formula


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One contestant's answers to one sample of a prompt, one text an answered turn, with every grade they got."""

    texts: tuple[str, ...] | None
    grades: tuple[ScoreRecord, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One sample of a prompt: its turns, and what each contestant answered, by role."""

    id: str
    sample: int
    category: str | None
    turns: tuple[str, ...]
    reference: tuple[str, ...]
    answers: Mapping[str, Answer]


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreReport:
    """`title` are the first lines (suite, contestants), `facts` label → text on how it was made."""

    title: tuple[str, ...]
    summary: ScoreSummary
    items: tuple[Item, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


def report_of(found: Found, summary: ScoreSummary) -> ScoreReport:
    """The report of a score run, items in the suite's order."""
    job = found.job
    grades: dict[tuple[str, str, int], list[ScoreRecord]] = {}
    for role, rows in found.scores.items():
        for row in rows:
            sample = int((row.model_extra or {}).get("sample", 0) or 0)
            grades.setdefault((row.id, role, sample), []).append(row)
    items = []
    for prompt in job.suite.prompts:
        for sample in range(job.repeats[prompt.id]):
            answers = {}
            for role in job.contestants:
                record = found.responses.get((prompt.id, role, sample))
                own = sorted(grades.get((prompt.id, role, sample), []), key=lambda r: (r.judge, r.turn, r.repeat))
                texts = (record.answered() or None) if record is not None else None
                answers[role] = Answer(texts=texts, grades=tuple(own))
            items.append(
                Item(
                    id=prompt.id,
                    sample=sample,
                    category=prompt.category,
                    turns=prompt.turns,
                    reference=prompt.reference,
                    answers=answers,
                )
            )
    title = (job.suite.name, *(f"{role}: {spec.text}" for role, spec in job.contestants.items()))
    return ScoreReport(title=title, summary=summary, items=tuple(items), facts=_facts(found))


def _facts(found: Found) -> dict[str, str]:
    job, suite = found.job, found.job.suite
    ways = []
    for spec in job.judges:
        own = spec.asking
        told = [own.mode and f"{own.mode} mode", own.template]
        if spec.kind == "reward":
            told.append(f"grade = {formula(own.center or CENTER, own.spread or SPREAD)}")
        named = ", ".join(text for text in told if text)
        ways.append(f"{spec.text} ({named})" if named else spec.text)
    samples = sorted(set(job.repeats.values()))
    return {
        "suite": f"{suite.name}, {len(suite.prompts)} prompts",
        "judges": ", ".join(ways),
        "samples a prompt": f"{samples[0]}" if len(samples) == 1 else f"{samples[0]} to {samples[-1]}",
        **({"askings a judge": str(suite.judge_repeats)} if suite.judge_repeats > 1 else {}),
        "sampling": ", ".join(f"{name} {value:g}" for name, value in suite.sampling.given().items()),
        "judge sampling": ", ".join(f"{name} {value:g}" for name, value in suite.judge_sampling.given().items()),
        "seed": str(suite.seed),
        "versions": ", ".join(f"{name} {version}" for name, version in found.manifest.get("versions", {}).items()),
    }
