"""The rows every report shows, as strings with their reasons: one row a judge (the panel first), one a category.

A figure that does not exist is a dash and says why; it is never a zero, an empty cell or a bare None.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.figures import Result
from harness.report.numerals import DASH, p_value, percent, span
from harness.report.phrases import Group, group_of, no_controls
from harness.stats.intervals import SMALL
from harness.summary import Summary

GROUPS: dict[Group, str] = {
    "counts": "",
    "unusable": "unusable, decides nothing",
    "human": "human labels, beside the models",
    "known bias": "known bias, decides nothing",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """A figure as text, or a dash with `why` it is not there."""

    text: str
    why: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line of figures: `result` for those who draw it, every figure as a reader should see it in the cells.

    `group` is empty where the judge counts; `key` is the judge's or category's own name, None for the panel.
    """

    label: str
    key: str | None
    group: str
    result: Result
    n: str
    score: Cell
    interval: Cell
    wlt: str
    p: Cell
    split: Cell
    first: Cell
    agree: Cell
    controls: Cell
    small: bool


def judge_rows(summary: Summary) -> list[Row]:
    """The panel where there is one, the judges that count, then the others by group."""
    rows = []
    if summary.panel is not None:
        name = f"panel of {len(summary.counting)}"
        rows.append(_row(name, None, "", summary.panel, Cell(text=DASH, why="a panel has no control pairs of its own")))
    for group, words in GROUPS.items():
        for name, result in summary.judges.items():
            if group_of(name, summary) == group:
                rows.append(_row(name, name, words, result, _controls(name, summary)))
    return rows


def category_rows(summary: Summary) -> list[Row]:
    """One row a category, of the panel or the one judge that counts; empty where none counts."""
    controls = Cell(text=DASH, why="control pairs belong to a judge, not to a category")
    return [_row(name, name, "", result, controls) for name, result in summary.categories.items()]


def leakage_rows(summary: Summary) -> list[Row]:
    """All prompts, and those that are not leaked; empty where nothing leaked or no judge counts."""
    leaked, deciding = summary.leakage, summary.deciding
    if leaked is None or not leaked.finding.ids or deciding is None:
        return []
    controls = Cell(text=DASH, why="control pairs belong to a judge, not to prompts")
    named = [("all prompts", deciding), ("without the leaked", leaked.without)]
    return [_row(name, None, "", result, controls) for name, result in named]


def reasons(cells: Iterable[Cell]) -> list[str]:
    """Why dashes stand in these cells, each reason once."""
    return list(dict.fromkeys(cell.why for cell in cells if cell.why))


def by_judge_and_category(summary: Summary) -> tuple[list[str], list[tuple[str, list[Cell]]]]:
    """Every judge beside every category: the judges' names, and for each category one cell a judge."""
    names = [name for name in summary.judges if summary.by_category.get(name)]
    categories = dict.fromkeys(category for name in names for category in summary.by_category[name])
    return names, [(c, [_brief(summary.by_category[name].get(c)) for name in names]) for c in categories]


def _brief(result: Result | None) -> Cell:
    if result is None or (mean := result.estimate.mean) is None:
        return _NO_VERDICT
    estimate = result.estimate
    ci = span(*estimate.ci, estimate.n) if estimate.ci else "no interval"
    return Cell(text=f"{percent(mean, estimate.n)} ({ci}), {_wlt(result)}")


def _controls(name: str, summary: Summary) -> Cell:
    count = summary.controls.get(name)
    if count is not None:
        return Cell(text=f"{count.right} of {count.n}")
    known = name.startswith("control/")
    return Cell(text=DASH, why="known-bias judges have no control pairs" if known else no_controls([name]))


def _row(label: str, key: str | None, group: str, result: Result, controls: Cell) -> Row:
    n = result.estimate.n
    return Row(
        label=label,
        key=key,
        group=group,
        result=result,
        n=f"{n:,} of {n + result.unscored:,}" if result.unscored else f"{n:,}",
        score=_score(result),
        interval=_interval(result),
        wlt=_wlt(result),
        p=Cell(text=p_value(result.p_value).removeprefix("= ")) if n else _NO_VERDICT,
        split=_split(result),
        first=_first(result),
        agree=_agree(result),
        controls=controls,
        small=n < SMALL,
    )


_NO_VERDICT = Cell(text=DASH, why="no usable verdict")
_NO_PAIRS = Cell(text=DASH, why="no prompt was judged in both orders")
_PANEL = Cell(text=DASH, why="a panel has no order of its own")


def _wlt(result: Result) -> str:
    return f"{result.wins}–{result.losses}–{result.ties}"


def _score(result: Result) -> Cell:
    estimate = result.estimate
    return _NO_VERDICT if estimate.mean is None else Cell(text=percent(estimate.mean, estimate.n))


def _interval(result: Result) -> Cell:
    estimate = result.estimate
    if estimate.ci is not None:
        return Cell(text=span(*estimate.ci, estimate.n))
    return Cell(text=DASH, why="n = 1 gives no interval") if estimate.n else _NO_VERDICT


def _split(result: Result) -> Cell:
    if not result.estimate.n:
        return _NO_VERDICT
    # A panel has no consistency of its own; how many prompts split some judge by order is still known.
    if result.consistency is None and result.split is None:
        return _NO_PAIRS
    return Cell(text=f"{result.inconsistent:,}")


def _first(result: Result) -> Cell:
    if result.split is not None:
        return _PANEL
    if result.first_position_rate is not None:
        return Cell(text=percent(result.first_position_rate, result.estimate.n))
    return Cell(text=DASH, why="no decisive verdict with a known order") if result.estimate.n else _NO_VERDICT


def _agree(result: Result) -> Cell:
    if result.split is not None:
        return _PANEL
    if result.consistency is not None:
        return Cell(text=percent(result.consistency, result.estimate.n))
    return _NO_PAIRS if result.estimate.n else _NO_VERDICT
