"""What a perplexity run says, in sentences: the finding, the two means, what moved, what to doubt."""

from __future__ import annotations

from collections.abc import Iterable

from harness.perplexity.figures import Delta, Measured, Shift, exp
from harness.perplexity.summary import LossSummary
from harness.report.numerals import listed, one_line, p_value, plural

SMALL = 30
# So many of the documents that moved most are listed on either side.
MOST = 5
WHY = {
    "not_finite": "is not a number (a broken checkpoint, or one that overflows in this precision)",
    "nothing_to_count": "has nothing to count (one token, and nothing before it)",
}


def number(value: float, digits: int = 3) -> str:
    """A loss: three decimals."""
    return f"{value:.{digits}f}".replace("-", "−")


def signed(value: float, digits: int = 3) -> str:
    """A difference of losses with its sign."""
    return f"{value:+.{digits}f}".replace("-", "−")


def factor(value: float | None) -> str:
    """A perplexity, or a ratio of two: three significant digits, whole from 1,000 on."""
    if value is None:
        return "too large to write down"
    return f"{value:,.0f}" if value >= 1000 else f"{value:#.3g}".rstrip(".") if value >= 10 else f"{value:.3f}"


def digits_of(shift: Shift) -> int:
    """Decimals that show a difference and its interval to two significant digits: three to six."""
    value, ci = shift.found.value, shift.found.ci
    sizes = [abs(value or 0.0), (ci[1] - ci[0]) / 2 if ci else 0.0]
    smallest = min((size for size in sizes if size), default=1.0)
    digits = 3
    while digits < 6 and smallest < 10 ** (1 - digits):
        digits += 1
    return digits


def headline(found: LossSummary) -> list[str]:
    """What the candidate's loss is, and what that is beside the baseline's."""
    said = [_level("candidate", found.whole.candidate)]
    if found.whole.baseline is not None and found.whole.delta is not None:
        said.append(_level("baseline", found.whole.baseline))
        said.append(moved(found.whole.delta, complete=found.complete))
    return said


def _level(role: str, own: Measured) -> str:
    if own.loss.value is None or own.bits.value is None:
        return f"The {role} has no loss: {own.loss.reason or own.bits.reason}."
    ci = own.loss.ci
    ends = f"95 % {number(max(0.0, ci[0]))} to {number(ci[1])}" if ci else f"no interval: {own.loss.reason}"
    perplexity = factor(exp(own.loss.value))
    if ci:
        perplexity += f" (95 % {factor(exp(max(0.0, ci[0])))} to {factor(exp(ci[1]))})"
    return (
        f"The {role}'s loss is {number(own.loss.value)} nats per token ({ends}) on {plural(own.n, 'document')}, "
        f"{plural(own.tokens, 'token')}: perplexity {perplexity}, {number(own.bits.value)} bits per byte."
    )


def moved(delta: Delta, *, complete: bool) -> str:
    """What moved from baseline to candidate, in one sentence."""
    value = delta.main.found.value
    if value is None:
        return f"Nothing can be compared: {delta.main.found.reason}."
    size = "the same as" if not value else f"{number(abs(value), digits_of(delta.main))} {_than(value)}"
    ratio = ""
    if delta.same_tokens and value:
        ratio = f", a perplexity {factor(exp(value))} times as high{_factor_ends(delta.main)}"
    where = f"on {plural(delta.main.found.n, 'document')} that both measured"
    said = f"The candidate is {size} the baseline in {delta.unit} {where} ({_sure(delta.main)}){ratio}"
    return f"{said}{_verdict(delta.main) if complete else '; the run is incomplete'}."


def _factor_ends(shift: Shift) -> str:
    ci = shift.found.ci
    return f" (95 % {factor(exp(ci[0]))} to {factor(exp(ci[1]))})" if ci else ""


def _than(value: float) -> str:
    return "below" if value < 0 else "above"


def _sure(shift: Shift) -> str:
    ci, digits = shift.found.ci, digits_of(shift)
    ends = f"95 % {signed(ci[0], digits)} to {signed(ci[1], digits)}" if ci else f"no interval: {shift.found.reason}"
    return f"{ends}, permutation p {p_value(shift.p_value)}" if shift.p_value is not None else ends


def decided(shift: Shift) -> bool:
    """Whether interval and test both say that the difference is more than chance."""
    ci = shift.found.ci
    return ci is not None and (ci[0] > 0 or ci[1] < 0) and shift.p_value is not None and shift.p_value <= 0.05


def _verdict(shift: Shift) -> str:
    if not decided(shift):
        return ": these documents cannot tell the two apart"
    better = (shift.found.value or 0) < 0
    return f": it foresees such documents {'better' if better else 'worse'} than chance explains"


def means(found: LossSummary) -> Iterable[str]:
    """The mean over documents beside the mean over tokens: two questions."""
    for role, own in (("candidate", found.whole.candidate), ("baseline", found.whole.baseline)):
        if own is not None and own.by_document.value is not None:
            ci = own.by_document.ci
            ends = f"95 % {number(max(0.0, ci[0]))} to {number(ci[1])}" if ci else "no interval"
            yield f"{role}: {number(own.by_document.value)} nats per token ({ends})"
    delta = found.whole.delta
    if delta is not None and delta.by_document.found.value is not None:
        value = delta.by_document.found.value
        yield f"difference: {signed(value, digits_of(delta.by_document))} {delta.unit} ({_sure(delta.by_document)})"


def movers(found: LossSummary) -> Iterable[str]:
    """The documents whose loss fell and rose most."""
    delta = found.whole.delta
    if delta is None:
        return
    ordered = sorted(delta.documents.items(), key=lambda item: (-abs(item[1]), item[0]))
    for what, wanted in (("fell", -1), ("rose", 1)):
        most = [(name, value) for name, value in ordered if value * wanted > 0]
        if most:
            shown = ", ".join(f"{one_line(name, 30)} {signed(value)}" for name, value in most[:MOST])
            yield f"{len(most):,} of {len(ordered):,} {what}, most of all {shown}"


def doubts(found: LossSummary) -> Iterable[str]:
    """What may be wrong, missing, leaked, underpowered or not comparable, the weightiest first."""
    delta = found.whole.delta
    if delta is not None and not delta.same_tokens:
        yield (
            "the two models cut these documents into different tokens, so their losses per token and perplexities "
            "cannot be compared: the difference above is in bits per byte of text"
        )
    if not found.complete:
        yield "the run is incomplete: these figures are of what is there so far"
    yield from _lost(found)
    yield from _leaked(found)
    if delta is not None:
        yield from _disagreeing(delta)
    if found.n_prompts < SMALL:
        yield f"small n ({plural(found.n_prompts, 'document')}): read every figure as a hint"
    small = [name for name, own in found.categories.items() if own.candidate.n < SMALL]
    if small:
        yield f"fewer than {SMALL} documents in {plural(len(small), 'category', 'categories')}: read them as hints"
    yield from found.notes


def _leaked(found: LossSummary) -> Iterable[str]:
    """Which documents a model was trained on, and what the others alone say."""
    leaked, clean = found.leakage, found.without_leaked
    if leaked is None or clean is None:
        return
    who = listed([one_line(name, 30) for name in leaked.ids], 3)
    seen = [f"{len(ids):,} in the {role}'s" for role, ids in leaked.seen.items() if ids]
    count = plural(len(leaked.ids), "document")
    yield f"{count} stood in training data ({' and '.join(seen)}: {who}), and what was seen is foretold better"
    own = clean.candidate
    if own.loss.value is None:
        yield "no document is left without those that were trained on"
        return
    ends = f"95 % {number(max(0.0, own.loss.ci[0]))} to {number(own.loss.ci[1])}" if own.loss.ci else "no interval"
    said = f"without them the candidate's loss is {number(own.loss.value)} ({ends}) on {plural(own.n, 'document')}"
    moved = clean.delta.main if clean.delta is not None else None
    if clean.delta is not None and moved is not None and moved.found.value is not None:
        said += (
            f", {signed(moved.found.value, digits_of(moved))} {clean.delta.unit} beside the baseline ({_sure(moved)})"
        )
    yield said


def _lost(found: LossSummary) -> Iterable[str]:
    """The documents without a loss, said once where both models have none."""
    alike: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for role, by_status in found.lost.items():
        for status, names in by_status.items():
            alike.setdefault((status, names), []).append(role)
    for (status, names), roles in alike.items():
        who = listed([one_line(name, 30) for name in names], 3)
        count = plural(len(names), "document")
        yield f"{' and '.join(roles)}: the loss of {count} {WHY[status]}, and is left out: {who}"


def _disagreeing(delta: Delta) -> Iterable[str]:
    by_token, by_document = delta.main.found.value, delta.by_document.found.value
    if by_token is not None and by_document is not None and by_token * by_document < 0:
        yield (
            "counted by token and by document the difference points in opposite ways: long documents moved another "
            "way than short ones"
        )
