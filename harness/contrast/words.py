"""What a comparison of two sides allows to be said, in words: the finding first, then what to doubt.

It refuses a bare difference: interval (or why there is none), p-value and n stand in the same sentence.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.contrast import grades
from harness.contrast.comparable import few, noun
from harness.contrast.remarks import by_position
from harness.contrast.results import FEWEST_FOR_BOOTSTRAP, Contrast
from harness.contrast.sides import Pair
from harness.contrast.written import remarks
from harness.report.numerals import DASH, listed, p_value, percent, plural, points, span
from harness.report.phrases import moved
from harness.stats.intervals import SMALL, TOLERANCE

TESTS = {
    "mcnemar": "exact McNemar test",
    "permutation": "permutation test",
    "fisher": "Fisher's exact test",
    "welch": "Welch's test",
}
# Fewer discordant prompts than this cannot reach p ≤ 0.05, whichever way they fall: 2 · (1/2)^5 is more.
FEWEST_DISCORDANT = 6


def headline(found: Contrast) -> str:
    """Which side is better, or that this many prompts cannot tell; with figures, interval, p-value and n."""
    figures = f"{levels(found)}, {_more(found)}{_counted(found)} ({_evidence(found)})"
    if found.better is not None:
        name, other = ("B", "A") if found.better == "b" else ("A", "B")
        return f"{name} is better than {other}: {figures}."
    if found.difference.mean is None:
        return f"Nothing can be told: {found.difference.reason}."
    return f"{_too_few(found)} cannot tell A and B apart: {figures}.{_needed(found)}"


def _too_few(found: Contrast) -> str:
    if not found.pair.paired:
        return "These prompts"
    return "This one prompt" if found.difference.n == 1 else f"These {plural(found.difference.n, 'prompt')}"


def _needed(found: Contrast) -> str:
    if found.visible is None:
        return ""
    return f" To show here (with 80 % power) a difference would have to be {_size(found, found.visible)} or more."


def _counted(found: Contrast) -> str:
    if found.pair.paired:
        return f" over {plural(found.difference.n, 'prompt')}" if found.better is not None else ""
    return f" over {plural(found.a.n, 'prompt')} of A and {found.b.n:,} of B"


def levels(found: Contrast) -> str:
    """ "B 74 %, A 58 %", "B 7.65, A 7.31 on 1–10"."""
    scale = "" if in_percent(found) else grades.on_scale(found.pair.scale)
    return f"B {level(found, found.b.mean, found.b.n)}, A {level(found, found.a.mean, found.a.n)}{scale}"


def in_percent(found: Contrast) -> bool:
    """Whether scores are rates, told in percent and points, and not grades."""
    return found.pair.kind != "scores"


def level(found: Contrast, value: float | None, n: int) -> str:
    """A side's mean: a rate in percent, a grade as a number."""
    if value is None:
        return DASH
    return percent(value, n) if in_percent(found) else grades.grade(value, found.pair.scale)


def ends(found: Contrast, ci: tuple[float, float] | None, n: int) -> str:
    """The interval of a side's mean, what of it lies on the scale."""
    if ci is None:
        return DASH
    low, high = found.pair.scale or ci
    kept = max(ci[0], low), min(ci[1], high)
    return span(*kept, n) if in_percent(found) else " to ".join(grades.grade(end, found.pair.scale) for end in kept)


def _more(found: Contrast) -> str:
    mean = found.difference.mean
    if mean is None or abs(mean) <= TOLERANCE:
        return "no difference"
    return f"{_size(found, mean)} {'more' if mean > 0 else 'less'}"


def _size(found: Contrast, difference: float) -> str:
    if not in_percent(found):
        return grades.grade(abs(difference), found.pair.scale)
    text = points(difference)
    return f"{text} {'point' if text == '1' else 'points'}"


def signed(found: Contrast, difference: float | None) -> str:
    """A difference b − a with its sign: "+13" points, or "−0.21"."""
    if difference is None:
        return DASH
    if not in_percent(found):
        return grades.moved(difference, found.pair.scale)
    text = points(difference)
    sign = "" if float(text) == 0 else "+" if difference > 0 else "−"
    return f"{sign}{text}"


def interval(found: Contrast, ci: tuple[float, float] | None) -> str:
    """ "−1 to +33": what lies outside the range of a difference is not shown."""
    if ci is None:
        return DASH
    low, high = ci
    if found.pair.scale is not None:
        most = found.pair.scale[1] - found.pair.scale[0]
        low, high = max(low, -most), min(high, most)
    return f"{signed(found, low)} to {signed(found, high)}"


def _evidence(found: Contrast) -> str:
    ci = found.difference.ci
    parts = [f"95 % {interval(found, ci)}" if ci else f"no interval: {found.difference.reason}"]
    if found.p_value is not None:
        parts.append(f"{TESTS[found.test]} p {p_value(found.p_value)}")
    if found.p_adjusted is not None:
        parts.append(f"after Holm p {p_value(found.p_adjusted)}")
    return ", ".join(parts)


def details(found: Contrast) -> list[str]:
    """The further figures, a sentence each."""
    return [*_counts(found), *_sizes(found), *_clustered(found)]


def _counts(found: Contrast) -> Iterator[str]:
    counts, tested, ranks = found.mcnemar, found.permutation, found.wilcoxon
    if counts is not None:
        yield (
            f"right in A alone {counts.only_a}, right in B alone {counts.only_b}: McNemar's exact p "
            f"{p_value(counts.p_value)}, mid-p {p_value(counts.p_value_mid)}"
        )
    if tested is not None:
        how = "exact" if tested.resamples is None else f"{tested.resamples:,} random signs"
        also = ""
        if ranks is not None and ranks.p_value is not None:
            also = f"; Wilcoxon's signed ranks p {p_value(ranks.p_value)} ({ranks.n:,} differences not 0)"
        yield f"permutation test of the mean: {how}{also}"


def _sizes(found: Contrast) -> Iterator[str]:
    if found.macro_f1 is not None:
        apart = ", a test of its own that is in no family" if found.p_adjusted is not None else ""
        yield f"{moved('macro F1', found.macro_f1)}{apart}"
    if found.effect is not None:
        name = "h" if found.pair.kind == "predictions" else "d"
        effect = 0.0 if abs(found.effect) <= TOLERANCE else found.effect
        yield f"effect size: Cohen's {name} {effect:+.3f}".replace("-", "−")
    if found.bca is not None:
        yield f"bootstrap over prompts (BCa) as a cross-check: 95 % {interval(found, found.bca)}"


def _clustered(found: Contrast) -> Iterator[str]:
    rough = found.clusters
    if rough is None:
        return
    n = found.difference.n
    if rough.ci is None:
        yield f"{plural(n, 'prompt')} in {plural(rough.clusters, 'cluster')}: no cluster-robust interval"
    else:
        p = f", p {p_value(rough.p_value)}" if rough.p_value is not None else ""
        yield f"{plural(n, 'prompt')} in {plural(rough.clusters, 'cluster')}: 95 % {interval(found, rough.ci)}{p}"


def doubts(found: Contrast) -> list[str]:
    """Reasons to doubt the finding, the gravest first."""
    return [*_of_design(found), *_of_figures(found), *_of_slices(found)]


def _of_design(found: Contrast) -> Iterator[str]:
    for name, side in (("A", found.pair.side_a), ("B", found.pair.side_b)):
        said = by_position(side)
        if said is not None:
            yield f"{name}: {said}, which says little of the answers and pulls a difference towards 0"
    if not found.pair.paired:
        yield (
            "not in pairs: A and B are held apart by what their prompts are as much as by what they can do, and "
            "chance is larger; the same prompts for both would show smaller differences"
        )
    n = found.difference.n if found.pair.paired else min(found.a.n, found.b.n)
    if n < SMALL:
        few = "; too few for a bootstrap interval" if found.pair.paired and n < FEWEST_FOR_BOOTSTRAP else ""
        yield f"small n: {plural(n, 'prompt')}; a few other prompts could turn this result{few}"
    if found.shows_nothing:
        yield _nothing_shows(found)
    yield from unscored(found.pair)
    for name, side in (("A", found.pair.side_a), ("B", found.pair.side_b)):
        yield from (f"{name}: {said}" for said in remarks(side.predictions))


def unscored(pair: Pair) -> Iterator[str]:
    """How many prompts of each side lack a score, and which."""
    gone = {name: {*side.prompts} - {*side.scores} for name, side in (("A", pair.side_a), ("B", pair.side_b))}
    lost = [f"{plural(len(ids), noun(pair.side_a))} of {name}" for name, ids in gone.items() if ids]
    if lost:
        left_out = "left out, on both sides where paired"
        yield f"no usable score for {' and '.join(lost)}: {left_out} ({few(set().union(*gone.values()))})"


def _nothing_shows(found: Contrast) -> str:
    low, high = found.pair.scale or (0.0, 1.0)
    counted = plural(found.difference.n, "prompt")
    if not found.pair.paired:
        counted = f"{plural(found.a.n, 'prompt')} of A, {found.b.n:,} of B"
    return (
        f"so few prompts ({counted}) can show nothing: not even the largest difference that there can be, "
        f"{_size(found, high - low)}, would show with 80 % power"
    )


def _of_figures(found: Contrast) -> Iterator[str]:
    ends, p = found.difference.ci, found.p_final
    if found.difference.method == "constant-bounded":
        yield (
            f"all {found.difference.n} differences are equal, which is no certainty: the interval says how often "
            "another could turn up"
        )
    if ends is not None and p is not None and (p <= 0.05) != (ends[0] > 0 or ends[1] < 0):
        yield "interval and test do not agree on whether there is a difference: it is at the border of chance"
    if found.bca is not None and ends is not None and _one_sided(found.bca) != _one_sided(ends):
        yield "the bootstrap interval and Student's do not agree on whether there is a difference"
    counts = found.mcnemar
    if counts is not None and counts.only_a + counts.only_b < FEWEST_DISCORDANT:
        apart = counts.only_a + counts.only_b
        who = f"only {plural(apart, 'prompt')}" if apart else "no prompt"
        yield f"{who} told A and B apart: no p-value below 0.05 could come of that"
    rough = found.clusters
    if rough is not None and (rough.ci is None or (ends is not None and _one_sided(rough.ci) != _one_sided(ends))):
        yield "prompts come in clusters, and with these counted there is no longer a clear difference"


def _one_sided(ends: tuple[float, float]) -> bool:
    return ends[0] > 0 or ends[1] < 0


def _of_slices(found: Contrast) -> Iterator[str]:
    small = [name for name, part in found.slices.items() if part.n < SMALL]
    if small:
        yield f"small n in {plural(len(small), 'slice')} (fewer than {SMALL} prompts): {listed(small)}; read as hints"
