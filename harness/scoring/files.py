"""From scores files to a summary: one contestant's scores by several judges perhaps, whoever graded them.

Such a file does not tell a judge's scale: it is the rubric's own, or from 1 to 10 where all its scores lie there, and
the report says so of judges that this project does not know.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, InputError, Problem
from harness.models.spec import parse
from harness.records import ScoreRecord, read
from harness.report.numerals import listed, one_line
from harness.run import UNANSWERED
from harness.scoring.collect import on_scale
from harness.scoring.figures import Scale, graded_turns
from harness.scoring.further import with_further
from harness.scoring.summary import ScoreSummary, Setting, summarize
from judges import rubric
from judges.build import GRADERS

ONE_TO_TEN: Scale = (1.0, 10.0)


def of_files(paths: Sequence[Path]) -> ScoreSummary:
    """The figures of scores files: one contestant's, several judges perhaps. Raises InputError on a repeated key."""
    records: dict[Any, ScoreRecord] = {}
    problems: list[Problem] = []
    for path in paths:
        read_here = read(path, ScoreRecord)
        on_scale(path, read_here, {})
        for record in read_here:
            if record.key() in records:
                what = f"the score {listed([str(part) for part in record.key()])} stands twice; keep one of them"
                problems.append(Problem(path=str(path), what=what))
            records[record.key()] = record
    if problems:
        raise InputError(problems)
    rows = list(records.values())
    judges = sorted({record.judge for record in rows})
    by_judge = {judge: [record for record in rows if record.judge == judge] for judge in judges}
    scales = {judge: scale_of(judge, own) for judge, own in by_judge.items()}
    turns: dict[str, int] = {}
    for record in rows:
        turns[record.id] = max(turns.get(record.id, 1), record.turn)
    categories = _categories(rows)
    setting = Setting(
        turns={judge: graded_turns(own, turns) for judge, own in by_judge.items()},
        categories=categories,
        scales=scales,
        full=dict(Counter(category or "" for category in categories.values())),
    )
    complete = not any(record.status in UNANSWERED for record in rows)
    summary = summarize(rows, (), setting, judges=judges, complete=complete, notes=list(_scale_notes(scales)))
    return with_further(summary, rows, ())


def _categories(rows: Iterable[ScoreRecord]) -> dict[str, str | None]:
    """Every prompt's category, the most frequent where its lines carry several."""
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for record in rows:
        seen[record.id].update([record.category] if record.category is not None else [])
    return {
        name: min((-count, category) for category, count in counts.items())[1] if counts else None
        for name, counts in seen.items()
    }


def scale_of(judge: str, rows: Iterable[ScoreRecord]) -> Scale | None:
    """The scale of a judge of a scores file: the rubric's own, or 1-10 where every score lies on it; None elsewhere."""
    scale = rubric.RubricGrader().scale if judge == "rubric" else ONE_TO_TEN
    scores = [record.score for record in rows if record.score is not None]
    if not scores:
        return scale if _is_spec(judge) else None
    return scale if scale[0] <= min(scores) and max(scores) <= scale[1] else None


def known_scale(judge: str, rows: Iterable[ScoreRecord]) -> Scale | None:
    """The scale of a judge that this project knows, where every score lies on it; None elsewhere."""
    return scale_of(judge, rows) if _is_spec(judge) else None


def _scale_notes(scales: Mapping[str, Scale | None]) -> Iterable[str]:
    """What is to be said of scales that a scores file does not tell."""
    for judge, scale in scales.items():
        if scale is None:
            yield f"{one_line(judge)}: its scale is not known, so that no share at its ends can be told"
        elif not _is_spec(judge):
            ends = f"{scale[0]:g} to {scale[1]:g}"
            yield f"{one_line(judge)}: its scale is taken to be {ends}, where all its scores lie"


def _is_spec(judge: str) -> bool:
    """Whether a name is a judge's spec, whose scale this project knows."""
    try:
        return parse(judge, role="judge").kind in GRADERS
    except HarnessError:
        return False
