"""From files to a `Side`: a run's folder, judgments, scores or predictions (grades: `graded`, losses: `losses`).

Refuses a folder that holds no run, a run of a kind that cannot be compared, and a file with any broken line.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.collect import Found, control_rights, find, is_complete, notes_of, panel_in
from harness.contrast.asked import (
    checks_of,
    chosen,
    read_by,
    references_of,
    samples_shown,
    shown,
    slices_of,
    templates_of,
)
from harness.contrast.graded import categories_of, clusters_of, of_score_run, of_scores
from harness.contrast.losses import of_loss_run
from harness.contrast.measured import Facts, Named, Side, wrong_without
from harness.decision import control_counts, counting, is_blind
from harness.errors import InputError, Problem
from harness.figures import judge_result, panel_votes
from harness.folder import read_manifest
from harness.job import Job
from harness.judging import MODELS as LANGUAGE_MODELS
from harness.panel import MAJORITY, Panel
from harness.records import (
    NAMES,
    WAY_OUT,
    JudgmentRecord,
    PredictionRecord,
    PromptRecord,
    Record,
    ScoreRecord,
    kind_of,
    read,
    read_lines,
)
from harness.report.numerals import listed, plural
from harness.run import UNANSWERED
from judges.types import MODES

Scores = dict[str, dict[str, float]]
EARLY = "judges were asked only until it was decided (--stop-early): figures for a fixed number of prompts are too sure"


def of_folder(path: Path, judges: Sequence[str] = ()) -> Side:
    """The side that a run's folder holds, by these judges alone where some are named.

    Raises InputError where it holds none that can be compared, or such a judge is not there.
    """
    suite = read_manifest(path)["suite"]
    kind = suite.get("kind", "pairwise") if isinstance(suite, dict) else "pairwise"
    if kind == "score":
        return of_score_run(path, judges)
    if kind == "perplexity":
        return of_loss_run(path, judges)
    if kind == "classify":
        from harness.contrast.labelled import of_classify_run

        return of_classify_run(path, judges, of_predictions)
    if kind != "pairwise":
        what = f"is a run of kind {kind!r}, which cannot be compared as a folder; give the runs of two of its cells"
        raise InputError([Problem(path=str(path), what=what)])
    return of_run(path, find(path), judges)


def of_file(path: Path, judges: Sequence[str] = ()) -> Side:
    """The side of a judgments, scores or predictions file, told apart by the keys of its first line."""
    first = next((value for _, value in read_lines(path) if isinstance(value, dict)), None)
    kind = kind_of(first) if first is not None else PredictionRecord
    maker = READERS.get(kind)
    if maker is None:
        keys = listed([*(first or ())], 4)
        known = kind is not PromptRecord or {"prompt", "turns"} & {*(first or ())}
        what = f"holds {NAMES[kind]}" if known else f"holds nothing to compare (its first line has the keys {keys})"
        raise InputError([Problem(path=str(path), what=f"{what}; {WAY_OUT[PredictionRecord]}")])
    return maker(path, judges)


def of_run(path: Path, found: Found, judges: Sequence[str] = ()) -> Side:
    """The side of a pairwise run: its candidate against its baseline, prompt by prompt, by these judges or by all."""
    # All of the suite's: what --stop-early never asked is missing here, for the other run may have asked it.
    prompts = found.job.suite.prompts
    counts, names = control_counts(control_rights(found)), chosen(path, found.judges, judges)
    unusable = tuple(judge for judge in names if judge in counts and not counts[judge].usable)
    ids = [prompt.id for prompt in prompts]
    count = counting(names, unusable, _gold(found, judges))
    scored = _pairwise(found.judgments, ids, names, count, panel_in(found))
    return Side(
        path=path,
        kind="pairwise",
        prompts=tuple(ids),
        scores=scored.scores,
        facts=_run_facts(found, names, count, unusable, scored.blind),
        slices=slices_of((prompt.id, [prompt.category]) for prompt in prompts),
        clusters={prompt.id: prompt.cluster for prompt in prompts if prompt.cluster is not None},
        scale=(0.0, 1.0),
        by_judge=scored.by_judge,
        notes=(*notes_of(found), *([EARLY] if found.stopped is not None else []), *_leaked(found)),
    )


def _gold(found: Found, judges: Sequence[str]) -> str | None:
    """The judge that weighs the others; it counts like any other where it is named alone."""
    gold = found.job.suite.panel_gold
    return None if [*judges] == [gold] else gold


def _leaked(found: Found) -> list[str]:
    finding = found.leakage
    if finding is None or not finding.ids:
        return []
    return [f"{plural(len(finding.ids), 'prompt')} of it stood in training data ({listed(finding.ids, 3)})"]


def _run_facts(
    found: Found, names: Sequence[str], count: Sequence[str], unusable: tuple[str, ...], blind: tuple[str, ...]
) -> Facts:
    job, prompts, known = found.job, found.job.suite.prompts, found.manifest.get("fingerprints", {})
    left_out = {*found.judges} - {*names}
    specs = [spec for spec in job.judges if spec.text not in left_out]
    return Facts(
        suite=job.suite.name,
        texts={prompt.id: prompt.turns for prompt in prompts},
        systems={prompt.id: prompt.system or "" for prompt in prompts},
        checks={prompt.id: checks_of(prompt) for prompt in prompts},
        references=references_of(prompts, specs, kind="pairwise"),
        reads=read_by(specs, count),
        judges=tuple(names),
        counting=tuple(count),
        unusable=unusable,
        blind=blind,
        leaked=found.leakage.ids if found.leakage is not None else (),
        stopped_early=found.stopped is not None and found.stopped.asked < found.stopped.prompts,
        templates=templates_of(specs, known),
        ways=_ways(job, count),
        baseline=Named(spec=job.baseline.text, fingerprint=known.get("baseline")),
        candidate=Named(spec=job.candidate.text, fingerprint=known.get("candidate")),
        answers=_answers(found) if job.baseline.kind == "recorded" else {},
        equivalence=job.suite.equivalence,
        complete=is_complete(found),
        settings=_settings(job),
        samplings={prompt.id: shown(job.sampling_of(prompt)) for prompt in prompts},
        repeats=job.repeats,
    )


def _answers(found: Found) -> dict[str, str]:
    """A digest of what the baseline answered to every prompt, over all its samples."""
    parts: dict[str, list[str]] = defaultdict(list)
    for (prompt, role, sample), record in sorted(found.responses.items(), key=lambda item: item[0]):
        if role == "baseline":
            parts[prompt].append(repr((sample, record.texts())))
    return {prompt: hashlib.sha256("\n".join(texts).encode()).hexdigest() for prompt, texts in parts.items()}


def _ways(job: Job, count: Sequence[str]) -> dict[str, str]:
    """How every judge that counts was asked, and how several become one."""
    criteria = ", ".join(f"{each.name} {each.low}–{each.high}" for each in job.suite.criteria)
    found = {}
    for spec in job.judges:
        if spec.text in count and spec.kind in LANGUAGE_MODELS:
            mode = f"{spec.asking.mode or MODES[0]} mode"
            found[spec.text] = f"{mode}, criteria {criteria}" if criteria else mode
        elif spec.text in count and spec.kind == "reward":
            found[spec.text] = f"margin {spec.asking.margin or 0:g}"
    if len(count) > 1:
        gold = f", weighed by {job.suite.panel_gold}" if job.suite.panel_gold is not None else ""
        found["the panel"] = f"{job.suite.panel}{gold}"
    return found


def _settings(job: Job) -> dict[str, str]:
    return {
        "orders": job.suite.orders,
        "sampling": shown(job.suite.sampling),
        "judge sampling": shown(job.suite.judge_sampling),
        "samples a prompt": samples_shown(job.repeats),
    }


def of_judgments(path: Path, judges: Sequence[str] = ()) -> Side:
    """The side of a judgments file: its candidate against its baseline, whoever they are."""
    records = read(path, JudgmentRecord)
    ids = list(dict.fromkeys(record.id for record in records))
    names = chosen(path, sorted({record.judge for record in records}), judges)
    count, rows = counting(names, ()), [record for record in records if record.judge in names]
    scored = _pairwise(rows, ids, names, count)
    # A known-bias judge decides nothing, so what it lacks leaves nothing open.
    open_ends = any(r.status in UNANSWERED for r in rows if not r.judge.startswith("control/"))
    return Side(
        path=path,
        kind="pairwise",
        prompts=tuple(ids),
        scores=scored.scores,
        facts=Facts(judges=names, counting=count, blind=scored.blind, complete=not open_ends),
        slices=slices_of((name, [category]) for name, category in categories_of(records).items()),
        clusters=clusters_of(records),
        scale=(0.0, 1.0),
        by_judge=scored.by_judge,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Scored:
    """Every judge's prompt scores, those that the comparison rests on, and the judges behind them that are blind."""

    by_judge: Scores
    scores: dict[str, float]
    blind: tuple[str, ...]


def _pairwise(
    records: Sequence[JudgmentRecord],
    ids: Sequence[str],
    judges: Sequence[str],
    count: Sequence[str],
    panel: Panel = MAJORITY,
) -> _Scored:
    rows: dict[str, list[JudgmentRecord]] = {judge: [] for judge in judges}
    for record in records:
        if record.judge in rows:
            rows[record.judge].append(record)
    results = {judge: judge_result(own, ids) for judge, own in rows.items()}
    by_judge = {judge: {name: score.score for name, score in own.items()} for judge, (_, own) in results.items()}
    blind = tuple(judge for judge in count if is_blind(results[judge][0]))
    if len(count) < 2:
        return _Scored(by_judge=by_judge, scores=dict(by_judge[count[0]]) if count else {}, blind=blind)
    votes = panel_votes([results[judge][1] for judge in count], ids, panel)
    scores = {prompt: vote.score for prompt, vote in votes.items()}
    return _Scored(by_judge=by_judge, scores=scores, blind=blind)


def of_predictions(path: Path, judges: Sequence[str] = ()) -> Side:
    """The side of a predictions file: 1 where the prediction is the label, 0 elsewhere, also where there is none."""
    if judges:
        raise InputError([Problem(path=str(path), what="holds predictions, which no judge made; leave --judge out")])
    records = read(path, PredictionRecord)
    return Side(
        path=path,
        kind="predictions",
        prompts=tuple(record.id for record in records),
        scores={record.id: float(record.prediction == record.label) for record in records},
        facts=Facts(labels={record.id: record.label for record in records}),
        slices=slices_of((record.id, record.slices or ()) for record in records),
        clusters=clusters_of(records),
        scale=(0.0, 1.0),
        predictions=tuple(records),
        notes=wrong_without(records),
    )


READERS: Mapping[type[Record], Callable[[Path, Sequence[str]], Side]] = {
    JudgmentRecord: of_judgments,
    ScoreRecord: of_scores,
    PredictionRecord: of_predictions,
}
