"""From a run's folder, or from judgments files, to a summary and a report. Reads; decides nothing itself.

A summary depends on what is on disk alone, so that a resumed run ends with the same one as an uninterrupted run.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import InputError, Problem
from harness.folder import MANIFEST, as_json, read_manifest, write_whole
from harness.job import Job, from_manifest
from harness.plan import presentations
from harness.records import JudgmentRecord, ResponseRecord, read
from harness.report.data import Comparison, Control, Report, Side
from harness.run import (
    CONTROL_ORDER,
    JUDGMENTS,
    RESPONSES,
    UNANSWERED,
    control_key,
    control_lines,
    on_disk,
    planned_controls,
    texts_of,
)
from harness.summary import Summary, summarize


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What a run's folder holds."""

    job: Job
    manifest: Mapping[str, Any]
    responses: Mapping[tuple[str, str, int], ResponseRecord]
    judgments: tuple[JudgmentRecord, ...]
    controls: tuple[dict[str, Any], ...]

    @property
    def judges(self) -> tuple[str, ...]:
        """Every judge of the run by name."""
        return tuple(self.manifest["judge_names"])

    @property
    def asked(self) -> tuple[str, ...]:
        """The judges that are asked in the run (not read from a file)."""
        return tuple(self.manifest["asked_judges"])


def find(run: Path) -> Found:
    """Read a run's folder. Raises InputError where it is none, or its files are not a run's."""
    manifest = read_manifest(run)
    job = from_manifest(manifest)
    responses = {(r.id, str(r.role), r.sample): r for r in on_disk(run / RESPONSES, ResponseRecord)}
    return Found(
        job=job,
        manifest=manifest,
        responses=responses,
        judgments=tuple(on_disk(run / JUDGMENTS, JudgmentRecord)),
        controls=tuple(control_lines(run)),
    )


def is_complete(found: Found) -> bool:
    """Whether every response, judgment and control verdict that was planned is there and was answered.

    A response that a recorded file itself marks as failed is a fact, not something that is still to come.
    """
    job = found.job
    for prompt in job.suite.prompts:
        for sample in range(job.repeats[prompt.id]):
            for role in ("candidate", "baseline"):
                record = found.responses.get((prompt.id, role, sample))
                if record is None or (record.finish == "error" and not _recorded(job, role)):
                    return False
    answered = {j.key() for j in found.judgments if j.status not in UNANSWERED or _fails_for_good(found, j)}
    for cell in presentations(job.suite.prompts, job.repeats, job.suite.orders, job.suite.seed):
        for judge in found.asked:
            if (cell.prompt.id, judge, cell.order, cell.repeat) not in answered:
                return False
    whole = {control_key(line) for line in found.controls if line["status"] not in UNANSWERED}
    return all(
        (judge, pair.prompt.id, pair.role, pair.damage, order) in whole
        for pair in planned_controls(job, texts_of(found.responses))
        for judge in with_controls(found.asked)
        for order in CONTROL_ORDER
    )


def with_controls(judges: Iterable[str]) -> list[str]:
    """The judges that are asked about control pairs: a judge with a known bias is not."""
    return [judge for judge in judges if not judge.startswith("control/")]


def _recorded(job: Job, role: str) -> bool:
    return (job.candidate if role == "candidate" else job.baseline).kind == "recorded"


def _fails_for_good(found: Found, judgment: JudgmentRecord) -> bool:
    if judgment.status != "skipped":
        return False
    for role in ("candidate", "baseline"):
        record = found.responses.get((judgment.id, role, judgment.repeat))
        if record is not None and record.finish == "error" and _recorded(found.job, role):
            return True
    return False


def summary_of(found: Found, *, complete: bool) -> Summary:
    """The figures of a run."""
    rights: dict[str, list[bool | None]] = {judge: [] for judge in with_controls(found.asked)}
    for control in found.controls:
        # A call that never arrived says nothing about the judge; the run is incomplete and says so.
        if control["judge"] in rights and control["status"] not in UNANSWERED:
            rights[control["judge"]].append(control["right"])
    job = found.job
    return summarize(
        found.judgments,
        prompts={prompt.id: prompt.category for prompt in job.suite.prompts},
        judges=found.judges,
        control_rights={judge: values for judge, values in rights.items() if values},
        complete=complete,
        equivalence=job.suite.equivalence,
        identical=_identical(found.responses),
        notes=_notes(found),
    )


def _identical(responses: Mapping[tuple[str, str, int], ResponseRecord]) -> int:
    count = 0
    for (prompt, role, sample), record in responses.items():
        if role == "candidate" and record.texts() is not None:
            other = responses.get((prompt, "baseline", sample))
            count += other is not None and other.texts() == record.texts()
    return count


def _notes(found: Found) -> list[str]:
    job = found.job
    notes = list(found.manifest.get("notes", ()))
    if len(job.suite.prompts) < job.full:
        n, full, seed = len(job.suite.prompts), job.full, job.suite.seed
        notes.append(
            f"only {n} of the suite's {full} prompts were asked (--limit {n}, stratified by category, seed {seed})"
        )
    for role in ("candidate", "baseline"):
        records = [record for (_, side, _), record in found.responses.items() if side == role]
        notes += _response_notes(role, records)
    return notes


def _response_notes(role: str, records: Sequence[ResponseRecord]) -> list[str]:
    total = len(records)
    cut = sum(record.finish == "length" for record in records)
    failed = sum(record.finish == "error" for record in records)
    empty = sum(not "".join(texts).strip() for record in records if (texts := record.texts()) is not None)
    said = []
    if cut:
        said.append(f"{role}: {cut} of {total} responses were cut off at max_tokens and judged as they are")
    if empty:
        said.append(f"{role}: {empty} of {total} responses are empty and judged as they are")
    if failed:
        said.append(f"{role}: {failed} of {total} responses are missing; their comparisons are unscored")
    return said


def report_of(found: Found, summary: Summary) -> Report:
    """The report of a run, comparisons in the suite's order."""
    job = found.job
    by_pair: dict[tuple[str, int], list[JudgmentRecord]] = defaultdict(list)
    for judgment in found.judgments:
        by_pair[judgment.id, judgment.repeat].append(judgment)
    comparisons = []
    for prompt in job.suite.prompts:
        for sample in range(job.repeats[prompt.id]):
            texts = [_text(found.responses.get((prompt.id, role, sample))) for role in ("candidate", "baseline")]
            comparisons.append(
                Comparison(
                    id=prompt.id,
                    repeat=sample,
                    turns=prompt.turns,
                    category=prompt.category,
                    candidate=texts[0],
                    baseline=texts[1],
                    judgments=tuple(sorted(by_pair[prompt.id, sample], key=lambda j: (j.judge, str(j.order)))),
                )
            )
    return Report(
        title=job.suite.name,
        summary=summary,
        candidate=_side(found, "candidate"),
        baseline=_side(found, "baseline"),
        comparisons=tuple(comparisons),
        controls=tuple(_control(line) for line in found.controls),
        facts=_facts(found),
    )


def _text(record: ResponseRecord | None) -> tuple[str, ...] | None:
    return record.texts() if record is not None else None


def _side(found: Found, role: str) -> Side:
    spec = found.job.candidate if role == "candidate" else found.job.baseline
    known = found.manifest.get("fingerprints", {}).get(role)
    warnings = tuple(found.manifest.get("warnings", {}).get(role, ()))
    return Side(spec=spec.text, fingerprint=known, warnings=warnings)


def _control(line: Mapping[str, Any]) -> Control:
    return Control(
        id=line["id"],
        judge=line["judge"],
        order=line["order"],
        damage=line["damage"],
        whole=tuple(line["whole"]),
        damaged=tuple(line["damaged"]),
        right=line["right"],
        status=line["status"],
        reply=line.get("reply"),
    )


def _facts(found: Found) -> dict[str, str]:
    suite = found.job.suite
    samples = Counter(found.job.repeats.values())
    repeats = (
        ", ".join(f"{n} prompts × {k}" for k, n in sorted(samples.items()))
        if len(samples) > 1
        else str(next(iter(samples)))
    )
    return {
        "suite": f"{suite.name}, {len(suite.prompts)} prompts",
        "orders": "both orders of every prompt" if suite.orders == "both" else "one balanced random order a prompt",
        "samples a prompt": repeats,
        "sampling": ", ".join(f"{k} {v:g}" for k, v in suite.sampling.given().items()) + _own_sampling(found.job),
        "judge sampling": ", ".join(f"{k} {v:g}" for k, v in suite.judge_sampling.given().items()),
        "seed": str(suite.seed),
        "equivalence": f"1/2 ± {suite.equivalence:g}",
        "versions": ", ".join(f"{name} {version}" for name, version in found.manifest.get("versions", {}).items()),
    }


def _own_sampling(job: Job) -> str:
    own = sum(bool(prompt.sampling) for prompt in job.suite.prompts)
    return f" ({own} prompts set their own)" if own else ""


def write(run: Path, report: Report, manifest: Mapping[str, Any] | None = None) -> None:
    """Write summary.json, report.md and report.html into a folder, and last its manifest where one is given."""
    from harness.report import html, markdown

    write_whole(run / "summary.json", as_json(report.summary.as_json()))
    write_whole(run / "report.md", markdown.render(report))
    write_whole(run / "report.html", html.pieces(report))
    if manifest is not None:
        write_whole(run / MANIFEST, as_json(manifest))


def from_files(paths: Sequence[Path], *, equivalence: float = 0.05) -> Report:
    """The report of judgments files: every prompt and judge they hold, taken together.

    Raises InputError on broken lines, contradictions, and a key that stands twice, in one file or across them.
    """
    records: dict[Any, JudgmentRecord] = {}
    origin: dict[Any, Path] = {}
    problems: list[Problem] = []
    for path in paths:
        for record in read(path, JudgmentRecord):
            key = record.key()
            if key in records:
                what = f"the judgment {_named(key)} stands already in {origin[key]}; keep one of them"
                problems.append(Problem(path=str(path), what=what))
            records[key], origin[key] = record, path
    if problems:
        raise InputError(problems)
    return _report_of_records(list(records.values()), paths, equivalence)


def _named(key: Iterable[Any]) -> str:
    return "(" + ", ".join(str(part) for part in key if part is not None) + ")"


def _report_of_records(records: Sequence[JudgmentRecord], paths: Sequence[Path], equivalence: float) -> Report:
    prompts: dict[str, str | None] = {}
    by_pair: dict[tuple[str, int], list[JudgmentRecord]] = defaultdict(list)
    for record in records:
        prompts[record.id] = prompts.get(record.id) or record.category
        by_pair[record.id, record.repeat].append(record)
    summary = summarize(
        records,
        prompts=dict(sorted(prompts.items())),
        judges=sorted({record.judge for record in records}),
        control_rights={},
        complete=not any(record.status in UNANSWERED for record in records),
        equivalence=equivalence,
    )
    comparisons = tuple(
        Comparison(id=prompt, repeat=repeat, category=prompts[prompt], judgments=tuple(rows))
        for (prompt, repeat), rows in sorted(by_pair.items())
    )
    title = paths[0].stem if len(paths) == 1 else f"{len(paths)} files"
    facts = {"files": ", ".join(path.name for path in paths), "equivalence": f"1/2 ± {equivalence:g}"}
    return Report(title=title, summary=summary, comparisons=comparisons, facts=facts)
