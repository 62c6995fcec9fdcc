"""What the page's script reads: every prompt with both contestants' answers and each judge's grades, as compact JSON.

The text is inert: no "<" leaves here, so nothing in an answer can end the element that holds it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.records import ScoreRecord
from harness.report.pagedata import dump
from harness.scoring.figures import prompt_scores
from harness.scoring.report import Item, ScoreReport
from harness.scoring.rows import absent, ending, records_of
from harness.scoring.summary import ScoreSummary

ROLES = ("candidate", "baseline")
# A grade that was planned and is not on record.
ABSENT = "absent"


def embedded(report: ScoreReport) -> Iterator[str]:
    """JSON for `<script type="application/json">`, piece by piece; page.js names the places in these lists."""
    found = report.summary
    names = list(dict.fromkeys([*found.judges, *(name for role in ROLES for name in records_of(report, role))]))
    categories = list(dict.fromkeys(item.category for item in report.items if item.category is not None))
    roles = [role for role in ROLES if any(role in item.answers for item in report.items)]
    head = {
        "judges": [{"name": name, "scale": found.setting.scales.get(name)} for name in names],
        "categories": categories,
        "roles": roles,
        "samples": max((item.sample for item in report.items), default=0) + 1,
    }
    shelf = {name: place for place, name in enumerate(categories)}
    levels = [_levels(report, found, role, names) for role in ROLES]
    yield dump(head)[:-1] + ',"items":['
    for i, item in enumerate(report.items):
        yield ("," if i else "") + dump(_item(item, found, names, shelf, levels))
    yield "]}"


def _levels(
    report: ScoreReport, found: ScoreSummary, role: str, names: Sequence[str]
) -> dict[str, Mapping[str, float]]:
    """Every prompt's score of a contestant by judge, as the figures count it."""
    records = records_of(report, role)
    return {name: prompt_scores(records.get(name, ()), found.setting.turns.get(name, {})) for name in names}


def _item(
    item: Item,
    found: ScoreSummary,
    names: Sequence[str],
    shelf: Mapping[str, int],
    levels: Sequence[Mapping[str, Mapping[str, float]]],
) -> list[Any]:
    return [
        item.id,
        item.sample,
        -1 if item.category is None else shelf[item.category],
        item.turns,
        item.reference,
        [_answer(item, role, found, names) for role in ROLES],
        [[*(_round(side[name].get(item.id)) for side in levels), _change(found, name, item.id)] for name in names],
    ]


def _answer(item: Item, role: str, found: ScoreSummary, names: Sequence[str]) -> list[Any] | None:
    """A contestant's texts and grades; grades that were planned and are missing are named too."""
    answer = item.answers.get(role)
    if answer is None:
        return None
    places = {name: place for place, name in enumerate(names)}
    grades = [_grade(places[grade.judge], grade) for grade in answer.grades]
    grades += [[places[name], turn, 0, None, ABSENT, *[None] * 4] for name, turn in absent(found, item, role)]
    return [answer.texts, sorted(grades, key=lambda row: (row[1], row[0], row[2]))]


def _grade(place: int, grade: ScoreRecord) -> list[Any]:
    more = grade.model_extra or {}
    texts = [more.get(name) for name in ("reply", "mode", "error")]
    reply, mode, error = (text if isinstance(text, str) else None for text in texts)
    raw = more.get("raw")
    raw = raw if isinstance(raw, int | float) and not isinstance(raw, bool) else None
    how = ending(grade) or grade.status
    return [place, grade.turn, more.get("asking", 0) or 0, _round(grade.score), how, reply, raw, mode, error]


def _change(found: ScoreSummary, judge: str, prompt: str) -> float | None:
    moved = found.deltas.get(judge)
    return _round(moved.by_prompt.get(prompt)) if moved is not None else None


def _round(value: float | None) -> float | None:
    """Without the digits that no reader needs."""
    return None if value is None else round(value, 6)
