"""A score run for a terminal: the finding, figures by judge, turn and category, gains and drops, doubts. 80 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.report.columns import WIDTH, listing, table, wrap
from harness.report.numerals import DASH, p_value
from harness.scoring import words
from harness.scoring.figures import Delta, Scored
from harness.scoring.report import ScoreReport
from harness.scoring.words import number, signed


def render(report: ScoreReport, *, width: int = WIDTH) -> str:
    """The report as lines of at most `width` columns."""
    found = report.summary
    blocks = [
        "\n".join(wrap(line, width, rest="  ") for line in report.title),
        "\n".join(wrap(sentence, width, rest="  ") for sentence in [*words.headline(found), *words.goal(found)]),
        _table("", found.judges, found.baseline, found.deltas, width),
        _turns(report, width),
        _table("by category", found.categories, {}, found.category_deltas, width),
        listing("of the whole suite", words.whole(found), width),
        listing("ends of the scale", words.scale_ends(found), width),
        listing("what moved most", words.movers(found), width),
        listing("the judges' own noise", words.noise(found), width),
        listing("where the spread comes from", words.spread(found), width),
        listing("answers alone and in batches", words.alone(found), width),
        listing("what to doubt", words.doubts(found), width),
        wrap(f"made with {'; '.join(f'{label} {text}' for label, text in report.facts.items())}", width)
        if report.facts
        else "",
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _table(
    title: str, rows: Mapping[str, Scored], baseline: Mapping[str, Scored], deltas: Mapping[str, Delta], width: int
) -> str:
    if not rows:
        return ""
    heads = ["mean", "95 %", "n"]
    if deltas:
        heads += ["change", "95 %", "p"]
    cells = [(name, [*_level(own), *(_change(deltas.get(name)) if deltas else [])]) for name, own in rows.items()]
    return "\n".join(table(title, heads, cells, width))


def _level(own: Scored) -> list[str]:
    mean = number(own.mean) if own.mean is not None else DASH
    ends = f"{number(own.ci[0])}–{number(own.ci[1])}" if own.ci else DASH
    return [mean, ends, f"{own.n:,}" if not own.unscored else f"{own.n:,} of {own.n + own.unscored:,}"]


def _change(moved: Delta | None) -> list[str]:
    if moved is None or moved.difference.mean is None:
        return [DASH, DASH, DASH]
    found = moved.difference
    ends = f"{signed(found.ci[0])} to {signed(found.ci[1])}" if found.ci else DASH
    return [signed(moved.difference.mean), ends, p_value(moved.p_value).removeprefix("= ") if moved.p_value else DASH]


def _turns(report: ScoreReport, width: int) -> str:
    """Mean grades by turn, where prompts have several."""
    found = report.summary
    numbers = sorted({turn for own in found.judges.values() for turn in own.turns}, key=int)
    if len(numbers) < 2:
        return ""
    rows: list[tuple[str, Sequence[str]]] = []
    for name, own in found.judges.items():
        beside = found.baseline.get(name)
        cells = [number(own.turns[turn]) if turn in own.turns else DASH for turn in numbers]
        if beside is not None:
            cells += [number(beside.turns[turn]) if turn in beside.turns else DASH for turn in numbers]
        rows.append((name, cells))
    heads = [f"turn {turn}" for turn in numbers]
    if found.baseline:
        heads += [f"baseline {turn}" for turn in numbers]
    return "\n".join(table("by turn", heads, rows, width))
