"""The page of `harness curve`: one file without a script, which asks nothing of any network.

Look, policy and escaping are `harness.report.html`'s. Names of suites, judges and prompts are text from files: all of
it is escaped by Jinja2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from harness.curve import charts, words
from harness.curve.losses import Trail, trail
from harness.curve.measured import Judged, kept
from harness.report.html import environment, policy, source, writable
from harness.report.numerals import DASH, p_value
from harness.scoring.words import number, signed

_HERE = Path(__file__).parent
# So many pairs of steps stand open; more go behind a click.
OPEN = 15
STANDING = {"best": "highest", "alike": "not told from it", "told": "told from it"}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shown:
    """One judge's curve as the page has it."""

    found: Judged
    scores: Markup | None
    losses: Markup | None
    trail: Trail
    steps: Sequence[tuple[str, Sequence[str], str]]
    pairs: Sequence[tuple[str, Sequence[str], bool, bool]]


def pieces(found: Sequence[Judged], notes: Sequence[str]) -> Iterator[str]:
    """The page, piece by piece."""
    style = f"{source('page.css')}\n{source('page.css', _HERE)}"
    command, said = words.keep(found, kept(found))
    page = environment(_HERE).get_template("page.html.j2").generate(
        curves=[_shown(one) for one in found],
        notes=[*notes, *words.together(found)],
        suites=list(dict.fromkeys(one.suite for one in found)),
        command=command,
        said=said,
        policy=policy(style, ""),
        style=Markup(style),
        words=words,
        charts=charts,
        number=number,
        open=OPEN,
    )  # fmt: skip
    return writable(page)


def _shown(found: Judged) -> _Shown:
    known = {point.step: point.losses for point in found.points}
    lost = trail([point.checkpoint for point in found.points], known)
    return _Shown(
        found=found,
        scores=charts.scores(found),
        losses=charts.losses(found, lost),
        trail=lost,
        steps=[_step(found, place) for place in range(len(found.points))],
        pairs=_pairs(found),
    )


def _step(found: Judged, place: int) -> tuple[str, list[str], str]:
    point = found.points[place]
    kind = charts.standing(found, point) if point.score is not None else ""
    score = point.score
    cells = [
        number(score.mean) if score else DASH,
        STANDING[kind] if kind and found.curve.gains else DASH,
        _ends(score.ci_all if score else None),
        _ends(score.ci if score else None),
        *(f"{value:.4f}" if value is not None else DASH for value in (point.losses.training, point.losses.validation)),
    ]
    return f"{point.step:,}" if point.step else "0, before training", cells, kind


def _pairs(found: Judged) -> list[tuple[str, list[str], bool, bool]]:
    """Every pair: its steps, its cells, whether it is told apart, and whether its interval touches 0 all the same."""
    alpha = found.curve.alpha
    return [
        (
            f"{found.points[gain.earlier].step:,} → {found.points[gain.later].step:,}",
            [
                signed(gain.difference),
                "told apart" if gain.p_adjusted <= alpha else "may be chance",
                _ends(gain.ci, sign=True),
                p_value(gain.p_adjusted).removeprefix("= "),
            ],
            gain.p_adjusted <= alpha,
            gain.p_adjusted <= alpha and gain.ci is not None and gain.ci[0] <= 0 <= gain.ci[1],
        )
        for gain in found.curve.gains
    ]


def _ends(ci: tuple[float, float] | None, *, sign: bool = False) -> str:
    if ci is None:
        return DASH
    return f"{signed(ci[0])} to {signed(ci[1])}" if sign else f"{number(ci[0])}–{number(ci[1])}"
