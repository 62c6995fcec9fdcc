"""Grades as sides: the candidate of a score run's folder, or a scores file, on the scale that its judges share.

Refuses a mean over judges whose scales differ: a point of 1–10 is none of 0–1. One of them can be named instead.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean

from harness.contrast.asked import (
    about_baseline,
    checks_of,
    chosen,
    read_by,
    references_of,
    samples_shown,
    shown,
    slices_of,
    templates_of,
)
from harness.contrast.grades import ends_of
from harness.contrast.measured import Facts, Named, Side
from harness.decision import counting
from harness.errors import InputError, Problem
from harness.judging import MODELS
from harness.leakage import guard
from harness.models.spec import Spec
from harness.records import JudgmentRecord, Record, ScoreRecord, read
from harness.report.numerals import listed, one_line, plural
from harness.run import UNANSWERED
from harness.scoring.collect import Found, find, is_complete, notes_of, turns_of
from harness.scoring.figures import Scale, graded_turns, prompt_scores
from harness.scoring.files import known_scale
from harness.stats.intervals import TOLERANCE
from judges.types import MODES

Scores = Mapping[str, Mapping[str, float]]
LARGEST = 1e12
SILENT = "gave no score at all and does not count"


def of_score_run(path: Path, judges: Sequence[str] = ()) -> Side:
    """The candidate of a score run, prompt by prompt, and beside it the run's own baseline where it has one.

    `judges`: read by these alone. Raises InputError where the run's files are not a run's, a judge is not there, or
    the judges that count have scales of their own.
    """
    found = find(path)
    names = chosen(path, found.judges, judges)
    by_judge = _by_judge(found, "candidate", names)
    silent = tuple(judge for judge in names if not by_judge[judge])
    count = counting(names, silent)
    prompts = found.job.suite.prompts
    ids = [prompt.id for prompt in prompts]
    leaked, said = guard.from_json(found.manifest.get("leakage")), notes_of(found)
    return Side(
        path=path,
        kind="scores",
        prompts=tuple(ids),
        scores=together(by_judge, count, ids),
        facts=_facts(found, names, silent, leaked.ids if leaked is not None else ()),
        slices=slices_of((prompt.id, [prompt.category]) for prompt in prompts),
        clusters={prompt.id: prompt.cluster for prompt in prompts if prompt.cluster is not None},
        scale=shared_scale(path, {judge: found.scales[judge] for judge in count}, by_judge),
        by_judge=by_judge,
        against=together(_by_judge(found, "baseline", names), count, ids) if found.job.baseline is not None else None,
        notes=(
            *(note for note in said if not about_baseline(note)),
            *_drawn(found),
            *_leaked(leaked),
            *(f"{name} {SILENT}" for name in silent),
        ),
        notes_against=tuple(note for note in said if about_baseline(note)),
    )


def _by_judge(found: Found, role: str, judges: Iterable[str]) -> dict[str, dict[str, float]]:
    rows = found.scores.get(role, ())
    return {
        judge: prompt_scores([row for row in rows if row.judge == judge], turns_of(judge, found)) for judge in judges
    }


def together(by_judge: Scores, count: Sequence[str], ids: Iterable[str]) -> dict[str, float]:
    """The mean over the judges that count, of the prompts that every one of them scored.

    A mean over what happens to be there would move with what is missing: judges have levels of their own.
    """
    return {
        name: fmean(by_judge[judge][name] for judge in count)
        for name in ids
        if count and all(name in by_judge[judge] for judge in count)
    }


def shared_scale(path: Path, scales: Mapping[str, Scale | None], by_judge: Scores) -> Scale | None:
    """The scale that the judges that count share; None where none of them has a known one.

    A judge whose scale is not known shares another's where all its scores lie on it. Raises InputError where the
    judges cannot be averaged.
    """
    held: dict[Scale, list[str]] = defaultdict(list)
    for judge, scale in scales.items():
        if scale is not None:
            held[scale].append(judge)
    only = next(iter(held)) if len(held) == 1 else None
    strangers = [judge for judge, scale in scales.items() if scale is None]
    off = [judge for judge in strangers if only is None or not _within(by_judge[judge].values(), only)]
    if len(held) > 1 or (held and off):
        parts = [f"{listed([*map(one_line, names)], 3)} on {ends_of(scale)}" for scale, names in held.items()]
        parts += [f"{listed([*map(one_line, off)], 3)} on one that is not known"] if off else []
        what = (
            f"its judges grade on scales of their own ({'; '.join(parts)}), and a mean over them would say nothing; "
            "name one with --judge NAME, or several of one scale"
        )
        raise InputError([Problem(path=str(path), what=what)])
    return only


def _within(scores: Iterable[float], scale: Scale) -> bool:
    return all(scale[0] - TOLERANCE <= score <= scale[1] + TOLERANCE for score in scores)


def _drawn(found: Found) -> list[str]:
    asked, full = len(found.job.suite.prompts), sum(found.job.full.values())
    return [f"only {asked:,} of the suite's {full:,} prompts were asked (--limit)"] if asked < full else []


def _leaked(finding: guard.Finding | None) -> list[str]:
    if finding is None or not finding.ids:
        return []
    return [f"{plural(len(finding.ids), 'prompt')} of it stood in training data ({listed(finding.ids, 3)})"]


def _facts(found: Found, names: tuple[str, ...], silent: tuple[str, ...], leaked: Sequence[str]) -> Facts:
    job, known = found.job, found.manifest.get("fingerprints", {})
    suite, count = job.suite, counting(names, silent)
    specs = [spec for spec in job.judges if spec.text in names]
    return Facts(
        suite=suite.name,
        texts={prompt.id: prompt.turns for prompt in suite.prompts},
        systems={prompt.id: prompt.system or "" for prompt in suite.prompts},
        checks={prompt.id: checks_of(prompt) for prompt in suite.prompts},
        references=references_of(suite.prompts, specs, kind="score"),
        reads=read_by(specs, count),
        judges=names,
        counting=count,
        unusable=silent,
        leaked=tuple(leaked),
        templates=templates_of(specs, known),
        ways={spec.text: way for spec in specs if spec.text in count and (way := _way(spec)) is not None},
        candidate=Named(spec=job.candidate.text, fingerprint=known.get("candidate")),
        complete=is_complete(found),
        settings={
            "sampling": shown(suite.sampling),
            "judge sampling": shown(suite.judge_sampling),
            "samples a prompt": samples_shown(job.repeats),
            "askings a judge": str(suite.judge_repeats),
        },
        samplings={prompt.id: shown(job.sampling_of(prompt)) for prompt in suite.prompts},
        repeats=job.repeats,
    )


def _way(spec: Spec) -> str | None:
    """How a judge was asked, or how its rewards became grades; None where there is but one way."""
    if spec.kind in MODELS:
        return f"{spec.asking.mode or MODES[0]} mode"
    if spec.kind == "reward":
        center, spread = spec.asking.center, spec.asking.spread
        return f"center {center or 0:.12g}, spread {1 if spread is None else spread:.12g}"
    return None


def of_scores(path: Path, judges: Sequence[str] = ()) -> Side:
    """The side of a scores file. A prompt that lacks a score of one judge, or of one turn, is missing."""
    records = read(path, ScoreRecord)
    _in_reach(path, records)
    ids = list(dict.fromkeys(record.id for record in records))
    names = chosen(path, sorted({record.judge for record in records}), judges)
    own = {judge: [record for record in records if record.judge == judge] for judge in names}
    turns = _turns(records)
    by_judge = {judge: prompt_scores(rows, graded_turns(rows, turns)) for judge, rows in own.items()}
    silent = tuple(judge for judge in names if not by_judge[judge])
    count = counting(names, silent)
    rows = [record for mine in own.values() for record in mine]
    scale = shared_scale(path, {judge: known_scale(judge, own[judge]) for judge in count}, by_judge)
    return Side(
        path=path,
        kind="scores",
        prompts=tuple(ids),
        scores=together(by_judge, count, ids),
        facts=Facts(
            judges=names,
            counting=count,
            unusable=silent,
            complete=not any(r.status in UNANSWERED for r in rows if not r.judge.startswith("control/")),
        ),
        slices=slices_of((name, [category]) for name, category in categories_of(records).items()),
        clusters=clusters_of(records),
        scale=scale,
        by_judge=by_judge,
        notes=(*_taken(scale, by_judge), *(f"{judge} {SILENT}" for judge in silent)),
    )


def _taken(scale: Scale | None, judges: Iterable[str]) -> list[str]:
    """A file does not say what scale it holds."""
    if scale is None:
        return []
    return [f"the scale of {listed([*map(one_line, judges)], 3)} is taken to be {ends_of(scale)}: all scores lie there"]


def _in_reach(path: Path, records: Iterable[ScoreRecord]) -> None:
    """Raise InputError on a score so large that sums of it mean nothing."""
    problems = [
        Problem(path=str(path), what=f"the score of {record.id!r} by {record.judge}, {record.score:g}, is no rating")
        for record in records
        if record.score is not None and abs(record.score) > LARGEST
    ]
    if problems:
        raise InputError(problems)


def _turns(records: Iterable[ScoreRecord]) -> dict[str, int]:
    """How many turns every prompt has, as far as its lines show."""
    found: dict[str, int] = {}
    for record in records:
        found[record.id] = max(found.get(record.id, 1), record.turn)
    return found


def categories_of(records: Iterable[JudgmentRecord | ScoreRecord]) -> dict[str, str | None]:
    """Every prompt's category, the most frequent where its lines carry several."""
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for record in records:
        if record.category is not None:
            seen[record.id][record.category] += 1
    return {name: min((-count, category) for category, count in counts.items())[1] for name, counts in seen.items()}


def clusters_of(records: Iterable[Record]) -> dict[str, str]:
    """The cluster of every prompt that names one; `cluster` is an unknown, kept key in some files."""
    named = ((record.id, getattr(record, "cluster", None)) for record in records)
    return {name: str(cluster) for name, cluster in named if isinstance(cluster, str | int)}
