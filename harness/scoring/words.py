"""What a score run says, in sentences: the finding, the ends of the scale, gains and drops, what to doubt."""

from __future__ import annotations

from collections.abc import Iterable

from harness import goal as goals
from harness.report.numerals import listed, one_line, p_value, percent, plural
from harness.scoring import batching, maps, variance
from harness.scoring.figures import Delta, Scored
from harness.scoring.summary import ScoreSummary
from harness.stats.intervals import TOLERANCE
from harness.stats.stratified import WholeSet

SMALL = 30
ALPHA = 0.05
# From this share of the baseline on, a difference might be quoted as a change.
QUOTABLE = 0.05
# So many of the prompts that moved most are listed on either side.
MOST = 5
_ENDINGS = {"no answer": "with no answer to grade", "too long": "too long for the judge"}
# A whole that is drawn by less than this share says little about single categories.
FEW_A_CATEGORY = 10


def number(value: float) -> str:
    """A grade: two decimals, and up to six where fewer would print as 0 what is not."""
    digits = 2
    while digits < 6 and abs(value) > TOLERANCE and not float(f"{value:.{digits}f}"):
        digits += 1
    text = f"{value:.{digits}f}"
    return text.replace("-", "−" if float(text) else "")


def signed(value: float) -> str:
    """A difference of grades as `number` has it, with its sign; 0 has none."""
    text = number(abs(value))
    return text if not float(text) else f"{'−' if value < 0 else '+'}{text}"


def ends(ci: tuple[float, float] | None, reason: str | None, *, sign: bool = False) -> str:
    """An interval in words, or why there is none."""
    if ci is None:
        return f"no interval: {reason}" if reason else "no interval"
    shown = signed if sign else number
    return f"95 % {shown(ci[0])} to {shown(ci[1])}"


def headline(found: ScoreSummary) -> list[str]:
    """One sentence a judge: what it gives the candidate, and what that is beside the baseline."""
    return [_of_judge(name, own, found) for name, own in found.judges.items()] or ["No judge graded anything."]


def _of_judge(name: str, own: Scored, found: ScoreSummary) -> str:
    who = one_line(name)
    if own.mean is None:
        return f"{who}: no score; {own.reason}."
    said = f"{who}: the candidate scores {number(own.mean)} ({ends(own.ci, own.reason)}) on {plural(own.n, 'prompt')}"
    moved = found.deltas.get(name)
    if moved is None:
        return f"{said}."
    return f"{said}, {_moved(moved, complete=found.complete)}."


def _moved(moved: Delta, *, complete: bool) -> str:
    found = moved.difference
    if found.mean is None:
        return f"and nothing stands beside it ({found.reason})"
    apart = abs(found.mean) > TOLERANCE
    size = f"{number(abs(found.mean))} {'more' if found.mean > 0 else 'less'} than" if apart else "the same as"
    p = f", permutation p {p_value(moved.p_value)}" if moved.p_value is not None else ""
    said = f"{size} the baseline on {plural(found.n, 'prompt')} ({ends(found.ci, found.reason, sign=True)}{p})"
    if not complete:
        return f"{said}; the run is incomplete"
    if decided(moved):
        return f"{said}: {'better' if found.mean > 0 else 'worse'} than chance explains"
    return f"{said}: these prompts cannot tell the two apart"


def decided(moved: Delta) -> bool:
    """Whether interval and test agree that chance does not explain a difference."""
    ci = moved.difference.ci
    return ci is not None and (ci[0] > 0 or ci[1] < 0) and moved.p_value is not None and moved.p_value <= ALPHA


def whole(found: ScoreSummary) -> Iterable[str]:
    """What a draw by --limit says of all the suite's prompts."""
    if not found.setting.drawn:
        return
    total = sum(found.setting.full.values())
    yield (
        f"{found.n_prompts} of the suite's {plural(total, 'prompt')} were asked, drawn by category: the intervals "
        f"above are for prompts like these, those here for the suite's {total:,} themselves"
    )
    for name in found.judges:
        parts = []
        for label, by_judge, sign in (("mean", found.whole, False), ("difference", found.whole_delta, True)):
            if name in by_judge:
                parts.append(f"{label} {_whole(by_judge[name], sign=sign)}")
        if parts:
            yield f"{one_line(name)}: {'; '.join(parts)}"


def _whole(found: WholeSet, *, sign: bool) -> str:
    if found.mean is None:
        return f"cannot be told: {found.reason}"
    return f"{(signed if sign else number)(found.mean)} ({ends(found.ci, found.reason, sign=sign)})"


def scale_ends(found: ScoreSummary) -> Iterable[str]:
    """How many prompts sit at the lowest and the highest score."""
    for name, own in found.judges.items():
        if own.floor is None or own.ceiling is None or own.scale is None:
            continue
        beside = found.baseline.get(name)
        low = f"{percent(own.floor, own.n)} of {plural(own.n, 'prompt')} at {own.scale[0]:g}"
        high = f"{percent(own.ceiling, own.n)} at {own.scale[1]:g}"
        then = (
            f" (baseline: {percent(beside.floor, beside.n)} and {percent(beside.ceiling, beside.n)} of {beside.n:,})"
            if beside is not None and beside.floor is not None and beside.ceiling is not None
            else ""
        )
        yield f"{one_line(name)}: {low}, {high}{then}"


def movers(found: ScoreSummary) -> Iterable[str]:
    """The prompts that gained and dropped most by each judge."""
    for name, moved in found.deltas.items():
        ordered = sorted(moved.by_prompt.items(), key=lambda item: (-abs(item[1]), item[0]))
        for what, wanted in (("gained", 1), ("dropped", -1)):
            most = [(prompt, value) for prompt, value in ordered if value * wanted > 0]
            if most:
                shown = ", ".join(f"{one_line(prompt, 30)} {signed(value)}" for prompt, value in most[:MOST])
                yield f"{one_line(name)}: {len(most):,} of {len(ordered):,} {what}, most of all {shown}"


def noise(found: ScoreSummary) -> Iterable[str]:
    """What judges differ from themselves."""
    for name, own in found.noise.items():
        share = f", {percent(own.of_variance, own.answers)} of the variance of single grades" if own.of_variance else ""
        yield (
            f"{one_line(name)} graded {plural(own.answers, 'answer')} more than once: standard deviation of its grades "
            f"of one answer {own.sd:.2f}{share}; {percent(own.changed, own.answers)} of answers got other grades"
        )


def goal(found: ScoreSummary) -> list[str]:
    """What became of the suite's goal, where it has one."""
    return goals.said(found.goal)


def spread(found: ScoreSummary) -> list[str]:
    """Where the differences between single grades come from, and what more of would help."""
    return variance.sentences(found.variance)


def alone(found: ScoreSummary) -> list[str]:
    """Whether answers depended on the batch they were in, where that was checked."""
    return batching.said(found.batching)


def doubts(found: ScoreSummary) -> Iterable[str]:
    """What may be wrong, missing, leaked, underpowered or not comparable, the weightiest first."""
    if not found.complete:
        yield "the run is incomplete: these figures are of what is there so far"
    if found.leakage is not None and found.leakage.ids:
        yield (
            f"{plural(len(found.leakage.ids), 'prompt')} stood in training data ({listed(found.leakage.ids, 3)}): "
            "their grades are counted here"
        )
    yield from _undecided(found)
    yield from maps.doubts(found.maps)
    yield from batching.doubts(found.batching)
    for name, own in found.judges.items():
        yield from _missing(name, own, "candidate")
    for name, own in found.baseline.items():
        yield from _missing(name, own, "baseline")
    if found.n_prompts < SMALL:
        yield f"small n ({plural(found.n_prompts, 'prompt')}): read every figure as a hint"
    if len(found.judges) > 1 and not found.categories and any(found.setting.categories.values()):
        yield (
            "the judges grade on different scales, so that no mean over them is taken by category: summary.json has "
            "each judge's own"
        )
    small = [name for name, own in found.categories.items() if own.n < SMALL]
    if small:
        yield f"fewer than {SMALL} prompts in {plural(len(small), 'category', 'categories')}: read them as hints"
    yield from found.notes


def _undecided(found: ScoreSummary) -> Iterable[str]:
    """A difference that chance explains, said beside the share by which it might be quoted."""
    for name, moved in found.deltas.items():
        own, beside = moved.difference, found.baseline[name].mean
        if own.mean is None or not beside or decided(moved) or abs(own.mean / beside) < QUOTABLE:
            continue
        share = f"{100 * own.mean / abs(beside):+.0f} %".replace("-", "−")
        said = f"{one_line(name)}: {share} against the baseline is no finding"
        if own.ci is None:
            yield f"{said}: {own.reason}"
        else:
            reach = max(abs(own.ci[0] - own.mean), abs(own.ci[1] - own.mean))
            on = plural(own.n, "prompt")
            yield f"{said}: chance alone moves the mean of {on} by up to {number(reach)} either way"


def _missing(name: str, own: Scored, role: str) -> Iterable[str]:
    """What of a contestant a judge gave no score, by what came instead."""
    lost = {how: count for how, count in own.endings.items() if how != "ok"}
    why = ", ".join(f"{count:,} {_ENDINGS.get(how, how)}" for how, count in lost.items())
    if own.unscored:
        yield f"{one_line(name)}: {plural(own.unscored, 'prompt')} of the {role} unscored{f' ({why})' if why else ''}"
    elif lost:
        total = sum(own.statuses.values())
        yield (
            f"{one_line(name)}: {sum(lost.values()):,} of {plural(total, 'grading')} of the {role} gave no score "
            f"({why}); other askings about the same answers did"
        )
