"""What the page's script reads: every comparison with both responses and every judgment, as compact JSON.

The text is inert: no "<" leaves here, so nothing in a response can end the element that holds it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.outcome import ORDERS, slots
from harness.records import JudgmentRecord
from harness.report.contest import Ruled, contested, judges_that_matter, rulings
from harness.report.data import Comparison, Report
from harness.report.phrases import group_of

_EXACT = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def embedded(report: Report) -> Iterator[str]:
    """JSON for `<script type="application/json">`, piece by piece; page.js names the places in these lists."""
    names = _names(report)
    matter = judges_that_matter(report.summary)
    categories = list(dict.fromkeys(item.category for item in report.comparisons if item.category is not None))
    places = {name: i for i, name in enumerate(names)}
    shelf = {name: i for i, name in enumerate(categories)}
    head = {
        "judges": [{"name": name, "group": group_of(name, report.summary)} for name in names],
        "matter": [places[name] for name in matter],
        "categories": categories,
        "slots": {order: dict(zip("AB", slots("candidate", "baseline", order), strict=True)) for order in ORDERS},
    }
    yield dump(head)[:-1] + ',"items":['
    for i, item in enumerate(report.comparisons):
        yield ("," if i else "") + dump(_item(item, places, shelf, matter))
    yield "]}"


def _names(report: Report) -> list[str]:
    found = dict.fromkeys(report.summary.judges)
    for item in report.comparisons:
        found.update(dict.fromkeys(judgment.judge for judgment in item.judgments))
    return list(found)


def _item(item: Comparison, places: Mapping[str, int], shelf: Mapping[str, int], matter: Sequence[str]) -> list[Any]:
    ruled = rulings(item)
    return [
        item.id,
        item.repeat,
        -1 if item.category is None else shelf[item.category],
        item.turns,
        item.candidate,
        item.baseline,
        [_ruled(places[name], value) for name, value in ruled.items()],
        int(contested(ruled, matter)),
    ]


def _ruled(place: int, value: Ruled) -> list[Any]:
    return [place, value.outcome, int(value.inconsistent), [_judgment(row) for row in value.judgments]]


def _judgment(row: JudgmentRecord) -> list[Any]:
    return [row.order, row.verdict, row.winner, row.status, row.scores, row.reply, row.preference]


def dump(value: Any) -> str:
    """JSON without a "<"; numbers that no JSON parser reads stand as words."""
    try:
        text = _EXACT.encode(value)
    except ValueError:
        # A judge's own scores may hold NaN, which no JSON parser reads.
        text = _EXACT.encode(_finite(value))
    return text.replace("<", "\\u003c")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
