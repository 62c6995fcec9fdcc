"""From a run's folder to a summary and a report. Reads; decides nothing itself.

A summary depends on what is on disk alone, so that a resumed run ends with the same one as an uninterrupted run.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness import toolong
from harness.figures import panel_of
from harness.folder import MANIFEST, as_json, read_manifest, write_whole
from harness.job import Job, from_manifest
from harness.leakage import guard
from harness.models.spec import Spec
from harness.panel import Panel
from harness.reached import with_goal
from harness.records import JudgmentRecord, ResponseRecord, on_disk
from harness.report.data import Comparison, Control, Report, Side
from harness.responding import RESPONSES, answered_for_good
from harness.run import (
    CONTROL_ORDER,
    JUDGMENTS,
    UNANSWERED,
    control_key,
    control_lines,
    planned_controls,
    presentations_of,
    texts_of,
    usable_records,
)
from harness.seal import JOURNALS, seals_of, state
from harness.stopping import Stopping, asking_order, standing
from harness.suite import Suite
from harness.summary import Summary, summarize
from judges.controls import Texts
from judges.pairwise import CRITERIA
from judges.template import as_judged, without_thinking
from judges.types import Prompt


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What a run's folder holds. `unplanned` judgments are about prompts or samples that are not in the run.

    `stopped` says where a run of --stop-early stands; `prompts` are those that judges were to be asked about. `edited`
    names the journals that are not what the run wrote (lines that were only added are none).
    """

    job: Job
    manifest: Mapping[str, Any]
    responses: Mapping[tuple[str, str, int], ResponseRecord]
    judgments: tuple[JudgmentRecord, ...]
    controls: tuple[dict[str, Any], ...]
    prompts: tuple[Prompt, ...]
    stopped: Stopping | None = None
    unplanned: int = 0
    edited: tuple[str, ...] = ()

    @property
    def judges(self) -> tuple[str, ...]:
        """Every judge of the run by name, and after them any whose judgments were added to its journal."""
        planned = tuple(self.manifest["judge_names"])
        return (*planned, *sorted({judgment.judge for judgment in self.judgments} - set(planned)))

    @property
    def asked(self) -> tuple[str, ...]:
        """The judges that are asked in the run (not read from a file)."""
        return tuple(self.manifest["asked_judges"])

    @property
    def leakage(self) -> guard.Finding | None:
        """The prompts that were found in training data; None where none are known. Raises InputError."""
        return guard.from_json(self.manifest.get("leakage"))


def find(run: Path, *, seals: bool = True) -> Found:
    """Read a run's folder, and unless it is about to be sealed anew, hold its journals against their `seals`.

    Raises InputError where it is no run's folder, or its files are not a run's.
    """
    manifest = read_manifest(run)
    job = from_manifest(manifest)
    judgments = on_disk(run / JUDGMENTS, JudgmentRecord)
    planned = usable_records(judgments, job.repeats)
    responses = {(r.id, str(r.role), r.sample): r for r in on_disk(run / RESPONSES, ResponseRecord)}
    found = Found(
        job=job,
        manifest=manifest,
        responses=responses,
        judgments=tuple(planned),
        unplanned=len(judgments) - len(planned),
        controls=tuple(control_lines(run)),
        prompts=job.suite.prompts,
        edited=_edited(run, manifest) if seals else (),
    )
    return _as_far_as_asked(found) if job.stop_early else found


def _edited(run: Path, manifest: Mapping[str, Any]) -> tuple[str, ...]:
    sealed = seals_of(manifest)
    return tuple(name for name in JOURNALS if state(run, name, sealed) == "changed")


def _as_far_as_asked(found: Found) -> Found:
    """A run that asks only until it is decided, with the prompts that were to be asked."""
    job = found.job
    stopped = standing(job, found.judges, found.judgments, control_rights(found))
    wave = {prompt.id for prompt in asking_order(job.suite.prompts, job.suite.seed)[: stopped.asked]}
    return replace(
        found,
        stopped=stopped,
        prompts=tuple(prompt for prompt in job.suite.prompts if prompt.id in wave),
        judgments=tuple(judgment for judgment in found.judgments if judgment.id in wave),
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
                if not answered_for_good(record, recorded=_recorded(job, role)):
                    return False
    answered = {j.key() for j in found.judgments if j.status not in UNANSWERED or _fails_for_good(found, j)}
    if found.stopped is not None and not found.stopped.decided and found.stopped.asked < found.stopped.prompts:
        return False
    asked = {prompt.id for prompt in found.prompts}
    for cell in presentations_of(job):
        if cell.prompt.id not in asked:
            continue
        for judge in found.asked:
            if (cell.prompt.id, judge, cell.order, cell.repeat) not in answered:
                return False
    copied = Counter(judgment.judge for judgment in found.judgments)
    if found.stopped is None and any(
        copied[judge] < count for judge, count in found.manifest.get("recorded_judgments", {}).items()
    ):
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
        if record is not None and record.finish == "error":
            return answered_for_good(record, recorded=_recorded(found.job, role))
    return False


def summary_of(found: Found, *, complete: bool) -> Summary:
    """The figures of a run."""
    job = found.job
    rights = control_rights(found)
    summary = summarize(
        found.judgments,
        prompts={prompt.id: prompt.category for prompt in found.prompts},
        clusters={prompt.id: prompt.cluster for prompt in found.prompts if prompt.cluster is not None},
        judges=found.judges,
        control_rights=rights,
        complete=complete,
        equivalence=job.suite.equivalence,
        identical=_identical(texts_of(found.responses)),
        notes=notes_of(found),
        leakage=found.leakage,
        stopped=found.stopped,
        rule=job.suite.panel,
        gold=job.suite.panel_gold,
        criteria=job.suite.criteria or CRITERIA,
    )
    return with_goal(summary, job.suite.goal)


def panel_in(found: Found) -> Panel:
    """How the judges of a run become one."""
    suite = found.job.suite
    clusters = {prompt.id: prompt.cluster for prompt in suite.prompts if prompt.cluster is not None}
    return panel_of(suite.panel, suite.panel_gold, found.judgments, [p.id for p in suite.prompts], clusters)


def control_rights(found: Found) -> dict[str, list[bool | None]]:
    """The verdicts of a run's planned control pairs by judge: True where the whole response was named, None neither."""
    planned = {(p.prompt.id, p.role, p.damage) for p in planned_controls(found.job, texts_of(found.responses))}
    rights: dict[str, list[bool | None]] = defaultdict(list)
    for line in found.controls:
        # A call that never arrived says nothing about the judge; the run is incomplete and says so.
        if line["status"] not in UNANSWERED and (line["id"], line["role"], line["damage"]) in planned:
            rights[line["judge"]].append(line["right"])
    return {judge: rights[judge] for judge in with_controls(found.asked) if rights[judge]}


def _identical(texts: Mapping[tuple[str, str, int], Texts]) -> int:
    return sum(
        role == "candidate" and texts.get((prompt, "baseline", sample)) == whole
        for (prompt, role, sample), whole in texts.items()
    )


def notes_of(found: Found) -> list[str]:
    """What a reader must know of a run beside its figures: what is missing, cut off or not comparable."""
    job = found.job
    notes = [
        f"{name} is not what the run wrote (SHA-256): it was edited or cut, and these figures rest on it as it is now"
        for name in found.edited
    ]
    notes += found.manifest.get("notes", ())
    if len(job.suite.prompts) < job.full:
        n, full, seed = len(job.suite.prompts), job.full, job.suite.seed
        notes.append(
            f"only {n} of the suite's {full} prompts were asked (--limit {n}, stratified by category, seed {seed})"
        )
    if found.unplanned:
        notes.append(f"{found.unplanned} judgments are about prompts or samples that are not in this run, and left out")
    notes += _foreign_verdicts(found)
    for role in ("candidate", "baseline"):
        records = [record for (_, side, _), record in found.responses.items() if side == role]
        notes += response_notes(role, records)
    for judge in found.judges:
        notes += toolong.questions(judge, (row for row in found.judgments if row.judge == judge))
    return notes


def _foreign_verdicts(found: Found) -> list[str]:
    """Recorded verdicts that were made on other texts than this run's, as far as their lengths can tell."""
    recorded = set(found.judges) - set(found.asked)
    other = 0
    texts = texts_of(found.responses) if recorded else {}
    for judgment in found.judgments:
        if judgment.judge in recorded:
            pairs = [
                (judgment.candidate_length, texts.get((judgment.id, "candidate", judgment.repeat))),
                (judgment.baseline_length, texts.get((judgment.id, "baseline", judgment.repeat))),
            ]
            other += any(
                length is not None and whole is not None and length != sum(map(len, whole)) for length, whole in pairs
            )
    said = (
        [f"{other} recorded verdicts name other lengths than these responses have: made on other texts"]
        if other
        else []
    )
    if recorded and not (_recorded(found.job, "candidate") and _recorded(found.job, "baseline")):
        said.append("recorded verdicts count here beside freshly generated responses: they were made on other texts")
    return said


def response_notes(role: str, records: Sequence[ResponseRecord]) -> list[str]:
    """What is to be said of one contestant's responses: cut off, empty, missing, thinking taken out."""
    total = len(records)
    cut = sum(record.finish == "length" for record in records)
    failed = sum(record.finish == "error" and toolong.too_long(record) is None for record in records)
    empty = sum(
        not "".join(map(as_judged, texts)).strip() for record in records if (texts := record.texts()) is not None
    )
    answers = [text for record in records for text in record.texts() or ()]
    thinking = sum(as_judged(text) != text for text in answers)
    lost = sum(without_thinking(text)[1] for text in answers)
    said = []
    if thinking:
        said.append(
            f"{role}: thinking was taken out of {thinking} of {len(answers)} answers before they were judged"
            + (f"; {lost} never came to an end of it" if lost else "")
        )
    if cut:
        said.append(f"{role}: {cut} of {total} responses were cut off at max_tokens and judged as they are")
    if empty:
        said.append(f"{role}: {empty} of {total} responses are empty and judged as they are")
    if failed:
        said.append(f"{role}: {failed} of {total} responses are missing; no judge was asked about their comparisons")
    return said + toolong.conversations(role, records, "and no judge was asked about their comparisons")


def report_of(found: Found, summary: Summary) -> Report:
    """The report of a run, comparisons in the suite's order."""
    job = found.job
    by_pair: dict[tuple[str, int], list[JudgmentRecord]] = defaultdict(list)
    for judgment in found.judgments:
        by_pair[judgment.id, judgment.repeat].append(judgment)
    comparisons = []
    for prompt in found.prompts:
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
    early = {"stopping": "as soon as the question is decided"} if found.stopped is not None else {}
    return {
        "suite": f"{suite.name}, {len(suite.prompts)} prompts",
        **early,
        "judges": ", ".join(_how(spec) for spec in found.job.judges),
        **({"panel": _panel(suite)} if len(found.job.judges) > 1 and _panel(suite) else {}),
        "orders": "both orders of every prompt" if suite.orders == "both" else "one balanced random order a prompt",
        "samples a prompt": repeats,
        "sampling": ", ".join(f"{k} {v:g}" for k, v in suite.sampling.given().items()) + _own_sampling(found.job),
        "judge sampling": ", ".join(f"{k} {v:g}" for k, v in suite.judge_sampling.given().items()),
        "seed": str(suite.seed),
        "equivalence": f"1/2 ± {suite.equivalence:g}",
        "versions": ", ".join(f"{name} {version}" for name, version in found.manifest.get("versions", {}).items()),
    }


def _how(spec: Spec) -> str:
    """A judge, with how it was asked where there are several ways."""
    ways = [spec.asking.mode and f"{spec.asking.mode} mode", spec.asking.template and Path(spec.asking.template).name]
    ways += [f"margin {spec.asking.margin:g}" if spec.asking.margin else None]
    named = ", ".join(way for way in ways if way)
    return f"{spec.text} ({named})" if named else spec.text


def _panel(suite: Suite) -> str:
    rule = "" if suite.panel == "majority" and suite.panel_gold is None else suite.panel
    return f"{rule}, weighed by agreement with {suite.panel_gold} on other prompts" if suite.panel_gold else rule


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
