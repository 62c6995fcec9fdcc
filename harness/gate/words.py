"""What a gate found, in words for a person. No difference without its interval, bound and number of prompts."""

from __future__ import annotations

from collections.abc import Iterator

from harness.contrast.grades import grade, on_scale
from harness.gate.measured import Measured, scores_seen
from harness.gate.result import Category, GateResult
from harness.gate.thresholds import Reach
from harness.report import numerals
from harness.report.numerals import DASH, listed, p_value, plural
from harness.stats.careful import FEW
from harness.stats.noninferiority import NonInferiority, Outcome

WORD: dict[Outcome, str] = {"pass": "PASS", "fail": "FAIL", "inconclusive": "INCONCLUSIVE"}
SMALL = 30


def headline(result: GateResult) -> str:
    """The outcome in a sentence or two, with what it rests on."""
    return f"{WORD[result.outcome]}: {_said(result)}"


def _said(result: GateResult) -> str:
    if result.outcome == "fail" and result.overall != "fail":
        heeded = "categories that this gate heeds have" if len(result.failed) > 1 else "a category of this gate has"
        rest = f"over all prompts the outcome is {result.overall}: {figures(result, result.found)}"
        return f"{heeded} lost too much: {listed(result.failed)}; {rest}."
    if result.reasons:
        seen = f" Seen so far: {figures(result, result.found)}." if result.found.ci is not None else ""
        return f"{'; '.join(result.reasons)}.{seen}"
    lost, against = f"{margin(result, result.found)}{_of_what(result)}", _against(result)
    if result.outcome == "pass":
        open_ = [name for name, one in result.categories.items() if one.outcome == "inconclusive"]
        rest = f" Undecided by category: {listed(open_)}." if result.gate_categories and open_ else ""
        return f"NEW has lost less than {lost} against {against}: {figures(result, result.found)}.{rest}"
    if result.outcome == "fail":
        certain = result.found.upper is not None and result.found.upper < -result.found.margin
        rest = f" by more than {lost}" if certain else f", and a loss of {lost} or more is not ruled out"
        worse = f"NEW is worse than {against}{rest}"
        return f"{worse}: {figures(result, result.found)}."
    n = result.found.n
    can = f"{plural(n, 'prompt')} cannot tell whether NEW has lost {lost} against {against}"
    return f"{can}: {figures(result, result.found)}. {_sentence(needed(result.found))}"


def _of_what(result: GateResult) -> str:
    """The unit of a margin, or the scale that it is on."""
    return unit(result, result.found.margin) if in_points(result) else on_scale(result.measured.ends)


def reach(measured: Measured) -> Reach:
    """How large a margin may be."""
    if measured.kind == "scores":
        # Where the scale was read off the scores, it says nothing of what could be.
        most = measured.scale[1] if measured.scale is not None and not measured.seen_scale else None
        return Reach(most=most, means=f"0.3 means: lose less than 0.3{on_scale(measured.ends)}")
    if measured.old is None:
        return Reach(most=0.5, means="a win rate cannot be further than 0.5 below 1/2")
    return Reach(most=1.0, means="0.03 means: lose less than 3 points")


def _named(result: GateResult) -> Iterator[tuple[str, Category]]:
    return ((name, result.categories[name]) for name in result.failed)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _against(result: GateResult) -> str:
    return "OLD" if result.measured.old is not None else "the baseline that it was run against"


def figures(result: GateResult, found: NonInferiority) -> str:
    """ "−0.4 points over 812 prompts (95 % −2.1 to +1.3; lower bound −1.8, margin 3, p = 0.004)"."""
    if found.difference is None:
        return "no prompt has a score"
    counted = f"{difference(result, found.difference)}{unit(result, found.difference)} over {plural(found.n, 'prompt')}"
    if found is result.found and result.measured.levels is not None:
        counted = f"{' → '.join(_level(result, level) for level in result.measured.levels)}, {counted}"
    if found.ci is None:
        return f"{counted} (no interval: {found.reason})"
    bounds = [f"95 % {interval(result, found)}", f"one-sided lower bound {lower(result, found)}"]
    if found.upper is not None and (found.upper < 0 or found.outcome == "inconclusive"):
        bounds.append(f"upper bound {difference(result, found.upper)}")
    return f"{counted} ({'; '.join(bounds)}; margin {margin(result, found)}{_evidence(found)})"


def _level(result: GateResult, value: float) -> str:
    return grade(value, result.measured.ends)


def _evidence(found: NonInferiority) -> str:
    """The p-value that goes with the outcome: of a loss of the margin, or where it fails of no loss at all."""
    if found.outcome == "fail" and found.p_loss is not None:
        return f"; p {p_value(found.p_loss)} if nothing were lost"
    return f", p {p_value(found.p_value)}" if found.p_value is not None else ""


def needed(found: NonInferiority) -> str:
    """How many prompts would decide, or why that cannot be said."""
    if found.n_needed is None:
        return f"how many prompts would decide cannot be said: {found.needed_reason}"
    count = plural(found.n_needed, "prompt")
    if found.needed_for == "power":
        return f"about {count} would pass with 80 % power if nothing is lost"
    if found.needed_for == "certainty":
        return f"about {count} would decide it, one way or the other"
    return f"{count} without any other difference would pass"


def in_points(result: GateResult) -> bool:
    """Whether differences are shown in percentage points: where scores are rates."""
    return result.measured.kind != "scores"


def difference(result: GateResult, value: float) -> str:
    """A difference with its sign: "+1.3" points, or "−0.21"."""
    text = size(result, value)
    return text if float(text) == 0 else f"{'+' if value > 0 else '−'}{text}"


def size(result: GateResult, value: float) -> str:
    """A difference without its sign: to a tenth of a point, or as grades are written."""
    if in_points(result):
        return f"{100 * abs(value):.1f}".removesuffix(".0")
    return f"{abs(value):.3g}" if result.measured.ends is None else grade(abs(value), result.measured.ends)


def margin(result: GateResult, found: NonInferiority) -> str:
    """The margin as exactly as it was given: "3" points, or "0.03"."""
    return numerals.margin(found.margin) if in_points(result) else f"{found.margin:.6g}"


def unit(result: GateResult, value: float) -> str:
    if not in_points(result):
        return ""
    return " point" if size(result, value) == "1" else " points"


def lower(result: GateResult, found: NonInferiority) -> str:
    """The lower bound, with as many digits as show on which side of −margin it lies."""
    if found.lower is None:
        return DASH
    scale = 100.0 if in_points(result) else 1.0
    text = difference(result, found.lower)
    for digits in range(2, 7):
        shown, least = float(text.replace("−", "-")), -scale * found.margin
        if (shown > least) == (found.lower * scale > least):
            break
        text = f"{scale * found.lower:.{digits}f}".replace("-", "−")
    return text


def interval(result: GateResult, found: NonInferiority) -> str:
    """ "−2.1 to +1.3": what lies outside the scale is not shown."""
    if found.ci is None:
        return DASH
    least, most = result.measured.scale or found.ci
    return f"{difference(result, max(found.ci[0], least))} to {difference(result, min(found.ci[1], most))}"


def notes(result: GateResult) -> tuple[str, ...]:
    """What has to be known beside the figures: findings first, then what is missing, then how it was counted."""
    return tuple(dict.fromkeys([*_findings(result), *_missing(result), *_counted(result), *result.measured.notes]))


def _findings(result: GateResult) -> Iterator[str]:
    for name, category in _named(result):
        part = "" if result.gate_categories else ", which is no part of this gate (--categories makes it one)"
        p = p_value(category.p_adjusted) if category.p_adjusted is not None else DASH
        yield f"FINDING: {name} has lost{part}: {figures(result, category.found)}; after Holm p {p}"
    if result.measured.leaked:
        ids = result.measured.leaked
        verb = "prompts of NEW stand" if len(ids) > 1 else "prompt of NEW stands"
        yield f"{len(ids)} {verb} in training data: {listed(ids)}; what was learnt by heart hides a loss"


def _missing(result: GateResult) -> Iterator[str]:
    gone = result.measured.missing
    if gone:
        counted = f"{len(gone)} of {plural(result.measured.total, 'prompt')}"
        have = "has" if len(gone) == 1 else "have"
        yield f"{counted} {have} no usable score on every side and {have} been left out: {listed(gone)}"


def _counted(result: GateResult) -> Iterator[str]:
    found, measured = result.found, result.measured
    if found.clusters is not None:
        yield (
            f"{plural(found.n, 'prompt')} in {plural(found.clusters, 'cluster')}: interval and bounds are "
            "cluster-robust (Student's t on clusters − 1)"
        )
    if found.method == "constant-bounded":
        yield "all differences are equal, which is no certainty: the bounds say how often another could turn up"
    elif found.rare:
        yield (
            f"few prompts lost much (fewer than {FEW} lost anything, or all of them little): the lower bound counts "
            "with losses that these prompts did not happen to show, and lies below Student's"
        )
    unsure = [
        name
        for name, one in (("all prompts", found), *((name, one.found) for name, one in result.categories.items()))
        if one.rare_gains and one.ci is not None and one.upper is not None and one.ci[1] < 0 <= one.upper
    ]
    if unsure:
        yield (
            f"{listed(unsure)}: the interval lies below 0, and yet a loss is not certain: with so few prompts a great "
            "gain may have gone unseen, and the upper bound, which decides, counts with it"
        )
    if measured.seen_scale and measured.scale is not None and found.n:
        yield scores_seen(measured)
    if 0 < found.n < SMALL:
        yield f"small n: {plural(found.n, 'prompt')}; a few other prompts could turn this result"
