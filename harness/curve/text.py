"""Curves for a terminal: which step to keep, the table, the plot, what can be told, what to know. Eighty columns."""

from __future__ import annotations

from collections.abc import Sequence

from harness.curve import words
from harness.curve.measured import Judged, Point, kept
from harness.curve.plot import Dot, plot
from harness.report.columns import WIDTH, listing, table, wrap
from harness.report.numerals import DASH, one_line, plural
from harness.scoring.words import number

_HEADS = ("score", "95 %", "95 %, all steps", "training loss", "validation loss")
LOSS_ROWS = 6


def render(found: Sequence[Judged], notes: Sequence[str], *, width: int = WIDTH) -> str:
    """The curves as lines of at most `width` columns."""
    blocks = [block for one in found for block in _curve(one, width)]
    losses = _losses(found[0], width)
    know = [*notes, *words.together(found)]
    blocks += [losses, _keeping(found, width), listing("what to know", know, width)]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _keeping(found: Sequence[Judged], width: int) -> str:
    command, said = words.keep(found, kept(found))
    # A command is not wrapped: it is there to be copied.
    lines = [f"to keep {'that step' if len(found) == 1 else 'the chosen steps'}\n  {command}"] if command else []
    return "\n".join([*lines, *([wrap(said, width)] if said else [])])


def _curve(found: Judged, width: int) -> list[str]:
    title = (
        f"{found.suite}: {plural(len(found.points), 'step')} on {plural(found.n, 'prompt')}, by {one_line(found.judge)}"
    )
    rows = [(str(point.step), _cells(point)) for point in found.points]
    return [
        wrap(title, width),
        "\n".join(wrap(text, width) for text in (words.headline(found), *words.told(found))),
        "\n".join(table("step", _HEADS, rows, width)),
        _scores(found, width),
        listing("of this curve", words.notes(found), width),
    ]


def _cells(point: Point) -> list[str]:
    score, losses = point.score, point.losses
    ends = [f"{number(ci[0])}–{number(ci[1])}" if ci else DASH for ci in (score and score.ci, score and score.ci_all)]
    shown = [f"{value:.4f}" if value is not None else DASH for value in (losses.training, losses.validation)]
    return [number(score.mean) if score else DASH, *ends, *shown]


def _scores(found: Judged, width: int) -> str:
    dots = [Dot(step=p.step, value=p.score.mean, ci=p.score.ci_all) for p in found.points if p.score is not None]
    lines = plot({"●": dots}, number, width=width)
    return "\n".join(["score by step, with intervals for all steps at once", *lines]) if lines else ""


def _losses(found: Judged, width: int) -> str:
    series = {
        "t": [Dot(step=p.step, value=p.losses.training) for p in found.points if p.losses.training is not None],
        "v": [Dot(step=p.step, value=p.losses.validation) for p in found.points if p.losses.validation is not None],
    }
    lines = plot({mark: own for mark, own in series.items() if own}, lambda v: f"{v:.3f}", width=width, rows=LOSS_ROWS)
    return "\n".join(["loss by step (t training, v validation)", *lines]) if lines else ""
