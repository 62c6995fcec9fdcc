"""From files to a `Side`: a run's folder, judgments, scores or predictions.

Refuses a folder that holds no run, a run of a kind that cannot be compared, and a file with any broken line.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from harness.collect import Found, control_rights, find, is_complete, notes_of, panel_in
from harness.contrast.measured import Facts, Named, Side, Yardstick
from harness.decision import control_counts, counting, is_blind
from harness.errors import InputError, Problem
from harness.figures import judge_result, panel_votes
from harness.folder import read_manifest
from harness.job import Job
from harness.judging import MODELS as LANGUAGE_MODELS
from harness.judging import template_of
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
from harness.scoring.figures import graded_turns, prompt_scores
from judges.types import MODES, Prompt, Sampling

Scores = dict[str, dict[str, float]]
LARGEST = 1e12
# What the judges of a kind are shown beside the answers: models the references, the rubric the checks.
BOTH: frozenset[Yardstick] = frozenset({"checks", "references"})
MODELS: frozenset[Yardstick] = frozenset({"references"})
SHOWN: Mapping[str, frozenset[Yardstick]] = {
    "anthropic": MODELS,
    "control": frozenset(),
    "hf": MODELS,
    "openai": MODELS,
    "reward": frozenset(),
    "rubric": frozenset({"checks"}),
}
EARLY = "judges were asked only until it was decided (--stop-early): figures for a fixed number of prompts are too sure"


def of_folder(path: Path) -> Side:
    """The side that a run's folder holds. Raises InputError where it holds none that can be compared."""
    suite = read_manifest(path)["suite"]
    kind = suite.get("kind", "pairwise") if isinstance(suite, dict) else "pairwise"
    if kind != "pairwise":
        what = f"is a run of kind {kind!r}, which cannot be compared as a folder; give its scores or predictions file"
        raise InputError([Problem(path=str(path), what=what)])
    return of_run(path, find(path))


def of_file(path: Path) -> Side:
    """The side of a judgments, scores or predictions file, told apart by the keys of its first line."""
    first = next((value for _, value in read_lines(path) if isinstance(value, dict)), None)
    kind = kind_of(first) if first is not None else PredictionRecord
    maker = READERS.get(kind)
    if maker is None:
        keys = listed([*(first or ())], 4)
        known = kind is not PromptRecord or {"prompt", "turns"} & {*(first or ())}
        what = f"holds {NAMES[kind]}" if known else f"holds nothing to compare (its first line has the keys {keys})"
        raise InputError([Problem(path=str(path), what=f"{what}; {WAY_OUT[PredictionRecord]}")])
    return maker(path)


def of_run(path: Path, found: Found) -> Side:
    """The side of a pairwise run: its candidate against its baseline, prompt by prompt."""
    # All of the suite's: what --stop-early never asked is missing here, for the other run may have asked it.
    prompts = found.job.suite.prompts
    counts = control_counts(control_rights(found))
    unusable = tuple(judge for judge in found.judges if judge in counts and not counts[judge].usable)
    ids = [prompt.id for prompt in prompts]
    count = counting(found.judges, unusable, found.job.suite.panel_gold)
    scored = _pairwise(found.judgments, ids, found.judges, count, panel_in(found))
    return Side(
        path=path,
        kind="pairwise",
        prompts=tuple(ids),
        scores=scored.scores,
        facts=_run_facts(found, unusable, scored.blind),
        slices=_slices((prompt.id, [prompt.category]) for prompt in prompts),
        clusters={prompt.id: prompt.cluster for prompt in prompts if prompt.cluster is not None},
        scale=(0.0, 1.0),
        by_judge=scored.by_judge,
        notes=(*notes_of(found), *([EARLY] if found.stopped is not None else []), *_leaked(found)),
    )


def _leaked(found: Found) -> list[str]:
    finding = found.leakage
    if finding is None or not finding.ids:
        return []
    return [f"{plural(len(finding.ids), 'prompt')} of it stood in training data ({listed(finding.ids, 3)})"]


def _run_facts(found: Found, unusable: tuple[str, ...], blind: tuple[str, ...]) -> Facts:
    job, prompts, known = found.job, found.job.suite.prompts, found.manifest.get("fingerprints", {})
    count = counting(found.judges, unusable, job.suite.panel_gold)
    asked = [spec.text for spec in job.judges if spec.kind != "recorded"]
    templates = {name: known.get(f"template of {name}", known.get(name)) for name in asked}
    named = _fields(job)
    return Facts(
        suite=job.suite.name,
        texts={prompt.id: prompt.turns for prompt in prompts},
        systems={prompt.id: prompt.system or "" for prompt in prompts},
        checks={prompt.id: _checks(prompt) for prompt in prompts},
        references={prompt.id: (*prompt.reference, *_further(prompt, named)) for prompt in prompts},
        reads=_reads(job, count),
        judges=tuple(found.judges),
        counting=count,
        unusable=unusable,
        blind=blind,
        leaked=found.leakage.ids if found.leakage is not None else (),
        stopped_early=found.stopped is not None and found.stopped.asked < found.stopped.prompts,
        templates={name: str(value) for name, value in templates.items() if value is not None},
        ways=_ways(job, count),
        baseline=Named(spec=job.baseline.text, fingerprint=known.get("baseline")),
        candidate=Named(spec=job.candidate.text, fingerprint=known.get("candidate")),
        answers=_answers(found) if job.baseline.kind == "recorded" else {},
        equivalence=job.suite.equivalence,
        complete=is_complete(found),
        settings=_settings(job),
        samplings={prompt.id: _shown(job.sampling_of(prompt)) for prompt in prompts},
        repeats=job.repeats,
    )


def _checks(prompt: Prompt) -> tuple[str, ...]:
    """A prompt's checks as canonical JSON; their order and their readable names count for nothing."""
    own = ({key: value for key, value in check.items() if key != "name"} for check in prompt.checks)
    return tuple(sorted(json.dumps(check, sort_keys=True, ensure_ascii=False) for check in own))


def _fields(job: Job) -> frozenset[str]:
    """What the judges' templates name; a template that is gone shows in its hash."""
    found: set[str] = set()
    for spec in job.judges:
        with contextlib.suppress(InputError, ValueError):
            made = template_of(spec)
            found |= made.fields if made is not None else set()
    return frozenset(found)


def _further(prompt: Prompt, named: frozenset[str]) -> Iterator[str]:
    """The further keys of a prompt that a judge is shown, as canonical JSON."""
    for key in sorted(prompt.extra.keys() & named):
        yield json.dumps([key, prompt.extra[key]], sort_keys=True, ensure_ascii=False)


def _reads(job: Job, count: Iterable[str]) -> frozenset[Yardstick]:
    """What the judges that count hold answers against. What was judged elsewhere may have been shown everything."""
    kinds = {spec.text: spec.kind for spec in job.judges}
    return frozenset[Yardstick]().union(*(SHOWN.get(kinds.get(judge, ""), BOTH) for judge in count))


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
    repeats = sorted(set(job.repeats.values()))
    return {
        "orders": job.suite.orders,
        "sampling": _shown(job.suite.sampling),
        "judge sampling": _shown(job.suite.judge_sampling),
        "samples a prompt": f"{repeats[0]}" if len(repeats) == 1 else f"{repeats[0]} to {repeats[-1]}",
    }


def _shown(sampling: Sampling) -> str:
    return ", ".join(f"{name} {value:.12g}" for name, value in sampling.given().items())


def of_judgments(path: Path) -> Side:
    """The side of a judgments file: its candidate against its baseline, whoever they are."""
    records = read(path, JudgmentRecord)
    ids = list(dict.fromkeys(record.id for record in records))
    judges = tuple(sorted({record.judge for record in records}))
    scored = _pairwise(records, ids, judges, counting(judges, ()))
    # A known-bias judge decides nothing, so what it lacks leaves nothing open.
    open_ends = any(r.status in UNANSWERED for r in records if not r.judge.startswith("control/"))
    return Side(
        path=path,
        kind="pairwise",
        prompts=tuple(ids),
        scores=scored.scores,
        facts=Facts(judges=judges, counting=counting(judges, ()), blind=scored.blind, complete=not open_ends),
        slices=_slices((name, [category]) for name, category in _categories(records).items()),
        clusters=_clusters(records),
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
        rows[record.judge].append(record)
    results = {judge: judge_result(own, ids) for judge, own in rows.items()}
    by_judge = {judge: {name: score.score for name, score in own.items()} for judge, (_, own) in results.items()}
    blind = tuple(judge for judge in count if is_blind(results[judge][0]))
    if len(count) < 2:
        return _Scored(by_judge=by_judge, scores=dict(by_judge[count[0]]) if count else {}, blind=blind)
    votes = panel_votes([results[judge][1] for judge in count], ids, panel)
    scores = {prompt: vote.score for prompt, vote in votes.items()}
    return _Scored(by_judge=by_judge, scores=scores, blind=blind)


def of_scores(path: Path) -> Side:
    """The side of a scores file. A prompt that lacks a score of one judge, or of one turn, is missing.

    A mean over what happens to be there would move with what is missing: judges and turns have levels of their own.
    """
    records = read(path, ScoreRecord)
    _in_reach(path, records)
    ids = list(dict.fromkeys(record.id for record in records))
    judges = tuple(sorted({record.judge for record in records}))
    by_judge = {judge: _judge_scores(judge, records) for judge in judges}
    silent = tuple(judge for judge in judges if not by_judge[judge])
    count = counting(judges, silent)
    means = {
        name: fmean(by_judge[judge][name] for judge in count)
        for name in ids
        if count and all(name in by_judge[judge] for judge in count)
    }
    return Side(
        path=path,
        kind="scores",
        prompts=tuple(ids),
        scores=means,
        facts=Facts(
            judges=judges,
            counting=count,
            unusable=silent,
            complete=not any(r.status in UNANSWERED for r in records if not r.judge.startswith("control/")),
        ),
        slices=_slices((name, [category]) for name, category in _categories(records).items()),
        clusters=_clusters(records),
        by_judge=by_judge,
        notes=tuple(f"{judge} gave no score at all and does not count" for judge in silent),
    )


def _in_reach(path: Path, records: Iterable[ScoreRecord]) -> None:
    """Raise InputError on a score so large that sums of it mean nothing."""
    problems = [
        Problem(path=str(path), what=f"the score of {record.id!r} by {record.judge}, {record.score:g}, is no rating")
        for record in records
        if record.score is not None and abs(record.score) > LARGEST
    ]
    if problems:
        raise InputError(problems)


def _judge_scores(judge: str, records: Sequence[ScoreRecord]) -> dict[str, float]:
    """One judge's score of every prompt whose every turn it scored: the mean over turns of the mean over repeats."""
    counts: dict[str, int] = {}
    for record in records:
        counts[record.id] = max(counts.get(record.id, 1), record.turn)
    own = [record for record in records if record.judge == judge]
    return prompt_scores(own, graded_turns(own, counts))


def of_predictions(path: Path) -> Side:
    """The side of a predictions file: 1 where the prediction is the label, 0 elsewhere, also where there is none."""
    records = read(path, PredictionRecord)
    none = sum(record.prediction is None for record in records)
    said = f"{none} of {len(records)} prompts have no prediction (null); each counts as wrong"
    return Side(
        path=path,
        kind="predictions",
        prompts=tuple(record.id for record in records),
        scores={record.id: float(record.prediction == record.label) for record in records},
        facts=Facts(labels={record.id: record.label for record in records}),
        slices=_slices((record.id, record.slices or ()) for record in records),
        clusters=_clusters(records),
        scale=(0.0, 1.0),
        predictions=tuple(records),
        notes=(said,) if none else (),
    )


def _categories(records: Iterable[JudgmentRecord | ScoreRecord]) -> dict[str, str | None]:
    """Every prompt's category, the most frequent where its lines carry several."""
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for record in records:
        if record.category is not None:
            seen[record.id][record.category] += 1
    return {name: min((-count, category) for category, count in counts.items())[1] for name, counts in seen.items()}


def _clusters(records: Iterable[Record]) -> dict[str, str]:
    """The cluster of every prompt that names one; `cluster` is an unknown, kept key in some files."""
    named = ((record.id, getattr(record, "cluster", None)) for record in records)
    return {name: str(cluster) for name, cluster in named if isinstance(cluster, str | int)}


def _slices(pairs: Iterable[tuple[str, Iterable[str | None]]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = defaultdict(list)
    for name, slices in pairs:
        for one in dict.fromkeys(slices):
            if one is not None:
                found[one].append(name)
    return {one: tuple(found[one]) for one in sorted(found)}


READERS: Mapping[type[Record], Callable[[Path], Side]] = {
    JudgmentRecord: of_judgments,
    ScoreRecord: of_scores,
    PredictionRecord: of_predictions,
}
