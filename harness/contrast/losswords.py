"""What a comparison of two perplexity runs allows to be said, and that in eighty columns. A lower loss is better."""

from __future__ import annotations

from collections.abc import Iterator

from harness.contrast.foretold import LossContrast
from harness.contrast.words import unscored
from harness.perplexity.figures import Measured, Shift, exp
from harness.perplexity.ratio import Ratio
from harness.perplexity.words import digits_of, factor, number, signed
from harness.report.columns import WIDTH, listing, note, table, wrap
from harness.report.numerals import DASH, listed, p_value, plural
from harness.stats.intervals import SMALL

_MOST = 6


def render(found: LossContrast, names: list[str], width: int = WIDTH) -> str:
    """One comparison as lines of at most `width` columns; `names` are the lines that say what A and B are."""
    blocks = [
        "\n".join(names),
        wrap(headline(found), width),
        _levels(found, width),
        _slices(found, width),
        listing("what else was measured", details(found), width),
        listing("what to know", found.pair.notes, width),
        listing("what to doubt", doubts(found), width),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _digits(shift: Shift) -> int:
    """Decimals that show the interval to two digits, and one more where the difference would read as 0."""
    value, ci = shift.found.value, shift.found.ci
    if ci is None or not value:
        return digits_of(shift)
    digits = 3
    while digits < _MOST and (ci[1] - ci[0]) / 2 < 10 ** (1 - digits):
        digits += 1
    return digits if float(f"{value:.{digits}f}") else digits + 1


def headline(found: LossContrast) -> str:
    """Which side foresees the documents better, or that these cannot tell; with figures, interval, p-value and n."""
    main = found.delta.main.found
    if main.value is None:
        return f"Nothing can be told: {main.reason}."
    if found.better is not None:
        name, other = ("B", "A") if found.better == "b" else ("A", "B")
        return f"{name} foresees these documents better than {other}: {_figures(found)}."
    who = "This one document" if main.n == 1 else f"These {plural(main.n, 'document')}"
    return f"{who} cannot tell A and B apart: {_figures(found)}."


def _figures(found: LossContrast) -> str:
    value, digits = found.delta.main.found.value or 0.0, _digits(found.delta.main)
    a, b = (_level(found.level(own)) for own in (found.a, found.b))
    size = f"{number(abs(value), digits)} {'lower' if value < 0 else 'higher'}" if value else "no difference"
    over = f"{plural(found.delta.main.found.n, 'document')}"
    return f"B {b}, A {a} {found.delta.unit}, {size} over {over} ({_sure(found)})"


def _level(own: Ratio) -> str:
    return DASH if own.value is None else number(own.value)


def _sure(found: LossContrast) -> str:
    shift = found.delta.main
    parts = [f"95 % {_ends(shift)}" if shift.found.ci else f"no interval: {shift.found.reason}"]
    if shift.p_value is not None:
        parts.append(f"permutation test p {p_value(shift.p_value)}")
    if found.p_adjusted is not None:
        parts.append(f"after Holm p {p_value(found.p_adjusted)}")
    return ", ".join(parts)


def _ends(shift: Shift) -> str:
    ci, digits = shift.found.ci, _digits(shift)
    return f"{signed(ci[0], digits)} to {signed(ci[1], digits)}" if ci else DASH


def _levels(found: LossContrast, width: int) -> str:
    heads = ["loss" if found.delta.same_tokens else "bits per byte", "95 %", "perplexity", "tokens", "n"]
    return "\n".join(
        table("", heads, [(name, _row(found, own)) for name, own in (("A", found.a), ("B", found.b))], width)
    )


def _row(found: LossContrast, own: Measured) -> list[str]:
    level = found.level(own)
    ends = " to ".join(number(max(0.0, end)) for end in level.ci) if level.ci else DASH
    perplexity = factor(exp(own.loss.value)) if own.loss.value is not None else DASH
    return [_level(level), ends, perplexity, f"{own.tokens:,}", f"{own.n:,}"]


def _slices(found: LossContrast, width: int) -> str:
    if not found.slices:
        return ""
    rows = [
        (
            name,
            [
                _level(found.level(part.a)),
                _level(found.level(part.b)),
                signed(part.shift.found.value, _digits(part.shift)) if part.shift.found.value is not None else DASH,
                _ends(part.shift),
                _p(part.shift.p_value),
                _p(part.p_adjusted),
                f"{part.shift.found.n:,}",
            ],
        )
        for name, part in found.slices.items()
    ]
    lines = table("by slice", ["A", "B", "B − A", "95 %", "p", "adjusted", "n"], rows, width)
    said = f"{found.delta.unit}; below 0, B is better; adjusted after Benjamini and Hochberg over the slices"
    return "\n".join([*lines, note(said, width)])


def _p(p: float | None) -> str:
    return DASH if p is None else p_value(p).removeprefix("= ")


def details(found: LossContrast) -> Iterator[str]:
    """The further figures, a sentence each."""
    delta, main = found.delta, found.delta.main
    if delta.same_tokens and main.found.value is not None:
        ci = main.found.ci
        ends = f" (95 % {factor(exp(ci[0]))} to {factor(exp(ci[1]))})" if ci else ""
        yield f"B's perplexity is {factor(exp(main.found.value))} times A's{ends}"
    alike = delta.by_document
    if alike.found.value is not None:
        ends = f" (95 % {_ends(alike)})" if alike.found.ci else ""
        yield (
            f"every document counting alike, long or short: {signed(alike.found.value, _digits(alike))} "
            f"{delta.unit}{ends}"
        )
    if main.found.clusters and main.found.clusters < main.found.n:
        count = plural(main.found.clusters, "cluster")
        yield f"{plural(main.found.n, 'document')} in {count}: interval and test go by clusters"


def doubts(found: LossContrast) -> list[str]:
    """Reasons to doubt the finding, the gravest first."""
    return list(_doubts(found))


def _doubts(found: LossContrast) -> Iterator[str]:
    delta, main = found.delta, found.delta.main.found
    if not delta.same_tokens:
        yield (
            "the two models cut these documents into different tokens, so their losses per token and perplexities "
            "cannot be compared: the difference is in bits per byte of text"
        )
    if main.n < SMALL:
        yield f"small n: {plural(main.n, 'document')}; a few other documents could turn this result"
    yield from unscored(found.pair)
    ci, p = main.ci, found.shift.p_value
    if ci is not None and p is not None and (p <= 0.05) != (ci[0] > 0 or ci[1] < 0):
        yield "interval and test do not agree on whether there is a difference: it is at the border of chance"
    alike = delta.by_document.found.value
    if main.value is not None and alike is not None and main.value * alike < 0:
        yield (
            "counted by token and by document the difference points in opposite ways: long documents moved another way "
            "than short ones"
        )
    small = [name for name, part in found.slices.items() if part.shift.found.n < SMALL]
    if small:
        yield f"small n in {plural(len(small), 'slice')} (fewer than {SMALL} documents): {listed(small)}; read as hints"
