"""A perplexity run for a terminal: the finding, figures by model and category, what moved, doubts. 80 columns."""

from __future__ import annotations

from harness.goal import said
from harness.perplexity import words
from harness.perplexity.figures import Delta, Measured, exp
from harness.perplexity.report import LossReport
from harness.perplexity.words import digits_of, factor, number, signed
from harness.report.columns import WIDTH, listing, table, wrap
from harness.report.numerals import DASH, p_value


def render(report: LossReport, *, width: int = WIDTH) -> str:
    """The report as lines of at most `width` columns."""
    found = report.summary
    blocks = [
        "\n".join(wrap(line, width, rest="  ") for line in report.title),
        "\n".join(wrap(sentence, width, rest="  ") for sentence in [*words.headline(found), *said(found.goal)]),
        _categories(report, width),
        listing("every document counting alike", words.means(found), width),
        listing("what moved most (below 0: the candidate foresees it better)", words.movers(found), width),
        listing("what to doubt", words.doubts(found), width),
        wrap(f"made with {'; '.join(f'{label}: {text}' for label, text in report.facts.items() if text)}", width),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _categories(report: LossReport, width: int) -> str:
    found = report.summary
    if not found.categories:
        return ""
    compared = found.whole.delta is not None
    # Beside a change there is no room for the perplexity, which is e to the loss.
    heads = ["loss", "95 %", "n", *(["change", "95 %", "p"] if compared else ["perplexity"])]
    parts = {"all": found.whole, **found.categories}
    rows = [
        (name, [*_level(own.candidate), *(_change(own.delta) if own.delta is not None else _size(own.candidate))])
        for name, own in parts.items()
    ]
    other = found.whole.delta is not None and not found.whole.delta.same_tokens
    title = f"by category, in nats per token{', changes in bits per byte' if other else ''}"
    return "\n".join([title, *table("", heads, rows, width)])


def _level(own: Measured) -> list[str]:
    ci = own.loss.ci
    ends = f"{number(max(0.0, ci[0]), 2)}–{number(ci[1], 2)}" if ci else DASH
    counted = f"{own.n:,}" if not own.lost else f"{own.n:,} of {own.n + own.lost:,}"
    return [number(own.loss.value) if own.loss.value is not None else DASH, ends, counted]


def _size(own: Measured) -> list[str]:
    return [factor(exp(own.loss.value)) if own.loss.value is not None else DASH]


def _change(delta: Delta) -> list[str]:
    shift = delta.main
    if shift.found.value is None:
        return [DASH, DASH, DASH]
    digits = digits_of(shift)
    ends = f"{signed(shift.found.ci[0], digits)} to {signed(shift.found.ci[1], digits)}" if shift.found.ci else DASH
    tested = p_value(shift.p_value).removeprefix("= ") if shift.p_value is not None else DASH
    return [signed(shift.found.value, digits), ends, tested]
